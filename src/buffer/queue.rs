//! What waits for the committer: requests, and the bound on their bytes (L1).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, oneshot};

use super::control::Shape;
use super::frame::Draft;
use super::ledger::Span;
use super::reader::ReaderId;
use super::verdicts::PartVerdict;
use super::{AppendError, Cut, CutId, LogError, Settled};
use crate::model::{LogTime, SeqRange, Timestamp};

pub enum Request {
    Append(Append),
    Answer(AnswerArrivals),
    Cut(NewCut),
    Verdict(GiveVerdict),
    Settle(Settle),
    Quarantine(Quarantine),
}

pub struct Append {
    pub stream: u32,
    /// Usually one; a put that is too large for a frame is several.
    pub drafts: Vec<Draft>,
    pub answer: oneshot::Sender<Result<SeqRange, AppendError>>,
}

/// A transformer's answers to the next arrivals that have none.
pub struct AnswerArrivals {
    pub stream: u32,
    pub of: Span,
    pub draft: Draft,
    pub answer: oneshot::Sender<Result<(), LogError>>,
}

pub struct NewCut {
    pub reader: ReaderId,
    pub span: Span,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
    pub plan: Vec<u8>,
    pub shape: Shape,
    pub answer: oneshot::Sender<Result<Cut, LogError>>,
}

pub struct GiveVerdict {
    pub reader: ReaderId,
    pub verdict: PartVerdict,
    pub answer: oneshot::Sender<Result<(), LogError>>,
}

pub struct Settle {
    pub reader: ReaderId,
    pub cut: CutId,
    pub how: Settled,
    pub answer: oneshot::Sender<Result<(), LogError>>,
}

pub struct Quarantine {
    pub reader: ReaderId,
    pub spans: Vec<Span>,
    pub answer: oneshot::Sender<Result<(), LogError>>,
}

impl Append {
    /// On the disk, without padding.
    pub fn length(&self) -> usize {
        self.drafts.iter().map(Draft::length).sum()
    }
}

impl Request {
    pub fn stream(&self) -> u32 {
        match self {
            Request::Append(append) => append.stream,
            Request::Answer(answer) => answer.stream,
            Request::Cut(cut) => cut.reader.stream,
            Request::Verdict(verdict) => verdict.reader.stream,
            Request::Settle(settle) => settle.reader.stream,
            Request::Quarantine(quarantine) => quarantine.reader.stream,
        }
    }

    /// On the disk, about.
    fn bytes(&self) -> usize {
        match self {
            Request::Append(append) => append.length(),
            Request::Answer(answer) => answer.draft.length(),
            Request::Cut(cut) => 256 + cut.plan.len(),
            Request::Verdict(verdict) => 256 + verdict.verdict.bytes(),
            Request::Settle(_) | Request::Quarantine(_) => 256,
        }
    }

    /// B6: says no where nothing was tried, so that an append is certainly not on the disk.
    pub fn refuse(self) {
        match self {
            Request::Append(append) => drop(append.answer.send(Err(AppendError::Stopped))),
            other @ (Request::Answer(_)
            | Request::Cut(_)
            | Request::Verdict(_)
            | Request::Settle(_)
            | Request::Quarantine(_)) => other.fail(),
        }
    }

    /// B6: says no. Nobody minds if the one who asked is gone.
    pub fn fail(self) {
        match self {
            Request::Append(append) => drop(append.answer.send(Err(AppendError::Failed))),
            Request::Answer(answer) => drop(answer.answer.send(Err(LogError::Failed))),
            Request::Cut(cut) => drop(cut.answer.send(Err(LogError::Failed))),
            Request::Verdict(verdict) => drop(verdict.answer.send(Err(LogError::Failed))),
            Request::Settle(settle) => drop(settle.answer.send(Err(LogError::Failed))),
            Request::Quarantine(quarantine) => drop(quarantine.answer.send(Err(LogError::Failed))),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Full,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    Requests,
    /// Every handle is gone and nothing waits.
    Closed,
}

pub struct Queue {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    bytes: usize,
    /// Every handle is gone.
    closed: bool,
    /// The committer is gone.
    ended: bool,
}

impl Queue {
    pub fn new(bytes_max: usize) -> Queue {
        Queue {
            bytes_max,
            waiting: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Records are refused past the bound; control entries never, for they make room, and each
    /// stream has few of them under way.
    pub fn push(&self, request: Request) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.ended {
            return Err(Refused::Closed);
        }
        let bytes = request.bytes();
        let is_append = matches!(request, Request::Append(_));
        if is_append && self.bytes_max < waiting.bytes + bytes {
            return Err(Refused::Full);
        }
        waiting.bytes += bytes;
        waiting.requests.push_back(request);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// What waits, oldest first, until `bytes` are reached.
    pub fn take(&self, bytes: usize) -> Vec<Request> {
        let mut waiting = self.lock();
        let mut taken = Vec::new();
        let mut sum = 0;
        while sum < bytes
            && let Some(request) = waiting.requests.pop_front()
        {
            waiting.bytes -= request.bytes();
            sum += request.bytes();
            taken.push(request);
        }
        taken
    }

    /// Returns when there is something to take. Cancel-safe.
    pub async fn wait(&self) -> Waited {
        loop {
            let woken = self.wake.notified();
            {
                let waiting = self.lock();
                if !waiting.requests.is_empty() {
                    return Waited::Requests;
                }
                if waiting.closed {
                    return Waited::Closed;
                }
            }
            woken.await;
        }
    }

    /// The committer is gone: whoever waits is told so, by its answer's end.
    fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics with this lock")
    }
}

/// Held by every handle that can ask for something. When the last is gone the queue closes.
pub struct Door(pub Arc<Queue>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
    }
}

/// Held by the committer. When it is gone, nobody waits for it in vain.
pub struct Taker(pub Arc<Queue>);

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.end();
    }
}
