//! A place for objects, and how they are called and packed there: as destination, for what failed, or
//! as source backup. The blocks are the same but for the keys that would say nothing.

use std::path::PathBuf;

use super::kind::{ANY_TEXT, BUCKET, PATH};
use super::problem::Wrong;
use super::profiles;
use super::reading::{Block, Keys, Told};
use crate::aws::Profile;
use crate::model::{Compression, ObjectsDescription};
use crate::objects::Place;
use crate::objects::key::{Field, KeyTemplate, KeyTemplateError};
use crate::objects::store::{directory, s3};
use crate::sink::objects::Settings;
use crate::telemetry::Chain;

/// What stands in a block of either name.
pub const ALTERNATIVES: [&str; 2] = ["s3", "directory"];
pub static ALL: [&Keys; 6] = [
    &DESTINATION.s3,
    &DESTINATION.directory,
    &FAILED.s3,
    &FAILED.directory,
    &BACKUP.s3,
    &BACKUP.directory,
];

/// What a place is for.
pub struct Use {
    s3: Keys,
    directory: Keys,
}

pub static DESTINATION: Use = Use {
    s3: Keys {
        known: &[
            "bucket",
            "profile",
            "prefix",
            "error_output_prefix",
            "time_zone",
            "compression",
        ],
        later: &["file_extension"],
    },
    directory: Keys {
        known: &[
            "path",
            "prefix",
            "error_output_prefix",
            "time_zone",
            "compression",
        ],
        later: &["file_extension"],
    },
};

/// What failed is never compressed.
pub static FAILED: Use = Use {
    s3: Keys {
        known: &[
            "bucket",
            "profile",
            "prefix",
            "error_output_prefix",
            "time_zone",
        ],
        later: &[],
    },
    directory: Keys {
        known: &["path", "prefix", "error_output_prefix", "time_zone"],
        later: &[],
    },
};

/// Nothing fails on its way to a backup.
pub static BACKUP: Use = Use {
    s3: Keys {
        known: &["bucket", "profile", "prefix", "time_zone", "compression"],
        later: &["file_extension"],
    },
    directory: Keys {
        known: &["path", "prefix", "time_zone", "compression"],
        later: &["file_extension"],
    },
};

const COMPRESSIONS: [(&str, Compression); 2] = [
    ("none", Compression::Uncompressed),
    ("gzip", Compression::Gzip),
];
const COMPRESSIONS_LATER: [&str; 4] = ["zip", "snappy", "hadoop_snappy", "zstd"];

/// Good prefixes that stand in for others.
const ANY_ERROR_OUTPUT: &str = "!{firehose:error-output-type}/";
const ANY_TIME: &str = "!{timestamp:yyyy}/";

/// What a place comes to.
pub struct Objects {
    pub sink: Settings,
    pub description: ObjectsDescription,
}

/// Exactly one place. Each that stands there is read, so that nothing is told only at the second attempt.
pub fn one(
    block: &Block<'_>,
    used: &'static Use,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Objects, Told> {
    let s3 = in_s3(block, used, profiles);
    let directory = in_directory(block, used);
    block.one_of(&ALTERNATIVES)?;
    let found = s3?.or(directory?);
    Ok(found.expect("`one_of` saw exactly one"))
}

pub fn in_s3(
    block: &Block<'_>,
    used: &'static Use,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Option<Objects>, Told> {
    let Some(block) = block.block_if_given("s3", &used.s3)? else {
        return Ok(None);
    };
    let bucket = block.required("bucket", &BUCKET);
    let profile = profiles::chosen(&block, profiles);
    let names = names(&block);
    let place = Place::S3(s3::Settings {
        bucket: bucket?,
        profile: profile?,
    });
    Ok(Some(names?.at(place)))
}

pub fn in_directory(block: &Block<'_>, used: &'static Use) -> Result<Option<Objects>, Told> {
    let Some(block) = block.block_if_given("directory", &used.directory)? else {
        return Ok(None);
    };
    let path = block.required("path", &PATH);
    let path = path.and_then(|path| beside_storage(&block, path));
    let names = names(&block);
    let place = Place::Directory(directory::Settings { path: path? });
    Ok(Some(names?.at(place)))
}

/// The log would take objects in its directory for somebody else's and not open again, and leftovers of
/// objects are looked for in every folder below.
fn beside_storage(block: &Block<'_>, path: PathBuf) -> Result<PathBuf, Told> {
    let Some(storage) = block.reading.storage_at(&path) else {
        return Ok(path);
    };
    let (storage, folder) = (storage.display(), path.display());
    let wrong = Wrong::new(format!(
        "`{folder}` and the storage directory `{storage}` overlap"
    ));
    Err(block.wrong(
        "path",
        wrong.hint("choose a folder beside `storage.directory`"),
    ))
}

/// What is the same wherever objects go.
struct Names {
    keys: KeyTemplate,
    compression: Compression,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    time_zone: Option<String>,
}

impl Names {
    fn at(self, place: Place) -> Objects {
        let name = match &place {
            Place::S3(s3) => s3.bucket.clone(),
            Place::Directory(directory) => directory.path.display().to_string(),
        };
        Objects {
            description: ObjectsDescription {
                place: name,
                url: place.url(),
                prefix: self.prefix,
                error_output_prefix: self.error_output_prefix,
                time_zone: self.time_zone,
                compression: self.compression,
            },
            sink: Settings {
                place,
                keys: self.keys,
                compression: self.compression,
            },
        }
    }
}

fn names(block: &Block<'_>) -> Result<Names, Told> {
    let prefix = block.optional("prefix", &ANY_TEXT);
    let error_output_prefix = match block.may_have("error_output_prefix") {
        true => block.optional("error_output_prefix", &ANY_TEXT),
        false => Ok(None),
    };
    let time_zone = block.optional("time_zone", &ANY_TEXT);
    let compression = match block.may_have("compression") {
        true => compression(block),
        false => Ok(Compression::Uncompressed),
    };
    let (prefix, error_output_prefix, time_zone) = (prefix?, error_output_prefix?, time_zone?);
    // Firehose wants one beside a prefix with expressions, even where nothing can fail.
    let unused = match block.may_have("error_output_prefix") {
        true => None,
        false => Some(ANY_ERROR_OUTPUT),
    };
    let error_output_prefix_used = error_output_prefix.as_deref().or(unused);
    let keys = keys(
        block,
        prefix.as_deref(),
        error_output_prefix_used,
        time_zone.as_deref(),
    );
    warn_of_odd_prefixes(block, prefix.as_deref(), error_output_prefix.as_deref());
    Ok(Names {
        keys: keys?,
        compression: compression?,
        prefix,
        error_output_prefix,
        time_zone,
    })
}

/// Each is also looked at by itself, so that one's mistake does not hide another's.
fn keys(
    block: &Block<'_>,
    prefix: Option<&str>,
    error_output_prefix: Option<&str>,
    time_zone: Option<&str>,
) -> Result<KeyTemplate, Told> {
    let told = |error: KeyTemplateError| {
        let key = match error.field() {
            Field::Prefix => "prefix",
            Field::ErrorOutputPrefix => "error_output_prefix",
            Field::TimeZone => "time_zone",
        };
        block.wrong(key, Wrong::new(Chain(&error).to_string()))
    };
    let any_type = Some(ANY_ERROR_OUTPUT);
    let alone = [
        KeyTemplate::new(prefix, any_type, None),
        KeyTemplate::new(None, error_output_prefix, None),
        KeyTemplate::new(None, None, time_zone),
    ];
    let [prefix_alone, _, zone_alone] = alone.map(|it| it.map_err(told));
    let time_zone = time_zone.filter(|_| zone_alone.is_ok());
    // A prefix with a mistake in its expressions has expressions all the same.
    let prefix = match prefix_alone {
        Ok(_) => prefix,
        Err(Told) => prefix.filter(|it| it.contains("!{")).map(|_| ANY_TIME),
    };
    let together = KeyTemplate::new(prefix, error_output_prefix, time_zone).map_err(told)?;
    prefix_alone.and(zone_alone).and(Ok(together))
}

/// Allowed, as with Firehose, and seldom meant.
fn warn_of_odd_prefixes(
    block: &Block<'_>,
    prefix: Option<&str>,
    error_output_prefix: Option<&str>,
) {
    for (key, text) in [
        ("prefix", prefix),
        ("error_output_prefix", error_output_prefix),
    ] {
        let text = text.unwrap_or_default();
        let has_empty_folder = text.starts_with('/') || text.contains("//");
        let is_glued = text.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '}');
        let wrong = match (has_empty_folder, is_glued) {
            (true, _) => Wrong::new("keys would have a folder without a name")
                .hint("no `/` at the beginning, and never two of them in a row"),
            (false, true) => Wrong::new(format!("what follows `{text}` is glued on without a `/`"))
                .hint("end it with `/` if it is meant to be a folder"),
            (false, false) => continue,
        };
        block
            .reading
            .warn(block.place_of(key), &block.at(key), wrong);
    }
}

fn compression(block: &Block<'_>) -> Result<Compression, Told> {
    let entry = block.entry("compression");
    let name = entry.and_then(|entry| entry.value.content.alternative());
    if let Some(name) = name.filter(|name| COMPRESSIONS_LATER.contains(name)) {
        let wrong = Wrong::new(format!("`{name}` is not offered in this version"));
        return Err(block.wrong("compression", wrong.hint("offered here: none, gzip")));
    }
    block.choice("compression", &COMPRESSIONS, Compression::Uncompressed)
}

pub fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Uncompressed => "none",
        Compression::Gzip => "gzip",
    }
}
