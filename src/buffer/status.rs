//! How the log is, for health checks, metrics and people.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ledger;
use super::reader::ReaderId;
use super::shared::Shared;
use crate::model::ReaderKind;
use crate::model::StreamName;

/// How the log is, for health and metrics. Cheap to clone.
#[derive(Clone)]
pub struct Status(Arc<Shared>);

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

/// Segment files of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    pub used: usize,
    pub free: usize,
}

impl Status {
    pub(super) fn new(shared: Arc<Shared>) -> Status {
        Status(shared)
    }

    pub fn health(&self) -> Health {
        self.0.inner().health
    }

    /// How long the group commit that is under way has taken; `None` while there is none.
    pub fn committing_for(&self) -> Option<Duration> {
        let since = self.0.inner().committing_since?;
        Some(since.elapsed())
    }

    /// Of every stream in the log, configured or not.
    pub fn totals(&self) -> BTreeMap<StreamName, Totals> {
        let inner = self.0.inner();
        let streams = inner.state.streams.values();
        streams
            .map(|stream| (stream.facts.name.clone(), stream.totals()))
            .collect()
    }

    /// How many records wait for the source backup, of every stream that has one, or owes one.
    pub fn for_backup(&self) -> BTreeMap<StreamName, u64> {
        let inner = self.0.inner();
        let streams = inner.state.streams.values();
        let owing = streams.filter(|stream| stream.arrivals.backup.is_some());
        let waiting = owing.map(|stream| {
            let records = ledger::records(&stream.live(ReaderKind::Backup));
            (stream.facts.name.clone(), records)
        });
        waiting.collect()
    }

    /// How long ago the oldest record that is not at rest arrived; streams without one are missing.
    /// By the wall clock, for the log's stands still between two lives.
    pub fn oldest(&self) -> BTreeMap<StreamName, Duration> {
        let now = self.0.clock.now();
        let inner = self.0.inner();
        let streams = inner.state.streams.iter();
        let oldest = streams.filter_map(|(id, stream)| {
            let oldest = |kind: ReaderKind| {
                let first = stream.live(kind).first()?.start.seq;
                let stream = *id;
                let lane = ReaderId { stream, kind }.lane();
                inner.entered(lane, first).map(|(arrival, _)| arrival)
            };
            let arrival = ReaderKind::ALL.into_iter().filter_map(oldest).min()?;
            Some((stream.facts.name.clone(), now.since(arrival)))
        });
        oldest.collect()
    }

    pub fn segments(&self) -> Segments {
        let inner = self.0.inner();
        Segments {
            used: inner.state.segments.len() + usize::from(inner.current.is_some()),
            free: self.0.pool.len(),
        }
    }
}
