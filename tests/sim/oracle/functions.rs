//! What functions said, and that it counts once and for good (D1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::failed::Line;
use super::{Evidence, Found, Kind};
use crate::record::{RecordName, Seen};
use crate::world::{Question, Reply, Said};

/// What may count of what was said of each record: what was heard.
pub struct Functions<'a> {
    said: BTreeMap<&'a RecordName, Vec<Said>>,
    /// Why it may have failed without a word of its own.
    troubles: BTreeMap<&'a RecordName, BTreeSet<&'static str>>,
}

pub fn judge(evidence: &Evidence) -> Functions<'_> {
    let mut functions = Functions {
        said: BTreeMap::new(),
        troubles: BTreeMap::new(),
    };
    let known = known_answers(evidence);
    let mut heard = BTreeSet::new();
    for question in &evidence.questions {
        let Question {
            machine,
            life,
            at,
            records,
            ..
        } = question;
        for record in records {
            let again = heard.contains(&(machine, life, record));
            assert!(!again, "D1: {record} was answered, and is asked for again");
            let known = known.get(record).is_some_and(|known| known < at);
            assert!(!known, "D1: {record} was delivered, and is asked for again");
        }
        if question.heard && matches!(question.reply, Reply::Each(_)) {
            let pairs = records.iter().map(|record| (machine, life, record));
            heard.extend(pairs);
        }
        functions.hear(question);
    }
    functions
}

/// When it was first seen that a record's answer counts: when it, or a line about it, was stored or
/// sent.
fn known_answers(evidence: &Evidence) -> BTreeMap<RecordName, Duration> {
    let mut known = BTreeMap::new();
    let mut note = |name: &RecordName, at: Duration| {
        let first = known.entry(name.clone()).or_insert(at);
        *first = at.min(*first);
    };
    let is_transformed = |seen: &Seen| seen.answer.is_some();
    for sent in &evidence.sent {
        for seen in sent.records.iter().filter(|seen| is_transformed(seen)) {
            note(&seen.name, sent.at);
        }
    }
    for Found {
        at, kind, content, ..
    } in &evidence.stored
    {
        if let (Some(at), Kind::Records) = (at, kind) {
            let seen = Seen::all(content, "an object");
            seen.iter().for_each(|seen| note(&seen.name, *at));
        }
    }
    known
}

impl<'a> Functions<'a> {
    fn hear(&mut self, question: &'a Question) {
        match &question.reply {
            Reply::Trouble(code) => {
                for record in &question.records {
                    self.troubles.entry(record).or_default().insert(code);
                }
            }
            Reply::Each(said) if question.heard => {
                for (record, said) in question.records.iter().zip(said) {
                    self.said.entry(record).or_default().push(*said);
                }
            }
            Reply::Each(_) => {}
        }
    }

    fn of(&self, name: &RecordName) -> &[Said] {
        self.said.get(name).map_or(&[], Vec::as_slice)
    }

    /// The record was found as this answer.
    pub fn said(&self, name: &RecordName, answer: u64, bytes: u64, place: &str) {
        let said = Said::Ok { answer, bytes };
        assert!(
            self.of(name).contains(&said),
            "D1: {name} in {place} is {said:?}, and the function said {:?}",
            self.of(name)
        );
    }

    pub fn dropped(&self, name: &RecordName) -> bool {
        self.of(name).contains(&Said::Dropped)
    }

    /// The record was found as this line.
    pub fn failed(&self, name: &RecordName, line: &Line<'_>, retries: Option<u32>) {
        let (code, attempts) = (line.code.as_str(), line.attempts);
        let said = self.of(name).iter().any(|said| match said {
            Said::Failed(said) => *said == code,
            Said::Ok { .. } | Said::Dropped => false,
        });
        let troubles = self.troubles.get(name);
        let gave_up = troubles.is_some_and(|troubles| troubles.contains(code));
        assert!(
            said || gave_up,
            "{name} failed with {code}: {:?} {troubles:?}",
            self.of(name)
        );
        let most = u64::from(retries.unwrap_or_default()) + 1;
        assert!(
            (1..=most).contains(&attempts),
            "{name} failed with {code} after {attempts} attempts of {most}"
        );
    }
}
