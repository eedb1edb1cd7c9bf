//! What endpoints were sent: at least once, and again only while nobody knows better (D5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::objects::in_order;
use super::{Evidence, Notes, stream_of};
use crate::record::{RecordName, Seen};
use crate::world::Sent;

/// What became of each record that was ever sent.
pub struct Requests<'a> {
    pub stories: BTreeMap<&'a RecordName, Story<'a>>,
}

pub struct Story<'a> {
    /// The same each time.
    pub seen: &'a Seen,
    pub is_taken: bool,
    /// It was confirmed, and that is surely durable.
    pub is_settled: bool,
    /// Why it may have failed.
    pub codes: BTreeSet<&'static str>,
    /// In which life it was confirmed.
    confirmed: BTreeSet<u32>,
}

/// On a disk that works, a verdict is durable after that.
const DURABLE_WITHIN: Duration = Duration::from_secs(1);

pub fn judge<'a>(evidence: &'a Evidence, notes: &Notes) -> Requests<'a> {
    bodies_are_equal(evidence);
    // A stream that is moved has other requests for each: Splunk's have no id.
    borders_never_cross(evidence.sent.iter().filter(|sent| sent.id.is_some()));
    borders_never_cross(evidence.sent.iter().filter(|sent| sent.id.is_none()));
    let mut stories: BTreeMap<&RecordName, Story<'_>> = BTreeMap::new();
    for sent in &evidence.sent {
        in_order("a request", &sent.records, notes);
        let settled = is_settled(evidence, sent);
        for seen in &sent.records {
            let name = &seen.name;
            assert_eq!(name.machine, sent.machine, "{name} is sent by another");
            let story = stories.entry(name).or_insert_with(|| Story {
                seen,
                is_taken: false,
                is_settled: false,
                codes: BTreeSet::new(),
                confirmed: BTreeSet::new(),
            });
            assert_eq!(story.seen, seen, "D1: {name} changed with a repeat");
            let known = story.is_settled || story.confirmed.contains(&sent.life);
            assert!(!known, "D5: {name} was taken for good, and is sent again");
            story.is_taken |= sent.taken;
            story.is_settled |= settled;
            story.codes.extend(&sent.codes);
            story.confirmed.extend(sent.confirmed.map(|_| sent.life));
        }
    }
    Requests { stories }
}

fn is_settled(evidence: &Evidence, sent: &Sent) -> bool {
    let life = evidence.lives.get(&(sent.machine.to_owned(), sent.life));
    let known = sent.confirmed.zip(life);
    known.is_some_and(|(at, life)| life.soundly && at + DURABLE_WITHIN <= life.until)
}

/// The same id, the same records, from the same daemon; and the other way round, unless there are
/// gaps between the records, where some failed in the transformer.
fn bodies_are_equal(evidence: &Evidence) {
    let mut first = BTreeMap::new();
    for sent in &evidence.sent {
        let Some(id) = &sent.id else { continue };
        let known = *first.entry(id).or_insert(sent);
        assert!(
            known.machine == sent.machine && known.records == sent.records,
            "D5: request {id} changed with a repeat"
        );
    }
    let mut ids = BTreeMap::new();
    for sent in first.into_values() {
        if evidence.promised[&stream_of(&sent.records[0].name)]
            .retries
            .is_some()
        {
            continue;
        }
        let names: Vec<_> = sent.records.iter().map(|seen| &seen.name).collect();
        let id = sent.id.as_ref();
        let other = ids.insert(names, id);
        assert!(other.is_none(), "D5: {id:?} is {other:?} under another id");
    }
}

/// Parts become smaller, and never others: of two requests that share a record, one holds the other.
fn borders_never_cross<'a>(sent: impl Iterator<Item = &'a Sent>) {
    let requests = sent.map(|sent| {
        let names = sent.records.iter().map(|seen| &seen.name);
        names.collect::<BTreeSet<_>>()
    });
    let requests: Vec<_> = requests.collect::<BTreeSet<_>>().into_iter().collect();
    let mut holding: BTreeMap<&RecordName, Vec<usize>> = BTreeMap::new();
    let mut neighbours = BTreeSet::new();
    for (number, request) in requests.iter().enumerate() {
        for name in request {
            let others = holding.entry(name).or_default();
            neighbours.extend(others.iter().map(|other| (*other, number)));
            others.push(number);
        }
    }
    for (one, other) in neighbours {
        let (one, other) = (&requests[one], &requests[other]);
        assert!(
            one.is_subset(other) || other.is_subset(one),
            "D5: a request began with {} and ended with {}, another with {} and {}",
            one.first().expect("a record"),
            one.last().expect("a record"),
            other.first().expect("a record"),
            other.last().expect("a record"),
        );
    }
}
