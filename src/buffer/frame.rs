//! A frame: one append, or one control entry. How it lies on the disk, and how it is told from
//! leftovers.
//!
//! ```text
//! 0        8        12         16          20   21   22    24   32    40           48
//! | magic  | length | header   | payload   |kind|read|flags| life| place| durable    |
//! |        |        | CRC32C   | CRC32C    |    |er  |     |     |      | up to      |
//! 48          56          64      72      80       84      88       92     96
//! | first seq | first byte| arrival| logged| stream | count | blocks | slab | payload …
//! ```
//!
//! The payload is typed blocks (only *answers* have one, see `answers`), the records' bytes in one
//! slab (or a control entry's body), and where each record ends in it (u32 each). Zeros fill up to `length`, a multiple of 8.
//! All numbers are little-endian. The header's checksum is seeded with the segment's id and the
//! life, so what an earlier use of the file left behind never passes; the payload's is computed by
//! the appender, off the commit path, and a frame whose payload alone is rotten still says which
//! records it held.

use bytes::Bytes;

use super::answers::Answers;
use super::ledger::{Position, Span};
use super::reader::{LaneId, ReaderId};
use super::wire::crc32c;
use crate::model::ReaderKind;
use crate::model::{LogTime, Records, Seq, Timestamp};

pub const HEADER_BYTES: usize = 96;
/// Frames begin at multiples of this, so a scan that lost its way looks for the next magic there.
pub const ALIGNMENT: usize = 8;
pub const MAGIC: [u8; 8] = *b"\xf5frame\r\n";

/// Numbers are for good. Reserved: 3 checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Records = 1,
    Answers = 2,
    Cut = 4,
    Verdict = 5,
    Settle = 6,
    Quarantined = 7,
    End = 8,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [
            Kind::Records,
            Kind::Answers,
            Kind::Cut,
            Kind::Verdict,
            Kind::Settle,
            Kind::Quarantined,
            Kind::End,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }

    /// Whether a frame of this kind adds records to a lane.
    pub fn holds_records(self) -> bool {
        match self {
            Kind::Records | Kind::Answers => true,
            Kind::Cut | Kind::Verdict | Kind::Settle | Kind::Quarantined | Kind::End => false,
        }
    }
}

/// A place in the log: segment and offset. Never handed over, and later frames lie higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub segment: u64,
    pub offset: u32,
}

impl Place {
    fn to_u64(self) -> u64 {
        self.segment << 32 | u64::from(self.offset)
    }

    fn from_u64(number: u64) -> Place {
        Place {
            segment: number >> 32,
            offset: number as u32,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the whole frame with its padding.
    pub length: u32,
    pub payload_crc: u32,
    pub kind: Kind,
    /// Whose entry this is; records belong to the lane that it reads.
    pub reader: ReaderKind,
    pub life: u64,
    pub place: Place,
    /// Everything below was synced when this frame was written.
    pub durable_upto: Place,
    /// Where the frame's records start in their lane.
    pub first: Position,
    pub arrival: Timestamp,
    pub logged: LogTime,
    pub stream: u32,
    pub count: u32,
    pub blocks: u32,
    pub slab: u32,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &self.length.to_le_bytes());
        put(16, &self.payload_crc.to_le_bytes());
        // `moved` is the only flag that is spoken for.
        put(20, &[self.kind as u8, self.reader as u8, 0, 0]);
        put(24, &self.life.to_le_bytes());
        put(32, &self.place.to_u64().to_le_bytes());
        put(40, &self.durable_upto.to_u64().to_le_bytes());
        put(48, &self.first.seq.get().to_le_bytes());
        put(56, &self.first.byte.to_le_bytes());
        put(64, &self.arrival.as_millis().to_le_bytes());
        put(72, &self.logged.as_millis().to_le_bytes());
        put(80, &self.stream.to_le_bytes());
        put(84, &self.count.to_le_bytes());
        put(88, &self.blocks.to_le_bytes());
        put(92, &self.slab.to_le_bytes());
        let crc = header_crc(&bytes, self.place.segment, self.life);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// As `decode`, where nothing but the header itself says which life it is of.
    pub fn decode_of_any_life(bytes: &[u8], place: Place) -> Option<Header> {
        let life = bytes.get(24..32)?.try_into().ok()?;
        Header::decode(bytes, place, u64::from_le_bytes(life))
    }

    /// `None` unless these bytes were written as a frame's header at `place` in `life`.
    pub fn decode(bytes: &[u8], place: Place, life: u64) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        if bytes[..8] != MAGIC {
            return None;
        }
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        if u32_at(12) != header_crc(bytes, place.segment, life) {
            return None;
        }
        let header = Header {
            length: u32_at(8),
            payload_crc: u32_at(16),
            kind: Kind::from_byte(bytes[20])?,
            reader: ReaderKind::from_byte(bytes[21])?,
            life: u64_at(24),
            place: Place::from_u64(u64_at(32)),
            durable_upto: Place::from_u64(u64_at(40)),
            first: Position {
                seq: Seq::new(u64_at(48)),
                byte: u64_at(56),
            },
            arrival: Timestamp::from_millis(u64_at(64)),
            logged: LogTime::from_millis(u64_at(72)),
            stream: u32_at(80),
            count: u32_at(84),
            blocks: u32_at(88),
            slab: u32_at(92),
        };
        // B8: a scan stops where the life falls; a frame of another life is not one of this scan.
        let ours = header.place == place && header.life == life;
        (ours && header.holds_its_payload()).then_some(header)
    }

    fn holds_its_payload(&self) -> bool {
        let length = self.length as usize;
        length.is_multiple_of(ALIGNMENT) && HEADER_BYTES + self.payload_bytes() <= length
    }

    pub fn payload_bytes(&self) -> usize {
        self.blocks as usize + self.slab as usize + self.ends_bytes()
    }

    fn ends_bytes(&self) -> usize {
        match self.kind.holds_records() {
            true => 4 * self.count as usize,
            false => 0,
        }
    }

    /// Where the frame's records end in their lane.
    pub fn end(&self) -> Position {
        match self.kind.holds_records() {
            true => self.first.plus(u64::from(self.count), u64::from(self.slab)),
            false => self.first,
        }
    }

    pub fn reader_id(&self) -> ReaderId {
        let (stream, kind) = (self.stream, self.reader);
        ReaderId { stream, kind }
    }

    pub fn lane(&self) -> LaneId {
        self.reader_id().lane()
    }

    /// What it adds to its lane.
    pub fn span(&self) -> Option<Span> {
        Span::between(self.first, self.end())
    }

    /// Whether `frame`, which begins with this header, still has the payload that was written.
    pub fn matches_payload(&self, frame: &[u8]) -> bool {
        let payload = frame.get(HEADER_BYTES..HEADER_BYTES + self.payload_bytes());
        payload.is_some_and(|payload| crc32c(&[payload]) == self.payload_crc)
    }

    pub fn blocks<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        &frame[HEADER_BYTES..HEADER_BYTES + self.blocks as usize]
    }

    /// The records' bytes, or a control entry's body.
    pub fn slab<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let start = HEADER_BYTES + self.blocks as usize;
        &frame[start..start + self.slab as usize]
    }

    /// Where each record ends in the slab; `None` where that makes no sense.
    pub fn ends(&self, frame: &[u8]) -> Option<Vec<u32>> {
        let start = HEADER_BYTES + self.blocks as usize + self.slab as usize;
        let bytes = &frame[start..start + self.ends_bytes()];
        let (ends, _) = bytes.as_chunks::<4>();
        let ends: Vec<u32> = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
        let sensible = ends.is_sorted() && ends.last().copied().unwrap_or(0) == self.slab;
        sensible.then_some(ends)
    }
}

fn header_crc(header: &[u8; HEADER_BYTES], segment: u64, life: u64) -> u32 {
    let (segment, life) = (segment.to_le_bytes(), life.to_le_bytes());
    crc32c(&[&segment, &life, &header[..12], &header[16..]])
}

/// A frame on its way to the log: everything but its place.
#[derive(Clone, Debug)]
pub struct Draft {
    pub kind: Kind,
    pub reader: ReaderKind,
    pub stream: u32,
    pub count: u32,
    pub arrival: Timestamp,
    pub blocks: Bytes,
    pub slab: Bytes,
    pub ends: Bytes,
    pub payload_crc: u32,
}

impl Draft {
    /// Computes the checksum, so it belongs into the appender's task.
    pub fn records(stream: u32, records: &Records, arrival: Timestamp) -> Draft {
        let ends = ends_bytes(records.ends());
        Draft {
            kind: Kind::Records,
            reader: ReaderKind::Arrivals,
            stream,
            count: u32::try_from(records.count()).expect("L1: a put has few records"),
            arrival,
            blocks: Bytes::new(),
            payload_crc: crc32c(&[records.slab(), &ends]),
            slab: records.slab().clone(),
            ends: ends.into(),
        }
    }

    /// One frame of answers; as `records`.
    pub fn answers(stream: u32, answers: &Answers) -> Draft {
        let (blocks, ends) = (answers.encode_blocks(), ends_bytes(&answers.ends));
        Draft {
            kind: Kind::Answers,
            reader: ReaderKind::Answers,
            stream,
            count: u32::try_from(answers.ends.len()).expect("L1: an invocation has few records"),
            arrival: answers.first_arrival,
            payload_crc: crc32c(&[&blocks, &answers.slab, &ends]),
            blocks: blocks.into(),
            slab: answers.slab.clone(),
            ends: ends.into(),
        }
    }

    pub fn control(kind: Kind, reader: ReaderId, body: Vec<u8>, arrival: Timestamp) -> Draft {
        Draft {
            kind,
            reader: reader.kind,
            stream: reader.stream,
            count: 0,
            arrival,
            blocks: Bytes::new(),
            payload_crc: crc32c(&[&body]),
            slab: body.into(),
            ends: Bytes::new(),
        }
    }

    pub fn lane(&self) -> LaneId {
        let (stream, kind) = (self.stream, self.reader);
        ReaderId { stream, kind }.lane()
    }

    /// On the disk, without the padding that a group's last frame gets.
    pub fn length(&self) -> usize {
        let payload = self.blocks.len() + self.slab.len() + self.ends.len();
        (HEADER_BYTES + payload).next_multiple_of(ALIGNMENT)
    }
}

fn ends_bytes(ends: &[u32]) -> Vec<u8> {
    ends.iter().flat_map(|end| end.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_header(slab: u32, count: u32) -> Header {
        Header {
            length: (HEADER_BYTES as u32 + slab + 4 * count).next_multiple_of(8),
            payload_crc: 7,
            kind: Kind::Records,
            reader: ReaderKind::Arrivals,
            life: 3,
            place: Place {
                segment: 9,
                offset: 8192,
            },
            durable_upto: Place {
                segment: 9,
                offset: 4096,
            },
            first: Position::ZERO.plus(5, 50),
            arrival: Timestamp::from_millis(1),
            logged: LogTime::from_millis(2),
            stream: 1,
            count,
            blocks: 0,
            slab,
        }
    }

    proptest! {
        #[test]
        fn a_header_reads_back_as_it_was_written(slab in 0u32..1 << 22, count in 1u32..500) {
            let header = some_header(slab, count);
            prop_assert_eq!(Header::decode(&header.encode(), header.place, 3), Some(header));
        }

        #[test]
        fn one_flipped_bit_spoils_a_header(bit in 0usize..8 * HEADER_BYTES) {
            let header = some_header(100, 1);
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, header.place, 3), None);
        }

        #[test]
        fn no_bytes_make_a_header_panic(bytes: Vec<u8>) {
            prop_assert_eq!(Header::decode(&bytes, Place::default(), 0), None);
        }
    }

    #[test]
    fn b8_a_header_passes_only_at_its_own_place_and_in_its_own_life() {
        let header = some_header(100, 1);
        let bytes = header.encode();
        let elsewhere = Place {
            offset: 4096,
            ..header.place
        };
        let recycled = Place {
            segment: 10,
            ..header.place
        };
        assert_eq!(Header::decode(&bytes, elsewhere, 3), None);
        assert_eq!(Header::decode(&bytes, recycled, 3), None);
        assert_eq!(Header::decode(&bytes, header.place, 4), None);
    }
}
