//! Conservation of records: whoever was told yes is at rest once, under one name, in order.
//!
//! Pure: it looks at what the producers noted, at everything that ever came to rest, and at the
//! daemons' own totals. It knows nothing of how a daemon works.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use standpipe::buffer::Totals;

use crate::notebook::{Note, Notebook, Promise, RecordName};

/// An object as somebody can fetch it (or could, at some time), unpacked.
pub struct Found {
    /// Which machine put it there.
    pub machine: String,
    /// Where: bucket and key, or machine and path.
    pub place: String,
    /// The records.
    pub content: Vec<u8>,
    /// The bytes as they were stored.
    pub packed: Bytes,
}

/// What a stream was promised to be.
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    pub size: u64,
    pub interval: Duration,
}

/// Machine and stream.
pub type StreamKey = (String, String);

#[derive(Default)]
pub struct Evidence {
    pub hints: BTreeMap<StreamKey, Hints>,
    pub totals: BTreeMap<StreamKey, Totals>,
    /// Everything that was ever stored, in the order in which it happened.
    pub stored: Vec<Found>,
    /// What is there at the end.
    pub at_rest: Vec<Found>,
}

/// Where each record was found: exactly one place (D1, D3).
type Places<'a> = BTreeMap<RecordName, &'a str>;

pub fn judge(notebook: &Notebook, evidence: &Evidence) {
    let notes = notebook.notes();
    let ever = places(&evidence.stored);
    let now = places(&evidence.at_rest);
    for (name, place) in &now {
        let before = ever.get(name);
        assert!(
            before.is_none_or(|before| before == place),
            "D3: {name} rests in {place}, and was once in {before:?}"
        );
    }
    for (name, place) in &ever {
        assert!(now.contains_key(name), "{name} was in {place} and is gone");
    }
    for found in evidence.stored.iter().chain(&evidence.at_rest) {
        let names = records(found);
        in_order(found, &names, &notes);
        sized(found, &names, evidence);
    }
    repeats_are_equal(&evidence.stored);
    for (stream, totals) in &evidence.totals {
        conserved(stream, totals, &notes, &now);
    }
}

/// The records of an object, which all belong to the one stream of the one machine that put it.
fn records(found: &Found) -> Vec<RecordName> {
    let place = &found.place;
    let text = std::str::from_utf8(&found.content).expect("records are text");
    assert!(text.ends_with('\n'), "{place} ends within a record");
    let names: Vec<_> = text
        .lines()
        .map(|line| {
            let name = RecordName::parse(line);
            name.unwrap_or_else(|| panic!("{place} holds what nobody sent: {line:.60}"))
        })
        .collect();
    for name in &names {
        assert_eq!(
            name.machine, found.machine,
            "{place} was put by another daemon"
        );
        assert_eq!(name.stream, names[0].stream, "{place} mixes streams");
    }
    names
}

fn places(found: &[Found]) -> Places<'_> {
    let mut places = Places::new();
    for found in found {
        let mut here = BTreeSet::new();
        for name in records(found) {
            assert!(
                here.insert(name.clone()),
                "{name} is in {} twice",
                found.place
            );
            let before = places.insert(name.clone(), &found.place);
            let same = before.is_none_or(|before| before == found.place);
            assert!(same, "D3: {name} is in {} and in {before:?}", found.place);
        }
    }
    places
}

/// D2: by sequence number where it is known, and by each producer's own numbers in any case.
fn in_order(found: &Found, names: &[RecordName], notes: &BTreeMap<RecordName, Note>) {
    let place = &found.place;
    let mut last_seq = None;
    let mut last_number = BTreeMap::new();
    for name in names {
        let note = notes
            .get(name)
            .unwrap_or_else(|| panic!("{name} was never sent"));
        assert!(
            note.promise != Promise::Refused,
            "{name} was refused, and is in {place}"
        );
        if let Promise::Acknowledged { seq } = note.promise {
            assert!(
                last_seq < Some(seq),
                "D2: {name} is out of order in {place}"
            );
            last_seq = Some(seq);
        }
        let before = last_number.insert(name.producer, name.number);
        assert!(
            before < Some(name.number),
            "D2: {name} is out of order in {place}"
        );
    }
}

/// No object is larger than the hint, unless a single record is.
fn sized(found: &Found, names: &[RecordName], evidence: &Evidence) {
    let stream = (found.machine.clone(), names[0].stream.clone());
    let size = evidence.hints[&stream].size;
    let fits = found.content.len() as u64 <= size || names.len() == 1;
    assert!(
        fits,
        "{} has {} bytes, hint {size}",
        found.place,
        found.content.len()
    );
}

/// What is put again under a name is the same again.
fn repeats_are_equal(stored: &[Found]) {
    let mut first = BTreeMap::new();
    for found in stored {
        let before = *first.entry(&found.place).or_insert(&found.packed);
        assert!(
            *before == found.packed,
            "{} changed with a repeat",
            found.place
        );
    }
}

/// C1, and nothing acknowledged is missing without having been counted.
fn conserved(
    stream: &StreamKey,
    totals: &Totals,
    notes: &BTreeMap<RecordName, Note>,
    now: &Places<'_>,
) {
    let of_stream = |name: &RecordName| name.machine == stream.0 && name.stream == stream.1;
    let mut acknowledged = 0;
    let mut possible = 0;
    let mut missing = Vec::new();
    for (name, note) in notes.iter().filter(|(name, _)| of_stream(name)) {
        match note.promise {
            Promise::Acknowledged { .. } => {
                acknowledged += 1;
                possible += 1;
                if !now.contains_key(name) {
                    missing.push(name.to_string());
                }
            }
            Promise::Unknown => possible += 1,
            Promise::Refused => {}
        }
    }
    let resting = now.keys().filter(|name| of_stream(name)).count() as u64;
    let lost = totals.expired + totals.quarantined;
    assert!(
        missing.len() as u64 <= lost,
        "{stream:?}: acknowledged and missing: {missing:?}; {totals:?}"
    );
    assert_eq!(totals.buffered, 0, "{stream:?}: not drained: {totals:?}");
    assert_eq!(totals.buffered_bytes, 0, "{stream:?}: {totals:?}");
    let ended = totals.delivered + totals.failed + totals.dropped + lost;
    assert_eq!(totals.accepted, ended, "C1: {stream:?}: {totals:?}");
    assert!(
        acknowledged <= totals.accepted && totals.accepted <= possible,
        "{stream:?}: {acknowledged} acknowledged, {possible} possible, {totals:?}"
    );
    // An expired batch may have arrived after all, when only the answer was lost.
    assert!(
        totals.delivered <= resting && resting <= totals.delivered + lost,
        "{stream:?}: {resting} at rest, {totals:?}"
    );
}
