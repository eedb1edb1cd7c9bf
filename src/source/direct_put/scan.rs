//! The fast way through a put's body: one pass for the shape that every SDK sends, with base64
//! decoded straight into the frame.
//!
//! It says yes, or nothing. Whatever it does not know – other members, escapes, a list past the
//! limits, a mistake – is left to `parse`, which knows all JSON and what to say. Where both say yes
//! they say the same; a property test holds one against the other.

use base64_simd::STANDARD;
use memchr::memchr;

use crate::model::{Records, RecordsBuilder, limits};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned<'a> {
    /// Not checked: only compared with names that we know.
    pub stream: &'a [u8],
    pub records: Records,
}

/// `{"DeliveryStreamName":"…","Record":{"Data":"…"}}`, in either order.
pub(super) fn put_record(body: &[u8]) -> Option<Scanned<'_>> {
    let mut builder = RecordsBuilder::with_capacity(body.len() / 4 * 3, 1);
    let stream = members(body, b"Record", |cursor| cursor.record(&mut builder))?;
    let records = builder.build()?;
    Some(Scanned { stream, records })
}

/// `{"DeliveryStreamName":"…","Records":[{"Data":"…"},…]}`, in either order.
pub(super) fn put_record_batch(body: &[u8]) -> Option<Scanned<'_>> {
    let most = limits::FIREHOSE_RECORDS_PER_PUT_MAX;
    let mut builder = RecordsBuilder::with_capacity(body.len() / 4 * 3, most);
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
    let records = builder.build()?;
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
