//! What the log knows after all synced frames: the part of it that a snapshot keeps.
//!
//! A frame enters the state only after its sync (B2), and by the same methods at run time and when
//! it is read back, so both ways lead to the same state.

use std::collections::BTreeMap;

use super::Settled;
use super::control::{OpenCut, Settlement};
use super::frame::Header;
use super::lane::{LaneState, Part, ReaderState};
use super::ledger::{Position, Span};
use super::reader::{Lane, LaneId, ReaderId};
use super::stream::Stream;
use super::verdicts::PartVerdict;
use crate::model::{DirectoryId, LogTime, ReaderKind};

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

/// An answers frame does not follow what was answered before it: that is damage.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfOrder;

impl State {
    pub fn new(directory: DirectoryId, life: u64) -> State {
        State {
            directory,
            life,
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
        let unanswered = stream.uncut(ReaderKind::Arrivals);
        let next = unanswered
            .first()
            .map_or(stream.arrivals.tail, |span| span.start);
        if of.start.seq < next.seq || header.first.seq < stream.answers.tail.seq {
            return Err(OutOfOrder);
        }
        let hole = Span::between(stream.answers.tail, header.first);
        stream.reach(Lane::Arrivals, of.end);
        // Damage took the frames in between: what they answered without an entry was dropped.
        stream.reach(Lane::Answers, header.first);
        let before = unanswered.iter();
        let before = before.filter_map(|span| Span::between(span.start, span.end.min(of.start)));
        let dropped = stream.arrivals.main.finish(&before.collect::<Vec<_>>());
        let answered = stream.arrivals.main.finish(&[of]);
        stream.rest.dropped += dropped + answered.saturating_sub(u64::from(header.count));
        self.drop_dead_parts(header.stream);
        self.add_records(header);
        Ok(hole)
    }

    pub fn add_cut(&mut self, reader: ReaderId, cut: OpenCut) {
        self.next_cut = self.next_cut.max(cut.id.0 + 1);
        let Some(stream) = self.streams.get_mut(&reader.stream) else {
            return;
        };
        for span in &cut.spans {
            stream.reach(reader.kind.lane(), span.end);
        }
        if let Some(reader) = stream.reader_mut(reader.kind) {
            reader.cuts.insert(cut.id, cut);
        }
    }

    /// What became of a part of a cut.
    pub fn add_verdict(&mut self, reader: ReaderId, verdict: &PartVerdict) {
        let stream = self.streams.get_mut(&reader.stream);
        let reader = stream.and_then(|stream| stream.reader_mut(reader.kind));
        if let Some(cut) = reader.and_then(|reader| reader.cuts.get_mut(&verdict.cut)) {
            cut.judge(verdict);
        }
    }

    /// Counts without its cut too, which damage may have taken.
    pub fn settle(&mut self, reader: ReaderId, settlement: &Settlement) {
        self.next_cut = self.next_cut.max(settlement.cut.0 + 1);
        let Some(stream) = self.streams.get_mut(&reader.stream) else {
            return;
        };
        let fresh = stream.finish(reader.kind, &settlement.spans);
        if let Some(known) = stream.reader_mut(reader.kind) {
            known.cuts.remove(&settlement.cut);
        }
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
        self.drop_dead_parts(reader.stream);
    }

    /// Brings what a reader cannot read to rest for it; another one may have read it before.
    pub fn quarantine(&mut self, reader: ReaderId, spans: &[Span]) {
        let Some(stream) = self.streams.get_mut(&reader.stream) else {
            return;
        };
        let fresh = stream.finish(reader.kind, spans);
        match reader.kind {
            // A copy is not where a record rests.
            ReaderKind::Backup => {}
            ReaderKind::Arrivals | ReaderKind::Answers => stream.rest.quarantined += fresh,
        }
        self.drop_dead_parts(reader.stream);
    }

    /// Brings what lies nowhere to rest, for every reader of the lane.
    pub fn lose(&mut self, lane: LaneId, span: Span) {
        let LaneId { stream, lane } = lane;
        for kind in ReaderKind::ALL
            .into_iter()
            .filter(|kind| kind.lane() == lane)
        {
            self.quarantine(ReaderId { stream, kind }, &[span]);
        }
    }

    /// So many numbers are not given out, for damage may have taken the records that had them: as
    /// arrivals they count as quarantined, while answers are asked for again under other numbers. A
    /// lane that was never used stays so.
    pub fn skip(&mut self, lane: LaneId, records: u64) -> Option<Span> {
        let stream = self.streams.get_mut(&lane.stream)?;
        let rest = stream.rest.quarantined;
        let known = stream.lane_mut(lane.lane);
        if lane.lane == Lane::Answers && *known == LaneState::default() {
            return None;
        }
        let span = Span::between(known.tail, known.tail.plus(records, 0))?;
        known.tail = span.end;
        let readers = std::iter::once(&mut known.main).chain(&mut known.backup);
        readers.for_each(|reader| reader.done.add(span));
        stream.rest.quarantined = match lane.lane {
            Lane::Arrivals => rest + records,
            Lane::Answers => rest,
        };
        Some(span)
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

    /// The source record backup is wanted from here on, beside what it is owed.
    pub fn want_backup(&mut self, stream: u32) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        let lane = &mut known.arrivals;
        let whole = lane.whole();
        let backup = lane.backup.get_or_insert_with(|| {
            let mut new = ReaderState::default();
            whole.into_iter().for_each(|span| new.done.add(span));
            new
        });
        backup.done.end_at(lane.tail);
        self.drop_dead_parts(stream);
    }

    /// The source record backup is not wanted any more for what comes from `end` of the tail on. What
    /// waits for it is kept until it is wanted again: nothing is dropped silently (D4).
    pub fn retire_backup(&mut self, stream: u32, end: impl FnOnce(Position) -> Position) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        let lane = &mut known.arrivals;
        let end = end(lane.tail);
        let Some(backup) = &mut lane.backup else {
            return;
        };
        let is_owed_more = lane.tail.seq < end.seq;
        let behind = Span::between(end, Position::END);
        behind.into_iter().for_each(|span| backup.done.add(span));
        if !is_owed_more && known.live(ReaderKind::Backup).is_empty() {
            known.arrivals.backup = None;
        }
        self.drop_dead_parts(stream);
    }

    fn drop_dead_parts(&mut self, stream: u32) {
        let Some(stream) = self.streams.get_mut(&stream) else {
            return;
        };
        let live_parts = &mut self.live_parts;
        for lane in [&mut stream.arrivals, &mut stream.answers] {
            let mut parts = std::mem::take(&mut lane.parts);
            parts.retain(|segment, part| {
                let dead = lane.is_at_rest(part.span);
                if dead && let Some(count) = live_parts.get_mut(segment) {
                    *count -= 1;
                    if *count == 0 {
                        live_parts.remove(segment);
                    }
                }
                !dead
            });
            lane.parts = parts;
        }
    }
}

#[cfg(test)]
mod tests;
