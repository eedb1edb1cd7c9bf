//! Events of the put stage: connections and requests.
//!
//! Whatever a single client can cause stays at `debug`, or is told once a minute: it must not be able
//! to flood the log.

use std::error::Error;
use std::io;

use tracing::{debug, warn};
use uuid::Uuid;

use crate::telemetry::metrics::PutRequest;
use crate::telemetry::{Chain, Metrics, Say};

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

/// A request that was not done.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    pub operation: &'static str,
    /// The exception's name.
    pub answer: &'static str,
    pub message: &'a str,
    /// As the client was told it, in `x-amzn-requestid`.
    pub request_id: Uuid,
}

/// So much of a message is told: some repeat what the client sent.
const MESSAGE_CHARACTERS_MAX: usize = 300;

pub fn refused(refused: Refused<'_>, say: Say) {
    let Refused {
        operation,
        answer,
        request_id,
        ..
    } = refused;
    // What follows a blank line is for whoever sent it: what they should have signed.
    let (message, _) = refused
        .message
        .split_once("\n\n")
        .unwrap_or((refused.message, ""));
    let message = message.chars().take(MESSAGE_CHARACTERS_MAX);
    let error: String = message.flat_map(char::escape_debug).collect();
    match say {
        Say::Aloud { kept_back } => warn!(
            operation, answer, %error, %request_id, kept_back,
            "a producer is refused for what it says of itself"
        ),
        Say::Quietly => debug!(operation, answer, %error, %request_id, "a request was refused"),
    }
}

/// B6: whether the records are there is known after a restart only. The log has said aloud why it
/// could not be written; on a dead disk this happens with every put.
pub fn append_failed(stream: &str, cause: &(dyn Error + 'static)) {
    debug!(stream, error = %Chain(cause), "records could not be stored");
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::sync::Arc;

    use tracing::Level;

    use super::*;

    /// What `events` write into a log at `info`.
    fn told(events: impl FnOnce()) -> String {
        let mut log = tempfile::tempfile().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .with_ansi(false)
            .without_time()
            .with_writer(Arc::new(log.try_clone().unwrap()))
            .finish();
        tracing::subscriber::with_default(subscriber, events);
        let mut text = String::new();
        log.rewind().unwrap();
        log.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn puts_on_a_dead_disk_do_not_flood_the_log() {
        let told = told(|| {
            append_failed("clicks", &io::Error::other("the log could not be written"));
        });
        assert_eq!(told, "");
    }

    #[test]
    fn a_stranger_is_told_of_with_the_id_that_it_was_answered_and_in_one_short_line() {
        let told = told(|| {
            let message = format!("The token\nis wrong. {}", "x".repeat(5_000));
            let request = Refused {
                operation: "records",
                answer: "UnrecognizedClientException",
                message: &message,
                request_id: Uuid::from_u128(7),
            };
            refused(request, Say::Aloud { kept_back: 3 });
            refused(request, Say::Quietly);
        });
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.len() < 700, "{told}");
        for part in [
            "WARN",
            "UnrecognizedClientException",
            r"The token\nis wrong.",
            "request_id=00000000-0000-0000-0000-000000000007",
            "kept_back=3",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
