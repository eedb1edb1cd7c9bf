//! What is wrong with a prefix. Most texts are Firehose's own, to the letter, because people search
//! for them.

use std::fmt;

use crate::model::limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Prefix,
    ErrorOutputPrefix,
    TimeZone,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Prefix => "Prefix",
            Field::ErrorOutputPrefix => "ErrorOutputPrefix",
            Field::TimeZone => "CustomTimeZone",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTemplateError {
    #[error("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")]
    ErrorOutputPrefixMissing,
    #[error("Prefix must not contain any occurrence of !{{firehose:error-output-type}}")]
    ErrorOutputTypeInPrefix,
    #[error(
        "ErrorOutputPrefix must contain at least one occurrence of !{{firehose:error-output-type}}"
    )]
    ErrorOutputTypeMissing,
    /// Ours: Firehose says that it needs dynamic partitioning, which is not there yet.
    #[error(
        "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic \
         Partitioning is enabled, which this version does not offer yet"
    )]
    PartitionInPrefix,
    #[error("Dynamic Partitioning Namespaces can't be part of an error prefix expression")]
    PartitionInErrorOutputPrefix,
    #[error("Namespace to the left of colon ({namespace}) is an invalid keyword!")]
    UnknownNamespace { field: Field, namespace: String },
    #[error("Invalid conversion character used in the value of the expression in {0}")]
    InvalidConversion(Field),
    #[error("Invalid expression usage")]
    InvalidExpression(Field),
    #[error(
        "Member must have length less than or equal to {}",
        limits::FIREHOSE_PREFIX_CHARACTERS_MAX
    )]
    TooLong(Field),
    #[error(
        "Length of evaluated {} cannot be greater than {}",
        match .0 { Field::Prefix => "prefix", Field::ErrorOutputPrefix | Field::TimeZone => "ErrorOutputPrefix" },
        limits::FIREHOSE_EVALUATED_PREFIX_CHARACTERS_MAX
    )]
    EvaluatedTooLong(Field),
    #[error("Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+, which `{0}` does not")]
    TimeZonePattern(String),
    #[error("`{0}` is not a time zone: names look like `Europe/Berlin`, and case matters")]
    UnknownTimeZone(String),
    // From here on the rules are those of the places where keys go.
    #[error("keys would be longer than the 1024 bytes that S3 takes")]
    KeyTooLong,
    #[error(
        "keys would have more than 255 bytes between two slashes, which file systems do not take"
    )]
    SegmentTooLong,
    #[error("keys would have a segment `.` or `..`, which no place takes as it is written")]
    Dots,
    #[error("keys would contain a control character")]
    ControlCharacter,
}

impl KeyTemplateError {
    /// Which of the three settings is to be mended.
    pub fn field(&self) -> Field {
        match self {
            KeyTemplateError::ErrorOutputPrefixMissing
            | KeyTemplateError::ErrorOutputTypeMissing
            | KeyTemplateError::PartitionInErrorOutputPrefix => Field::ErrorOutputPrefix,
            KeyTemplateError::ErrorOutputTypeInPrefix
            | KeyTemplateError::PartitionInPrefix
            | KeyTemplateError::KeyTooLong
            | KeyTemplateError::SegmentTooLong
            | KeyTemplateError::Dots
            | KeyTemplateError::ControlCharacter => Field::Prefix,
            KeyTemplateError::UnknownNamespace { field, .. }
            | KeyTemplateError::InvalidConversion(field)
            | KeyTemplateError::InvalidExpression(field)
            | KeyTemplateError::TooLong(field)
            | KeyTemplateError::EvaluatedTooLong(field) => *field,
            KeyTemplateError::TimeZonePattern(_) | KeyTemplateError::UnknownTimeZone(_) => {
                Field::TimeZone
            }
        }
    }
}
