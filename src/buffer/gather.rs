//! The bytes of a group, gathered for one vectored write: small frames copied together, the slabs of
//! large ones where they are.

use std::io::{self, IoSlice};
use std::ops::Range;

use bytes::Bytes;

use crate::outside::disk::DiskFile;

/// From here on a slice of its own is cheaper than a copy.
const SHARED_BYTES_MIN: usize = 16 * 1024;

#[derive(Debug, Default)]
pub struct Gathered {
    copied: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Copied(Range<usize>),
    Shared(Bytes),
}

impl Gathered {
    pub fn add(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            self.copy(bytes);
        } else {
            self.pieces.push(Piece::Shared(bytes.clone()));
        }
    }

    pub fn copy(&mut self, bytes: &[u8]) {
        let start = self.copied.len();
        self.copied.extend_from_slice(bytes);
        self.copied_from(start);
    }

    pub fn zeros(&mut self, count: usize) {
        let start = self.copied.len();
        self.copied.resize(start + count, 0);
        self.copied_from(start);
    }

    fn copied_from(&mut self, start: usize) {
        let end = self.copied.len();
        match self.pieces.last_mut() {
            Some(Piece::Copied(range)) => range.end = end,
            Some(Piece::Shared(_)) | None => self.pieces.push(Piece::Copied(start..end)),
        }
    }

    pub fn write_to(&self, file: &dyn DiskFile, offset: u32) -> io::Result<()> {
        let slices: Vec<IoSlice<'_>> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Copied(range) => IoSlice::new(&self.copied[range.clone()]),
                Piece::Shared(bytes) => IoSlice::new(bytes),
            })
            .collect();
        file.write_at(&slices, u64::from(offset))
    }
}
