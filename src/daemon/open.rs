//! From settings to a daemon that is ready to run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::streams::{Streams, Task};
use crate::admin::{Admin, Watched};
use crate::buffer::{self, Committer, StreamSpec};
use crate::config::{self, Settings};
use crate::model::{ReaderKind, StreamName, limits};
use crate::objects::Room;
use crate::objects::store::{self, Stores};
use crate::outside::disk;
use crate::outside::http_client;
use crate::outside::memory::Share;
use crate::outside::stop::{self, Stop, Stopper};
use crate::outside::{Clock, Dice};
use crate::server::{Producers, Pulse};
use crate::source::direct_put::{self, DirectPut};
use crate::telemetry::Metrics;

/// Everything of the outside that a daemon touches, but for its sockets and signals. A simulation
/// gives a world of its own.
pub struct Doors {
    /// A disk rooted at a path.
    pub disk: Box<disk::Open>,
    pub http: Box<http_client::Open>,
    pub clock: Clock,
    pub dice: Dice,
    pub metrics: Metrics,
}

/// Open, and not yet running.
pub struct Daemon {
    pub direct_put: Arc<DirectPut>,
    pub admin: Arc<Admin>,
    pub status: buffer::Status,
    pub(super) tasks: Vec<(StreamName, Task)>,
    pub(super) committer: Committer,
    pub(super) shutdown: stop::Settings,
    pub(super) stopper: Stopper,
    pub(super) stop: Stop,
    /// Told once nobody can put any more.
    pub(super) intake_stopper: Stopper,
    /// Of the listener for puts.
    pub(super) pulse: Pulse,
    pub(super) metrics: Metrics,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open the storage directory `{}`", .directory.display())]
    Storage {
        directory: PathBuf,
        #[source]
        cause: buffer::OpenError,
    },
    #[error("failed to open the destination of stream `{stream}`")]
    Destination {
        stream: StreamName,
        #[source]
        cause: store::OpenError,
    },
    #[error("failed to set up the connections of stream `{stream}`")]
    Connections {
        stream: StreamName,
        #[source]
        cause: http_client::OpenError,
    },
}

impl Daemon {
    /// Recovers the log and gets everything ready. Nothing runs and nothing is sent before `run`.
    pub async fn open(settings: &Settings, mut doors: Doors) -> Result<Daemon, OpenError> {
        let opened = open_log(settings, &mut doors)?;
        let metrics = doors.metrics.clone();
        let (stopper, stop) = stop::channel();
        let (intake_stopper, intake_ended) = stop::channel();
        let room = Room::of_all(settings.streams.len());
        let mut parts = Streams {
            identity: settings.identity.clone(),
            memory: memory_of_invocations(&settings.streams),
            directory: opened.directory,
            shutdown: settings.shutdown,
            stop: stop.clone(),
            intake_ended,
            metrics: metrics.clone(),
            clock: doors.clock.clone(),
            dice: doors.dice.fork(),
            stores: Stores::new(store::Doors {
                disk: doors.disk,
                http: doors.http,
                clock: doors.clock.clone(),
                dice: doors.dice.fork(),
                room,
            }),
            tasks: Vec::new(),
            progress: BTreeMap::new(),
            puts: BTreeMap::new(),
        };
        let mut handles = opened.streams;
        for stream in &settings.streams {
            let handles = handles.remove(&stream.name);
            let handles = handles.expect("the log opens every stream that it is told of");
            parts.add(stream, handles).await?;
        }
        let pulse = Pulse::default();
        let watched = Watched {
            status: opened.status.clone(),
            stop: stop.clone(),
            pipelines: parts.progress,
            listener: pulse.clone(),
        };
        let token = settings.listen.admin_token.clone();
        let identity = direct_put::Settings {
            region: settings.identity.region.clone(),
            account: settings.identity.account.clone(),
        };
        let tools = direct_put::Tools {
            metrics: metrics.clone(),
            clock: doors.clock,
            dice: doors.dice,
            stop: stop.clone(),
        };
        let producers = Producers::new(settings.producers.iter().cloned());
        Ok(Daemon {
            direct_put: Arc::new(DirectPut::new(identity, parts.puts, producers, tools)),
            admin: Arc::new(Admin::new(watched, metrics.clone(), token)),
            status: opened.status,
            tasks: parts.tasks,
            committer: opened.committer,
            shutdown: settings.shutdown,
            stopper,
            stop,
            intake_stopper,
            pulse,
            metrics,
        })
    }
}

/// Streams that transform share it.
fn memory_of_invocations(streams: &[config::Stream]) -> Share {
    let transform = streams.iter().filter(|stream| stream.transform.is_some());
    Share::of(limits::INVOCATION_BYTES_IN_MEMORY_MAX, transform.count())
}

fn open_log(settings: &Settings, doors: &mut Doors) -> Result<buffer::Opened, OpenError> {
    let specs: Vec<StreamSpec> = settings.streams.iter().map(spec).collect();
    buffer::open(
        (doors.disk)(&settings.storage.directory),
        &settings.storage,
        &specs,
        doors.clock.clone(),
        doors.dice.fork(),
        doors.metrics.clone(),
    )
    .map_err(|cause| OpenError::Storage {
        directory: settings.storage.directory.clone(),
        cause,
    })
}

fn spec(stream: &config::Stream) -> StreamSpec {
    let answers = stream.transform.iter().map(|_| ReaderKind::Answers);
    let backup = stream.backup.iter().map(|_| ReaderKind::Backup);
    StreamSpec {
        name: stream.name.clone(),
        fingerprint: stream.fingerprint,
        readers: answers.chain(backup).collect(),
    }
}
