//! A number that changes with what shapes a stream's objects and requests, and with nothing else.
//!
//! A changed one raises the stream's version. It is the same for the same settings in every build, so
//! it is made of text and a fixed hash; what a stream does not have adds nothing to the text.
//! Credentials and secrets are not part of it: a new key makes no new kind of object.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::objects::{Objects, compression_name};
use super::settings::Transform;
use crate::aws::Profile;
use crate::model::{
    BufferingHints, DestinationDescription, HecEndpointType, ObjectsDescription, StreamDescription,
};
use crate::objects::Place;
use crate::transform::Function;

/// What the description alone does not say.
pub struct Servers<'a> {
    /// Of the destination, if that is one for objects.
    pub destination: Option<&'a Place>,
    pub failed: &'a Objects,
    pub transform: Option<&'a Transform>,
    pub backup: Option<&'a Place>,
}

pub fn of(stream: &StreamDescription, servers: &Servers<'_>) -> u64 {
    let mut text = match (&stream.destination, servers.destination) {
        (DestinationDescription::Objects(objects), Some(place)) => {
            self::objects(place, objects, stream.buffering)
        }
        (destination, _) => endpoint(destination, stream.buffering),
    };
    let mut add = |what: &str, value: String| {
        write!(text, " {what} {value}").expect("a text takes all");
    };
    let failed = &servers.failed.sink.place;
    let has_own_failed_output = servers.destination != Some(failed)
        || !matches!(&stream.destination, DestinationDescription::Objects(objects)
            if *objects == servers.failed.description);
    if has_own_failed_output {
        add("failed", place(failed, &servers.failed.description));
    }
    if let (Some(transform), Some(described)) = (servers.transform, &stream.transform) {
        let server = match &transform.settings.function {
            Function::Lambda(lambda) => server(&lambda.profile),
            Function::Http(_) => String::new(),
        };
        let (retries, hints) = (described.retries, hints(described.buffering));
        let said = format!("{:?}", (&described.function, server, retries, hints));
        add("transform", said);
    }
    if let (Some(place), Some(backup)) = (servers.backup, &stream.backup) {
        add(
            "backup",
            self::objects(place, &backup.objects, backup.buffering),
        );
    }
    let digest = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

fn objects(place: &Place, description: &ObjectsDescription, buffering: BufferingHints) -> String {
    let (size, seconds) = hints(buffering);
    format!(
        "{:?}",
        (
            &server_of(place),
            &description.url,
            &description.prefix,
            &description.error_output_prefix,
            &description.time_zone,
            compression_name(description.compression),
            size,
            seconds,
        )
    )
}

fn place(place: &Place, description: &ObjectsDescription) -> String {
    let ObjectsDescription {
        url,
        prefix,
        error_output_prefix,
        time_zone,
        ..
    } = description;
    let names = (prefix, error_output_prefix, time_zone);
    format!("{:?}", (server_of(place), url, names))
}

fn endpoint(destination: &DestinationDescription, buffering: BufferingHints) -> String {
    let hints = hints(buffering);
    match destination {
        DestinationDescription::Objects(_) => unreachable!("objects have a place"),
        DestinationDescription::HttpEndpoint(endpoint) => format!(
            "{:?}",
            (
                endpoint.kind,
                &endpoint.url,
                compression_name(endpoint.content_encoding),
                &endpoint.common_attributes,
                endpoint.retry_duration.as_secs(),
                hints,
            )
        ),
        DestinationDescription::Splunk(splunk) => format!(
            "{:?}",
            (
                "splunk",
                &splunk.url,
                match splunk.endpoint_type {
                    HecEndpointType::Raw => "raw",
                    HecEndpointType::Event => "event",
                },
                splunk.ack_timeout.as_secs(),
                splunk.retry_duration.as_secs(),
                hints,
            )
        ),
    }
}

fn hints(buffering: BufferingHints) -> (u64, u64) {
    (buffering.size.get(), buffering.interval.as_secs())
}

fn server_of(place: &Place) -> String {
    match place {
        Place::S3(s3) => server(&s3.profile),
        Place::Directory(_) => String::new(),
    }
}

fn server(profile: &Profile) -> String {
    let endpoint = profile.endpoint.as_ref().map(http::Uri::to_string);
    format!("{} {}", profile.region, endpoint.unwrap_or_default())
}
