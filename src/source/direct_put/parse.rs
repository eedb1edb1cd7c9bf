//! Requests of the Firehose API as JSON, whatever they look like.
//!
//! The scanner takes the usual puts; this is for everything else, and for what is wrong: unparsable
//! JSON, members of the wrong type and bad base64 are `SerializationException`s that say where.
//! Unknown members are ignored, as AWS does.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use base64_simd::STANDARD;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{RecordsBuilder, limits};
use crate::source::direct_put::answer::{Exception, Kind};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecord<'a> {
    #[serde(borrow)]
    pub delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub record: Option<Structure<Entry<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecordBatch<'a> {
    #[serde(borrow)]
    pub delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub records: Option<Entries<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    pub data: Option<Blob<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Describe<'a> {
    #[serde(borrow)]
    pub delivery_stream_name: Option<Text<'a>>,
    pub limit: Option<Integer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List<'a> {
    #[serde(borrow)]
    pub delivery_stream_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub exclusive_start_delivery_stream_name: Option<Text<'a>>,
    pub limit: Option<Integer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTags<'a> {
    #[serde(borrow)]
    pub delivery_stream_name: Option<Text<'a>>,
    pub limit: Option<Integer>,
}

/// Whatever names a stream.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub delivery_stream_name: Option<Text<'a>>,
}

/// Borrowed from the body unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Copy)]
pub(super) struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Integer, D::Error> {
        struct Numbers;

        impl Visitor<'_> for Numbers {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Integer, E> {
                // Whatever does not fit is past every limit all the same.
                Ok(Integer(i64::try_from(number).unwrap_or(i64::MAX)))
            }
        }

        from.deserialize_any(Numbers)
    }
}

/// Bytes in base64: the standard alphabet, padded, without stray bits.
#[derive(Deserialize)]
pub(super) struct Blob<'a>(#[serde(borrow)] Cow<'a, str>);

impl Blob<'_> {
    pub(super) fn decoded_bytes(&self) -> usize {
        let padding = self
            .0
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'=')
            .count();
        self.0.len() / 4 * 3 - padding
    }

    /// Adds the bytes as a record.
    pub(super) fn decode_into(&self, records: &mut RecordsBuilder) {
        let decoded = STANDARD.decode_append(self.0.as_bytes(), records.slab_mut());
        decoded.expect("`check` found it good");
        records.end_record();
    }

    /// What is wrong with it, in AWS's words. Its text is left out: it may be a megabyte.
    fn check(&self, path: impl Fn() -> String) -> Result<(), Exception> {
        let text = self.0.as_bytes();
        if STANDARD.check(text).is_ok() {
            return Ok(());
        }
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        let stray = |it: &char| !u8::try_from(*it).is_ok_and(in_alphabet);
        // Padding that does not end the text is stray only where nothing else is.
        let unpadded = self.0.trim_end_matches('=').chars();
        let stray = unpadded.clone().find(|it| *it != '=' && stray(it));
        let stray = stray.or_else(|| unpadded.clone().find(|it| *it == '='));
        let reason = match stray {
            Some(character) => format!("Invalid Base64 character: '{character}'"),
            None if !text.len().is_multiple_of(4) => format!(
                "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                text.len()
            ),
            None => "Invalid last non-pad Base64 character detected".to_owned(),
        };
        Err(Exception::new(
            Kind::Serialization,
            format!(
                "Value at '{}' can not be converted to a Blob: {reason}",
                path()
            ),
        ))
    }
}

/// A JSON object, and nothing else: serde would also take a list.
pub(super) struct Structure<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Structure<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Structure<T>, D::Error> {
        struct Objects<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Objects<T> {
            type Value = Structure<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a structure")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Structure<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Structure)
            }
        }

        from.deserialize_any(Objects(PhantomData))
    }
}

/// The records of a batch; of those past the limit only the number.
pub(super) struct Entries<'a> {
    pub entries: Vec<Option<Structure<Entry<'a>>>>,
    pub count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Entries<'a>, D::Error> {
        struct Lists;

        impl<'de> Visitor<'de> for Lists {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while entries.len() < limits::FIREHOSE_RECORDS_PER_PUT_MAX {
                    match list.next_element()? {
                        Some(entry) => entries.push(entry),
                        None => break,
                    }
                }
                let mut count = entries.len();
                // L1: a body of 12 MiB may hold millions of `{}`.
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Entries { entries, count })
            }
        }

        from.deserialize_any(Lists)
    }
}

/// A request's body.
pub(super) fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Exception> {
    let parsed = serde_json::from_slice(body);
    let Structure(asked) = parsed.map_err(|error| {
        let mut message = match error.classify() {
            serde_json::error::Category::Data => wrong_type(&error.to_string()),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => format!("The body is not JSON: {error}"),
        };
        // The names of members are the client's, however long they are.
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
            message.truncate(end);
            message.push('…');
        }
        Exception::new(Kind::Serialization, message)
    })?;
    Ok(asked)
}

const MESSAGE_CHARACTERS_MAX: usize = 200;

/// serde's words without the value, which may be a record: it says `string "…", expected a list`.
fn wrong_type(told: &str) -> String {
    let found = ["invalid type: ", "invalid value: "];
    let Some(found) = found.iter().find_map(|words| told.strip_prefix(words)) else {
        return told.to_owned();
    };
    let (found, expected) = found
        .rsplit_once(", expected ")
        .unwrap_or((found, "another"));
    let kind = found.split(['"', '`']).next().unwrap_or_default();
    format!("Found {}, expected {expected}", kind.trim_end())
}

pub(super) fn put_record(body: &[u8]) -> Result<PutRecord<'_>, Exception> {
    let asked: PutRecord = json(body)?;
    if let Some(Structure(Entry { data: Some(data) })) = &asked.record {
        data.check(|| "record.data".to_owned())?;
    }
    Ok(asked)
}

pub(super) fn put_record_batch(body: &[u8]) -> Result<PutRecordBatch<'_>, Exception> {
    let asked: PutRecordBatch = json(body)?;
    let entries = asked.records.iter().flat_map(|records| &records.entries);
    for (at, entry) in entries.enumerate() {
        if let Some(Structure(Entry { data: Some(data) })) = entry {
            data.check(|| format!("records.{}.member.data", at + 1))?;
        }
    }
    Ok(asked)
}
