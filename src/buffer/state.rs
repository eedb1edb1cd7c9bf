//! What the log knows after all synced frames: the part of it that a snapshot keeps.
//!
//! A frame enters the state only after its sync (B2), and by the same methods at run time and when
//! it is read back, so both ways lead to the same state.

use std::collections::BTreeMap;

use super::control::{OpenCut, Settlement, Shape};
use super::frame::Header;
use super::lane::{LaneState, Part, ReaderState};
use super::ledger::Span;
use super::reader::{Lane, LaneId, ReaderId};
use super::verdicts::PartVerdict;
use super::{CutId, Settled, StreamFacts, Totals};
use crate::model::ReaderKind;
use crate::model::{DirectoryId, LogTime};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub directory: DirectoryId,
    pub life: u64,
    pub clock: LogTime,
    pub next_cut: u64,
    pub next_stream: u32,
    pub streams: BTreeMap<u32, Stream>,
    /// Every segment that may hold something alive, but the one that is being written.
    pub segments: BTreeMap<u64, Sealed>,
    /// How many parts of lanes live in each segment. Derived.
    live_parts: BTreeMap<u64, usize>,
}

/// A segment that is never written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub life: u64,
    pub frames_at: u32,
    /// B6: nothing from here on counts, even if it can be read.
    pub end: u32,
}

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

/// An answers frame does not follow what was answered before it: that is damage.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfOrder;

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

    fn reader_mut(&mut self, kind: ReaderKind) -> Option<&mut ReaderState> {
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
}

impl State {
    pub fn new(directory: DirectoryId) -> State {
        State {
            directory,
            life: 0,
            clock: LogTime::default(),
            next_cut: 1,
            next_stream: 1,
            streams: BTreeMap::new(),
            segments: BTreeMap::new(),
            live_parts: BTreeMap::new(),
        }
    }

    pub fn lane(&self, id: LaneId) -> Option<&LaneState> {
        let stream = self.streams.get(&id.stream)?;
        Some(stream.lane(id.lane))
    }

    /// Every lane of every stream.
    pub fn lanes(&self) -> impl Iterator<Item = (LaneId, &LaneState)> {
        self.streams.iter().flat_map(|(stream, known)| {
            [Lane::Arrivals, Lane::Answers].map(|lane| {
                let stream = *stream;
                (LaneId { stream, lane }, known.lane(lane))
            })
        })
    }

    /// Records that became durable. The answer is what damage took between them and the lane's
    /// tail; `None` where B3 holds, as it always does at run time.
    pub fn add_records(&mut self, header: &Header) -> Option<Span> {
        self.clock = self.clock.max(header.logged);
        let lane = header.lane();
        let state = self.streams.get_mut(&lane.stream)?.lane_mut(lane.lane);
        let span = header.span()?;
        if header.first.seq < state.tail.seq {
            return None;
        }
        let hole = Span::between(state.tail, header.first);
        state.tail = span.end;
        let segment = header.place.segment;
        match state.parts.get_mut(&segment) {
            Some(part) => part.span.end = span.end,
            None => {
                let part = Part {
                    span,
                    arrival: header.arrival,
                    logged: header.logged,
                };
                self.insert_part(lane, segment, part);
            }
        }
        hole
    }

    /// Answers that became durable: as arrivals, the records `of` are at rest. The answer is as
    /// `add_records`'.
    pub fn add_answers(&mut self, header: &Header, of: Span) -> Result<Option<Span>, OutOfOrder> {
        let Some(stream) = self.streams.get_mut(&header.stream) else {
            return Ok(None);
        };
        let next = stream.uncut(ReaderKind::Arrivals).first().copied();
        let follows = next.is_some_and(|next| {
            next.start.seq <= of.start.seq && of.end.seq <= stream.arrivals.tail.seq
        });
        if !follows || header.first.seq < stream.answers.tail.seq {
            return Err(OutOfOrder);
        }
        let hole = Span::between(stream.answers.tail, header.first);
        // Damage took the frames in between. What they answered is found from their entries: those
        // are lost, and the rest was dropped.
        let skipped = next.and_then(|next| Span::between(next.start, of.start));
        let lost = hole.map_or(0, Span::records);
        let mut dropped = 0;
        if let Some(skipped) = skipped {
            let fresh = stream.arrivals.main.finish(&[skipped]);
            dropped += fresh.saturating_sub(lost);
        }
        let fresh = stream.arrivals.main.finish(&[of]);
        dropped += fresh.saturating_sub(u64::from(header.count));
        stream.rest.dropped += dropped;
        self.drop_dead_parts(LaneId {
            stream: header.stream,
            lane: Lane::Arrivals,
        });
        self.add_records(header);
        Ok(hole)
    }

    pub fn add_cut(&mut self, reader: ReaderId, cut: OpenCut) {
        self.next_cut = self.next_cut.max(cut.id.0 + 1);
        let Some(stream) = self.streams.get_mut(&reader.stream) else {
            return;
        };
        let lane = stream.lane_mut(reader.kind.lane());
        for span in &cut.spans {
            lane.tail = lane.tail.max(span.end);
        }
        if let Some(reader) = stream.reader_mut(reader.kind) {
            reader.cuts.insert(cut.id, cut);
        }
    }

    /// What became of a part of a cut.
    pub fn add_verdict(&mut self, reader: ReaderId, verdict: &PartVerdict) {
        let stream = self.streams.get_mut(&reader.stream);
        let reader = stream.and_then(|stream| stream.reader_mut(reader.kind));
        let cut = reader.and_then(|reader| reader.cuts.get_mut(&verdict.cut));
        if let Some(OpenCut {
            shape: Shape::InParts(verdicts),
            ..
        }) = cut
        {
            verdicts.add(verdict.part, verdict.verdict.clone());
        }
    }

    /// Counts without its cut too, which damage may have taken.
    pub fn settle(&mut self, reader: ReaderId, settlement: &Settlement) {
        self.next_cut = self.next_cut.max(settlement.cut.0 + 1);
        let Some(stream) = self.streams.get_mut(&reader.stream) else {
            return;
        };
        let lane = stream.lane_mut(reader.kind.lane());
        for span in &settlement.spans {
            // After damage a lane's tail is the highest number that any frame mentions.
            lane.tail = lane.tail.max(span.end);
        }
        let Some(known) = stream.reader_mut(reader.kind) else {
            return;
        };
        known.cuts.remove(&settlement.cut);
        let fresh = known.finish(&settlement.spans);
        match (reader.kind, settlement.how) {
            // A copy is not where a record rests.
            (ReaderKind::Backup, _) => {}
            (_, Settled::Delivered { failed }) => {
                let failed = failed.min(fresh);
                stream.rest.failed += failed;
                stream.rest.delivered += fresh - failed;
            }
            (_, Settled::Expired) => stream.rest.expired += fresh,
        }
        self.drop_dead_parts(reader.lane());
    }

    /// Brings what cannot be read to rest, for every reader of the lane.
    pub fn quarantine(&mut self, lane: LaneId, spans: &[Span]) {
        let Some(stream) = self.streams.get_mut(&lane.stream) else {
            return;
        };
        let state = stream.lane_mut(lane.lane);
        for span in spans {
            state.tail = state.tail.max(span.end);
        }
        let fresh = state.main.finish(spans);
        if let Some(backup) = &mut state.backup {
            backup.finish(spans);
        }
        stream.rest.quarantined += fresh;
        self.drop_dead_parts(lane);
    }

    pub fn insert_part(&mut self, lane: LaneId, segment: u64, part: Part) {
        if let Some(stream) = self.streams.get_mut(&lane.stream)
            && let parts = &mut stream.lane_mut(lane.lane).parts
            && parts.insert(segment, part).is_none()
        {
            *self.live_parts.entry(segment).or_default() += 1;
        }
    }

    /// B4: nothing in the segment is alive.
    pub fn is_dead(&self, segment: u64) -> bool {
        !self.live_parts.contains_key(&segment)
    }

    /// The source record backup is wanted from here on, or not any more.
    pub fn want_backup(&mut self, stream: u32, wanted: bool) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        let lane = &mut known.arrivals;
        match (&lane.backup, wanted) {
            (None, true) => {
                let mut backup = ReaderState::default();
                lane.whole()
                    .into_iter()
                    .for_each(|span| backup.done.add(span));
                lane.backup = Some(backup);
            }
            (Some(_), false) => lane.backup = None,
            (None, false) | (Some(_), true) => {}
        }
        self.drop_dead_parts(LaneId {
            stream,
            lane: Lane::Arrivals,
        });
    }

    fn drop_dead_parts(&mut self, lane: LaneId) {
        let Some(stream) = self.streams.get_mut(&lane.stream) else {
            return;
        };
        let state = stream.lane_mut(lane.lane);
        let mut parts = std::mem::take(&mut state.parts);
        let live_parts = &mut self.live_parts;
        parts.retain(|segment, part| {
            let dead = state.is_at_rest(part.span);
            if dead && let Some(count) = live_parts.get_mut(segment) {
                *count -= 1;
                if *count == 0 {
                    live_parts.remove(segment);
                }
            }
            !dead
        });
        state.parts = parts;
    }
}

#[cfg(test)]
mod tests;
