//! The one door for outbound requests: one pool, one TLS set-up, one place for private CAs, client
//! certificates, proxies, deadlines and how many requests a server gets at once. Tests hold every byte that leaves the process.
//!
//! Nothing here retries: `retry` is the only arithmetic.

mod certificates;
mod network;
mod proxy;
mod retry_after;
mod trouble;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{Request, Response};

use crate::model::Secret;

pub use certificates::check_authorities;
pub use network::{Network, OpenError};
pub use proxy::Proxies;
pub use retry_after::{asked_to_wait, retry_after};
pub use trouble::Trouble;

/// What requests share that go to one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Certificate authorities beside the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Whom we say we are, where TLS asks.
    pub identity: Option<ClientIdentity>,
    pub proxies: Proxies,
}

/// A certificate (with those between it and its authority) and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    pub certificate_pem: Vec<u8>,
    pub key_pem: Secret,
}

/// Where a server is: scheme and host, and a port perhaps, with no path.
pub fn server(text: &str) -> Option<http::Uri> {
    let uri: http::Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_path = !matches!(uri.path(), "" | "/") || uri.query().is_some();
    (is_web && !has_path && has_possible_port(&uri)).then_some(uri)
}

/// `Uri` takes ports that no server can have.
pub fn has_possible_port(uri: &http::Uri) -> bool {
    let Some(authority) = uri.authority() else {
        return true;
    };
    let text = authority.as_str();
    let host_and_port = text.rsplit_once('@').map_or(text, |(_, behind)| behind);
    match host_and_port.strip_prefix(authority.host()) {
        None | Some("" | ":") => true,
        Some(port) => port[1..].parse::<u16>().is_ok_and(|port| port != 0),
    }
}

/// What is sent: whole, or streamed with a known length.
pub enum Outgoing {
    Whole(Bytes),
    Streamed {
        bytes: u64,
        chunks: BoxStream<'static, Result<Bytes, StreamError>>,
    },
}

/// Why a streamed body broke off on our side.
pub type StreamError = Box<dyn Error + Send + Sync>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    #[error("failed to connect to `{authority}`")]
    Connect {
        authority: String,
        #[source]
        cause: Arc<dyn Error + Send + Sync>,
    },
    #[error("no answer from `{authority}` within {}", humantime::format_duration(*after))]
    TimedOut { authority: String, after: Duration },
    #[error("the request to `{authority}` broke off")]
    Broken {
        authority: String,
        #[source]
        cause: Arc<dyn Error + Send + Sync>,
    },
}

/// What breaks off an answer that is longer than `Limits::answer_bytes_max`.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {0} bytes")]
pub struct AnswerTooLong(pub usize);

/// Gives a client with these settings.
pub type Open = dyn Fn(&Settings) -> Result<Arc<dyn HttpClient>, OpenError> + Send + Sync;

pub trait HttpClient: Send + Sync {
    /// One request, one answer, its body whole (all answers that we read are small; a larger one
    /// than `answer_bytes_max` is `Broken`). An unusual reason phrase is among its extensions, as
    /// `hyper::ext::ReasonPhrase`.
    fn send(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>>;
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte sent to the last received. Waiting for others to the same server to end
    /// does not count.
    pub timeout: Duration,
    pub answer_bytes_max: usize,
}
