//! All that the daemon needs to know: valid, complete, without a trace of YAML.

use crate::model::{BufferingHints, Secret, StreamDescription, StreamName};
use crate::objects::Place;
use crate::objects::key::KeyTemplate;
use crate::outside::{Followed, http_client, stop};
use crate::{buffer, pipeline, server, sink, telemetry, transform};

#[derive(Clone, Debug)]
pub struct Settings {
    pub storage: buffer::Settings,
    pub listen: Listen,
    pub producers: Vec<server::Producer>,
    pub identity: Identity,
    /// By name.
    pub streams: Vec<Stream>,
    pub shutdown: stop::Settings,
    pub log: telemetry::logging::Settings,
    /// Secrets whose files may change: all clones of them do then.
    pub secret_files: Vec<Followed>,
}

#[derive(Clone, Debug)]
pub struct Listen {
    pub firehose: server::Settings,
    pub admin: server::Settings,
    /// Needed off loopback.
    pub admin_token: Option<Secret>,
}

/// What ARNs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub region: String,
    pub account: String,
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub name: StreamName,
    /// Of the delivery.
    pub pipeline: pipeline::Settings,
    pub destination: Destination,
    pub failed: FailedOutput,
    pub transform: Option<Transform>,
    pub backup: Option<Backup>,
    /// As Describe shows it; `version` and times are filled in from the log.
    pub description: StreamDescription,
    /// A hash of everything above that shapes objects and requests, and of no secret: a change raises
    /// the stream's version.
    pub fingerprint: u64,
}

/// Where records go that are as they should be.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each stream")]
pub enum Destination {
    Objects(sink::objects::Settings),
    HttpEndpoint {
        settings: sink::http_endpoint::Settings,
        http: http_client::Settings,
    },
    Splunk {
        settings: sink::splunk::Settings,
        http: http_client::Settings,
    },
}

/// Where records go that could not be processed or delivered.
#[derive(Clone, Debug)]
pub struct FailedOutput {
    pub place: Place,
    pub keys: KeyTemplate,
}

/// What records go through before they are delivered.
#[derive(Clone, Debug)]
pub struct Transform {
    pub settings: transform::Settings,
    pub hints: transform::Hints,
    /// Invocations under way at once, at most.
    pub parallel_max: usize,
    pub http: http_client::Settings,
}

/// Where every record goes as it came.
#[derive(Clone, Debug)]
pub struct Backup {
    pub sink: sink::objects::Settings,
    pub buffering: BufferingHints,
}
