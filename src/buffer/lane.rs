//! What the log knows of one lane: how far it goes, where its records lie, and how far its readers
//! are.

use std::collections::BTreeMap;

use super::CutId;
use super::control::OpenCut;
use super::ledger::{Ledger, Position, Span};
use crate::model::{LogTime, Timestamp};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    pub tail: Position,
    /// By segment, and so by sequence number: where the records lie that are not at rest.
    pub parts: BTreeMap<u64, Part>,
    /// Who brings the records to rest, for the conservation counts (C1).
    pub main: ReaderState,
    /// The source record backup, where there is one.
    pub backup: Option<ReaderState>,
}

/// How far one reader is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderState {
    /// What it is done with.
    pub done: Ledger,
    pub cuts: BTreeMap<CutId, OpenCut>,
}

/// The records of one lane in one segment, the first of which came when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub span: Span,
    pub arrival: Timestamp,
    pub logged: LogTime,
}

impl LaneState {
    /// Everything that ever entered the lane; `None` before the first record.
    pub fn whole(&self) -> Option<Span> {
        Span::between(Position::ZERO, self.tail)
    }

    /// What `reader` is not done with, ascending.
    pub fn live(&self, reader: &ReaderState) -> Vec<Span> {
        let whole = self.whole();
        whole.map(|lane| reader.done.gaps(lane)).unwrap_or_default()
    }

    /// What `reader` has neither cut nor is done with, ascending.
    pub fn uncut(&self, reader: &ReaderState) -> Vec<Span> {
        let Some(lane) = self.whole() else {
            return Vec::new();
        };
        let mut taken = reader.done.clone();
        for cut in reader.cuts.values() {
            cut.spans.iter().for_each(|span| taken.add(*span));
        }
        taken.gaps(lane)
    }

    /// What not everybody is done with. For each reader ascending.
    pub fn alive(&self) -> Vec<Span> {
        let readers = std::iter::once(&self.main).chain(&self.backup);
        readers.flat_map(|reader| self.live(reader)).collect()
    }

    /// Everybody is done with these records.
    pub fn is_at_rest(&self, span: Span) -> bool {
        let range = span.range();
        let backed_up = self
            .backup
            .as_ref()
            .is_none_or(|backup| backup.done.covers(range));
        self.main.done.covers(range) && backed_up
    }
}

impl ReaderState {
    /// How many of these records it was not done with before.
    pub fn finish(&mut self, spans: &[Span]) -> u64 {
        let mut fresh = 0;
        for span in spans {
            let gaps = self.done.gaps(*span);
            fresh += gaps.iter().map(|gap| gap.records()).sum::<u64>();
            self.done.add(*span);
        }
        fresh
    }
}
