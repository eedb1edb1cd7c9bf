//! What arrived goes through the transformer, and its answers go back into the log.
//!
//! ```text
//!   arrivals ─► invocation 1 ─┐
//!            ─► invocation 2 ─┼─► in the order of their records ─► answers, durable (D1)
//!            ─► invocation 3 ─┘
//! ```
//!
//! Several invocations are under way at once, while the function keeps up; their answers enter the log
//! in the order of the records, and count from then on and for good. A crash repeats only invocations
//! whose answers were not yet there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Ended;
use super::delivery::BACKOFF;
use super::progress::Progress;
use crate::buffer::{self, Answered, Candidate, LogError, Mark, Outlet, ReadError, StreamFacts};
use crate::model::{DirectoryId, Records, RecordsBuilder, Seq, SeqRange};
use crate::outside::Dice;
use crate::outside::stop::{Mode, Phase, Stop, Stopper};
use crate::telemetry::happened;
use crate::transform::{
    self, Arrivals, Decision, Demand, Hints, Invocation, Invoked, Origin, Outcome, Parallelism,
    RecordIds, Transformer,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub hints: Hints,
    /// Invocations under way at once, at most.
    pub parallel_max: usize,
}

/// What the transforming of a stream works with.
pub struct Line {
    pub facts: StreamFacts,
    pub directory: DirectoryId,
    /// Of what arrived.
    pub outlet: Arc<Outlet>,
    pub transformer: Arc<Transformer>,
    pub progress: Progress,
    pub mode: Mode,
    pub stop: Stop,
    /// Draining once nobody can put any more.
    pub intake_ended: Stop,
    /// Told when there will be no further answers.
    pub ended: Stopper,
}

pub struct Transforming {
    settings: Settings,
    line: Line,
    parallelism: Parallelism,
    under_way: JoinSet<(u64, Done)>,
    /// Invocations are numbered in the order of their records.
    next_number: u64,
    next_answer: u64,
    /// Answers whose turn has not come.
    done: BTreeMap<u64, Done>,
    /// Everything before it is under way, or answered.
    claimed: Mark,
    failures: u32,
    paused_until: Option<Instant>,
    dice: Dice,
}

struct Done {
    range: SeqRange,
    answered: Vec<Answered>,
    pace: transform::Pace,
}

/// What was read for one invocation.
struct Batch {
    range: SeqRange,
    end: Mark,
    invocation: Invocation,
}

enum Event {
    Stop(Phase),
    Answered(Result<(u64, Done), JoinError>),
    Arrived(Seq),
    Due,
}

/// Why nothing more is started now.
enum Due {
    Nothing,
    At(Instant),
}

impl Transforming {
    pub fn new(settings: Settings, line: Line, dice: Dice) -> Transforming {
        Transforming {
            parallelism: Parallelism::up_to(settings.parallel_max),
            settings,
            line,
            under_way: JoinSet::new(),
            next_number: 0,
            next_answer: 0,
            done: BTreeMap::new(),
            claimed: Mark::default(),
            failures: 0,
            paused_until: None,
            dice,
        }
    }

    /// Runs until the stop has gone as far as its mode wants: with `Keep` the invocations under way
    /// are finished, with `Deliver` everything that arrived is answered.
    pub async fn run(mut self) -> Ended {
        let (mode, mut stop) = (self.line.mode, self.line.stop.clone());
        let mut intake_ended = self.line.intake_ended.clone();
        let mut phase = stop.phase();
        let mut seen = Seq::ZERO;
        loop {
            self.line.progress.awake();
            self.log_answers().await;
            let due = match (phase, mode) {
                (Phase::Running, _) | (Phase::Draining, Mode::Deliver) => self.invoke(phase).await,
                (Phase::Draining, Mode::Keep) | (Phase::Halting, _) => self.wait_for_the_log(),
            };
            if self.is_over(phase, mode) {
                return self.end().await;
            }
            let due = match due {
                Due::Nothing => None,
                Due::At(instant) => Some(instant),
            };
            self.line.progress.wakes_by(due);
            let may_still_put = intake_ended.phase() < Phase::Draining;
            let event = tokio::select! {
                biased;
                () = intake_ended.reached(Phase::Draining), if may_still_put => Event::Due,
                () = stop.reached(super::after(phase)), if phase < Phase::Halting => Event::Stop(stop.phase()),
                Some(answered) = self.under_way.join_next() => Event::Answered(answered),
                tail = self.line.outlet.durable_tail_above(seen) => Event::Arrived(tail),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            };
            match event {
                Event::Stop(reached) => phase = reached,
                Event::Answered(Ok((number, done))) => self.answered(number, done),
                Event::Answered(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Event::Arrived(tail) => seen = tail,
                Event::Due => {}
            }
        }
    }

    fn answered(&mut self, number: u64, done: Done) {
        let waiting = self.line.outlet.waiting_from(self.claimed);
        let demand = match waiting.records {
            0 => Demand::Met,
            _ => Demand::Waiting,
        };
        self.parallelism.ended(done.pace, demand);
        self.done.insert(number, done);
    }

    /// D1: in the order of their records. An answer that the log did not take is kept, and tried again.
    async fn log_answers(&mut self) {
        while self.is_rested()
            && let Some(done) = self.done.remove(&self.next_answer)
        {
            let logged = self.line.outlet.answer(done.range, done.answered.clone());
            match logged.await {
                Ok(()) => {
                    self.next_answer += 1;
                    self.failures = 0;
                }
                Err(LogError::Closed) => return,
                Err(error @ (LogError::Failed | LogError::Full | LogError::Stale)) => {
                    let say = self.line.progress.buffer_trouble("answers");
                    let batch = happened::delivery::Batch {
                        stream: &self.line.facts.name,
                        to: "answers",
                        range: done.range,
                        records: done.range.count(),
                        bytes: done.answered.iter().map(|one| u64::from(one.bytes)).sum(),
                    };
                    happened::delivery::not_logged(batch, "answers", &error, say);
                    self.done.insert(self.next_answer, done);
                    self.pause();
                }
            }
        }
    }

    /// Starts whatever is due.
    async fn invoke(&mut self, phase: Phase) -> Due {
        loop {
            if !self.is_rested() {
                return self.wait_for_the_log();
            }
            if self.parallelism.allowed() <= self.under_way.len() + self.done.len() {
                return Due::Nothing;
            }
            let outlet = &self.line.outlet;
            let waiting = outlet.waiting_from(self.claimed);
            let waiting = transform::Waiting {
                records: waiting.records,
                bytes: waiting.bytes,
                oldest: waiting.oldest,
            };
            let now = outlet.log_now();
            match (phase, self.settings.hints.decide(waiting, now)) {
                (_, Decision::Idle) => return Due::Nothing,
                (Phase::Running, Decision::WaitUntil(time)) => {
                    return Due::At(Instant::now() + time.since(now));
                }
                (Phase::Draining | Phase::Halting, Decision::WaitUntil(_))
                | (_, Decision::Invoke) => {}
            }
            match self.read().await {
                Ok(Some(batch)) => self.start(batch),
                Ok(None) => return Due::Nothing,
                Err(error) => self.not_read(&error).await,
            }
        }
    }

    async fn read(&self) -> Result<Option<Batch>, ReadError> {
        let size = self.settings.hints.get().size;
        let candidate = self.line.outlet.candidate_from(self.claimed, size).await?;
        let Some(candidate) = candidate else {
            return Ok(None);
        };
        let extents = self.line.outlet.extents();
        let mut gathered = RecordsBuilder::default();
        let mut arrivals = Arrivals::default();
        let mut left = Some(candidate.range);
        while let Some(range) = left {
            let Some(chunk) = extents.read(range).await? else {
                break;
            };
            let starts = chunk.arrivals.iter().map(|(from, _)| *from as usize);
            let ends = starts.clone().skip(1).chain([chunk.records.ends().len()]);
            for ((start, end), (_, at)) in starts.zip(ends).zip(&chunk.arrivals) {
                arrivals.push(end - start, *at);
            }
            chunk
                .records
                .iter()
                .for_each(|record| gathered.push(record));
            left = SeqRange::between(chunk.first.plus(chunk.records.count()), range.end());
        }
        Ok(gathered
            .build()
            .map(|records| self.batch(&candidate, records, arrivals)))
    }

    /// As many of the records as fit one request.
    fn batch(&self, candidate: &Candidate, records: Records, arrivals: Arrivals) -> Batch {
        let count = self.settings.hints.take(records.iter().map(<[u8]>::len));
        let records = records.slice(0, count);
        let start = candidate.range.start();
        let bytes = records.slab().len() as u64;
        Batch {
            range: SeqRange::new(start, start.plus(count as u64)),
            end: candidate.start.plus(count as u64, bytes),
            invocation: Invocation {
                records,
                ids: RecordIds::new(self.line.directory, self.line.facts.id, start),
                arrivals,
                origin: Origin::DirectPut,
            },
        }
    }

    fn start(&mut self, batch: Batch) {
        self.claimed = batch.end;
        let number = self.next_number;
        self.next_number += 1;
        let transformer = Arc::clone(&self.line.transformer);
        self.under_way.spawn(async move {
            let invoked = transformer.invoke(&batch.invocation).await;
            (number, batch.done(invoked))
        });
    }

    async fn not_read(&mut self, error: &ReadError) {
        match error {
            ReadError::Disk(_) => {
                let say = self.line.progress.buffer_trouble("read");
                happened::delivery::unreadable(&self.line.facts.name, error, say);
            }
            ReadError::Damaged(stretch) => {
                happened::delivery::damaged(&self.line.facts.name, *stretch);
                // B5: when even that fails, the same stretch will be met again after the pause.
                if self.line.outlet.quarantine(*stretch).await.is_ok() {
                    return;
                }
            }
        }
        self.pause();
    }

    fn is_rested(&self) -> bool {
        self.paused_until
            .is_none_or(|until| until <= Instant::now())
    }

    fn wait_for_the_log(&self) -> Due {
        match self.paused_until {
            Some(until) if !self.is_rested() => Due::At(until),
            Some(_) | None => Due::Nothing,
        }
    }

    fn pause(&mut self) {
        let pause = BACKOFF.pause(self.failures, None, &mut self.dice);
        self.failures = self.failures.saturating_add(1);
        self.paused_until = Some(Instant::now() + pause.max(std::time::Duration::from_millis(1)));
    }

    fn is_over(&self, phase: Phase, mode: Mode) -> bool {
        let idle = self.under_way.is_empty() && self.done.is_empty();
        match (phase, mode) {
            (Phase::Running, _) => false,
            (Phase::Draining, Mode::Keep) => idle,
            (Phase::Draining, Mode::Deliver) => {
                let nobody_puts = Phase::Draining <= self.line.intake_ended.phase();
                nobody_puts && idle && self.line.outlet.waiting().records == 0
            }
            (Phase::Halting, _) => true,
        }
    }

    async fn end(mut self) -> Ended {
        self.under_way.shutdown().await;
        self.line.ended.advance(Phase::Draining);
        match self.line.outlet.waiting().records {
            0 => Ended::Empty,
            _ => Ended::Left,
        }
    }
}

impl Batch {
    fn done(self, invoked: Invoked) -> Done {
        let Invocation {
            records, arrivals, ..
        } = &self.invocation;
        let mut start = 0;
        let mut answered = Vec::with_capacity(invoked.outcomes.len());
        let ends = records.ends().iter().enumerate();
        for ((index, end), outcome) in ends.zip(invoked.outcomes) {
            let record = start as usize..*end as usize;
            start = *end;
            answered.push(Answered {
                bytes: (record.end - record.start) as u32,
                arrival: arrivals.of(index),
                outcome: match outcome {
                    Outcome::Ok(transformed) => buffer::Outcome::Ok(transformed.data),
                    Outcome::Dropped => buffer::Outcome::Dropped,
                    Outcome::Failed(failure) => {
                        let data: Bytes = records.slab().slice(record);
                        buffer::Outcome::Failed(failure, data)
                    }
                },
            });
        }
        Done {
            range: self.range,
            answered,
            pace: invoked.pace,
        }
    }
}
