//! What a delivery stream tells about itself: `DescribeDeliveryStream`, `check` and the start-up
//! lines show this.

use std::time::Duration;

use crate::model::{ByteSize, StreamName, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferingHints {
    pub size: ByteSize,
    pub interval: Duration,
}

/// How an object's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Uncompressed,
    Gzip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescription {
    pub name: StreamName,
    /// Goes up by one when the stream's settings change; part of each object's name.
    pub version: u32,
    pub created: Timestamp,
    /// When the settings last changed; `None` until they do.
    pub updated: Option<Timestamp>,
    pub destination: DestinationDescription,
    pub buffering: BufferingHints,
}

/// Where objects go. Firehose knows only S3; a directory shows itself under the same shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationDescription {
    /// The bucket's name, or the directory's path.
    pub place: String,
    /// `s3://bucket/`, or the directory's path: for people.
    pub url: String,
    pub prefix: Option<String>,
    pub error_output_prefix: Option<String>,
    pub time_zone: Option<String>,
    pub compression: Compression,
}
