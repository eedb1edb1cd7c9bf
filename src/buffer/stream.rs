//! What the log knows of one stream: its lanes, who reads them, and where its records came to rest.

use super::control::OpenCut;
use super::lane::{LaneState, ReaderState};
use super::ledger::{Position, Span};
use super::reader::Lane;
use super::{CutId, StreamFacts, Totals};
use crate::model::ReaderKind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub facts: StreamFacts,
    pub fingerprint: u64,
    pub rest: Rest,
    pub arrivals: LaneState,
    pub answers: LaneState,
}

/// How many records came to rest where (C1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    pub delivered: u64,
    pub failed: u64,
    pub dropped: u64,
    pub expired: u64,
    pub quarantined: u64,
}

impl Stream {
    pub fn new(facts: StreamFacts, fingerprint: u64) -> Stream {
        Stream {
            facts,
            fingerprint,
            rest: Rest::default(),
            arrivals: LaneState::default(),
            answers: LaneState::default(),
        }
    }

    pub fn lane(&self, lane: Lane) -> &LaneState {
        match lane {
            Lane::Arrivals => &self.arrivals,
            Lane::Answers => &self.answers,
        }
    }

    pub fn lane_mut(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Arrivals => &mut self.arrivals,
            Lane::Answers => &mut self.answers,
        }
    }

    /// `None` where there is no such reader.
    pub fn reader(&self, kind: ReaderKind) -> Option<&ReaderState> {
        match kind {
            ReaderKind::Arrivals => Some(&self.arrivals.main),
            ReaderKind::Answers => Some(&self.answers.main),
            ReaderKind::Backup => self.arrivals.backup.as_ref(),
        }
    }

    pub fn reader_mut(&mut self, kind: ReaderKind) -> Option<&mut ReaderState> {
        match kind {
            ReaderKind::Arrivals => Some(&mut self.arrivals.main),
            ReaderKind::Answers => Some(&mut self.answers.main),
            ReaderKind::Backup => self.arrivals.backup.as_mut(),
        }
    }

    /// What a reader is not done with, ascending.
    pub fn live(&self, kind: ReaderKind) -> Vec<Span> {
        let lane = self.lane(kind.lane());
        let reader = self.reader(kind);
        reader.map(|reader| lane.live(reader)).unwrap_or_default()
    }

    /// What a reader has neither cut nor is done with, ascending.
    pub fn uncut(&self, kind: ReaderKind) -> Vec<Span> {
        let lane = self.lane(kind.lane());
        let reader = self.reader(kind);
        reader.map(|reader| lane.uncut(reader)).unwrap_or_default()
    }

    pub fn cuts(&self, kind: ReaderKind) -> impl Iterator<Item = &OpenCut> {
        let reader = self.reader(kind).into_iter();
        reader.flat_map(|reader| reader.cuts.values())
    }

    /// Of all readers.
    pub fn open_cuts(&self) -> impl Iterator<Item = &OpenCut> {
        ReaderKind::ALL.into_iter().flat_map(|kind| self.cuts(kind))
    }

    pub fn open_cut_mut(&mut self, id: CutId) -> Option<&mut OpenCut> {
        let lanes = [&mut self.arrivals, &mut self.answers];
        let mut readers = lanes
            .into_iter()
            .flat_map(|lane| std::iter::once(&mut lane.main).chain(&mut lane.backup));
        readers.find_map(|reader| reader.cuts.get_mut(&id))
    }

    /// C1 holds by construction: the tail of the arrivals counts what was accepted, and what a ledger
    /// has is counted where it was brought to rest. An answered record is done with as an arrival,
    /// and buffered as an entry of the answers, unless it was dropped.
    pub fn totals(&self) -> Totals {
        let Rest {
            delivered,
            failed,
            dropped,
            expired,
            quarantined,
        } = self.rest;
        let lanes = [&self.arrivals, &self.answers];
        let records = |lane: &&LaneState| {
            let done = lane.main.done.records();
            lane.tail.seq.get().saturating_sub(done)
        };
        let bytes = |lane: &&LaneState| lane.tail.byte.saturating_sub(lane.main.done.bytes());
        Totals {
            accepted: self.arrivals.tail.seq.get(),
            accepted_bytes: self.arrivals.tail.byte,
            delivered,
            failed,
            dropped,
            expired,
            quarantined,
            buffered: lanes.iter().map(records).sum(),
            buffered_bytes: lanes.iter().map(bytes).sum(),
        }
    }

    /// Brings records to rest for one reader. The answer: how many were not before.
    pub fn finish(&mut self, kind: ReaderKind, spans: &[Span]) -> u64 {
        for span in spans {
            self.reach(kind.lane(), span.end);
        }
        let reader = self.reader_mut(kind);
        reader.map_or(0, |reader| reader.finish(spans))
    }

    /// After damage a lane's tail is the highest number that any frame mentions. An answer that is found
    /// nowhere was given to one of the next arrivals, which is never asked for another (D1).
    pub fn reach(&mut self, lane: Lane, end: Position) {
        let state = self.lane_mut(lane);
        let mut lost = end.seq.get().saturating_sub(state.tail.seq.get());
        state.tail = state.tail.max(end);
        if lane == Lane::Answers && 0 < lost {
            for span in self.uncut(ReaderKind::Arrivals) {
                let Some(answered) = span.first(lost) else {
                    break;
                };
                lost -= self.arrivals.main.finish(&[answered]);
            }
        }
    }
}
