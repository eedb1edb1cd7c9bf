//! Events of the put stage: connections and requests.
//!
//! Whatever a single client can cause stays at `debug`: it must not be able to flood the log.

use std::error::Error;
use std::io;

use tracing::{debug, warn};

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

/// B6: whether the records are there is known after a restart only. The log has said aloud why it
/// could not be written; on a dead disk this happens with every put.
pub fn append_failed(stream: &str, cause: &(dyn Error + 'static)) {
    debug!(stream, error = %Chain(cause), "records could not be stored");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::Level;

    use super::*;

    #[test]
    fn puts_on_a_dead_disk_do_not_flood_the_log() {
        let log = Arc::new(tempfile::tempfile().unwrap());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .with_writer(Arc::clone(&log))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            append_failed("clicks", &io::Error::other("the log could not be written"));
        });
        assert_eq!(log.metadata().unwrap().len(), 0);
    }
}
