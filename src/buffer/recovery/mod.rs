//! A new life: what the last one left is read, and what it did not prove durable is written again.
//!
//! 1. The newest head is the highest that is valid (`chain`). A segment above it either was cut short
//!    while it was made, and holds nothing acknowledged, for a head is synced before any frame behind
//!    it; or it lost its head, and the newest stands in for that.
//! 2. The head's snapshot is the state; the frames behind it, and those of segments that lost their
//!    heads, are replayed up to the highest `durable up to` that any of them, or the head, proves
//!    (`replay`). What is damaged there is quarantined (B5).
//! 3. The frames above that were readable, but perhaps only from a page cache (`unproven`): they are
//!    written again into this life's first segment, before its head (B8).
//!
//! Older segments are not read: the snapshot says what lies in them. Damage there shows when a
//! delivery reads it.

mod chain;
mod directory;
mod doubt;
mod replay;
mod unproven;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

pub use chain::{Findings, find};
pub use directory::{Directory, enter, look};
pub use replay::{Replayed, Standing, replay};

use self::unproven::Unproven;
use super::OpenError;
use super::entry::{Answer, Effect, Entry};
use super::index::SegmentIndex;
use super::ledger::{Ledger, Span};
use super::life;
use super::quarantine;
use super::reader::{Lane, LaneId, ReaderId};
use super::segment::{free_name, segment_name};
use super::shared::SegmentFile;
use super::state::State;
use crate::model::{DirectoryId, ReaderKind};
use crate::outside::Dice;
use crate::outside::disk::Disk;
use crate::telemetry::{Metrics, happened};

/// What a log's directory holds.
pub struct Recovered {
    pub state: State,
    /// Above everything proven: to be written again.
    pub again: Vec<Entry>,
    /// Segments that hold something alive, and the newest.
    pub files: BTreeMap<u64, SegmentFile>,
    /// Segments in which nothing is alive: names and sizes.
    pub free: Vec<(String, u64)>,
    /// Of the newest segments.
    pub indexes: Vec<(u64, SegmentIndex)>,
    /// Above every name present, valid or not.
    pub next_id: u64,
}

pub fn recover(
    disk: &dyn Disk,
    directory: &mut Directory,
    metrics: &Metrics,
    dice: &mut Dice,
) -> Result<Recovered, OpenError> {
    let highest = directory.segments.keys().next_back();
    let next_id = highest.map_or(1, |id| id + 1);
    let Findings { chain, strange } = find(disk, directory)?;
    for id in strange {
        set_aside(disk, directory, id, metrics)?;
    }
    let Some(chain) = chain else {
        let first = DirectoryId(dice.u128());
        return Ok(Recovered {
            state: State::new(first, life::after(life::none(dice.fork()))),
            again: Vec::new(),
            files: BTreeMap::new(),
            free: free_segments(directory, &BTreeMap::new()),
            indexes: Vec::new(),
            next_id,
        });
    };
    chain
        .empty
        .iter()
        .for_each(|id| happened::buffer::cut_short(*id));
    let mut replayed = replay(chain)?;
    tell_damage(disk, &replayed, metrics);
    let mut files = open_files(disk, &replayed.state)?;
    for standing in &replayed.segments {
        files.insert(standing.id, SegmentFile::new(standing.file.clone()));
    }
    settle_lost(&mut replayed, &files);
    skip_doubtful(&mut replayed);
    let again = write_again(&mut replayed);
    let Replayed {
        mut state,
        segments,
        ..
    } = replayed;
    // B8: frames carry the number of the life that wrote them.
    let lives = segments.iter().map(|standing| standing.sealed.life);
    state.life = life::after(lives.fold(state.life, u64::max));
    // These are in charge until a successor's head is durable, so none of them is free here.
    let in_charge: BTreeMap<u64, _> = segments.iter().map(|s| (s.id, s.sealed)).collect();
    files.retain(|segment, _| in_charge.contains_key(segment) || !state.is_dead(*segment));
    state
        .segments
        .retain(|segment, _| files.contains_key(segment));
    state.segments.extend(in_charge);
    let indexes = segments.into_iter();
    Ok(Recovered {
        free: free_segments(directory, &files),
        state,
        again,
        files,
        indexes: indexes
            .map(|standing| (standing.id, standing.index))
            .collect(),
        next_id,
    })
}

/// B5: nobody can tell what such a file held, so it is kept and not recycled.
fn set_aside(
    disk: &dyn Disk,
    directory: &mut Directory,
    id: u64,
    metrics: &Metrics,
) -> Result<(), OpenError> {
    let name = segment_name(id);
    let bytes = directory.segments.remove(&id).unwrap_or_default();
    let stretch = quarantine::Stretch {
        segment: id,
        offset: 0,
        length: u32::try_from(bytes).unwrap_or(u32::MAX),
    };
    happened::buffer::damaged(metrics, id, 0, bytes);
    quarantine::keep(disk, &name, stretch).map_err(|cause| OpenError::disk("rename", name, cause))
}

/// B5: kept aside, counted and told.
fn tell_damage(disk: &dyn Disk, replayed: &Replayed, metrics: &Metrics) {
    replayed
        .headless
        .iter()
        .for_each(|id| happened::buffer::head_lost(*id));
    for stretch in &replayed.damaged {
        let bytes = u64::from(stretch.length);
        happened::buffer::damaged(metrics, stretch.segment, stretch.offset, bytes);
        let mut segments = replayed.segments.iter();
        let Some(standing) = segments.find(|standing| standing.id == stretch.segment) else {
            continue;
        };
        if let Err(error) = quarantine::copy(disk, standing.file.as_ref(), *stretch) {
            happened::buffer::quarantine_copy_failed(&error);
        }
    }
}

/// B8: what nothing proves durable; and what of it cannot be read is settled behind the rest.
fn write_again(replayed: &mut Replayed) -> Vec<Entry> {
    let mut unproven = std::mem::take(&mut replayed.unproven);
    let state = &replayed.state;
    let mut out_of_order = BTreeSet::new();
    unproven.retain(|Unproven { header, entry }| {
        // Damage may have taken what was answered: then the rest is asked for again.
        if let Effect::Answers(of) = &entry.effect
            && !may_answer(state, header.stream, of)
        {
            out_of_order.insert(header.stream);
        }
        !matches!(entry.effect, Effect::Answers(_)) || !out_of_order.contains(&header.stream)
    });
    let mut again: Vec<Entry> = unproven
        .into_iter()
        .map(|Unproven { entry, .. }| entry)
        .collect();
    for (lane, span, arrival) in std::mem::take(&mut replayed.lost_unproven) {
        if let Some(stream) = replayed.state.streams.get(&lane.stream) {
            happened::buffer::quarantined(&stream.facts.name, span.range());
            let kinds = [ReaderKind::Arrivals, ReaderKind::Backup].into_iter();
            for kind in kinds.filter(|kind| stream.reader(*kind).is_some()) {
                let reader = ReaderId {
                    stream: lane.stream,
                    kind,
                };
                let effect = Effect::Quarantine(vec![span]);
                again.push(Entry::control(reader, effect, arrival, Answer::Nobody));
            }
        }
    }
    again
}

fn may_answer(state: &State, stream: u32, of: &Span) -> bool {
    let Some(stream) = state.streams.get(&stream) else {
        return false;
    };
    let uncut = stream.uncut(ReaderKind::Arrivals);
    let next = uncut.first().map(|span| span.start);
    next.unwrap_or(stream.arrivals.tail).seq <= of.start.seq
}

/// Segments with something alive, opened. One that is missing is damage, not an error.
fn open_files(disk: &dyn Disk, state: &State) -> Result<BTreeMap<u64, SegmentFile>, OpenError> {
    let mut files = BTreeMap::new();
    for &id in state.segments.keys() {
        let name = segment_name(id);
        match disk.open(Path::new(&name)) {
            Ok(file) => drop(files.insert(id, SegmentFile::new(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(cause) => return Err(OpenError::disk("open", name, cause)),
        }
    }
    Ok(files)
}

/// B5: records that are alive and lie nowhere are quarantined; this life's first snapshot makes that
/// durable.
fn settle_lost(replayed: &mut Replayed, files: &BTreeMap<u64, SegmentFile>) {
    let mut answered: BTreeMap<LaneId, Ledger> = BTreeMap::new();
    for Unproven { header, entry } in &replayed.unproven {
        if let Effect::Answers(of) = entry.effect {
            let (stream, lane) = (header.stream, Lane::Arrivals);
            answered.entry(LaneId { stream, lane }).or_default().add(of);
        }
    }
    let state = &mut replayed.state;
    let mut lost = std::mem::take(&mut replayed.lost);
    for (id, lane) in state.lanes() {
        let mut found = Ledger::default();
        let parts = lane
            .parts
            .iter()
            .filter(|(segment, _)| files.contains_key(segment));
        parts.for_each(|(_, part)| found.add(part.span));
        let nowhere = lane.alive().into_iter().flat_map(|span| found.gaps(span));
        lost.extend(nowhere.map(|span| (id, span)));
    }
    for (id, span) in lost {
        let (Some(lane), Some(stream)) = (state.lane(id), state.streams.get(&id.stream)) else {
            continue;
        };
        let live: Vec<Span> = lane.main.done.gaps(span);
        for span in &live {
            happened::buffer::quarantined(&stream.facts.name, span.range());
        }
        // An answer that is written again rests for its arrival.
        let lost = answered
            .get(&id)
            .map_or(vec![span], |known| known.gaps(span));
        lost.into_iter().for_each(|span| state.lose(id, span));
    }
}

/// B3: numbers that may have been given out in what nobody understands are not given out again, and
/// shown (B5); this life's first snapshot makes that durable.
fn skip_doubtful(replayed: &mut Replayed) {
    let Replayed { state, doubt, .. } = replayed;
    let lanes: Vec<LaneId> = state.lanes().map(|(id, _)| id).collect();
    for id in lanes {
        let skipped = state.skip(id, doubt.records(id));
        let stream = state.streams.get(&id.stream);
        if let Some((span, stream)) = skipped.zip(stream) {
            happened::buffer::numbers_skipped(&stream.facts.name, span.range());
        }
    }
}

/// First the files that are free by name, so that what an old head leads to is overwritten last.
fn free_segments(directory: &Directory, files: &BTreeMap<u64, SegmentFile>) -> Vec<(String, u64)> {
    let free = directory
        .free
        .iter()
        .map(|(number, bytes)| (free_name(*number), *bytes));
    let segments = directory
        .segments
        .iter()
        .filter(|(id, _)| !files.contains_key(id));
    free.chain(segments.map(|(id, bytes)| (segment_name(*id), *bytes)))
        .collect()
}
