//! The section `producers`: who may put, and into which streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::ACCESS_KEY_ID;
use super::node::Entry;
use super::place::Place;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::secret;
use crate::model::{Secret, StreamName};
use crate::server::{Identity, Producer, StreamPattern};

pub static ALL: [&Keys; 1] = [&PRODUCER];
static PRODUCER: Keys = Keys {
    known: &["access_key_id", "secret_access_key", "token", "streams"],
    later: &[],
};

pub fn read(root: &Block<'_>) -> Result<Vec<Producer>, Told> {
    let (block, entries) = root.named("producers")?;
    let read = entries.iter().map(|entry| producer(&block, entry));
    let read: Vec<Result<Producer, Told>> = read.collect();
    if let (Some(entry), []) = (root.entry("producers"), entries) {
        let wrong = Wrong::new("names nobody, so nobody could put");
        return Err(root.reading.wrong(&entry.place, "producers", wrong));
    }
    let producers = read.into_iter().collect::<Result<Vec<Producer>, Told>>()?;
    report_shared_names(&block, &producers, entries)?;
    warn_of_idle_patterns(root, &producers);
    Ok(producers)
}

fn producer(section: &Block<'_>, entry: &Entry) -> Result<Producer, Told> {
    let block = section.open_entry(entry, &PRODUCER)?;
    let identity = identity(&block);
    let streams = streams(&block);
    Ok(Producer {
        name: entry.key.clone(),
        identity: identity?,
        streams: streams?,
    })
}

fn identity(block: &Block<'_>) -> Result<Identity, Told> {
    let signs = block
        .entry("access_key_id")
        .or_else(|| block.entry("secret_access_key"));
    match (signs.is_some(), block.entry("token").is_some()) {
        (true, false) => {
            let access_key_id = block.required("access_key_id", &ACCESS_KEY_ID);
            let secret_access_key = block.required_secret("secret_access_key", secret::ANY);
            Ok(Identity::AccessKey {
                access_key_id: access_key_id?,
                secret_access_key: secret_access_key?,
            })
        }
        (false, true) => token(block).map(Identity::Token),
        (true, true) | (false, false) => {
            let what = "needs either access_key_id with secret_access_key, or token";
            Err(block
                .reading
                .wrong(&block.place, &block.path, Wrong::new(what)))
        }
    }
}

/// It travels in a header.
fn token(block: &Block<'_>) -> Result<Secret, Told> {
    block.required_secret("token", secret::HEADER)
}

fn streams(block: &Block<'_>) -> Result<Vec<StreamPattern>, Told> {
    let texts = block.texts("streams")?;
    if texts.is_empty() {
        let wrong = Wrong::new("names no stream");
        return Err(block.wrong("streams", wrong.hint("for all of them: `streams: [\"*\"]`")));
    }
    let pattern = |(text, place): (&str, &Place)| {
        // A pattern is a name in which `*` may stand.
        let as_name = text.replace('*', "x");
        if as_name.parse::<StreamName>().is_ok() {
            return Ok(StreamPattern(text.to_owned()));
        }
        let wrong = Wrong::new(format!("`{text}` matches no stream's name"));
        let hint = "1 to 64 of the characters a-z A-Z 0-9 _ . - and `*`";
        Err(block
            .reading
            .wrong(place, &block.at("streams"), wrong.hint(hint)))
    };
    texts.into_iter().map(pattern).collect()
}

/// Whoever signs or shows a token must be one producer.
fn report_shared_names(
    section: &Block<'_>,
    producers: &[Producer],
    entries: &[Entry],
) -> Result<(), Told> {
    let mut seen: BTreeMap<Arc<str>, &str> = BTreeMap::new();
    let mut outcome = Ok(());
    for (producer, entry) in producers.iter().zip(entries) {
        let (key, name) = match &producer.identity {
            Identity::AccessKey { access_key_id, .. } => {
                ("access_key_id", Arc::from(access_key_id.as_str()))
            }
            Identity::Token(token) => ("token", token.reveal()),
        };
        if let Some(other) = seen.insert(name, &producer.name) {
            let block = section.open_entry(entry, &PRODUCER)?;
            let what = format!("the same as `{}` has", section.at(other));
            outcome = Err(block.wrong(key, Wrong::new(what)));
        }
    }
    outcome
}

fn warn_of_idle_patterns(root: &Block<'_>, producers: &[Producer]) {
    let entries = root
        .named("streams")
        .map_or(&[][..], |(_, entries)| entries);
    let names = entries
        .iter()
        .filter_map(|entry| entry.key.parse::<StreamName>().ok());
    let names: Vec<StreamName> = names.collect();
    for producer in producers {
        for pattern in &producer.streams {
            if names.iter().any(|name| pattern.matches(name)) {
                continue;
            }
            let path = format!("producers.{}.streams", producer.name);
            let wrong = Wrong::new(format!("`{}` matches none of the streams", pattern.0));
            root.reading.warn(root.place_of("producers"), &path, wrong);
        }
    }
}
