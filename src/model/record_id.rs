//! The id that a producer gets for a record: opaque to it, traceable for us.

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
        let mut bytes = [0; ENCODED_BYTES];
        bytes[..16].copy_from_slice(&self.directory.0.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.stream.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.seq.get().to_be_bytes());
        STANDARD_NO_PAD.encode_string(bytes, text);
        // A put answers up to 500 ids: the zeros are not worth encoding each time.
        text.push_str(ZEROS);
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
}
