//! Large buffers, used again.
//!
//! A fresh one costs as much as what it is filled with: the kernel clears its pages first, and the
//! allocator soon gives them back. What is lent out comes back when its last reader is done.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that nobody uses now, up to a bound (L1). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spare(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// What they take together.
    bytes: usize,
}

/// Smaller ones cost the allocator nothing.
const WORTH_KEEPING_BYTES: usize = 16 * 1024;
/// A buffer is not given to who would leave more than so many times its need unused.
const TOO_LARGE_TIMES: usize = 4;

impl Spare {
    pub fn new(bytes_max: usize) -> Spare {
        Spare(Arc::new(Shelf {
            bytes_max,
            kept: Mutex::default(),
        }))
    }

    /// An empty buffer with room for so many bytes.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        if bytes < WORTH_KEEPING_BYTES {
            return Vec::with_capacity(bytes);
        }
        let kept = self.0.take(bytes..=bytes.saturating_mul(TOO_LARGE_TIMES));
        // In steps, so that the next one, a little larger, finds it large enough.
        kept.unwrap_or_else(|| Vec::with_capacity(bytes.next_multiple_of(WORTH_KEEPING_BYTES)))
    }

    /// The bytes for whoever reads them; the buffer comes back when nobody does any more.
    pub fn lend(&self, buffer: Vec<u8>) -> Bytes {
        match WORTH_KEEPING_BYTES <= buffer.capacity() {
            true => Bytes::from_owner(Lent {
                buffer,
                shelf: self.0.clone(),
            }),
            false => Bytes::from(buffer),
        }
    }
}

impl Shelf {
    fn take(&self, capacities: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<u8>| capacities.contains(&buffer.capacity());
        // The last one used is the likeliest to be in the processor's cache.
        let at = kept.buffers.iter().rposition(fits)?;
        let buffer = kept.buffers.remove(at);
        kept.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn keep(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + buffer.capacity() <= self.bytes_max {
            kept.bytes += buffer.capacity();
            kept.buffers.push(buffer);
        }
    }
}

struct Lent {
    buffer: Vec<u8>,
    shelf: Arc<Shelf>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shelf.keep(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn kept(spare: &Spare) -> usize {
        spare.0.kept.lock().unwrap().bytes / KIB
    }

    fn lent(spare: &Spare, bytes: usize) -> Bytes {
        let mut buffer = spare.take(bytes);
        assert!(buffer.is_empty(), "nothing of the last reader is left");
        buffer.resize(bytes, 7);
        spare.lend(buffer)
    }

    #[test]
    fn a_buffer_comes_back_when_its_last_reader_is_done() {
        let spare = Spare::new(64 * KIB);
        let (first, second) = (lent(&spare, 20 * KIB), lent(&spare, 20 * KIB));
        let part = first.slice(..1);
        drop((first, second));
        assert_eq!(kept(&spare), 32);
        drop(part);
        assert_eq!(kept(&spare), 64);
        drop(lent(&spare, 30 * KIB));
        assert_eq!(kept(&spare), 64, "it was one of the two");
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let spare = Spare::new(64 * KIB);
        drop([16; 5].map(|kib| lent(&spare, kib * KIB)));
        assert_eq!(kept(&spare), 64);
    }

    #[test]
    fn a_buffer_goes_only_to_who_needs_a_quarter_of_it() {
        let spare = Spare::new(64 * KIB);
        drop(lent(&spare, 64 * KIB));
        let small = lent(&spare, 16 * KIB - 1);
        assert_eq!(kept(&spare), 64, "not worth keeping, nor asking for one");
        drop((small, lent(&spare, 16 * KIB)));
        assert_eq!(kept(&spare), 64);
        let spare = Spare::new(128 * KIB);
        drop(lent(&spare, 80 * KIB));
        drop(lent(&spare, 16 * KIB));
        assert_eq!(kept(&spare), 96, "80 is more than four times 16");
    }
}
