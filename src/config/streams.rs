//! The section `streams`: each a source, a destination, and what stands between them.

use super::buffering::{self, Written};
use super::destination::{self, Destination, Kind};
use super::fingerprint::{self, Servers};
use super::node::Entry;
use super::objects::Objects;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::settings::{Backup, FailedOutput, Identity, Stream, Transform};
use super::{source_backup, transform};
use crate::aws::Profile;
use crate::model::{BackupDescription, BufferingHints, StreamDescription, StreamName, Timestamp};
use crate::pipeline;
use crate::source::direct_put;

pub static ALL: [&Keys; 2] = [&STREAM, &destination::FAILED_OUTPUT];
static STREAM: Keys = Keys {
    known: &[
        "source",
        "transform",
        "buffering",
        "destination",
        "failed_output",
        "source_backup",
    ],
    later: &["processors", "partitioning"],
};
const SOURCES_LATER: [&str; 4] = ["kinesis", "kafka", "tail", "msk"];

/// The other sections that streams depend on.
pub struct Sections<'a> {
    pub identity: &'a Result<Identity, Told>,
    pub defaults: &'a Result<Written, Told>,
    pub profiles: &'a Result<Vec<Profile>, Told>,
}

pub fn read(root: &Block<'_>, sections: &Sections<'_>) -> Result<Vec<Stream>, Told> {
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
        stream(&block, name(&section, entry), sections)
    });
    let read: Vec<Result<Stream, Told>> = read.collect();
    read.into_iter().collect()
}

/// Everything is read, and only then put together.
fn stream(
    block: &Block<'_>,
    name: Result<StreamName, Told>,
    sections: &Sections<'_>,
) -> Result<Stream, Told> {
    let Sections { profiles, .. } = sections;
    let source = source(block);
    let transform = transform::read(block, profiles);
    let ranges = Kind::of(block).map_or(buffering::ANY, Kind::ranges);
    let buffering = buffering::of_stream(block, &ranges, sections.defaults);
    let destination = destination::read(block, source_arn(&name, sections), profiles);
    let failed = destination::failed_output(block, &destination, profiles);
    let backup = source_backup::read(block, profiles);
    if let (Ok(Destination::Objects(delivered)), Ok(Some((copied, _)))) = (&destination, &backup) {
        warn_of_mixture(block, delivered, copied);
    }
    source?;
    let parts = Parts {
        buffering: buffering?,
        destination: destination?,
        failed: failed?,
        transform: transform?,
        backup: backup?,
    };
    Ok(parts.together(name?))
}

/// Names alone do not tell a copy from a delivered object.
fn warn_of_mixture(block: &Block<'_>, delivered: &Objects, copied: &Objects) {
    let prefix = |of: &Objects| of.description.prefix.clone().unwrap_or_default();
    if delivered.sink.place != copied.sink.place || prefix(delivered) != prefix(copied) {
        return;
    }
    let wrong = Wrong::new("copies lie among the delivered objects, and nothing tells them apart");
    let wrong = wrong.hint("give `source_backup` a `prefix` of its own, or another place");
    let path = block.at("source_backup");
    block
        .reading
        .warn(block.place_of("source_backup"), &path, wrong);
}

/// As endpoints are told of the stream.
fn source_arn(name: &Result<StreamName, Told>, sections: &Sections<'_>) -> Result<String, Told> {
    let name = name.as_ref().map_err(|told| *told)?;
    let Identity { region, account } = sections.identity.as_ref().map_err(|told| *told)?.clone();
    Ok(direct_put::Settings { region, account }.stream_arn(name.as_str()))
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

/// A stream's blocks, each of them good.
struct Parts {
    buffering: BufferingHints,
    destination: Destination,
    failed: Objects,
    transform: Option<Transform>,
    backup: Option<(Objects, BufferingHints)>,
}

impl Parts {
    fn together(self, name: StreamName) -> Stream {
        let description = self.description(&name);
        let servers = Servers {
            destination: match &self.destination {
                Destination::Objects(objects) => Some(&objects.sink.place),
                Destination::HttpEndpoint(_) | Destination::Splunk(_) => None,
            },
            failed: &self.failed,
            transform: self.transform.as_ref(),
            backup: self.backup.as_ref().map(|(objects, _)| &objects.sink.place),
        };
        Stream {
            name,
            fingerprint: fingerprint::of(&description, &servers),
            pipeline: pipeline::Settings {
                buffering: self.buffering,
            },
            destination: self.destination.into_settings(),
            failed: FailedOutput {
                place: self.failed.sink.place,
                keys: self.failed.sink.keys,
            },
            transform: self.transform,
            backup: self.backup.map(|(objects, buffering)| Backup {
                sink: objects.sink,
                buffering,
            }),
            description,
        }
    }

    fn description(&self, name: &StreamName) -> StreamDescription {
        let backup = self
            .backup
            .as_ref()
            .map(|(objects, buffering)| BackupDescription {
                objects: objects.description.clone(),
                buffering: *buffering,
            });
        StreamDescription {
            name: name.clone(),
            version: 1,
            created: Timestamp::default(),
            updated: None,
            destination: self
                .destination
                .description(self.failed.description.clone()),
            buffering: self.buffering,
            transform: self.transform.as_ref().map(transform::description),
            backup,
        }
    }
}
