//! Signatures for requests that no client of the SDK makes.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::DateTime;
use http::Request;

use super::connection::{Connection, Keeping, REFRESH_BEFORE_EXPIRY};
use crate::model::Timestamp;

/// Credentials that do not expire may still be changed where they come from (the SDK's own period).
const ASKED_ANEW_AFTER: Duration = Duration::from_secs(15 * 60);

/// Signs for one service in one region.
#[derive(Debug)]
pub struct Signer {
    connection: Connection,
    region: String,
    service: &'static str,
    kept: Mutex<Option<Kept>>,
}

/// The SDK's cache serves its clients only, and a role must not be assumed for each request.
#[derive(Clone, Debug)]
struct Kept {
    credentials: Credentials,
    /// When to ask again.
    until: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("failed to get credentials")]
    Credentials(#[source] Box<dyn Error + Send + Sync>),
    #[error("failed to sign")]
    Request(#[source] Box<dyn Error + Send + Sync>),
}

impl Signer {
    pub fn new(connection: Connection, region: String, service: &'static str) -> Signer {
        Signer {
            connection,
            region,
            service,
            kept: Mutex::default(),
        }
    }

    /// Adds the headers of a signature over the request, all its headers and the body.
    pub async fn sign(&self, request: &mut Request<()>, body: &[u8]) -> Result<(), SignError> {
        let identity = self.credentials().await?.into();
        let now = self.connection.clock().now().as_millis();
        let now = DateTime::from_millis(i64::try_from(now).unwrap_or(i64::MAX));
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now.try_into().expect("today is a date"))
            .settings(SigningSettings::default())
            .build()
            .expect("nothing is left out")
            .into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.as_str(), value.to_str().expect("our headers are text")));
        let signed = SignableRequest::new(
            request.method().as_str(),
            uri,
            headers,
            SignableBody::Bytes(body),
        )
        .and_then(|signable| sign(signable, &parameters))
        .map_err(|error| SignError::Request(error.into()))?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }

    async fn credentials(&self) -> Result<Credentials, SignError> {
        let now = self.connection.clock().now();
        let kept = self.kept().clone();
        if let Some(kept) = &kept
            && now < kept.until
        {
            return Ok(kept.credentials.clone());
        }
        let provider = self.connection.config().credentials_provider();
        let provider = provider.expect("a connection has credentials");
        match provider.provide_credentials().await {
            Ok(credentials) => {
                if self.connection.keeping() == Keeping::WhileGood {
                    *self.kept() = Some(Kept {
                        until: until(&credentials, now),
                        credentials: credentials.clone(),
                    });
                }
                Ok(credentials)
            }
            // They are asked for in good time, so those at hand may still do.
            Err(error) => kept
                .map(|kept| kept.credentials)
                .filter(|credentials| expiry(credentials).is_some_and(|expiry| now < expiry))
                .ok_or_else(|| SignError::Credentials(error.into())),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expiry(credentials: &Credentials) -> Option<Timestamp> {
    let since = credentials.expiry()?.duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    Some(Timestamp::from_millis(
        u64::try_from(millis).unwrap_or(u64::MAX),
    ))
}

fn until(credentials: &Credentials, now: Timestamp) -> Timestamp {
    let millis = |duration: Duration| duration.as_millis() as u64;
    Timestamp::from_millis(match expiry(credentials) {
        Some(expiry) => expiry
            .as_millis()
            .saturating_sub(millis(REFRESH_BEFORE_EXPIRY)),
        None => now.as_millis() + millis(ASKED_ANEW_AFTER),
    })
}
