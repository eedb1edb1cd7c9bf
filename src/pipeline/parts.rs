//! A batch that goes out in requests of bounded size (D5).
//!
//! The batch is split by the limits in its own plan, so a repeat makes the same parts; each part is
//! sent until it has its verdict, which is durable before it counts. A restart goes on behind the
//! verdicts that stand in the log. Parts go one after the other, so that they stay in order (D2).

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::delivery::{Delivery, Entry, LeftToTheNextLife, span};
use super::plan;
use super::reading::{Size, good_records};
use crate::buffer::Verdict;
use crate::model::{ErrorOutput, Failure, Records, RecordsBuilder, Seq, SeqRange, limits};
use crate::retry::{FIREHOSE_BACKOFF, Retry, RetryDuration};
use crate::sink::endpoint::{Endpoint, EndpointRequest, Next, Rejection, Terms};
use crate::sink::parts::{Gathering, Part, Step};
use crate::sink::{Plan, Receipt};
use crate::telemetry::happened;

/// A part's records, in memory for as long as it is on its way.
struct Held {
    range: SeqRange,
    /// Where each record stands: those that failed in the transformer, or were damaged, are missing.
    seqs: Vec<Seq>,
    records: Records,
}

impl Held {
    /// Those of the records within `range`; `None` where there are none.
    fn within(&self, range: SeqRange) -> Option<(&[Seq], Records)> {
        let from = self.seqs.partition_point(|seq| *seq < range.start());
        let to = self.seqs.partition_point(|seq| *seq < range.end());
        (from < to).then(|| (&self.seqs[from..to], self.records.slice(from, to)))
    }
}

impl Delivery {
    pub(super) async fn deliver_parts(
        &mut self,
        endpoint: &dyn Endpoint,
    ) -> Result<(), LeftToTheNextLife> {
        let plan = plan::of_sink(&self.cut.plan);
        let terms = self.terms(endpoint, &plan).await?;
        let mut left = Some(span(&self.cut.ranges));
        while let Some(rest) = left {
            let Some(held) = self.gather(rest, &terms).await? else {
                return Ok(());
            };
            left = SeqRange::between(held.range.end(), rest.end());
            if self.deliver_part(endpoint, &plan, &terms, &held).await? == Filed::Everything {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn terms(
        &mut self,
        endpoint: &dyn Endpoint,
        plan: &Plan,
    ) -> Result<Terms, LeftToTheNextLife> {
        loop {
            match endpoint.terms(plan) {
                Ok(terms) => return Ok(terms),
                Err(refusal) => {
                    self.hold(&refusal).await?;
                }
            }
        }
    }

    /// The next part of what is left; `None` where nothing of it can be sent.
    async fn gather(
        &mut self,
        rest: SeqRange,
        terms: &Terms,
    ) -> Result<Option<Held>, LeftToTheNextLife> {
        loop {
            match self.try_gather(rest, terms).await {
                Some(held) => return Ok(held),
                None => match self.reading.take_damage() {
                    Some(stretch) => self.set_aside(stretch).await?,
                    None => self.pause().await?,
                },
            }
        }
    }

    /// `None` where the log could not be read.
    async fn try_gather(&self, rest: SeqRange, terms: &Terms) -> Option<Option<Held>> {
        use futures_util::StreamExt;

        let ranges = self.cut.ranges.iter();
        let ranges: Vec<_> = ranges.filter_map(|range| range.shared(rest)).collect();
        let mut gathering = Gathering::new(terms.limits);
        let mut seqs = Vec::new();
        let mut records = RecordsBuilder::default();
        let mut chunks = self.reading.chunks(&ranges);
        'full: while let Some(chunk) = chunks.next().await {
            for (seq, _, data) in good_records(&chunk.ok()?) {
                if !gathering.takes(seq, data.len() as u64) {
                    break 'full;
                }
                seqs.push(seq);
                records.push(data);
            }
        }
        let held = gathering.range().zip(records.build());
        Some(held.map(|(range, records)| Held {
            range,
            seqs,
            records,
        }))
    }

    async fn deliver_part(
        &mut self,
        endpoint: &dyn Endpoint,
        plan: &Plan,
        terms: &Terms,
        held: &Held,
    ) -> Result<Filed, LeftToTheNextLife> {
        let verdicts = self.verdicts();
        let mut part = Part::new(held.range, verdicts.iter().map(|(range, _)| *range));
        let mut tries = Tries::new(terms);
        while let Some(range) = part.next() {
            let Some((seqs, records)) = held.within(range) else {
                part.settled(range);
                continue;
            };
            let count = records.count();
            let request = EndpointRequest {
                plan: plan.clone(),
                id: self.request_id(range),
                at: self.route.clock.now(),
                records,
            };
            let started = Instant::now();
            tries.attempts += 1;
            let verdict = match endpoint.send(&request).await {
                Ok(receipt) => {
                    self.taken(range, &request, &receipt, started.elapsed());
                    (range, Verdict::Delivered)
                }
                Err(rejection) => {
                    let next = in_range(rejection.next, range, seqs);
                    match part.rejected(next) {
                        Step::Smaller => {
                            self.told(failure(&rejection, Duration::ZERO, tries.attempts));
                            tries = Tries::new(terms);
                            continue;
                        }
                        Step::File(bad) => (bad, self.failed(&rejection, tries.attempts)),
                        Step::Again => match self.again(&rejection, &mut tries) {
                            Retry::After(pause) => {
                                self.told(failure(&rejection, pause, tries.attempts));
                                self.wait(pause).await?;
                                continue;
                            }
                            Retry::GiveUp => (range, self.failed(&rejection, tries.attempts)),
                        },
                    }
                }
            };
            let (settled, verdict) = verdict;
            let (settled, verdict) = self.bounded(settled, verdict, terms.error_output);
            let records = held
                .within(settled)
                .map_or(count, |(seqs, _)| seqs.len() as u64);
            self.tell_failed(settled, &verdict, records, terms.error_output);
            self.write(Entry::Verdict(settled, verdict)).await?;
            if settled.start() < held.range.start() || held.range.end() < settled.end() {
                return Ok(Filed::Everything);
            }
            part.settled(settled);
            tries = Tries::new(terms);
        }
        Ok(Filed::ThisPart)
    }

    fn again(&mut self, rejection: &Rejection, tries: &mut Tries) -> Retry {
        let failures = tries.attempts - 1;
        let pause = FIREHOSE_BACKOFF.pause(failures, rejection.retry_after, &mut self.dice);
        let retry = tries.duration.failed(Instant::now(), pause);
        if matches!(retry, Retry::GiveUp) {
            self.route.progress.gave_up(&rejection.code);
        }
        retry
    }

    fn failed(&self, rejection: &Rejection, attempts: u32) -> Verdict {
        Verdict::Failed(rejection.failure(attempts, self.route.clock.now()))
    }

    /// A batch has room for so many verdicts; the last one is on all of it that has none.
    fn bounded(
        &self,
        range: SeqRange,
        verdict: Verdict,
        error: ErrorOutput,
    ) -> (SeqRange, Verdict) {
        let Verdict::Failed(failure) = &verdict else {
            return (range, verdict);
        };
        if !self.verdicts().are_full() {
            return (range, verdict);
        }
        let message = format!(
            "Too many records of one batch were refused one by one (more than {}); the rest of it \
             was not sent ({}). The last refusal: {}",
            limits::VERDICTS_PER_CUT_MAX / 2,
            error.as_str(),
            failure.message
        );
        let failure = Failure::new(&failure.code, message, failure.attempts, failure.ended);
        (span(&self.cut.ranges), Verdict::Failed(failure))
    }

    fn taken(
        &mut self,
        range: SeqRange,
        request: &EndpointRequest,
        receipt: &Receipt,
        took: Duration,
    ) {
        let size = Size {
            records: request.records.count(),
            bytes: request.records.slab().len() as u64,
        };
        self.arrived(self.part(range, size), receipt, took);
        self.failures = 0;
    }

    fn tell_failed(&self, range: SeqRange, verdict: &Verdict, records: u64, error: ErrorOutput) {
        if let Verdict::Failed(failure) = verdict {
            let size = Size { records, bytes: 0 };
            let given_up = happened::delivery::GivenUp {
                batch: self.part(range, size),
                code: &failure.code,
                message: &failure.message,
                attempts: failure.attempts,
                error_output: error.as_str(),
            };
            happened::delivery::given_up(&self.route.metrics, given_up);
        }
    }

    /// The same each time this part of this batch is sent, and of no other (D5).
    fn request_id(&self, range: SeqRange) -> Uuid {
        let digest = Sha256::new()
            .chain_update(b"standpipe request 1")
            .chain_update(self.route.directory.0.to_be_bytes())
            .chain_update(self.cut.id.0.to_be_bytes())
            .chain_update(range.start().get().to_be_bytes())
            .chain_update(range.end().get().to_be_bytes())
            .finalize();
        let bytes = *digest.first_chunk().expect("SHA-256 gives 32 bytes");
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// How far a part's delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filed {
    ThisPart,
    /// One verdict was given on all that was left of the batch.
    Everything,
}

/// How often a request was tried, and for how long it still may be.
struct Tries {
    attempts: u32,
    duration: RetryDuration,
}

impl Tries {
    fn new(terms: &Terms) -> Tries {
        Tries {
            attempts: 0,
            duration: RetryDuration::new(terms.retry_duration),
        }
    }
}

fn failure(
    rejection: &Rejection,
    next_try_in: Duration,
    attempt: u32,
) -> happened::delivery::Failure<'_> {
    happened::delivery::Failure {
        code: &rejection.code,
        error: rejection,
        needs_operator: rejection.needs_operator,
        attempt,
        next_try_in,
    }
}

/// The n-th record that was sent, as the n-th place of its range, in which some may be missing.
fn in_range(next: Next, range: SeqRange, seqs: &[Seq]) -> Next {
    match next {
        Next::Without(nth) => {
            let place = seqs.get(nth).map(|seq| seq.get() - range.start().get());
            Next::Without(place.unwrap_or(range.count()) as usize)
        }
        Next::Retry | Next::Never | Next::Halve => next,
    }
}
