//! The pieces of a batch that are under way.
//!
//! Requests go out one after the other, in the order of their records (D2). Where the other side takes
//! data and says only later whether it stays, nobody waits for that: the next piece follows, and each
//! verdict is written as it comes. What is to be sent again goes before what was never sent.

use std::collections::VecDeque;
use std::future::pending;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::reading::Size;
use crate::model::{Seq, SeqRange};
use crate::sink::Receipt;
use crate::sink::endpoint::{Confirmation, Rejection};

#[derive(Default)]
pub struct Window {
    /// In the order of their records.
    pieces: VecDeque<Piece>,
    confirmations: JoinSet<Confirmed>,
}

#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub range: SeqRange,
    pub size: Size,
    /// That failed.
    pub attempts: u32,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent, not sooner than this.
    Due(Instant),
    /// Taken by a request that was begun then.
    Taken(Instant),
}

/// What is said at last of a piece that was taken.
pub struct Confirmed {
    /// Where it begins.
    pub start: Seq,
    pub said: Result<Receipt, Rejection>,
}

impl Window {
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Behind the last piece.
    pub fn end(&self) -> Option<Seq> {
        self.pieces.back().map(|piece| piece.range.end())
    }

    /// Whether something was taken, and may stay or not.
    pub fn awaits(&self) -> bool {
        !self.confirmations.is_empty()
    }

    /// The first piece that is to be sent, and when.
    pub fn due(&self) -> Option<(SeqRange, Instant)> {
        self.pieces.iter().find_map(|piece| match piece.state {
            State::Due(at) => Some((piece.range, at)),
            State::Taken(_) => None,
        })
    }

    /// Behind all others.
    pub fn add(&mut self, range: SeqRange) {
        self.pieces.push_back(Piece::due_now(range));
    }

    pub fn piece(&mut self, start: Seq) -> Option<&mut Piece> {
        let mut pieces = self.pieces.iter_mut();
        pieces.find(|piece| piece.range.start() == start)
    }

    pub fn remove(&mut self, start: Seq) {
        self.pieces.retain(|piece| piece.range.start() != start);
    }

    /// A piece goes out as smaller ones.
    pub fn divide(&mut self, start: Seq, into: Vec<SeqRange>) {
        let before = |piece: &Piece| piece.range.start() < start;
        let at = self.pieces.partition_point(before);
        self.remove(start);
        for (nth, range) in into.into_iter().enumerate() {
            self.pieces.insert(at + nth, Piece::due_now(range));
        }
    }

    /// The piece was taken by a request that was begun at `sent`.
    pub fn taken(&mut self, start: Seq, sent: Instant, confirmation: Confirmation) {
        if let Some(piece) = self.piece(start) {
            piece.state = State::Taken(sent);
        }
        self.confirmations.spawn(async move {
            let said = confirmation.await;
            Confirmed { start, said }
        });
    }

    /// The next word about a piece that was taken. Cancel-safe. Never returns where none was.
    pub async fn confirmed(&mut self) -> Confirmed {
        match self.confirmations.join_next().await {
            None => pending().await,
            Some(Ok(confirmed)) => confirmed,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Piece {
    fn due_now(range: SeqRange) -> Piece {
        Piece {
            range,
            size: Size::default(),
            attempts: 0,
            state: State::Due(Instant::now()),
        }
    }
}
