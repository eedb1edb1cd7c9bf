//! The durable buffer: one log for all streams, and who may do what with it.
//!
//! # On the disk (format 1)
//!
//! ```text
//! data/
//!   lock                                  held by the daemon (flock)
//!   segment-00000000000000000041.log      one segment: ids count up and are never used twice
//!   segment-00000000000000000042.log      the highest with a valid head is in charge
//!   free-000007.log                       waits to become a segment
//!   quarantine/                           copies of what could not be read back (B5)
//! ```
//!
//! All streams share one log. A segment is a file of fixed size that is overwritten in place: when
//! nothing in it is alive it is renamed to the next id.
//!
//! ```text
//! 0            head        2 × head                    durable end            segment size
//! | head        | the same   | group | group | group … | leftovers of earlier uses    |
//! |             | once more  |       |       |         |                              |
//! | id, life, proven up to,  | each begins at a multiple of 4096, is one write and     |
//! | snapshot of the state    | one sync, and holds frames back to back                 |
//!
//! group:  | frame: header, slab, ends | frame … | zeros, which belong to the last frame |
//! ```
//!
//! The **head** (`segment`) carries a **snapshot** (`snapshot`): the directory's id, the log clock,
//! every live segment with its end, and for every stream its tail, what is at rest, open cuts,
//! totals, and which records lie in which segment. So nothing of an older segment matters but the
//! records that are alive in it.
//!
//! A **frame** (`frame`) is one append, or one control entry: *cut* (a batch, with everything that
//! a repeat needs), *verdict* (what became of one part of a batch, in which pieces it goes out, or
//! by which plan the rest of it, once its stream has another destination; `verdicts`), *settle*
//! (where a cut's records came to rest; it stands by itself), *quarantined*, *end* (a clean stop).
//! Checksums are seeded with segment and life, so leftovers never pass, nor do records that look
//! like frames (`life`). Reserved are the kind *checkpoint*, the flag *moved*, and two types of
//! blocks before the slab (per-record metadata, the producer's invocation id).
//!
//! A stream has two **lanes** (`reader`): what arrived and, behind a transformer, its **answers**
//! (`answers`). An answers frame holds the new bytes, who answered, when each record arrived, the
//! records that failed with their reasons, and which arrivals it answers: those are then at rest as
//! arrivals, and wait as answers. A lane's **readers** bring it to rest, each with a ledger of its
//! own: the delivery, and beside it the source record backup.
//!
//! # In memory
//!
//! `Intake` and `Outlet` put requests on a bounded `queue`. The `committer` takes what waits,
//! decides what of it is taken (`admission`) as far as there is `room`, and the `writer` lays it
//! out, writes, syncs, and only then applies it to the `state` that readers see (B2) and answers
//! (B1). Where single frames lie is known of the newest segment and of those being read (`index`);
//! everything else is a few numbers for each stream and segment. `recovery` says how a new life
//! begins.

mod admission;
mod answers;
mod committer;
mod control;
mod entry;
mod frame;
mod gather;
mod geometry;
mod index;
pub mod inspect;
mod intake;
mod lane;
mod ledger;
mod life;
mod opening;
mod outlet;
mod plans;
mod pool;
mod quarantine;
mod queue;
mod reader;
mod reading;
mod recovery;
mod room;
mod salvage;
mod scan;
mod segment;
mod shared;
mod slab;
mod snapshot;
mod state;
mod status;
mod stream;
mod verdicts;
mod wire;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use answers::{Answered, FailedRecord, Outcome};
pub use committer::Committer;
pub use control::Shape;
pub use intake::{AppendError, Intake};
pub use opening::{OpenError, open};
pub use outlet::{
    Candidate, Cut, CutId, Extents, LogError, Mark, Outlet, ReadError, Settled, Waiting,
};
pub use reading::Chunk;
pub use status::{Health, Segments, Status, Totals};
pub use verdicts::{Verdict, Verdicts};
pub use writer::WriteError;

use crate::model::{ByteSize, DirectoryId, ReaderKind, StreamName, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub directory: PathBuf,
    pub max_size: ByteSize,
}

/// A stream that the configuration knows.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    pub name: StreamName,
    /// A hash of its settings: when it differs from the log's, the stream's version goes up by one.
    pub fingerprint: u64,
    /// Who reads it beside the first: a transformer's answers, a source record backup.
    pub readers: BTreeSet<ReaderKind>,
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
    /// What arrived: to be delivered, or to be answered by a transformer.
    pub outlet: Outlet,
    /// What a transformer answered. Always there: yesterday's answers are delivered today, whatever
    /// the stream has now.
    pub answers: Outlet,
    /// What arrived since the stream got a source record backup.
    pub backup: Option<Outlet>,
}
