//! A new life: what the last one left is read, and what it did not prove durable is written again.
//!
//! 1. The newest segment is the highest-named one with a valid head. One above it without is torn
//!    and holds nothing acknowledged, for a head is synced before any frame behind it.
//! 2. Its snapshot is the state; the frames behind it are replayed up to the highest `durable up to`
//!    that any of them, or the head, proves. What is damaged there is quarantined (B5).
//! 3. The frames above that were readable, but perhaps only from a page cache: they are written
//!    again into this life's first segment, before its head (B8).
//!
//! Older segments are not read: the snapshot says what lies in them. Damage there shows when a
//! delivery reads it.

mod directory;
mod replay;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

pub use directory::{Directory, enter, look};

pub use self::replay::{Replayed, replay};
use super::OpenError;
use super::entry::{Effect, Entry};
use super::index::SegmentIndex;
use super::ledger::{Ledger, Span};
use super::quarantine;
use super::reader::{Lane, LaneId};
use super::scan::{Window, holds_frames};
use super::segment::{Head, HeadError, free_name, segment_name};
use super::shared::SegmentFile;
use super::snapshot;
use super::state::{Sealed, State};
use crate::model::DirectoryId;
use crate::outside::Dice;
use crate::outside::disk::{Disk, DiskFile};
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
    pub newest: Option<(u64, SegmentIndex)>,
    /// Above every name present, valid or not.
    pub next_id: u64,
}

pub struct Newest {
    pub head: Head,
    pub state: State,
    pub file: Arc<dyn DiskFile>,
    pub end: u32,
}

pub fn recover(
    disk: &dyn Disk,
    directory: &Directory,
    metrics: &Metrics,
    dice: &mut Dice,
) -> Result<Recovered, OpenError> {
    let highest = directory.segments.keys().next_back();
    let next_id = highest.map_or(1, |id| id + 1);
    let Some(newest) = find_newest(disk, directory)? else {
        refuse_if_anything_was_written(disk, directory)?;
        let first = DirectoryId(dice.u128());
        return Ok(Recovered {
            state: State::new(first),
            again: Vec::new(),
            files: BTreeMap::new(),
            free: free_segments(directory, &BTreeMap::new()),
            newest: None,
            next_id,
        });
    };
    let (id, life) = (newest.head.id, newest.head.life);
    let mut window = Window::new(newest.file.clone(), newest.end);
    let mut replayed = replay(&mut window, &newest.head, newest.state)
        .map_err(|cause| OpenError::disk("read", segment_name(id), cause))?;
    for stretch in &replayed.damaged {
        let bytes = u64::from(stretch.length);
        happened::buffer::damaged(metrics, id, stretch.offset, bytes);
        if let Err(error) = quarantine::copy(disk, newest.file.as_ref(), *stretch) {
            happened::buffer::quarantine_copy_failed(&error);
        }
    }
    let mut files = open_files(disk, &replayed.state)?;
    files.insert(id, SegmentFile::new(newest.file));
    settle_lost(&mut replayed, &files);
    let Replayed {
        mut state,
        index,
        proven_upto,
        again,
        ..
    } = replayed;
    // B8: frames carry the number of the life that wrote them.
    state.life = life + 1;
    // The newest is in charge until its successor's head is durable, so it is never free here.
    files.retain(|segment, _| *segment == id || !state.is_dead(*segment));
    state
        .segments
        .retain(|segment, _| files.contains_key(segment));
    let sealed = Sealed {
        life,
        frames_at: newest.head.frames_at,
        end: proven_upto,
    };
    state.segments.insert(id, sealed);
    Ok(Recovered {
        free: free_segments(directory, &files),
        state,
        again,
        files,
        newest: Some((id, index)),
        next_id,
    })
}

pub fn find_newest(disk: &dyn Disk, directory: &Directory) -> Result<Option<Newest>, OpenError> {
    for (&id, &bytes) in directory.segments.iter().rev() {
        let name = segment_name(id);
        let failed = |cause| OpenError::disk("read", segment_name(id), cause);
        let file = disk.open(Path::new(&name)).map_err(failed)?;
        let end = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut window = Window::new(file.clone(), end);
        let head = match Head::read(&mut window, id).map_err(failed)? {
            Ok(head) => head,
            Err(HeadError::Newer(version)) => return Err(OpenError::Newer { name, version }),
            Err(HeadError::Invalid) => continue,
        };
        if let Some(state) = snapshot::decode(&head.snapshot) {
            return Ok(Some(Newest {
                head,
                state,
                file,
                end,
            }));
        }
    }
    Ok(None)
}

/// Segments without a single valid head are a first start that was cut short; but then no frame
/// was ever written.
fn refuse_if_anything_was_written(disk: &dyn Disk, directory: &Directory) -> Result<(), OpenError> {
    for (&id, &bytes) in &directory.segments {
        let name = segment_name(id);
        let failed = |cause| OpenError::disk("read", segment_name(id), cause);
        let file = disk.open(Path::new(&name)).map_err(failed)?;
        let end = u32::try_from(bytes).unwrap_or(u32::MAX);
        if holds_frames(&mut Window::new(file, end), id).map_err(failed)? {
            return Err(OpenError::NoHead { name });
        }
    }
    Ok(())
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
    for entry in &replayed.again {
        if let Effect::Answers(of) = entry.effect {
            let (stream, lane) = (entry.draft.stream, Lane::Arrivals);
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

fn free_segments(directory: &Directory, files: &BTreeMap<u64, SegmentFile>) -> Vec<(String, u64)> {
    let segments = directory
        .segments
        .iter()
        .filter(|(id, _)| !files.contains_key(id));
    let free = directory
        .free
        .iter()
        .map(|(number, bytes)| (free_name(*number), *bytes));
    segments
        .map(|(id, bytes)| (segment_name(*id), *bytes))
        .chain(free)
        .collect()
}
