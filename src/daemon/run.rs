//! From the first spawn to the last join.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Duration, Instant, sleep_until};

use crate::buffer::Health;
use crate::daemon::Daemon;
use crate::daemon::streams::Task;
use crate::outside::stop::{self, Mode, Phase, SaidAtTheEnd, Stopper};
use crate::pipeline::Ended;
use crate::server::{Listener, Pulse, Service};
use crate::telemetry::{Metrics, happened};

/// How long the log may take for its last word after everything else is gone. What it does not say
/// the next life finds out.
const LAST_WORD: Duration = Duration::from_secs(3);
/// How long a task may take to heed `Halting`. One that waits for a disk that hangs never does.
const HEED_MAX: Duration = Duration::from_secs(1);

/// Somebody wants us to stop; twice means at once.
#[derive(Clone, Copy, Debug)]
pub struct Wish;

/// Where the daemon is spoken to. A simulation has none and calls the services directly.
#[derive(Default)]
pub struct Sockets {
    pub firehose: Option<Listener>,
    pub admin: Option<Listener>,
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was to be done before leaving is done.
    Stopped,
    /// The buffers were to be emptied first, and are not.
    LeftUndelivered,
    /// A second wish came before the drain was over.
    Aborted,
    /// B6: the log stopped. Nothing that was acknowledged is lost, but the disk wants a look.
    DiskFailed,
    /// A task panicked: a bug.
    Panicked,
}

impl Daemon {
    /// Serves and delivers until a wish to stop, then drains. Dropping the future is a crash, which
    /// is allowed.
    pub async fn run(self, sockets: Sockets, wishes: mpsc::Receiver<Wish>) -> Outcome {
        let started = Instant::now();
        let mut tasks = Tasks::default();
        let mut background = Tasks::default();
        background.spawn("committer", async {
            self.committer.run().await;
            Ending::Done
        });
        // Health can be asked for until the very end.
        let (admin_stopper, admin_stop) = stop::channel();
        if let Some(listener) = sockets.admin {
            background.spawn(
                "admin listener",
                listen(listener, self.admin, admin_stop, Pulse::default()),
            );
        }
        for (stream, task) in self.tasks {
            match task {
                Task::Pipeline(pipeline) => {
                    let name = format!("pipeline of stream `{stream}`");
                    tasks.spawn(&name, async { Ending::Pipeline(pipeline.run().await) });
                }
                Task::Transforming(transforming) => {
                    let name = format!("transformer of stream `{stream}`");
                    tasks.spawn(&name, async { Ending::Pipeline(transforming.run().await) });
                }
            }
        }
        let mut intake_stopper = Some(self.intake_stopper);
        if let Some(listener) = sockets.firehose {
            let serving = listen(listener, self.direct_put, self.stop, self.pulse);
            let said_at_the_end = intake_stopper.take().map(SaidAtTheEnd::by);
            tasks.spawn("firehose listener", async {
                let ending = serving.await;
                drop(said_at_the_end);
                ending
            });
        } else {
            drop((self.direct_put, self.stop));
        }
        let mut watch = Watch {
            stopper: self.stopper,
            intake_stopper,
            shutdown: self.shutdown,
            wishes,
            metrics: self.metrics,
            deadline: None,
            outcome: Outcome::Stopped,
        };
        watch.until_done(&mut tasks, &mut background).await;
        admin_stopper.advance(Phase::Halting);
        watch.last_word(&mut background).await;
        if self.status.health() == Health::Failed {
            watch.disk_failed();
        }
        let buffered = self
            .status
            .totals()
            .values()
            .map(|totals| totals.buffered)
            .sum();
        happened::daemon::stopped(buffered, started.elapsed());
        watch.outcome
    }
}

async fn listen(
    listener: Listener,
    service: Arc<dyn Service>,
    stop: stop::Stop,
    pulse: Pulse,
) -> Ending {
    listener.serve(service, stop, pulse).await;
    Ending::Done
}

/// How a task ended.
enum Ending {
    Done,
    Pipeline(Ended),
}

/// Tasks by name, so that a panic says whose it was.
#[derive(Default)]
struct Tasks {
    set: JoinSet<Ending>,
    names: BTreeMap<Id, String>,
}

struct Panic {
    task: String,
    message: String,
}

impl Tasks {
    fn spawn(&mut self, name: &str, task: impl Future<Output = Ending> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.names.insert(handle.id(), name.to_owned());
    }

    /// `None` once all have ended. Cancel-safe.
    async fn next(&mut self) -> Option<Result<Ending, Panic>> {
        let ended = self.set.join_next_with_id().await?;
        Some(match ended {
            Ok((_, ending)) => Ok(ending),
            Err(error) => {
                let task = self.names.remove(&error.id()).unwrap_or_default();
                match message(error) {
                    Some(message) => Err(Panic { task, message }),
                    None => Ok(Ending::Done),
                }
            }
        })
    }
}

/// `None` where the task was cancelled.
fn message(error: JoinError) -> Option<String> {
    let payload: Box<dyn Any + Send> = error.try_into_panic().ok()?;
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    Some(text.unwrap_or_else(|| "a panic without words".to_owned()))
}

struct Watch {
    stopper: Stopper,
    /// Ours to use where no listener uses it when it ends.
    intake_stopper: Option<Stopper>,
    shutdown: stop::Settings,
    wishes: mpsc::Receiver<Wish>,
    metrics: Metrics,
    deadline: Option<Instant>,
    outcome: Outcome,
}

impl Watch {
    async fn until_done(&mut self, tasks: &mut Tasks, background: &mut Tasks) {
        loop {
            let deadline = self.deadline;
            tokio::select! {
                biased;
                Some(Wish) = self.wishes.recv() => match self.stopper.phase() {
                    Phase::Running => self.drain("told to stop"),
                    Phase::Draining | Phase::Halting => {
                        happened::daemon::halting("told to stop again");
                        self.outcome = Outcome::Aborted;
                        tasks.set.shutdown().await;
                        return;
                    }
                },
                // These outlive the others, unless they panic.
                Some(Err(panic)) = background.next() => self.panicked(&panic),
                ended = tasks.next() => match ended {
                    None => return,
                    Some(Ok(ending)) => self.note(&ending),
                    Some(Err(panic)) => self.panicked(&panic),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if self.stopper.phase() == Phase::Halting {
                        happened::daemon::halting("a task does not end");
                        self.left();
                        tasks.set.shutdown().await;
                        return;
                    }
                    happened::daemon::halting("the deadline has passed");
                    self.deadline = Some(Instant::now() + HEED_MAX);
                    self.stopper.advance(Phase::Halting);
                }
            }
        }
    }

    fn drain(&mut self, why: &str) {
        happened::daemon::draining(why, self.shutdown.deadline);
        self.deadline = Some(Instant::now() + self.shutdown.deadline);
        self.stopper.advance(Phase::Draining);
        if let Some(intake_stopper) = &self.intake_stopper {
            intake_stopper.advance(Phase::Draining);
        }
    }

    fn note(&mut self, ending: &Ending) {
        match ending {
            Ending::Done | Ending::Pipeline(Ended::Empty) => {}
            Ending::Pipeline(Ended::Left) => self.left(),
        }
    }

    /// Something stays in the log, or may.
    fn left(&mut self) {
        if self.shutdown.mode == Mode::Deliver && self.outcome == Outcome::Stopped {
            self.outcome = Outcome::LeftUndelivered;
        }
    }

    /// Known at the very end: the last word may be what failed.
    fn disk_failed(&mut self) {
        self.outcome = match self.outcome {
            Outcome::Stopped
            | Outcome::LeftUndelivered
            | Outcome::Aborted
            | Outcome::DiskFailed => Outcome::DiskFailed,
            Outcome::Panicked => Outcome::Panicked,
        };
    }

    fn panicked(&mut self, panic: &Panic) {
        happened::daemon::task_panicked(&self.metrics, &panic.task, &panic.message);
        self.outcome = Outcome::Panicked;
        if self.stopper.phase() == Phase::Running {
            self.drain("a task panicked");
        }
    }

    /// The committer ends when the last handle on the log is gone.
    async fn last_word(&mut self, background: &mut Tasks) {
        let deadline = Instant::now() + LAST_WORD;
        loop {
            tokio::select! {
                biased;
                ended = background.next() => match ended {
                    None => return,
                    Some(Ok(_)) => {}
                    Some(Err(panic)) => self.panicked(&panic),
                },
                () = sleep_until(deadline) => {
                    background.set.shutdown().await;
                    return;
                }
            }
        }
    }
}
