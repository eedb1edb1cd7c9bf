//! What stands above everything that is proven durable: at most one group of each segment.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::chain::Link;
use super::replay::Replayed;
use crate::buffer::entry::{Answer, Effect, Entry};
use crate::buffer::frame::{Draft, Header, Kind, Place};
use crate::buffer::ledger::{Position, Span};
use crate::buffer::quarantine;
use crate::buffer::reader::LaneId;
use crate::buffer::scan::{Depth, Found, Window, scan};

/// A whole frame that was written, but perhaps never synced.
pub struct Unproven {
    pub header: Header,
    pub entry: Entry,
}

/// What the frames of a segment without a head say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Numbers of what was unproven before are given out again.
    pub takes_back: bool,
    /// It cannot be what a new life writes again before its head: there is something in between.
    pub goes_beyond: bool,
}

pub fn survey(window: &mut Window, link: &Link, before: &Replayed) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let mut tails = before.tails();
    let taken = |header: &Header| {
        let mut unproven = before.unproven.iter().map(|known| &known.header);
        unproven.any(|known| is_of_lane(known, header.lane()) && header.first.seq < known.end().seq)
    };
    let said_again = |effect: &Option<Effect>| {
        let mut unproven = before.unproven.iter().map(|known| &known.entry.effect);
        match effect {
            Some(Effect::Cut(cut)) => {
                unproven.any(|known| matches!(known, Effect::Cut(known) if known.id == cut.id))
            }
            // All of them may have been dropped, so that they left no entry.
            Some(Effect::Answers(of)) => unproven.any(|known| {
                matches!(known, Effect::Answers(known) if known.range().shared(of.range()).is_some())
            }),
            Some(
                Effect::Records
                | Effect::Verdict(_)
                | Effect::Settle(_)
                | Effect::Quarantine(_)
                | Effect::End,
            )
            | None => false,
        }
    };
    let mut is_torn = false;
    let whole = link.stretch(link.frames_at, link.size);
    scan(window, whole, Depth::Payloads, |found| {
        let (header, frame) = match found {
            Found::Frame(header, frame) => (header, Some(frame)),
            Found::Rotten(header) => (header, None),
            Found::Gap { .. } => {
                is_torn = true;
                return;
            }
        };
        let effect = frame.and_then(|frame| Effect::decode(&header, frame));
        survey.takes_back |= header.kind.holds_records() && taken(&header);
        survey.takes_back |= said_again(&effect);
        if !is_torn && header.kind != Kind::End {
            let tail = tails.get(&header.lane()).copied();
            survey.goes_beyond |= match header.kind.holds_records() {
                true => tail.is_none_or(|tail| tail.seq < header.first.seq),
                false => tail.is_none(),
            };
        }
        if header.kind.holds_records() {
            tails.insert(header.lane(), header.end());
        }
        is_torn |= frame.is_none();
    })?;
    Ok(survey)
}

/// Adds what stands above the link's proven end, up to the first frame that is torn.
pub fn gather(window: &mut Window, link: &Link, into: &mut Replayed) -> io::Result<()> {
    let above = link.stretch(link.proven_upto, link.size);
    let mut gathering = Gathering {
        segment: link.id,
        tails: into.tails(),
        torn: None,
        behind: Vec::new(),
        into,
    };
    let end = scan(window, above, Depth::Payloads, |found| {
        gathering.meet(found)
    })?;
    let Gathering {
        torn,
        mut behind,
        into,
        ..
    } = gathering;
    into.torn = torn.as_ref().map(|torn| Place {
        segment: link.id,
        offset: torn.start,
    });
    let broken = torn.unwrap_or(end..window.gone_upto(end));
    // A torn write leaves old bytes, never a sector that cannot be read: this was whole once.
    if window.is_gone(broken.start, broken.end) {
        into.add_damage(stretch(link.id, &broken));
        behind.retain(|header| header.durable_upto.offset == link.proven_upto);
        mourn(&behind, into);
    }
    Ok(())
}

struct Gathering<'a> {
    segment: u64,
    tails: BTreeMap<LaneId, Position>,
    /// The first that does not count, and with it all that follow.
    torn: Option<Range<u32>>,
    behind: Vec<Header>,
    into: &'a mut Replayed,
}

impl Gathering<'_> {
    fn meet(&mut self, found: Found<'_>) {
        let range = found.start()..found.end();
        let (header, entry) = match found {
            Found::Frame(header, frame) => (header, entry_again(&header, frame)),
            Found::Rotten(header) => (header, None),
            Found::Gap { .. } => {
                self.torn.get_or_insert(range);
                return;
            }
        };
        let Some(entry) = entry.filter(|_| self.torn.is_none()) else {
            self.torn.get_or_insert(range);
            self.behind.push(header);
            return;
        };
        if !self.into.knows_stream_of(&header) {
            self.into.add_damage(stretch(self.segment, &range));
            return;
        }
        let mut known = self.into.unproven.iter();
        if known.any(|known| is_copy(&known.header, &header)) {
            return;
        }
        if header.kind.holds_records() && !self.follows(&header) {
            self.torn = Some(range);
            self.behind.push(header);
            return;
        }
        // The log clock never goes back: it would leap ahead once this is proven.
        let clock = &mut self.into.state.clock;
        *clock = (*clock).max(header.logged);
        self.into.unproven.push(Unproven { header, entry });
    }

    /// B3: a frame whose predecessor is torn cannot keep its numbers; but a hole below what is
    /// unproven was acknowledged, and is missed. Answers are asked for again instead.
    fn follows(&mut self, header: &Header) -> bool {
        let tail = self.tails.entry(header.lane()).or_default();
        let mut known = self.into.unproven.iter().map(|known| &known.header);
        let is_first = !known.any(|known| is_of_lane(known, header.lane()));
        let may_miss = is_first && header.kind == Kind::Records;
        let follows = header.first.seq == tail.seq || may_miss && tail.seq < header.first.seq;
        if follows {
            let hole = Span::between(*tail, header.first);
            let hole = hole.map(|hole| (header.lane(), hole));
            self.into.lost.extend(hole);
            self.into.doubt.clear(header.lane());
            *tail = header.end();
        }
        follows
    }
}

fn stretch(segment: u64, range: &Range<u32>) -> quarantine::Stretch {
    quarantine::Stretch {
        segment,
        offset: range.start,
        length: range.end - range.start,
    }
}

fn is_of_lane(header: &Header, lane: LaneId) -> bool {
    header.kind.holds_records() && header.lane() == lane
}

/// Their records may have been acknowledged.
fn mourn(behind: &[Header], into: &mut Replayed) {
    let mut tails = into.tails();
    for header in behind {
        if header.kind != Kind::Records || !into.knows_stream_of(header) {
            continue;
        }
        let tail = tails.entry(header.lane()).or_default();
        let span = Span::between(*tail, header.end());
        *tail = (*tail).max(header.end());
        let lost = span.map(|span| (header.lane(), span, header.arrival));
        into.lost_unproven.extend(lost);
    }
}

/// Whether a new life wrote the same again.
fn is_copy(known: &Header, header: &Header) -> bool {
    let what = |header: &Header| {
        let whose = (header.stream, header.reader);
        (header.kind, whose, header.first, header.payload_crc)
    };
    known.place.segment != header.place.segment && what(known) == what(header)
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
