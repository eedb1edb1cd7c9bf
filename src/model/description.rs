//! What a delivery stream tells about itself: `DescribeDeliveryStream`, `check` and the start-up
//! lines show this, so no secret is in it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{ByteSize, StreamName, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferingHints {
    pub size: ByteSize,
    pub interval: Duration,
}

/// How an object's bytes, or a request's, are packed.
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
    /// Of the delivery.
    pub buffering: BufferingHints,
    pub transform: Option<TransformDescription>,
    pub backup: Option<BackupDescription>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationDescription {
    Objects(ObjectsDescription),
    HttpEndpoint(HttpEndpointDescription),
    Splunk(SplunkDescription),
}

/// Where objects go. Firehose knows only S3; a directory shows itself under the same shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsDescription {
    /// The bucket's name, or the directory's path.
    pub place: String,
    /// `s3://bucket/`, or the directory's path: for people.
    pub url: String,
    pub prefix: Option<String>,
    pub error_output_prefix: Option<String>,
    pub time_zone: Option<String>,
    pub compression: Compression,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpEndpointDescription {
    /// What the configuration calls this kind of endpoint.
    pub kind: &'static str,
    /// Scheme and host: what follows them may be secret.
    pub url: String,
    pub content_encoding: Compression,
    /// Values that are secret are shown as secrets are.
    pub common_attributes: BTreeMap<String, String>,
    pub retry_duration: Duration,
    pub failed: ObjectsDescription,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplunkDescription {
    pub url: String,
    pub endpoint_type: HecEndpointType,
    pub ack_timeout: Duration,
    pub retry_duration: Duration,
    pub failed: ObjectsDescription,
}

/// What Splunk's HTTP Event Collector is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HecEndpointType {
    Raw,
    Event,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformDescription {
    /// A Lambda function's name or ARN, or a URL without secrets.
    pub function: String,
    pub retries: u32,
    pub buffering: BufferingHints,
}

/// Where every record goes as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupDescription {
    pub objects: ObjectsDescription,
    pub buffering: BufferingHints,
}

impl DestinationDescription {
    /// For people.
    pub fn url(&self) -> &str {
        match self {
            DestinationDescription::Objects(objects) => &objects.url,
            DestinationDescription::HttpEndpoint(endpoint) => &endpoint.url,
            DestinationDescription::Splunk(splunk) => &splunk.url,
        }
    }
}
