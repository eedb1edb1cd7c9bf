//! The id that a producer gets for a record: opaque to it, traceable for us.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::{DirectoryId, Seq};

/// 224 characters of base64, as long as Firehose's. They hold the directory, the stream's number in
/// that directory's log and the record's sequence number; the rest is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId {
    pub directory: DirectoryId,
    pub stream: u32,
    pub seq: Seq,
}

const BYTES: usize = 168;
/// How many of them may be other than zero; and, a multiple of three, how many are encoded.
const TELLING_BYTES: usize = 28;
const ENCODED_BYTES: usize = 30;
/// Where the sequence number stands: from a multiple of three to another.
const SEQ_BYTES: Range<usize> = 18..ENCODED_BYTES;
const SEQ_CHARACTERS: Range<usize> = SEQ_BYTES.start / 3 * 4..SEQ_BYTES.end / 3 * 4;

/// How many characters an id has.
pub const RECORD_ID_CHARACTERS: usize = 224;

/// The zeros at an id's end, in base64.
const ZEROS: &str = {
    const TEXT: [u8; RECORD_ID_CHARACTERS - ENCODED_BYTES / 3 * 4] =
        [b'A'; RECORD_ID_CHARACTERS - ENCODED_BYTES / 3 * 4];
    match std::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
};

impl RecordId {
    /// Appends the id's text.
    pub fn write_to(&self, text: &mut String) {
        STANDARD_NO_PAD.encode_string(self.bytes(), text);
        text.push_str(ZEROS);
    }

    /// Turns the text of another record's id, of the same stream, into this one's. A put answers up
    /// to 500 ids: what they have in common is not worth encoding each time.
    pub fn write_over(&self, text: &mut [u8]) {
        let seq = &self.bytes()[SEQ_BYTES];
        let encoded = STANDARD_NO_PAD.encode_slice(seq, &mut text[SEQ_CHARACTERS]);
        encoded.expect("12 bytes are 16 characters");
    }

    fn bytes(&self) -> [u8; ENCODED_BYTES] {
        let mut bytes = [0; ENCODED_BYTES];
        bytes[..16].copy_from_slice(&self.directory.0.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.stream.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.seq.get().to_be_bytes());
        bytes
    }

    /// `None` where the text is not one of ours.
    pub fn parse(text: &str) -> Option<RecordId> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let known = bytes.len() == BYTES && bytes[TELLING_BYTES..].iter().all(|&byte| byte == 0);
        known.then(|| RecordId {
            directory: DirectoryId(u128::from_be_bytes(
                bytes[..16].try_into().expect("16 bytes"),
            )),
            stream: u32::from_be_bytes(bytes[16..20].try_into().expect("4 bytes")),
            seq: Seq::new(u64::from_be_bytes(
                bytes[20..28].try_into().expect("8 bytes"),
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_as_long_as_firehoses_and_tells_where_the_record_stands() {
        let id = RecordId {
            directory: DirectoryId(7 << 100),
            stream: 3,
            seq: Seq::new(1 << 40),
        };
        let mut text = String::new();
        id.write_to(&mut text);
        assert_eq!(text.len(), RECORD_ID_CHARACTERS);
        assert_eq!(RecordId::parse(&text), Some(id));
        assert_eq!(RecordId::parse(&text[1..]), None);
    }

    #[test]
    fn an_id_written_over_another_of_its_stream_is_the_same_as_a_new_one() {
        let id = |seq| RecordId {
            directory: DirectoryId(u128::MAX / 3),
            stream: 0x1234_5678,
            seq: Seq::new(seq),
        };
        let mut text = String::new();
        id(0).write_to(&mut text);
        let mut text = text.into_bytes();
        for seq in [1, 63, 64, 255, 256, 1 << 40, u64::MAX - 1, 0] {
            id(seq).write_over(&mut text);
            let mut anew = String::new();
            id(seq).write_to(&mut anew);
            assert_eq!(String::from_utf8(text.clone()).unwrap(), anew);
        }
    }
}
