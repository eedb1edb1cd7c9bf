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
    for effect in buckets.effects() {
        if let Deed::Stored(object) = &effect.deed {
            let key = &effect.place.1;
            if !key.ends_with(".gz") {
                flushed_for_a_reason(key, effect.at, object, notes, hints);
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
            let names = names(object);
            let age = effect.at.saturating_sub(notes[&names[0]].answered);
            let stream = (names[0].machine.clone(), names[0].stream.clone());
            let known: &mut Duration = oldest.entry(stream).or_default();
            *known = age.max(*known);
        }
    }
    oldest
}

fn names(object: &Object) -> Vec<RecordName> {
    let text = String::from_utf8_lossy(&object.content);
    text.lines().filter_map(RecordName::parse).collect()
}

/// The reason that an object gives for itself is true.
fn flushed_for_a_reason(
    key: &str,
    at: Duration,
    object: &Object,
    notes: &Notes,
    hints: &BTreeMap<StreamKey, Hints>,
) {
    let names = names(object);
    let stream = (names[0].machine.clone(), names[0].stream.clone());
    let hints = &hints[&stream];
    match object.headers["x-amz-meta-standpipe-flush-reason"].as_str() {
        "interval" => {
            let first = notes[&names[0]].sent;
            let age = at + TICK - first;
            assert!(hints.interval <= age, "{key} is {age:?} old");
        }
        "size" => {
            let mine = |name: &RecordName| (name.machine.clone(), name.stream.clone()) == stream;
            let largest = notes.iter().filter(|(name, _)| mine(name));
            let largest = largest.map(|(_, note)| note.bytes).max().unwrap_or(0);
            let bytes = object.content.len() as u64;
            assert!(hints.size < bytes + largest, "{key} has {bytes} bytes");
        }
        "drain" => {}
        other => panic!("{key}: an object is not flushed for `{other}`"),
    }
}
