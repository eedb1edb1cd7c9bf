//! Stories in a few words, for those who judge the judge.
//!
//! Puts are `1+` acknowledged, `2?` unknown, `3-` refused, with their number as sequence number. What
//! happened after that, ten seconds apart, is told in lines:
//!
//! ```text
//! x: 1 2*7                     an object with 1 as it was put, and the 7th answer to 2
//! (x: 1 2*7)                   once, and no more
//! backup/x: 1 2                a backup
//! processing-failed/x: 1=Code  failed lines
//! ? 1=7 2=dropped 3=Code       a function was asked, and answered; `?-` was not heard
//! ! Code: 1 2                  trouble instead of an answer
//! > id yes: 1 2*7              sent; `taken` without a word, or refused with a code
//! restart                      a crash; `failing restart` of a disk that had failed
//! ```

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use standpipe::buffer::Totals;
use standpipe::model::Seq;

use super::{Evidence, Found, Hints, Kind, Lived, Promised, judge};
use crate::evidence::kind;
use crate::notebook::{Notebook, Promise};
use crate::record::{RecordName, Seen, Shape};
use crate::world::{Question, Reply, Said, Sent};

/// What the oracle says. The totals are accepted, delivered, failed, dropped, expired and buffered.
pub fn judged(puts: &str, story: &[&str], totals: [u64; 6]) -> String {
    let notebook = Notebook::default();
    for put in puts.split_whitespace() {
        let (number, promise) = put.split_at(put.len() - 1);
        let name = name(number);
        let promise = match promise {
            "+" => Promise::Acknowledged {
                seq: Seq::new(number.parse().unwrap()),
            },
            "-" => Promise::Refused,
            _ => Promise::Unknown,
        };
        notebook.sent(name.clone(), 20, Duration::ZERO);
        notebook.promised(&name, promise, Duration::ZERO);
    }
    let mut told = Told::default();
    story.iter().for_each(|line| told.line(line));
    let mut evidence = told.evidence;
    let stream = ("a".to_owned(), "clicks".to_owned());
    let hints = Hints {
        size: 60,
        interval: Duration::from_secs(10),
    };
    let promised = Promised {
        hints,
        backup: story
            .iter()
            .any(|it| it.contains("backup"))
            .then_some(hints),
        retries: story.iter().any(|it| it.contains(['?', '!'])).then_some(3),
    };
    evidence.promised.insert(stream.clone(), promised);
    let [accepted, delivered, failed, dropped, expired, buffered] = totals;
    let totals = Totals {
        accepted,
        delivered,
        failed,
        dropped,
        expired,
        buffered,
        ..Totals::default()
    };
    evidence.totals.insert(stream, totals);
    let verdict = catch_unwind(AssertUnwindSafe(|| judge(&notebook, &evidence)));
    let said = match verdict {
        Ok(()) => "fine".to_owned(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    };
    // What follows are the totals as this table gives them.
    said.split("Totals {").next().unwrap().to_owned()
}

/// A story on its way to evidence.
#[derive(Default)]
struct Told {
    evidence: Evidence,
    now: Duration,
    life: u32,
}

impl Told {
    fn line(&mut self, line: &str) {
        self.now += Duration::from_secs(10);
        if line.ends_with("restart") {
            let lived = Lived {
                until: self.now,
                soundly: !line.starts_with("failing"),
            };
            let life = ("a".to_owned(), self.life);
            self.evidence.lives.insert(life, lived);
            self.life += 1;
        } else if let Some(answers) = line.strip_prefix("?- ") {
            self.asked(answers, false);
        } else if let Some(answers) = line.strip_prefix("? ") {
            self.asked(answers, true);
        } else if let Some(trouble) = line.strip_prefix("! ") {
            self.trouble(trouble);
        } else if let Some(sent) = line.strip_prefix("> ") {
            self.sent(sent);
        } else {
            let is_history = line.starts_with('(');
            let found = found(line.trim_matches(['(', ')']), self.now);
            if !is_history {
                self.evidence.at_rest.push(found.clone());
            }
            self.evidence.stored.push(found);
        }
    }

    fn question(&mut self, records: Vec<RecordName>, reply: Reply, heard: bool) {
        self.evidence.questions.push(Question {
            at: self.now,
            machine: "a",
            life: self.life,
            records,
            reply,
            heard,
        });
    }

    fn asked(&mut self, answers: &str, heard: bool) {
        let answers = answers.split(' ').map(|word| word.split_once('=').unwrap());
        let (records, said) = answers
            .map(|(number, said)| match (said, said.parse()) {
                (_, Ok(answer)) => (name(number), Said::Ok { answer, bytes: 30 }),
                ("dropped", _) => (name(number), Said::Dropped),
                (code, _) => (name(number), Said::Failed(code.to_owned().leak())),
            })
            .unzip();
        self.question(records, Reply::Each(said), heard);
    }

    fn trouble(&mut self, trouble: &str) {
        let (code, records) = trouble.split_once(": ").unwrap();
        let records = records.split(' ').map(name).collect();
        self.question(records, Reply::Trouble(code.to_owned().leak()), true);
    }

    fn sent(&mut self, sent: &str) {
        let (head, records) = sent.split_once(": ").unwrap();
        let (id, answer) = head.split_once(' ').unwrap();
        let (is_taken, is_confirmed) = match answer {
            "yes" => (true, true),
            "taken" => (true, false),
            _ => (false, false),
        };
        self.evidence.sent.push(Sent {
            at: self.now,
            machine: "a",
            life: self.life,
            id: Some(id.to_owned()),
            records: Seen::all(&content(records), id),
            taken: is_taken,
            granted: is_confirmed,
            confirmed: is_confirmed.then_some(self.now),
            codes: BTreeSet::from([&*answer.to_owned().leak()]),
        });
    }
}

fn name(number: &str) -> RecordName {
    RecordName {
        machine: "a".to_owned(),
        stream: "clicks".to_owned(),
        producer: 1,
        number: number.parse().unwrap(),
    }
}

/// `1 2*7`: as they are delivered.
fn content(records: &str) -> Vec<u8> {
    let records = records.split_whitespace();
    records.flat_map(content_of).collect()
}

fn content_of(record: &str) -> Vec<u8> {
    match record.split_once('*') {
        Some((number, answer)) => {
            let record = name(number).record(Shape::Line, 20);
            Seen::answered(&record, answer.parse().unwrap(), 30)
        }
        None => name(record).record(Shape::Line, 20),
    }
}

fn found(object: &str, at: Duration) -> Found {
    let (place, records) = object.split_once(": ").unwrap();
    let kind = kind(place);
    let content = match kind {
        Kind::Records | Kind::Backup => content(records),
        Kind::Failed(_) => records.split_whitespace().flat_map(line).collect(),
    };
    Found {
        machine: "a".to_owned(),
        place: place.to_owned(),
        kind,
        at: Some(at),
        packed: content.clone().into(),
        content,
    }
}

/// `1=Code`: the line of a record that was tried twice.
fn line(failed: &str) -> Vec<u8> {
    let (record, code) = failed.split_once('=').unwrap();
    let line = json!({
        "rawData": STANDARD.encode(content_of(record)),
        "errorCode": code,
        "attemptsMade": 2,
        "arrivalTimestamp": 1,
        "attemptEndingTimestamp": 1,
        "lambdaArn": "f",
        "dataId": "d",
    });
    format!("{line}\n").into_bytes()
}
