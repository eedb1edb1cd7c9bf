//! A batch that goes out in requests of bounded size (D5).
//!
//! ```text
//! log: verdicts, borders ──► what is left ──► a piece: one request ──► sent ──► taken, confirmed later
//!            ▲                                                          │               │
//!            └──────── delivered, failed, at rest, divided ◄────────────┴───────────────┘
//! ```
//!
//! Every request is a function of the log and of the limits in the batch's own plan, so a repeat makes
//! the same ones; what its answer comes to is durable before it counts. A restart goes on with what has
//! no verdict in the log.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::delivery::{Delivery, Entry, LeftToTheNextLife, Written};
use super::plan;
use super::reading::{Size, good_records};
use super::window::{Confirmed, Piece, State, Window};
use crate::buffer::{Verdict, Verdicts};
use crate::model::{ErrorOutput, Failure, Records, RecordsBuilder, Seq, SeqRange, drawn, limits};
use crate::retry::{FIREHOSE_BACKOFF, Retry, RetryDuration};
use crate::sink::endpoint::{Endpoint, EndpointRequest, Next, Rejection, Sent, Terms};
use crate::sink::parts::{self, Division, Gathering, Step};
use crate::sink::{Plan, Receipt};
use crate::telemetry::{Chain, happened};

/// One batch's way to its endpoint.
struct Sending<'a> {
    endpoint: &'a dyn Endpoint,
    plan: Plan,
    terms: Terms,
    /// The batch's, and not each request's: where the other side has been in trouble for that long, the
    /// requests that follow have one attempt each, until one is answered.
    retries: RetryDuration,
    window: Window,
    /// Where no record follows any more that is to be sent.
    end: Option<Seq>,
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
            retries: RetryDuration::new(terms.retry_duration),
            window: Window::default(),
            end: None,
            bad: BTreeMap::new(),
        };
        loop {
            if let Some((piece, due)) = sending.window.due() {
                self.send_when_due(&mut sending, piece, due).await?;
                continue;
            }
            let under_way = sending.window.len();
            match self.left(&sending) {
                Some(left) if under_way == 0 || self.may_send_beside(under_way) => {
                    sending.window.add(left);
                }
                None if under_way == 0 => return Ok(()),
                Some(_) | None => self.await_confirmation(&mut sending).await?,
            }
        }
    }

    /// What the next request is taken from, as the log says, behind the pieces that are under way.
    fn left(&self, sending: &Sending<'_>) -> Option<SeqRange> {
        let behind = |range: &SeqRange| {
            let start = sending.window.end().unwrap_or(range.start());
            SeqRange::between(start.max(range.start()), range.end())
        };
        let mut ranges = self.cut.ranges.iter().filter_map(behind);
        let left = self.verdicts(|verdicts| ranges.find_map(|range| verdicts.next(range)))?;
        let is_before = |end: Seq| left.start() < end;
        sending.end.is_none_or(is_before).then_some(left)
    }

    fn may_send_beside(&self, under_way: usize) -> bool {
        under_way < limits::PIECES_UNDER_WAY_MAX
            && self.verdicts(|verdicts| verdicts.have_room_beside(under_way))
    }

    async fn send_when_due(
        &mut self,
        sending: &mut Sending<'_>,
        piece: SeqRange,
        due: Instant,
    ) -> Result<(), LeftToTheNextLife> {
        if Instant::now() < due {
            let pause = self.unless_stopped(sleep_until(due));
            return self.meanwhile(sending, pause).await?;
        }
        if self.verdicts(Verdicts::are_full) {
            return match sending.window.awaits() {
                true => self.await_confirmation(sending).await,
                false => self.file_so_far(sending.terms.error_output).await,
            };
        }
        if let Some(refusal) = sending.known_bad(piece) {
            sending.window.remove(piece.start());
            return self
                .fail(piece, 1, refusal, sending.terms.error_output)
                .await;
        }
        // A piece may have to be divided: not while others, which will have verdicts, take the room.
        if sending.window.awaits() && !self.verdicts(|verdicts| verdicts.may_be_divided(PIECE_MAX))
        {
            return self.await_confirmation(sending).await;
        }
        self.send(sending, piece).await
    }

    async fn await_confirmation(
        &mut self,
        sending: &mut Sending<'_>,
    ) -> Result<(), LeftToTheNextLife> {
        let confirmed = self.unless_stopped(sending.window.confirmed()).await?;
        self.confirmed(sending, confirmed).await
    }

    /// While this is awaited, verdicts are written as they come.
    async fn meanwhile<T>(
        &mut self,
        sending: &mut Sending<'_>,
        awaited: impl Future<Output = T>,
    ) -> Result<T, LeftToTheNextLife> {
        let mut awaited = pin!(awaited);
        loop {
            tokio::select! {
                biased;
                done = &mut awaited => return Ok(done),
                confirmed = sending.window.confirmed() => self.confirmed(sending, confirmed).await?,
            }
        }
    }

    async fn confirmed(
        &mut self,
        sending: &mut Sending<'_>,
        confirmed: Confirmed,
    ) -> Result<(), LeftToTheNextLife> {
        let Confirmed { start, said } = confirmed;
        match said {
            Ok(receipt) => self.take(sending, start, &receipt).await?,
            Err(rejection) => {
                let next = match rejection.next {
                    Next::Never => Next::Never,
                    Next::Retry | Next::Halve | Next::Without(_) => Next::Retry,
                };
                let rejection = Rejection { next, ..rejection };
                self.rejected(sending, start, &[], &rejection).await?;
            }
        }
        if !sending.window.is_empty() {
            self.route.progress.moves(self.cut.id.0);
        }
        Ok(())
    }

    /// One attempt at a piece that begins where `left` does: as much of that as a request may hold.
    async fn send(
        &mut self,
        sending: &mut Sending<'_>,
        left: SeqRange,
    ) -> Result<(), LeftToTheNextLife> {
        // Taken before anything is read, and given back before anything is waited for.
        let bytes = sending.terms.bytes_held_max(self.cut.bytes);
        self.route.progress.waits(self.cut.id.0);
        let route = Arc::clone(&self.route);
        let mut room = self.meanwhile(sending, route.room.bytes(bytes)).await?;
        // Each attempt counts for itself: many of them, all in vain, may take a batch hours.
        self.route.progress.moves(self.cut.id.0);
        let Some(held) = self.gather(left, &sending.terms).await? else {
            drop(room);
            return self.nothing_in(sending, left).await;
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
        let start = range.start();
        let sent = Instant::now();
        if let Some(piece) = sending.window.piece(start) {
            (piece.range, piece.size, piece.state) = (range, size, State::Taken(sent));
        }
        let endpoint = sending.endpoint;
        let answer = self.meanwhile(sending, endpoint.send(&request)).await?;
        drop((request, room));
        match answer {
            Ok(Sent::Delivered(receipt)) => self.take(sending, start, &receipt).await,
            Ok(Sent::Taken(confirmation)) => {
                sending.window.taken(start, sent, confirmation);
                Ok(())
            }
            Err(rejection) => self.rejected(sending, start, &seqs, &rejection).await,
        }
    }

    /// All that is left failed in the transformer, or was damaged since.
    async fn nothing_in(
        &mut self,
        sending: &mut Sending<'_>,
        left: SeqRange,
    ) -> Result<(), LeftToTheNextLife> {
        sending.window.remove(left.start());
        let end = self.cut.ranges.last().map(|range| range.end());
        if end == Some(left.end()) {
            sending.end = Some(left.start());
            return Ok(());
        }
        self.write(Entry::Verdict(left, Verdict::Delivered))
            .await
            .map(drop)
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

    /// `seqs` are the piece's records.
    async fn rejected(
        &mut self,
        sending: &mut Sending<'_>,
        start: Seq,
        seqs: &[Seq],
        rejection: &Rejection,
    ) -> Result<(), LeftToTheNextLife> {
        let Some(piece) = sending.window.piece(start) else {
            return Ok(());
        };
        piece.attempts = piece.attempts.saturating_add(1);
        let piece = *piece;
        let refusal = Refusal {
            failure: rejection.failure(piece.attempts, self.route.clock.now()),
            discreet: Chain(rejection).to_string(),
        };
        let next = self.verdicts(|verdicts| Some(with_room(rejection.next, verdicts)));
        match parts::rejected(seqs, next.unwrap_or(rejection.next)) {
            Step::Fail => {
                sending.retries.answered();
                self.give_up(sending, &piece, refusal).await
            }
            Step::Divide(division) => {
                self.told_of_request(rejection, Duration::ZERO, piece.attempts);
                sending.retries.answered();
                self.divide(sending, &piece, division, refusal).await
            }
            Step::Again => {
                let (asked, now) = (rejection.retry_after, Instant::now());
                let pause = FIREHOSE_BACKOFF.pause(piece.attempts - 1, asked, &mut self.dice);
                match sending.retries.failed(now, pause, asked) {
                    Retry::After(pause) => {
                        self.told_of_request(rejection, pause, piece.attempts);
                        if let Some(piece) = sending.window.piece(start) {
                            piece.state = State::Due(now + pause);
                        }
                        Ok(())
                    }
                    Retry::GiveUp => {
                        self.route.progress.gave_up(&rejection.code);
                        self.give_up(sending, &piece, refusal).await
                    }
                }
            }
        }
    }

    async fn give_up(
        &mut self,
        sending: &mut Sending<'_>,
        piece: &Piece,
        refusal: Refusal,
    ) -> Result<(), LeftToTheNextLife> {
        sending.window.remove(piece.range.start());
        let error = sending.terms.error_output;
        self.fail(piece.range, piece.size.records, refusal, error)
            .await
    }

    async fn divide(
        &mut self,
        sending: &mut Sending<'_>,
        piece: &Piece,
        division: Division,
        refusal: Refusal,
    ) -> Result<(), LeftToTheNextLife> {
        let Division { mut borders, bad } = division;
        // What stands before it may have no verdict yet, and ends where this begins.
        borders.insert(0, piece.range.start());
        let entry = Entry::Division(piece.range, borders);
        let mut pieces = Vec::new();
        if self.write(entry).await? == Written::Durable {
            sending.bad.extend(bad.map(|bad| (bad, refusal)));
            let mut rest = Some(piece.range);
            while let Some(next) = rest.and_then(|rest| self.verdicts(|it| it.next(rest))) {
                pieces.push(next);
                rest = SeqRange::between(next.end(), piece.range.end());
            }
        }
        sending.window.divide(piece.range.start(), pieces);
        Ok(())
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
        sending: &mut Sending<'_>,
        start: Seq,
        receipt: &Receipt,
    ) -> Result<(), LeftToTheNextLife> {
        let Some(Piece {
            range,
            size,
            attempts,
            state,
        }) = sending.window.piece(start).copied()
        else {
            return Ok(());
        };
        let took = match state {
            State::Taken(sent) => sent.elapsed(),
            State::Due(_) => Duration::ZERO,
        };
        sending.retries.answered();
        sending.window.remove(start);
        let verdict = Entry::Verdict(range, Verdict::Delivered);
        if self.write(verdict).await? == Written::Durable {
            self.arrived(self.part(range, size), receipt, attempts + 1, took);
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
        Next::Without(_) if !verdicts.may_be_divided(PIECE_MAX) => Next::Halve,
        Next::Halve if !verdicts.may_be_divided(3) => Next::Never,
        Next::Retry | Next::Never | Next::Halve | Next::Without(_) => next,
    }
}

/// The borders of one piece that is divided, again and again: where it begins and ends, and those inside.
const PIECE_MAX: usize = 2 + parts::BORDERS_MAX + HALVINGS;

/// How often a part can be halved: no request holds more records than 2¹⁸.
const HALVINGS: usize = 18;

#[cfg(test)]
mod tests;
