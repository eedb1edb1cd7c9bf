//! From files, environment and command line to `Settings` that are true.
//!
//! `search` finds the files, `yaml` turns their text into trees with places, `layers` lays them over
//! one another together with environment and command line. Then each section is read by hand
//! (`reading`), so that every problem is told at once, with its place:
//!
//! ```text
//! delivery.yaml has 2 problems
//!   delivery.yaml:14:13  streams.clicks.buffering.size: `5 megs` is not a size
//!     hint: write a count and a unit, e.g. `5MiB`
//!   delivery.yaml:22:5   streams.clicks.destination.s3.bucket: is missing
//! ```
//!
//! Each subsystem owns its `Settings`, valid by construction, and their defaults; this module owns
//! the file's shape. Nobody below knows that YAML exists.

mod buffering;
mod destination;
mod fingerprint;
mod kind;
mod layers;
mod listen;
mod node;
mod objects;
mod outbound;
mod place;
mod problem;
mod producers;
mod profiles;
mod range;
mod reading;
mod search;
mod secret;
mod sections;
mod settings;
mod source_backup;
mod streams;
mod transform;
mod variables;
mod yaml;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use layers::Sources;
pub use outbound::usual_proxies;
pub use place::{Origin, Place};
pub use problem::{Problem, Problems, Wrong};
pub use profiles::plain_profile;
pub use reading::Said;
pub use settings::{
    Backup, Destination, FailedOutput, Identity, Listen, Settings, Stream, Transform,
};

use crate::aws::Profile;
use crate::outside::Surroundings;
use reading::{Block, Keys, Reading, Told};
use streams::Sections;

static KEYS: Keys = Keys {
    known: &[
        "storage",
        "listen",
        "producers",
        "identity",
        "aws",
        "defaults",
        "streams",
        "shutdown",
        "log",
    ],
    later: &[],
};

/// A configuration without problems, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// AWS profiles by name, for commands that talk to AWS themselves.
    pub profiles: Vec<Profile>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// Every value, with the place where it was written.
    pub said: Vec<Said>,
    /// What is allowed, and probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads and checks everything; changes nothing.
pub fn load(sources: &Sources, surroundings: &Surroundings) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let Some(merged) = layers::read(sources, surroundings, &mut problems) else {
        return Err(Problems::new(problems));
    };
    let reading = Reading::new(surroundings, problems);
    let read = everything(&reading.root(&merged.root, &KEYS));
    let notes = reading.done();
    match read {
        Ok((settings, profiles)) if notes.problems.is_empty() => Ok(Loaded {
            settings: Settings {
                secret_files: notes.followed,
                ..settings
            },
            profiles,
            files: merged.files,
            said: notes.said,
            warnings: notes.warnings,
        }),
        Ok(_) | Err(Told) => Err(Problems::new(notes.problems)),
    }
}

/// Every key that a configuration can have, for the tests of the reference.
pub fn known_keys() -> BTreeSet<&'static str> {
    let sections = [
        &[&KEYS][..],
        &sections::ALL,
        &listen::ALL,
        &producers::ALL,
        &profiles::ALL,
        &buffering::ALL,
        &objects::ALL,
        &outbound::ALL,
        &source_backup::ALL,
        &streams::ALL,
        &transform::ALL,
        &secret::ALL,
    ];
    let blocks = sections.into_iter().flatten();
    let mut keys = destination::known_keys();
    keys.extend(blocks.flat_map(|keys| keys.known).copied());
    keys
}

fn everything(root: &Block<'_>) -> Result<(Settings, Vec<Profile>), Told> {
    let storage = sections::storage(root);
    let producers = producers::read(root);
    let listen = listen::read(root, &producers);
    let identity = sections::identity(root);
    let profiles = profiles::read(root);
    let shutdown = sections::shutdown(root);
    let log = sections::log(root);
    let defaults = buffering::defaults(root);
    let sections = Sections {
        identity: &identity,
        defaults: &defaults,
        profiles: &profiles,
    };
    let streams = streams::read(root, &sections);
    let settings = Settings {
        storage: storage?,
        listen: listen?,
        producers: producers?,
        identity: identity?,
        streams: streams?,
        shutdown: shutdown?,
        log: log?,
        secret_files: Vec::new(),
    };
    Ok((settings, profiles?))
}
