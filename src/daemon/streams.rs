//! What a stream is made of: where it is put, its transformer, and a pipeline for each of its readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::open::OpenError;
use crate::buffer::{Handles, Intake, Outlet, StreamFacts};
use crate::config;
use crate::model::{DirectoryId, ReaderKind, StreamName};
use crate::objects::store::{self, Stores};
use crate::outside::http_client::{self, HttpClient};
use crate::outside::memory::Share;
use crate::outside::stop::{self, Stop};
use crate::outside::{Clock, Dice};
use crate::pipeline::progress::Progress;
use crate::pipeline::transforming::{self, Transforming};
use crate::pipeline::{self, Cuts, Destination, FailedOutput, Pipeline, Route};
use crate::sink::FlushReason;
use crate::sink::http_endpoint::HttpEndpoint;
use crate::sink::objects::Objects;
use crate::sink::splunk::Splunk;
use crate::source::direct_put;
use crate::telemetry::{Metrics, happened};
use crate::transform::{self, Transformer};

/// Something that brings a stream's records further, to be run.
pub enum Task {
    Pipeline(Pipeline),
    Transforming(Transforming),
}

/// What is gathered, stream by stream.
pub struct Streams {
    pub directory: DirectoryId,
    pub identity: config::Identity,
    pub shutdown: stop::Settings,
    pub stop: Stop,
    pub intake_ended: Stop,
    pub metrics: Metrics,
    pub clock: Clock,
    pub dice: Dice,
    pub memory: Share,
    pub stores: Stores,
    pub tasks: Vec<(StreamName, Task)>,
    pub progress: BTreeMap<StreamName, Vec<Progress>>,
    pub puts: BTreeMap<StreamName, direct_put::Stream>,
}

/// One of a stream's readers.
struct Reader {
    kind: ReaderKind,
    outlet: Arc<Outlet>,
    cuts: Cuts,
    settings: pipeline::Settings,
    destination: Destination,
    upstream_ended: Stop,
}

impl Streams {
    pub async fn add(
        &mut self,
        stream: &config::Stream,
        handles: Handles,
    ) -> Result<(), OpenError> {
        self.stores.next_stream();
        let destination = self.destination(stream).await?;
        let failed = self.failed_output(stream).await?;
        let backup = self.backup(stream).await?;
        let Handles {
            facts,
            intake,
            outlet,
            answers,
            backup: backup_outlet,
        } = handles;
        self.add_put(stream, &facts, intake);
        let outlet = Arc::new(outlet);
        let answered = match &stream.transform {
            Some(transform) => self.transform(stream, transform, &facts, &outlet).await?,
            None => self.intake_ended.clone(),
        };
        let delivers = |kind, outlet: Arc<Outlet>, cuts, upstream_ended| Reader {
            kind,
            outlet,
            cuts,
            settings: stream.pipeline.clone(),
            destination: destination.clone(),
            upstream_ended,
        };
        let mut readers = Vec::new();
        // What another configuration left in the lane that is not used any more is delivered too.
        let (of_arrivals, of_answers) = match &stream.transform {
            Some(_) => (Cuts::OnlyOpen, Cuts::New),
            None => (Cuts::New, Cuts::New),
        };
        let has_arrivals = of_arrivals == Cuts::New || !outlet.open_cuts().is_empty();
        let answers_wait = 0 < answers.waiting().records || !answers.open_cuts().is_empty();
        if has_arrivals {
            let ended = self.intake_ended.clone();
            readers.push(delivers(ReaderKind::Arrivals, outlet, of_arrivals, ended));
        }
        if stream.transform.is_some() || answers_wait {
            let answers = Arc::new(answers);
            readers.push(delivers(ReaderKind::Answers, answers, of_answers, answered));
        }
        if let Some((buffering, sink)) = backup {
            let outlet = backup_outlet.expect("the log was told of the backup");
            readers.push(Reader {
                kind: ReaderKind::Backup,
                outlet: Arc::new(outlet),
                cuts: Cuts::New,
                settings: buffering,
                destination: Destination::Objects(Arc::new(sink)),
                upstream_ended: self.intake_ended.clone(),
            });
        }
        for reader in readers {
            self.add_pipeline(&facts, reader, failed.clone());
        }
        Ok(())
    }

    fn add_put(&mut self, stream: &config::Stream, facts: &StreamFacts, intake: Intake) {
        let mut description = stream.description.clone();
        description.version = facts.version;
        description.created = facts.created;
        description.updated = facts.updated;
        let put = direct_put::Stream {
            intake,
            id: facts.id,
            directory: self.directory,
            description,
        };
        self.puts.insert(stream.name.clone(), put);
    }

    fn add_pipeline(&mut self, facts: &StreamFacts, reader: Reader, failed: FailedOutput) {
        let route = Route {
            stream: facts.name.clone(),
            version: facts.version,
            directory: self.directory,
            reader: reader.kind,
            outlet: reader.outlet,
            destination: reader.destination,
            room: self.stores.room(),
            failed,
            progress: self.new_progress(&facts.name),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            mode: self.shutdown.mode,
            stop: self.stop.clone(),
            upstream_ended: reader.upstream_ended,
        };
        let reasons = FlushReason::OF_CUTS.map(FlushReason::as_str);
        happened::delivery::ready(&self.metrics, &facts.name, route.to(), &reasons);
        let dice = self.dice.fork();
        let pipeline = Pipeline::new(&reader.settings, facts.clone(), reader.cuts, route, dice);
        self.tasks
            .push((facts.name.clone(), Task::Pipeline(pipeline)));
    }

    fn new_progress(&mut self, stream: &StreamName) -> Progress {
        let progress = Progress::default();
        let parts = self.progress.entry(stream.clone()).or_default();
        parts.push(progress.clone());
        progress
    }

    async fn destination(&mut self, stream: &config::Stream) -> Result<Destination, OpenError> {
        let clock = self.clock.clone();
        Ok(match &stream.destination {
            config::Destination::Objects(settings) => {
                let sink = Objects::open(settings, &mut self.stores).await;
                Destination::Objects(Arc::new(sink.map_err(failed_to_open(stream))?))
            }
            config::Destination::HttpEndpoint { settings, http } => {
                let http = self.http(stream, http)?;
                let room = self.stores.room();
                let sink = HttpEndpoint::new(settings.clone(), http, clock, room);
                Destination::Requests(Arc::new(sink))
            }
            config::Destination::Splunk { settings, http } => {
                let http = self.http(stream, http)?;
                let sink = Splunk::new(settings.clone(), http, clock, self.dice.fork());
                Destination::Requests(Arc::new(sink))
            }
        })
    }

    async fn failed_output(&mut self, stream: &config::Stream) -> Result<FailedOutput, OpenError> {
        let store = self.stores.open(&stream.failed.place).await;
        Ok(FailedOutput {
            store: store.map_err(failed_to_open(stream))?,
            keys: stream.failed.keys.clone(),
        })
    }

    async fn backup(
        &mut self,
        stream: &config::Stream,
    ) -> Result<Option<(pipeline::Settings, Objects)>, OpenError> {
        let Some(backup) = &stream.backup else {
            return Ok(None);
        };
        let sink = Objects::open(&backup.sink, &mut self.stores).await;
        let buffering = backup.buffering;
        let settings = pipeline::Settings { buffering };
        Ok(Some((settings, sink.map_err(failed_to_open(stream))?)))
    }

    /// The answer tells when there will be no further answers.
    async fn transform(
        &mut self,
        stream: &config::Stream,
        transform: &config::Transform,
        facts: &StreamFacts,
        outlet: &Arc<Outlet>,
    ) -> Result<Stop, OpenError> {
        let config::Identity { region, account } = self.identity.clone();
        let around = transform::Around {
            http: self.http(stream, &transform.http)?,
            clock: self.clock.clone(),
            dice: self.dice.fork(),
            metrics: self.metrics.clone(),
            name: stream.name.clone(),
            stream: transform::StreamFacts {
                arn: stream.name.arn(&region, &account),
                region,
            },
        };
        let transformer = Transformer::open(&transform.settings, around).await;
        let (ended, answered) = stop::channel();
        let line = transforming::Line {
            facts: facts.clone(),
            directory: self.directory,
            outlet: Arc::clone(outlet),
            transformer: Arc::new(transformer),
            progress: self.new_progress(&stream.name),
            memory: self.memory.another(),
            mode: self.shutdown.mode,
            stop: self.stop.clone(),
            intake_ended: self.intake_ended.clone(),
            ended: stop::SaidAtTheEnd::by(ended),
        };
        let settings = transforming::Settings {
            hints: transform.hints,
            parallel_max: transform.parallel_max,
        };
        let transforming = Transforming::new(settings, line, self.dice.fork());
        self.tasks
            .push((stream.name.clone(), Task::Transforming(transforming)));
        Ok(answered)
    }

    fn http(
        &mut self,
        stream: &config::Stream,
        settings: &http_client::Settings,
    ) -> Result<Arc<dyn HttpClient>, OpenError> {
        let client = self.stores.client(settings);
        client.map_err(|cause| OpenError::Connections {
            stream: stream.name.clone(),
            cause,
        })
    }
}

fn failed_to_open(stream: &config::Stream) -> impl FnOnce(store::OpenError) -> OpenError {
    let stream = stream.name.clone();
    move |cause| OpenError::Destination { stream, cause }
}
