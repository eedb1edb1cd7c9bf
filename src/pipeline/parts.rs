//! A batch that goes out in requests of bounded size (D5).
//!
//! ```text
//! log: verdicts, borders ──► what is left ──► gathered into one request ──► sent
//!            ▲                                                                │
//!            └──────── delivered, failed, at rest, divided ◄──────────────────┘
//! ```
//!
//! Every request is a function of the log and of the limits in the batch's own plan, so a repeat makes
//! the same ones; what its answer comes to is durable before it counts. A restart goes on behind the
//! verdicts that stand in the log. Requests go one after the other, so that they stay in order (D2).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;
use uuid::Uuid;

use super::delivery::{Delivery, Entry, LeftToTheNextLife, Written};
use super::plan;
use super::reading::{Size, good_records};
use crate::buffer::{Verdict, Verdicts};
use crate::model::{ErrorOutput, Failure, Records, RecordsBuilder, Seq, SeqRange, drawn};
use crate::retry::{FIREHOSE_BACKOFF, Retry, RetryDuration};
use crate::sink::endpoint::{Endpoint, EndpointRequest, Next, Rejection, Terms};
use crate::sink::parts::{self, Division, Gathering, Step};
use crate::sink::{Plan, Receipt};
use crate::telemetry::{Chain, happened};

/// One batch's way to its endpoint.
struct Sending<'a> {
    endpoint: &'a dyn Endpoint,
    plan: Plan,
    terms: Terms,
    tries: Tries,
    /// Records that were found bad in a larger request: each is a piece of its own by now.
    bad: BTreeMap<Seq, Refusal>,
}

/// Why records are not taken.
struct Refusal {
    /// As the failed output will say it.
    failure: Failure,
    /// The same for the log, without what the other side said: that may hold bytes of the records.
    discreet: String,
}

/// The records of one request, in memory for as long as it is under way.
struct Held {
    range: SeqRange,
    /// Where each record stands: those that failed in the transformer, or were damaged, are missing.
    seqs: Vec<Seq>,
    records: Records,
}

/// What a request came to, to be written to the log.
enum Outcome {
    Taken {
        receipt: Receipt,
        took: Duration,
    },
    Failed(Refusal),
    /// Where pieces begin, and why one of them will fail.
    Divided(Vec<Seq>, Option<(Seq, Refusal)>),
    /// Nothing yet: the same request follows.
    Again,
}

impl Delivery {
    pub(super) async fn deliver_parts(
        &mut self,
        endpoint: &dyn Endpoint,
    ) -> Result<(), LeftToTheNextLife> {
        let plan = plan::of_sink(&self.cut.plan);
        let terms = endpoint.terms(&plan);
        let terms = terms.map_err(|refusal| self.leave(&refusal))?;
        let mut sending = Sending {
            endpoint,
            plan,
            terms,
            tries: Tries::new(terms.retry_duration),
            bad: BTreeMap::new(),
        };
        while let Some(left) = self.left() {
            if self.verdicts(Verdicts::are_full) {
                self.file_so_far(terms.error_output).await?;
            } else if let Some(refusal) = sending.known_bad(left) {
                self.fail(left, 1, refusal, terms.error_output).await?;
            } else if !self.send(&mut sending, left).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the next request is taken from, as the log says.
    fn left(&self) -> Option<SeqRange> {
        let mut ranges = self.cut.ranges.iter();
        self.verdicts(|verdicts| ranges.find_map(|range| verdicts.next(*range)))
    }

    /// One attempt at the first request of what is `left`. False where no record is.
    async fn send(
        &mut self,
        sending: &mut Sending<'_>,
        left: SeqRange,
    ) -> Result<bool, LeftToTheNextLife> {
        // Taken before anything is read, and given back before anything is waited for.
        let bytes = sending.terms.bytes_held_max(self.cut.bytes);
        self.route.progress.waits(self.cut.id.0);
        let mut room = self.route.room.bytes(bytes).await;
        // Each attempt counts for itself: many of them, all in vain, may take a batch hours.
        self.route.progress.moves(self.cut.id.0);
        let Some(held) = self.gather(left, &sending.terms).await? else {
            drop(room);
            return self.nothing_in(left).await;
        };
        let Held {
            range,
            seqs,
            records,
        } = held;
        let size = Size {
            records: records.count(),
            bytes: records.slab().len() as u64,
        };
        let held_at_most = sending.terms.bytes_held_max(size.bytes);
        room.shrink(usize::try_from(held_at_most).unwrap_or(usize::MAX));
        let request = EndpointRequest {
            plan: sending.plan.clone(),
            id: self.request_id(range),
            at: self.route.clock.now(),
            records,
        };
        let started = Instant::now();
        let answer = sending.endpoint.send(&request).await;
        let took = started.elapsed();
        drop((request, room));
        let outcome = match answer {
            Ok(receipt) => Outcome::Taken { receipt, took },
            Err(rejection) => self.rejected(sending, &seqs, &rejection).await?,
        };
        match outcome {
            Outcome::Taken { receipt, took } => {
                let attempt = sending.tries.attempt();
                sending.tries.answered();
                self.take(range, size, &receipt, attempt, took).await?;
            }
            Outcome::Failed(refusal) => {
                let error = sending.terms.error_output;
                self.fail(range, size.records, refusal, error).await?;
            }
            Outcome::Divided(borders, bad) => {
                let division = Entry::Division(range, borders);
                if self.write(division).await? == Written::Durable {
                    sending.bad.extend(bad);
                }
            }
            Outcome::Again => {}
        }
        Ok(true)
    }

    /// All that is left failed in the transformer, or was damaged since.
    async fn nothing_in(&mut self, left: SeqRange) -> Result<bool, LeftToTheNextLife> {
        let end = self.cut.ranges.last().map(|range| range.end());
        if end == Some(left.end()) {
            return Ok(false);
        }
        self.write(Entry::Verdict(left, Verdict::Delivered)).await?;
        Ok(true)
    }

    async fn gather(
        &mut self,
        left: SeqRange,
        terms: &Terms,
    ) -> Result<Option<Held>, LeftToTheNextLife> {
        loop {
            match self.try_gather(left, terms).await {
                Some(held) => return Ok(held),
                None => match self.reading.take_damage() {
                    Some(stretch) => self.set_aside(stretch).await?,
                    None => self.pause().await?,
                },
            }
        }
    }

    /// `None` where the log could not be read.
    async fn try_gather(&self, left: SeqRange, terms: &Terms) -> Option<Option<Held>> {
        let mut gathering = Gathering::new(terms.limits);
        let mut seqs = Vec::new();
        // Never grown, which would hold twice as much for a moment.
        let bytes = self.cut.bytes.min(terms.limits.body_bytes_max);
        let most = self.cut.records.min(terms.limits.records_max);
        let mut records = RecordsBuilder::with_capacity(bytes as usize, most as usize);
        let mut chunks = self.reading.chunks(&[left]);
        'full: while let Some(chunk) = chunks.next().await {
            for (seq, _, data) in good_records(&chunk.ok()?) {
                if !gathering.takes(seq, data.len() as u64) {
                    break 'full;
                }
                seqs.push(seq);
                records.push(data);
            }
        }
        // From where the last verdict ended: what is missing in between is judged with it.
        let range = gathering.range();
        let range = range.map(|range| SeqRange::new(left.start(), range.end()));
        let held = range.zip(records.build());
        Some(held.map(|(range, records)| Held {
            range,
            seqs,
            records,
        }))
    }

    async fn rejected(
        &mut self,
        sending: &mut Sending<'_>,
        seqs: &[Seq],
        rejection: &Rejection,
    ) -> Result<Outcome, LeftToTheNextLife> {
        let attempts = sending.tries.attempt();
        let refusal = Refusal {
            failure: rejection.failure(attempts, self.route.clock.now()),
            discreet: Chain(rejection).to_string(),
        };
        let next = self.verdicts(|verdicts| Some(with_room(rejection.next, verdicts)));
        let next = next.unwrap_or(rejection.next);
        let asked = rejection.retry_after;
        let pause = match parts::rejected(seqs, next) {
            Step::Fail => {
                sending.tries.answered();
                return Ok(Outcome::Failed(refusal));
            }
            Step::Divide(Division { borders, bad }) => {
                self.told_of_request(rejection, Duration::ZERO, attempts);
                sending.tries.answered();
                return Ok(Outcome::Divided(borders, bad.map(|bad| (bad, refusal))));
            }
            Step::Again => FIREHOSE_BACKOFF.pause(attempts - 1, asked, &mut self.dice),
        };
        match sending.tries.failed(Instant::now(), pause, asked) {
            Retry::After(pause) => {
                self.told_of_request(rejection, pause, attempts);
                self.wait(pause).await?;
                Ok(Outcome::Again)
            }
            Retry::GiveUp => {
                self.route.progress.gave_up(&rejection.code);
                Ok(Outcome::Failed(refusal))
            }
        }
    }

    fn told_of_request(&self, rejection: &Rejection, next_try_in: Duration, attempt: u32) {
        self.told(happened::delivery::Failure {
            code: &rejection.code,
            error: rejection,
            needs_operator: rejection.needs_operator,
            attempt,
            next_try_in,
            then: happened::delivery::Then::GivenUp,
        });
    }

    /// Counted once it is durable (D5).
    async fn take(
        &mut self,
        range: SeqRange,
        size: Size,
        receipt: &Receipt,
        attempt: u32,
        took: Duration,
    ) -> Result<(), LeftToTheNextLife> {
        let verdict = Entry::Verdict(range, Verdict::Delivered);
        if self.write(verdict).await? == Written::Durable {
            self.arrived(self.part(range, size), receipt, attempt, took);
            self.failures = 0;
        }
        Ok(())
    }

    async fn fail(
        &mut self,
        range: SeqRange,
        records: u64,
        refusal: Refusal,
        error: ErrorOutput,
    ) -> Result<(), LeftToTheNextLife> {
        let Refusal { failure, discreet } = refusal;
        let verdict = Entry::Verdict(range, Verdict::Failed(failure.clone()));
        if self.write(verdict).await? == Written::Durable {
            let size = Size { records, bytes: 0 };
            let given_up = happened::delivery::GivenUp {
                batch: self.part(range, size),
                code: &failure.code,
                reason: &discreet,
                attempts: failure.attempts,
                error_output: error.as_str(),
            };
            let say = self.route.progress.failed(&failure.code);
            happened::delivery::given_up(&self.route.metrics, given_up, say);
        }
        Ok(())
    }

    /// The same each time this part of this batch is sent, and of no other (D5).
    fn request_id(&self, range: SeqRange) -> Uuid {
        drawn::uuid(&[
            b"standpipe request 1",
            &self.route.directory.0.to_be_bytes(),
            &self.cut.id.0.to_be_bytes(),
            &range.start().get().to_be_bytes(),
            &range.end().get().to_be_bytes(),
        ])
    }
}

impl Sending<'_> {
    /// Why the record fails that is all of this piece, where that is known.
    fn known_bad(&mut self, piece: SeqRange) -> Option<Refusal> {
        // Records that failed in the transformer may stand before it or behind it.
        let (bad, _) = self.bad.range(piece.start()..piece.end()).next()?;
        let bad = *bad;
        self.bad.remove(&bad)
    }
}

/// There is room for so many pieces. Halving goes on where no record can be set aside any more, and
/// ends at single records.
fn with_room(next: Next, verdicts: &Verdicts) -> Next {
    match next {
        // Beside those inside, where the request ends.
        Next::Without(_) if !verdicts.may_be_divided(1 + parts::BORDERS_MAX + HALVINGS) => {
            Next::Halve
        }
        Next::Halve if !verdicts.may_be_divided(2) => Next::Never,
        Next::Retry | Next::Never | Next::Halve | Next::Without(_) => next,
    }
}

/// How often a part can be halved: no request holds more records than 2¹⁸.
const HALVINGS: usize = 18;

/// How often a request was tried, and for how long the batch's requests still may be.
///
/// The time is the batch's, and counted from the first failure: where the other side has been in
/// trouble for that long, the requests that follow have one attempt each, until one is answered.
struct Tries {
    attempts: u32,
    lasts: Duration,
    duration: RetryDuration,
}

impl Tries {
    fn new(lasts: Duration) -> Tries {
        Tries {
            attempts: 0,
            lasts,
            duration: RetryDuration::new(lasts),
        }
    }

    /// Which attempt at this request was answered, or failed.
    fn attempt(&mut self) -> u32 {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }

    /// It was the last one, or it was not.
    fn failed(&mut self, now: Instant, pause: Duration, at_least: Option<Duration>) -> Retry {
        let retry = self.duration.failed(now, pause, at_least);
        if retry == Retry::GiveUp {
            self.attempts = 0;
        }
        retry
    }

    /// The other side is there, whatever it said.
    fn answered(&mut self) {
        *self = Tries::new(self.lasts);
    }
}

#[cfg(test)]
mod tests;
