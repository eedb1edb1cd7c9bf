//! All that the daemon needs to know: valid, complete, without a trace of YAML.

use crate::model::{Secret, StreamDescription, StreamName};
use crate::outside::{Followed, stop};
use crate::{buffer, pipeline, server, sink, telemetry};

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
    pub pipeline: pipeline::Settings,
    pub sink: sink::objects::Settings,
    /// As Describe shows it; `version` and times are filled in from the log.
    pub description: StreamDescription,
    /// A hash of everything above that shapes objects: a change raises the stream's version.
    pub fingerprint: u64,
}
