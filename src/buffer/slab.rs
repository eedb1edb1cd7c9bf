//! The records' bytes of one read: those of small frames copied together, a large one's as they were
//! read.

use bytes::Bytes;

use crate::model::{Spare, limits};

#[derive(Debug)]
pub enum Slab {
    Copied(Vec<u8>),
    /// Of one frame that is enough for a read.
    Shared(Bytes),
}

impl Slab {
    pub fn len(&self) -> usize {
        match self {
            Slab::Copied(bytes) => bytes.len(),
            Slab::Shared(bytes) => bytes.len(),
        }
    }

    pub fn add(&mut self, bytes: Bytes) {
        let is_enough = limits::READ_BYTES_MAX <= bytes.len();
        match self {
            Slab::Copied(copied) if copied.is_empty() && is_enough => *self = Slab::Shared(bytes),
            Slab::Copied(copied) => copied.extend_from_slice(&bytes),
            Slab::Shared(_) => unreachable!("a read ends with a frame that is enough"),
        }
    }

    pub fn into_bytes(self, spare: &Spare) -> Bytes {
        match self {
            Slab::Copied(bytes) => spare.lend(bytes),
            Slab::Shared(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these lengths, and whether they are shared; all of their bytes are there.
    #[track_caller]
    fn check(lengths: &[usize], is_shared: bool) {
        let mut slab = Slab::Copied(Vec::new());
        for length in lengths {
            slab.add(vec![7; *length].into());
        }
        assert_eq!(matches!(slab, Slab::Shared(_)), is_shared);
        let bytes: usize = lengths.iter().sum();
        assert_eq!(slab.len(), bytes);
        assert_eq!(slab.into_bytes(&Spare::new(0)).len(), bytes);
    }

    #[test]
    fn only_a_frame_that_is_enough_for_a_read_is_not_copied() {
        let enough = limits::READ_BYTES_MAX;
        check(&[enough - 1], false);
        check(&[enough], true);
        check(&[0, enough], true);
        check(&[1, enough], false);
        check(&[1, 2, 3], false);
    }
}
