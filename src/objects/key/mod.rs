//! What an object is called: `<evaluated prefix><stream>-<version>-<time>-<uuid><extension>`.
//!
//! ```text
//! prefix `logs/`:  logs/2026/03/14/09/clicks-1-2026-03-14-09-26-53-5f3a0c1e-6c0e-4b8a-9d0b-6a1f0f7d2b11.gz
//! ```
//!
//! The time, in prefix and name, is that of the first arrival, in UTC or the destination's time zone.
//! `yyyy/MM/dd/HH/` follows a prefix that has no expression at all, glued on without a slash. All of
//! it is Firehose's behaviour, and so are the rules and messages; what looks like chance is drawn
//! from the batch (D3).

mod drawn;
mod error;
mod expression;
mod moment;
mod pattern;

use jiff::tz::TimeZone;

use crate::model::{
    Compression, DirectoryId, ErrorOutput, ReaderKind, SeqRange, StreamName, Timestamp, limits,
};

pub use error::{Field, KeyTemplateError};

use drawn::Draws;
use expression::{ERROR_OUTPUT_TYPE_LONGEST, Expression};
use pattern::{Moment, Pattern};

/// What Firehose adds to a prefix without expressions.
const DEFAULT_TIME: &str = "yyyy/MM/dd/HH/";
const NAME_TIME: &str = "yyyy-MM-dd-HH-mm-ss";
/// Around the time in the name: two hyphens about the version's up to ten digits, the longest stream
/// name, a uuid after a hyphen, and `.gz`.
const NAME_BYTES_MAX: usize = limits::FIREHOSE_STREAM_NAME_CHARACTERS_MAX + 12 + 19 + 37 + 3;
/// Names of other shapes: 1,024 bytes of UTF-8 (S3), and 255 in one segment (file systems, and S3
/// servers that keep objects as files).
const S3_KEY_BYTES_MAX: usize = 1024;
const SEGMENT_BYTES_MAX: usize = 255;

/// A destination's prefixes and time zone, checked. Valid by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    prefix: Expression,
    /// Of what failed.
    error_prefix: Expression,
    name_time: Pattern,
    time_zone: TimeZone,
}

/// What an object's name is a function of (D3).
#[derive(Clone, Debug)]
pub struct KeyFacts<'a> {
    pub directory: DirectoryId,
    pub stream: &'a StreamName,
    pub version: u32,
    pub range: SeqRange,
    pub reader: ReaderKind,
    pub first_arrival: Timestamp,
    pub compression: Compression,
}

impl KeyTemplate {
    /// `None` and the empty string are the same, as in Firehose.
    pub fn new(
        prefix: Option<&str>,
        error_output_prefix: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<KeyTemplate, KeyTemplateError> {
        let time_zone = named_time_zone(time_zone.unwrap_or(""))?;
        let error_output_prefix = error_output_prefix.unwrap_or("");
        let mut prefix = Expression::parse(Field::Prefix, prefix.unwrap_or(""))?;
        let mut error_prefix = Expression::parse(Field::ErrorOutputPrefix, error_output_prefix)?;
        if !prefix.is_literal() && error_output_prefix.is_empty() {
            return Err(KeyTemplateError::ErrorOutputPrefixMissing);
        }
        for (field, expression) in [
            (Field::Prefix, &prefix),
            (Field::ErrorOutputPrefix, &error_prefix),
        ] {
            let longest = expression.characters_max(&time_zone);
            if limits::FIREHOSE_EVALUATED_PREFIX_CHARACTERS_MAX < longest {
                return Err(KeyTemplateError::EvaluatedTooLong(field));
            }
        }
        let time = Pattern::parse(DEFAULT_TIME).expect("the default pattern is valid");
        if error_prefix.is_empty() {
            error_prefix = prefix.clone();
        }
        if error_prefix.is_literal() {
            error_prefix.push_error_output_type();
            error_prefix.push_time(time.clone());
        }
        if prefix.is_literal() {
            prefix.push_time(time);
        }
        let name_time = Pattern::parse(NAME_TIME).expect("the name's pattern is valid");
        let template = KeyTemplate {
            prefix,
            error_prefix,
            name_time,
            time_zone,
        };
        template.check_places()?;
        Ok(template)
    }

    pub fn object_key(&self, facts: &KeyFacts<'_>) -> String {
        let mut draws = Draws::of(facts);
        let moment = Moment::at(facts.first_arrival, &self.time_zone);
        let mut key = self.prefix.evaluate(&moment, &mut draws, "");
        self.push_name(facts, &moment, &mut key);
        let extension = match facts.compression {
            Compression::Uncompressed => "",
            Compression::Gzip => ".gz",
        };
        key.push_str(&format!("-{}{extension}", draws.uuid()));
        key
    }

    /// Of the object with those records of the batch that failed so: never compressed, and without an
    /// extension.
    pub fn failed_key(&self, facts: &KeyFacts<'_>, error: ErrorOutput) -> String {
        let mut draws = Draws::of(facts);
        let moment = Moment::at(facts.first_arrival, &self.time_zone);
        let mut key = self
            .error_prefix
            .evaluate(&moment, &mut draws, error.as_str());
        self.push_name(facts, &moment, &mut key);
        key.push_str(&format!("-{}", draws.failed_uuid(error)));
        key
    }

    /// Everything but the uuid.
    fn push_name(&self, facts: &KeyFacts<'_>, moment: &Moment, key: &mut String) {
        key.push_str(facts.stream.as_str());
        key.push_str(&format!("-{}-", facts.version));
        self.name_time.write(moment, key);
    }

    /// A key that no place takes would hold a stream's data for ever, so it is found out now.
    fn check_places(&self) -> Result<(), KeyTemplateError> {
        let prefixes = [&self.prefix, &self.error_prefix];
        let evaluated = prefixes.into_iter().flat_map(|prefix| {
            let moments = Moment::widest(&self.time_zone);
            let longest = ERROR_OUTPUT_TYPE_LONGEST;
            moments.map(move |moment| prefix.evaluate(&moment, &mut Draws::widest(), longest))
        });
        for mut key in evaluated {
            key.push_str(&"n".repeat(NAME_BYTES_MAX));
            if S3_KEY_BYTES_MAX < key.len() {
                return Err(KeyTemplateError::KeyTooLong);
            }
            for segment in key.split('/') {
                if segment == "." || segment == ".." {
                    return Err(KeyTemplateError::Dots);
                }
                if SEGMENT_BYTES_MAX < segment.len() {
                    return Err(KeyTemplateError::SegmentTooLong);
                }
            }
            if key.chars().any(char::is_control) {
                return Err(KeyTemplateError::ControlCharacter);
            }
        }
        Ok(())
    }
}

/// Firehose's own pattern `^$|[a-zA-Z/_]+` leaves out every name with a digit or a sign. The names
/// are looked up in the tables inside the binary.
fn named_time_zone(name: &str) -> Result<TimeZone, KeyTemplateError> {
    let allowed = |byte: u8| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_';
    if !name.bytes().all(allowed) {
        return Err(KeyTemplateError::TimeZonePattern(name.to_owned()));
    }
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let unknown = || KeyTemplateError::UnknownTimeZone(name.to_owned());
    let zone = TimeZone::get(name).map_err(|_| unknown())?;
    // The look-up forgives upper and lower case; Java, and so Firehose, does not.
    let exact = zone.iana_name() == Some(name);
    if exact { Ok(zone) } else { Err(unknown()) }
}

#[cfg(test)]
mod tests;
