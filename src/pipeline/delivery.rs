//! One batch on its way to rest, as often as it takes.
//!
//! ```text
//!   whole ──► one object            ┐
//!   in parts ──► requests ──► verdicts ├─► what failed ──► failed output ──► settled, durable
//! ```
//!
//! Trouble at a place for objects holds the data and is never a reason to drop it (D4). What cannot be
//! read back goes to quarantine, and the rest is delivered (B5). The delivery ends when the settlement
//! is durable: not before every record has its one resting place (D1).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::buffer::{Cut, LogError, Settled, Shape, Verdict, Verdicts};
use crate::model::{ReaderKind, Seq, SeqRange};
use crate::objects::Refusal;
use crate::outside::Dice;
use crate::outside::stop::{Mode, Phase};
use crate::pipeline::plan;
use crate::pipeline::progress::Place;
use crate::pipeline::reading::{self, Reading, Select, Size};
use crate::pipeline::route::{Destination, Route};
use crate::retry::Backoff;
use crate::sink::{Batch, Receipt, Sink};
use crate::telemetry::happened;

/// Half a second grows to a minute: quick enough for a hiccup, kind enough to a server in trouble.
pub const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(60),
    jitter: crate::retry::Jitter::Full,
};

/// One cut, and where its records are read.
pub struct Delivery {
    pub(super) route: Arc<Route>,
    pub(super) cut: Cut,
    pub(super) reading: Reading,
    pub(super) dice: Dice,
    pub(super) failures: u32,
}

/// What a delivery writes to the log.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Settlement {
        failed: u64,
    },
    Quarantine(SeqRange),
    Verdict(SeqRange, Verdict),
    /// A part goes out in pieces, which begin at these records too.
    Division(SeqRange, Vec<Seq>),
    /// What is left goes by another plan.
    Move(Vec<u8>),
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Durable,
    /// It does not follow from what the log holds by now, which is to be looked at again.
    Stale,
}

/// The stop has begun, the buffer is closed, or this Standpipe cannot read what was planned: the cut
/// stays open, and the next life repeats it under the same name (D3).
pub(super) struct LeftToTheNextLife;

impl Delivery {
    pub fn new(route: Arc<Route>, cut: Cut, dice: Dice) -> Delivery {
        let reading = Reading::new(route.outlet.extents(), route.progress.clone(), cut.id.0);
        Delivery {
            route,
            cut,
            reading,
            dice,
            failures: 0,
        }
    }

    /// Returns once the cut is settled, or may be left to the next life. Cancelling it is a crash,
    /// which loses nothing either.
    pub async fn run(mut self) {
        let _in_flight = happened::delivery::began(&self.route.metrics, self.batch(self.size()));
        self.route.progress.started(self.cut.id.0);
        // Either way nothing is left to do here.
        let _: Result<(), LeftToTheNextLife> = self.bring_to_rest().await;
        self.route.progress.ended(self.cut.id.0);
    }

    async fn bring_to_rest(&mut self) -> Result<(), LeftToTheNextLife> {
        self.move_to_todays_destination().await?;
        match self.route.destination.clone() {
            Destination::Objects(sink) => self.deliver_whole(sink.as_ref()).await?,
            Destination::Requests(endpoint) => self.deliver_parts(endpoint.as_ref()).await?,
        }
        let failed = self.file_failures().await?;
        let settlement = Entry::Settlement { failed };
        while self.write(settlement.clone()).await? == Written::Stale && self.is_open() {}
        Ok(())
    }

    fn is_open(&self) -> bool {
        let mut open = self.route.outlet.open_cuts().into_iter();
        open.any(|cut| cut.id == self.cut.id)
    }

    async fn deliver_whole(&mut self, sink: &dyn Sink) -> Result<(), LeftToTheNextLife> {
        let good: Arc<Select> = Arc::new(reading::good);
        let ranges = self.without_verdicts();
        let is_as_cut = match (self.route.reader, &self.cut.shape) {
            // Another life, or another attempt, may have met damage (B5).
            (ReaderKind::Arrivals | ReaderKind::Backup, Shape::Whole) => {
                self.reading.is_whole(&ranges)
            }
            // Some may have failed in the transformer, or have gone to an earlier destination.
            (ReaderKind::Answers, _) | (_, Shape::InParts(_)) => false,
        };
        let mut size = match is_as_cut {
            true => self.size(),
            false => self.measure(&ranges, good.as_ref()).await?,
        };
        while 0 < size.records {
            let started = Instant::now();
            match self.attempt(sink, &ranges, size, &good).await {
                Ok(receipt) => {
                    let batch = self.part(span(&ranges), size);
                    self.arrived(batch, &receipt, self.failures + 1, started.elapsed());
                    break;
                }
                Err(refusal) => match self.reading.take_damage() {
                    Some(stretch) => {
                        self.set_aside(stretch).await?;
                        size = self.measure(&ranges, good.as_ref()).await?;
                    }
                    None => self.hold(&refusal).await?,
                },
            }
        }
        Ok(())
    }

    /// All of it, unless it was moved here from a destination that took some.
    pub(super) fn without_verdicts(&self) -> Vec<SeqRange> {
        let ranges = &self.cut.ranges;
        let left = |verdicts: &Verdicts| {
            let left = ranges.iter().flat_map(|range| verdicts.left(*range));
            left.collect()
        };
        let left = self.route.outlet.verdicts(self.cut.id, left);
        left.unwrap_or_else(|| ranges.clone())
    }

    async fn attempt(
        &self,
        sink: &dyn Sink,
        ranges: &[SeqRange],
        size: Size,
        good: &Arc<Select>,
    ) -> Result<Receipt, Refusal> {
        let batch = Batch {
            plan: plan::of_sink(&self.cut.plan),
            body: self.reading.body(ranges, size.bytes, good),
            first: span(ranges).start(),
            records: size.records,
        };
        sink.deliver(&batch).await
    }

    /// What was planned cannot be read, and no attempt of this life will change that: others need the
    /// slot.
    pub(super) fn leave(&self, refusal: &Refusal) -> LeftToTheNextLife {
        let Route {
            progress, metrics, ..
        } = &*self.route;
        progress.refused(self.cut.id.0, Place::Plan, &refusal.code);
        let batch = self.batch(self.size());
        happened::delivery::unplanned(metrics, batch, &refusal.code, refusal);
        LeftToTheNextLife
    }

    pub(super) fn arrived(
        &self,
        batch: happened::delivery::Batch<'_>,
        receipt: &Receipt,
        attempt: u32,
        took: Duration,
    ) {
        let success = happened::delivery::Success {
            object: &receipt.place,
            object_bytes: receipt.bytes,
            attempt,
            took,
        };
        happened::delivery::delivered(&self.route.metrics, batch, success);
        self.taken_by(Place::Destination);
    }

    /// Whatever was refused there so far is so no longer.
    pub(super) fn taken_by(&self, place: Place) {
        if let Some(stuck_for) = self.route.progress.took(self.cut.id.0, place) {
            happened::delivery::recovered(&self.route.stream, stuck_for);
        }
    }

    /// Counts and tells; the answer is how long to wait before the next attempt.
    fn refused(&mut self, by: Place, refusal: &Refusal) -> Duration {
        let next_try_in = BACKOFF.pause(self.failures, refusal.retry_after, &mut self.dice);
        self.failures = self.failures.saturating_add(1);
        let failure = happened::delivery::Failure {
            code: &refusal.code,
            error: refusal,
            needs_operator: refusal.needs_operator,
            attempt: self.failures,
            next_try_in,
            then: happened::delivery::Then::Kept,
        };
        self.tell(by, failure);
        next_try_in
    }

    /// Counts and tells of an attempt at the destination that is followed by another.
    pub(super) fn told(&self, failure: happened::delivery::Failure<'_>) {
        self.tell(Place::Destination, failure);
    }

    fn tell(&self, by: Place, failure: happened::delivery::Failure<'_>) {
        let progress = &self.route.progress;
        let say = progress.refused(self.cut.id.0, by, failure.code);
        let batch = self.batch(self.size());
        happened::delivery::refused(&self.route.metrics, batch, failure, say);
    }

    /// The batch is held until the next attempt.
    pub(super) async fn hold(&mut self, refusal: &Refusal) -> Result<(), LeftToTheNextLife> {
        let pause = self.refused(Place::Destination, refusal);
        self.wait(pause).await
    }

    /// The same where it is the failed output that is in trouble.
    pub(super) async fn hold_failures(
        &mut self,
        refusal: &Refusal,
    ) -> Result<(), LeftToTheNextLife> {
        let pause = self.refused(Place::FailedOutput, refusal);
        self.wait(pause).await
    }

    /// Brings a damaged stretch to rest.
    pub(super) async fn set_aside(&mut self, stretch: SeqRange) -> Result<(), LeftToTheNextLife> {
        happened::delivery::damaged(&self.route.stream, stretch);
        // Whoever met the damage reads again, and meets it again if it is not at rest yet.
        self.write(Entry::Quarantine(stretch)).await.map(drop)
    }

    /// What `select` makes of these ranges, without what had to be set aside.
    pub(super) async fn measure(
        &mut self,
        ranges: &[SeqRange],
        select: &Select,
    ) -> Result<Size, LeftToTheNextLife> {
        loop {
            if let Some(size) = self.reading.measure(ranges, select).await {
                return Ok(size);
            }
            match self.reading.take_damage() {
                Some(stretch) => self.set_aside(stretch).await?,
                None => self.pause().await?,
            }
        }
    }

    /// The disk did not answer; the log is still there to be asked again.
    pub(super) async fn pause(&mut self) -> Result<(), LeftToTheNextLife> {
        let pause = BACKOFF.pause(self.failures, None, &mut self.dice);
        self.failures = self.failures.saturating_add(1);
        self.wait(pause).await
    }

    /// Writes the entry again and again until it is known to be durable, or in vain.
    pub(super) async fn write(&mut self, entry: Entry) -> Result<Written, LeftToTheNextLife> {
        let outlet = self.route.outlet.clone();
        let mut failures = 0;
        loop {
            let (what, written) = match &entry {
                Entry::Settlement { failed } => {
                    let how = Settled::Delivered { failed: *failed };
                    ("settlement", outlet.settle(self.cut.id, how).await)
                }
                Entry::Quarantine(stretch) => ("quarantine", outlet.quarantine(*stretch).await),
                Entry::Verdict(part, verdict) => {
                    let given = outlet.verdict(self.cut.id, *part, verdict.clone());
                    ("verdict", given.await)
                }
                Entry::Division(part, borders) => {
                    let divided = outlet.divide(self.cut.id, *part, borders.clone());
                    ("division", divided.await)
                }
                Entry::Move(plan) => {
                    let moved = outlet.move_to(&self.cut, plan.clone());
                    ("move", moved.await)
                }
            };
            let error = match written {
                Ok(()) => return Ok(Written::Durable),
                Err(LogError::Closed) => return Err(LeftToTheNextLife),
                Err(error @ (LogError::Failed | LogError::Full | LogError::Stale)) => error,
            };
            let say = self.route.progress.buffer_trouble(what);
            let batch = self.batch(self.size());
            happened::delivery::not_logged(batch, what, &error, say);
            let pause = BACKOFF.pause(failures, None, &mut self.dice);
            failures = failures.saturating_add(1);
            self.wait(pause).await?;
            if error == LogError::Stale {
                return Ok(Written::Stale);
            }
        }
    }

    /// Not to be waited for once a stop that keeps the data has begun.
    pub(super) async fn wait(&self, pause: Duration) -> Result<(), LeftToTheNextLife> {
        self.unless_stopped(sleep(pause)).await
    }

    /// The same for whatever is waited for.
    pub(super) fn unless_stopped<F: Future>(
        &self,
        awaited: F,
    ) -> impl Future<Output = Result<F::Output, LeftToTheNextLife>> + use<F> {
        let mut stop = self.route.stop.clone();
        let keeps = self.route.mode == Mode::Keep;
        async move {
            tokio::select! {
                biased;
                () = stop.reached(Phase::Draining), if keeps => Err(LeftToTheNextLife),
                done = awaited => Ok(done),
            }
        }
    }

    /// As it was cut.
    pub(super) fn size(&self) -> Size {
        Size {
            records: self.cut.records,
            bytes: self.cut.bytes,
        }
    }

    pub(super) fn batch(&self, size: Size) -> happened::delivery::Batch<'_> {
        self.part(span(&self.cut.ranges), size)
    }

    pub(super) fn part(&self, range: SeqRange, size: Size) -> happened::delivery::Batch<'_> {
        happened::delivery::Batch {
            stream: &self.route.stream,
            to: self.route.to(),
            range,
            records: size.records,
            bytes: size.bytes,
        }
    }
}

/// From the first record of some ranges to the last.
pub(super) fn span(ranges: &[SeqRange]) -> SeqRange {
    let ends = ranges.first().zip(ranges.last());
    let (first, last) = ends.expect("a cut has at least one range");
    SeqRange::new(first.start(), last.end())
}
