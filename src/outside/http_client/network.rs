//! The real network, by reqwest over rustls.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

use super::trouble::is_of_authority;
use super::{
    AnswerTooLong, HttpClient, Limits, Outgoing, Proxies, SendError, Settings, certificates,
};
use crate::model::limits;

/// A server that is there answers the handshake in far less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// S3 and most load balancers close a silent connection after 20 to 60 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 32;

/// Two pools: servers that a proxy could not reach, or must never see, are asked directly.
pub struct Network {
    direct: reqwest::Client,
    /// Through a proxy, unless it is told to spare the server.
    proxied: reqwest::Client,
    proxies: Proxies,
    /// By authority, and so never more than the destinations have.
    places: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to read the certificate authorities")]
    Certificates(#[source] Box<dyn Error + Send + Sync>),
    #[error("found no certificate in the certificate authorities' file")]
    NoCertificate,
    #[error("failed to read the client certificate and its key")]
    Identity(#[source] Box<dyn Error + Send + Sync>),
    #[error("the key is not that of the client certificate")]
    KeyOfAnother,
    #[error("failed to set up the proxy")]
    Proxy(#[source] reqwest::Error),
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

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
        let direct = client().no_proxy().build().map_err(OpenError::Client)?;
        let mut proxied = client().no_proxy();
        for proxy in proxies(&settings.proxies)? {
            proxied = proxied.proxy(proxy);
        }
        Ok(Network {
            direct,
            proxied: proxied.build().map_err(OpenError::Client)?,
            proxies: settings.proxies.clone(),
            places: Mutex::default(),
        })
    }

    fn places(&self, authority: &str) -> Arc<Semaphore> {
        let mut places = self.places.lock().expect("nobody panics with this lock");
        if let Some(known) = places.get(authority) {
            return Arc::clone(known);
        }
        let new = Arc::new(Semaphore::new(limits::REQUESTS_PER_SERVER_MAX));
        places.insert(authority.to_owned(), Arc::clone(&new));
        new
    }

    async fn exchange(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> Result<Response<Bytes>, SendError> {
        let authority = request.uri().authority().map(ToString::to_string);
        let authority = authority.unwrap_or_default();
        let client = match self.proxies.spare(request.uri()) {
            true => &self.direct,
            false => &self.proxied,
        };
        let place = self.places(&authority).acquire_owned().await;
        let _place = place.expect("never closed");
        let sent = async {
            let request = reqwest::Request::try_from(outgoing(request))?;
            let mut answer = client.execute(request).await?;
            // A body that grows would be there twice each time that it moves.
            let told = answer
                .content_length()
                .and_then(|it| usize::try_from(it).ok());
            let told = told.map_or(0, |told| told.min(limits.answer_bytes_max));
            let mut body = BytesMut::with_capacity(told);
            while let Some(chunk) = answer.chunk().await? {
                if limits.answer_bytes_max < body.len() + chunk.len() {
                    return Err(AnswerTooLong(limits.answer_bytes_max).into());
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            *response.extensions_mut() = std::mem::take(answer.extensions_mut());
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

fn proxies(proxies: &Proxies) -> Result<Vec<reqwest::Proxy>, OpenError> {
    let except = || reqwest::NoProxy::from_string(&proxies.except);
    let mut all = Vec::new();
    if let Some(url) = &proxies.http {
        let proxy = reqwest::Proxy::http(&*url.reveal()).map_err(OpenError::Proxy)?;
        all.push(proxy.no_proxy(except()));
    }
    if let Some(url) = &proxies.https {
        let proxy = reqwest::Proxy::https(&*url.reveal()).map_err(OpenError::Proxy)?;
        all.push(proxy.no_proxy(except()));
    }
    Ok(all)
}

fn tls(settings: &Settings) -> Result<ClientConfig, OpenError> {
    let mut roots = RootCertStore::empty();
    // A machine without any is fine as long as nobody speaks TLS, or `ca_pem` names its own.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = &settings.ca_pem {
        certificates::add_authorities(&mut roots, pem)?;
    }
    // Given by hand, so that nothing rests on a provider installed for the whole process.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(OpenError::Tls)?
        .with_root_certificates(roots);
    let mut config = match &settings.identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = certificates::certificate_and_key(identity)?;
            let config = config.with_client_auth_cert(chain, key);
            config.map_err(|cause| OpenError::Identity(cause.into()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
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

/// In words, for what the library says of it is the name of one of its types.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is that of an authority (CA:TRUE), which cannot be a server's as well")]
struct AuthorityShown(#[source] Arc<dyn Error + Send + Sync>);

fn classified(authority: String, cause: Box<dyn Error + Send + Sync>) -> SendError {
    let by_reqwest = cause.downcast_ref::<reqwest::Error>();
    let connecting = by_reqwest.is_some_and(reqwest::Error::is_connect);
    // A URL may hold a token, errors end in logs, and the authority is told anyway.
    let cause: Arc<dyn Error + Send + Sync> = match cause.downcast::<reqwest::Error>() {
        Ok(by_reqwest) => Arc::new(by_reqwest.without_url()),
        Err(other) => Arc::from(other),
    };
    if connecting && is_of_authority(cause.as_ref()) {
        let cause = Arc::new(AuthorityShown(cause));
        SendError::Connect { authority, cause }
    } else if connecting {
        SendError::Connect { authority, cause }
    } else {
        SendError::Broken { authority, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_authorities_must_be_certificates() {
        let open = |pem: &str| {
            let ca_pem = Some(pem.as_bytes().to_vec());
            let settings = Settings {
                ca_pem,
                ..Settings::default()
            };
            Network::open(&settings).err().map(|it| it.to_string())
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
