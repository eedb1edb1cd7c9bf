//! The newest segment's frames, applied to its snapshot.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;

use crate::buffer::entry::{Answer, Effect, Entry};
use crate::buffer::frame::{Draft, Header, Kind};
use crate::buffer::index::SegmentIndex;
use crate::buffer::ledger::{Position, Span};
use crate::buffer::quarantine;
use crate::buffer::reader::LaneId;
use crate::buffer::scan::{Depth, Found, Stretch, Window, scan};
use crate::buffer::segment::Head;
use crate::buffer::state::{OutOfOrder, State};

pub struct Replayed {
    pub state: State,
    pub index: SegmentIndex,
    /// Where what is proven durable ends.
    pub proven_upto: u32,
    /// Whole frames above that.
    pub again: Vec<Entry>,
    pub damaged: Vec<quarantine::Stretch>,
    /// Records that were in what is damaged.
    pub lost: Vec<(LaneId, Span)>,
}

pub fn replay(window: &mut Window, head: &Head, state: State) -> io::Result<Replayed> {
    let whole = Stretch {
        segment: head.id,
        life: head.life,
        from: head.frames_at,
        to: window.end(),
    };
    let proven_upto = proven_upto(window, whole, head.proven_upto)?;
    let mut replayed = Replayed {
        state,
        index: SegmentIndex::default(),
        proven_upto,
        again: Vec::new(),
        damaged: Vec::new(),
        lost: Vec::new(),
    };
    let proven = Stretch {
        to: proven_upto,
        ..whole
    };
    let end = scan(window, proven, Depth::Payloads, |found| {
        replayed.take(found, head.id)
    })?;
    if end < proven_upto {
        // B5: something durable stood here, and nothing of it can be found.
        replayed.damaged.push(quarantine::Stretch {
            segment: head.id,
            offset: end,
            length: proven_upto - end,
        });
    }
    let unproven = Stretch {
        from: proven_upto,
        ..whole
    };
    replayed.again = whole_frames(window, unproven, &replayed.state)?;
    Ok(replayed)
}

/// The highest place below which a valid frame, or the head, says that everything was synced.
fn proven_upto(window: &mut Window, whole: Stretch, head: u32) -> io::Result<u32> {
    let mut highest = head;
    scan(window, whole, Depth::Headers, |found| {
        if let Found::Frame(header, _) | Found::Rotten(header) = found {
            highest = highest.max(header.durable_upto.offset);
        }
    })?;
    Ok(highest.min(whole.to))
}

impl Replayed {
    fn take(&mut self, found: Found<'_>, segment: u64) {
        let start = match &found {
            Found::Frame(header, _) | Found::Rotten(header) => header.place.offset,
            Found::Gap { offset, .. } => *offset,
        };
        let stretch = quarantine::Stretch {
            segment,
            offset: start,
            length: found.end() - start,
        };
        let is_whole = match found {
            Found::Frame(header, frame) => self.apply(&header, frame),
            Found::Rotten(header) => {
                self.mourn(&header);
                false
            }
            Found::Gap { .. } => false,
        };
        if !is_whole {
            self.damaged.push(stretch);
        }
    }

    /// Says whether the frame makes sense.
    fn apply(&mut self, header: &Header, frame: &[u8]) -> bool {
        let Some(effect) = Effect::decode(header, frame) else {
            return false;
        };
        let state = &mut self.state;
        state.clock = state.clock.max(header.logged);
        match effect {
            Effect::Records => {
                let hole = state.add_records(header);
                self.lost.extend(hole.map(|hole| (header.lane(), hole)));
                self.index.add(header);
            }
            Effect::Answers(of) => match state.add_answers(header, of) {
                Ok(hole) => {
                    self.lost.extend(hole.map(|hole| (header.lane(), hole)));
                    self.index.add(header);
                }
                Err(OutOfOrder) => return false,
            },
            Effect::Cut(cut) => state.add_cut(header.reader_id(), cut),
            Effect::Verdict(verdict) => state.add_verdict(header.reader_id(), &verdict),
            Effect::Settle(settlement) => state.settle(header.reader_id(), &settlement),
            Effect::Quarantine(spans) => state.quarantine(header.reader_id(), &spans),
            Effect::End => {}
        }
        true
    }

    /// The records are lost, but their numbers are known. Lost answers are asked for again, unless a
    /// later frame shows that others followed them.
    fn mourn(&mut self, header: &Header) {
        if header.kind != Kind::Records {
            return;
        }
        let hole = self.state.add_records(header);
        self.lost.extend(hole.map(|hole| (header.lane(), hole)));
        let span = Span::between(header.first, header.end());
        self.lost.extend(span.map(|span| (header.lane(), span)));
    }
}

/// What stands above everything proven, up to the first frame that is torn.
fn whole_frames(window: &mut Window, unproven: Stretch, state: &State) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut is_torn = false;
    let mut tails: BTreeMap<LaneId, Position> = BTreeMap::new();
    scan(window, unproven, Depth::Payloads, |found| {
        let entry = match found {
            Found::Frame(header, frame) if !is_torn => {
                let known = state.lane(header.lane()).map(|lane| lane.tail);
                let tail = tails
                    .entry(header.lane())
                    .or_insert(known.unwrap_or_default());
                // B3: a frame whose predecessor is damaged cannot keep its numbers.
                let is_next = *tail == header.first;
                *tail = header.end();
                entry_again(&header, frame).filter(|_| is_next)
            }
            Found::Frame(..) | Found::Rotten(_) | Found::Gap { .. } => None,
        };
        is_torn |= entry.is_none();
        entries.extend(entry);
    })?;
    Ok(entries)
}

fn entry_again(header: &Header, frame: &[u8]) -> Option<Entry> {
    let effect = Effect::decode(header, frame)?;
    let ends: Vec<u8> = match header.kind.holds_records() {
        true => header
            .ends(frame)?
            .iter()
            .flat_map(|end| end.to_le_bytes())
            .collect(),
        false => Vec::new(),
    };
    let draft = Draft {
        kind: header.kind,
        reader: header.reader,
        blocks: Bytes::copy_from_slice(header.blocks(frame)),
        stream: header.stream,
        count: header.count,
        arrival: header.arrival,
        slab: Bytes::copy_from_slice(header.slab(frame)),
        ends: ends.into(),
        payload_crc: header.payload_crc,
    };
    Some(Entry {
        draft,
        effect,
        logged: Some(header.logged),
        answer: Answer::Nobody,
    })
}
