//! Names: of a delivery stream, and of a data directory.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::model::limits;

/// A delivery stream's name: 1 to 64 of `a-z A-Z 0-9 _ . -`. Case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stream name: 1 to 64 of the characters a-z A-Z 0-9 _ . - are allowed")]
pub struct StreamNameError(pub String);

impl StreamName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The delivery stream's, as Firehose makes it.
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!("arn:aws:firehose:{region}:{account}:deliverystream/{self}")
    }
}

impl FromStr for StreamName {
    type Err = StreamNameError;

    fn from_str(text: &str) -> Result<StreamName, StreamNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let fits = !text.is_empty() && text.len() <= limits::FIREHOSE_STREAM_NAME_CHARACTERS_MAX;
        if !fits || !text.bytes().all(allowed) {
            return Err(StreamNameError(text.to_owned()));
        }
        Ok(StreamName(text.into()))
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Drawn once, when a data directory is first used. It keeps the objects of two daemons apart (D3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub u128);

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
