//! Looking at a log without opening it: for `standpipe storage ls` and `verify`.
//!
//! Nothing is written, locked or repaired, so a daemon may have the directory open meanwhile; then
//! the answer is a moment of its life.

use std::io::ErrorKind;
use std::path::Path;

use super::frame::Header;
use super::ledger;
use super::life;
use super::quarantine;
use super::recovery::{self, Directory, Replayed, Standing, look, replay};
use super::scan::{Depth, Found, Stretch, Window, scan};
use super::segment::{Head, segment_name};
use super::state::{Sealed, State};
use super::{Cut, OpenError, StreamFacts, Totals};
use crate::model::{DirectoryId, ReaderKind, SeqRange, StreamName};
use crate::outside::disk::{Disk, is_lost};

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
    pub lives: u32,
    pub streams: Vec<Stream>,
    /// Those with something alive, and the newest.
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub facts: StreamFacts,
    /// Of what is proven durable.
    pub totals: Totals,
    /// What each reader is not done with; a backup only where there is one.
    pub waiting: Vec<(ReaderKind, Waiting)>,
    pub open_cuts: Vec<(ReaderKind, Cut)>,
    pub unproven: Unproven,
}

/// What is not at rest, cut or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub records: u64,
    pub bytes: u64,
}

/// Records of the last group of all: a daemon that runs knows whether it was synced; nothing in the
/// log says so before the next group does. A start after a crash writes it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unproven {
    pub records: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub id: u64,
    pub name: String,
    /// Up to where it is proven durable.
    pub bytes: u64,
    /// Whole frames above that.
    pub unproven_bytes: u64,
}

/// Something that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: String,
    pub offset: u64,
    pub bytes: u64,
    pub cause: Cause,
    /// Whose records, where that can still be told.
    pub records: Option<(StreamName, SeqRange)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It reads other than it was written.
    Changed,
    /// The device does not give it back, or the file was cut short.
    Unreadable,
    /// The whole file is gone.
    Missing,
    /// One of a head's two copies, or both. Costs no record as long as something stands in for it.
    Head,
}

/// What a scan of every live segment found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub segments: usize,
    /// Whole ones.
    pub frames: u64,
    pub bytes: u64,
    /// How many of the frames are above everything that is proven durable.
    pub unproven_frames: u64,
    /// Where a frame above that is torn: segment and offset. A crash does that to what was not
    /// acknowledged; rot in the very last group looks the same.
    pub torn: Option<(String, u64)>,
    pub damage: Vec<Damage>,
}

struct Read {
    /// `None` where no daemon ever wrote anything.
    replayed: Option<Replayed>,
    free: usize,
    strange: Vec<u64>,
}

/// Streams, segments, totals and open cuts, at `directory`, the root of `disk`.
pub fn contents(disk: &dyn Disk, directory: &Path) -> Result<Contents, OpenError> {
    let files = look(disk, directory)?;
    let Read { replayed, free, .. } = read(disk, &files)?;
    let Some(replayed) = replayed else {
        return Ok(Contents {
            log: None,
            free_segments: free,
        });
    };
    let Replayed {
        state, unproven, ..
    } = &replayed;
    let segment = |(id, sealed): (&u64, &Sealed)| {
        let above = unproven.iter().map(|frame| frame.header);
        let above = above.filter(|header| header.place.segment == *id);
        Segment {
            id: *id,
            name: segment_name(*id),
            bytes: u64::from(sealed.end),
            unproven_bytes: above.map(|header| u64::from(header.length)).sum(),
        }
    };
    let stream = |stream: &super::stream::Stream| Stream {
        unproven: unproven_of(&replayed, stream.facts.id),
        ..Stream::from(stream)
    };
    let log = Log {
        directory: state.directory,
        lives: life::count(state.life),
        streams: state.streams.values().map(stream).collect(),
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
                records: ledger::records(&live),
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
            unproven: Unproven::default(),
        }
    }
}

fn unproven_of(replayed: &Replayed, stream: u32) -> Unproven {
    let headers = replayed.unproven.iter().map(|frame| frame.header);
    let ours = headers.filter(|header| header.stream == stream);
    ours.fold(Unproven::default(), |sum, header| {
        let end = header.end();
        Unproven {
            records: sum.records + (end.seq.get() - header.first.seq.get()),
            bytes: sum.bytes + (end.byte - header.first.byte),
        }
    })
}

/// Reads every frame of every live segment, and checks its checksums.
pub fn verify(disk: &dyn Disk, directory: &Path) -> Result<Report, OpenError> {
    let files = look(disk, directory)?;
    let mut report = Report::default();
    let Read {
        replayed, strange, ..
    } = read(disk, &files)?;
    let damage = strange.into_iter().map(|id| Damage {
        segment: segment_name(id),
        offset: 0,
        bytes: files.segments.get(&id).copied().unwrap_or_default(),
        cause: Cause::Changed,
        records: None,
    });
    report.damage.extend(damage);
    let Some(replayed) = replayed else {
        return Ok(report);
    };
    for (&id, sealed) in &replayed.state.segments {
        report.segments += 1;
        report.bytes += u64::from(sealed.end);
        verify_segment(disk, &replayed.state, id, sealed, &mut report)?;
    }
    verify_newest(&replayed, &mut report)?;
    Ok(report)
}

fn read(disk: &dyn Disk, files: &Directory) -> Result<Read, OpenError> {
    let recovery::Findings { chain, strange } = recovery::find(disk, files)?;
    let all = files.segments.len() + files.free.len() - strange.len();
    let Some(chain) = chain else {
        return Ok(Read {
            replayed: None,
            free: all,
            strange,
        });
    };
    let mut replayed = replay(chain)?;
    let state = &mut replayed.state;
    let dead = |id: &u64| state.is_dead(*id);
    let dead: Vec<u64> = state.segments.keys().copied().filter(dead).collect();
    for id in dead {
        state.segments.remove(&id);
    }
    for Standing { id, sealed, .. } in &replayed.segments {
        state.segments.insert(*id, *sealed);
    }
    Ok(Read {
        free: all.saturating_sub(state.segments.len()),
        replayed: Some(replayed),
        strange,
    })
}

fn verify_segment(
    disk: &dyn Disk,
    state: &State,
    id: u64,
    sealed: &Sealed,
    report: &mut Report,
) -> Result<(), OpenError> {
    let failed = |cause| OpenError::disk("read", segment_name(id), cause);
    let file = match disk.open(Path::new(&segment_name(id))) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            report.miss(state, id, sealed, Cause::Missing);
            return Ok(());
        }
        Err(error) if is_lost(&error) => {
            report.miss(state, id, sealed, Cause::Unreadable);
            return Ok(());
        }
        Err(cause) => return Err(failed(cause)),
    };
    let mut window = Window::new(file, sealed.end);
    let stretch = Stretch {
        segment: id,
        life: sealed.life,
        from: sealed.frames_at,
        to: sealed.end,
    };
    let mut damaged: Vec<(u32, u32, Option<Header>)> = Vec::new();
    let end = scan(&mut window, stretch, Depth::Payloads, |found| match found {
        Found::Frame(..) => report.frames += 1,
        Found::Rotten(header) => {
            let start = header.place.offset;
            damaged.push((start, start + header.length, Some(header)));
        }
        Found::Gap { offset, length } => damaged.push((offset, offset + length, None)),
    })
    .map_err(failed)?;
    if end < sealed.end {
        damaged.push((end, sealed.end, None));
    }
    for (from, to, header) in damaged {
        let cause = match window.is_gone(from, to) {
            true => Cause::Unreadable,
            false => Cause::Changed,
        };
        report.damage.push(Damage {
            segment: segment_name(id),
            offset: u64::from(from),
            bytes: u64::from(to - from),
            cause,
            records: header.and_then(|header| records_of(state, &header)),
        });
    }
    Ok(())
}

fn records_of(state: &State, header: &Header) -> Option<(StreamName, SeqRange)> {
    let stream = state.streams.get(&header.stream)?;
    let range = SeqRange::between(header.first.seq, header.end().seq)?;
    Some((stream.facts.name.clone(), range))
}

/// Heads, and what stands above everything that is proven durable.
fn verify_newest(replayed: &Replayed, report: &mut Report) -> Result<(), OpenError> {
    let unproven = replayed.unproven.len() as u64;
    report.unproven_frames = unproven;
    report.frames += unproven;
    let torn = replayed.torn;
    report.torn = torn.map(|place| (segment_name(place.segment), u64::from(place.offset)));
    if let Some(newest) = replayed.segments.first() {
        let copies = Head::rotten_copies(newest.file.clone(), newest.id, newest.sealed.frames_at)
            .map_err(|cause| OpenError::disk("read", segment_name(newest.id), cause))?;
        for copy in copies {
            report.add(newest.id, copy.start, copy.end - copy.start, Cause::Head);
        }
    }
    for stretch in &replayed.damaged {
        let quarantine::Stretch {
            segment,
            offset,
            length,
        } = *stretch;
        let is_head = offset == 0 && replayed.headless.contains(&segment);
        let cause = match is_head {
            true => Cause::Head,
            false => Cause::Unreadable,
        };
        report.add(segment, offset, length, cause);
    }
    if let (Some(damage), Some((lane, span, _))) =
        (report.damage.last_mut(), replayed.lost_unproven.first())
        && let Some(stream) = replayed.state.streams.get(&lane.stream)
    {
        // What is unreadable above the proven end is the last that was added.
        damage.records = Some((stream.facts.name.clone(), span.range()));
    }
    Ok(())
}

impl Report {
    /// Adds what is not known yet.
    fn add(&mut self, segment: u64, offset: u32, length: u32, cause: Cause) {
        let (segment, offset) = (segment_name(segment), u64::from(offset));
        let mut known = self.damage.iter();
        if known.any(|known| known.segment == segment && known.offset == offset) {
            return;
        }
        self.damage.push(Damage {
            segment,
            offset,
            bytes: u64::from(length),
            cause,
            records: None,
        });
    }

    /// The whole segment is lost, and with it what the state says lay there.
    fn miss(&mut self, state: &State, id: u64, sealed: &Sealed, cause: Cause) {
        for (lane, known) in state.lanes() {
            let part = known.parts.get(&id);
            let stream = state.streams.get(&lane.stream);
            let lost = part.zip(stream).map(|(part, stream)| Damage {
                segment: segment_name(id),
                offset: u64::from(sealed.frames_at),
                bytes: u64::from(sealed.end - sealed.frames_at),
                cause,
                records: Some((stream.facts.name.clone(), part.span.range())),
            });
            self.damage.extend(lost);
        }
    }
}
