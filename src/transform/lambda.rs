//! Functions of AWS Lambda, or of whoever speaks its Invoke API:
//!
//! ```text
//! POST /2015-03-31/functions/<name or ARN>/invocations[?Qualifier=<version or alias>]
//! X-Amz-Invocation-Type: RequestResponse
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, header};

use super::function_name::FunctionName;
use super::trouble::{AssumesRole, Trouble};
use super::{LIMITS, reply};
use crate::aws::{Profile, Signer, connect};
use crate::outside::Clock;
use crate::outside::http_client::{HttpClient, Outgoing};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub function: FunctionName,
    /// Its endpoint is where the Invoke API is; without one, AWS's own.
    pub profile: Profile,
}

pub(super) struct Lambda {
    http: Arc<dyn HttpClient>,
    uri: Uri,
    signer: Signer,
    assumes_role: AssumesRole,
    clock: Clock,
}

impl Lambda {
    /// Touches neither network nor disk.
    pub async fn open(settings: &Settings, http: Arc<dyn HttpClient>, clock: Clock) -> Lambda {
        let Settings { function, profile } = settings;
        let connection = connect(profile, http.clone(), clock.clone()).await;
        let region = function.region().unwrap_or(&profile.region).to_owned();
        Lambda {
            http,
            uri: uri(settings, &region),
            signer: Signer::new(connection, region, "lambda"),
            assumes_role: match profile.assume_role {
                Some(_) => AssumesRole::Yes,
                None => AssumesRole::No,
            },
            clock,
        }
    }

    pub async fn invoke(&self, document: Bytes) -> Result<Bytes, Trouble> {
        let mut request = Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-amz-invocation-type", "RequestResponse")
            .body(())
            .expect("all headers are constant");
        let signed = self.signer.sign(&mut request, &document).await;
        signed.map_err(|error| Trouble::unsigned(error, self.assumes_role))?;
        let request = request.map(|()| Outgoing::Whole(document));
        let response = self.http.send(request, LIMITS).await;
        let response = response.map_err(Trouble::unsent)?;
        reply::document(response, reply::Server::InvokeApi, self.clock.now())
    }
}

fn uri(settings: &Settings, region: &str) -> Uri {
    let path = settings.function.path();
    let (scheme, authority, folder) = match &settings.profile.endpoint {
        Some(endpoint) => (
            endpoint.scheme().cloned().unwrap_or(Scheme::HTTPS),
            endpoint.authority().cloned(),
            endpoint.path().trim_end_matches('/'),
        ),
        None => (Scheme::HTTPS, None, ""),
    };
    let authority = authority.unwrap_or_else(|| at_aws(region));
    let path = format!("{folder}{path}").parse::<PathAndQuery>();
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path.expect("a function's name is escaped"))
        .build()
        .expect("it has all its parts")
}

fn at_aws(region: &str) -> Authority {
    let suffix = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    let authority = format!("lambda.{region}.{suffix}").parse();
    // Regions are checked where they are configured; what is none is found out by the first request.
    authority.unwrap_or_else(|_| Authority::from_static("lambda.invalid"))
}
