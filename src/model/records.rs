//! Records in the form in which they travel: one slab of bytes beside an index of ends.

use bytes::Bytes;

use crate::model::Spare;

/// Some records, at least one, in order of arrival (D2). Cheap to clone.
///
/// The slab holds the records' bytes back to back, so that paths which only concatenate never look
/// at single records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    slab: Bytes,
    /// Where each record ends in the slab: ascending, the last is the slab's length.
    ends: Vec<u32>,
}

impl Records {
    /// `None` unless the ends ascend and the last one is the slab's length, as in anything read back
    /// from a disk they may not.
    pub fn from_parts(slab: Bytes, ends: Vec<u32>) -> Option<Records> {
        let last = *ends.last()?;
        let ascending = ends.is_sorted();
        (ascending && last as usize == slab.len()).then_some(Records { slab, ends })
    }

    pub fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    pub fn slab(&self) -> &Bytes {
        &self.slab
    }

    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// One record after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.slab[start as usize..end as usize])
    }

    /// The n-th record.
    pub fn record(&self, n: usize) -> &[u8] {
        let start = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.slab[start as usize..self.ends[n] as usize]
    }

    /// The records from the `from`-th up to, but without, the `to`-th.
    pub fn slice(&self, from: usize, to: usize) -> Records {
        assert!(
            from < to && to <= self.ends.len(),
            "a slice is never empty: {from}..{to}"
        );
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        let slab = self.slab.slice(start as usize..self.ends[to - 1] as usize);
        let ends = self.ends[from..to].iter().map(|end| end - start).collect();
        Records { slab, ends }
    }
}

/// Gathers records into one slab.
#[derive(Debug, Default)]
pub struct RecordsBuilder {
    slab: Vec<u8>,
    ends: Vec<u32>,
}

impl RecordsBuilder {
    pub fn with_capacity(bytes: usize, records: usize) -> RecordsBuilder {
        RecordsBuilder {
            slab: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(records),
        }
    }

    /// Fills a spare buffer with up to so many bytes; `lend` ends it.
    pub fn in_spare(spare: &Spare, bytes: usize, records: usize) -> RecordsBuilder {
        RecordsBuilder {
            slab: spare.take(bytes),
            ends: Vec::with_capacity(records),
        }
    }

    /// Bytes of the record that is being written; `end_record` ends it.
    pub fn slab_mut(&mut self) -> &mut Vec<u8> {
        &mut self.slab
    }

    pub fn end_record(&mut self) {
        let end = u32::try_from(self.slab.len()).expect("L1: a frame is far smaller than 4 GiB");
        self.ends.push(end);
    }

    pub fn push(&mut self, record: &[u8]) {
        self.slab.extend_from_slice(record);
        self.end_record();
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.slab.len()
    }

    /// `None` where no record was pushed.
    pub fn build(self) -> Option<Records> {
        Records::from_parts(self.slab.into(), self.ends)
    }

    /// The same, and the buffer comes back to be used again.
    pub fn lend(self, spare: &Spare) -> Option<Records> {
        Records::from_parts(spare.lend(self.slab), self.ends)
    }
}
