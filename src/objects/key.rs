//! Prefix expressions and object names.

use crate::model::{Compression, DirectoryId, SeqRange, StreamName, Timestamp};

/// A destination's prefixes and time zone, checked. Valid by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTemplateError {}

/// What an object's name is a function of (D3).
#[derive(Clone, Debug)]
pub struct KeyFacts<'a> {
    pub directory: DirectoryId,
    pub stream: &'a StreamName,
    pub version: u32,
    pub range: SeqRange,
    pub first_arrival: Timestamp,
    pub compression: Compression,
}

impl KeyTemplate {
    /// Firehose's own rules and messages (`docs/` names them).
    pub fn new(
        _prefix: Option<&str>,
        _error_output_prefix: Option<&str>,
        _time_zone: Option<&str>,
    ) -> Result<KeyTemplate, KeyTemplateError> {
        todo!("objects")
    }

    /// `<evaluated prefix><stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>`
    pub fn object_key(&self, _facts: &KeyFacts<'_>) -> String {
        todo!("objects")
    }
}
