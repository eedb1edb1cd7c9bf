//! A frame on its way, with what it will mean and who waits for it.

use tokio::sync::oneshot;

use super::answers::Answers;
use super::control::{OpenCut, Settlement, encode_quarantined};
use super::frame::{Draft, Header, Kind};
use super::ledger::Span;
use super::reader::ReaderId;
use super::verdicts::PartVerdict;
use super::{AppendError, Cut, LogError};
use crate::model::{LogTime, Seq, SeqRange, Timestamp};

pub struct Entry {
    pub draft: Draft,
    pub effect: Effect,
    /// When it entered the log, where that was in an earlier life.
    pub logged: Option<LogTime>,
    pub answer: Answer,
}

/// What a frame changes once it is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    Records,
    /// To these arrivals.
    Answers(Span),
    Cut(OpenCut),
    Verdict(PartVerdict),
    Settle(Settlement),
    Quarantine(Vec<Span>),
    End,
}

/// Whom to tell.
pub enum Answer {
    Nobody,
    /// The last frame of an append of so many records.
    Append(u64, oneshot::Sender<Result<SeqRange, AppendError>>),
    Cut(oneshot::Sender<Result<Cut, LogError>>),
    Done(oneshot::Sender<Result<(), LogError>>),
}

impl Effect {
    /// What a frame says; `None` where it makes no sense.
    pub fn decode(header: &Header, frame: &[u8]) -> Option<Effect> {
        let body = header.slab(frame);
        match header.kind {
            Kind::Records => Some(Effect::Records),
            Kind::Answers => Answers::decode_of(header.blocks(frame)).map(Effect::Answers),
            Kind::Verdict => PartVerdict::decode(body).map(Effect::Verdict),
            Kind::Cut => OpenCut::decode(body).map(Effect::Cut),
            Kind::Settle => Settlement::decode(body).map(Effect::Settle),
            Kind::Quarantined => super::control::decode_quarantined(body).map(Effect::Quarantine),
            Kind::End => Some(Effect::End),
        }
    }

    fn encode(&self) -> (Kind, Vec<u8>) {
        match self {
            Effect::Records | Effect::Answers(_) => {
                unreachable!("records are no control frame")
            }
            Effect::Verdict(verdict) => (Kind::Verdict, verdict.encode()),
            Effect::Cut(cut) => (Kind::Cut, cut.encode()),
            Effect::Settle(settlement) => (Kind::Settle, settlement.encode()),
            Effect::Quarantine(spans) => (Kind::Quarantined, encode_quarantined(spans)),
            Effect::End => (Kind::End, Vec::new()),
        }
    }
}

impl Entry {
    pub fn records(draft: Draft, answer: Answer) -> Entry {
        Entry {
            draft,
            effect: Effect::Records,
            logged: None,
            answer,
        }
    }

    pub fn answers(of: Span, draft: Draft, answer: Answer) -> Entry {
        Entry {
            draft,
            effect: Effect::Answers(of),
            logged: None,
            answer,
        }
    }

    pub fn control(reader: ReaderId, effect: Effect, now: Timestamp, answer: Answer) -> Entry {
        let (kind, body) = effect.encode();
        Entry {
            draft: Draft::control(kind, reader, body, now),
            effect,
            logged: None,
            answer,
        }
    }

    /// Whoever asked may be gone, and nobody minds.
    pub fn succeed(self, header: &Header) {
        match (self.answer, self.effect) {
            (Answer::Append(records, answer), _) => {
                let end = header.end().seq;
                let start = Seq::new(end.get() - records);
                drop(answer.send(Ok(SeqRange::new(start, end))));
            }
            (Answer::Cut(answer), Effect::Cut(cut)) => drop(answer.send(Ok(Cut::from(&cut)))),
            (Answer::Done(answer), _) => drop(answer.send(Ok(()))),
            (Answer::Cut(_) | Answer::Nobody, _) => {}
        }
    }

    pub fn fail(self) {
        match self.answer {
            Answer::Append(_, answer) => drop(answer.send(Err(AppendError::Failed))),
            Answer::Cut(answer) => drop(answer.send(Err(LogError::Failed))),
            Answer::Done(answer) => drop(answer.send(Err(LogError::Failed))),
            Answer::Nobody => {}
        }
    }
}
