//! One batch on its way to its sink, as often as it takes.
//!
//! Trouble at the sink holds the data and is never a reason to drop it (D4). What cannot be read back
//! goes to quarantine, and the rest is delivered (B5). The delivery ends when the settlement is
//! durable: not before every record has its one resting place (D1).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::buffer::{Cut, LogError, Outlet, Settled};
use crate::model::{SeqRange, StreamName};
use crate::objects::Refusal;
use crate::outside::Dice;
use crate::outside::stop::{Mode, Phase, Stop};
use crate::pipeline::progress::Progress;
use crate::pipeline::reading::{Reading, Size};
use crate::retry::{Backoff, Jitter};
use crate::sink::{Batch, Plan, Receipt, Sink};
use crate::telemetry::{Metrics, happened};

/// Half a second grows to a minute: quick enough for a hiccup, kind enough to a server in trouble.
pub const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(60),
    jitter: Jitter::Full,
};

/// What all deliveries of a stream share.
pub struct Route {
    pub stream: StreamName,
    pub outlet: Outlet,
    pub sink: Arc<dyn Sink>,
    pub progress: Progress,
    pub metrics: Metrics,
    pub mode: Mode,
    pub stop: Stop,
    /// Draining once nobody can put any more: a drain that delivers is not over before.
    pub intake_ended: Stop,
}

/// One cut, and where its records are read.
pub struct Delivery {
    route: Arc<Route>,
    cut: Cut,
    reading: Reading,
    dice: Dice,
    failures: u32,
}

/// What a delivery writes to the log.
#[derive(Clone, Copy)]
enum Entry {
    Settlement,
    Quarantine(SeqRange),
}

/// The stop has begun, or the buffer is closed: the cut stays open, and the next life repeats it
/// under the same name (D3).
struct LeftToTheNextLife;

impl Delivery {
    pub fn new(route: Arc<Route>, cut: Cut, dice: Dice) -> Delivery {
        let reading = Reading::new(route.outlet.extents());
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
        let _in_flight = happened::delivery::began(&self.route.metrics, &self.route.stream);
        self.route.progress.started(self.cut.id.0);
        // Either way nothing is left to do here.
        let _: Result<(), LeftToTheNextLife> = self.bring_to_rest().await;
        self.route.progress.ended(self.cut.id.0);
    }

    async fn bring_to_rest(&mut self) -> Result<(), LeftToTheNextLife> {
        let mut size = Size {
            records: self.cut.records,
            bytes: self.cut.bytes,
        };
        while 0 < size.records {
            let started = Instant::now();
            match self.attempt(&size).await {
                Ok(receipt) => {
                    self.arrived(&size, &receipt, started.elapsed());
                    break;
                }
                Err(refusal) => match self.reading.take_damage() {
                    Some(stretch) => size = self.set_aside(stretch).await?,
                    None => {
                        let pause = self.refused(&size, &refusal);
                        self.wait(pause).await?;
                    }
                },
            }
        }
        self.write(Entry::Settlement).await
    }

    async fn attempt(&self, size: &Size) -> Result<Receipt, Refusal> {
        let batch = Batch {
            plan: Plan(self.cut.plan.clone()),
            body: self.reading.body(&self.cut, size.bytes),
            first: span(&self.cut.ranges).start(),
            records: size.records,
        };
        self.route.sink.deliver(&batch).await
    }

    fn arrived(&self, size: &Size, receipt: &Receipt, took: Duration) {
        let success = happened::delivery::Success {
            object: &receipt.place,
            object_bytes: receipt.bytes,
            attempt: self.failures + 1,
            took,
        };
        happened::delivery::delivered(&self.route.metrics, self.batch(size), success);
        if let Some(stuck_for) = self.route.progress.delivered(self.cut.id.0) {
            happened::delivery::recovered(&self.route.stream, stuck_for);
        }
    }

    /// Counts and tells; the answer is how long to wait before the next attempt.
    fn refused(&mut self, size: &Size, refusal: &Refusal) -> Duration {
        let next_try_in = BACKOFF.pause(self.failures, refusal.retry_after, &mut self.dice);
        self.failures = self.failures.saturating_add(1);
        let say = self.route.progress.refused(self.cut.id.0, &refusal.code);
        let failure = happened::delivery::Failure {
            code: &refusal.code,
            error: refusal,
            needs_operator: refusal.needs_operator,
            attempt: self.failures,
            next_try_in,
        };
        happened::delivery::refused(&self.route.metrics, self.batch(size), failure, say);
        next_try_in
    }

    /// Brings a damaged stretch to rest and measures what is left.
    async fn set_aside(&mut self, stretch: SeqRange) -> Result<Size, LeftToTheNextLife> {
        let mut damaged = Some(stretch);
        loop {
            if let Some(stretch) = damaged {
                happened::delivery::damaged(&self.route.stream, stretch);
                self.write(Entry::Quarantine(stretch)).await?;
            }
            if let Some(left) = self.reading.measure(&self.cut).await {
                return Ok(left);
            }
            damaged = self.reading.take_damage();
            if damaged.is_none() {
                // The disk did not answer; the log is still there to be asked again.
                let pause = BACKOFF.pause(self.failures, None, &mut self.dice);
                self.failures = self.failures.saturating_add(1);
                self.wait(pause).await?;
            }
        }
    }

    /// Writes the entry again and again until it is known to be durable.
    async fn write(&mut self, entry: Entry) -> Result<(), LeftToTheNextLife> {
        let outlet = &self.route.outlet;
        let mut failures = 0;
        loop {
            let (what, written) = match entry {
                Entry::Settlement => {
                    let settled = outlet
                        .settle(self.cut.id, Settled::Delivered { failed: 0 })
                        .await;
                    ("settlement", settled)
                }
                Entry::Quarantine(stretch) => ("quarantine", outlet.quarantine(stretch).await),
            };
            match written {
                Ok(()) => return Ok(()),
                Err(LogError::Closed) => return Err(LeftToTheNextLife),
                Err(error @ (LogError::Failed | LogError::Full)) => {
                    let size = Size {
                        records: self.cut.records,
                        bytes: self.cut.bytes,
                    };
                    let say = self.route.progress.buffer_trouble(what);
                    happened::delivery::not_logged(self.batch(&size), what, &error, say);
                    let pause = BACKOFF.pause(failures, None, &mut self.dice);
                    failures = failures.saturating_add(1);
                    self.wait(pause).await?;
                }
            }
        }
    }

    /// Not to be waited for once a stop that keeps the data has begun.
    async fn wait(&self, pause: Duration) -> Result<(), LeftToTheNextLife> {
        let mut stop = self.route.stop.clone();
        tokio::select! {
            biased;
            () = stop.reached(Phase::Draining), if self.route.mode == Mode::Keep => {
                Err(LeftToTheNextLife)
            }
            () = sleep(pause) => Ok(()),
        }
    }

    fn batch(&self, size: &Size) -> happened::delivery::Batch<'_> {
        happened::delivery::Batch {
            stream: &self.route.stream,
            range: span(&self.cut.ranges),
            records: size.records,
            bytes: size.bytes,
        }
    }
}

/// From the first record of some ranges to the last.
fn span(ranges: &[SeqRange]) -> SeqRange {
    let ends = ranges.first().zip(ranges.last());
    let (first, last) = ends.expect("a cut has at least one range");
    SeqRange::new(first.start(), last.end())
}
