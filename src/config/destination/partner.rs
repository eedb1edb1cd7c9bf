//! Partners by name: each an HTTP endpoint whose keys come from the table of presets.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::http_endpoint::HttpEndpoint;
use super::requests::{self, Requests};
use crate::config::node::Content;
use crate::config::outbound;
use crate::config::place::Place;
use crate::config::problem::Wrong;
use crate::config::reading::{Block, Keys, Told, with_nearest};
use crate::config::secret;
use crate::model::Secret;
use crate::sink::http_endpoint::preset::{Given, PRESETS, Preset, PresetError};

/// By name. They live as long as the program.
static KEYS: LazyLock<BTreeMap<&'static str, Keys>> = LazyLock::new(|| {
    let keys = PRESETS.iter().map(|preset| {
        let known = preset.address_keys().into_iter().chain(preset.key);
        let keys = Keys {
            known: Vec::leak(known.chain(requests::KEYS).collect()),
            later: &[],
        };
        (preset.name, keys)
    });
    keys.collect()
});

pub fn all_keys() -> impl Iterator<Item = &'static Keys> {
    KEYS.values()
}

pub fn read(
    destination: &Block<'_>,
    preset: &'static Preset,
    source_arn: Result<String, Told>,
) -> Result<Option<HttpEndpoint>, Told> {
    let Some(block) = destination.block_if_given(preset.name, &KEYS[preset.name])? else {
        return Ok(None);
    };
    let address = address(&block, preset);
    let key = preset
        .key
        .map(|key| block.required_secret(key, secret::ACCESS_KEY));
    let requests = requests::read(&block, preset.content_encoding);
    let complete = report_missing(&block, preset, &address, &requests);
    let (address, requests, key) = (address?, requests?, key.transpose()?);
    complete?;
    let settings = preset.settings(Given {
        key,
        common_attributes: requests.attributes,
        content_encoding: requests.content_encoding,
        retry_duration: requests.retry_duration,
        source_arn: source_arn?,
        address,
    });
    let settings = settings.map_err(|error| wrong(&block, &error))?;
    say_url(&block, &settings.url.to_string());
    outbound::warn_if_in_the_open(&block, "url", &settings.url.to_string());
    Ok(Some(HttpEndpoint {
        kind: preset.name,
        settings,
        http: requests.http,
        attributes_shown: requests.attributes_shown,
    }))
}

/// All at once; the key is told by whoever reads it.
fn report_missing(
    block: &Block<'_>,
    preset: &Preset,
    address: &Result<BTreeMap<String, Secret>, Told>,
    requests: &Result<Requests, Told>,
) -> Result<(), Told> {
    let keys = address.as_ref().map(|it| preset.missing_keys(it));
    let keys = keys
        .unwrap_or_default()
        .into_iter()
        .map(PresetError::Missing);
    let attributes = requests
        .as_ref()
        .map(|it| preset.missing_attributes(&it.attributes));
    let attributes = attributes
        .unwrap_or_default()
        .into_iter()
        .map(PresetError::Attribute);
    let mut told = Ok(());
    for error in keys.chain(attributes) {
        told = Err(wrong(block, &error));
    }
    told
}

/// What the URL is made of. It is read once, as a URL is.
fn address(block: &Block<'_>, preset: &Preset) -> Result<BTreeMap<String, Secret>, Told> {
    let mut address = BTreeMap::new();
    let mut told = Ok(());
    for key in preset.address_keys() {
        let Some(entry) = block.entry(key) else {
            continue;
        };
        if key != "url" && block.entry("url").is_some() {
            told = Err(block.wrong(key, Wrong::new("has no effect beside `url`")));
            continue;
        }
        let read = match preset.hides(key) {
            true => block.hidden(entry, secret::ANY),
            false => block.discreet(entry, secret::ANY),
        };
        match read {
            Err(error) => told = Err(error),
            Ok(value) => {
                if key != "url" {
                    let place = &entry.value.place;
                    block.reading.say(place, &block.at(key), &value.shown);
                }
                address.insert(key.to_owned(), Secret::new(value.text()));
            }
        }
    }
    told.and(Ok(address))
}

/// Only its host: some partners' URLs hold a token.
fn say_url(block: &Block<'_>, url: &str) {
    let place = match block.entry("url") {
        Some(entry) => entry.value.place.clone(),
        None => Place::default_value(),
    };
    block.reading.say(&place, &block.at("url"), url);
}

fn wrong(block: &Block<'_>, error: &PresetError) -> Told {
    let told = Wrong::new(error.to_string());
    match error {
        PresetError::Missing(key) => block.missing(key),
        PresetError::Label(key) | PresetError::Segment(key) => block.wrong(key, told),
        PresetError::Choice { key, choices } => {
            let entry = block.entry(key).expect("it was read");
            // A value that is not in the open is not repeated.
            let Content::Scalar(given) = &entry.value.content else {
                return block.wrong(key, told);
            };
            let names: Vec<&str> = choices.split(", ").map(|it| it.trim_matches('`')).collect();
            let wrong = Wrong::new(format!("`{given}` is not one of {}", names.join(", ")));
            block.wrong(key, with_nearest(wrong, given, &names))
        }
        PresetError::Attribute(name) => {
            let what = format!(
                "is missing, and `{}` cannot do without it",
                block_name(block)
            );
            let path = format!("common_attributes.{name}");
            block.absent(&path, Wrong::new(what))
        }
        PresetError::Url(cause) => block.wrong("url", Wrong::new(cause.to_string())),
    }
}

fn block_name<'a>(block: &'a Block<'_>) -> &'a str {
    block.path.rsplit('.').next().unwrap_or_default()
}
