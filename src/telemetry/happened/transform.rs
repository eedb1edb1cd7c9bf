//! Events of the transform stage: a function is invoked, and answers or does not.
//!
//! What a function says of itself is never told here: it may hold bytes of a record.

use std::error::Error;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tracing::{debug, error, warn};

use super::seconds;
use crate::model::StreamName;
use crate::telemetry::metrics::{Stream, Transformed};
use crate::telemetry::{Chain, Metrics, Say};

/// Counts an invocation as under way for as long as it is held.
#[must_use]
#[derive(Debug)]
pub struct InFlight(Gauge);

pub fn began(metrics: &Metrics, stream: &StreamName) -> InFlight {
    let in_flight = metrics
        .invocations_in_flight
        .get_or_create_owned(&Stream::named(stream));
    in_flight.inc();
    InFlight(in_flight)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Which request an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    pub stream: &'a StreamName,
    pub function: &'a str,
    pub records: usize,
    /// 1 for the first.
    pub attempt: u32,
    /// Of this attempt.
    pub took: Duration,
}

pub fn answered(metrics: &Metrics, invocation: Invocation<'_>) {
    count(metrics, &invocation, "ok");
    let Invocation {
        stream,
        records,
        attempt,
        took,
        ..
    } = invocation;
    debug!(%stream, records, attempt, took = seconds(took), "the transformer answered");
}

/// What comes of an attempt that brought no answer.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    TriedAgainIn(Duration),
    /// Fewer records are shown at once.
    Halved,
    /// The records are failed.
    GivenUp,
}

#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// From a short list: `Lambda.InvokeAccessDenied`.
    pub code: &'static str,
    pub error: &'a (dyn Error + 'static),
    /// Whether waiting alone will not help.
    pub needs_operator: bool,
    pub next: Next,
}

/// Each failure is counted; the same one is told once a minute.
pub fn failed(metrics: &Metrics, invocation: Invocation<'_>, failure: Failure<'_>, say: Say) {
    count(metrics, &invocation, failure.code);
    let Invocation {
        stream,
        function,
        records,
        attempt,
        ..
    } = invocation;
    let (code, error) = (failure.code, Chain(failure.error));
    let took = seconds(invocation.took);
    let Say::Aloud { kept_back } = say else {
        debug!(%stream, function, records, attempt, took, code, %error, "the transformer failed");
        return;
    };
    match failure.next {
        Next::Halved => debug!(
            %stream, function, records, took, code, %error,
            "too much for the transformer at once; half as many records are tried"
        ),
        Next::TriedAgainIn(pause) => warn!(
            %stream, function, records, attempt, took, code, %error, next_try_in = seconds(pause),
            kept_back, "the transformer failed and is tried again"
        ),
        Next::GivenUp if failure.needs_operator => error!(
            %stream, function, records, attempt, took, code, %error, kept_back,
            "the transformer fails and will until someone acts; its records are failed"
        ),
        Next::GivenUp => warn!(
            %stream, function, records, attempt, took, code, %error, kept_back,
            "the transformer failed for good; its records are failed"
        ),
    }
}

/// Some records came to the same end: `ok`, `dropped`, or an error code.
pub fn transformed(metrics: &Metrics, stream: &StreamName, result: &str, records: u64) {
    let labels = Transformed {
        stream: stream.to_string(),
        result: result.to_owned(),
    };
    let counter = metrics.transformed_records.get_or_create(&labels);
    counter.inc_by(records);
}

/// The transformer broke its contract for some records. The same is told once a minute.
pub fn contract_broken(stream: &StreamName, code: &'static str, records: u64, say: Say) {
    match say {
        Say::Aloud { kept_back } => warn!(
            %stream, code, records, kept_back, "the transformer's answer is wrong for some records"
        ),
        Say::Quietly => debug!(%stream, code, records, "the transformer's answer is wrong again"),
    }
}

/// The log has moved on under invocations: what has no answer is read anew.
pub fn looked_again(stream: &StreamName) {
    warn!(%stream, "the log moved on under the transformer; what has no answer is read again");
}

fn count(metrics: &Metrics, invocation: &Invocation<'_>, result: &str) {
    let labels = Transformed {
        stream: invocation.stream.to_string(),
        result: result.to_owned(),
    };
    metrics.invocations.get_or_create(&labels).inc();
    let stream = Stream::named(invocation.stream);
    let time = metrics.invocation_seconds.get_or_create(&stream);
    time.inc_by(invocation.took.as_secs_f64());
}
