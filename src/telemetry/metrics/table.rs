//! Every metric family, in one table. Names are an interface: `tests/admin.rs` and
//! `docs/metrics.md` hold them.
//!
//! All start with `standpipe_`: the registry adds the prefix, and `_total` to counters.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Metric;

use super::{Conservation, Metrics};

impl Metrics {
    /// Every family in the order of the page: what `docs/metrics.md` and `/metrics` both show.
    pub fn table(&self) -> Vec<Row> {
        let mut table = Vec::from(self.of_daemon_and_puts());
        table.extend(self.conservation.rows());
        table.extend(self.of_the_log());
        table.extend(self.of_transformers());
        table.extend(self.of_delivery());
        table
    }

    fn of_daemon_and_puts(&self) -> [Row; 4] {
        [
            Row::new(
                "build",
                "version",
                "Which Standpipe this is",
                Info::new([("version", env!("CARGO_PKG_VERSION"))]),
            ),
            Row::new(
                "start_time_seconds",
                "",
                "When this life began, in seconds since 1970",
                self.start_time.clone(),
            ),
            Row::new(
                "task_panics",
                "",
                "Tasks that panicked, each of which starts the drain: a bug",
                self.task_panics.clone(),
            ),
            Row::new(
                "put_requests",
                "operation, answer",
                "Requests of producers, by what was answered: ok or the exception",
                self.put_requests.clone(),
            ),
        ]
    }

    fn of_the_log(&self) -> [Row; 9] {
        [
            Row::new(
                "backup_buffered_records",
                "stream",
                "Records of which the source backup has no copy yet, where there is or was one",
                self.backup_records.clone(),
            ),
            Row::new(
                "oldest_record_age_seconds",
                "stream",
                "Age of the oldest record that is not at rest; 0 when all are",
                self.oldest_record_age.clone(),
            ),
            Row::new(
                "log_syncs",
                "",
                "Group commits that became durable",
                self.log_syncs.clone(),
            ),
            Row::new(
                "log_sync_failures",
                "",
                "Syncs that failed: the log goes on elsewhere once, then intake stops",
                self.log_sync_failures.clone(),
            ),
            Row::new(
                "log_written_bytes",
                "",
                "Bytes written to the log, with headers and padding",
                self.log_written_bytes.clone(),
            ),
            Row::new(
                "log_segments",
                "state",
                "Segment files of the log, by state: used or free",
                self.log_segments.clone(),
            ),
            Row::new(
                "log_full",
                "",
                "1 while the log is full and puts are refused, else 0",
                self.log_full.clone(),
            ),
            Row::new(
                "log_failed",
                "",
                "1 when the disk failed twice and intake stopped, else 0",
                self.log_failed.clone(),
            ),
            Row::new(
                "log_damaged_frames",
                "",
                "Frames that could not be read back and were copied to quarantine",
                self.log_damaged_frames.clone(),
            ),
        ]
    }

    fn of_transformers(&self) -> [Row; 4] {
        [
            Row::new(
                "invocations",
                "stream, result",
                "Invocations of the transformer, by result: ok or the error code",
                self.invocations.clone(),
            ),
            Row::new(
                "invocation_seconds",
                "stream",
                "Time that invocations took, added up",
                self.invocation_seconds.clone(),
            ),
            Row::new(
                "invocations_in_flight",
                "stream",
                "Invocations that are under way or wait to be tried again",
                self.invocations_in_flight.clone(),
            ),
            Row::new(
                "transformed_records",
                "stream, result",
                "Records that the transformer answered or failed: ok, dropped or the error code",
                self.transformed_records.clone(),
            ),
        ]
    }

    fn of_delivery(&self) -> [Row; 8] {
        [
            Row::new(
                "flushes",
                "stream, to, reason",
                "Batches that were cut, by reason: size, interval or drain",
                self.flushes.clone(),
            ),
            Row::new(
                "deliveries_in_flight",
                "stream, to",
                "Batches that are being delivered or wait to be tried again",
                self.deliveries_in_flight.clone(),
            ),
            Row::new(
                "delivery_attempts",
                "stream, to, result",
                "Attempts to deliver a batch, by result: ok or the error code",
                self.delivery_attempts.clone(),
            ),
            Row::new(
                "delivery_stuck_seconds",
                "stream",
                "How long the destination, the failed output, or the log (for a transformer's answers) has taken nothing, or a batch or an invocation waits for room in memory; 0 while each takes what it gets. A batch whose plan this Standpipe cannot read counts as well",
                self.delivery_stuck.clone(),
            ),
            Row::new(
                "delivered_objects",
                "stream, to",
                "Objects that were put by this life",
                self.delivered_objects.clone(),
            ),
            Row::new(
                "delivered_object_bytes",
                "stream, to",
                "Bytes of those objects as stored, after compression",
                self.delivered_object_bytes.clone(),
            ),
            Row::new(
                "failed_objects",
                "stream, error_output",
                "Objects that were put into the failed output by this life",
                self.failed_objects.clone(),
            ),
            Row::new(
                "failed_object_records",
                "stream, error_output",
                "Records in those objects",
                self.failed_object_records.clone(),
            ),
        ]
    }
}

impl Conservation {
    fn rows(&self) -> [Row; 9] {
        [
            Row::new(
                "accepted_records",
                "stream",
                "Records acknowledged since the log began: the sum of the next six",
                self.accepted_records.clone(),
            ),
            Row::new(
                "delivered_records",
                "stream",
                "Accepted records that rest in the destination",
                self.delivered_records.clone(),
            ),
            Row::new(
                "failed_records",
                "stream",
                "Accepted records that rest in the failed output",
                self.failed_records.clone(),
            ),
            Row::new(
                "dropped_records",
                "stream",
                "Accepted records that the transformer dropped",
                self.dropped_records.clone(),
            ),
            Row::new(
                "expired_records",
                "stream",
                "Accepted records that were given up on for their age: none, as yet",
                self.expired_records.clone(),
            ),
            Row::new(
                "quarantined_records",
                "stream",
                "Accepted records that the disk damaged, now in the quarantine folder",
                self.quarantined_records.clone(),
            ),
            Row::new(
                "buffered_records",
                "stream",
                "Accepted records that are not at rest yet",
                self.buffered_records.clone(),
            ),
            Row::new(
                "accepted_bytes",
                "stream",
                "Bytes of the records acknowledged since the log began",
                self.accepted_bytes.clone(),
            ),
            Row::new(
                "buffered_bytes",
                "stream",
                "Bytes of the records that are not at rest yet",
                self.buffered_bytes.clone(),
            ),
        ]
    }
}

/// One family of the table.
#[derive(Debug)]
pub struct Row {
    /// Without prefix and suffix.
    pub name: &'static str,
    /// Their names, or nothing.
    pub labels: &'static str,
    /// One sentence; the exporter adds the full stop.
    pub help: &'static str,
    metric: Box<dyn Metric>,
}

impl Row {
    fn new(
        name: &'static str,
        labels: &'static str,
        help: &'static str,
        metric: impl Metric,
    ) -> Row {
        Row {
            name,
            labels,
            help,
            metric: Box::new(metric),
        }
    }

    pub fn kind(&self) -> MetricType {
        self.metric.metric_type()
    }

    /// The name as Prometheus stores it.
    pub fn full_name(&self) -> String {
        let suffix = match self.kind() {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram | MetricType::Unknown => "",
        };
        format!("standpipe_{}{suffix}", self.name)
    }
}

impl EncodeMetric for Row {
    fn encode(&self, encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        self.metric.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.metric.metric_type()
    }

    fn is_empty(&self) -> bool {
        self.metric.is_empty()
    }
}
