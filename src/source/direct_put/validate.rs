//! What Firehose's own model says about a request's members, in its grammar.
//!
//! `1 validation error detected: Value at 'records.97.member.data' failed to satisfy constraint:
//! Member must not be null`: paths are in lower camel case, lists count from 1.

use crate::model::limits;
use crate::source::direct_put::answer::{Exception, Kind};
use crate::source::direct_put::parse::{
    Blob, Describe, Entry, Integer, List, ListTags, Named, PutRecord, PutRecordBatch, Structure,
};

/// AWS reports no more than ten.
const VIOLATIONS_MAX: usize = 10;

#[derive(Debug, Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, path: &str, rule: &str) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(format!(
                "Value at '{path}' failed to satisfy constraint: {rule}"
            ));
        }
    }

    fn finish(self) -> Result<(), Exception> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        let message = format!(
            "{count} validation {errors} detected: {}",
            self.0.join("; ")
        );
        Err(Exception::new(Kind::Validation, message))
    }

    fn name(&mut self, path: &str, name: Option<&str>) {
        let Some(name) = name else {
            return self.add(path, NOT_NULL);
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) {
            let pattern = "[a-zA-Z0-9_.-]+";
            self.add(
                path,
                &format!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
        let characters = name.chars().count();
        if characters == 0 {
            self.add(path, &length_at_least(1));
        }
        if limits::FIREHOSE_STREAM_NAME_CHARACTERS_MAX < characters {
            self.add(
                path,
                &length_at_most(limits::FIREHOSE_STREAM_NAME_CHARACTERS_MAX),
            );
        }
    }

    fn limit(&mut self, limit: Option<Integer>, most: i64) {
        let Some(Integer(limit)) = limit else {
            return;
        };
        if limit < 1 {
            self.add("limit", "Member must have value greater than or equal to 1");
        }
        if most < limit {
            self.add(
                "limit",
                &format!("Member must have value less than or equal to {most}"),
            );
        }
    }

    /// `path` is the record's.
    fn record(&mut self, path: impl Fn() -> String, record: Option<&Structure<Entry<'_>>>) {
        match record {
            None => self.add(&path(), NOT_NULL),
            Some(Structure(Entry { data: None })) => {
                self.add(&format!("{}.data", path()), NOT_NULL)
            }
            Some(Structure(Entry { data: Some(data) })) => {
                if limits::FIREHOSE_RECORD_BYTES_MAX < data.decoded_bytes() {
                    let rule = length_at_most(limits::FIREHOSE_RECORD_BYTES_MAX);
                    self.add(&format!("{}.data", path()), &rule);
                }
            }
        }
    }
}

const NOT_NULL: &str = "Member must not be null";

fn length_at_most(most: usize) -> String {
    format!("Member must have length less than or equal to {most}")
}

fn length_at_least(least: usize) -> String {
    format!("Member must have length greater than or equal to {least}")
}

/// A required member, once the violations are finished.
fn required<T>(member: Option<T>) -> T {
    member.expect("a missing member is a violation")
}

pub(super) fn put_record<'a>(
    asked: &'a PutRecord<'a>,
) -> Result<(&'a str, &'a Blob<'a>), Exception> {
    let mut violations = Violations::default();
    let name = asked.delivery_stream_name.as_deref();
    violations.name("deliveryStreamName", name);
    violations.record(|| "record".to_owned(), asked.record.as_ref());
    violations.finish()?;
    let record = required(asked.record.as_ref());
    Ok((required(name), required(record.0.data.as_ref())))
}

pub(super) fn put_record_batch<'a>(
    asked: &'a PutRecordBatch<'a>,
) -> Result<(&'a str, Vec<&'a Blob<'a>>), Exception> {
    let mut violations = Violations::default();
    violations.name("deliveryStreamName", asked.delivery_stream_name.as_deref());
    match &asked.records {
        None => violations.add("records", NOT_NULL),
        Some(records) => {
            if records.entries.is_empty() {
                violations.add("records", &length_at_least(1));
            }
            if limits::FIREHOSE_RECORDS_PER_PUT_MAX < records.count {
                violations.add(
                    "records",
                    &length_at_most(limits::FIREHOSE_RECORDS_PER_PUT_MAX),
                );
            }
            for (at, record) in records.entries.iter().enumerate() {
                violations.record(|| format!("records.{}.member", at + 1), record.as_ref());
            }
        }
    }
    violations.finish()?;
    let records = required(asked.records.as_ref());
    let blobs = records
        .entries
        .iter()
        .map(|record| required(record.as_ref()));
    let blobs: Vec<&Blob> = blobs
        .map(|record| required(record.0.data.as_ref()))
        .collect();
    let bytes: usize = blobs.iter().map(|blob| blob.decoded_bytes()).sum();
    if limits::FIREHOSE_PUT_BYTES_MAX < bytes {
        let message = "Records size exceeds 4 MB limit";
        return Err(Exception::new(Kind::InvalidArgument, message));
    }
    Ok((required(asked.delivery_stream_name.as_deref()), blobs))
}

/// The stream that the request names, if it names one: no other text is said again in an answer.
pub(super) fn named<'a>(asked: &'a Named<'a>) -> Result<&'a str, Exception> {
    let mut violations = Violations::default();
    let name = asked.delivery_stream_name.as_deref();
    if name.is_some() {
        violations.name("deliveryStreamName", name);
    }
    violations.finish()?;
    Ok(name.unwrap_or_default())
}

pub(super) fn describe<'a>(asked: &'a Describe<'a>) -> Result<&'a str, Exception> {
    let mut violations = Violations::default();
    violations.name("deliveryStreamName", asked.delivery_stream_name.as_deref());
    violations.limit(asked.limit, 10_000);
    violations.finish()?;
    Ok(required(asked.delivery_stream_name.as_deref()))
}

pub(super) fn list(asked: &List<'_>) -> Result<(), Exception> {
    let mut violations = Violations::default();
    violations.limit(asked.limit, 10_000);
    if let Some(kind) = asked.delivery_stream_type.as_deref()
        && !STREAM_TYPES.contains(&kind)
    {
        let rule = format!(
            "Member must satisfy enum value set: [{}]",
            STREAM_TYPES.join(", ")
        );
        violations.add("deliveryStreamType", &rule);
    }
    if let Some(start) = asked.exclusive_start_delivery_stream_name.as_deref() {
        violations.name("exclusiveStartDeliveryStreamName", Some(start));
    }
    violations.finish()
}

const STREAM_TYPES: [&str; 4] = [
    "DirectPut",
    "KinesisStreamAsSource",
    "MSKAsSource",
    "DatabaseAsSource",
];

pub(super) fn list_tags<'a>(asked: &'a ListTags<'a>) -> Result<&'a str, Exception> {
    let mut violations = Violations::default();
    violations.name("deliveryStreamName", asked.delivery_stream_name.as_deref());
    violations.limit(asked.limit, 50);
    violations.finish()?;
    Ok(required(asked.delivery_stream_name.as_deref()))
}
