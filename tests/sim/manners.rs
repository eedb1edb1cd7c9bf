//! How the daemon behaves towards others, beyond what comes to rest there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::evidence;
use crate::notebook::Note;
use crate::oracle::{Hints, Kind, Promised, StreamKey};
use crate::record::{RecordName, Seen};
use crate::world::{self, Attempt, Buckets, Deed, Object, Scene};

type Notes = BTreeMap<RecordName, Note>;

/// The log clock counts whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

pub fn judge(scene: &Scene<'_>, notes: &Notes, promised: &BTreeMap<StreamKey, Promised>) {
    let buckets = scene.buckets;
    everybody_keeps_to_their_own(buckets);
    retry_after_is_honoured(scene.attempts);
    let largest = largest_records(notes);
    for effect in buckets.effects() {
        if let Deed::Stored(object) = &effect.deed {
            let key = &effect.place.1;
            let kind = evidence::kind(key);
            if !key.ends_with(".gz") && matches!(kind, Kind::Records | Kind::Backup) {
                let first = first_record(object);
                let stream = stream_of(&first);
                let Promised {
                    hints,
                    backup,
                    retries,
                } = promised[&stream];
                let largest = match retries {
                    // A function makes it up to twice as long, and puts in a number.
                    Some(_) => 2 * largest[&stream] + 40,
                    None => largest[&stream],
                };
                let oldest_is_known = retries.is_none() || kind == Kind::Backup;
                let flushed = Flushed {
                    at: effect.at,
                    object,
                    first_sent: notes[&first].sent,
                    largest,
                    oldest_is_known,
                };
                let hints = match kind {
                    Kind::Backup => backup.expect("it has a backup"),
                    Kind::Records | Kind::Failed(_) => hints,
                };
                flushed.for_a_reason(key, &hints);
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

/// Within one life: what was asked to wait waits. Not so towards endpoints: the last attempt is made
/// when the retry duration is over, and acknowledgements are asked for at Firehose's pace.
fn retry_after_is_honoured(attempts: &[Attempt]) {
    let mut not_before = BTreeMap::new();
    for attempt in attempts {
        if matches!(attempt.kind, world::Kind::Send | world::Kind::Poll) {
            continue;
        }
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
        let key = &effect.place.1;
        let is_new = evidence::kind(key) == Kind::Records && stored.insert(&effect.place);
        if is_new && !key.ends_with(".gz") {
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
    let first = text.lines().next().and_then(Seen::parse);
    first.expect("an object begins with a record").name
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
    /// In front of a function's answers there may have been one that failed: it waits with them.
    oldest_is_known: bool,
}

impl Flushed<'_> {
    /// The reason is true.
    fn for_a_reason(&self, key: &str, hints: &Hints) {
        match self.object.headers["x-amz-meta-standpipe-flush-reason"].as_str() {
            "interval" if !self.oldest_is_known => {}
            "interval" => {
                let age = self.at + TICK - self.first_sent;
                let due = hints.interval;
                assert!(due <= age, "{key} is {age:?} old, hint {due:?}");
            }
            "size" => {
                let bytes = self.object.content.len() as u64;
                assert!(hints.size < bytes + self.largest, "{key} has {bytes} bytes");
            }
            "drain" | "moved" => {}
            other => panic!("{key}: an object is not flushed for `{other}`"),
        }
    }
}
