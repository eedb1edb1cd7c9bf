//! The section `streams`: each a source, hints, and a destination.

use sha2::{Digest, Sha256};

use super::buffering::{self, Written};
use super::destination::{self, Destination};
use super::node::Entry;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::settings::{self, FailedOutput, Stream};
use crate::aws::Profile;
use crate::model::{BufferingHints, StreamDescription, StreamName, Timestamp};
use crate::pipeline;
use crate::sink::objects::Place;

pub static ALL: [&Keys; 1] = [&STREAM];
static STREAM: Keys = Keys {
    known: &["source", "buffering", "destination"],
    later: &[
        "transform",
        "processors",
        "source_backup",
        "failed_output",
        "partitioning",
    ],
};
const SOURCES_LATER: [&str; 4] = ["kinesis", "kafka", "tail", "msk"];

pub fn read(
    root: &Block<'_>,
    defaults: &Result<Written, Told>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Vec<Stream>, Told> {
    let (section, entries) = root.named("streams")?;
    if entries.is_empty() {
        let wrong = Wrong::new("there are no streams");
        let hint = "for example `streams: { demo: { source: direct_put, destination: { directory: \
                    { path: ./out } } } }`";
        return Err(root
            .reading
            .wrong(&section.place, "streams", wrong.hint(hint)));
    }
    let read = entries.iter().map(|entry| {
        let block = section.open_entry(entry, &STREAM)?;
        let name = name(&section, entry);
        let source = source(&block);
        let buffering = buffering::of_stream(&block, defaults);
        let destination = destination::read(&block, profiles);
        source?;
        Ok(stream(name?, buffering?, destination?))
    });
    let read: Vec<Result<Stream, Told>> = read.collect();
    read.into_iter().collect()
}

fn name(section: &Block<'_>, entry: &Entry) -> Result<StreamName, Told> {
    let told = |error: crate::model::StreamNameError| {
        section.reading.wrong(
            &entry.place,
            &section.at(&entry.key),
            Wrong::new(error.to_string()),
        )
    };
    entry.key.parse().map_err(told)
}

fn source(block: &Block<'_>) -> Result<(), Told> {
    let Some(entry) = block.entry("source") else {
        return Err(block.missing("source"));
    };
    let name = entry.value.content.alternative();
    if let Some(name) = name.filter(|name| SOURCES_LATER.contains(name)) {
        let wrong = Wrong::new(format!("`{name}` is not offered in this version"));
        return Err(block.wrong("source", wrong.hint("offered here: direct_put")));
    }
    block.choice("source", &[("direct_put", ())], ())
}

fn stream(name: StreamName, buffering: BufferingHints, destination: Destination) -> Stream {
    Stream {
        fingerprint: fingerprint(&buffering, &destination),
        pipeline: pipeline::Settings { buffering },
        failed: FailedOutput {
            place: destination.sink.place.clone(),
            keys: destination.sink.keys.clone(),
        },
        destination: settings::Destination::Objects(destination.sink),
        transform: None,
        backup: None,
        description: StreamDescription {
            name: name.clone(),
            version: 1,
            created: Timestamp::default(),
            updated: None,
            destination: destination.description,
            buffering,
        },
        name,
    }
}

/// The same for the same settings in every build, so it is made of text and a fixed hash.
/// Credentials are not part of it: a new key makes no new kind of object.
fn fingerprint(buffering: &BufferingHints, destination: &Destination) -> u64 {
    let server = match &destination.sink.place {
        Place::S3(s3) => {
            let endpoint = s3.profile.endpoint.as_ref().map(http::Uri::to_string);
            format!("{} {}", s3.profile.region, endpoint.unwrap_or_default())
        }
        Place::Directory(_) => String::new(),
    };
    let description = &destination.description;
    let text = format!(
        "{:?}",
        (
            &server,
            &description.url,
            &description.prefix,
            &description.error_output_prefix,
            &description.time_zone,
            destination::compression_name(description.compression),
            buffering.size.get(),
            buffering.interval.as_secs(),
        )
    );
    let digest = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
}
