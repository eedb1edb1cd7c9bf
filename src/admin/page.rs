//! The page that Prometheus reads.
//!
//! Events count as they happen; totals, ages and the state of the log are looked up when the page is
//! asked for, since their owner knows them better than a copy would.

use std::collections::BTreeMap;
use std::sync::Mutex;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::buffer;
use crate::model::StreamName;
use crate::pipeline::progress::Progress;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Segments, Stream, Totals};

pub struct Page {
    metrics: Metrics,
    /// Held while a page is written: two of them at once could mix two looks at the log, and then
    /// C1 would not hold on either.
    registry: Mutex<Registry>,
}

impl Page {
    pub fn new(metrics: Metrics) -> Page {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        Page {
            metrics,
            registry: Mutex::new(registry),
        }
    }

    /// As OpenMetrics.
    pub fn write(
        &self,
        status: &buffer::Status,
        pipelines: &BTreeMap<StreamName, Vec<Progress>>,
    ) -> String {
        let registry = self.registry.lock().expect("no holder of this lock panics");
        self.look_at_the_log(status);
        self.look_at(pipelines);
        let mut page = String::new();
        text::encode(&mut page, &registry).expect("a string takes whatever is written");
        page
    }

    fn look_at_the_log(&self, status: &buffer::Status) {
        let health = status.health();
        let is = |state| i64::from(health == state);
        self.metrics.log_full.set(is(buffer::Health::Full));
        self.metrics.log_failed.set(is(buffer::Health::Failed));
        for (stream, totals) in status.totals() {
            self.metrics
                .conserve(&Stream::named(stream), &shown(&totals));
        }
        for (stream, records) in status.for_backup() {
            let stream = Stream::named(stream);
            let gauge = self.metrics.backup_records.get_or_create(&stream);
            gauge.set(i64::try_from(records).unwrap_or(i64::MAX));
        }
        let segments = status.segments();
        for (state, count) in [("used", segments.used), ("free", segments.free)] {
            let gauge = self.metrics.log_segments.get_or_create(&Segments { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let oldest = status.oldest();
        for stream in status.totals().keys() {
            let age = oldest.get(stream).map_or(0.0, |age| age.as_secs_f64());
            let gauge = self
                .metrics
                .oldest_record_age
                .get_or_create(&Stream::named(stream));
            gauge.set(age);
        }
    }

    fn look_at(&self, pipelines: &BTreeMap<StreamName, Vec<Progress>>) {
        for (stream, parts) in pipelines {
            let stuck = parts.iter().filter_map(Progress::stuck);
            let stuck = stuck.map(|stuck| stuck.as_secs_f64());
            let stuck = stuck.fold(0.0, f64::max);
            let gauge = self
                .metrics
                .delivery_stuck
                .get_or_create(&Stream::named(stream));
            gauge.set(stuck);
        }
    }
}

fn shown(totals: &buffer::Totals) -> Totals {
    Totals {
        accepted_records: totals.accepted,
        accepted_bytes: totals.accepted_bytes,
        delivered_records: totals.delivered,
        failed_records: totals.failed,
        dropped_records: totals.dropped,
        expired_records: totals.expired,
        quarantined_records: totals.quarantined,
        buffered_records: totals.buffered,
        buffered_bytes: totals.buffered_bytes,
    }
}
