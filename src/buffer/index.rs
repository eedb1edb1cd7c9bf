//! Where in a segment a lane's records lie, frame by frame.
//!
//! Only the segment that is being written and those that are being read have one in memory: a
//! backlog of small puts would otherwise need gigabytes. Any other is made again by reading the
//! segment's headers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::frame::Header;
use super::ledger::Span;
use super::reader::LaneId;
use crate::model::{LogTime, Seq, Timestamp, limits};

/// Extents of sealed segments kept in memory: 64 bytes each.
const SEALED_EXTENTS_MAX: usize = 512 * 1024;

/// Frames of one lane that lie back to back and were logged at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub span: Span,
    pub offset: u32,
    pub length: u32,
    /// Of the first frame.
    pub arrival: Timestamp,
    pub logged: LogTime,
}

/// The extents of one segment, by lane.
#[derive(Clone, Debug, Default)]
pub struct SegmentIndex {
    lanes: BTreeMap<LaneId, Vec<Extent>>,
    count: usize,
}

impl SegmentIndex {
    pub fn add(&mut self, header: &Header) {
        let Some(span) = header.span() else {
            return;
        };
        let extents = self.lanes.entry(header.lane()).or_default();
        if let Some(last) = extents.last_mut()
            && last.offset + last.length == header.place.offset
            && last.span.end == span.start
            && last.logged == header.logged
            && (last.length + header.length) as usize <= limits::READ_BYTES_MAX
        {
            last.span.end = span.end;
            last.length += header.length;
            return;
        }
        self.count += 1;
        extents.push(Extent {
            span,
            offset: header.place.offset,
            length: header.length,
            arrival: header.arrival,
            logged: header.logged,
        });
    }

    /// The extents of `lane` from the one that holds `seq`, or the first behind it.
    pub fn behind(&self, lane: LaneId, seq: Seq) -> &[Extent] {
        let extents = self.lanes.get(&lane).map_or(&[][..], Vec::as_slice);
        let first = extents.partition_point(|extent| extent.span.end.seq <= seq);
        &extents[first..]
    }

    /// The last extent that ends at or below `byte`, and the one behind it.
    pub fn around(&self, lane: LaneId, byte: u64) -> (Option<Extent>, Option<Extent>) {
        let extents = self.lanes.get(&lane).map_or(&[][..], Vec::as_slice);
        let first = extents.partition_point(|extent| extent.span.end.byte <= byte);
        let below = first.checked_sub(1).map(|below| extents[below]);
        (below, extents.get(first).copied())
    }
}

/// The indexes that are in memory.
#[derive(Debug, Default)]
pub struct Indexes {
    /// Of the segment that is being written.
    pub current: SegmentIndex,
    /// Of sealed ones, the last used last.
    sealed: VecDeque<(u64, Arc<SegmentIndex>)>,
}

impl Indexes {
    /// The current segment is sealed under this id.
    pub fn seal(&mut self, segment: u64) {
        let index = std::mem::take(&mut self.current);
        self.keep(segment, Arc::new(index));
    }

    /// Keeps an index, at the cost of those that were not used for longest.
    pub fn keep(&mut self, segment: u64, index: Arc<SegmentIndex>) {
        self.forget(segment);
        self.sealed.push_back((segment, index));
        let extents = |kept: &VecDeque<(u64, Arc<SegmentIndex>)>| -> usize {
            kept.iter().map(|(_, index)| index.count).sum()
        };
        while 1 < self.sealed.len() && SEALED_EXTENTS_MAX < extents(&self.sealed) {
            self.sealed.pop_front();
        }
    }

    pub fn forget(&mut self, segment: u64) {
        self.sealed.retain(|(id, _)| *id != segment);
    }

    pub fn sealed(&mut self, segment: u64) -> Option<Arc<SegmentIndex>> {
        let at = self.sealed.iter().position(|(id, _)| *id == segment)?;
        let entry = self.sealed.remove(at)?;
        let index = entry.1.clone();
        self.sealed.push_back(entry);
        Some(index)
    }

    /// As `sealed`, for a look that needs no precision.
    pub fn peek(&self, segment: u64) -> Option<&SegmentIndex> {
        let found = self.sealed.iter().find(|(id, _)| *id == segment);
        found.map(|(_, index)| index.as_ref())
    }
}
