//! How many numbers may have been given out in what is damaged beyond understanding.
//!
//! A frame whose header is destroyed says neither whose records it held nor how many. The next frame
//! of its lane does, by the number that it begins with. Where none follows, as many numbers as could
//! have stood there are never given out again (B3): a record's id is for one record alone.

use std::collections::BTreeMap;

use crate::buffer::frame::HEADER_BYTES;
use crate::buffer::reader::LaneId;

/// Every record of a frame says where it ends, and may be empty.
const RECORD_BYTES_MIN: u64 = 4;

#[derive(Debug, Default)]
pub struct Doubt {
    /// Bytes that nothing understands.
    unknown: u64,
    /// How many of them lie before the last frame of a lane, which tells what they held of it.
    before: BTreeMap<LaneId, u64>,
}

impl Doubt {
    pub fn grow(&mut self, bytes: u32) {
        self.unknown += u64::from(bytes);
    }

    /// A frame says which of the lane's records come next.
    pub fn clear(&mut self, lane: LaneId) {
        self.before.insert(lane, self.unknown);
    }

    /// So many records of the lane, and no more, may have stood behind its last frame.
    pub fn records(&self, lane: LaneId) -> u64 {
        let before = self.before.get(&lane).copied().unwrap_or_default();
        let bytes = self.unknown - before;
        bytes.saturating_sub(HEADER_BYTES as u64) / RECORD_BYTES_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::reader::Lane;

    fn lane(stream: u32) -> LaneId {
        let lane = Lane::Arrivals;
        LaneId { stream, lane }
    }

    #[test]
    fn as_many_numbers_are_in_doubt_as_one_frame_of_empty_records_would_have() {
        for (bytes, records) in [(0, 0), (96, 0), (99, 0), (100, 1), (4096, 1000)] {
            let mut doubt = Doubt::default();
            doubt.grow(bytes);
            assert_eq!(doubt.records(lane(1)), records, "{bytes} bytes");
        }
    }

    #[test]
    fn a_later_frame_clears_its_own_lane_of_what_was_before() {
        let mut doubt = Doubt::default();
        doubt.grow(4096);
        doubt.clear(lane(1));
        assert_eq!((doubt.records(lane(1)), doubt.records(lane(2))), (0, 1000));
        doubt.grow(100);
        assert_eq!((doubt.records(lane(1)), doubt.records(lane(2))), (1, 1025));
    }
}
