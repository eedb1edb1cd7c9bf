//! Events of the delivery stage: a batch is cut, tried, and comes to rest.

use std::error::Error;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tracing::{debug, error, info, warn};

use super::seconds;
use crate::model::{SeqRange, StreamName};
use crate::telemetry::metrics::{Attempt, Delivered, Failed, Flush};
use crate::telemetry::{Chain, Metrics, Say};

/// Which batch an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub stream: &'a StreamName,
    /// `destination`, or `source_backup`.
    pub to: &'static str,
    pub range: SeqRange,
    pub records: u64,
    /// Before compression.
    pub bytes: u64,
}

impl Batch<'_> {
    fn labels(&self) -> Delivered {
        Delivered {
            stream: self.stream.to_string(),
            to: self.to,
        }
    }
}

/// Counters that a stream will certainly use begin at nothing, so that Prometheus' `increase` sees
/// their first event. The codes of errors are known only when they come.
pub fn ready(metrics: &Metrics, stream: &StreamName, to: &'static str, reasons: &[&'static str]) {
    let stream = stream.to_string();
    for &reason in reasons {
        let stream = stream.clone();
        let flush = Flush { stream, to, reason };
        metrics.flushes.get_or_create(&flush).inc_by(0);
    }
    let attempt = Attempt {
        stream: stream.clone(),
        to,
        result: "ok".to_owned(),
    };
    metrics.delivery_attempts.get_or_create(&attempt).inc_by(0);
    let labels = Delivered { stream, to };
    metrics
        .deliveries_in_flight
        .get_or_create(&labels)
        .inc_by(0);
    metrics.delivered_objects.get_or_create(&labels).inc_by(0);
    let bytes_put = metrics.delivered_object_bytes.get_or_create(&labels);
    bytes_put.inc_by(0);
}

pub fn cut(metrics: &Metrics, batch: Batch<'_>, reason: &'static str) {
    let flush = Flush {
        stream: batch.stream.to_string(),
        to: batch.to,
        reason,
    };
    metrics.flushes.get_or_create(&flush).inc();
    debug!(
        stream = %batch.stream, to = batch.to, range = %batch.range, records = batch.records, bytes = batch.bytes,
        reason, "batch is cut"
    );
}

/// Cuts that an earlier life left open, which are now delivered under the names they have.
pub fn resumed(stream: &StreamName, open_cuts: usize) {
    info!(%stream, batches = open_cuts, "batches of an earlier life are delivered first");
}

/// The stream has another destination than this open cut was made for, which is planned again: what
/// is left of it goes there. Told once, as it is durable.
pub fn moved(batch: Batch<'_>, from: &str, to: &str, left: u64) {
    warn!(
        stream = %batch.stream, range = %batch.range, records = left, from, to,
        "batch was cut for another destination; what is left of it goes to the one of today"
    );
}

/// The batch stays in the log, for a life that can read what was planned for it.
pub fn unplanned(metrics: &Metrics, batch: Batch<'_>, code: &str, error: &(dyn Error + 'static)) {
    count_attempt(metrics, batch, code);
    error!(
        stream = %batch.stream, range = %batch.range, records = batch.records, code,
        error = %Chain(error),
        "batch cannot be delivered by this Standpipe and stays in the log; others go on"
    );
}

/// Counts a batch as in flight for as long as it is held.
#[must_use]
#[derive(Debug)]
pub struct InFlight(Gauge);

pub fn began(metrics: &Metrics, batch: Batch<'_>) -> InFlight {
    let in_flight = metrics
        .deliveries_in_flight
        .get_or_create_owned(&batch.labels());
    in_flight.inc();
    InFlight(in_flight)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How a delivery succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Success<'a> {
    /// The object's key.
    pub object: &'a str,
    /// As stored, after compression.
    pub object_bytes: u64,
    /// 1 for the first.
    pub attempt: u32,
    /// Of this attempt.
    pub took: Duration,
}

pub fn delivered(metrics: &Metrics, batch: Batch<'_>, success: Success<'_>) {
    count_attempt(metrics, batch, "ok");
    let labels = batch.labels();
    metrics.delivered_objects.get_or_create(&labels).inc();
    let bytes_put = metrics.delivered_object_bytes.get_or_create(&labels);
    bytes_put.inc_by(success.object_bytes);
    info!(
        stream = %batch.stream, to = batch.to, range = %batch.range, records = batch.records, bytes = batch.bytes,
        object = success.object, object_bytes = success.object_bytes, attempt = success.attempt,
        took = seconds(success.took), "batch is delivered"
    );
}

/// How a delivery was refused. The data is held and tried again (D4).
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// From a short list: `S3.AccessDenied`.
    pub code: &'a str,
    pub error: &'a (dyn Error + 'static),
    /// Whether waiting alone will not help.
    pub needs_operator: bool,
    pub attempt: u32,
    pub next_try_in: Duration,
    pub then: Then,
}

/// What becomes of records that are refused for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They wait.
    Kept,
    /// They go to the failed output.
    GivenUp,
}

/// Each refusal is counted; `say` is the word of `pipeline::progress`, so that the same one is told
/// once a minute.
pub fn refused(metrics: &Metrics, batch: Batch<'_>, failure: Failure<'_>, say: Say) {
    count_attempt(metrics, batch, failure.code);
    let Batch { stream, range, .. } = batch;
    let Failure { code, attempt, .. } = failure;
    let next_try_in = seconds(failure.next_try_in);
    let error = Chain(failure.error);
    match (say, failure.needs_operator, failure.then) {
        (Say::Aloud { kept_back }, true, Then::Kept) => error!(
            %stream, %range, attempt, code, %error, next_try_in, kept_back,
            "delivery is refused and will be until someone acts; the records are kept"
        ),
        (Say::Aloud { kept_back }, true, Then::GivenUp) => error!(
            %stream, %range, attempt, code, %error, next_try_in, kept_back,
            "delivery is refused and will be until someone acts; after the retry duration the \
             records go to the failed output"
        ),
        (Say::Aloud { kept_back }, false, Then::Kept) => warn!(
            %stream, %range, attempt, code, %error, next_try_in, kept_back,
            "delivery failed and is tried again; the records are kept"
        ),
        (Say::Aloud { kept_back }, false, Then::GivenUp) => warn!(
            %stream, %range, attempt, code, %error, next_try_in, kept_back,
            "delivery failed and is tried again, for the retry duration"
        ),
        (Say::Quietly, _, _) => {
            debug!(%stream, %range, attempt, code, %error, next_try_in, "delivery failed again");
        }
    }
}

/// Records that a sink would not take, and how often it was asked.
#[derive(Clone, Copy, Debug)]
pub struct GivenUp<'a> {
    pub batch: Batch<'a>,
    pub code: &'a str,
    /// Not the failed output's message, which may hold an echo of the records: their bytes are in no log
    /// line.
    pub reason: &'a str,
    pub attempts: u32,
    pub error_output: &'static str,
}

/// They go to the failed output. Each is counted; the log hears of as many as `say` allows.
pub fn given_up(metrics: &Metrics, given_up: GivenUp<'_>, say: Say) {
    count_attempt(metrics, given_up.batch, given_up.code);
    let Batch {
        stream,
        range,
        records,
        ..
    } = given_up.batch;
    let GivenUp {
        code,
        reason,
        attempts,
        error_output,
        ..
    } = given_up;
    match say {
        Say::Aloud { kept_back } => error!(
            %stream, %range, records, code, reason, attempts, error_output, kept_back,
            "records are not taken; they go to the failed output"
        ),
        Say::Quietly => debug!(
            %stream, %range, records, code, reason, attempts, error_output,
            "more records are not taken"
        ),
    }
}

/// An object in the failed output.
#[derive(Clone, Copy, Debug)]
pub struct Filed<'a> {
    pub stream: &'a StreamName,
    pub range: SeqRange,
    pub records: u64,
    pub error_output: &'static str,
    pub object: &'a str,
    pub took: Duration,
}

pub fn filed(metrics: &Metrics, filed: Filed<'_>) {
    let labels = Failed {
        stream: filed.stream.to_string(),
        error_output: filed.error_output,
    };
    metrics.failed_objects.get_or_create(&labels).inc();
    metrics
        .failed_object_records
        .get_or_create(&labels)
        .inc_by(filed.records);
    warn!(
        stream = %filed.stream, range = %filed.range, records = filed.records,
        error_output = filed.error_output, object = filed.object, took = seconds(filed.took),
        "records are in the failed output"
    );
}

/// Deliveries of a stream that was refused succeed again.
pub fn recovered(stream: &StreamName, stuck_for: Duration) {
    info!(%stream, took = seconds(stuck_for), "delivery works again");
}

/// B5: the delivery met damage; the batch is delivered without these records.
pub fn damaged(stream: &StreamName, range: SeqRange) {
    error!(%stream, %range, "records are damaged: they are quarantined, the rest is delivered");
}

/// The log did not take a cut or a settlement; the very same is tried again. The same is told once a
/// minute.
pub fn not_logged(batch: Batch<'_>, what: &str, error: &(dyn Error + 'static), say: Say) {
    let Batch { stream, range, .. } = batch;
    let error = Chain(error);
    match say {
        Say::Aloud { kept_back } => warn!(
            %stream, %range, %error, kept_back, "the log did not take the {what}; it is tried again"
        ),
        Say::Quietly => debug!(%stream, %range, %error, "the log did not take the {what} again"),
    }
}

/// A transformer's answers, which found no room in the log, are durable.
pub fn logged_again(stream: &StreamName, stuck_for: Duration) {
    info!(%stream, took = seconds(stuck_for), "the log takes the transformer's answers again");
}

/// The disk does not give back what it was given; it is asked again. The same is told once a minute.
pub fn unreadable(stream: &StreamName, error: &(dyn Error + 'static), say: Say) {
    let error = Chain(error);
    match say {
        Say::Aloud { kept_back } => error!(
            %stream, %error, kept_back, "records cannot be read from the log; they are tried again"
        ),
        Say::Quietly => debug!(%stream, %error, "records cannot be read from the log, again"),
    }
}

/// Leftovers of earlier lives could not be removed. They cost space and harm nobody.
pub fn leftovers_stay(stream: &StreamName, error: &(dyn Error + 'static)) {
    warn!(%stream, error = %Chain(error), "leftovers of an earlier life could not be removed");
}

/// What failed uploads left in a bucket could not be removed. The object does not wait for it.
pub fn parts_stay(error: &(dyn Error + 'static)) {
    warn!(
        error = %Chain(error),
        "parts of an upload that failed could not be removed; they cost space in the bucket"
    );
}

fn count_attempt(metrics: &Metrics, batch: Batch<'_>, result: &str) {
    let attempt = Attempt {
        stream: batch.stream.to_string(),
        to: batch.to,
        result: result.to_owned(),
    };
    metrics.delivery_attempts.get_or_create(&attempt).inc();
}
