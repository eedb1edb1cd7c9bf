//! The durable buffer: one log for all streams, and who may do what with it.
//!
//! (Here the on-disk format will be described, in words and pictures.)

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{ByteSize, DirectoryId, LogTime, Records, Seq, SeqRange, StreamName, Timestamp};
use crate::outside::disk::Disk;
use crate::outside::{Clock, Dice};
use crate::telemetry::Metrics;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub directory: PathBuf,
    pub max_size: ByteSize,
    /// Direct-put records older than this on the log clock expire.
    pub retention: Duration,
}

/// A stream that the configuration knows.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    pub name: StreamName,
    /// A hash of its settings: when it differs from the log's, the stream's version goes up by one.
    pub fingerprint: u64,
}

/// What the log knows of a stream.
#[derive(Clone, Debug)]
pub struct StreamFacts {
    pub name: StreamName,
    /// The stream's number in this log: ids never repeat.
    pub id: u32,
    pub version: u32,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

pub struct Opened {
    pub directory: DirectoryId,
    pub streams: BTreeMap<StreamName, Handles>,
    /// The group-commit loop, to be spawned by `daemon`. It ends, with an *end* frame, when every
    /// handle is gone.
    pub committer: Committer,
    pub status: Status,
}

pub struct Handles {
    pub facts: StreamFacts,
    pub intake: Intake,
    pub outlet: Outlet,
}

/// Opens the log in `disk`'s root folder, recovering what is there.
pub fn open(
    _disk: Arc<dyn Disk>,
    _settings: &Settings,
    _streams: &[StreamSpec],
    _clock: Clock,
    _dice: Dice,
    _metrics: Metrics,
) -> Result<Opened, OpenError> {
    todo!("buffer")
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

/// The right to add records to one stream. Cheap to clone.
#[derive(Clone)]
pub struct Intake {}

#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// B7: the log, or the queue before it, is full. Trying again later helps.
    #[error("the buffer is full")]
    Full,
    /// B6: the disk failed. The records may or may not be there after a restart.
    #[error("the log could not be written")]
    Failed,
    /// The daemon is stopping.
    #[error("the buffer is closed")]
    Closed,
}

impl Intake {
    /// Returns once the records are durable (B1), with the positions they got.
    pub async fn append(&self, _records: Records) -> Result<SeqRange, AppendError> {
        todo!("buffer")
    }
}

/// The right to read one stream's records and to bring them to rest.
pub struct Outlet {}

/// What is durable and not yet cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub records: u64,
    pub bytes: u64,
    /// When the oldest of them entered the log, on the log clock.
    pub oldest: Option<LogTime>,
}

/// The records with which the next batch would start: whole records, in order, never more than asked
/// for unless the first one alone is more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub range: SeqRange,
    pub bytes: u64,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CutId(pub u64);

/// Everything that a repeat needs, after a crash, an upgrade or a reload (D3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub id: CutId,
    /// Disjoint, ascending; dense for a reader without partitions.
    pub ranges: Vec<SeqRange>,
    pub records: u64,
    pub bytes: u64,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
    /// How to deliver it, in the pipeline's own words (at most `limits::PLAN_BYTES_MAX`): the buffer
    /// keeps it and does not look inside.
    pub plan: Vec<u8>,
}

/// Where a cut's records came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Delivered,
    Expired,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Whether it is on disk is known only after a restart: try the very same again.
    #[error("the log could not be written")]
    Failed,
    #[error("the buffer is closed")]
    Closed,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// B5: these records cannot be read back. `Outlet::quarantine` brings them to rest.
    #[error("records {0} are damaged")]
    Damaged(SeqRange),
    #[error("failed to read the log")]
    Disk(#[source] Arc<std::io::Error>),
}

impl Outlet {
    /// Returns once the durable tail is above `seen`. Cancel-safe.
    pub async fn durable_tail_above(&self, _seen: Seq) -> Seq {
        todo!("buffer")
    }
    pub fn waiting(&self) -> Waiting {
        todo!("buffer")
    }
    /// Now, on the log clock.
    pub fn log_now(&self) -> LogTime {
        todo!("buffer")
    }
    /// What the next batch of at most `bytes` would hold; `None` while nothing waits.
    pub async fn candidate(&self, _bytes: ByteSize) -> Result<Option<Candidate>, ReadError> {
        todo!("buffer")
    }
    /// Cuts without a settlement, oldest first: what a restart must repeat.
    pub fn open_cuts(&self) -> Vec<Cut> {
        todo!("buffer")
    }
    /// Durable when it returns, as are the next ones. After `Failed` the cut may be on disk all the
    /// same: the same candidate and plan are tried until known.
    pub async fn cut(&self, _candidate: &Candidate, _plan: Vec<u8>) -> Result<Cut, LogError> {
        todo!("buffer")
    }
    pub async fn settle(&self, _cut: CutId, _how: Settled) -> Result<(), LogError> {
        todo!("buffer")
    }
    /// B5: copies the damaged stretch to `quarantine/` and brings its records to rest.
    pub async fn quarantine(&self, _range: SeqRange) -> Result<(), LogError> {
        todo!("buffer")
    }
    /// The right to read, for whoever delivers.
    pub fn extents(&self) -> Extents {
        todo!("buffer")
    }
}

/// The right to read one stream's records. Cheap to clone.
#[derive(Clone)]
pub struct Extents {}

impl Extents {
    /// The next records of `range`, at least one and at most about `limits::READ_BYTES_MAX` unless a
    /// single frame is larger; quarantined ones are left out, so the answer may start later than the
    /// range, or be `None` when nothing of it is left.
    pub async fn read(&self, _range: SeqRange) -> Result<Option<(Seq, Records)>, ReadError> {
        todo!("buffer")
    }
}

/// The group-commit loop.
pub struct Committer {}

impl Committer {
    /// Runs until every `Intake` and `Outlet` is gone, then writes *end*. A second failed sync ends
    /// intake, not the loop (B6).
    pub async fn run(self) {
        todo!("buffer")
    }
}

/// How the log is, for health and metrics. Cheap to clone.
#[derive(Clone)]
pub struct Status {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// B7: full, puts are refused.
    Full,
    /// B6: the disk failed twice; intake has stopped until a restart.
    Failed,
}

/// The conservation counts of one stream (C1), across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub accepted: u64,
    pub accepted_bytes: u64,
    pub delivered: u64,
    pub failed: u64,
    pub dropped: u64,
    pub expired: u64,
    pub quarantined: u64,
    pub buffered: u64,
    pub buffered_bytes: u64,
}

impl Status {
    pub fn health(&self) -> Health {
        todo!("buffer")
    }
    pub fn totals(&self) -> BTreeMap<StreamName, Totals> {
        todo!("buffer")
    }
    /// Log time of the oldest record that is not at rest, by stream.
    pub fn oldest(&self) -> BTreeMap<StreamName, Duration> {
        todo!("buffer")
    }
}
