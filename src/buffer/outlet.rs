//! The way out: what waits, cutting it, and bringing it to rest.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::answers::{self, Answered, Answers};
use super::control::{OpenCut, Shape};
use super::frame::Draft;
use super::ledger::{self, Position, Span};
use super::queue::{
    AnswerArrivals, Door, GiveVerdict, NewCut, Quarantine, Refused, Request, Settle,
};
use super::reading::{Chunk, Reader};
use super::verdicts::{PartVerdict, Said, Verdict, Verdicts};
use crate::model::{ByteSize, LogTime, Seq, SeqRange, Timestamp};
use crate::outside::disk::off_thread;
use crate::telemetry::happened;

/// The right to read one stream's records and to bring them to rest.
pub struct Outlet {
    reader: Reader,
    door: Arc<Door>,
}

/// What is durable and not yet cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub records: u64,
    pub bytes: u64,
    /// When the oldest of them entered the log, on the log clock.
    pub oldest: Option<LogTime>,
}

/// A place between two records of a lane: to look at what waits behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(Position);

impl Mark {
    /// So many records, and their bytes, further on.
    pub fn plus(self, records: u64, bytes: u64) -> Mark {
        Mark(self.0.plus(records, bytes))
    }
}

/// The records with which the next batch would start: whole records, in order, never more than asked
/// for unless the first one alone is more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub range: SeqRange,
    pub bytes: u64,
    /// Where it begins.
    pub start: Mark,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CutId(pub u64);

/// Everything that a repeat needs, after a crash, an upgrade or a reload (D3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub id: CutId,
    /// Disjoint, ascending; dense for a reader without partitions.
    pub ranges: Vec<SeqRange>,
    pub records: u64,
    pub bytes: u64,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
    /// How to deliver it, in the pipeline's own words (at most `limits::PLAN_BYTES_MAX`): the buffer
    /// keeps it and does not look inside.
    pub plan: Vec<u8>,
    pub shape: Shape,
}

impl From<&OpenCut> for Cut {
    fn from(cut: &OpenCut) -> Cut {
        Cut {
            id: cut.id,
            ranges: cut.spans.iter().map(|span| span.range()).collect(),
            records: ledger::records(&cut.spans),
            bytes: cut.spans.iter().map(|span| span.bytes()).sum(),
            first_arrival: cut.first_arrival,
            first_logged: cut.first_logged,
            plan: cut.plan.clone(),
            shape: cut.shape.clone(),
        }
    }
}

/// Where a cut's records came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// At the sink, but for `failed` of them, which rest in the failed output.
    Delivered {
        failed: u64,
    },
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Whether it is on disk is known only after a restart: try the very same again.
    #[error("the log could not be written")]
    Failed,
    /// B7: there is no room, for answers or for one more open cut, until deliveries have made some.
    #[error("the log is full")]
    Full,
    /// It does not follow from what the log holds by now: look again. Trying the same is in vain.
    #[error("the log has moved on")]
    Stale,
    #[error("the buffer is closed")]
    Closed,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// B5: these records cannot be read back. `Outlet::quarantine` brings them to rest.
    #[error("records {0} are damaged")]
    Damaged(SeqRange),
    #[error("failed to read the log")]
    Disk(#[source] Arc<std::io::Error>),
}

impl Outlet {
    pub(super) fn new(reader: Reader, door: Arc<Door>) -> Outlet {
        Outlet { reader, door }
    }

    /// Returns once the durable tail is above `seen`. Cancel-safe.
    pub async fn durable_tail_above(&self, seen: Seq) -> Seq {
        let tails = &self.reader.shared.tails;
        let tail = tails
            .get(&self.reader.id.lane())
            .expect("an outlet's stream is open");
        tail.reached(|tail| seen < tail).await
    }

    pub fn waiting(&self) -> Waiting {
        self.waiting_from(Mark::default())
    }

    /// What waits behind `from`.
    pub fn waiting_from(&self, from: Mark) -> Waiting {
        let uncut = self.reader.uncut(from.0);
        let inner = self.reader.shared.inner();
        let first = uncut.first().map(|span| span.start.seq);
        Waiting {
            records: ledger::records(&uncut),
            bytes: uncut.iter().map(|span| span.bytes()).sum(),
            oldest: first.and_then(|first| inner.logged_at(self.reader.id.lane(), first)),
        }
    }

    /// Now, on the log clock.
    pub fn log_now(&self) -> LogTime {
        self.reader.shared.log_clock.now()
    }

    /// What the next batch of at most `bytes` would hold; `None` while nothing waits.
    pub async fn candidate(&self, bytes: ByteSize) -> Result<Option<Candidate>, ReadError> {
        self.candidate_from(Mark::default(), bytes).await
    }

    /// The same behind `from`.
    pub async fn candidate_from(
        &self,
        from: Mark,
        bytes: ByteSize,
    ) -> Result<Option<Candidate>, ReadError> {
        let reader = self.reader.clone();
        let look = move || reader.candidate(from.0, bytes);
        let found = off_thread(&self.reader.shared.disk, look).await?;
        Ok(found.map(|(span, first)| Candidate {
            range: span.range(),
            bytes: span.bytes(),
            start: Mark(span.start),
            first_arrival: first.arrival,
            first_logged: first.logged,
        }))
    }

    /// Cuts without a settlement, oldest first: what a restart must repeat.
    pub fn open_cuts(&self) -> Vec<Cut> {
        let inner = self.reader.shared.inner();
        let stream = inner.state.streams.get(&self.reader.id.stream);
        let cuts = stream.into_iter();
        let cuts = cuts.flat_map(|stream| stream.cuts(self.reader.id.kind));
        cuts.map(Cut::from).collect()
    }

    /// What became so far of a cut that is delivered in parts; `None` once it is at rest.
    pub fn verdicts<T>(&self, cut: CutId, look: impl FnOnce(&Verdicts) -> T) -> Option<T> {
        let inner = self.reader.shared.inner();
        let stream = inner.state.streams.get(&self.reader.id.stream)?;
        match &stream.reader(self.reader.id.kind)?.cuts.get(&cut)?.shape {
            Shape::InParts(verdicts) => Some(look(verdicts)),
            Shape::Whole => None,
        }
    }

    /// Durable when it returns, as are the next ones. After `Failed` the cut may be on disk all the
    /// same: the same candidate and plan are tried until known, or `Stale`.
    pub async fn cut(
        &self,
        candidate: &Candidate,
        plan: Vec<u8>,
        shape: Shape,
    ) -> Result<Cut, LogError> {
        let span = self.span(candidate).ok_or(LogError::Stale)?;
        let (answer, answered) = oneshot::channel();
        let cut = NewCut {
            reader: self.reader.id,
            span,
            first_arrival: candidate.first_arrival,
            first_logged: candidate.first_logged,
            plan,
            shape,
            answer,
        };
        self.ask(Request::Cut(cut))?;
        answered.await.unwrap_or(Err(LogError::Closed))
    }

    /// A candidate starts where something waits.
    fn span(&self, candidate: &Candidate) -> Option<Span> {
        let uncut = self.reader.uncut(Position::ZERO);
        let waiting = uncut
            .iter()
            .find(|span| span.start.seq == candidate.range.start())?;
        let end = waiting.start.plus(candidate.range.count(), candidate.bytes);
        Span::between(waiting.start, end)
    }

    /// What became of a part of a cut that is delivered in parts, as far as its records have no verdict
    /// yet. Once the verdicts `are_full`, what failed must come to rest before more may fail: until
    /// then that is `Stale`. A reason too long to be kept beside the others is cut short.
    pub async fn verdict(
        &self,
        cut: CutId,
        part: SeqRange,
        verdict: Verdict,
    ) -> Result<(), LogError> {
        self.say(cut, part, Said::Judged(verdict)).await
    }

    /// The part goes out in pieces from now on, which begin at these records too. `Stale` where there
    /// is no room for so many.
    pub async fn divide(
        &self,
        cut: CutId,
        part: SeqRange,
        borders: Vec<Seq>,
    ) -> Result<(), LogError> {
        self.say(cut, part, Said::Divided(borders)).await
    }

    /// What is left of the cut, be it whole or in parts, goes by another plan from now on: one for the
    /// destination that its stream has today. Verdicts on it stay.
    pub async fn move_to(&self, cut: &Cut, plan: Vec<u8>) -> Result<(), LogError> {
        let ends = cut.ranges.first().zip(cut.ranges.last());
        let (first, last) = ends.expect("a cut has at least one range");
        let whole = SeqRange::new(first.start(), last.end());
        self.say(cut.id, whole, Said::Moved(plan)).await
    }

    async fn say(&self, cut: CutId, part: SeqRange, said: Said) -> Result<(), LogError> {
        let (answer, answered) = oneshot::channel();
        let give = GiveVerdict {
            reader: self.reader.id,
            verdict: PartVerdict { cut, part, said },
            answer,
        };
        self.ask(Request::Verdict(give))?;
        answered.await.unwrap_or(Err(LogError::Closed))
    }

    /// What `function` answered to all of `of`, one answer for each record and in order: the arrivals
    /// are at rest, and their answers wait in a lane of their own. `Stale` while an arrival before them
    /// has no answer. Long answers enter the log piece by piece, and each piece counts. So after
    /// `Failed` or `Full` the very same are given again: what has an answer keeps it (D1).
    pub async fn answer(
        &self,
        of: SeqRange,
        function: &Arc<str>,
        answered: &[Answered],
    ) -> Result<(), LogError> {
        let given = answered.len() as u64;
        assert_eq!(of.count(), given, "D1: each record has exactly one answer");
        for piece in self.unanswered(of, function, answered)? {
            let (answer, done) = oneshot::channel();
            let request = AnswerArrivals {
                stream: self.reader.id.stream,
                of: piece.of,
                draft: Draft::answers(self.reader.id.stream, &piece),
                answer,
            };
            self.ask(Request::Answer(request))?;
            done.await.unwrap_or(Err(LogError::Closed))?;
        }
        Ok(())
    }

    /// The answers to what of `of` has none yet and is not quarantined, as frames.
    fn unanswered(
        &self,
        of: SeqRange,
        function: &Arc<str>,
        answered: &[Answered],
    ) -> Result<Vec<Answers>, LogError> {
        let uncut = self.reader.uncut(Position::ZERO);
        if uncut
            .first()
            .is_some_and(|next| next.start.seq < of.start())
        {
            return Err(LogError::Stale);
        }
        let bytes_max = self.reader.shared.geometry.payload_bytes_max();
        let mut frames = Vec::new();
        for span in uncut {
            let Some(range) = span.range().shared(of) else {
                break;
            };
            let from = (range.start().get() - of.start().get()) as usize;
            let given = &answered[from..from + range.count() as usize];
            frames.extend(answers::split(span, function, given, bytes_max));
        }
        Ok(frames)
    }

    /// Brings a cut's records to rest. A cut that is at rest already stays so.
    pub async fn settle(&self, cut: CutId, how: Settled) -> Result<(), LogError> {
        let (answer, answered) = oneshot::channel();
        let settle = Settle {
            reader: self.reader.id,
            cut,
            how,
            answer,
        };
        self.ask(Request::Settle(settle))?;
        answered.await.unwrap_or(Err(LogError::Closed))
    }

    /// B5: copies the damaged stretch to `quarantine/` and brings its records to rest, for this reader:
    /// another one may have read them before.
    pub async fn quarantine(&self, range: SeqRange) -> Result<(), LogError> {
        let reader = self.reader.clone();
        let shared = &self.reader.shared;
        let (spans, copied) = off_thread(&shared.disk, move || reader.copy_damaged(range)).await;
        match copied {
            Ok(stretches) => {
                for stretch in stretches {
                    let bytes = u64::from(stretch.length);
                    let metrics = &shared.metrics;
                    happened::buffer::damaged(metrics, stretch.segment, stretch.offset, bytes);
                }
            }
            Err(error) => happened::buffer::quarantine_copy_failed(&error),
        }
        if spans.is_empty() {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let quarantine = Quarantine {
            reader: self.reader.id,
            spans,
            answer,
        };
        self.ask(Request::Quarantine(quarantine))?;
        answered.await.unwrap_or(Err(LogError::Closed))?;
        let inner = shared.inner();
        if let Some(stream) = inner.state.streams.get(&self.reader.id.stream) {
            happened::buffer::quarantined(&stream.facts.name, range);
        }
        Ok(())
    }

    /// The right to read, for whoever delivers.
    pub fn extents(&self) -> Extents {
        Extents(self.reader.clone())
    }

    fn ask(&self, request: Request) -> Result<(), LogError> {
        self.door.0.push(request).map_err(|refused| match refused {
            Refused::Full => LogError::Failed,
            Refused::Closed => LogError::Closed,
        })
    }
}

/// The right to read one stream's records. Cheap to clone.
#[derive(Clone)]
pub struct Extents(Reader);

impl Extents {
    /// The next records of `range`, at least one and at most about `limits::READ_BYTES_MAX` unless a
    /// single frame is larger; quarantined ones are left out, so the answer may start later than the
    /// range, or be `None` when nothing of it is left.
    pub async fn read(&self, range: SeqRange) -> Result<Option<Chunk>, ReadError> {
        let reader = self.0.clone();
        off_thread(&self.0.shared.disk, move || reader.read(range)).await
    }

    /// Whether none of these records was quarantined, so that all of them will be read.
    pub fn are_whole(&self, ranges: &[SeqRange]) -> bool {
        self.0.are_live(ranges)
    }
}
