//! How large things in a log are, all derived from the size of a segment.

use super::segment::GROUP_ALIGNMENT;
use crate::model::{ByteSize, limits};

/// Room for a snapshot and a few groups.
const TINY_SEGMENT_BYTES: u64 = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub segment_bytes: u32,
    /// All segment files together.
    pub bytes_max: u64,
    /// What one group takes from the queue.
    pub group_bytes_max: usize,
}

/// What the log may take of a file system so large. One that may grow until that is full would stop
/// whatever else writes there.
pub fn size_within(max_size: ByteSize, capacity: u64) -> ByteSize {
    let left = capacity / 100 * (100 - limits::STORAGE_PERCENT_OF_FILE_SYSTEM_MAX);
    let share = capacity - left;
    max_size.min(ByteSize::bytes(share).max(limits::STORAGE_SIZE_MIN))
}

impl Geometry {
    /// Segments are few enough to list and small enough to recycle one by one. A configuration never
    /// has less than `STORAGE_SIZE_MIN`; a simulation does, and gets tiny ones.
    pub fn of(max_size: ByteSize) -> Geometry {
        let least = match max_size < limits::STORAGE_SIZE_MIN {
            true => TINY_SEGMENT_BYTES,
            false => limits::SEGMENT_SIZE_MIN.get(),
        };
        let share = max_size.get() / limits::SEGMENTS_MAX;
        let bounded = share.clamp(least, limits::SEGMENT_SIZE_MAX.get());
        let whole = bounded - bounded % GROUP_ALIGNMENT as u64;
        let segment_bytes = u32::try_from(whole).expect("a segment is below 4 GiB");
        Geometry {
            segment_bytes,
            bytes_max: max_size.get(),
            group_bytes_max: limits::COMMIT_GROUP_BYTES_MAX.min(segment_bytes as usize / 4),
        }
    }

    pub fn segments_max(&self) -> u64 {
        self.bytes_max / u64::from(self.segment_bytes)
    }

    /// One frame's payload. Larger puts are several frames.
    pub fn payload_bytes_max(&self) -> usize {
        limits::FRAME_BYTES_MAX.min(self.segment_bytes as usize / 4)
    }

    /// What one sync makes durable: half a segment, so that it fits beside the next life's snapshot
    /// when recovery has to write it again.
    pub fn stretch_bytes_max(&self) -> usize {
        self.segment_bytes as usize / 2 - GROUP_ALIGNMENT
    }

    /// The plans of all open cuts together, so that a snapshot is bounded.
    pub fn plans_bytes_max(&self) -> usize {
        self.segment_bytes as usize / 16
    }

    /// What a batch that is delivered in parts may take of that.
    pub fn verdicts_bytes_max(&self) -> usize {
        limits::VERDICTS_PER_CUT_BYTES_MAX.min(self.plans_bytes_max() / 4)
    }

    /// Lanes whose tables fit a snapshot: a stream has one, or two behind a transformer.
    pub fn lanes_max(&self) -> usize {
        // What a lane takes for itself, and for its part in each segment, when written out.
        let lane_bytes = 256 + 48 * self.segments_max().min(2 * limits::SEGMENTS_MAX) as usize;
        (self.segment_bytes as usize / 8 / lane_bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_leaves_a_fifth_of_its_file_system_to_others() {
        let check = |max_size: &str, capacity: &str, expected: &str| {
            let capacity = capacity.parse::<ByteSize>().unwrap().get();
            let size = size_within(max_size.parse().unwrap(), capacity);
            assert_eq!(
                size.get() >> 20,
                expected.parse::<ByteSize>().unwrap().get() >> 20
            );
        };
        check("20GiB", "25GiB", "20GiB");
        check("20GiB", "20GiB", "16GiB");
        check("20GiB", "1000MiB", "800MiB");
        // The least that a log needs, wherever it is.
        check("20GiB", "100MiB", "128MiB");
        check("1MiB", "100MiB", "1MiB");
    }

    #[track_caller]
    fn check(max_size: &str, segment: &str) {
        let geometry = Geometry::of(max_size.parse().unwrap());
        let bytes = ByteSize::bytes(u64::from(geometry.segment_bytes));
        assert_eq!(bytes.to_string(), segment);
    }

    #[test]
    fn a_log_has_about_64_segments_within_bounds() {
        check("1MiB", "64KiB");
        check("16MiB", "256KiB");
        check("128MiB", "16MiB");
        check("1GiB", "16MiB");
        check("2GiB", "32MiB");
        check("16GiB", "256MiB");
        check("20GiB", "256MiB");
        check("4TiB", "256MiB");
    }
}
