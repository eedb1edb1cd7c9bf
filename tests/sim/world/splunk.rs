//! Splunk's HTTP Event Collector: it takes data, and says later, once or never, that it has it.

use serde_json::{Value, json};
use standpipe::outside::Dice;

use super::endpoint::{Answer, Endpoints};
use super::weather::{Fate, Loss, Manners, Refusal};
use super::wire::{self, Asked};
use bytes::Bytes;
use http::Response;

/// Channel and number.
pub type Ack = (String, u64);

/// An acknowledgement that may come.
pub struct Owed {
    /// Which request it is for.
    pub sent: usize,
    /// After so many polls; `None`: never.
    left: Option<u64>,
}

const INVALID_DATA: &str = "Splunk.InvalidDataFormat";
const BUSY: &str = "Splunk.IndexerBusy";
const SERVER: &str = "Splunk.ServerError";
const TOKEN: &str = "Splunk.InvalidToken";
const STRANGE: &str = "Splunk.InvalidHecResponseCharacter";

/// What becomes of a request that never arrives, or whose answer is lost.
pub fn trouble(fate: Fate) -> Option<&'static str> {
    Some(match fate {
        Fate::Served => return None,
        Fate::Refused(Refusal::SlowDown { .. } | Refusal::TooManyRequests { .. }) => BUSY,
        Fate::Refused(Refusal::BadRequest | Refusal::InternalError | Refusal::NotXml) => SERVER,
        Fate::Refused(Refusal::Forbidden) => TOKEN,
        Fate::Refused(Refusal::NoSuchBucket) => "Splunk.URLNotFound",
        Fate::Refused(Refusal::FineWordsThenError) => STRANGE,
        Fate::Lost(Loss::NotConnected) => "Splunk.InvalidEndpoint",
        Fate::Lost(Loss::BrokenHalfway | Loss::BrokenBefore | Loss::BrokenAfter) => {
            "Splunk.ConnectionClosed"
        }
        Fate::Lost(Loss::SilentBefore | Loss::SilentAfter) => "Splunk.ConnectionTimeout",
    })
}

fn channel(asked: &Asked) -> String {
    let channel = asked.header("x-splunk-request-channel");
    channel.expect("each request has its channel").to_owned()
}

impl Endpoints {
    /// What the collector says to data that reached it.
    pub fn collect(
        &mut self,
        asked: &Asked,
        number: usize,
        manners: &Manners,
        dice: &mut Dice,
    ) -> Answer {
        assert_eq!(asked.header("authorization"), Some("Splunk token"));
        let sent = &self.sent[number];
        let refused = |status, code, told: Value| Answer {
            taken: false,
            code: Some(code),
            response: wire::json(status, &told),
        };
        let poison = sent.poison(manners.poison_one_of);
        let is_raw = asked.key.ends_with("/raw");
        if manners.records_max < sent.records.len() || is_raw && poison.is_some() {
            let code = "Splunk.ServerError.ContentTooLarge";
            return refused(413, code, json!({ "text": "too large", "code": 27 }));
        }
        if let Some(nth) = poison {
            let told = json!({ "text": "Invalid data", "code": 6, "invalid-event-number": nth });
            return refused(400, INVALID_DATA, told);
        }
        if dice.happens(manners.lies) {
            let fine = json!({ "text": "Success", "code": 0 });
            return match dice.below(5) {
                0 => refused(503, BUSY, json!({ "text": "Server is busy", "code": 9 })),
                1 => refused(500, SERVER, json!({ "text": "Internal error", "code": 8 })),
                2 => refused(403, TOKEN, json!({ "text": "Invalid token", "code": 4 })),
                3 => Answer {
                    taken: true,
                    ..refused(200, "Splunk.DisabledAck", fine)
                },
                _ => Answer {
                    taken: true,
                    ..refused(200, STRANGE, json!([]))
                },
            };
        }
        self.taken(channel(asked), number, manners, dice)
    }

    /// Data that is taken may still be lost, and what is there may never be acknowledged.
    fn taken(
        &mut self,
        channel: String,
        number: usize,
        manners: &Manners,
        dice: &mut Dice,
    ) -> Answer {
        let id = self.acks.entry(channel.clone()).or_default();
        *id += 1;
        let is_forgotten = dice.happens(manners.lies);
        let owed = Owed {
            sent: number,
            left: (!is_forgotten).then(|| dice.below(4)),
        };
        let told = json!({ "text": "Success", "code": 0, "ackId": *id });
        self.owed.insert((channel, *id), owed);
        Answer {
            taken: !is_forgotten || dice.happens(500),
            code: Some("Splunk.AckTimeout"),
            response: wire::json(200, &told),
        }
    }

    /// Which request a poll is about.
    pub fn polled(&self, asked: &Asked, body: &[u8]) -> Option<usize> {
        let ack = (channel(asked), acks(body)[0]);
        self.owed.get(&ack).map(|owed| owed.sent)
    }

    /// Says yes once, and then forgets it.
    pub fn poll(&mut self, asked: &Asked, body: &[u8]) -> Response<Bytes> {
        let channel = channel(asked);
        assert_eq!(asked.query.get("channel"), Some(&channel));
        let mut told = serde_json::Map::new();
        for id in acks(body) {
            let ack = (channel.clone(), id);
            let left = self.owed.get_mut(&ack).map(|owed| &mut owed.left);
            let is_there = match left {
                Some(left @ Some(0)) => {
                    *left = None;
                    true
                }
                Some(Some(left)) => {
                    *left -= 1;
                    false
                }
                Some(None) | None => false,
            };
            told.insert(id.to_string(), json!(is_there));
        }
        wire::json(200, &json!({ "acks": told }))
    }
}

fn acks(body: &[u8]) -> Vec<u64> {
    let document: Value = serde_json::from_slice(body).expect("a poll is JSON");
    let acks = document["acks"].as_array().expect("a list of ids");
    let ids = acks.iter().map(|id| id.as_u64().expect("ids are numbers"));
    ids.collect()
}
