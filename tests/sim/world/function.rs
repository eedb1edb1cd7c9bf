//! A function behind a transformer: now and then it drops, spoils, lies, and never says the same
//! twice. For the oracle it keeps what it said of each record, and whether anybody heard it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use standpipe::outside::Dice;

use super::weather::{Fate, Loss, Manners, Refusal};
use super::wire::{self, Asked, Host};
use crate::record::{RecordName, Seen};

/// Firehose's 6 MB, in the measure of this world.
pub const ANSWER_BYTES_MAX: usize = 30_000;

/// One request to a function.
pub struct Question {
    pub at: Duration,
    pub machine: &'static str,
    pub life: u32,
    pub records: Vec<RecordName>,
    pub reply: Reply,
    /// Whether the answer came back to one who still lived.
    pub heard: bool,
}

/// What the one who asked makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing that speaks of single records; with Firehose's code for it.
    Trouble(&'static str),
    /// Of each record, in order.
    Each(Vec<Said>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// No two answers have the same number.
    Ok {
        answer: u64,
        bytes: u64,
    },
    Dropped,
    /// With Firehose's code for it.
    Failed(&'static str),
}

/// Firehose's own, to the letter.
pub const TOO_LONG: &str = "Lambda.FunctionError";
const RAISED: &str = "Lambda.FunctionError";
const TOO_LARGE: &str = "Lambda.InvocationFailure";
const THROTTLED: &str = "Lambda.InvokeLimitExceeded";
const NOT_JSON: &str = "Lambda.JsonProcessingException";
const MISSING: &str = "Lambda.MissingRecordId";

impl Question {
    /// Nobody has answered yet.
    pub fn begun(asked: &Asked, body: &[u8], fate: Fate, at: Duration) -> Question {
        let records = shown(body).into_iter();
        Question {
            at,
            machine: asked.machine,
            life: asked.life,
            records: records.map(|(_, record)| Seen::named(&record)).collect(),
            reply: Reply::Trouble(trouble(asked.host, fate)),
            heard: false,
        }
    }
}

/// What becomes of a request that never comes to the function, or whose answer is lost.
fn trouble(host: Host, fate: Fate) -> &'static str {
    match fate {
        // Until there is an answer.
        Fate::Served => RAISED,
        Fate::Refused(Refusal::SlowDown { .. }) => "Lambda.ServiceUnavailable",
        Fate::Refused(Refusal::TooManyRequests { .. }) => THROTTLED,
        Fate::Refused(Refusal::BadRequest | Refusal::FineWordsThenError) => {
            "Lambda.InvocationFailure"
        }
        Fate::Refused(Refusal::Forbidden) => "Lambda.InvokeAccessDenied",
        Fate::Refused(Refusal::NoSuchBucket) => "Lambda.ResourceNotFound",
        Fate::Refused(Refusal::InternalError) if host == Host::Lambda => {
            "Lambda.InternalServerError"
        }
        // A server of the user's own: the function failed.
        Fate::Refused(Refusal::InternalError) => RAISED,
        Fate::Refused(Refusal::NotXml) => "Lambda.TargetServerFailedToRespond",
        Fate::Lost(Loss::SilentBefore | Loss::SilentAfter) => "Lambda.FunctionTimedOut",
        Fate::Lost(
            Loss::NotConnected | Loss::BrokenHalfway | Loss::BrokenBefore | Loss::BrokenAfter,
        ) => "Lambda.TargetServerFailedToRespond",
    }
}

/// Ids and records of a request, by the contract's letter.
fn shown(body: &[u8]) -> Vec<(Value, Vec<u8>)> {
    let document: Value = serde_json::from_slice(body).expect("a request is JSON");
    let records = document["records"].as_array().expect("a list of records");
    let one = |record: &Value| {
        let data = record["data"].as_str().expect("data is text");
        let data = STANDARD.decode(data).expect("data is base64");
        assert!(record["approximateArrivalTimestamp"].is_u64(), "{record}");
        (record["recordId"].clone(), data)
    };
    records.iter().map(one).collect()
}

/// Draws what the function does today.
pub struct Function<'a> {
    pub manners: &'a Manners,
    pub dice: &'a mut Dice,
    /// The number of the last answer.
    pub answers: &'a mut u64,
}

impl Function<'_> {
    pub fn answer(&mut self, asked: &Asked, body: &[u8]) -> (Reply, Response<Bytes>) {
        if asked.host == Host::Lambda {
            let signed = asked.header("authorization").unwrap_or_default();
            assert!(signed.contains("/lambda/aws4_request"), "{asked}");
            assert!(asked.key.starts_with("2015-03-31/functions/"), "{asked}");
        }
        let shown = shown(body);
        if self.dice.happens(self.manners.lies) {
            return self.lie(shown.len());
        }
        let mut said = Vec::new();
        let mut entries = Vec::new();
        for (id, record) in &shown {
            let (one, told) = self.of(id, record);
            said.push(one);
            entries.extend(told);
        }
        // The contract speaks of ids, and not of an order; nor of those that nobody asked for.
        if self.dice.happens(self.manners.lies) {
            entries.reverse();
            entries.push(json!({ "recordId": "49", "result": "Ok", "data": "eA==" }));
        }
        let document = json!({ "records": entries });
        (Reply::Each(said), wire::json(200, &document))
    }

    /// An answer that speaks of no record.
    fn lie(&mut self, records: usize) -> (Reply, Response<Bytes>) {
        let raised = json!({ "errorType": "KeyError", "errorMessage": "'level'" });
        let all = |code| Reply::Each(vec![Said::Failed(code); records]);
        match self.dice.below(7) {
            0 => (all(NOT_JSON), wire::response(200, "<html>Hello".into())),
            1 => (all(MISSING), wire::json(200, &json!([]))),
            2 => (all(MISSING), wire::json(200, &json!({ "records": [] }))),
            3 => (Reply::Trouble(RAISED), wire::json(200, &raised)),
            4 => {
                let mut answer = wire::json(200, &raised);
                let unhandled = http::HeaderValue::from_static("Unhandled");
                let headers = answer.headers_mut();
                headers.insert("x-amz-function-error", unhandled);
                (Reply::Trouble(RAISED), answer)
            }
            5 => (Reply::Trouble(TOO_LARGE), wire::response(413, Bytes::new())),
            _ => (
                Reply::Trouble(TOO_LONG),
                wire::response(200, vec![b' '; ANSWER_BYTES_MAX + 1].into()),
            ),
        }
    }

    fn of(&mut self, id: &Value, record: &[u8]) -> (Said, Vec<Value>) {
        let drawn = self.dice.below(1_000);
        let Manners { drops, spoils, .. } = *self.manners;
        if drawn < drops {
            let told = json!({ "recordId": id, "result": "Dropped" });
            return (Said::Dropped, vec![told]);
        }
        if drawn < drops + spoils {
            return self.spoilt(id);
        }
        *self.answers += 1;
        let answer = *self.answers;
        let bytes = record.len() as u64;
        let data = Seen::answered(record, answer, self.dice.below(2 * bytes) as usize);
        let said = Said::Ok {
            answer,
            bytes: data.len() as u64,
        };
        let told = json!({ "recordId": id, "result": "Ok", "data": STANDARD.encode(data) });
        (said, vec![told])
    }

    fn spoilt(&mut self, id: &Value) -> (Said, Vec<Value>) {
        let one =
            |result: &str, data: Value| json!({ "recordId": id, "result": result, "data": data });
        let (code, told) = match self.dice.below(7) {
            0 => (MISSING, vec![]),
            1 => {
                let twice = vec![one("Ok", json!("eA==")), one("Dropped", Value::Null)];
                ("Lambda.DuplicatedRecordId", twice)
            }
            2 => (NOT_JSON, vec![one("Fine", json!("eA=="))]),
            3 => ("Lambda.InvalidReturnFormat", vec![one("Ok", Value::Null)]),
            4 => ("Lambda.JsonMappingException", vec![one("Ok", json!(7))]),
            5 => ("Lambda.JsonMappingException", vec![one("Ok", json!("*"))]),
            _ => (
                "Lambda.ProcessingFailedStatus",
                vec![one("ProcessingFailed", Value::Null)],
            ),
        };
        (Said::Failed(code), told)
    }
}
