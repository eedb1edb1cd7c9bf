//! Where objects are put: S3 or a directory, with the same keys and bytes.

pub mod directory;
mod open;
pub mod s3;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{Body, BodyError, Compression};

pub use open::{Doors, OpenError, Stores};

/// Where a stream's objects go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each stream")]
pub enum Place {
    S3(s3::Settings),
    Directory(directory::Settings),
}

impl Place {
    /// `s3://bucket/` or the directory's path, for people.
    pub fn url(&self) -> String {
        match self {
            Place::S3(s3) => s3.url(),
            Place::Directory(directory) => directory.url(),
        }
    }
}

/// An object to be put.
#[derive(Clone, Debug)]
pub struct Object {
    pub key: String,
    /// The records; the store packs them as `compression` says.
    pub body: Body,
    pub compression: Compression,
    /// Names without `x-amz-meta-`, lower case.
    pub metadata: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// As stored, after compression.
    pub bytes: u64,
}

/// Why an object is not (known to be) there. The data is held, whatever the reason (D4).
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// A code from a short list, for metrics: `S3.AccessDenied`, `Directory.NoSpace`.
    pub code: String,
    /// What this layer failed to do, and what an operator can do about it.
    pub what: String,
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What the server asked for.
    pub retry_after: Option<Duration>,
    /// Waiting alone will not help.
    pub needs_operator: bool,
}

impl Refusal {
    /// Our own log could not be read. The cause says which records, to whoever made the body.
    pub fn unreadable(cause: BodyError) -> Refusal {
        Refusal {
            code: "Buffer.Unreadable".to_owned(),
            what: "failed to read the batch back from the log".to_owned(),
            cause: Some(Box::new(cause)),
            retry_after: None,
            needs_operator: false,
        }
    }
}

pub trait Store: Send + Sync {
    /// Puts the whole object under its key, replacing what is there (D3), or nothing that anybody
    /// can see. A repeat is always safe.
    fn put<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Stored, Refusal>>;

    /// Removes what earlier lives left half done: our own temporary files, and multipart uploads
    /// whose key is one of `open_keys`. Called once, before the first put.
    fn clean<'a>(&'a self, open_keys: &'a [String]) -> BoxFuture<'a, Result<(), Refusal>>;

    /// `s3://bucket/` or the directory's path, for people.
    fn url(&self) -> String;
}
