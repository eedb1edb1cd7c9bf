//! Every metric family, in one table. Names are an interface: `tests/snapshots` holds them.
//!
//! All start with `standpipe_`; the exporter adds the prefix, and `_total` to counters.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Cheap to clone: every family is shared.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    // source/direct_put
    pub put_requests: Family<PutRequest, Counter>,
    // buffer: the conservation counters (C1), records and bytes
    pub accepted_records: Family<Stream, Counter>,
    pub accepted_bytes: Family<Stream, Counter>,
    pub delivered_records: Family<Stream, Counter>,
    pub failed_records: Family<Stream, Counter>,
    pub dropped_records: Family<Stream, Counter>,
    pub expired_records: Family<Stream, Counter>,
    pub quarantined_records: Family<Stream, Counter>,
    pub buffered_records: Family<Stream, Gauge>,
    pub buffered_bytes: Family<Stream, Gauge>,
    pub oldest_record_age: Family<Stream, Gauge<f64, AtomicU64>>,
    // buffer: the log
    pub log_syncs: Counter,
    pub log_sync_failures: Counter,
    pub log_written_bytes: Counter,
    pub log_segments: Family<Segments, Gauge>,
    pub log_full: Gauge,
    pub log_damaged_frames: Counter,
    // pipeline
    pub flushes: Family<Flush, Counter>,
    pub deliveries_in_flight: Family<Stream, Gauge>,
    pub delivery_attempts: Family<Attempt, Counter>,
    pub delivered_objects: Family<Stream, Counter>,
    pub delivered_object_bytes: Family<Stream, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Stream {
    pub stream: String,
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
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Attempt {
    pub stream: String,
    /// `ok`, or the error code, such as `S3.AccessDenied`.
    pub result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Segments {
    pub state: &'static str,
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let _ = (registry, Unit::Bytes);
        todo!("admin helper")
    }
}
