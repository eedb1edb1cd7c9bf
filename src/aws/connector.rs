//! The SDK's way to the network leads through our one HTTP door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures_util::StreamExt;
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;

use crate::outside::http_client::{HttpClient, Limits, Outgoing, SendError};

/// A request has so long, and a second more for each so many bytes that it carries: half of what a
/// bad DSL line can do, so that a slow one is not taken for a dead one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u64 = 256 * 1024;
/// A page of a thousand multipart uploads with the longest keys is some 3 MiB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

#[derive(Clone)]
pub struct Connector {
    http: Arc<dyn HttpClient>,
    timeout: Duration,
}

impl Connector {
    pub fn new(http: Arc<dyn HttpClient>) -> Connector {
        Connector {
            http,
            timeout: REQUEST_TIMEOUT,
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl SdkHttpClient for Connector {
    /// Only the lookup of instance metadata sets a time-out of its own: where there is none, nobody
    /// answers.
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let http = Arc::clone(&self.http);
        let timeout = settings.read_timeout().unwrap_or(self.timeout);
        SharedHttpConnector::new(Connector { http, timeout })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Connector { http, timeout } = self.clone();
        HttpConnectorFuture::new(async move {
            let (request, bytes) = outgoing(request).await?;
            let limits = Limits {
                timeout: timeout + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND),
                answer_bytes_max: ANSWER_BYTES_MAX,
            };
            let answer = http.send(request, limits).await.map_err(failure)?;
            let answer = answer.map(SdkBody::from);
            HttpResponse::try_from(answer)
                .map_err(|cause| ConnectorError::other(cause.into(), None))
        })
    }
}

/// The request in our own words, and how many bytes it carries.
async fn outgoing(request: HttpRequest) -> Result<(Request<Outgoing>, u64), ConnectorError> {
    let request = request.try_into_http1x();
    let (head, body) = request
        .map_err(|cause| ConnectorError::user(cause.into()))?
        .into_parts();
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if body.bytes().is_some() {
        let whole = body
            .collect()
            .await
            .map_err(ConnectorError::user)?
            .to_bytes();
        let bytes = whole.len() as u64;
        return Ok((Request::from_parts(head, Outgoing::Whole(whole)), bytes));
    }
    let Some(bytes) = announced else {
        let cause = "a streamed body must say how long it is";
        return Err(ConnectorError::user(cause.into()));
    };
    let chunks = body.into_data_stream().boxed();
    let streamed = Outgoing::Streamed { bytes, chunks };
    Ok((Request::from_parts(head, streamed), bytes))
}

fn failure(error: SendError) -> ConnectorError {
    match error {
        SendError::TimedOut { .. } => ConnectorError::timeout(error.into()),
        SendError::Connect { .. } | SendError::Broken { .. } => ConnectorError::io(error.into()),
    }
}
