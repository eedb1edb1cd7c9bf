//! Finding and reading records in the log, for deliveries and for the size of a batch.
//!
//! Blocking, so callers go through `off_thread`. A reader holds sequence numbers, not places: it
//! looks a place up and pins its segment for one read.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::ReadError;
use super::answers::{Answers, FailedRecord, Told};
use super::frame::{ALIGNMENT, HEADER_BYTES, Header, Kind, Place};
use super::index::{Extent, SegmentIndex};
use super::ledger::{Position, Span};
use super::reader::{Lane, ReaderId};
use super::salvage;
use super::scan::{Depth, Found, Stretch, Window, scan};
use super::shared::{Inner, Shared};
use super::slab::Slab;
use super::state::Sealed;
use crate::model::{ByteSize, Records, Seq, SeqRange, Spare, Timestamp, limits};
use crate::outside::disk::DiskFile;

/// Extents that one read goes through.
const EXTENTS_PER_READ_MAX: usize = 1024;

/// One of a stream's readers, and where it reads.
#[derive(Clone)]
pub struct Reader {
    pub shared: Arc<Shared>,
    pub id: ReaderId,
}

/// Some records of a lane, read back: a dense stretch of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub first: Seq,
    pub records: Records,
    /// From this record on, by its number in `records`, they came at that time.
    pub arrivals: Vec<(u32, Timestamp)>,
    /// Of a transformer's answers: those that failed, which have no bytes in `records`.
    pub failed: Vec<(u32, FailedRecord)>,
}

/// A segment that cannot be recycled for as long as this lives (B4).
pub struct Pinned {
    pub segment: u64,
    pub facts: Sealed,
    pub file: Arc<dyn DiskFile>,
    _pin: Arc<()>,
}

fn disk(cause: io::Error) -> ReadError {
    ReadError::Disk(Arc::new(cause))
}

fn damaged(start: Seq, end: Seq) -> ReadError {
    // An empty range would be our own mistake: somebody asked for a record that is there.
    ReadError::Damaged(SeqRange::new(start, end))
}

impl Reader {
    /// The next records of `range` that are not at rest, from one stretch of the lane.
    pub fn read(&self, range: SeqRange) -> Result<Option<Chunk>, ReadError> {
        let Some(wanted) = self.first_live(range) else {
            return Ok(None);
        };
        let mut gathered = Gathered::starting_at(wanted.start());
        while gathered.next < wanted.end() && gathered.bytes() < limits::READ_BYTES_MAX {
            match self.read_some(wanted, &mut gathered) {
                Ok(()) => {}
                // What was read is good; the next call meets the damage first.
                Err(_) if !gathered.ends.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(gathered.into_chunk(wanted.start(), &self.shared.spare))
    }

    fn first_live(&self, range: SeqRange) -> Option<SeqRange> {
        let inner = self.shared.inner();
        let live = inner.state.streams.get(&self.id.stream)?.live(self.id.kind);
        live.iter().find_map(|span| span.range().shared(range))
    }

    /// Whether none of these records is at rest.
    pub fn are_live(&self, ranges: &[SeqRange]) -> bool {
        let inner = self.shared.inner();
        let stream = inner.state.streams.get(&self.id.stream);
        let live = stream.map(|stream| stream.live(self.id.kind));
        let live = live.unwrap_or_default();
        let is_live = |range: &SeqRange| {
            let mut spans = live.iter().map(|span| span.range());
            spans.any(|span| span.shared(*range) == Some(*range))
        };
        ranges.iter().all(is_live)
    }

    /// Reads on from `gathered.next`, within one segment.
    fn read_some(&self, wanted: SeqRange, gathered: &mut Gathered) -> Result<(), ReadError> {
        let from = gathered.next;
        let (segment, part_end) = self.part_at(from, wanted.end())?;
        let (extents, pinned) = self.with_index(segment, |index| {
            let mut bytes = 0;
            let few = index
                .behind(self.id.lane(), from)
                .iter()
                .take(EXTENTS_PER_READ_MAX);
            let near = few.take_while(|extent| {
                let enough = limits::READ_BYTES_MAX <= bytes;
                bytes += extent.length as usize;
                !enough
            });
            near.copied().collect::<Vec<Extent>>()
        })?;
        if extents.is_empty() {
            return Err(damaged(from, part_end.min(wanted.end())));
        }
        // Longer than that is an extent only with a frame that is enough for itself.
        if gathered.ends.is_empty() && extents[0].length as usize <= limits::READ_BYTES_MAX {
            let bytes = extents.iter().map(|extent| extent.length as usize);
            gathered.slab = Slab::Copied(self.shared.spare.take(bytes.sum()));
        }
        for extent in extents {
            if wanted.end() <= gathered.next || limits::READ_BYTES_MAX <= gathered.slab.len() {
                break;
            }
            if gathered.next < extent.span.start.seq {
                let end = extent.span.start.seq.min(wanted.end());
                return Err(damaged(gathered.next, end));
            }
            self.read_extent(&pinned, extent, wanted, gathered)?;
        }
        Ok(())
    }

    fn read_extent(
        &self,
        pinned: &Pinned,
        extent: Extent,
        wanted: SeqRange,
        gathered: &mut Gathered,
    ) -> Result<(), ReadError> {
        let bytes = pinned.bytes(extent, &self.shared.spare).map_err(disk)?;
        let mut frames = Frames::new(pinned, extent, &bytes);
        while gathered.next < extent.span.end.seq.min(wanted.end()) {
            let lost = |end: Seq| damaged(gathered.next, end.min(wanted.end()));
            let Some((header, frame)) = frames.next() else {
                return Err(lost(extent.span.end.seq));
            };
            if header.end().seq <= gathered.next {
                continue;
            }
            if gathered.next < header.first.seq {
                return Err(lost(header.first.seq));
            }
            let ends = header.ends(frame).filter(|_| header.matches_payload(frame));
            let Some(ends) = ends else {
                return Err(lost(header.end().seq));
            };
            let slab = bytes.slice_ref(header.slab(frame));
            if header.kind == Kind::Answers {
                let Some(told) = Answers::decode_told(header.blocks(frame)) else {
                    return Err(lost(header.end().seq));
                };
                let taken = gathered.add(&header, &slab, &ends, wanted.end());
                gathered.add_told(&taken, told);
            } else {
                let taken = gathered.add(&header, &slab, &ends, wanted.end());
                gathered.arrivals.push((taken.at, header.arrival));
            }
        }
        Ok(())
    }

    /// What is neither cut nor done with, from `from` on.
    pub fn uncut(&self, from: Position) -> Vec<Span> {
        let inner = self.shared.inner();
        let stream = inner.state.streams.get(&self.id.stream);
        let uncut = stream.map(|stream| stream.uncut(self.id.kind));
        let behind = |span: Span| Span::between(span.start.max(from), span.end);
        uncut.into_iter().flatten().filter_map(behind).collect()
    }

    /// The first batch that waits behind `from`: its records, and the extent of its first one.
    pub fn candidate(
        &self,
        from: Position,
        size: ByteSize,
    ) -> Result<Option<(Span, Extent)>, ReadError> {
        let uncut = self.uncut(from).first().copied();
        let Some(uncut) = uncut else {
            return Ok(None);
        };
        let start = uncut.start;
        let (segment, part_end) = self.part_at(start.seq, uncut.end.seq)?;
        let (first, pinned) = self.with_index(segment, |index| {
            index.behind(self.id.lane(), start.seq).first().copied()
        })?;
        let first = match first {
            Some(first) if first.span.start.seq <= start.seq => Extent {
                arrival: self.arrival_at(&pinned, first, start.seq),
                ..first
            },
            Some(later) => return Err(damaged(start.seq, later.span.start.seq.min(uncut.end.seq))),
            None => return Err(damaged(start.seq, part_end.min(uncut.end.seq))),
        };
        let target = start.byte.saturating_add(size.get());
        let end = match uncut.end.byte <= target {
            true => uncut.end,
            false => self.last_end_within(uncut, target)?,
        };
        let span = Span::between(start, end).expect("a batch holds at least its first record");
        Ok(Some((span, first)))
    }

    /// What arrived was logged at once, and so together; but what was answered together may have arrived
    /// a quarter of an hour apart.
    fn arrival_at(&self, pinned: &Pinned, extent: Extent, seq: Seq) -> Timestamp {
        let is_first = seq <= extent.span.start.seq;
        if self.id.lane().lane == Lane::Arrivals || is_first {
            return extent.arrival;
        }
        let bytes = pinned.bytes(extent, &self.shared.spare).unwrap_or_default();
        let mut frames = Frames::new(pinned, extent, &bytes);
        let told = loop {
            match frames.next() {
                Some((header, _)) if header.end().seq <= seq => {}
                Some((header, frame)) if header.matches_payload(frame) => {
                    let entry = seq.get().saturating_sub(header.first.seq.get());
                    let told = Answers::decode_told(header.blocks(frame));
                    break told.and_then(|told| told.arrival(u32::try_from(entry).ok()?));
                }
                // Whoever reads it will meet the damage.
                Some(_) | None => break None,
            }
        };
        told.unwrap_or(extent.arrival)
    }

    /// The last place in `uncut` between two records that is not above `target`; but never before
    /// the end of the first record.
    fn last_end_within(&self, uncut: Span, target: u64) -> Result<Position, ReadError> {
        let part = {
            let inner = self.shared.inner();
            let lane = inner.state.lane(self.id.lane());
            let mut parts = lane.into_iter().flat_map(|lane| &lane.parts);
            let beyond = |span: Span| target < span.end.byte && uncut.start.seq < span.end.seq;
            parts
                .find(|(_, part)| beyond(part.span))
                .map(|(segment, _)| *segment)
        };
        let Some(segment) = part else {
            return Ok(uncut.end);
        };
        let ((below, behind), pinned) =
            self.with_index(segment, |index| index.around(self.id.lane(), target))?;
        let Some(extent) = behind.filter(|behind| behind.span.start.byte <= target) else {
            // What lies at `target` is damaged, so the batch ends before it.
            let end = below
                .map(|below| below.span.end)
                .filter(|end| uncut.start < *end);
            let lost_upto = behind.map_or(uncut.end.seq, |behind| behind.span.start.seq);
            return end.ok_or_else(|| damaged(uncut.start.seq, lost_upto.min(uncut.end.seq)));
        };
        let mut best = uncut.start.max(extent.span.start);
        let bytes = pinned.bytes(extent, &self.shared.spare).map_err(disk)?;
        let mut frames = Frames::new(&pinned, extent, &bytes);
        let mut lost_upto = extent.span.end.seq;
        while let Some((header, frame)) = frames.next() {
            if header.end().seq <= best.seq {
                continue;
            }
            if best.seq < header.first.seq {
                lost_upto = header.first.seq;
                break;
            }
            let ends = header.ends(frame).filter(|_| header.matches_payload(frame));
            let Some(ends) = ends else {
                // Nobody can tell how long its records were, so the batch ends before it.
                lost_upto = header.end().seq;
                break;
            };
            for (number, end) in (1..).zip(ends) {
                let end = header.first.plus(number, u64::from(end));
                if end.seq <= best.seq {
                    continue;
                }
                if target < end.byte && best != uncut.start {
                    return Ok(best);
                }
                best = end;
                if target < end.byte {
                    return Ok(best);
                }
            }
        }
        if best == uncut.start {
            return Err(damaged(best.seq, lost_upto.min(uncut.end.seq)));
        }
        Ok(best)
    }

    /// The segment that holds `seq`, and where the stream's records in it end.
    fn part_at(&self, seq: Seq, end: Seq) -> Result<(u64, Seq), ReadError> {
        let inner = self.shared.inner();
        let lane = inner.state.lane(self.id.lane());
        let mut parts = lane.into_iter().flat_map(|lane| &lane.parts);
        match parts.find(|(_, part)| seq < part.span.end.seq) {
            Some((segment, part)) if part.span.start.seq <= seq => {
                Ok((*segment, part.span.end.seq))
            }
            Some((_, later)) => Err(damaged(seq, later.span.start.seq.min(end))),
            None => Err(damaged(seq, end)),
        }
    }

    /// Asks the segment's index, making it first where it is not in memory.
    pub fn with_index<T>(
        &self,
        segment: u64,
        mut ask: impl FnMut(&SegmentIndex) -> T,
    ) -> Result<(T, Pinned), ReadError> {
        let pinned = {
            let mut inner = self.shared.inner();
            let gone = || io::Error::other("the segment is gone");
            let pinned = pin(&inner, segment).ok_or_else(gone).map_err(disk)?;
            if inner.current.is_some_and(|(id, _)| id == segment) {
                return Ok((ask(&inner.indexes.current), pinned));
            }
            if let Some(index) = inner.indexes.sealed(segment) {
                return Ok((ask(&index), pinned));
            }
            pinned
        };
        let index = Arc::new(pinned.index().map_err(disk)?);
        self.shared.inner().indexes.keep(segment, index.clone());
        Ok((ask(&index), pinned))
    }
}

/// `None` where the segment is not one of the log's any more.
pub fn pin(inner: &Inner, segment: u64) -> Option<Pinned> {
    let file = inner.files.get(&segment)?;
    let current = inner.current.filter(|(id, _)| *id == segment);
    let sealed = || inner.state.segments.get(&segment).copied();
    Some(Pinned {
        segment,
        facts: current.map(|(_, facts)| facts).or_else(sealed)?,
        file: file.file.clone(),
        _pin: file.pin.clone(),
    })
}

impl Pinned {
    /// As far as they can be read; frames that cannot be do not pass their checksums (B5).
    fn bytes(&self, extent: Extent, spare: &Spare) -> io::Result<Bytes> {
        let mut bytes = spare.take(extent.length as usize);
        bytes.resize(extent.length as usize, 0);
        salvage::read(self.file.as_ref(), &mut bytes, u64::from(extent.offset))?;
        Ok(spare.lend(bytes))
    }

    /// From the headers alone; what is damaged is missing.
    fn index(&self) -> io::Result<SegmentIndex> {
        let mut index = SegmentIndex::default();
        let mut window = Window::new(self.file.clone(), self.facts.end);
        let stretch = Stretch {
            segment: self.segment,
            life: self.facts.life,
            from: self.facts.frames_at,
            to: self.facts.end,
        };
        scan(&mut window, stretch, Depth::Headers, |found| match found {
            Found::Frame(header, _) => index.add(&header),
            Found::Rotten(_) | Found::Gap { .. } => {}
        })?;
        Ok(index)
    }
}

/// The frames in an extent's bytes.
struct Frames<'a> {
    segment: u64,
    life: u64,
    offset: u32,
    bytes: &'a [u8],
}

impl<'a> Frames<'a> {
    fn new(pinned: &Pinned, extent: Extent, bytes: &'a [u8]) -> Frames<'a> {
        Frames {
            segment: pinned.segment,
            life: pinned.facts.life,
            offset: extent.offset,
            bytes,
        }
    }

    /// Passes over what is not a frame of records: behind it the rest is as good as before. `None`
    /// at the end.
    fn next(&mut self) -> Option<(Header, &'a [u8])> {
        loop {
            let place = Place {
                segment: self.segment,
                offset: self.offset,
            };
            let header = Header::decode(self.bytes.get(..HEADER_BYTES)?, place, self.life);
            let header = header.filter(|header| header.length as usize <= self.bytes.len());
            let length = header.map_or(ALIGNMENT, |header| header.length as usize);
            let (frame, rest) = self.bytes.split_at(length);
            self.bytes = rest;
            self.offset += length as u32;
            if let Some(header) = header.filter(|header| header.kind.holds_records()) {
                return Some((header, frame));
            }
        }
    }
}

struct Gathered {
    next: Seq,
    slab: Slab,
    ends: Vec<u32>,
    arrivals: Vec<(u32, Timestamp)>,
    failed: Vec<(u32, FailedRecord)>,
}

/// Which of a frame's records were gathered, and the number of the first of them.
struct Taken {
    from: u32,
    to: u32,
    at: u32,
}

impl Gathered {
    fn starting_at(next: Seq) -> Gathered {
        Gathered {
            next,
            slab: Slab::Copied(Vec::new()),
            ends: Vec::new(),
            arrivals: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// In memory: empty records take room as well.
    fn bytes(&self) -> usize {
        let failed = self.failed.iter().map(|(_, record)| record.data.len());
        self.slab.len() + size_of_val(self.ends.as_slice()) + failed.sum::<usize>()
    }

    /// Adds the frame's records from `next` up to `end`.
    fn add(&mut self, header: &Header, slab: &Bytes, ends: &[u32], end: Seq) -> Taken {
        let first = header.first.seq.get();
        let from = (self.next.get() - first) as usize;
        let to = (end.min(header.end().seq).get() - first) as usize;
        let start = if from == 0 { 0 } else { ends[from - 1] };
        let base = self.slab.len() as u32;
        let at = self.ends.len() as u32;
        let bytes = slab.slice(start as usize..ends[to - 1] as usize);
        self.slab.add(bytes);
        let moved = ends[from..to].iter().map(|end| base + (end - start));
        self.ends.extend(moved);
        self.next = end.min(header.end().seq);
        Taken {
            from: from as u32,
            to: to as u32,
            at,
        }
    }

    fn add_told(&mut self, taken: &Taken, told: Told) {
        let Taken { from, to, at } = *taken;
        let first = told.arrival(from).map(|arrival| (from, arrival));
        let later = told.arrivals.iter().copied();
        let later = later.filter(|(index, _)| from < *index && *index < to);
        let runs = first.into_iter().chain(later);
        self.arrivals
            .extend(runs.map(|(index, arrival)| (at + index - from, arrival)));
        let within = told.failed.into_iter();
        let within = within.filter(|(index, _)| (from..to).contains(index));
        self.failed
            .extend(within.map(|(index, record)| (at + index - from, record)));
    }

    fn into_chunk(self, first: Seq, spare: &Spare) -> Option<Chunk> {
        Some(Chunk {
            first,
            records: Records::from_parts(self.slab.into_bytes(spare), self.ends)?,
            arrivals: self.arrivals,
            failed: self.failed,
        })
    }
}
