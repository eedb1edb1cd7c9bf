//! A segment: a file of fixed size that opens with a head and holds groups of frames.
//!
//! ```text
//! 0        8         12       16       20      24       28   32   40     48
//! | magic  | version | prefix | length | CRC32C| proven | 0  | id | life | snapshot …
//! |        |         | CRC32C |        |       | up to  |    |    |      |
//! ```
//!
//! The prefix has a checksum of its own, so that a later format is told from damage. The head is
//! filled up to a multiple of `GROUP_ALIGNMENT` and written twice, against bit rot.

use std::ops::Range;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum};

use super::life;
use super::scan::Window;
use super::wire::crc32c;
use crate::outside::disk::DiskFile;

/// A group of frames begins at a multiple of this: what the page cache writes back at once, and the
/// physical sector of most devices, so that a torn write cannot damage an acknowledged neighbour.
pub const GROUP_ALIGNMENT: usize = 4096;
/// The format that this program writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The highest number in a name of ours: no log gets there, and a place has room for twice that.
const NUMBER_MAX: u64 = 1 << 31;
/// What a device writes whole or not at all, at least.
const SECTOR_BYTES: usize = 512;
const MAGIC: [u8; 8] = *b"\xf5sgmnt\r\n";
const PREFIX_BYTES: usize = 16;
const FIXED_BYTES: usize = 48;

pub fn segment_name(id: u64) -> String {
    format!("segment-{id:020}.log")
}

pub fn free_name(number: u64) -> String {
    format!("free-{number:06}.log")
}

/// The id in a segment's name.
pub fn segment_id(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let id = digits.parse().ok()?;
    (id <= NUMBER_MAX && segment_name(id) == name).then_some(id)
}

/// The number in a free file's name.
pub fn free_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("free-")?.strip_suffix(".log")?;
    let number = digits.parse().ok()?;
    (number <= NUMBER_MAX && free_name(number) == name).then_some(number)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub id: u64,
    pub life: u64,
    /// Where the first group begins. Derived: behind both copies.
    pub frames_at: u32,
    /// Everything below is proven durable by this head: what recovery wrote again.
    pub proven_upto: u32,
    pub snapshot: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Torn, rotten, or never written.
    Invalid,
    Newer(u32),
}

/// Where frames begin behind a head with a snapshot this long.
pub fn frames_at(snapshot_bytes: usize) -> u32 {
    let both = 2 * copy_bytes(snapshot_bytes);
    u32::try_from(both).expect("a snapshot is bounded by its segment")
}

fn copy_bytes(snapshot_bytes: usize) -> usize {
    (FIXED_BYTES + snapshot_bytes).next_multiple_of(GROUP_ALIGNMENT)
}

impl Head {
    /// Both copies.
    pub fn encode(&self) -> Vec<u8> {
        let length = FIXED_BYTES + self.snapshot.len();
        let mut bytes = Vec::with_capacity(2 * copy_bytes(self.snapshot.len()));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&crc32c(&[&bytes[..12]]).to_le_bytes());
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.proven_upto.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.id.to_le_bytes());
        bytes.extend_from_slice(&self.life.to_le_bytes());
        bytes.extend_from_slice(&self.snapshot);
        let crc = body_crc(&bytes);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        bytes.resize(copy_bytes(self.snapshot.len()), 0);
        bytes.extend_from_within(..);
        bytes
    }

    /// The first of the two copies that is whole. The second is looked for in the first half of the
    /// file, where records of a former use may lie, so it must be of this directory (`life`).
    pub fn read(
        window: &mut Window,
        id: u64,
        drawn: Option<u64>,
    ) -> std::io::Result<Result<Head, HeadError>> {
        let first = Head::read_first(window)?;
        if first.as_ref().is_ok_and(|head| head.id == id)
            || matches!(first, Err(HeadError::Newer(_)))
        {
            return Ok(first);
        }
        let half = window.end() / 2;
        for at in (0..half).step_by(GROUP_ALIGNMENT).skip(1) {
            let copy = Head::read_copy(window, at)?;
            if let Ok(head) = copy
                && life::is_of(head.life, drawn)
                && head.id == id
                && head.frames_at == 2 * at
            {
                return Ok(Ok(head));
            }
        }
        Ok(Err(HeadError::Invalid))
    }

    /// The copy at the file's beginning, of whatever segment this file was last. No record ever lies
    /// there.
    pub fn read_first(window: &mut Window) -> std::io::Result<Result<Head, HeadError>> {
        Head::read_copy(window, 0)
    }

    /// Whether the file begins as one that we made: with a head of whatever use, or with zeros. No
    /// more than a sector tells: a power cut may leave any of a head's.
    pub fn may_have_stood(window: &mut Window) -> std::io::Result<bool> {
        let length = SECTOR_BYTES.min(window.end() as usize);
        let first = window.get(0, length)?.unwrap_or_default();
        Ok(first.starts_with(&MAGIC) || first.iter().all(|byte| *byte == 0))
    }

    /// Which of the two copies are not whole, of a head behind which frames begin at `frames_at`.
    pub fn rotten_copies(
        file: Arc<dyn DiskFile>,
        id: u64,
        frames_at: u32,
    ) -> std::io::Result<Vec<Range<u32>>> {
        let half = frames_at / 2;
        let mut window = Window::new(file, frames_at);
        let mut rotten = Vec::new();
        for copy in [0..half, half..frames_at] {
            let read = Head::read_copy(&mut window, copy.start)?;
            if read.ok().is_none_or(|head| head.id != id) {
                rotten.push(copy);
            }
        }
        Ok(rotten)
    }

    fn read_copy(window: &mut Window, at: u32) -> std::io::Result<Result<Head, HeadError>> {
        let Some(fixed) = window.get(at, FIXED_BYTES)? else {
            return Ok(Err(HeadError::Invalid));
        };
        let u32_at = |at: usize| u32::from_le_bytes(fixed[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(fixed[at..at + 8].try_into().expect("8 bytes"));
        let known = fixed[..8] == MAGIC && u32_at(12) == crc32c(&[&fixed[..12]]);
        if !known {
            return Ok(Err(HeadError::Invalid));
        }
        if FORMAT_VERSION < u32_at(8) {
            return Ok(Err(HeadError::Newer(u32_at(8))));
        }
        let (length, crc) = (u32_at(16) as usize, u32_at(20));
        let (proven_upto, id, life) = (u32_at(24), u64_at(32), u64_at(40));
        if length < FIXED_BYTES {
            return Ok(Err(HeadError::Invalid));
        }
        let Some(bytes) = window.get(at, length)? else {
            return Ok(Err(HeadError::Invalid));
        };
        if body_crc(bytes) != crc {
            return Ok(Err(HeadError::Invalid));
        }
        let snapshot = bytes[FIXED_BYTES..].to_vec();
        Ok(Ok(Head {
            id,
            life,
            frames_at: frames_at(snapshot.len()),
            proven_upto,
            snapshot,
        }))
    }
}

fn body_crc(head: &[u8]) -> u32 {
    debug_assert_eq!(
        PREFIX_BYTES + 8,
        24,
        "length and checksum follow the prefix"
    );
    checksum(CrcAlgorithm::Crc32Iscsi, &head[24..]) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            id: 5,
            life: 3 << 32 | 2,
            frames_at: frames_at(5000),
            proven_upto: 20_000,
            snapshot: vec![7; 5000],
        }
    }

    fn read(bytes: Vec<u8>) -> Result<Head, HeadError> {
        let mut file = bytes;
        file.resize(64 * 1024, 0xee);
        let drawn = life::drawn(head().life);
        Head::read(&mut Window::over_bytes(file), 5, Some(drawn)).unwrap()
    }

    #[test]
    fn a_head_reads_back_as_it_was_written() {
        assert_eq!(head().encode().len(), head().frames_at as usize);
        assert_eq!(read(head().encode()), Ok(head()));
    }

    #[test]
    fn one_whole_copy_is_enough() {
        let bytes = head().encode();
        for at in [3, 9, 17, 21, 25, 100, 5000] {
            let mut rotten = bytes.clone();
            rotten[at] ^= 4;
            assert_eq!(read(rotten.clone()), Ok(head()), "flipped at {at}");
            rotten[8192 + at] ^= 4;
            assert_eq!(
                read(rotten),
                Err(HeadError::Invalid),
                "both flipped at {at}"
            );
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let mut bytes = head().encode();
        for start in [0, 8192] {
            bytes[start + 8] = 2;
            let crc = crc32c(&[&bytes[start..start + 12]]);
            bytes[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
        }
        assert_eq!(read(bytes), Err(HeadError::Newer(2)));
    }

    #[test]
    fn any_sectors_of_a_head_may_be_all_that_a_power_cut_left() {
        let stood = |bytes: Vec<u8>| {
            let mut file = bytes;
            file.resize(64 * 1024, 0);
            Head::may_have_stood(&mut Window::over_bytes(file)).unwrap()
        };
        assert!(stood(Vec::new()) && stood(head().encode()));
        // From review: with the first of a fresh file missing, it was taken for damage.
        let mut torn = head().encode();
        torn[..SECTOR_BYTES].fill(0);
        assert!(stood(torn.clone()));
        torn[SECTOR_BYTES - 1] = 1;
        assert!(!stood(torn));
    }

    #[test]
    fn a_name_is_one_of_ours_only_as_we_write_it() {
        assert_eq!(segment_id(&segment_name(77)), Some(77));
        assert_eq!(segment_id("segment-77.log"), None);
        assert_eq!(segment_id("segment-+0000000000000000077.log"), None);
        assert_eq!(free_number(&free_name(3)), Some(3));
        assert_eq!(free_number("free-.log"), None);
        // From review: one above the highest was 0, and the next life took it for the oldest.
        assert_eq!(segment_id(&segment_name(1 << 31)), Some(1 << 31));
        assert_eq!(segment_id(&segment_name((1 << 31) + 1)), None);
        assert_eq!(segment_id(&segment_name(u64::MAX)), None);
        assert_eq!(free_number(&free_name(1 << 31)), Some(1 << 31));
        assert_eq!(free_number(&free_name(u64::MAX)), None);
    }
}
