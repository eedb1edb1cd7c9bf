//! The one door for outbound requests: one pool, one TLS set-up, one place for private CAs and
//! proxies. Tests hold every byte that leaves the process.
//!
//! Nothing here retries: `retry` is the only arithmetic.

mod network;
mod retry_after;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{Request, Response};

pub use network::{Network, OpenError};
pub use retry_after::retry_after;

/// What requests share that go to one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Certificate authorities beside the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
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

impl SendError {
    /// Whether there was no connection because the other side's certificate is not trusted: waiting
    /// will not help then.
    pub fn is_untrusted(&self) -> bool {
        match self {
            SendError::Connect { cause, .. } => network::is_untrusted(cause.as_ref()),
            SendError::TimedOut { .. } | SendError::Broken { .. } => false,
        }
    }
}

/// Gives a client with these settings.
pub type Open = dyn Fn(&Settings) -> Result<Arc<dyn HttpClient>, OpenError> + Send + Sync;

pub trait HttpClient: Send + Sync {
    /// One request, one answer, its body whole (all answers that we read are small; a larger one
    /// than `answer_bytes_max` is `Broken`).
    fn send(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>>;
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte sent to the last received.
    pub timeout: Duration,
    pub answer_bytes_max: usize,
}
