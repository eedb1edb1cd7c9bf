//! Somebody who puts, notes what was promised, and puts again.
//!
//! Speaks to the daemon's own service, without a socket in between.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use standpipe::model::RecordId;
use standpipe::outside::Dice;
use standpipe::server::{self, Service};
use tokio_util::sync::CancellationToken;

use crate::notebook::{Notebook, Promise};
use crate::record::{RecordName, Shape};
use crate::scenario::Load;
use crate::trace::Trace;

pub struct Producer {
    /// The name of its next record.
    pub next: RecordName,
    pub shape: Shape,
    pub load: Load,
    pub service: Arc<dyn Service>,
    pub notebook: Notebook,
    pub trace: Trace,
    pub dice: Dice,
}

/// The three ways to put.
#[derive(Clone, Copy, Debug)]
enum Way {
    Record,
    Batch,
    Lines,
}

impl Producer {
    /// Puts until told to hang up, and then waits for the answer it is waiting for.
    pub async fn run(mut self, hang_up: CancellationToken) {
        while !hang_up.is_cancelled() {
            let pause = self.load.pause_max.as_micros() as u64;
            let pause = tokio::time::sleep(Duration::from_micros(1 + self.dice.below(pause)));
            if hang_up.run_until_cancelled(pause).await.is_some() {
                self.put().await;
            }
        }
    }

    async fn put(&mut self) {
        let way = [Way::Record, Way::Batch, Way::Lines][self.dice.below(3) as usize];
        let count = match way {
            Way::Record => 1,
            Way::Batch | Way::Lines => 1 + self.dice.below(self.load.records_per_put_max),
        };
        let (names, records) = self.records(count);
        let request = way.request(&self.next.stream, &records);
        let answer = self.service.call(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.expect("a whole body cannot fail").to_bytes();
        let first = &names[0];
        self.trace
            .note(format_args!("{first}: put {count} → {status}"));
        let promises = match status {
            200 => way.promises(&body),
            503 => vec![Promise::Refused; names.len()],
            500 => vec![Promise::Unknown; names.len()],
            other => panic!("{first}: {other}: {}", String::from_utf8_lossy(&body)),
        };
        assert_eq!(promises.len(), names.len(), "{first}: one answer a record");
        for (name, promise) in names.iter().zip(promises) {
            self.notebook.promised(name, promise, self.trace.now());
        }
    }

    fn records(&mut self, count: u64) -> (Vec<RecordName>, Vec<Vec<u8>>) {
        let mut names = Vec::new();
        let mut records = Vec::new();
        for _ in 0..count {
            let name = self.next.clone();
            self.next.number += 1;
            let (least, most) = (self.load.record_bytes_min, self.load.record_bytes_max);
            let bytes = least + self.dice.below(1 + most - least);
            let record = name.record(self.shape, bytes as usize);
            self.notebook
                .sent(name.clone(), record.len(), self.trace.now());
            names.push(name);
            records.push(record);
        }
        (names, records)
    }
}

impl Way {
    fn request(self, stream: &str, records: &[Vec<u8>]) -> server::Request {
        let data = |record: &Vec<u8>| json!({ "Data": STANDARD.encode(record) });
        let (path, target, body) = match self {
            Way::Record => {
                let body = json!({ "DeliveryStreamName": stream, "Record": data(&records[0]) });
                ("/".to_owned(), "PutRecord", body.to_string().into_bytes())
            }
            Way::Batch => {
                let list: Vec<Value> = records.iter().map(data).collect();
                let body = json!({ "DeliveryStreamName": stream, "Records": list });
                (
                    "/".to_owned(),
                    "PutRecordBatch",
                    body.to_string().into_bytes(),
                )
            }
            Way::Lines => (
                format!("/v1/streams/{stream}/records"),
                "",
                records.concat(),
            ),
        };
        http::Request::post(path)
            .header("x-amz-target", format!("Firehose_20150804.{target}"))
            .header("content-type", "application/x-amz-json-1.1")
            .body(server::incoming(Bytes::from(body)))
            .expect("a well-formed request")
    }

    /// One for each record of an answer that says yes.
    fn promises(self, body: &[u8]) -> Vec<Promise> {
        let answer: Value = serde_json::from_slice(body).expect("an answer is JSON");
        let acknowledged = |id: &Value| {
            let id = RecordId::parse(id.as_str().expect("an id is text"));
            let seq = id.expect("an id is one of ours").seq;
            Promise::Acknowledged { seq }
        };
        match self {
            Way::Record => vec![acknowledged(&answer["RecordId"])],
            Way::Batch => {
                assert_eq!(answer["FailedPutCount"], 0);
                let list = answer["RequestResponses"].as_array().expect("a list");
                list.iter()
                    .map(|one| acknowledged(&one["RecordId"]))
                    .collect()
            }
            Way::Lines => {
                let first = RecordId::parse(answer["first"].as_str().expect("an id is text"));
                let first = first.expect("an id is one of ours").seq;
                let count = answer["records"].as_u64().expect("a count");
                let promise = |offset| Promise::Acknowledged {
                    seq: first.plus(offset),
                };
                (0..count).map(promise).collect()
            }
        }
    }
}
