//! Partners that Firehose knows by name. All of them speak the same protocol; only the URL, what the
//! key is called, sizes and attributes differ, so each is one row of a table.
//!
//! Where a partner's URL could not be verified it is asked for, and `url` takes the place of what
//! the table knows anyway: partners move.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CommonAttributes, EndpointUrl, Settings, UrlError};
use crate::model::{ByteSize, Compression, Secret, limits};
use crate::sink::parts::base64_bytes;

pub struct Preset {
    /// As the configuration calls it.
    pub name: &'static str,
    /// The first is the default. None: `url` must be given.
    urls: &'static [Url],
    /// What the access key is called. `None`: it stands in the URL.
    pub key: Option<&'static str>,
    pub size: Sizes,
    /// What the partner recommends.
    pub content_encoding: Compression,
    /// The partner cannot do without these.
    required_attributes: &'static [&'static str],
}

/// A batch's size before base64, in MiB: Firehose's buffering hints for this partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub least: ByteSize,
    pub usual: ByteSize,
    pub most: ByteSize,
}

/// The partner's URL for one kind of data.
struct Url {
    /// What `data` chooses it by.
    data: &'static str,
    /// With `{holes}`.
    text: &'static str,
    holes: &'static [Hole],
}

struct Hole {
    key: &'static str,
    fill: Fill,
}

enum Fill {
    /// What may be given, and what then stands in the URL. The first is the default.
    OneOf(&'static [(&'static str, &'static str)]),
    /// Part of a host's name.
    Label,
    /// A segment of the path.
    Segment,
    /// The same, and nobody may see it.
    Secret,
}

/// What the configuration says of a partner.
#[derive(Debug)]
pub struct Given {
    /// `url`, or what fills the holes of the partner's, by key.
    pub address: BTreeMap<String, Secret>,
    pub key: Option<Secret>,
    pub common_attributes: CommonAttributes,
    pub content_encoding: Compression,
    pub retry_duration: Duration,
    pub source_arn: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{key}` is one of {choices}")]
    Choice { key: &'static str, choices: String },
    #[error("`{0}` is part of a host's name: only a-z, 0-9 and - are allowed")]
    Label(&'static str),
    #[error("`{0}` is part of a path: it cannot be empty, `.` or `..`")]
    Segment(&'static str),
    #[error("the attribute `{0}` is missing, and this partner cannot do without it")]
    Attribute(&'static str),
    #[error("`url`")]
    Url(#[source] UrlError),
}

const fn mebibytes(least: u64, usual: u64, most: u64) -> Sizes {
    Sizes {
        least: ByteSize::mebibytes(least),
        usual: ByteSize::mebibytes(usual),
        most: ByteSize::mebibytes(most),
    }
}

/// What most rows are like.
const PLAIN: Preset = Preset {
    name: "",
    urls: &[],
    key: Some("api_key"),
    size: mebibytes(1, 5, 64),
    content_encoding: Compression::Uncompressed,
    required_attributes: &[],
};

pub static PRESETS: [Preset; 10] = [
    Preset {
        name: "coralogix",
        key: Some("private_key"),
        size: mebibytes(1, 6, 64),
        content_encoding: Compression::Gzip,
        ..PLAIN
    },
    Preset {
        name: "datadog",
        urls: &[Url {
            data: "logs",
            text: "https://aws-kinesis-http-intake.logs.{site}/v1/input",
            holes: &[Hole {
                key: "site",
                fill: Fill::OneOf(&[
                    ("us", "datadoghq.com"),
                    ("us3", "us3.datadoghq.com"),
                    ("us5", "us5.datadoghq.com"),
                    ("eu", "datadoghq.eu"),
                    ("ap1", "ap1.datadoghq.com"),
                    ("gov", "ddog-gov.com"),
                ]),
            }],
        }],
        size: mebibytes(1, 4, 4),
        ..PLAIN
    },
    Preset {
        name: "dynatrace",
        key: Some("api_token"),
        required_attributes: &["dt-url"],
        ..PLAIN
    },
    Preset {
        name: "elastic",
        size: mebibytes(1, 1, 1),
        ..PLAIN
    },
    Preset {
        name: "honeycomb",
        urls: &[Url {
            data: "events",
            text: "https://api.honeycomb.io/1/kinesis_events/{dataset}",
            holes: &[Hole {
                key: "dataset",
                fill: Fill::Segment,
            }],
        }],
        size: mebibytes(1, 15, 64),
        content_encoding: Compression::Gzip,
        ..PLAIN
    },
    Preset {
        name: "logic_monitor",
        ..PLAIN
    },
    Preset {
        name: "logz_io",
        urls: &[Url {
            data: "metrics",
            text: "https://listener-aws-metrics-stream-{region}.logz.io/",
            holes: &[Hole {
                key: "region",
                fill: Fill::Label,
            }],
        }],
        key: Some("shipping_token"),
        ..PLAIN
    },
    Preset {
        name: "mongodb",
        size: mebibytes(1, 5, 16),
        ..PLAIN
    },
    Preset {
        name: "new_relic",
        urls: &[
            Url {
                data: "logs",
                text: "https://aws-api.{site}/firehose/v1",
                holes: &[Hole {
                    key: "site",
                    fill: Fill::OneOf(&[("us", "newrelic.com"), ("eu", "eu.newrelic.com")]),
                }],
            },
            Url {
                data: "metrics",
                text: "https://aws-api.{site}/cloudwatch-metrics/v1",
                holes: &[Hole {
                    key: "site",
                    fill: Fill::OneOf(&[("us", "newrelic.com"), ("eu", "eu01.nr-data.net")]),
                }],
            },
        ],
        key: Some("license_key"),
        ..PLAIN
    },
    Preset {
        name: "sumo_logic",
        urls: &[
            Url {
                data: "logs",
                text: "https://{deployment}.sumologic.net/receiver/v1/kinesis/log/{token}",
                holes: SUMO_LOGIC,
            },
            Url {
                data: "metrics",
                text: "https://{deployment}.sumologic.net/receiver/v1/kinesis/metric/{token}",
                holes: SUMO_LOGIC,
            },
        ],
        key: None,
        size: mebibytes(1, 1, 64),
        ..PLAIN
    },
];

const SUMO_LOGIC: &[Hole] = &[
    Hole {
        key: "deployment",
        fill: Fill::Label,
    },
    Hole {
        key: "token",
        fill: Fill::Secret,
    },
];

impl Preset {
    pub fn named(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Every key of the configuration that has to do with the URL.
    pub fn address_keys(&self) -> Vec<&'static str> {
        let mut keys = vec!["url"];
        if 1 < self.urls.len() {
            keys.push("data");
        }
        for hole in self.urls.iter().flat_map(|url| url.holes) {
            if !keys.contains(&hole.key) {
                keys.push(hole.key);
            }
        }
        keys
    }

    /// What no URL can be made without, and `address` does not say.
    pub fn missing_keys(&self, address: &BTreeMap<String, Secret>) -> Vec<&'static str> {
        let Some(usual) = self.urls.first() else {
            return ["url"]
                .into_iter()
                .filter(|key| !address.contains_key(*key))
                .collect();
        };
        let needed = usual.holes.iter().filter(|hole| match hole.fill {
            Fill::OneOf(_) => false,
            Fill::Label | Fill::Segment | Fill::Secret => !address.contains_key(hole.key),
        });
        match address.contains_key("url") {
            true => Vec::new(),
            false => needed.map(|hole| hole.key).collect(),
        }
    }

    /// What the partner cannot do without, and `attributes` do not say.
    pub fn missing_attributes(&self, attributes: &CommonAttributes) -> Vec<&'static str> {
        let required = self.required_attributes.iter().copied();
        required.filter(|name| !attributes.contains(name)).collect()
    }

    /// Whether the URL holds a secret under this key.
    pub fn hides(&self, key: &str) -> bool {
        let mut holes = self.urls.iter().flat_map(|url| url.holes);
        holes.any(|hole| hole.key == key && matches!(hole.fill, Fill::Secret))
    }

    pub fn settings(&self, given: Given) -> Result<Settings, PresetError> {
        let url = self.url(&given.address)?;
        if let (Some(key), None) = (self.key, &given.key) {
            return Err(PresetError::Missing(key));
        }
        if let Some(name) = self.missing_attributes(&given.common_attributes).first() {
            return Err(PresetError::Attribute(name));
        }
        Ok(Settings {
            url,
            access_key: given.key,
            source_arn: given.source_arn,
            content_encoding: given.content_encoding,
            common_attributes: given.common_attributes,
            retry_duration: given.retry_duration,
            body_bytes_max: self.body_bytes_max(),
        })
    }

    /// Firehose itself sends the largest batch in one request, so the partner takes so much.
    fn body_bytes_max(&self) -> u64 {
        base64_bytes(self.size.most.get()).min(limits::FIREHOSE_ENDPOINT_BODY_BYTES_MAX)
    }

    fn url(&self, address: &BTreeMap<String, Secret>) -> Result<EndpointUrl, PresetError> {
        if let Some(url) = address.get("url") {
            return EndpointUrl::parse(&url.reveal()).map_err(PresetError::Url);
        }
        let usual = self.urls.first().ok_or(PresetError::Missing("url"))?;
        let url = match address.get("data") {
            None => usual,
            Some(data) => {
                let data = data.reveal();
                let found = self.urls.iter().find(|url| url.data == &*data);
                let names = self.urls.iter().map(|url| url.data);
                found.ok_or_else(|| not_one_of("data", names))?
            }
        };
        let mut text = url.text.to_owned();
        for hole in url.holes {
            let filled = hole.filled(address.get(hole.key))?;
            text = text.replace(&format!("{{{}}}", hole.key), &filled);
        }
        EndpointUrl::parse(&text).map_err(PresetError::Url)
    }
}

impl Hole {
    fn filled(&self, value: Option<&Secret>) -> Result<String, PresetError> {
        let missing = PresetError::Missing(self.key);
        match &self.fill {
            Fill::OneOf(choices) => {
                let Some(value) = value else {
                    return Ok(choices[0].1.to_owned());
                };
                let value = value.reveal();
                let found = choices.iter().find(|(name, _)| *name == &*value);
                let names = choices.iter().map(|(name, _)| *name);
                let (_, text) = found.ok_or_else(|| not_one_of(self.key, names))?;
                Ok((*text).to_owned())
            }
            Fill::Label => {
                let label = value.ok_or(missing)?.reveal();
                let allowed =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                match !label.is_empty() && label.bytes().all(allowed) {
                    true => Ok(label.to_string()),
                    false => Err(PresetError::Label(self.key)),
                }
            }
            Fill::Segment | Fill::Secret => match &*value.ok_or(missing)?.reveal() {
                "" | "." | ".." => Err(PresetError::Segment(self.key)),
                segment => Ok(escaped(segment)),
            },
        }
    }
}

fn not_one_of(key: &'static str, names: impl Iterator<Item = &'static str>) -> PresetError {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let choices = names.join(", ");
    PresetError::Choice { key, choices }
}

/// As one segment of a path.
fn escaped(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~=".contains(&byte);
    let characters = text.bytes().map(|byte| match unreserved(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    characters.collect()
}

#[cfg(test)]
mod tests;
