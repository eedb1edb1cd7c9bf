//! Opening the log: recovery, this life's streams, and its first segment.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::committer::Committer;
use super::entry::Entry;
use super::frame::Kind;
use super::geometry::{Geometry, size_within};
use super::index::Indexes;
use super::intake::Intake;
use super::lane::LaneState;
use super::ledger::{self, Position};
use super::life;
use super::outlet::Outlet;
use super::pool::{ENOUGH, Fill, Pool};
use super::queue::{Door, Queue};
use super::reader::ReaderId;
use super::reading::Reader;
use super::recovery::{self, Directory, Recovered};
use super::room::Told;
use super::segment::FORMAT_VERSION;
use super::shared::{Inner, LogClock, Shared};
use super::state::State;
use super::status::Status;
use super::stream::Stream;
use super::writer::{WriteError, Writer};
use super::{Handles, Health, Opened, Settings, StreamFacts, StreamSpec};
use crate::model::ReaderKind;
use crate::model::{ByteSize, Spare, Timestamp, limits};
use crate::outside::disk::{Disk, DiskFile};
use crate::outside::{Clock, Dice, Rising};
use crate::telemetry::{Metrics, happened};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory `{}` is missing, and so is its parent", .0.display())]
    Missing(PathBuf),
    #[error("`{}` is not a data directory of ours: it holds `{found}`", .directory.display())]
    NotOurs { directory: PathBuf, found: String },
    #[error("the data directory `{}` is in use by another daemon", .0.display())]
    Locked(PathBuf),
    #[error("`{name}` has format {version}, and this program knows formats up to {FORMAT_VERSION}")]
    Newer { name: String, version: u32 },
    /// All heads are gone, but `name` holds records.
    #[error("`{name}` holds records, but no segment in the data directory has a valid head")]
    NoHead { name: String },
    /// The same, but for what `name` holds: nobody can tell.
    #[error(
        "`{name}` is damaged throughout, and no segment in the data directory has a valid head"
    )]
    NothingLeft { name: String },
    /// Frames behind it prove that it had one. What its predecessor could say of it is gone, too.
    #[error("`{name}` holds records, but its head is damaged, and `{missing}` before it is gone")]
    HeadLost { name: String, missing: String },
    #[error("`{name}` cannot be read, so nobody can tell whether it holds records")]
    Unreadable { name: String },
    #[error("no room for a segment of {segment_bytes} bytes")]
    Full {
        segment_bytes: u32,
        #[source]
        cause: io::Error,
    },
    #[error("a log of {bytes} bytes is too small: the least is {least}")]
    TooSmall { bytes: u64, least: u64 },
    #[error("{streams} streams are too many for a log of this size: at most {most} fit")]
    TooManyStreams { streams: usize, most: usize },
    #[error("failed to {what} `{name}` in the data directory")]
    Disk {
        what: &'static str,
        name: String,
        #[source]
        cause: io::Error,
    },
    #[error("failed to begin a new segment")]
    Begin(#[source] WriteError),
}

impl OpenError {
    pub(super) fn disk(what: &'static str, name: impl Into<String>, cause: io::Error) -> OpenError {
        let name = name.into();
        let name = if name.is_empty() {
            ".".to_owned()
        } else {
            name
        };
        OpenError::Disk { what, name, cause }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            OpenError::Missing(_) => "create the parent folder, or correct `storage.directory`",
            OpenError::NotOurs { .. } => {
                "move that out of it; if there is no log in it, point `storage.directory` at an empty folder"
            }
            OpenError::Locked(_) => "stop the other daemon, or give each its own directory",
            OpenError::Newer { .. } => "run the version that wrote it, or a later one",
            OpenError::NoHead { .. }
            | OpenError::NothingLeft { .. }
            | OpenError::HeadLost { .. } => {
                "move the directory aside and start with an empty one; keep it for salvage"
            }
            OpenError::Unreadable { .. } => {
                "copy the directory to a disk that is well, as far as it can be read, and start there"
            }
            OpenError::Full { .. } => {
                "make room on the file system, or lower `storage.max_size`: the segments of a \
                 smaller log are smaller"
            }
            OpenError::TooSmall { .. }
            | OpenError::Begin(WriteError::NoSegment | WriteError::Segment) => {
                "raise `storage.max_size`: what is buffered needs more than that"
            }
            OpenError::TooManyStreams { .. } => "raise `storage.max_size`, or run two daemons",
            OpenError::Disk { cause, .. } => disk_hint(cause.kind()),
            OpenError::Begin(_) => disk_hint(io::ErrorKind::Other),
        }
    }
}

fn disk_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file, or a link to nowhere, has this name: correct `storage.directory`"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only, as Linux does when a disk fails: see the kernel's \
             log, or correct `storage.directory`"
        }
        io::ErrorKind::PermissionDenied => "let the daemon's user write there",
        io::ErrorKind::FileTooLarge => {
            "the size of files is limited here: raise it (`ulimit -f`, systemd's `LimitFSIZE=`)"
        }
        _ => "check that the daemon's user may write there and that the disk is well",
    }
}

/// Opens the log in `disk`'s root folder, recovering what is there.
pub fn open(
    disk: Arc<dyn Disk>,
    settings: &Settings,
    streams: &[StreamSpec],
    clock: Clock,
    mut dice: Dice,
    metrics: Metrics,
) -> Result<Opened, OpenError> {
    let bytes = settings.max_size.get();
    let least = u64::from(Geometry::of(settings.max_size).segment_bytes) * limits::SEGMENTS_MIN;
    if bytes < least {
        return Err(OpenError::TooSmall { bytes, least });
    }
    let (mut directory, lock) = recovery::enter(disk.as_ref(), &settings.directory)?;
    let geometry = Geometry::of(bounded(disk.as_ref(), settings)?);
    let mut recovered = recovery::recover(disk.as_ref(), &mut directory, &metrics, &mut dice)?;
    adopt_streams(&mut recovered, streams, clock.now());
    let transformed = transformed(&recovered.state, streams);
    check_lanes(&recovered.state, &transformed, geometry)?;
    let pool = fill_pool(disk.clone(), geometry, &directory, &recovered.free)?;
    let (next_id, again) = (recovered.next_id, std::mem::take(&mut recovered.again));
    let outside = Outside {
        disk,
        clock,
        metrics,
        lock,
    };
    let shared = share(recovered, pool, geometry, transformed, outside);
    let written_again = again.len();
    let mut writer = Writer::new(shared.clone(), next_id);
    writer.open_segment(again).map_err(OpenError::Begin)?;
    let lives = life::count(shared.inner().state.life);
    happened::buffer::opened(&settings.directory, lives, written_again);
    Ok(hand_out(shared, writer, streams))
}

fn bounded(disk: &dyn Disk, settings: &Settings) -> Result<ByteSize, OpenError> {
    let capacity = disk.capacity();
    let capacity = capacity.map_err(|cause| OpenError::disk("ask for the size of", "", cause))?;
    let Some(capacity) = capacity else {
        return Ok(settings.max_size);
    };
    let size = size_within(settings.max_size, capacity);
    if size < settings.max_size {
        happened::buffer::size_bounded(&settings.directory, settings.max_size, size);
    }
    Ok(size)
}

/// The tables of all lanes fit every snapshot.
fn check_lanes(
    state: &State,
    transformed: &BTreeSet<u32>,
    geometry: Geometry,
) -> Result<(), OpenError> {
    let answers = |(id, stream): &(&u32, &Stream)| {
        transformed.contains(id) || stream.answers != LaneState::default()
    };
    let with_answers = state.streams.iter().filter(answers).count();
    let streams = state.streams.len();
    if streams + with_answers <= geometry.lanes_max() {
        return Ok(());
    }
    let most = geometry.lanes_max().saturating_sub(with_answers);
    Err(OpenError::TooManyStreams { streams, most })
}

/// Streams that are new get a number that was never used; others that changed, a new version.
fn adopt_streams(recovered: &mut Recovered, specs: &[StreamSpec], now: Timestamp) {
    let Recovered { state, again, .. } = recovered;
    for spec in specs {
        let id = adopt_stream(state, spec, now);
        match spec.readers.contains(&ReaderKind::Backup) {
            true => state.want_backup(id),
            // What is written again was put while it was wanted, if it was.
            false => state.retire_backup(id, |tail| behind(tail, again, id)),
        }
    }
}

/// Where a stream's arrivals end once these entries stand behind `tail`.
fn behind(tail: Position, again: &[Entry], stream: u32) -> Position {
    let arrivals = again.iter().map(|entry| &entry.draft);
    let arrivals = arrivals.filter(|draft| draft.kind == Kind::Records && draft.stream == stream);
    arrivals.fold(tail, |end, draft| {
        end.plus(u64::from(draft.count), draft.slab.len() as u64)
    })
}

fn adopt_stream(state: &mut State, spec: &StreamSpec, now: Timestamp) -> u32 {
    let mut known = state.streams.values_mut();
    if let Some(stream) = known.find(|stream| stream.facts.name == spec.name) {
        if stream.fingerprint != spec.fingerprint {
            stream.fingerprint = spec.fingerprint;
            stream.facts.version += 1;
            stream.facts.updated = Some(now);
        }
        return stream.facts.id;
    }
    let facts = StreamFacts {
        name: spec.name.clone(),
        id: state.next_stream,
        version: 1,
        created: now,
        updated: None,
    };
    let id = facts.id;
    state
        .streams
        .insert(id, Stream::new(facts, spec.fingerprint));
    state.next_stream += 1;
    id
}

/// The streams whose arrivals go through a transformer.
fn transformed(state: &State, specs: &[StreamSpec]) -> BTreeSet<u32> {
    let wants = |stream: &&Stream| {
        let mut specs = specs.iter();
        let spec = specs.find(|spec| spec.name == stream.facts.name);
        spec.is_some_and(|spec| spec.readers.contains(&ReaderKind::Answers))
    };
    let streams = state.streams.values().filter(wants);
    streams.map(|stream| stream.facts.id).collect()
}

/// Intake opens only with the reserve: so many free files and one to write to, if there is room.
fn fill_pool(
    disk: Arc<dyn Disk>,
    geometry: Geometry,
    directory: &Directory,
    free: &[(String, u64)],
) -> Result<Pool, OpenError> {
    let pool = Pool::new(disk, geometry.segment_bytes, geometry.bytes_max);
    let sizes = directory.segments.values().chain(directory.free.values());
    sizes.for_each(|bytes| pool.add(*bytes));
    directory
        .free
        .keys()
        .for_each(|number| pool.skip_number(*number));
    for (name, bytes) in free {
        pool.put(name.clone(), *bytes)
            .map_err(|cause| OpenError::disk("remove", name.as_str(), cause))?;
    }
    while pool.len() < limits::SEGMENTS_RESERVED + 1
        && let Some(grown) = pool.grow(Fill::Reserve, ENOUGH)
    {
        let Err(cause) = grown else {
            continue;
        };
        if pool.len() == 0 {
            return Err(match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full {
                    segment_bytes: geometry.segment_bytes,
                    cause,
                },
                _ => OpenError::disk("create a file in", "", cause),
            });
        }
        // B7: there is enough to open, and what is missing is back-pressure.
        break;
    }
    Ok(pool)
}

struct Outside {
    disk: Arc<dyn Disk>,
    clock: Clock,
    metrics: Metrics,
    lock: Arc<dyn DiskFile>,
}

fn share(
    recovered: Recovered,
    pool: Pool,
    geometry: Geometry,
    transformed: BTreeSet<u32>,
    outside: Outside,
) -> Arc<Shared> {
    let Recovered {
        state,
        files,
        indexes: newest,
        ..
    } = recovered;
    let mut indexes = Indexes::default();
    for (segment, index) in newest {
        indexes.keep(segment, Arc::new(index));
    }
    let tails = state.lanes();
    let tails = tails.map(|(id, lane)| (id, Rising::new(lane.tail.seq)));
    let shared = Shared {
        geometry,
        log_clock: LogClock::starting_at(state.clock),
        pool,
        queue: Arc::new(Queue::new(limits::QUEUE_BYTES_MAX)),
        spare: Spare::new(limits::SPARE_READ_BYTES_MAX),
        tails: tails.collect(),
        inner: Mutex::new(Inner {
            state,
            indexes,
            files,
            current: None,
            health: Health::Good,
            told: Told::default(),
            committing_since: None,
        }),
        transformed,
        disk: outside.disk,
        clock: outside.clock,
        metrics: outside.metrics,
        _lock: outside.lock,
    };
    Arc::new(shared)
}

fn hand_out(shared: Arc<Shared>, writer: Writer, specs: &[StreamSpec]) -> Opened {
    let door = Arc::new(Door(shared.queue.clone()));
    let inner = shared.inner();
    let mut streams = BTreeMap::new();
    let mut orphans = Vec::new();
    for (id, stream) in &inner.state.streams {
        let facts = stream.facts.clone();
        let Some(spec) = specs.iter().find(|spec| spec.name == facts.name) else {
            happened::buffer::orphaned(&facts.name, stream.totals().buffered);
            orphans.push(facts);
            continue;
        };
        let reader = |kind| Reader {
            shared: shared.clone(),
            id: ReaderId { stream: *id, kind },
        };
        let outlet = |kind| Outlet::new(reader(kind), door.clone());
        let has_backup = spec.readers.contains(&ReaderKind::Backup);
        let for_backup = stream.live(ReaderKind::Backup);
        if !has_backup && !for_backup.is_empty() {
            happened::buffer::backup_orphaned(&facts.name, ledger::records(&for_backup));
        }
        let handles = Handles {
            intake: Intake::new(reader(ReaderKind::Arrivals), door.clone()),
            outlet: outlet(ReaderKind::Arrivals),
            answers: outlet(ReaderKind::Answers),
            backup: has_backup.then(|| outlet(ReaderKind::Backup)),
            facts: facts.clone(),
        };
        streams.insert(facts.name, handles);
    }
    let directory = inner.state.directory;
    drop(inner);
    Opened {
        directory,
        streams,
        orphans,
        committer: Committer::new(writer),
        status: Status::new(shared),
    }
}
