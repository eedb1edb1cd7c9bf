//! `splunk`: an HTTP Event Collector with indexer acknowledgement.

use super::requests;
use crate::config::outbound;
use crate::config::range;
use crate::config::reading::{Block, Keys, Told};
use crate::config::secret;
use crate::model::limits::{FIREHOSE_SPLUNK_ACK_TIMEOUT_MAX, FIREHOSE_SPLUNK_ACK_TIMEOUT_MIN};
use crate::outside::http_client;
use crate::sink::splunk::{Format, HecUrl, Settings};

pub static KEYS: Keys = Keys {
    known: &[
        "url",
        "token",
        "format",
        "ack_timeout",
        "retry_duration",
        "ca_file",
        "client_certificate_file",
        "client_key_file",
        "proxy",
    ],
    later: &[],
};

pub struct Splunk {
    pub settings: Settings,
    pub http: http_client::Settings,
}

pub fn read(destination: &Block<'_>) -> Result<Option<Splunk>, Told> {
    let Some(block) = destination.block_if_given("splunk", &KEYS)? else {
        return Ok(None);
    };
    let url = outbound::url(&block, HecUrl::parse);
    let token = block.required_secret("token", secret::HEADER);
    let formats = [("raw", Format::Raw), ("event", Format::Event)];
    let format = block.choice("format", &formats, Format::Raw);
    let least = FIREHOSE_SPLUNK_ACK_TIMEOUT_MIN;
    let ack_timeouts = least..=FIREHOSE_SPLUNK_ACK_TIMEOUT_MAX;
    let ack_timeout = range::seconds(&block, "ack_timeout", ack_timeouts, least);
    let retry_duration = requests::retry_duration(&block);
    let http = outbound::settings(&block);
    Ok(Some(Splunk {
        settings: Settings {
            url: url?,
            token: token?,
            format: format?,
            ack_timeout: ack_timeout?,
            retry_duration: retry_duration?,
        },
        http: http?,
    }))
}
