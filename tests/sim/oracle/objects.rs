//! Objects with records: the destination's, and the backup's.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Found, Kind, Notes, stream_of};
use crate::notebook::Promise;
use crate::record::{RecordName, Seen};

/// Where each record was found, and as what: exactly one place (D1, D3).
pub type Places<'a> = BTreeMap<RecordName, (&'a str, Seen)>;

/// What is at rest.
pub fn judge<'a>(evidence: &'a Evidence, kind: Kind, notes: &Notes) -> Places<'a> {
    let ever = places(&evidence.stored, kind, evidence, notes);
    let now = places(&evidence.at_rest, kind, evidence, notes);
    for (name, (place, seen)) in &now {
        let before = ever.get(name);
        assert!(
            before.is_none_or(|(before, _)| before == place),
            "D3: {name} rests in {place}, and was once in {before:?}"
        );
        assert!(
            before.is_none_or(|(_, before)| before == seen),
            "D1: {name} is {seen:?}, and was once {before:?}"
        );
    }
    for (name, (place, _)) in &ever {
        assert!(now.contains_key(name), "{name} was in {place} and is gone");
    }
    now
}

fn places<'a>(all: &'a [Found], kind: Kind, evidence: &Evidence, notes: &Notes) -> Places<'a> {
    let mut places = Places::new();
    for found in all.iter().filter(|found| found.kind == kind) {
        let seen = records(found);
        in_order(&found.place, &seen, notes);
        sized(found, &seen, evidence);
        let mut here = BTreeSet::new();
        for seen in seen {
            let name = seen.name.clone();
            let once = here.insert(name.clone());
            assert!(once, "{name} is in {} twice", found.place);
            let before = places.insert(name.clone(), (&found.place, seen));
            let same = before.as_ref().is_none_or(|it| it.0 == found.place);
            assert!(same, "D3: {name} is in {} and in {before:?}", found.place);
        }
    }
    places
}

/// The records of an object, which all belong to the one stream of the one machine that put it.
fn records(found: &Found) -> Vec<Seen> {
    let place = &found.place;
    let seen = Seen::all(&found.content, place);
    for one in &seen {
        assert_eq!(
            one.name.machine, found.machine,
            "{place} was put by another daemon"
        );
        assert_eq!(
            one.name.stream, seen[0].name.stream,
            "{place} mixes streams"
        );
    }
    seen
}

/// D2: by sequence number where it is known, and by each producer's own numbers in any case.
pub fn in_order<'a>(place: &str, seen: impl IntoIterator<Item = &'a Seen>, notes: &Notes) {
    let mut last_seq = None;
    let mut last_number = BTreeMap::new();
    for Seen { name, .. } in seen {
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
fn sized(found: &Found, seen: &[Seen], evidence: &Evidence) {
    let promised = evidence.promised[&stream_of(&seen[0].name)];
    let hints = match found.kind {
        Kind::Backup => promised.backup.expect("it has a backup"),
        Kind::Records | Kind::Failed(_) => promised.hints,
    };
    let (bytes, size) = (found.content.len() as u64, hints.size);
    let fits = bytes <= size || seen.len() == 1;
    assert!(fits, "{} has {bytes} bytes, hint {size}", found.place);
}

/// What is put again under a name is the same again.
pub fn repeats_are_equal(stored: &[Found]) {
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
