//! One invocation: the function is asked, and its answers go into the log, piece by piece.
//!
//! Invocations of a stream ask side by side, and log one after the other: each waits for its turn with
//! the first piece in hand, and asks for the next one only once that is durable. So an invocation holds
//! one answer, however much the function makes of its records.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::delivery::BACKOFF;
use super::progress::{Place, Progress};
use crate::buffer::{self, Answered, LogError, Mark, Outlet};
use crate::model::{SeqRange, StreamName};
use crate::outside::Dice;
use crate::outside::memory::Taken;
use crate::telemetry::happened;
use crate::transform::{Invocation, Outcome, Pace, Transformer};

/// What was read for one invocation.
pub(super) struct Batch {
    pub range: SeqRange,
    pub end: Mark,
    pub invocation: Invocation,
    /// What it may hold (L1).
    pub _room: Taken,
}

/// What all invocations of a stream work with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk {
    pub stream: StreamName,
    pub outlet: Arc<Outlet>,
    pub transformer: Arc<Transformer>,
    pub function: Arc<str>,
    pub progress: Progress,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All of it has answers, for good.
    Answered(Pace),
    /// What has answers is not what it was when this was read: to be looked up again.
    Stale,
    Closed,
}

/// The right to log: handed on from each invocation to the one behind it.
pub(super) struct Turn {
    mine: oneshot::Receiver<()>,
    next: oneshot::Sender<()>,
}

/// Hands out turns.
pub(super) struct Turns(oneshot::Receiver<()>);

impl Turns {
    /// The first one has its turn at once.
    pub fn new() -> Turns {
        let (first, turn) = oneshot::channel();
        first.send(()).expect("the other end is held");
        Turns(turn)
    }

    pub fn next(&mut self) -> Turn {
        let (next, behind) = oneshot::channel();
        let mine = std::mem::replace(&mut self.0, behind);
        Turn { mine, next }
    }
}

impl Desk {
    /// Cancelling it is a crash: what is not durable is asked again.
    pub async fn answer(self, batch: Batch, turn: Turn, mut dice: Dice) -> Ended {
        let mut invoking = self.transformer.invoke(&batch.invocation);
        let mut mine = Some(turn.mine);
        let mut answered = 0;
        while let Some(outcomes) = invoking.next().await {
            if let Some(mine) = mine.take()
                && mine.await.is_err()
            {
                // The one before did not get as far as its end.
                return Ended::Stale;
            }
            let piece = batch.piece(answered, outcomes);
            answered += piece.len();
            if let Err(ended) = self.log(&batch, answered, piece, &mut dice).await {
                return ended;
            }
        }
        let count = batch.invocation.count();
        assert_eq!(count, answered, "D1: each record has one outcome");
        // Nobody behind it, and nobody minds.
        let _ = turn.next.send(());
        Ended::Answered(invoking.pace())
    }

    /// Tried until it is durable: a full log is back-pressure (B7).
    async fn log(
        &self,
        batch: &Batch,
        answered: usize,
        piece: Vec<Answered>,
        dice: &mut Dice,
    ) -> Result<(), Ended> {
        let end = batch.range.start().plus(answered as u64);
        let of = SeqRange::new(
            batch.range.start().plus((answered - piece.len()) as u64),
            end,
        );
        let mut failures = 0;
        loop {
            let logged = self.outlet.answer(of, &self.function, &piece);
            match logged.await {
                Ok(()) => break,
                Err(LogError::Closed) => return Err(Ended::Closed),
                Err(LogError::Stale) => return Err(Ended::Stale),
                Err(error @ (LogError::Failed | LogError::Full)) => {
                    self.not_logged(of, &piece, &error);
                    sleep(BACKOFF.pause(failures, None, dice)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
        if let Some(stuck_for) = self.progress.took(LOGGING, Place::Log) {
            happened::delivery::logged_again(&self.stream, stuck_for);
        }
        Ok(())
    }

    fn not_logged(&self, of: SeqRange, piece: &[Answered], error: &LogError) {
        let code = match error {
            LogError::Full => "Log.Full",
            LogError::Failed | LogError::Stale | LogError::Closed => "Log.Failed",
        };
        let say = self.progress.refused(LOGGING, Place::Log, code);
        let batch = happened::delivery::Batch {
            stream: &self.stream,
            to: "answers",
            range: of,
            records: of.count(),
            bytes: piece.iter().map(|one| u64::from(one.bytes)).sum(),
        };
        happened::delivery::not_logged(batch, "answers", error, say);
    }
}

/// For `Progress`: whose turn it is, and there is only one.
pub(super) const LOGGING: u64 = 0;

impl Batch {
    /// What became of some of the records, from the n-th on, as the log wants it.
    fn piece(&self, from: usize, outcomes: Vec<Outcome>) -> Vec<Answered> {
        let Invocation {
            records, arrivals, ..
        } = &self.invocation;
        let answered = outcomes.into_iter().enumerate().map(|(index, outcome)| {
            let record: Bytes = records.slab().slice_ref(records.record(from + index));
            Answered {
                bytes: record.len() as u32,
                arrival: arrivals.of(from + index),
                outcome: match outcome {
                    Outcome::Ok(transformed) => buffer::Outcome::Ok(transformed.data),
                    Outcome::Dropped => buffer::Outcome::Dropped,
                    Outcome::Failed(failure) => buffer::Outcome::Failed(failure, record),
                },
            }
        });
        answered.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_comes_with_the_end_of_the_one_before_and_never_if_that_broke_off() {
        let mut turns = Turns::new();
        let [first, second, third] = [turns.next(), turns.next(), turns.next()];
        assert_eq!(first.mine.await, Ok(()));
        first.next.send(()).unwrap();
        assert_eq!(second.mine.await, Ok(()));
        drop(second.next);
        assert!(third.mine.await.is_err());
    }
}
