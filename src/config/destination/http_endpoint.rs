//! `http_endpoint`: any server that speaks Firehose's HTTP endpoint protocol.

use std::collections::BTreeMap;

use super::requests;
use crate::config::outbound;
use crate::config::reading::{Block, Keys, Told};
use crate::config::secret;
use crate::model::{Compression, limits};
use crate::outside::http_client;
use crate::sink::http_endpoint::{EndpointUrl, Settings};

pub static KEYS: Keys = Keys {
    known: &[
        "url",
        "access_key",
        "content_encoding",
        "common_attributes",
        "retry_duration",
        "ca_file",
        "client_certificate_file",
        "client_key_file",
        "proxy",
    ],
    later: &[],
};

/// An endpoint, be it a partner's or not.
pub struct HttpEndpoint {
    /// What it is called in the configuration.
    pub kind: &'static str,
    pub settings: Settings,
    pub http: http_client::Settings,
    pub attributes_shown: BTreeMap<String, String>,
}

pub fn read(
    destination: &Block<'_>,
    source_arn: Result<String, Told>,
) -> Result<Option<HttpEndpoint>, Told> {
    let Some(block) = destination.block_if_given("http_endpoint", &KEYS)? else {
        return Ok(None);
    };
    let url = outbound::url(&block, EndpointUrl::parse);
    let access_key = block.optional_secret("access_key", secret::ACCESS_KEY);
    let requests = requests::read(&block, Compression::Uncompressed);
    let (url, access_key, requests) = (url?, access_key?, requests?);
    Ok(Some(HttpEndpoint {
        kind: "http_endpoint",
        settings: Settings {
            url,
            access_key,
            source_arn: source_arn?,
            content_encoding: requests.content_encoding,
            common_attributes: requests.attributes,
            retry_duration: requests.retry_duration,
            body_bytes_max: limits::FIREHOSE_ENDPOINT_BODY_BYTES_MAX,
        },
        http: requests.http,
        attributes_shown: requests.attributes_shown,
    }))
}
