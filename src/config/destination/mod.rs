//! A stream's `destination`: exactly one of a place for objects, an HTTP endpoint, one of the partners
//! that have a name of their own, and Splunk.

mod http_endpoint;
mod partner;
mod requests;
mod splunk;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::buffering::{self, Ranges};
use super::objects::{self, Objects};
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::settings;
use crate::aws::Profile;
use crate::model::{
    DestinationDescription, HecEndpointType, HttpEndpointDescription, ObjectsDescription,
    SplunkDescription, limits,
};
use crate::sink::http_endpoint::preset::{PRESETS, Preset, Sizes};
use crate::sink::splunk::Format;

use http_endpoint::HttpEndpoint;
use splunk::Splunk;

static DESTINATION: LazyLock<Keys> = LazyLock::new(|| {
    let partners = PRESETS.iter().map(|preset| preset.name);
    let ours = ["s3", "directory", "http_endpoint", "splunk"];
    Keys {
        known: Vec::leak(ours.into_iter().chain(partners).collect()),
        later: &["opensearch", "redshift", "snowflake", "iceberg"],
    }
});

const ENDPOINT_SIZES: Sizes = Sizes {
    least: limits::FIREHOSE_S3_BUFFER_SIZE_MIN,
    usual: limits::FIREHOSE_ENDPOINT_BUFFER_SIZE_DEFAULT,
    most: limits::FIREHOSE_ENDPOINT_BUFFER_SIZE_MAX,
};

pub fn known_keys() -> BTreeSet<&'static str> {
    let tables = [&*DESTINATION, &http_endpoint::KEYS, &splunk::KEYS];
    let tables = tables.into_iter().chain(partner::all_keys());
    tables.flat_map(|keys| keys.known).copied().collect()
}

/// What kind of destination a stream names, be it well described or not.
#[derive(Clone, Copy)]
pub enum Kind {
    Objects,
    HttpEndpoint,
    Partner(&'static Preset),
    Splunk,
}

impl Kind {
    /// `None` where it is not one that we know.
    pub fn of(stream: &Block<'_>) -> Option<Kind> {
        let destination = &stream.entry("destination")?.value;
        match destination.content.alternative()? {
            "s3" | "directory" => Some(Kind::Objects),
            "http_endpoint" => Some(Kind::HttpEndpoint),
            "splunk" => Some(Kind::Splunk),
            name => Preset::named(name).map(Kind::Partner),
        }
    }

    pub fn ranges(self) -> Ranges {
        match self {
            Kind::Objects => buffering::OBJECTS,
            Kind::HttpEndpoint => Ranges::of_requests(ENDPOINT_SIZES),
            Kind::Partner(preset) => Ranges::of_requests(preset.size),
            Kind::Splunk => buffering::SPLUNK,
        }
    }
}

/// What a stream's destination comes to.
pub enum Destination {
    Objects(Box<Objects>),
    HttpEndpoint(Box<HttpEndpoint>),
    Splunk(Box<Splunk>),
}

/// `source_arn` is what endpoints are told of the stream.
pub fn read(
    stream: &Block<'_>,
    source_arn: Result<String, Told>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Destination, Told> {
    let Some(block) = stream.block_if_given("destination", &DESTINATION)? else {
        return Err(stream.missing("destination"));
    };
    // Each that stands there is read, so that nothing is told only at the second attempt.
    let s3 = objects::in_s3(&block, &objects::DESTINATION, profiles);
    let directory = objects::in_directory(&block, &objects::DESTINATION);
    let objects = [s3, directory].map(|it| it.map(|it| Some(Destination::Objects(it?.into()))));
    let endpoint = http_endpoint::read(&block, source_arn.clone());
    let partners = PRESETS
        .iter()
        .map(|preset| partner::read(&block, preset, source_arn.clone()));
    let endpoints = partners.chain([endpoint]);
    let endpoints = endpoints.map(|it| it.map(|it| Some(Destination::HttpEndpoint(it?.into()))));
    let splunk = splunk::read(&block).map(|it| Some(Destination::Splunk(it?.into())));
    let read: Vec<_> = objects
        .into_iter()
        .chain(endpoints)
        .chain([splunk])
        .collect();
    block.one_of(DESTINATION.known)?;
    let read: Result<Vec<_>, Told> = read.into_iter().collect();
    let found = read?.into_iter().flatten().next();
    Ok(found.expect("`one_of` saw exactly one"))
}

/// Where a stream's failures go: to its `failed_output`, else to its own objects' place.
pub fn failed_output(
    stream: &Block<'_>,
    destination: &Result<Destination, Told>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Objects, Told> {
    if let Some(block) = stream.block_if_given("failed_output", &FAILED_OUTPUT)? {
        return objects::one(&block, &objects::FAILED, profiles);
    }
    let wrong = || {
        let wrong = Wrong::new("is missing: what this destination does not take must go somewhere");
        wrong.hint("for example `failed_output: { directory: { path: ./failed } }`")
    };
    match (Kind::of(stream), destination) {
        (_, Ok(Destination::Objects(objects))) => Ok(Objects {
            sink: objects.sink.clone(),
            description: objects.description.clone(),
        }),
        (Some(Kind::HttpEndpoint | Kind::Partner(_) | Kind::Splunk), _)
        | (_, Ok(Destination::HttpEndpoint(_) | Destination::Splunk(_))) => {
            Err(stream.absent("failed_output", wrong()))
        }
        (Some(Kind::Objects) | None, Err(told)) => Err(*told),
    }
}

pub static FAILED_OUTPUT: Keys = Keys {
    known: &objects::ALTERNATIVES,
    later: &[],
};

impl Destination {
    pub fn description(&self, failed: ObjectsDescription) -> DestinationDescription {
        match self {
            Destination::Objects(objects) => {
                DestinationDescription::Objects(objects.description.clone())
            }
            Destination::HttpEndpoint(endpoint) => {
                DestinationDescription::HttpEndpoint(HttpEndpointDescription {
                    kind: endpoint.kind,
                    url: endpoint.settings.url.to_string(),
                    content_encoding: endpoint.settings.content_encoding,
                    common_attributes: endpoint.attributes_shown.clone(),
                    retry_duration: endpoint.settings.retry_duration,
                    failed,
                })
            }
            Destination::Splunk(splunk) => DestinationDescription::Splunk(SplunkDescription {
                url: splunk.settings.url.to_string(),
                endpoint_type: match splunk.settings.format {
                    Format::Raw => HecEndpointType::Raw,
                    Format::Event => HecEndpointType::Event,
                },
                ack_timeout: splunk.settings.ack_timeout,
                retry_duration: splunk.settings.retry_duration,
                failed,
            }),
        }
    }

    pub fn into_settings(self) -> settings::Destination {
        match self {
            Destination::Objects(objects) => settings::Destination::Objects(objects.sink),
            Destination::HttpEndpoint(endpoint) => settings::Destination::HttpEndpoint {
                settings: endpoint.settings,
                http: endpoint.http,
            },
            Destination::Splunk(splunk) => settings::Destination::Splunk {
                settings: splunk.settings,
                http: splunk.http,
            },
        }
    }
}
