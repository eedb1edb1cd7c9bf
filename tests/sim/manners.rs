//! How the daemon behaves towards S3, beyond what comes to rest there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::notebook::{Note, RecordName};
use crate::oracle::{Hints, StreamKey};
use crate::world::{Attempt, Buckets, Deed, Object};

type Notes = BTreeMap<RecordName, Note>;

/// The log clock counts whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

pub fn judge(
    buckets: &Buckets,
    attempts: &[Attempt],
    notes: &Notes,
    hints: &BTreeMap<StreamKey, Hints>,
) {
    everybody_keeps_to_their_own(buckets);
    retry_after_is_honoured(attempts);
    let largest = largest_records(notes);
    for effect in buckets.effects() {
        if let Deed::Stored(object) = &effect.deed {
            let key = &effect.place.1;
            if !key.ends_with(".gz") {
                let first = first_record(object);
                let stream = stream_of(&first);
                let flushed = Flushed {
                    at: effect.at,
                    object,
                    first_sent: notes[&first].sent,
                    largest: largest[&stream],
                };
                flushed.for_a_reason(key, &hints[&stream]);
            }
        }
    }
}

/// Two daemons with one bucket, one prefix and one stream's name never touch each other's keys.
fn everybody_keeps_to_their_own(buckets: &Buckets) {
    let mut owners = BTreeMap::new();
    for effect in buckets.effects() {
        let owner = *owners.entry(&effect.place).or_insert(effect.machine);
        assert_eq!(owner, effect.machine, "D3: {:?}", effect.place);
        if let Deed::UploadAborted { begun_by } = effect.deed {
            assert_eq!(begun_by, effect.machine, "aborted at {:?}", effect.place);
        }
    }
}

/// Within one life: what was asked to wait waits.
fn retry_after_is_honoured(attempts: &[Attempt]) {
    let mut not_before = BTreeMap::new();
    for attempt in attempts {
        let who = (attempt.machine, attempt.life, &attempt.what);
        if let Some(earliest) = not_before.remove(&who) {
            assert!(earliest <= attempt.at, "{who:?} came back too early");
        }
        if let Some(wait) = attempt.retry_after {
            not_before.insert(who, attempt.at + wait);
        }
    }
}

/// How old each stream's oldest record was when its object was stored for the first time.
pub fn oldest(buckets: &Buckets, notes: &Notes) -> BTreeMap<StreamKey, Duration> {
    let mut oldest = BTreeMap::new();
    let mut stored = BTreeSet::new();
    for effect in buckets.effects() {
        let Deed::Stored(object) = &effect.deed else {
            continue;
        };
        if !effect.place.1.ends_with(".gz") && stored.insert(&effect.place) {
            let first = first_record(object);
            let age = effect.at.saturating_sub(notes[&first].answered);
            let known: &mut Duration = oldest.entry(stream_of(&first)).or_default();
            *known = age.max(*known);
        }
    }
    oldest
}

fn first_record(object: &Object) -> RecordName {
    let text = String::from_utf8_lossy(&object.content);
    let first = text.lines().next().and_then(RecordName::parse);
    first.expect("an object begins with a record")
}

fn stream_of(name: &RecordName) -> StreamKey {
    (name.machine.clone(), name.stream.clone())
}

/// The bytes of each stream's largest record.
fn largest_records(notes: &Notes) -> BTreeMap<StreamKey, u64> {
    let mut largest = BTreeMap::new();
    for (name, note) in notes {
        let known: &mut u64 = largest.entry(stream_of(name)).or_default();
        *known = note.bytes.max(*known);
    }
    largest
}

/// An object, and what bears on the reason that it gives for itself.
struct Flushed<'a> {
    at: Duration,
    object: &'a Object,
    first_sent: Duration,
    /// Of all records of the stream.
    largest: u64,
}

impl Flushed<'_> {
    /// The reason is true.
    fn for_a_reason(&self, key: &str, hints: &Hints) {
        match self.object.headers["x-amz-meta-standpipe-flush-reason"].as_str() {
            "interval" => {
                let age = self.at + TICK - self.first_sent;
                assert!(hints.interval <= age, "{key} is {age:?} old");
            }
            "size" => {
                let bytes = self.object.content.len() as u64;
                assert!(hints.size < bytes + self.largest, "{key} has {bytes} bytes");
            }
            "drain" => {}
            other => panic!("{key}: an object is not flushed for `{other}`"),
        }
    }
}
