//! The durable buffer: one log for all streams, and who may do what with it.
//!
//! (Here the on-disk format will be described, in words and pictures.)

mod committer;
mod control;
mod entry;
mod frame;
mod gather;
mod geometry;
mod index;
mod intake;
mod ledger;
mod opening;
mod outlet;
mod pool;
mod quarantine;
mod queue;
mod reading;
mod recovery;
mod scan;
mod segment;
mod shared;
mod snapshot;
mod state;
mod status;
mod wire;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use committer::Committer;
pub use intake::{AppendError, Intake};
pub use opening::{OpenError, open};
pub use outlet::{Candidate, Cut, CutId, Extents, LogError, Outlet, ReadError, Settled, Waiting};
pub use status::{Health, Segments, Status, Totals};
pub use writer::WriteError;

use crate::model::{ByteSize, DirectoryId, StreamName, Timestamp};

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// In the log, but no longer configured: their data stays.
    pub orphans: Vec<StreamFacts>,
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
