//! Reading what can still be read of a file: a sector that is gone costs itself, not its neighbours.
//!
//! Zeros stand for what is gone. No header and hardly a payload passes its checksum with them, so
//! whatever lay there shows as damage where it is looked at.

use std::io;
use std::ops::Range;

use super::segment::GROUP_ALIGNMENT;
use crate::outside::disk::{DiskFile, is_lost};

/// Fills `buffer`, and says which stretches of the file are gone, ascending. An error is trouble of
/// another kind, which may pass.
pub fn read(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<Vec<Range<u64>>> {
    match file.read_at(buffer, offset) {
        Ok(()) => Ok(Vec::new()),
        Err(error) if is_lost(&error) => read_in_pieces(file, buffer, offset),
        Err(error) => Err(error),
    }
}

fn read_in_pieces(
    file: &dyn DiskFile,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<Vec<Range<u64>>> {
    let there = file.size()?.saturating_sub(offset);
    let there = usize::try_from(there).map_or(buffer.len(), |there| there.min(buffer.len()));
    let (mut rest, cut_off) = buffer.split_at_mut(there);
    let mut gone: Vec<Range<u64>> = Vec::new();
    let mut lose = |start: u64, length: usize| {
        let end = start + length as u64;
        match gone.last_mut() {
            Some(last) if last.end == start => last.end = end,
            Some(_) | None => gone.push(start..end),
        }
    };
    let mut at = offset;
    while !rest.is_empty() {
        // The page cache reads whole pages, so nothing is won by smaller pieces.
        let into_page = at as usize % GROUP_ALIGNMENT;
        let length = rest.len().min(GROUP_ALIGNMENT - into_page);
        let (piece, behind) = rest.split_at_mut(length);
        match file.read_at(piece, at) {
            Ok(()) => {}
            Err(error) if is_lost(&error) => {
                piece.fill(0);
                lose(at, length);
            }
            Err(error) => return Err(error),
        }
        at += length as u64;
        rest = behind;
    }
    if !cut_off.is_empty() {
        cut_off.fill(0);
        lose(at, cut_off.len());
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use expect_test::{Expect, expect};
    use rustix::io::Errno;

    use super::*;

    /// Ones; pages that are gone by their number.
    struct Rotten {
        bytes: u64,
        pages: Vec<u64>,
        error: Errno,
    }

    impl DiskFile for Rotten {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let end = offset + buffer.len() as u64;
            if self.bytes < end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let page = GROUP_ALIGNMENT as u64;
            let touched = offset / page..end.div_ceil(page);
            if self.pages.iter().any(|page| touched.contains(page)) {
                return Err(self.error.into());
            }
            buffer.fill(1);
            Ok(())
        }

        fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<()> {
            unreachable!("it is only read")
        }

        fn allocate(&self, _: u64) -> io::Result<()> {
            unreachable!("it is only read")
        }

        fn sync(&self) -> io::Result<()> {
            unreachable!("it is only read")
        }

        fn size(&self) -> io::Result<u64> {
            Ok(self.bytes)
        }
    }

    /// Reads `range` of a file of that many bytes.
    #[track_caller]
    fn check(bytes: u64, pages: &[u64], range: Range<u64>, expected: Expect) {
        let file = Rotten {
            bytes,
            pages: pages.to_vec(),
            error: Errno::IO,
        };
        let mut buffer = vec![7; (range.end - range.start) as usize];
        let gone = read(&file, &mut buffer, range.start).unwrap();
        for (at, byte) in (range.start..).zip(&buffer) {
            let is_gone = gone.iter().any(|gone| gone.contains(&at));
            assert_eq!(*byte, u8::from(!is_gone), "at {at}");
        }
        expected.assert_eq(&format!("{gone:?}"));
    }

    #[test]
    fn a_page_that_is_gone_costs_itself() {
        check(40_960, &[], 0..40_960, expect!["[]"]);
        check(40_960, &[2], 0..40_960, expect!["[8192..12288]"]);
        check(
            40_960,
            &[2, 3, 9],
            100..40_960,
            expect!["[8192..16384, 36864..40960]"],
        );
        check(40_960, &[2], 8_200..8_300, expect!["[8200..8300]"]);
        check(40_960, &[2], 12_288..12_300, expect!["[]"]);
    }

    #[test]
    fn a_file_that_was_cut_short_is_read_to_its_end() {
        check(10_000, &[], 9_000..11_000, expect!["[10000..11000]"]);
        check(10_000, &[2], 8_000..12_000, expect!["[8192..12000]"]);
        check(10_000, &[], 20_000..20_010, expect!["[20000..20010]"]);
    }

    #[test]
    fn other_trouble_is_no_damage() {
        let file = Rotten {
            bytes: 40_960,
            pages: vec![0],
            error: Errno::NOMEM,
        };
        let error = read(&file, &mut [0; 10], 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
