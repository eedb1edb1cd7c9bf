//! The frames of the newest segments, applied to the snapshot of the highest head.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::chain::{Chain, Link, Origin};
use super::doubt::Doubt;
use super::unproven::{self, Unproven};
use crate::buffer::OpenError;
use crate::buffer::entry::Effect;
use crate::buffer::frame::{HEADER_BYTES, Header, Kind, Place};
use crate::buffer::index::SegmentIndex;
use crate::buffer::ledger::{Position, Span};
use crate::buffer::quarantine;
use crate::buffer::reader::LaneId;
use crate::buffer::scan::{Depth, Found, Window, scan};
use crate::buffer::segment::{frames_at, segment_name};
use crate::buffer::snapshot;
use crate::buffer::state::{OutOfOrder, Sealed, State};
use crate::model::Timestamp;
use crate::outside::disk::DiskFile;

/// What the chain comes to.
pub struct Replayed {
    /// After everything that is proven durable.
    pub state: State,
    /// Those that were replayed, ascending.
    pub segments: Vec<Standing>,
    /// Whole frames above that, in order.
    pub unproven: Vec<Unproven>,
    pub damaged: Vec<quarantine::Stretch>,
    /// Records that were in what is damaged.
    pub lost: Vec<(LaneId, Span)>,
    /// The same above everything proven: behind the frames there.
    pub lost_unproven: Vec<(LaneId, Span, Timestamp)>,
    /// What is damaged beyond understanding, as far as no later frame tells what it held.
    pub doubt: Doubt,
    /// Where the last segment's first frame that is not whole stands.
    pub torn: Option<Place>,
    /// Segments that lost their heads.
    pub headless: Vec<u64>,
    /// Of the last segment whose head is, or was, durable.
    life: u64,
}

/// A segment that was replayed.
pub struct Standing {
    pub id: u64,
    /// Its end is where what is proven durable ends.
    pub sealed: Sealed,
    pub index: SegmentIndex,
    pub file: Arc<dyn DiskFile>,
}

pub fn replay(chain: Chain) -> Result<Replayed, OpenError> {
    let mut replayed = Replayed {
        life: chain.state.life,
        state: chain.state,
        segments: Vec::new(),
        unproven: Vec::new(),
        damaged: Vec::new(),
        lost: Vec::new(),
        lost_unproven: Vec::new(),
        doubt: Doubt::default(),
        torn: None,
        headless: Vec::new(),
    };
    for link in chain.links {
        replayed.follow(link)?;
    }
    Ok(replayed)
}

impl Replayed {
    /// By lane: where the next frame's records start.
    pub fn tails(&self) -> BTreeMap<LaneId, Position> {
        let lanes = self.state.lanes();
        let mut tails: BTreeMap<LaneId, Position> =
            lanes.map(|(id, lane)| (id, lane.tail)).collect();
        for Unproven { header, .. } in &self.unproven {
            if header.kind.holds_records() {
                tails.insert(header.lane(), header.end());
            }
        }
        tails
    }

    fn follow(&mut self, link: Link) -> Result<(), OpenError> {
        let failed = |cause| OpenError::disk("read", segment_name(link.id), cause);
        let mut window = link.window();
        match link.origin {
            Origin::Head => self.life = link.life,
            Origin::Frames { missing } => {
                let survey = unproven::survey(&mut window, &link, self).map_err(failed)?;
                let is_rotten = self.life == link.life
                    || link.frames_at < link.proven_upto
                    || survey.goes_beyond;
                if is_rotten {
                    if let Some(missing) = missing {
                        return Err(OpenError::HeadLost {
                            name: segment_name(link.id),
                            missing: segment_name(missing),
                        });
                    }
                    self.do_without_head(&link, survey.takes_back);
                }
            }
        }
        let sealed = Sealed {
            life: link.life,
            frames_at: link.frames_at,
            end: link.proven_upto,
        };
        self.segments.push(Standing {
            id: link.id,
            sealed,
            index: SegmentIndex::default(),
            file: link.file.clone(),
        });
        self.take_proven(&mut window, &link).map_err(failed)?;
        unproven::gather(&mut window, &link, self).map_err(failed)
    }

    /// The segment's head was durable once, and is lost. What nothing proves in the segments before
    /// it either counts, or its numbers were given out again here: after a failed sync, or because a
    /// new life wrote it again.
    fn do_without_head(&mut self, link: &Link, takes_back: bool) {
        self.life = link.life;
        self.headless.push(link.id);
        self.add_damage(quarantine::Stretch {
            segment: link.id,
            offset: 0,
            length: link.frames_at,
        });
        let unproven = std::mem::take(&mut self.unproven);
        let lost = std::mem::take(&mut self.lost_unproven);
        if takes_back {
            return;
        }
        for Unproven { header, entry } in unproven {
            if !self.apply(&header, entry.effect) {
                continue;
            }
            let place = header.place;
            let mut segments = self.segments.iter_mut();
            if let Some(standing) = segments.find(|standing| standing.id == place.segment) {
                standing.sealed.end = place.offset + header.length;
                standing.index.add(&header);
            }
        }
        let lost = lost.into_iter().map(|(stream, span, _)| (stream, span));
        self.lost.extend(lost);
        let behind_head = link.frames_at.saturating_sub(self.head_bytes_min());
        self.doubt.grow(behind_head);
    }

    /// How long a head of the state as it is would be at least: that of a segment that lost its own.
    fn head_bytes_min(&self) -> u32 {
        let mut state = self.state.clone();
        let live = self.state.segments.iter();
        let live = live.filter(|(segment, _)| !self.state.is_dead(**segment));
        state.segments = live.map(|(segment, sealed)| (*segment, *sealed)).collect();
        frames_at(snapshot::encode(&state).len())
    }

    fn take_proven(&mut self, window: &mut Window, link: &Link) -> io::Result<()> {
        let proven = link.stretch(link.frames_at, link.proven_upto);
        let end = scan(window, proven, Depth::Payloads, |found| {
            self.take(found, link.id)
        })?;
        if end < link.proven_upto {
            // B5: something durable stood here, and nothing of it can be found.
            self.doubt.grow(link.proven_upto - end);
            self.add_damage(quarantine::Stretch {
                segment: link.id,
                offset: end,
                length: link.proven_upto - end,
            });
        }
        Ok(())
    }

    fn take(&mut self, found: Found<'_>, segment: u64) {
        let offset = found.start();
        let stretch = quarantine::Stretch {
            segment,
            offset,
            length: found.end() - offset,
        };
        let is_whole = match found {
            Found::Frame(header, frame) => {
                let effect = Effect::decode(&header, frame);
                let is_applied = effect.is_some_and(|effect| self.apply(&header, effect));
                if is_applied && let Some(standing) = self.segments.last_mut() {
                    standing.index.add(&header);
                }
                is_applied
            }
            Found::Rotten(header) => {
                self.mourn(&header);
                false
            }
            Found::Gap { length, .. } => {
                self.doubt.grow(length);
                false
            }
        };
        if !is_whole {
            self.add_damage(stretch);
        }
    }

    /// Says whether the frame makes sense.
    fn apply(&mut self, header: &Header, effect: Effect) -> bool {
        if !self.knows_stream_of(header) {
            return false;
        }
        let state = &mut self.state;
        state.clock = state.clock.max(header.logged);
        match effect {
            Effect::Records => {
                let tail = state.lane(header.lane()).map(|lane| lane.tail);
                if tail.is_some_and(|tail| header.first.seq < tail.seq) {
                    return false;
                }
                let hole = state.add_records(header);
                self.lost.extend(hole.map(|hole| (header.lane(), hole)));
                self.doubt.clear(header.lane());
            }
            Effect::Answers(of) => match state.add_answers(header, of) {
                Ok(hole) => {
                    self.lost.extend(hole.map(|hole| (header.lane(), hole)));
                    self.doubt.clear(header.lane());
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

    /// A stream that is new with a head that is lost has no name any more; its number is not given
    /// out again.
    pub fn knows_stream_of(&mut self, header: &Header) -> bool {
        let known = header.kind == Kind::End || self.state.streams.contains_key(&header.stream);
        if !known {
            let next = header.stream.saturating_add(1);
            self.state.next_stream = self.state.next_stream.max(next);
        }
        known
    }

    /// The records are lost, but their numbers are known. Lost answers are asked for again, unless a
    /// later frame shows that others followed them.
    fn mourn(&mut self, header: &Header) {
        if header.kind != Kind::Records || !self.knows_stream_of(header) {
            return;
        }
        self.doubt.clear(header.lane());
        let hole = self.state.add_records(header);
        self.lost.extend(hole.map(|hole| (header.lane(), hole)));
        let span = Span::between(header.first, header.end());
        self.lost.extend(span.map(|span| (header.lane(), span)));
    }

    /// As many cuts may have been there as headers fit, and their ids are never used again (D3).
    pub fn add_damage(&mut self, stretch: quarantine::Stretch) {
        self.state.next_cut += u64::from(stretch.length) / HEADER_BYTES as u64;
        self.damaged.push(stretch);
    }
}
