//! One machine through several lives of its daemon: what it is given, and how each life ends.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use standpipe::buffer::{Health, Status, Totals};
use standpipe::daemon::{Daemon, Doors, Outcome, Sockets, Wish};
use standpipe::model::Timestamp;
use standpipe::outside::disk::Disk;
use standpipe::outside::stop::Mode;
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::disk::{Faults, SimDisk};
use crate::evidence;
use crate::notebook::Notebook;
use crate::oracle::{Found, Lived};
use crate::partition::Partition;
use crate::producer::Producer;
use crate::record::RecordName;
use crate::scenario::{Ending, LifePlan, MachinePlan, StreamPlan};
use crate::settings;
use crate::trace::Trace;
use crate::world::World;

/// Simulated runs begin here, at a quarter to midnight: dates in keys change on the way.
const BORN: Timestamp = Timestamp::from_millis(1_773_531_900_000);
/// A gentle stop is over by then, whatever the sinks do.
const STOP_MAX: Duration = Duration::from_secs(60);

pub struct Machine {
    pub plan: MachinePlan,
    pub disk: SimDisk,
    pub clock: Clock,
    blackout: Arc<Notify>,
    dice: Dice,
    lives: u32,
    /// Whether the disk may fail in this life.
    faulty: bool,
    /// What the last look at the log's totals showed: they never fall.
    seen: BTreeMap<String, Totals>,
    /// How each life went, by its number.
    pub lived: BTreeMap<u32, Lived>,
    /// What stood in the directory sink after each life: it may not change any more.
    pub glimpses: Vec<Found>,
    surroundings: Surroundings,
}

/// What a machine shares with the others.
#[derive(Clone)]
pub struct Surroundings {
    pub world: World,
    pub notebook: Notebook,
    pub trace: Trace,
}

/// A daemon that runs, and its producers.
struct Life {
    daemon: JoinSet<Outcome>,
    producers: JoinSet<()>,
    hang_up: CancellationToken,
    wish: mpsc::Sender<Wish>,
    status: Status,
}

impl Machine {
    pub fn new(plan: MachinePlan, surroundings: Surroundings, mut dice: Dice) -> Machine {
        let disk = SimDisk::new(dice.fork());
        disk.door()
            .create_folder(Path::new(settings::OUT))
            .expect("an empty disk");
        disk.door()
            .create_folder(Path::new(settings::LOG))
            .expect("an empty disk");
        disk.door()
            .sync_folder(Path::new(""))
            .expect("no faults yet");
        Machine {
            plan,
            disk,
            clock: Clock::simulated(BORN),
            blackout: Arc::default(),
            dice,
            lives: 0,
            faulty: false,
            seen: BTreeMap::new(),
            lived: BTreeMap::new(),
            glimpses: Vec::new(),
            surroundings,
        }
    }

    pub async fn run(mut self) -> Machine {
        for life in self.plan.lives.clone() {
            self.live(&life).await;
        }
        self
    }

    /// Faults are off: one more life without producers, until everything is at rest.
    pub async fn heal(&mut self, within: Duration) -> BTreeMap<String, Totals> {
        self.arm(&LifePlan::healing());
        let daemon = self.open(Mode::Keep).await;
        let daemon = daemon.expect("a daemon starts on a disk that works");
        let mut life = self.start(daemon, &[]);
        let begun = Instant::now();
        // With what still waits for its backup.
        while !life.status.oldest().is_empty() {
            let left = totals(&life.status);
            assert!(begun.elapsed() < within, "not drained: {left:?}");
            assert!(life.daemon.try_join_next().is_none(), "the daemon ended");
            sleep(Duration::from_secs(1)).await;
        }
        let drained = totals(&life.status);
        self.stop(&mut life, Mode::Keep).await;
        drained
    }

    async fn live(&mut self, plan: &LifePlan) {
        let name = self.plan.name;
        self.surroundings
            .trace
            .note(format_args!("{name}: {plan:?}"));
        self.arm(plan);
        if let Some(to) = plan.moved_to {
            self.plan
                .streams
                .iter_mut()
                .for_each(|stream| stream.to = to);
        }
        let mode = match plan.ending {
            Ending::Deliver => Mode::Deliver,
            Ending::Keep | Ending::Killed | Ending::PowerLoss { .. } => Mode::Keep,
        };
        match self.open(mode).await {
            Some(daemon) => {
                let streams = self.plan.streams.clone();
                let mut life = self.start(daemon, &streams);
                self.pass_time(plan, &mut life).await;
                match plan.ending {
                    Ending::Keep | Ending::Deliver => self.stop(&mut life, mode).await,
                    Ending::Killed | Ending::PowerLoss { .. } => life.crash().await,
                }
            }
            // A disk that fails while the log is opened: the service manager tries again.
            None => sleep(Duration::from_secs(1)).await,
        }
        match plan.ending {
            Ending::Keep | Ending::Deliver => {}
            Ending::Killed => self.disk.kill(),
            Ending::PowerLoss { .. } => self.disk.power_cut(),
        }
        let lived = Lived {
            until: self.surroundings.trace.now(),
            soundly: plan.failing_syncs == 0,
        };
        self.lived.insert(self.lives, lived);
        let glimpse = evidence::in_directory(name, &self.disk);
        self.glimpses.extend(glimpse);
    }

    fn arm(&mut self, plan: &LifePlan) {
        let loses_power = matches!(plan.ending, Ending::PowerLoss { .. });
        self.faulty = loses_power || 0 < plan.failing_syncs;
        self.disk.set_faults(Faults {
            sync_fails: plan.failing_syncs,
            folder_sync_fails: plan.failing_syncs / 2,
            ..Faults::default()
        });
        if let Ending::PowerLoss { after } = plan.ending {
            self.disk.light_fuse(1 + after);
        }
        // A permit of the last blackout would end this life at once.
        self.blackout = Arc::default();
    }

    /// `None` where the disk would not have it.
    async fn open(&mut self, mode: Mode) -> Option<Daemon> {
        self.lives += 1;
        let (disk, blackout) = (self.disk.clone(), self.blackout.clone());
        let device = self.disk.clone();
        let world = &self.surroundings.world;
        let powered = Arc::new(move || !device.power_is_gone());
        let http = world.door(self.plan.name, self.lives, powered);
        let doors = Doors {
            disk: Box::new(move |path| {
                Arc::new(Partition::new(&disk, path, &blackout)) as Arc<dyn Disk>
            }),
            http: Box::new(move |_| Ok(Arc::clone(&http))),
            clock: self.clock.clone(),
            dice: self.dice.fork(),
            metrics: Metrics::default(),
        };
        let opened = Daemon::open(&settings::settings(&self.plan, mode), doors).await;
        match opened {
            Ok(daemon) => {
                self.remember(&daemon.status);
                Some(daemon)
            }
            Err(error) => {
                let error = standpipe::telemetry::Chain(&error).to_string();
                let name = self.plan.name;
                self.surroundings
                    .trace
                    .note(format_args!("{name}: {error}"));
                assert!(self.faulty, "{name}: a good disk, and yet: {error}");
                None
            }
        }
    }

    /// With producers for these streams.
    fn start(&mut self, daemon: Daemon, streams: &[StreamPlan]) -> Life {
        let hang_up = CancellationToken::new();
        let mut putting = JoinSet::new();
        for stream in streams {
            for number in 0..stream.load.producers {
                let producer = Producer {
                    next: RecordName {
                        machine: self.plan.name.to_owned(),
                        stream: stream.name.to_owned(),
                        producer: self.lives * 100 + number,
                        number: 0,
                    },
                    shape: stream.shape(),
                    load: stream.load,
                    service: daemon.direct_put.clone(),
                    notebook: self.surroundings.notebook.clone(),
                    trace: self.surroundings.trace.clone(),
                    dice: self.dice.fork(),
                };
                putting.spawn(producer.run(hang_up.clone()));
            }
        }
        let (wish, wishes) = mpsc::channel(2);
        let status = daemon.status.clone();
        let mut running = JoinSet::new();
        running.spawn(daemon.run(Sockets::default(), wishes));
        Life {
            daemon: running,
            producers: putting,
            hang_up,
            wish,
            status,
        }
    }

    /// Until the plan's time is over or the power is gone.
    async fn pass_time(&mut self, plan: &LifePlan, life: &mut Life) {
        let blackout = Arc::clone(&self.blackout);
        let half = plan.lasts / 2;
        let time = async {
            sleep(half).await;
            if let Some(millis) = plan.clock_jump {
                self.clock.jump(millis);
            }
            sleep(plan.lasts - half).await;
        };
        tokio::select! {
            biased;
            () = blackout.notified() => {}
            Some(ended) = life.daemon.join_next() => panic!("the daemon ended: {ended:?}"),
            Some(ended) = life.producers.join_next() => panic!("a producer ended: {ended:?}"),
            () = time => {}
        }
        self.remember(&life.status);
    }

    /// SIGTERM.
    async fn stop(&mut self, life: &mut Life, mode: Mode) {
        life.hang_up.cancel();
        life.wish.send(Wish).await.expect("the daemon listens");
        let ended = timeout(STOP_MAX, async {
            while let Some(ended) = life.producers.join_next().await {
                ended.expect("a producer does not panic");
            }
            life.daemon.join_next().await
        });
        let outcome = ended.await.expect("a stop has a deadline");
        let outcome = outcome.expect("one daemon").expect("it does not panic");
        let disk_failed = life.status.health() == Health::Failed;
        let gentle = match outcome {
            Outcome::Stopped => !disk_failed,
            Outcome::LeftUndelivered => mode == Mode::Deliver && !disk_failed,
            Outcome::DiskFailed => disk_failed,
            Outcome::Aborted | Outcome::Panicked => false,
        };
        assert!(gentle, "{}: stopped with {outcome:?}", self.plan.name);
        self.remember(&life.status);
    }

    /// C1, at any time and across restarts; and what was acknowledged is never forgotten.
    fn remember(&mut self, status: &Status) {
        for (stream, now) in totals(status) {
            let lost = now.failed + now.dropped + now.expired + now.quarantined;
            let known = now.delivered + lost + now.buffered;
            assert_eq!(now.accepted, known, "C1: {stream}: {now:?}");
            let promised = self
                .surroundings
                .notebook
                .acknowledged(self.plan.name, &stream);
            assert!(
                promised <= now.accepted,
                "{stream}: {promised} promised, {now:?}"
            );
            if let Some(before) = self.seen.insert(stream.clone(), now) {
                let risen = before.accepted <= now.accepted && before.delivered <= now.delivered;
                assert!(risen, "C1: {stream} fell from {before:?} to {now:?}");
            }
        }
    }
}

impl Life {
    /// Everybody is gone at once, wherever they stood; but a panic is still one.
    async fn crash(mut self) {
        self.daemon.abort_all();
        self.producers.abort_all();
        while let Some(ended) = self.daemon.join_next().await {
            assert!(
                ended.is_err_and(|error| error.is_cancelled()),
                "it was running"
            );
        }
        while let Some(ended) = self.producers.join_next().await {
            let panicked = ended.is_err_and(|error| error.is_panic());
            assert!(!panicked, "a producer does not panic");
        }
    }
}

fn totals(status: &Status) -> BTreeMap<String, Totals> {
    let totals = status.totals().into_iter();
    totals
        .map(|(name, totals)| (name.to_string(), totals))
        .collect()
}
