//! What the committer and all handles share: the durable state, and where its records lie.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use super::Health;
use super::geometry::Geometry;
use super::index::Indexes;
use super::pool::Pool;
use super::queue::Queue;
use super::reader::LaneId;
use super::room::Told;
use super::state::{Sealed, State};
use crate::model::{LogTime, Seq, Spare, Timestamp};
use crate::outside::disk::{Disk, DiskFile};
use crate::outside::{Clock, Rising};
use crate::telemetry::Metrics;
use crate::telemetry::metrics;

pub struct Shared {
    pub disk: Arc<dyn Disk>,
    pub geometry: Geometry,
    pub clock: Clock,
    pub log_clock: LogClock,
    pub metrics: Metrics,
    pub pool: Pool,
    pub queue: Arc<Queue>,
    /// For what deliveries read.
    pub spare: Spare,
    /// The durable tails, for those who wait for them.
    pub tails: BTreeMap<LaneId, Rising<Seq>>,
    pub inner: Mutex<Inner>,
    /// Streams whose arrivals go through a transformer.
    pub transformed: BTreeSet<u32>,
    /// Keeps every other daemon out of the directory.
    pub _lock: Arc<dyn DiskFile>,
}

/// All that changes. Never locked across a disk operation.
pub struct Inner {
    /// B2: the state after all *synced* frames, and so all that anybody sees.
    pub state: State,
    pub indexes: Indexes,
    pub files: BTreeMap<u64, SegmentFile>,
    /// The segment that is being written; `end` is its durable end.
    pub current: Option<(u64, Sealed)>,
    pub health: Health,
    /// Of being full.
    pub told: Told,
    /// The group commit under way: a disk may never answer.
    pub committing_since: Option<Instant>,
}

pub struct SegmentFile {
    pub file: Arc<dyn DiskFile>,
    /// B4: each reader holds a clone for as long as it reads.
    pub pin: Arc<()>,
}

impl SegmentFile {
    pub fn new(file: Arc<dyn DiskFile>) -> SegmentFile {
        let pin = Arc::new(());
        SegmentFile { file, pin }
    }

    pub fn is_being_read(&self) -> bool {
        1 < Arc::strong_count(&self.pin)
    }
}

impl Shared {
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with this lock")
    }

    pub fn show_segments(&self, inner: &Inner) {
        let used = inner.state.segments.len() + usize::from(inner.current.is_some());
        for (state, count) in [("used", used), ("free", self.pool.len())] {
            let label = metrics::Segments { state };
            self.metrics
                .log_segments
                .get_or_create(&label)
                .set(count as i64);
        }
    }
}

impl Inner {
    /// When a record of a lane entered the log.
    pub fn logged_at(&self, lane: LaneId, seq: Seq) -> Option<LogTime> {
        self.entered(lane, seq).map(|(_, logged)| logged)
    }

    /// When a record of a lane entered the log, by the wall clock and by the log's.
    pub fn entered(&self, lane: LaneId, seq: Seq) -> Option<(Timestamp, LogTime)> {
        let parts = &self.state.lane(lane)?.parts;
        let (segment, part) = parts.iter().find(|(_, part)| seq < part.span.end.seq)?;
        let is_current = self.current.is_some_and(|(id, _)| id == *segment);
        let index = match is_current {
            true => Some(&self.indexes.current),
            false => self.indexes.peek(*segment),
        };
        let extent = index.and_then(|index| index.behind(lane, seq).first());
        Some(extent.map_or((part.arrival, part.logged), |extent| {
            (extent.arrival, extent.logged)
        }))
    }
}

/// Monotonic time added up over all lives.
#[derive(Clone, Copy, Debug)]
pub struct LogClock {
    base: LogTime,
    opened: Instant,
}

impl LogClock {
    pub fn starting_at(base: LogTime) -> LogClock {
        let opened = Instant::now();
        LogClock { base, opened }
    }

    pub fn now(&self) -> LogTime {
        self.base.plus(self.opened.elapsed())
    }
}
