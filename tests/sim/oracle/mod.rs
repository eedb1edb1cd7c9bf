//! Conservation of records: whoever was told yes comes to exactly one end, as one thing, in order.
//!
//! ```text
//!   put ─► [what a function said, and was heard to say] ─┬─► in an object, or taken by an endpoint
//!                                                        ├─► a failed line, with the right reason
//!                                                        └─► dropped
//! ```
//!
//! Pure: it looks at what the producers noted, at what functions and endpoints were asked and said, at
//! everything that ever came to rest, and at the daemons' own totals. It knows nothing of how a
//! daemon works.

mod failed;
mod functions;
mod judged;
mod objects;
mod requests;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use standpipe::buffer::Totals;

use crate::notebook::{Note, Notebook, Promise};
use crate::record::{RecordName, Seen};
use crate::world::{Question, Sent};
use failed::Lines;
use functions::Functions;
use requests::Requests;

/// An object as somebody can fetch it (or could, at some time), unpacked.
#[derive(Clone)]
pub struct Found {
    /// Which machine put it there.
    pub machine: String,
    /// Where: bucket and key, or machine and path.
    pub place: String,
    pub kind: Kind,
    /// When it was stored, if somebody saw it.
    pub at: Option<Duration>,
    /// The records, or lines.
    pub content: Vec<u8>,
    /// The bytes as they were stored.
    pub packed: Bytes,
}

/// What an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Records,
    /// Records as they were put.
    Backup,
    /// Lines about records that failed.
    Failed(Failing),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    Processing,
    HttpEndpoint,
    Splunk,
}

/// What a stream was promised to be.
#[derive(Clone, Copy, Debug)]
pub struct Promised {
    pub hints: Hints,
    pub backup: Option<Hints>,
    /// How often its function is asked again; `None`: it has none.
    pub retries: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
pub struct Hints {
    pub size: u64,
    pub interval: Duration,
}

/// Machine and stream.
pub type StreamKey = (String, String);

/// How a life of a daemon went.
#[derive(Clone, Copy, Debug)]
pub struct Lived {
    pub until: Duration,
    /// Its disk never failed.
    pub soundly: bool,
}

#[derive(Default)]
pub struct Evidence {
    pub promised: BTreeMap<StreamKey, Promised>,
    pub totals: BTreeMap<StreamKey, Totals>,
    /// Everything that was ever stored, in the order in which it happened.
    pub stored: Vec<Found>,
    /// What is there at the end.
    pub at_rest: Vec<Found>,
    /// What functions were asked, and endpoints sent, in the order in which it happened.
    pub questions: Vec<Question>,
    pub sent: Vec<Sent>,
    /// By machine and number.
    pub lives: BTreeMap<(String, u32), Lived>,
}

type Notes = BTreeMap<RecordName, Note>;

pub fn judge(notebook: &Notebook, evidence: &Evidence) {
    let notes = notebook.notes();
    objects::repeats_are_equal(&evidence.stored);
    let delivered = objects::judge(evidence, Kind::Records, &notes);
    let copies = objects::judge(evidence, Kind::Backup, &notes);
    let requests = requests::judge(evidence, &notes);
    let lines = failed::judge(evidence, &notes);
    let functions = functions::judge(evidence);
    let ends = Ends {
        evidence,
        notes: &notes,
        delivered,
        requests,
        lines,
        functions,
    };
    ends.judge();
    for (stream, totals) in &evidence.totals {
        ends.conserved(stream, totals);
        if evidence.promised[stream].backup.is_some() {
            ends.backed_up(stream, totals, &copies);
        }
    }
}

/// Where each record came to its end.
struct Ends<'a> {
    evidence: &'a Evidence,
    notes: &'a Notes,
    delivered: objects::Places<'a>,
    requests: Requests<'a>,
    lines: Lines<'a>,
    functions: Functions<'a>,
}

fn stream_of(name: &RecordName) -> StreamKey {
    (name.machine.clone(), name.stream.clone())
}

impl Ends<'_> {
    fn judge(&self) {
        for (name, (place, seen)) in &self.delivered {
            self.is_as_it_should(seen, place);
            let elsewhere = self.lines.get(name).map(|line| line.place);
            assert!(
                elsewhere.is_none(),
                "D1: {name} is in {place} and in {elsewhere:?}"
            );
        }
        for (name, story) in &self.requests.stories {
            let seen = story.seen;
            self.is_as_it_should(seen, "a request");
            let Some(line) = self.lines.get(name) else {
                // Its stream may have got a place for objects instead.
                let place = self.delivered.get(name).map(|(place, _)| place);
                assert!(
                    story.is_taken || place.is_some(),
                    "{name} was sent, and rests nowhere"
                );
                assert!(
                    !story.is_settled || place.is_none(),
                    "D5: {name} was delivered for good, and is in {place:?}"
                );
                continue;
            };
            assert!(
                line.failing != Failing::Processing,
                "D1: {name} was sent, and is in {}",
                line.place
            );
            assert_eq!(line.seen, *seen, "D1: {name} in {}", line.place);
            assert!(
                !story.is_settled,
                "D5: {name} was delivered for good, and is in {}",
                line.place
            );
            let known = story.codes.contains(line.code.as_str());
            assert!(known, "{name} failed with {}: {:?}", line.code, story.codes);
        }
        for (name, line) in &self.lines {
            match line.failing {
                Failing::Processing => {
                    assert_eq!(line.seen.answer, None, "{name} in {}", line.place);
                    assert_eq!(line.seen.bytes, self.notes[name].bytes, "{name}");
                    self.functions.failed(name, line, self.retries(name));
                }
                Failing::HttpEndpoint | Failing::Splunk => {
                    let was_sent = self.requests.stories.contains_key(name);
                    assert!(was_sent, "{name} is in {}, and was never sent", line.place);
                }
            }
        }
    }

    fn retries(&self, name: &RecordName) -> Option<u32> {
        self.evidence.promised[&stream_of(name)].retries
    }

    /// Whole, as it was put; or as the function was heard to say.
    fn is_as_it_should(&self, seen: &Seen, place: &str) {
        let Seen {
            name,
            answer,
            bytes,
        } = seen;
        match (answer, self.retries(name)) {
            (None, None) => assert_eq!(*bytes, self.notes[name].bytes, "{name} in {place}"),
            (Some(answer), Some(_)) => self.functions.said(name, *answer, *bytes, place),
            _ => panic!("{name} should (not) be transformed, and is in {place}: {answer:?}"),
        }
    }

    /// Of a stream: those with an end, and the failed ones among them.
    fn ended(&self, stream: &StreamKey) -> (BTreeSet<&RecordName>, u64) {
        let of_stream = |name: &&RecordName| stream_of(name) == *stream;
        let lines: BTreeSet<_> = self.lines.keys().filter(of_stream).collect();
        let failed = lines.len() as u64;
        let delivered = self
            .delivered
            .keys()
            .chain(self.requests.stories.keys().copied());
        let ended = lines.into_iter().chain(delivered.filter(of_stream));
        (ended.collect(), failed)
    }

    /// C1, and nothing acknowledged is missing without having been counted.
    fn conserved(&self, stream: &StreamKey, totals: &Totals) {
        let (ended, failed) = self.ended(stream);
        let mut acknowledged = 0;
        let mut possible = 0;
        let mut dropped = 0;
        let mut missing = Vec::new();
        for (name, note) in self.notes.iter().filter(|it| stream_of(it.0) == *stream) {
            let is_dropped = !ended.contains(name) && self.functions.dropped(name);
            dropped += u64::from(is_dropped);
            match note.promise {
                Promise::Acknowledged { .. } => {
                    acknowledged += 1;
                    possible += 1;
                    if !ended.contains(name) && !is_dropped {
                        missing.push(name.to_string());
                    }
                }
                Promise::Unknown => possible += 1,
                Promise::Refused => {}
            }
        }
        let lost = totals.expired + totals.quarantined;
        assert!(
            missing.len() as u64 <= lost,
            "{stream:?}: acknowledged and missing: {missing:?}; {totals:?}"
        );
        assert_eq!(totals.buffered, 0, "{stream:?}: not drained: {totals:?}");
        assert_eq!(totals.buffered_bytes, 0, "{stream:?}: {totals:?}");
        let counted = totals.delivered + totals.failed + totals.dropped + lost;
        assert_eq!(totals.accepted, counted, "C1: {stream:?}: {totals:?}");
        assert!(
            acknowledged <= totals.accepted && totals.accepted <= possible,
            "{stream:?}: {acknowledged} acknowledged, {possible} possible, {totals:?}"
        );
        // An expired batch may have arrived after all, when only the answer was lost.
        let resting = ended.len() as u64 - failed;
        assert!(
            totals.delivered <= resting && resting <= totals.delivered + lost,
            "{stream:?}: {resting} at rest, {totals:?}"
        );
        assert!(
            totals.failed <= failed && failed <= totals.failed + lost,
            "{stream:?}: {failed} failed lines, {totals:?}"
        );
        assert!(
            totals.dropped <= dropped,
            "{stream:?}: {dropped} dropped, {totals:?}"
        );
    }

    /// Each record as it was put, once, whatever became of it.
    fn backed_up(&self, stream: &StreamKey, totals: &Totals, copies: &objects::Places<'_>) {
        let of_stream = copies.iter().filter(|it| stream_of(it.0) == *stream);
        let mut count = 0;
        for (name, (place, seen)) in of_stream {
            count += 1;
            assert_eq!(seen.answer, None, "{name} in {place}");
            assert_eq!(seen.bytes, self.notes[name].bytes, "{name} in {place}");
        }
        let lost = totals.expired + totals.quarantined;
        let notes = self.notes.iter().filter(|it| stream_of(it.0) == *stream);
        let promised = notes.filter(|it| matches!(it.1.promise, Promise::Acknowledged { .. }));
        let missing = promised.filter(|it| !copies.contains_key(it.0));
        let missing: Vec<_> = missing.map(|(name, _)| name.to_string()).collect();
        assert!(
            missing.len() as u64 <= lost,
            "{stream:?}: not backed up: {missing:?}; {totals:?}"
        );
        assert!(
            totals.accepted - lost <= count && count <= totals.accepted,
            "{stream:?}: {count} copies, {totals:?}"
        );
    }
}
