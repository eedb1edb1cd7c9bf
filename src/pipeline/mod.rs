//! One stream from its durable tail to rest.
//!
//! ```text
//!   arrivals ──► [transforming ──► answers, durable] ──► Flusher.decide ──► cut, durable (D3)
//!                     ──► Delivery 1..k ──► sink, failed output ──► settled, durable
//!   arrivals ──► Flusher.decide ──► cut ──► Delivery 1..k ──► source record backup
//! ```
//!
//! A `Pipeline` brings what one reader reads to rest, and one task owns it: it waits for one event
//! after the other, and after each of them starts whatever is due. Deliveries run beside it, in any
//! order, up to a bound (L1); a batch is cut only when one of them can take it, so that a sink in
//! trouble holds counts, not memory. `Transforming` does the same between two lanes.

mod answering;
mod delivery;
mod failing;
mod flush;
mod moving;
mod parts;
mod pause;
mod plan;
pub mod progress;
mod reading;
mod route;
pub mod transforming;
mod window;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::buffer::{Candidate, Cut, LogError, ReadError, Shape, StreamFacts, Verdicts, Waiting};
use crate::model::{BufferingHints, ByteSize, Seq, limits};
use crate::objects::Refusal;
use crate::outside::Dice;
use crate::outside::stop::{Mode, Phase};
use crate::sink::{BatchFacts, FlushReason, Plan};
use crate::telemetry::happened;
use delivery::Delivery;
use flush::{Decision, Flusher};
use pause::Pause;
pub use route::{Destination, FailedOutput, Route};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub buffering: BufferingHints,
}

/// What a pipeline cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    New,
    /// Nothing: it only finishes what an earlier life cut, and the transformer takes the rest.
    OnlyOpen,
}

pub struct Pipeline {
    facts: StreamFacts,
    cuts: Cuts,
    size: ByteSize,
    flusher: Flusher,
    route: Arc<Route>,
    deliveries: JoinSet<()>,
    /// A cut whose write failed may be on disk after all: this very cut is tried until known (D3).
    unsure: Option<(Candidate, Vec<u8>, FlushReason)>,
    pause: Pause,
    dice: Dice,
}

/// How a stream was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to deliver.
    Empty,
    /// What is left stays in the log.
    Left,
}

enum Event {
    Stop(Phase),
    Finished(Result<(), tokio::task::JoinError>),
    Arrived(Seq),
    Due,
}

impl Pipeline {
    pub fn new(
        settings: &Settings,
        facts: StreamFacts,
        cuts: Cuts,
        route: Route,
        dice: Dice,
    ) -> Pipeline {
        Pipeline {
            facts,
            cuts,
            size: settings.buffering.size,
            flusher: Flusher::new(settings.buffering),
            route: Arc::new(route),
            deliveries: JoinSet::new(),
            unsure: None,
            pause: Pause::default(),
            dice,
        }
    }

    /// Runs until the stop has gone as far as its mode wants: with `Keep` the deliveries under way are
    /// finished, with `Deliver` everything is. At `Halting` whatever is open is given up, safely.
    pub async fn run(mut self) -> Ended {
        let (mode, mut stop) = (self.route.mode, self.route.stop.clone());
        let mut upstream_ended = self.route.upstream_ended.clone();
        self.resume().await;
        let mut phase = stop.phase();
        let mut seen = Seq::ZERO;
        loop {
            self.route.progress.awake();
            let due = match (phase, mode) {
                (Phase::Running, _) | (Phase::Draining, Mode::Deliver) => self.cut(phase).await,
                (Phase::Draining, Mode::Keep) | (Phase::Halting, _) => Due::Nothing,
            };
            if self.is_over(phase, mode, &due) {
                return self.end().await;
            }
            let due = due.instant();
            self.route.progress.wakes_by(due);
            let more_may_come = upstream_ended.phase() < Phase::Draining;
            let event = tokio::select! {
                biased;
                () = upstream_ended.reached(Phase::Draining), if more_may_come => Event::Due,
                () = stop.reached(after(phase)), if phase < Phase::Halting => Event::Stop(stop.phase()),
                Some(finished) = self.deliveries.join_next() => Event::Finished(finished),
                tail = self.route.outlet.durable_tail_above(seen) => Event::Arrived(tail),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            };
            match event {
                Event::Stop(reached) => phase = reached,
                Event::Finished(Ok(())) | Event::Due => {}
                Event::Finished(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Event::Arrived(tail) => seen = tail,
            }
        }
    }

    /// Repeats what the last life left open, under the names that its cuts say (D3).
    async fn resume(&mut self) {
        let open = self.route.outlet.open_cuts();
        let mut stop = self.route.stop.clone();
        let cleaned = tokio::select! {
            biased;
            // A place that hangs must not hold up a stop; the next life cleans.
            () = stop.reached(Phase::Draining) => Ok(()),
            cleaned = self.clean(&open) => cleaned,
        };
        if let Err(refusal) = cleaned {
            happened::delivery::leftovers_stay(&self.facts.name, &refusal);
        }
        if self.route.mode == Mode::Keep && Phase::Draining <= stop.phase() {
            return;
        }
        if !open.is_empty() {
            happened::delivery::resumed(&self.facts.name, open.len());
        }
        for cut in open {
            self.start(cut);
        }
    }

    async fn clean(&self, open: &[Cut]) -> Result<(), Refusal> {
        if let Destination::Objects(sink) = &self.route.destination {
            let plans: Vec<Plan> = open.iter().map(|cut| plan::of_sink(&cut.plan)).collect();
            sink.clean(&plans).await?;
        }
        // A plan that cannot be read is told by its delivery.
        let failed = open
            .iter()
            .filter_map(|cut| plan::of_failed(&cut.plan).ok()?);
        let keys: Vec<String> = failed
            .flat_map(|plan| plan.keys().cloned().collect::<Vec<_>>())
            .collect();
        match keys.is_empty() {
            true => Ok(()),
            false => self.route.failed.store.clean(&keys).await,
        }
    }

    /// Cuts what is due while a delivery can take it.
    async fn cut(&mut self, phase: Phase) -> Due {
        if self.cuts == Cuts::OnlyOpen {
            return Due::Nothing;
        }
        loop {
            if limits::DELIVERIES_PER_STREAM_MAX <= self.deliveries.len() {
                return Due::WhenSlotIsFree;
            }
            if let Some(ends) = self.pause.ends() {
                return Due::At(ends);
            }
            let (candidate, plan, reason) = match self.unsure.take() {
                Some(unsure) => unsure,
                None => match self.next(phase).await {
                    Ok(next) => next,
                    Err(due) => return due,
                },
            };
            match self
                .route
                .outlet
                .cut(&candidate, plan.clone(), self.shape())
                .await
            {
                Ok(cut) => {
                    self.pause.over();
                    let batch = self.batch(&candidate);
                    happened::delivery::cut(&self.route.metrics, batch, reason.as_str());
                    self.start(cut);
                }
                Err(error @ (LogError::Failed | LogError::Full)) => {
                    let say = self.route.progress.buffer_trouble("cut");
                    happened::delivery::not_logged(self.batch(&candidate), "cut", &error, say);
                    self.unsure = Some((candidate, plan, reason));
                    self.pause.begin(&mut self.dice);
                }
                // Something of it came to rest meanwhile: the next look says what is due.
                Err(LogError::Stale) => {}
                Err(LogError::Closed) => return Due::Nothing,
            }
        }
    }

    /// The batch that is due now, or when one will be.
    async fn next(&mut self, phase: Phase) -> Result<(Candidate, Vec<u8>, FlushReason), Due> {
        let outlet = &self.route.outlet;
        let decision = match phase {
            Phase::Running => self.flusher.decide(outlet.waiting(), outlet.log_now()),
            Phase::Draining | Phase::Halting => self.flusher.drain(outlet.waiting()),
        };
        let reason = match decision {
            Decision::Idle => return Err(Due::Nothing),
            Decision::WaitUntil(time) => {
                return Err(Due::At(Instant::now() + time.since(outlet.log_now())));
            }
            Decision::Cut(reason) => reason,
        };
        match outlet.candidate(self.size).await {
            Ok(Some(candidate)) => {
                // What waits is known exactly only now that it was looked up: an age that was
                // estimated after a restart must not flush early.
                if let Some(due) = self.not_yet(&candidate, reason) {
                    return Err(Due::At(due));
                }
                let facts = self.batch_facts(&candidate, reason);
                Ok((candidate, plan::compose(&self.route, &facts), reason))
            }
            Ok(None) => Err(Due::Nothing),
            Err(error) => {
                if let ReadError::Disk(_) = error {
                    let say = self.route.progress.buffer_trouble("read");
                    happened::delivery::unreadable(&self.facts.name, &error, say);
                }
                if let ReadError::Damaged(stretch) = error {
                    happened::delivery::damaged(&self.facts.name, stretch);
                    // B5: what cannot be read is brought to rest, and the rest goes on. When even
                    // that fails, the same stretch will be met again after the pause.
                    let _ = outlet.quarantine(stretch).await;
                }
                self.pause.begin(&mut self.dice);
                Err(Due::At(self.pause.ends().unwrap_or_else(Instant::now)))
            }
        }
    }

    /// When an interval flush is really due, if that is later than now.
    fn not_yet(&self, candidate: &Candidate, reason: FlushReason) -> Option<Instant> {
        let outlet = &self.route.outlet;
        let exactly = Waiting {
            oldest: Some(candidate.first_logged),
            ..outlet.waiting()
        };
        match (reason, self.flusher.decide(exactly, outlet.log_now())) {
            (FlushReason::Interval, Decision::WaitUntil(time)) => {
                Some(Instant::now() + time.since(outlet.log_now()))
            }
            (FlushReason::Interval, Decision::Cut(_) | Decision::Idle)
            | (FlushReason::Size | FlushReason::Drain | FlushReason::Moved, _) => None,
        }
    }

    fn batch_facts(&self, candidate: &Candidate, reason: FlushReason) -> BatchFacts {
        BatchFacts {
            directory: self.route.directory,
            stream: self.facts.name.clone(),
            version: self.route.version,
            range: candidate.range,
            reader: self.route.reader,
            records: candidate.range.count(),
            bytes: candidate.bytes,
            first_arrival: candidate.first_arrival,
            reason,
        }
    }

    fn batch(&self, candidate: &Candidate) -> happened::delivery::Batch<'_> {
        happened::delivery::Batch {
            stream: &self.facts.name,
            to: self.route.to(),
            range: candidate.range,
            records: candidate.range.count(),
            bytes: candidate.bytes,
        }
    }

    fn shape(&self) -> Shape {
        match self.route.destination {
            Destination::Objects(_) => Shape::Whole,
            Destination::Requests(_) => Shape::InParts(Verdicts::default()),
        }
    }

    fn start(&mut self, cut: Cut) {
        let delivery = Delivery::new(Arc::clone(&self.route), cut, self.dice.fork());
        self.deliveries.spawn(delivery.run());
    }

    fn is_over(&self, phase: Phase, mode: Mode, due: &Due) -> bool {
        let idle = self.deliveries.is_empty();
        match (phase, mode) {
            (Phase::Running, _) => false,
            (Phase::Draining, Mode::Keep) => idle,
            (Phase::Draining, Mode::Deliver) => {
                let nothing_comes = Phase::Draining <= self.route.upstream_ended.phase();
                nothing_comes && idle && matches!(due, Due::Nothing)
            }
            (Phase::Halting, _) => true,
        }
    }

    async fn end(mut self) -> Ended {
        self.deliveries.shutdown().await;
        let outlet = &self.route.outlet;
        // What waits for the transformer is not ours.
        let waits = self.cuts == Cuts::New && 0 < outlet.waiting().records;
        let empty = !waits && outlet.open_cuts().is_empty();
        if empty { Ended::Empty } else { Ended::Left }
    }
}

/// When to look again, beside at the next event.
enum Due {
    Nothing,
    WhenSlotIsFree,
    At(Instant),
}

impl Due {
    fn instant(&self) -> Option<Instant> {
        match self {
            Due::Nothing | Due::WhenSlotIsFree => None,
            Due::At(instant) => Some(*instant),
        }
    }
}

fn after(phase: Phase) -> Phase {
    match phase {
        Phase::Running => Phase::Draining,
        Phase::Draining | Phase::Halting => Phase::Halting,
    }
}
