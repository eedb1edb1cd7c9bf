//! From settings to a daemon that is ready to run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::admin::{Admin, Watched};
use crate::buffer::{self, Committer, Handles, StreamSpec};
use crate::config::{self, Settings};
use crate::model::{ReaderKind, StreamName};
use crate::objects::Room;
use crate::objects::store::{self, Stores};
use crate::outside::disk;
use crate::outside::http_client;
use crate::outside::stop::{self, Stop, Stopper};
use crate::outside::{Clock, Dice};
use crate::pipeline::progress::Progress;
use crate::pipeline::{Cuts, Destination, FailedOutput, Pipeline, Route};
use crate::server::{Producers, Pulse};
use crate::sink;
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
    pub(super) pipelines: Vec<(StreamName, Pipeline)>,
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
    #[error("failed to open the storage")]
    Storage(#[source] buffer::OpenError),
    #[error("failed to open the destination of stream `{stream}`")]
    Destination {
        stream: StreamName,
        #[source]
        cause: store::OpenError,
    },
}

impl Daemon {
    /// Recovers the log and gets everything ready. Nothing runs and nothing is sent before `run`.
    pub async fn open(settings: &Settings, mut doors: Doors) -> Result<Daemon, OpenError> {
        let opened = open_log(settings, &mut doors)?;
        let metrics = doors.metrics.clone();
        let (stopper, stop) = stop::channel();
        let (intake_stopper, intake_ended) = stop::channel();
        let mut parts = Parts {
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
                room: Room::default(),
            }),
            pipelines: Vec::new(),
            progress: BTreeMap::new(),
            streams: BTreeMap::new(),
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
            direct_put: Arc::new(DirectPut::new(identity, parts.streams, producers, tools)),
            admin: Arc::new(Admin::new(watched, metrics.clone(), token)),
            status: opened.status,
            pipelines: parts.pipelines,
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
    .map_err(OpenError::Storage)
}

fn spec(stream: &config::Stream) -> StreamSpec {
    StreamSpec {
        name: stream.name.clone(),
        fingerprint: stream.fingerprint,
        readers: BTreeSet::new(),
    }
}

/// What is gathered, stream by stream.
struct Parts {
    directory: crate::model::DirectoryId,
    shutdown: stop::Settings,
    stop: Stop,
    intake_ended: Stop,
    metrics: Metrics,
    clock: Clock,
    dice: Dice,
    stores: Stores,
    pipelines: Vec<(StreamName, Pipeline)>,
    progress: BTreeMap<StreamName, Progress>,
    streams: BTreeMap<StreamName, direct_put::Stream>,
}

impl Parts {
    async fn add(&mut self, stream: &config::Stream, handles: Handles) -> Result<(), OpenError> {
        let Handles {
            facts,
            intake,
            outlet,
            ..
        } = handles;
        let failed_to_open = |cause| OpenError::Destination {
            stream: stream.name.clone(),
            cause,
        };
        let sink = sink::objects::Objects::open(&stream.sink, &mut self.stores);
        let sink = sink.await.map_err(failed_to_open)?;
        let store = self.stores.open(&stream.sink.place);
        let failed = FailedOutput {
            store: store.await.map_err(failed_to_open)?,
            keys: stream.sink.keys.clone(),
            function: String::new(),
        };
        let mut description = stream.description.clone();
        description.version = facts.version;
        description.created = facts.created;
        description.updated = facts.updated;
        let direct_put = direct_put::Stream {
            intake,
            id: facts.id,
            directory: self.directory,
            description,
        };
        let progress = Progress::default();
        let route = Route {
            stream: stream.name.clone(),
            directory: self.directory,
            reader: ReaderKind::Arrivals,
            outlet: Arc::new(outlet),
            destination: Destination::Objects(Arc::new(sink)),
            failed,
            progress: progress.clone(),
            metrics: self.metrics.clone(),
            mode: self.shutdown.mode,
            stop: self.stop.clone(),
            clock: self.clock.clone(),
            upstream_ended: self.intake_ended.clone(),
        };
        let dice = self.dice.fork();
        let pipeline = Pipeline::new(&stream.pipeline, facts, Cuts::New, route, dice);
        self.streams.insert(stream.name.clone(), direct_put);
        self.progress.insert(stream.name.clone(), progress);
        self.pipelines.push((stream.name.clone(), pipeline));
        Ok(())
    }
}
