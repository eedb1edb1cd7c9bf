//! Events of the put stage: connections and requests.
//!
//! Whatever a single client can cause stays at `debug`: it must not be able to flood the log.

use std::error::Error;
use std::io;

use tracing::{debug, error, warn};

use crate::telemetry::metrics::PutRequest;
use crate::telemetry::{Chain, Metrics};

pub fn accept_failed(error: &io::Error) {
    warn!(error = %Chain(error), "failed to accept a connection");
}

pub fn handshake_failed(error: &io::Error) {
    debug!(error = %Chain(error), "a TLS handshake failed");
}

pub fn connection_failed(error: &(dyn Error + 'static)) {
    debug!(error = %Chain(error), "a connection broke");
}

/// `answer` is `ok`, or the exception's name.
pub fn request_answered(metrics: &Metrics, operation: &'static str, answer: &'static str) {
    let request = PutRequest { operation, answer };
    metrics.put_requests.get_or_create(&request).inc();
    debug!(operation, answer, "a request was answered");
}

/// B6: whether the records are there is known after a restart only.
pub fn append_failed(stream: &str, cause: &(dyn Error + 'static)) {
    error!(stream, error = %Chain(cause), "records could not be stored");
}
