//! An HTTP endpoint and a Splunk, who take, refuse, forget and lie. For the oracle they keep what
//! was sent to them, what of it they have, and what whoever sent it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use standpipe::outside::Dice;

use super::splunk;
use super::weather::{Fate, Loss, Manners, Refusal};
use super::wire::{self, Asked, Host};
use crate::record::Seen;

/// One request with records.
pub struct Sent {
    pub at: Duration,
    pub machine: &'static str,
    pub life: u32,
    /// `None`: Splunk knows none.
    pub id: Option<String>,
    pub records: Vec<Seen>,
    /// Whether they rest there now.
    pub taken: bool,
    /// Whether the answer says, to whoever hears it, that it is taken.
    pub granted: bool,
    /// When whoever sent it heard so.
    pub confirmed: Option<Duration>,
    /// Why it may be taken for failed.
    pub codes: BTreeSet<&'static str>,
}

/// What an endpoint makes of a request.
pub struct Answer {
    pub taken: bool,
    /// `None`: that it is taken.
    pub code: Option<&'static str>,
    pub response: Response<Bytes>,
}

impl Sent {
    /// Nobody has answered yet.
    pub fn begun(asked: &Asked, body: &Bytes, fate: Fate, at: Duration) -> Sent {
        let (id, content) = match asked.host {
            Host::Endpoint => {
                let (id, records) = posted(asked, body);
                (Some(id), records)
            }
            Host::Splunk => (None, body.to_vec()),
            Host::S3 | Host::Function | Host::Lambda => panic!("{asked} is no endpoint"),
        };
        Sent {
            at,
            machine: asked.machine,
            life: asked.life,
            id,
            records: Seen::all(&content, &asked.to_string()),
            taken: false,
            granted: false,
            confirmed: None,
            codes: trouble(asked.host, fate).into_iter().collect(),
        }
    }

    pub fn note(&mut self, answer: &Answer) {
        self.taken |= answer.taken;
        self.granted = answer.code.is_none();
        self.codes.extend(answer.code);
    }

    /// The answer came back: its own, or one that acknowledges it.
    pub fn hear(&mut self, answer: &Response<Bytes>, at: Duration) {
        let is_acknowledged = answer.body().ends_with(b":true}}");
        if self.granted || is_acknowledged {
            self.confirmed = Some(at);
        }
    }

    /// Whoever sent it gave up before there was an answer.
    pub fn late(&mut self, host: Host) {
        self.codes
            .extend(trouble(host, Fate::Lost(Loss::SilentBefore)));
    }

    /// The first record that nobody takes.
    pub fn poison(&self, one_of: u32) -> Option<usize> {
        let mut records = self.records.iter();
        records.position(|seen| seen.name.is_poison(one_of))
    }
}

/// What becomes of a request that never arrives, or whose answer is lost.
pub fn trouble(host: Host, fate: Fate) -> Option<&'static str> {
    if host == Host::Splunk {
        return splunk::trouble(fate);
    }
    match fate {
        Fate::Served => None,
        Fate::Refused(Refusal::FineWordsThenError) => Some(INVALID),
        Fate::Refused(_) => Some(REFUSED),
        Fate::Lost(Loss::NotConnected) => Some("HttpEndpoint.ConnectionFailed"),
        Fate::Lost(Loss::BrokenHalfway | Loss::BrokenBefore | Loss::BrokenAfter) => {
            Some("HttpEndpoint.ConnectionReset")
        }
        Fate::Lost(Loss::SilentBefore | Loss::SilentAfter) => Some("HttpEndpoint.RequestTimeout"),
    }
}

const REFUSED: &str = "HttpEndpoint.DestinationException";
const INVALID: &str = "HttpEndpoint.InvalidResponseFromDestination";

/// The id and the records of a request, by the protocol's letter.
fn posted(asked: &Asked, body: &Bytes) -> (String, Vec<u8>) {
    let mut plain = body.to_vec();
    if asked.header("content-encoding") == Some("gzip") {
        plain.clear();
        let mut packed = flate2::bufread::GzDecoder::new(&body[..]);
        packed.read_to_end(&mut plain).expect("a whole gzip member");
    }
    let document: Value = serde_json::from_slice(&plain).expect("a request is JSON");
    let id = document["requestId"].as_str().expect("an id is text");
    assert_eq!(asked.header("x-amz-firehose-request-id"), Some(id));
    assert_eq!(asked.header("x-amz-firehose-access-key"), Some("key"));
    assert!(document["timestamp"].is_u64(), "{asked}");
    let records = document["records"].as_array().expect("a list of records");
    let data = records.iter().flat_map(|record| {
        let data = record["data"].as_str().expect("data is text");
        STANDARD.decode(data).expect("data is base64")
    });
    (id.to_owned(), data.collect())
}

/// What the HTTP endpoint says to a request that reached it.
pub fn answer(sent: &Sent, manners: &Manners, dice: &mut Dice) -> Answer {
    let id = sent.id.as_deref().expect("it has one");
    let too_much = manners.records_max < sent.records.len();
    if too_much || sent.poison(manners.poison_one_of).is_some() {
        let told = json!({ "requestId": id, "timestamp": 1, "errorMessage": "too much" });
        return refused(413, &told);
    }
    let fine = json!({ "requestId": id, "timestamp": 1_700_000_000_000_u64 });
    if !dice.happens(manners.lies) {
        return Answer {
            taken: true,
            code: None,
            response: wire::json(200, &fine),
        };
    }
    let taken = dice.happens(500);
    let wrong = |response| Answer {
        taken,
        code: Some(INVALID),
        response,
    };
    match dice.below(5) {
        0 => wrong(wire::json(
            200,
            &json!({ "requestId": "1", "timestamp": 1 }),
        )),
        1 => wrong(wire::json(200, &json!({ "requestId": id }))),
        2 => wrong(wire::response(200, fine.to_string().into())),
        3 => wrong(wire::response(200, Bytes::new())),
        _ => refused(400, &json!({ "requestId": id, "timestamp": 1 })),
    }
}

fn refused(status: u16, told: &Value) -> Answer {
    Answer {
        taken: false,
        code: Some(REFUSED),
        response: wire::json(status, told),
    }
}

/// What endpoints were sent, and for which of it Splunk still owes an acknowledgement.
#[derive(Default)]
pub struct Endpoints {
    pub sent: Vec<Sent>,
    pub owed: BTreeMap<splunk::Ack, splunk::Owed>,
    /// The last acknowledgement id of each channel.
    pub acks: BTreeMap<String, u64>,
}
