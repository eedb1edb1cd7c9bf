//! The real network, by reqwest over rustls.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, Uri};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::{HttpClient, Limits, Outgoing, SendError, Settings};

/// A server that is there answers the handshake in far less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// S3 and most load balancers close a silent connection after 20 to 60 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 32;

/// Two pools: hosts that a proxy could not reach, or must never see, are asked directly.
pub struct Network {
    direct: reqwest::Client,
    /// Through the proxy that the usual variables name, if any.
    usual: reqwest::Client,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to read the certificate authorities")]
    Certificates(#[source] Box<dyn Error + Send + Sync>),
    #[error("found no certificate in the certificate authorities' file")]
    NoCertificate,
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {0} bytes")]
struct AnswerTooLong(usize);

impl Network {
    pub fn open(settings: &Settings) -> Result<Network, OpenError> {
        let tls = tls(settings)?;
        let client = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                // `retry` is the only arithmetic.
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST_MAX)
        };
        Ok(Network {
            direct: client().no_proxy().build().map_err(OpenError::Client)?,
            usual: client().build().map_err(OpenError::Client)?,
        })
    }

    async fn exchange(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> Result<Response<Bytes>, SendError> {
        let authority = request.uri().authority().map(ToString::to_string);
        let authority = authority.unwrap_or_default();
        let client = match is_nearby(request.uri()) {
            true => &self.direct,
            false => &self.usual,
        };
        let sent = async {
            let request = reqwest::Request::try_from(outgoing(request))?;
            let mut answer = client.execute(request).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await? {
                if limits.answer_bytes_max < body.len() + chunk.len() {
                    return Err(AnswerTooLong(limits.answer_bytes_max).into());
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok::<_, Box<dyn Error + Send + Sync>>(response)
        };
        match tokio::time::timeout(limits.timeout, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => Err(classified(authority, cause)),
            Err(_) => Err(SendError::TimedOut {
                authority,
                after: limits.timeout,
            }),
        }
    }
}

impl HttpClient for Network {
    fn send(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(self.exchange(request, limits))
    }
}

fn tls(settings: &Settings) -> Result<ClientConfig, OpenError> {
    let mut roots = RootCertStore::empty();
    // A machine without any is fine as long as nobody speaks TLS, or `ca_pem` names its own.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = &settings.ca_pem {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|cause| OpenError::Certificates(cause.into()))?;
            let added = roots.add(certificate);
            added.map_err(|cause| OpenError::Certificates(cause.into()))?;
            found = true;
        }
        if !found {
            return Err(OpenError::NoCertificate);
        }
    }
    // Given by hand, so that nothing rests on a provider installed for the whole process.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(OpenError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Loopback, and where clouds keep instance and task credentials: link-local addresses.
fn is_nearby(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2::254 and fd00:ec2::23 are Amazon's link-local addresses of IPv6.
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn outgoing(request: Request<Outgoing>) -> Request<reqwest::Body> {
    let (mut head, body) = request.into_parts();
    let body = match body {
        Outgoing::Whole(bytes) => reqwest::Body::from(bytes),
        Outgoing::Streamed { bytes, chunks } => {
            // Without it the body would be sent in chunks, which S3 refuses.
            head.headers.insert(CONTENT_LENGTH, bytes.into());
            reqwest::Body::wrap_stream(chunks)
        }
    };
    Request::from_parts(head, body)
}

fn classified(authority: String, cause: Box<dyn Error + Send + Sync>) -> SendError {
    let by_reqwest = cause.downcast_ref::<reqwest::Error>();
    let connecting = by_reqwest.is_some_and(reqwest::Error::is_connect);
    let cause = Arc::from(cause);
    if connecting {
        SendError::Connect { authority, cause }
    } else {
        SendError::Broken { authority, cause }
    }
}

pub(super) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An `io::Error` is silent about what it wraps, unless asked in this way.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_ever_sees_loopback_or_instance_metadata() {
        for (uri, nearby) in [
            ("http://127.0.0.1:9000/b", true),
            ("http://127.8.9.1/", true),
            ("https://[::1]:9000/", true),
            ("http://localhost:9000/", true),
            ("http://bucket.localhost:9000/", true),
            ("http://169.254.169.254/latest", true),
            ("http://169.254.170.2/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("https://s3.eu-west-1.amazonaws.com/", false),
            ("http://10.0.0.1/", false),
            ("https://localhost.example/", false),
            ("https://[fd00:ec3::254]/", false),
        ] {
            assert_eq!(is_nearby(&uri.parse().unwrap()), nearby, "{uri}");
        }
    }

    #[test]
    fn certificate_authorities_must_be_certificates() {
        let open = |pem: &str| {
            let ca_pem = Some(pem.as_bytes().to_vec());
            Network::open(&Settings { ca_pem })
                .err()
                .map(|it| it.to_string())
        };
        let none = "found no certificate in the certificate authorities' file";
        let bad = "failed to read the certificate authorities";
        assert_eq!(open("").as_deref(), Some(none));
        assert_eq!(open("not a certificate").as_deref(), Some(none));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(open(garbage).as_deref(), Some(bad));
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::new(["ca.test".to_owned()]).unwrap();
        let certificate = authority.self_signed(&key).unwrap();
        assert_eq!(open(&certificate.pem()), None);
    }
}
