//! Looking at a log without opening it: for `standpipe storage ls` and `verify`.
//!
//! Nothing is written, locked or repaired, so a daemon may have the directory open meanwhile; then
//! the answer is a moment of its life.

use std::path::Path;

use super::recovery::{Directory, Newest, Replayed, find_newest, look, replay};
use super::scan::{Depth, Found, Stretch, Window, scan};
use super::segment::segment_name;
use super::state::{Sealed, State};
use super::{Cut, OpenError, StreamFacts, Totals};
use crate::model::{DirectoryId, ReaderKind, SeqRange, StreamName};
use crate::outside::disk::Disk;

/// What the log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// `None` where no daemon ever wrote anything.
    pub log: Option<Log>,
    pub free_segments: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub directory: DirectoryId,
    pub lives: u64,
    pub streams: Vec<Stream>,
    /// Those with something alive, and the newest.
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub facts: StreamFacts,
    pub totals: Totals,
    /// What each reader is not done with; a backup only where there is one.
    pub waiting: Vec<(ReaderKind, Waiting)>,
    pub open_cuts: Vec<(ReaderKind, Cut)>,
}

/// What is not at rest, cut or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub records: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub id: u64,
    pub name: String,
    /// Up to its durable end.
    pub bytes: u64,
}

/// Something that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: String,
    pub offset: u64,
    pub bytes: u64,
    /// Whose records, where that can still be told.
    pub records: Option<(StreamName, SeqRange)>,
}

/// What a scan of every live segment found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub segments: usize,
    pub frames: u64,
    pub bytes: u64,
    pub damage: Vec<Damage>,
}

struct Read {
    state: State,
    free: usize,
}

/// Streams, segments, totals and open cuts, at `directory`, the root of `disk`.
pub fn contents(disk: &dyn Disk, directory: &Path) -> Result<Contents, OpenError> {
    let files = look(disk, directory)?;
    let Some(Read { state, free }) = read(disk, &files)? else {
        return Ok(Contents {
            log: None,
            free_segments: files.free.len() + files.segments.len(),
        });
    };
    let segment = |(id, sealed): (&u64, &Sealed)| Segment {
        id: *id,
        name: segment_name(*id),
        bytes: u64::from(sealed.end),
    };
    let log = Log {
        directory: state.directory,
        lives: state.life,
        streams: state.streams.values().map(Stream::from).collect(),
        segments: state.segments.iter().map(segment).collect(),
    };
    Ok(Contents {
        log: Some(log),
        free_segments: free,
    })
}

impl From<&super::stream::Stream> for Stream {
    fn from(stream: &super::stream::Stream) -> Stream {
        let readers = ReaderKind::ALL.into_iter();
        let readers = readers.filter(|kind| stream.reader(*kind).is_some());
        let waiting = readers.map(|kind| {
            let live = stream.live(kind);
            let waiting = Waiting {
                records: live.iter().map(|span| span.records()).sum(),
                bytes: live.iter().map(|span| span.bytes()).sum(),
            };
            (kind, waiting)
        });
        let cuts = ReaderKind::ALL.into_iter().flat_map(|kind| {
            let cuts = stream.cuts(kind);
            cuts.map(move |cut| (kind, Cut::from(cut)))
        });
        Stream {
            facts: stream.facts.clone(),
            totals: stream.totals(),
            waiting: waiting.collect(),
            open_cuts: cuts.collect(),
        }
    }
}

/// Reads every frame of every live segment, and checks its checksums.
pub fn verify(disk: &dyn Disk, directory: &Path) -> Result<Report, OpenError> {
    let files = look(disk, directory)?;
    let mut report = Report::default();
    let Some(Read { state, .. }) = read(disk, &files)? else {
        return Ok(report);
    };
    for (&id, sealed) in &state.segments {
        report.segments += 1;
        report.bytes += u64::from(sealed.end);
        verify_segment(disk, &state, id, sealed, &mut report)?;
    }
    Ok(report)
}

fn read(disk: &dyn Disk, files: &Directory) -> Result<Option<Read>, OpenError> {
    let Some(newest) = find_newest(disk, files)? else {
        return Ok(None);
    };
    let Newest {
        head,
        state,
        file,
        end,
    } = newest;
    let failed = |cause| OpenError::disk("read", segment_name(head.id), cause);
    let replayed = replay(&mut Window::new(file, end), &head, state).map_err(failed)?;
    let Replayed {
        mut state,
        proven_upto,
        ..
    } = replayed;
    let dead = |id: &u64| state.is_dead(*id);
    let dead: Vec<u64> = state.segments.keys().copied().filter(dead).collect();
    for id in dead {
        state.segments.remove(&id);
    }
    let sealed = Sealed {
        life: head.life,
        frames_at: head.frames_at,
        // The last group may be above: the next start would write it again.
        end: proven_upto,
    };
    state.segments.insert(head.id, sealed);
    let all = files.segments.len() + files.free.len();
    Ok(Some(Read {
        free: all.saturating_sub(state.segments.len()),
        state,
    }))
}

fn verify_segment(
    disk: &dyn Disk,
    state: &State,
    id: u64,
    sealed: &Sealed,
    report: &mut Report,
) -> Result<(), OpenError> {
    let name = segment_name(id);
    let failed = |cause| OpenError::disk("read", segment_name(id), cause);
    let file = disk.open(Path::new(&name)).map_err(failed)?;
    let stretch = Stretch {
        segment: id,
        life: sealed.life,
        from: sealed.frames_at,
        to: sealed.end,
    };
    let mut window = Window::new(file, sealed.end);
    let Report { frames, damage, .. } = report;
    let mut found_damage = |offset: u32, bytes: u32, records| {
        damage.push(Damage {
            segment: name.clone(),
            offset: u64::from(offset),
            bytes: u64::from(bytes),
            records,
        });
    };
    let end = scan(&mut window, stretch, Depth::Payloads, |found| match found {
        Found::Frame(..) => *frames += 1,
        Found::Rotten(header) => {
            let range = SeqRange::between(header.first.seq, header.end().seq);
            let stream = state.streams.get(&header.stream);
            let records = stream
                .zip(range)
                .map(|(s, range)| (s.facts.name.clone(), range));
            found_damage(header.place.offset, header.length, records);
        }
        Found::Gap { offset, length } => found_damage(offset, length, None),
    })
    .map_err(failed)?;
    if end < sealed.end {
        found_damage(end, sealed.end - end, None);
    }
    Ok(())
}
