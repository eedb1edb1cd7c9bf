//! What is counted and measured: the families and their labels. `table` names and explains them.
//!
//! A new family is a field here, a row there, and a line in `happened` that counts.

mod table;

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use table::Row;

/// Cheap to clone: every family is shared.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    // daemon
    pub start_time: Gauge<f64, AtomicU64>,
    pub task_panics: Counter,
    // source/direct_put
    pub put_requests: Family<PutRequest, Counter>,
    // buffer: C1
    conservation: Conservation,
    pub backup_records: Family<Stream, Gauge>,
    pub oldest_record_age: Family<Stream, Gauge<f64, AtomicU64>>,
    // buffer: the log
    pub log_syncs: Counter,
    pub log_sync_failures: Counter,
    pub log_written_bytes: Counter,
    pub log_segments: Family<Segments, Gauge>,
    pub log_full: Gauge,
    pub log_failed: Gauge,
    pub log_damaged_frames: Counter,
    // transform
    pub invocations: Family<Transformed, Counter>,
    pub invocation_seconds: Family<Stream, Counter<f64, AtomicU64>>,
    pub invocations_in_flight: Family<Stream, Gauge>,
    pub transformed_records: Family<Transformed, Counter>,
    // pipeline
    pub flushes: Family<Flush, Counter>,
    pub deliveries_in_flight: Family<Delivered, Gauge>,
    pub delivery_attempts: Family<Attempt, Counter>,
    pub delivery_stuck: Family<Stream, Gauge<f64, AtomicU64>>,
    pub delivered_objects: Family<Delivered, Counter>,
    pub delivered_object_bytes: Family<Delivered, Counter>,
    pub failed_objects: Family<Failed, Counter>,
    pub failed_object_records: Family<Failed, Counter>,
}

/// What became of every record that was ever accepted, across restarts.
///
/// Nobody counts here. The log keeps the totals (they are in its snapshots), and `conserve` copies
/// them when somebody asks for the page: a second count beside the log's would start at zero with
/// each life and drift from it after each crash.
#[derive(Clone, Debug, Default)]
struct Conservation {
    accepted_records: Family<Stream, Counter>,
    accepted_bytes: Family<Stream, Counter>,
    delivered_records: Family<Stream, Counter>,
    failed_records: Family<Stream, Counter>,
    dropped_records: Family<Stream, Counter>,
    expired_records: Family<Stream, Counter>,
    quarantined_records: Family<Stream, Counter>,
    buffered_records: Family<Stream, Gauge>,
    buffered_bytes: Family<Stream, Gauge>,
}

/// One stream's totals, taken from the log in one look, so that C1 holds on every page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub accepted_records: u64,
    pub accepted_bytes: u64,
    pub delivered_records: u64,
    pub failed_records: u64,
    pub dropped_records: u64,
    pub expired_records: u64,
    pub quarantined_records: u64,
    pub buffered_records: u64,
    pub buffered_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Stream {
    pub stream: String,
}

impl Stream {
    pub fn named(stream: impl ToString) -> Stream {
        Stream {
            stream: stream.to_string(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PutRequest {
    pub operation: &'static str,
    /// `ok`, or the exception's name.
    pub answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Flush {
    pub stream: String,
    pub to: &'static str,
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Attempt {
    pub stream: String,
    pub to: &'static str,
    /// `ok`, or the error code, such as `S3.AccessDenied`.
    pub result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Delivered {
    pub stream: String,
    /// `destination` or `source_backup`.
    pub to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Failed {
    pub stream: String,
    /// Firehose's error output type.
    pub error_output: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Transformed {
    pub stream: String,
    /// `ok`, `dropped`, or the error code, such as `Lambda.FunctionError`.
    pub result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Segments {
    pub state: &'static str,
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("standpipe");
        for row in self.table() {
            registry.register(row.name, row.help, row);
        }
    }

    /// Shows the log's totals of one stream.
    pub fn conserve(&self, stream: &Stream, totals: &Totals) {
        let to = &self.conservation;
        for (family, total) in [
            (&to.accepted_records, totals.accepted_records),
            (&to.accepted_bytes, totals.accepted_bytes),
            (&to.delivered_records, totals.delivered_records),
            (&to.failed_records, totals.failed_records),
            (&to.dropped_records, totals.dropped_records),
            (&to.expired_records, totals.expired_records),
            (&to.quarantined_records, totals.quarantined_records),
        ] {
            let counter = family.get_or_create(stream);
            counter.inner().store(total, Ordering::Relaxed);
        }
        for (family, total) in [
            (&to.buffered_records, totals.buffered_records),
            (&to.buffered_bytes, totals.buffered_bytes),
        ] {
            let level = i64::try_from(total).unwrap_or(i64::MAX);
            family.get_or_create(stream).set(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn totals_are_the_logs_own_however_often_they_are_shown() {
        let metrics = Metrics::default();
        let totals = Totals {
            accepted_records: 7,
            delivered_records: 4,
            buffered_records: 3,
            ..Totals::default()
        };
        metrics.conserve(&Stream::named("clicks"), &totals);
        metrics.conserve(&Stream::named("clicks"), &totals);

        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        let shown: Vec<_> = page
            .lines()
            .filter(|line| line.contains("_records") && line.contains("clicks"))
            .collect();
        expect![[r#"
            standpipe_accepted_records_total{stream="clicks"} 7
            standpipe_delivered_records_total{stream="clicks"} 4
            standpipe_failed_records_total{stream="clicks"} 0
            standpipe_dropped_records_total{stream="clicks"} 0
            standpipe_expired_records_total{stream="clicks"} 0
            standpipe_quarantined_records_total{stream="clicks"} 0
            standpipe_buffered_records{stream="clicks"} 3"#]]
        .assert_eq(&shown.join("\n"));
    }
}
