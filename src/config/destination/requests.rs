//! What is said alike of the generic HTTP endpoint and of every partner.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::outbound;
use crate::config::problem::Wrong;
use crate::config::range;
use crate::config::reading::{Block, Told};
use crate::config::secret::Rule;
use crate::model::{Compression, Secret, limits};
use crate::outside::http_client;
use crate::sink::http_endpoint::{AttributesError, CommonAttributes};

/// The keys read here.
pub const KEYS: [&str; 7] = [
    "content_encoding",
    "common_attributes",
    "retry_duration",
    "ca_file",
    "client_certificate_file",
    "client_key_file",
    "proxy",
];

pub struct Requests {
    pub content_encoding: Compression,
    pub attributes: CommonAttributes,
    pub attributes_shown: BTreeMap<String, String>,
    pub retry_duration: Duration,
    pub http: http_client::Settings,
}

pub fn read(block: &Block<'_>, encoding: Compression) -> Result<Requests, Told> {
    let encodings = [
        ("none", Compression::Uncompressed),
        ("gzip", Compression::Gzip),
    ];
    let encoding = block.choice("content_encoding", &encodings, encoding);
    let attributes = common_attributes(block);
    let retry_duration = retry_duration(block);
    let http = outbound::settings(block);
    let (attributes, attributes_shown) = attributes?;
    Ok(Requests {
        content_encoding: encoding?,
        attributes,
        attributes_shown,
        retry_duration: retry_duration?,
        http: http?,
    })
}

/// How long a request is tried again, from its first failure.
pub fn retry_duration(block: &Block<'_>) -> Result<Duration, Told> {
    let range = Duration::ZERO..=limits::FIREHOSE_RETRY_DURATION_MAX;
    let default = limits::FIREHOSE_RETRY_DURATION_DEFAULT;
    range::seconds(block, "retry_duration", range, default)
}

/// Names with a value each, which may be a secret. Also as they may be shown.
fn common_attributes(
    block: &Block<'_>,
) -> Result<(CommonAttributes, BTreeMap<String, String>), Told> {
    let (section, entries) = block.named("common_attributes")?;
    let (mut values, mut shown) = (BTreeMap::new(), BTreeMap::new());
    let mut told = Ok(());
    for entry in entries {
        let name = entry.key.clone();
        match section.discreet(entry, ATTRIBUTE) {
            Err(error) => told = Err(error),
            Ok(value) => {
                let place = &entry.value.place;
                // Names that are too long, or too many of them, are wrong one by one.
                let alone = BTreeMap::from([(name.clone(), Secret::new(value.text()))]);
                if let Err(error) = CommonAttributes::new(alone) {
                    let wrong = Wrong::new(error.to_string());
                    told = Err(section.reading.wrong(place, &section.at(&name), wrong));
                }
                section.reading.say(place, &section.at(&name), &value.shown);
                shown.insert(name.clone(), value.shown.clone());
                values.insert(name, value.followed(section.reading));
            }
        }
    }
    told?;
    match CommonAttributes::new(values) {
        Ok(attributes) => Ok((attributes, shown)),
        Err(error) => Err(block.wrong("common_attributes", Wrong::new(error.to_string()))),
    }
}

/// Told here already, so that a secret's new value keeps the limits too.
const ATTRIBUTE: Rule = |text| {
    let alone = BTreeMap::from([("value".to_owned(), Secret::new(text))]);
    match CommonAttributes::new(alone) {
        Err(AttributesError::Value(_)) => {
            let most = limits::FIREHOSE_ENDPOINT_ATTRIBUTE_VALUE_CHARACTERS_MAX;
            Err(Wrong::new(format!(
                "the value has more than {most} characters"
            )))
        }
        Ok(_) | Err(AttributesError::Name(_) | AttributesError::TooMany(_)) => Ok(()),
    }
};
