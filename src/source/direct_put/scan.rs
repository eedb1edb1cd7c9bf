//! The fast way through a put's body: one pass for the shape that every SDK sends, with base64
//! decoded straight into the frame.
//!
//! It says yes, or nothing. Whatever it does not know – other members, escapes, a list past the
//! limits, a mistake – is left to `parse`, which knows all JSON and what to say. Where both say yes
//! they say the same; a property test holds one against the other.

use base64_simd::STANDARD;
use memchr::memchr;

use crate::model::{Records, RecordsBuilder, Spare, limits};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned<'a> {
    /// Not checked: only compared with names that we know.
    pub stream: &'a [u8],
    pub records: Records,
}

/// `{"DeliveryStreamName":"…","Record":{"Data":"…"}}`, in either order.
pub(super) fn put_record<'a>(body: &'a [u8], spare: &Spare) -> Option<Scanned<'a>> {
    let mut builder = RecordsBuilder::in_spare(spare, body.len() / 4 * 3, 1);
    let stream = members(body, b"Record", |cursor| cursor.record(&mut builder))?;
    let records = builder.lend(spare)?;
    Some(Scanned { stream, records })
}

/// `{"DeliveryStreamName":"…","Records":[{"Data":"…"},…]}`, in either order.
pub(super) fn put_record_batch<'a>(body: &'a [u8], spare: &Spare) -> Option<Scanned<'a>> {
    let most = limits::FIREHOSE_RECORDS_PER_PUT_MAX;
    let mut builder = RecordsBuilder::in_spare(spare, body.len() / 4 * 3, most);
    let stream = members(body, b"Records", |cursor| {
        cursor.token(b'[')?;
        loop {
            cursor.record(&mut builder)?;
            if most < builder.count() || limits::FIREHOSE_PUT_BYTES_MAX < builder.bytes() {
                return None;
            }
            match cursor.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    })?;
    let records = builder.lend(spare)?;
    Some(Scanned { stream, records })
}

/// The two members of a put, each exactly once. Gives the stream's name.
fn members<'a>(
    body: &'a [u8],
    what: &[u8],
    mut read: impl FnMut(&mut Cursor<'a>) -> Option<()>,
) -> Option<&'a [u8]> {
    let mut cursor = Cursor { rest: body };
    let mut stream = None;
    let mut is_read = false;
    cursor.token(b'{')?;
    for end in [b',', b'}'] {
        let member = cursor.string()?;
        cursor.token(b':')?;
        if member == b"DeliveryStreamName" {
            stream = Some(cursor.string()?);
        } else if member == what && !is_read {
            read(&mut cursor)?;
            is_read = true;
        } else {
            return None;
        }
        cursor.token(end)?;
    }
    let ended = cursor.next().is_none();
    if ended && is_read { stream } else { None }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
        }
    }

    fn token(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// Up to the next quote. Where that one is escaped, the text ends with a backslash, which is
    /// neither in a name that we know nor in base64.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.token(b'"')?;
        let (text, rest) = self.rest.split_at(memchr(b'"', self.rest)?);
        self.rest = &rest[1..];
        Some(text)
    }

    /// `{"Data":"…"}`
    fn record(&mut self, builder: &mut RecordsBuilder) -> Option<()> {
        self.token(b'{')?;
        if self.string()? != b"Data" {
            return None;
        }
        self.token(b':')?;
        let text = self.string()?;
        self.token(b'}')?;
        let before = builder.bytes();
        STANDARD.decode_append(text, builder.slab_mut()).ok()?;
        builder.end_record();
        (builder.bytes() - before <= limits::FIREHOSE_RECORD_BYTES_MAX).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as REFERENCE;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::source::direct_put::{parse, put, validate};

    fn scanned(body: &[u8]) -> Option<(String, Records)> {
        let found = put_record_batch(body, &Spare::new(0))?;
        Some((
            String::from_utf8(found.stream.to_vec()).ok()?,
            found.records,
        ))
    }

    fn parsed(body: &[u8]) -> Option<(String, Records)> {
        let asked = parse::put_record_batch(body).ok()?;
        let (name, blobs) = validate::put_record_batch(&asked).ok()?;
        Some((name.to_owned(), put::gathered(&blobs, &Spare::new(0))))
    }

    fn blank() -> impl Strategy<Value = &'static str> {
        prop_oneof![8 => Just(""), 3 => Just(" "), 1 => Just("\r\n\t ")]
    }

    /// What SDKs send, in whichever order and with whatever blanks.
    fn usual() -> impl Strategy<Value = String> {
        let data = prop::collection::vec(any::<u8>(), 0..40);
        let records = prop::collection::vec((data, blank()), 1..6);
        (records, blank(), any::<bool>()).prop_map(|(records, blank, name_first)| {
            let records: Vec<String> = records
                .iter()
                .map(|(data, blank)| {
                    let text = REFERENCE.encode(data);
                    format!("{{{blank}\"Data\"{blank}:{blank}\"{text}\"{blank}}}")
                })
                .collect();
            let records = format!("\"Records\":{blank}[{}{blank}]", records.join(","));
            let name = format!("\"DeliveryStreamName\":{blank}\"clicks.v-1_x\"");
            match name_first {
                true => format!("{{{name},{blank}{records}}}"),
                false => format!("{{{records}{blank},{name}}}{blank}"),
            }
        })
    }

    proptest! {
        #[test]
        fn the_scanner_takes_every_usual_batch_and_says_what_the_parser_says(body in usual()) {
            let found = scanned(body.as_bytes());
            prop_assert!(found.is_some());
            prop_assert_eq!(found, parsed(body.as_bytes()));
        }

        #[test]
        fn the_scanner_takes_nothing_that_the_parser_refuses(
            body in usual(),
            edits in prop::collection::vec(
                (any::<Index>(), prop::sample::select(b"\"\\{}[],:=+/A0 \n\xc3nDR".to_vec())),
                1..4,
            ),
            replaces in any::<bool>(),
        ) {
            let mut body = body.into_bytes();
            for (at, byte) in edits {
                let at = at.index(body.len());
                if replaces { body[at] = byte } else { body.insert(at, byte) }
            }
            // A name that is no name passes the scanner: it is compared with names that are.
            if let Some(found) = scanned(&body)
                && found.0.parse::<crate::model::StreamName>().is_ok()
            {
                prop_assert_eq!(Some(found), parsed(&body));
            }
        }

        #[test]
        fn base64_is_as_strict_as_the_reference(text in "[A-Za-z0-9+/=_ -]{0,12}") {
            let strict = REFERENCE.decode(&text);
            prop_assert_eq!(STANDARD.decode_to_vec(&text).ok(), strict.ok());
        }
    }

    #[test]
    fn odd_puts_are_left_to_the_parser() {
        let taken = |body: &str| put_record(body.as_bytes(), &Spare::new(0)).is_some();
        assert!(taken(
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YQ=="}}"#
        ));
        assert!(
            taken(r#"{"Record":{"Data":""},"DeliveryStreamName":"a"}"#),
            "no bytes are a record"
        );
        for odd in [
            "",
            "{}",
            r#"{"DeliveryStreamName":"a"}"#,
            r#"{"DeliveryStreamName":"a","DeliveryStreamName":"a"}"#,
            r#"{"Record":{"Data":""},"Record":{"Data":""}}"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YQ"}}"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YR=="}}"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YQ=="},"More":1}"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YQ==","More":1}}"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"YQ=="}} x"#,
            r#"{"DeliveryStreamName":"a","Record":{"Data":"\/w=="}}"#,
            r#"{"DeliveryStreamName":"a","Records":[{"Data":"YQ=="}]}"#,
        ] {
            assert!(!taken(odd), "{odd}");
        }
    }

    #[test]
    fn escapes_are_read_by_the_parser() {
        let body =
            br#"{"DeliveryStreamName":"\u0061","Records":[{"Data":"\/\/8="},{"Data":"YQ=="}]}"#;
        assert_eq!(scanned(body), None);
        let (name, records) = parsed(body).unwrap();
        assert_eq!(name, "a");
        assert_eq!(records.iter().collect::<Vec<_>>(), [&b"\xff\xff"[..], b"a"]);
    }

    #[test]
    fn the_limits_are_the_parsers() {
        let of = |sizes: &[usize]| {
            let records: Vec<String> = sizes
                .iter()
                .map(|size| format!("{{\"Data\":\"{}\"}}", REFERENCE.encode(vec![b'x'; *size])))
                .collect();
            let records = records.join(",");
            let body = format!("{{\"DeliveryStreamName\":\"a\",\"Records\":[{records}]}}");
            let found = scanned(body.as_bytes());
            assert_eq!(found, parsed(body.as_bytes()));
            found.is_some()
        };
        assert!(!of(&[]));
        assert!(of(&[0; 500]));
        assert!(!of(&[0; 501]));
        assert!(of(&[1_024_000]));
        assert!(!of(&[1_024_001]));
        assert!(of(&[1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_304]));
        assert!(!of(&[1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_305]));
    }
}
