//! What a function answered, held against what it was asked.
//!
//! ```text
//! {"records":[{"recordId":"…","result":"Ok","data":"SEVMTE8=",
//!    "metadata":{"partitionKeys":{"customer":"acme"}}}]}
//! ```
//!
//! A bad record spoils only itself: each is parsed by itself, and what is wrong with one is that
//! record's fault. Answers are megabytes of text, so nothing of them is copied but the decoded data,
//! which lies in one slab.

use std::collections::BTreeMap;
use std::ops::Range;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::invocation::DataField;
use super::lenient::{List, Text};
use super::record_ids::RecordIds;
use crate::model::json;

/// What a function was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub ids: RecordIds,
    pub records: usize,
    pub data_field: DataField,
}

/// A record as the function wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transformed {
    pub data: Bytes,
    pub partition_keys: PartitionKeys,
}

pub type PartitionKeys = BTreeMap<String, String>;

/// What the function said of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok(Transformed),
    Dropped,
    Faulty(Fault),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Verdicts {
        /// One for each record, in the order of the records.
        verdicts: Vec<Verdict>,
        /// Answers that are for none of the records. Firehose ignores them, and so do we.
        strangers: usize,
    },
    /// The function failed, and says it in the body: runtimes do so that have no header for it.
    Error(ErrorDocument),
}

/// What Lambda's runtimes answer instead when the function raised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorDocument {
    pub kind: String,
    pub message: String,
}

/// So much is kept: both are shown to people.
const KIND_CHARACTERS_MAX: usize = 100;
const MESSAGE_CHARACTERS_MAX: usize = 300;

impl ErrorDocument {
    /// `None` unless the body is one.
    pub fn read(body: &[u8]) -> Option<ErrorDocument> {
        Document::read(body)?.error()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document<'a> {
    #[serde(borrow)]
    records: List<'a>,
    #[serde(borrow, rename = "errorType")]
    error_type: Text<'a>,
    #[serde(borrow, rename = "errorMessage")]
    error_message: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow, rename = "recordId")]
    record_id: Text<'a>,
    #[serde(borrow)]
    result: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow, rename = "kafkaRecordValue")]
    kafka_record_value: Text<'a>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow, rename = "partitionKeys")]
    partition_keys: BTreeMap<String, &'a RawValue>,
}

/// What is known of one of the records that were asked for.
enum Slot {
    Unanswered,
    Ok(Range<usize>, PartitionKeys),
    Dropped,
    Faulty(Fault),
}

pub(super) fn check(body: &[u8], asked: &Asked) -> Answer {
    let all = |fault| Answer::Verdicts {
        verdicts: vec![Verdict::Faulty(fault); asked.records],
        strangers: 0,
    };
    let Some(document) = Document::read(body) else {
        // Other JSON than an object has no records, as Firehose sees it.
        let is_json = serde_json::from_slice::<&RawValue>(body).is_ok();
        return all(match is_json {
            true => Fault::MissingRecordId,
            false => Fault::JsonProcessing,
        });
    };
    if let Some(error) = document.error() {
        return Answer::Error(error);
    }
    let mut slots: Vec<Slot> = (0..asked.records).map(|_| Slot::Unanswered).collect();
    let mut slab = Vec::with_capacity(body.len() / 4 * 3);
    let mut strangers = 0;
    for raw in document.records.0.unwrap_or_default() {
        let record = Record::read(raw);
        let id = record.as_ref().and_then(|record| record.record_id.get());
        let position = id.and_then(|id| asked.ids.position(id, asked.records));
        let (Some(record), Some(n)) = (record, position) else {
            strangers += 1;
            continue;
        };
        slots[n] = match slots[n] {
            Slot::Unanswered => record.slot(asked.data_field, &mut slab),
            Slot::Ok(..) | Slot::Dropped | Slot::Faulty(_) => {
                Slot::Faulty(Fault::DuplicatedRecordId)
            }
        };
    }
    let slab = Bytes::from(slab);
    let verdicts = slots.into_iter().map(|slot| slot.verdict(&slab)).collect();
    Answer::Verdicts {
        verdicts,
        strangers,
    }
}

impl<'a> Document<'a> {
    /// `None` where the body is not a JSON object.
    fn read(body: &'a [u8]) -> Option<Document<'a>> {
        json::object(body)
    }

    fn error(&self) -> Option<ErrorDocument> {
        if self.records.0.is_some() {
            return None;
        }
        let text = |text: &Text<'_>, most| {
            let characters = text.get().unwrap_or_default().chars();
            characters.take(most).collect()
        };
        self.error_type
            .get()
            .or(self.error_message.get())
            .map(|_| ErrorDocument {
                kind: text(&self.error_type, KIND_CHARACTERS_MAX),
                message: text(&self.error_message, MESSAGE_CHARACTERS_MAX),
            })
    }
}

impl<'a> Record<'a> {
    fn read(raw: &'a RawValue) -> Option<Record<'a>> {
        let is_object = raw.get().starts_with('{');
        is_object.then(|| serde_json::from_str(raw.get()).ok())?
    }

    fn slot(self, data_field: DataField, slab: &mut Vec<u8>) -> Slot {
        let data = match data_field {
            DataField::Data => &self.data,
            DataField::KafkaRecordValue => &self.kafka_record_value,
        };
        match (self.result.get(), data) {
            (Some("Dropped"), _) => Slot::Dropped,
            (Some("ProcessingFailed"), _) => Slot::Faulty(Fault::ProcessingFailed),
            (Some("Ok"), Text::Absent) => Slot::Faulty(Fault::InvalidReturnFormat),
            (Some("Ok"), Text::Other) => Slot::Faulty(Fault::JsonMapping),
            (Some("Ok"), Text::Is(data)) => match decode(data, slab) {
                Some(range) => Slot::Ok(range, self.partition_keys()),
                None => Slot::Faulty(Fault::JsonMapping),
            },
            (Some(_) | None, _) => Slot::Faulty(Fault::JsonProcessing),
        }
    }

    /// Keys that are neither text, number nor truth value are left out.
    fn partition_keys(&self) -> PartitionKeys {
        let metadata = self.metadata.map(RawValue::get).unwrap_or_default();
        let metadata: Metadata<'_> = serde_json::from_str(metadata).unwrap_or_default();
        let keys = metadata.partition_keys.into_iter();
        keys.filter_map(|(name, value)| {
            let value = match value.get().as_bytes().first()? {
                b'"' => serde_json::from_str(value.get()).ok()?,
                b'{' | b'[' | b'n' => return None,
                _ => value.get().to_owned(),
            };
            Some((name, value))
        })
        .collect()
    }
}

impl Slot {
    fn verdict(self, slab: &Bytes) -> Verdict {
        match self {
            Slot::Unanswered => Verdict::Faulty(Fault::MissingRecordId),
            Slot::Ok(range, partition_keys) => Verdict::Ok(Transformed {
                data: slab.slice(range),
                partition_keys,
            }),
            Slot::Dropped => Verdict::Dropped,
            Slot::Faulty(fault) => Verdict::Faulty(fault),
        }
    }
}

/// Where the decoded bytes lie in the slab. Line breaks, which some encoders put into long texts, are
/// skipped, as Java's decoder does.
fn decode(text: &str, slab: &mut Vec<u8>) -> Option<Range<usize>> {
    let start = slab.len();
    if STANDARD.decode_append(text, slab).is_err() {
        let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        let dense: Vec<u8> = text.bytes().filter(is_text).collect();
        STANDARD.decode_append(dense, slab).ok()?;
    }
    Some(start..slab.len())
}

#[cfg(test)]
mod tests;
