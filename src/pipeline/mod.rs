//! One stream from its durable tail to rest.
//!
//! ```text
//!   durable tail ──► Flusher.decide ──► cut, durable (D3) ──► Delivery 1..k ──► settled, durable
//! ```
//!
//! One task owns a stream: it waits for one event after the other, and after each of them starts
//! whatever is due. Deliveries run beside it, in any order, up to a bound (L1); a batch is cut only
//! when one of them can take it, so that a sink in trouble holds counts, not memory.

mod delivery;
mod flush;
pub mod progress;
mod reading;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

use crate::buffer::{Candidate, Cut, LogError, ReadError, Shape, StreamFacts, Waiting};
use crate::model::{BufferingHints, ByteSize, DirectoryId, ReaderKind, Seq, limits};
use crate::outside::Dice;
use crate::outside::stop::{Mode, Phase};
use crate::sink::{BatchFacts, FlushReason, Plan};
use crate::telemetry::happened;
pub use delivery::Route;
use delivery::{BACKOFF, Delivery};
use flush::{Decision, Flusher};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub buffering: BufferingHints,
}

pub struct Pipeline {
    facts: StreamFacts,
    directory: DirectoryId,
    size: ByteSize,
    flusher: Flusher,
    route: Arc<Route>,
    deliveries: JoinSet<()>,
    /// A cut whose write failed may be on disk after all: this very cut is tried until known (D3).
    unsure: Option<(Candidate, Plan, FlushReason)>,
    failures: u32,
    /// Not before this: a pause after a failure of the log.
    paused_until: Option<Instant>,
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
        directory: DirectoryId,
        route: Route,
        dice: Dice,
    ) -> Pipeline {
        Pipeline {
            facts,
            directory,
            size: settings.buffering.size,
            flusher: Flusher::new(settings.buffering),
            route: Arc::new(route),
            deliveries: JoinSet::new(),
            unsure: None,
            failures: 0,
            paused_until: None,
            dice,
        }
    }

    /// Runs until the stop has gone as far as its mode wants: with `Keep` the deliveries under way are
    /// finished, with `Deliver` everything is. At `Halting` whatever is open is given up, safely.
    pub async fn run(mut self) -> Ended {
        let (mode, mut stop) = (self.route.mode, self.route.stop.clone());
        let mut intake_ended = self.route.intake_ended.clone();
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
            let may_still_put = intake_ended.phase() < Phase::Draining;
            let event = tokio::select! {
                biased;
                () = intake_ended.reached(Phase::Draining), if may_still_put => Event::Due,
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
        let plans: Vec<Plan> = open.iter().map(|cut| Plan(cut.plan.clone())).collect();
        if let Err(refusal) = self.route.sink.clean(&plans).await {
            happened::delivery::leftovers_stay(&self.facts.name, &refusal);
        }
        if !open.is_empty() {
            happened::delivery::resumed(&self.facts.name, open.len());
        }
        for cut in open {
            self.start(cut);
        }
    }

    /// Cuts what is due while a delivery can take it.
    async fn cut(&mut self, phase: Phase) -> Due {
        loop {
            if limits::DELIVERIES_PER_STREAM_MAX <= self.deliveries.len() {
                return Due::WhenSlotIsFree;
            }
            if let Some(until) = self.paused_until.take_if(|until| Instant::now() < *until) {
                self.paused_until = Some(until);
                return Due::At(until);
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
                .cut(&candidate, plan.0.clone(), Shape::Whole)
                .await
            {
                Ok(cut) => {
                    self.failures = 0;
                    let batch = self.batch(&candidate);
                    happened::delivery::cut(&self.route.metrics, batch, reason.as_str());
                    self.start(cut);
                }
                Err(error @ (LogError::Failed | LogError::Full)) => {
                    let say = self.route.progress.buffer_trouble("cut");
                    happened::delivery::not_logged(self.batch(&candidate), "cut", &error, say);
                    self.unsure = Some((candidate, plan, reason));
                    self.pause();
                }
                Err(LogError::Closed) => return Due::Nothing,
            }
        }
    }

    /// The batch that is due now, or when one will be.
    async fn next(&mut self, phase: Phase) -> Result<(Candidate, Plan, FlushReason), Due> {
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
                let plan = self.route.sink.plan(&self.batch_facts(&candidate, reason));
                Ok((candidate, plan, reason))
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
                self.pause();
                Err(Due::At(self.paused_until.unwrap_or_else(Instant::now)))
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
            | (FlushReason::Size | FlushReason::Drain, _) => None,
        }
    }

    fn batch_facts(&self, candidate: &Candidate, reason: FlushReason) -> BatchFacts {
        BatchFacts {
            directory: self.directory,
            stream: self.facts.name.clone(),
            version: self.facts.version,
            range: candidate.range,
            reader: ReaderKind::Arrivals,
            records: candidate.range.count(),
            bytes: candidate.bytes,
            first_arrival: candidate.first_arrival,
            reason,
        }
    }

    fn batch(&self, candidate: &Candidate) -> happened::delivery::Batch<'_> {
        happened::delivery::Batch {
            stream: &self.facts.name,
            range: candidate.range,
            records: candidate.range.count(),
            bytes: candidate.bytes,
        }
    }

    fn start(&mut self, cut: Cut) {
        let delivery = Delivery::new(Arc::clone(&self.route), cut, self.dice.fork());
        self.deliveries.spawn(delivery.run());
    }

    fn pause(&mut self) {
        let pause = BACKOFF.pause(self.failures, None, &mut self.dice);
        self.failures = self.failures.saturating_add(1);
        self.paused_until = Some(Instant::now() + pause.max(Duration::from_millis(1)));
    }

    fn is_over(&self, phase: Phase, mode: Mode, due: &Due) -> bool {
        let idle = self.deliveries.is_empty();
        match (phase, mode) {
            (Phase::Running, _) => false,
            (Phase::Draining, Mode::Keep) => idle,
            (Phase::Draining, Mode::Deliver) => {
                let nobody_puts = Phase::Draining <= self.route.intake_ended.phase();
                nobody_puts && idle && matches!(due, Due::Nothing)
            }
            (Phase::Halting, _) => true,
        }
    }

    async fn end(mut self) -> Ended {
        self.deliveries.shutdown().await;
        let outlet = &self.route.outlet;
        let empty = outlet.waiting().records == 0 && outlet.open_cuts().is_empty();
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
