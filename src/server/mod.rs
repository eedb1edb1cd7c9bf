//! The listening side: sockets, TLS, limits, and who is asking.
//!
//! A [`Listener`] is bound early, so that a taken port is an error before anything else starts, and
//! served later. What it serves is a [`Service`]: from one request to one answer. A service never
//! sees a socket, so tests call it directly.
//!
//! A service that wants a request's body reads it with [`body::read`], which takes what arrives from a
//! [`Budget`], and asks [`Producers`] who sent it.

pub mod body;
mod deadline;
mod listener;
mod producers;
mod pulse;
pub mod sigv4;
mod tls;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

pub use body::Budget;
pub use listener::{BindError, Listener};
pub use producers::{Caller, Identity, Producer, Producers, StreamPattern};
pub use pulse::Pulse;
pub use tls::TlsError;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<TlsFiles>,
}

/// Read when the listener is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

/// What a client still has to send. Reading it is up to the service.
pub type Incoming = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;
pub type Request = http::Request<Incoming>;
pub type Response = http::Response<Full<Bytes>>;

/// Answers requests. Whatever goes wrong is an answer as well.
pub trait Service: Send + Sync + 'static {
    fn call(&self, request: Request) -> BoxFuture<'_, Response>;
}

/// A body that is already here.
pub fn incoming(bytes: impl Into<Bytes>) -> Incoming {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
