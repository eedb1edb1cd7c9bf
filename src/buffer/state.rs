//! What the log knows after all synced frames: the part of it that a snapshot keeps.
//!
//! A frame enters the state only after its sync (B2), and by the same methods at run time and when
//! it is read back, so both ways lead to the same state.

use std::collections::BTreeMap;

use super::control::{OpenCut, Settlement};
use super::frame::Header;
use super::ledger::{Ledger, Position, Span};
use super::{CutId, Settled, StreamFacts, Totals};
use crate::model::{DirectoryId, LogTime, Timestamp};

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
    /// How many parts of streams live in each segment. Derived.
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
    pub tail: Position,
    /// What delivery brought to rest.
    pub done: Ledger,
    pub cuts: BTreeMap<CutId, OpenCut>,
    pub rest: Rest,
    /// By segment, and so by sequence number: where the records lie that are not at rest.
    pub parts: BTreeMap<u64, Part>,
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

/// The records of one stream in one segment, the first of which came when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub span: Span,
    pub arrival: Timestamp,
    pub logged: LogTime,
}

impl Stream {
    pub fn new(facts: StreamFacts, fingerprint: u64) -> Stream {
        Stream {
            facts,
            fingerprint,
            tail: Position::ZERO,
            done: Ledger::default(),
            cuts: BTreeMap::new(),
            rest: Rest::default(),
            parts: BTreeMap::new(),
        }
    }

    /// Everything that ever entered the lane; `None` before the first record.
    pub fn lane(&self) -> Option<Span> {
        Span::between(Position::ZERO, self.tail)
    }

    /// Not at rest, ascending.
    pub fn live(&self) -> Vec<Span> {
        self.lane()
            .map(|lane| self.done.gaps(lane))
            .unwrap_or_default()
    }

    /// Neither at rest nor cut, ascending.
    pub fn uncut(&self) -> Vec<Span> {
        let Some(lane) = self.lane() else {
            return Vec::new();
        };
        let mut taken = self.done.clone();
        for cut in self.cuts.values() {
            cut.spans.iter().for_each(|span| taken.add(*span));
        }
        taken.gaps(lane)
    }

    /// C1 holds by construction: the tail counts what was accepted, the ledger what is at rest.
    pub fn totals(&self) -> Totals {
        Totals {
            accepted: self.tail.seq.get(),
            accepted_bytes: self.tail.byte,
            delivered: self.rest.delivered,
            failed: self.rest.failed,
            dropped: self.rest.dropped,
            expired: self.rest.expired,
            quarantined: self.rest.quarantined,
            buffered: self.tail.seq.get().saturating_sub(self.done.records()),
            buffered_bytes: self.tail.byte.saturating_sub(self.done.bytes()),
        }
    }

    /// Brings spans to rest; says how many records were not at rest before.
    fn bring_to_rest(&mut self, spans: &[Span]) -> u64 {
        let mut fresh = 0;
        for span in spans {
            // After damage a lane's tail is the highest number that any frame mentions.
            self.tail = self.tail.max(span.end);
            fresh += self
                .done
                .gaps(*span)
                .iter()
                .map(|gap| gap.records())
                .sum::<u64>();
            self.done.add(*span);
        }
        fresh
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

    /// Records that became durable. The answer is what damage took between them and the lane's
    /// tail; `None` where B3 holds, as it always does at run time.
    pub fn add_records(&mut self, header: &Header) -> Option<Span> {
        self.clock = self.clock.max(header.logged);
        let stream = self.streams.get_mut(&header.stream)?;
        let span = Span::between(header.first, header.end())?;
        if header.first.seq < stream.tail.seq {
            return None;
        }
        let hole = Span::between(stream.tail, header.first);
        stream.tail = span.end;
        let segment = header.place.segment;
        match stream.parts.get_mut(&segment) {
            Some(part) => part.span.end = span.end,
            None => {
                let part = Part {
                    span,
                    arrival: header.arrival,
                    logged: header.logged,
                };
                self.insert_part(header.stream, segment, part);
            }
        }
        hole
    }

    pub fn add_cut(&mut self, stream: u32, cut: OpenCut) {
        self.next_cut = self.next_cut.max(cut.id.0 + 1);
        if let Some(stream) = self.streams.get_mut(&stream) {
            for span in &cut.spans {
                stream.tail = stream.tail.max(span.end);
            }
            stream.cuts.insert(cut.id, cut);
        }
    }

    /// Counts without its cut too, which damage may have taken.
    pub fn settle(&mut self, stream: u32, settlement: &Settlement) {
        self.next_cut = self.next_cut.max(settlement.cut.0 + 1);
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        known.cuts.remove(&settlement.cut);
        let fresh = known.bring_to_rest(&settlement.spans);
        match settlement.how {
            Settled::Delivered => known.rest.delivered += fresh,
            Settled::Expired => known.rest.expired += fresh,
        }
        self.drop_dead_parts(stream);
    }

    pub fn quarantine(&mut self, stream: u32, spans: &[Span]) {
        if let Some(known) = self.streams.get_mut(&stream) {
            known.rest.quarantined += known.bring_to_rest(spans);
        }
        self.drop_dead_parts(stream);
    }

    pub fn insert_part(&mut self, stream: u32, segment: u64, part: Part) {
        if let Some(stream) = self.streams.get_mut(&stream)
            && stream.parts.insert(segment, part).is_none()
        {
            *self.live_parts.entry(segment).or_default() += 1;
        }
    }

    /// B4: nothing in the segment is alive.
    pub fn is_dead(&self, segment: u64) -> bool {
        !self.live_parts.contains_key(&segment)
    }

    fn drop_dead_parts(&mut self, stream: u32) {
        let Some(stream) = self.streams.get_mut(&stream) else {
            return;
        };
        let (done, live_parts) = (&stream.done, &mut self.live_parts);
        stream.parts.retain(|segment, part| {
            let dead = done.covers(part.span.range());
            if dead && let Some(count) = live_parts.get_mut(segment) {
                *count -= 1;
                if *count == 0 {
                    live_parts.remove(segment);
                }
            }
            !dead
        });
    }
}
