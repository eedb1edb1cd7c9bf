//! A stream's `destination`: exactly one place, and how objects there are called and packed.

use super::kind::{ANY_TEXT, BUCKET, PATH, TEXT};
use super::problem::Wrong;
use super::profiles;
use super::reading::{Block, Keys, Told, with_nearest};
use crate::aws::Profile;
use crate::model::{Compression, DestinationDescription};
use crate::objects::key::{Field, KeyTemplate};
use crate::objects::store::{directory, s3};
use crate::sink::objects::{Place, Settings};
use crate::telemetry::Chain;

const ALTERNATIVES: [&str; 2] = ["s3", "directory"];
pub static ALL: [&Keys; 3] = [&DESTINATION, &S3, &DIRECTORY];
static DESTINATION: Keys = Keys {
    known: &ALTERNATIVES,
    later: &[
        "http_endpoint",
        "splunk",
        "datadog",
        "new_relic",
        "coralogix",
        "dynatrace",
        "elastic",
        "honeycomb",
        "logic_monitor",
        "logz_io",
        "mongodb",
        "sumo_logic",
        "opensearch",
        "redshift",
        "snowflake",
        "iceberg",
    ],
};
static S3: Keys = Keys {
    known: &[
        "bucket",
        "profile",
        "prefix",
        "error_output_prefix",
        "time_zone",
        "compression",
    ],
    later: &["file_extension"],
};
static DIRECTORY: Keys = Keys {
    known: &[
        "path",
        "prefix",
        "error_output_prefix",
        "time_zone",
        "compression",
    ],
    later: &["file_extension"],
};
const COMPRESSIONS: [(&str, Compression); 2] = [
    ("none", Compression::Uncompressed),
    ("gzip", Compression::Gzip),
];
const COMPRESSIONS_LATER: [&str; 4] = ["zip", "snappy", "hadoop_snappy", "zstd"];

/// What a stream's destination comes to.
pub struct Destination {
    pub sink: Settings,
    pub description: DestinationDescription,
}

pub fn read(
    stream: &Block<'_>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Destination, Told> {
    if stream.entry("destination").is_none() {
        return Err(stream.missing("destination"));
    }
    let block = stream.block("destination", &DESTINATION)?;
    // Each that stands there is read, so that nothing is told only at the second attempt.
    let s3 = block.block_if_given("s3", &S3);
    let s3 = s3.and_then(|block| block.map(|block| in_s3(&block, profiles)).transpose());
    let directory = block.block_if_given("directory", &DIRECTORY);
    let directory = directory.and_then(|block| block.map(|block| in_directory(&block)).transpose());
    block.one_of(&ALTERNATIVES)?;
    match (s3?, directory?) {
        (Some(destination), None) | (None, Some(destination)) => Ok(destination),
        (None, None) | (Some(_), Some(_)) => unreachable!("`one_of` saw exactly one"),
    }
}

fn in_s3(block: &Block<'_>, profiles: &Result<Vec<Profile>, Told>) -> Result<Destination, Told> {
    let bucket = block.required("bucket", &BUCKET);
    let profile = profiles.as_ref().map_err(|told| *told);
    let profile = profile.and_then(|known| profile_of(block, known));
    let objects = objects(block);
    let bucket = bucket?;
    let url = format!("s3://{bucket}/");
    let place = Place::S3(s3::Settings {
        bucket: bucket.clone(),
        profile: profile?,
    });
    Ok(objects?.at(place, bucket, url))
}

fn in_directory(block: &Block<'_>) -> Result<Destination, Told> {
    let path = block.required("path", &PATH);
    let objects = objects(block);
    let path = path?;
    let shown = path.display().to_string();
    let place = Place::Directory(directory::Settings { path });
    Ok(objects?.at(place, shown.clone(), shown))
}

fn profile_of(block: &Block<'_>, known: &[Profile]) -> Result<Profile, Told> {
    let name = block.or("profile", &TEXT, profiles::DEFAULT.to_owned())?;
    if let Some(profile) = known.iter().find(|profile| profile.name == name) {
        return Ok(profile.clone());
    }
    let names: Vec<&str> = known.iter().map(|profile| profile.name.as_str()).collect();
    let wrong = Wrong::new(format!("there is no profile `{name}`"));
    let wrong = match with_nearest(wrong, &name, &names) {
        Wrong { what, hint: None } => Wrong::new(what).hint(format!(
            "say where it is: `aws: {{ {name}: {{ region: eu-west-1 }} }}`"
        )),
        wrong => wrong,
    };
    Err(block.wrong("profile", wrong))
}

/// What is the same wherever objects go.
struct Objects {
    keys: KeyTemplate,
    compression: Compression,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    time_zone: Option<String>,
}

impl Objects {
    fn at(self, place: Place, name: String, url: String) -> Destination {
        Destination {
            sink: Settings {
                place,
                keys: self.keys,
                compression: self.compression,
            },
            description: DestinationDescription {
                place: name,
                url,
                prefix: self.prefix,
                error_output_prefix: self.error_output_prefix,
                time_zone: self.time_zone,
                compression: self.compression,
            },
        }
    }
}

fn objects(block: &Block<'_>) -> Result<Objects, Told> {
    let prefix = block.optional("prefix", &ANY_TEXT);
    let error_output_prefix = block.optional("error_output_prefix", &ANY_TEXT);
    let time_zone = block.optional("time_zone", &ANY_TEXT);
    let compression = compression(block);
    let (prefix, error_output_prefix, time_zone) = (prefix?, error_output_prefix?, time_zone?);
    let keys = KeyTemplate::new(
        prefix.as_deref(),
        error_output_prefix.as_deref(),
        time_zone.as_deref(),
    );
    let keys = keys.map_err(|error| {
        let key = match error.field() {
            Field::Prefix => "prefix",
            Field::ErrorOutputPrefix => "error_output_prefix",
            Field::TimeZone => "time_zone",
        };
        block.wrong(key, Wrong::new(Chain(&error).to_string()))
    });
    Ok(Objects {
        keys: keys?,
        compression: compression?,
        prefix,
        error_output_prefix,
        time_zone,
    })
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
