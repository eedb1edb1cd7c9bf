//! What arrived goes through the transformer, and its answers go back into the log.
//!
//! ```text
//!   arrivals ─► invocation 1 ─┐
//!            ─► invocation 2 ─┼─► in the order of their records ─► answers, durable (D1)
//!            ─► invocation 3 ─┘
//! ```
//!
//! Several invocations are under way at once, while the function keeps up and there is memory for them;
//! their answers enter the log in the order of the records, and count from then on and for good
//! (`answering`). A crash repeats only what was not yet there.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Ended;
use super::answering::{self, Batch, Desk, LOGGING, Turns};
use super::pause::Pause;
use super::progress::Progress;
use crate::buffer::{Candidate, Mark, Outlet, ReadError, StreamFacts};
use crate::model::{ByteSize, DirectoryId, Records, RecordsBuilder, Seq, SeqRange};
use crate::outside::Dice;
use crate::outside::memory::{Share, Taken};
use crate::outside::stop::{Mode, Phase, SaidAtTheEnd, Stop};
use crate::telemetry::happened;
use crate::transform::{
    self, Arrivals, Decision, Demand, Hints, Invocation, Largest, Origin, Pace, Parallelism,
    RecordIds, Transformer,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub hints: Hints,
    /// Invocations under way at once, at most.
    pub parallel_max: usize,
}

/// What the transforming of a stream works with.
pub struct Line {
    pub facts: StreamFacts,
    pub directory: DirectoryId,
    /// Of what arrived.
    pub outlet: Arc<Outlet>,
    pub transformer: Arc<Transformer>,
    pub progress: Progress,
    /// For what invocations hold. Not the room of uploads: those empty the log, for which answers may
    /// have to wait.
    pub memory: Share,
    pub mode: Mode,
    pub stop: Stop,
    /// Draining once nobody can put any more.
    pub intake_ended: Stop,
    /// There will be no further answers.
    pub ended: SaidAtTheEnd,
}

pub struct Transforming {
    settings: Settings,
    line: Line,
    desk: Desk,
    parallelism: Parallelism,
    under_way: JoinSet<answering::Ended>,
    turns: Turns,
    /// Everything before it is under way, or answered.
    claimed: Mark,
    /// The next invocation waits for its room, or has it.
    room_wanted: Option<BoxFuture<'static, Room>>,
    room: Option<Room>,
    pause: Pause,
    dice: Dice,
}

/// For an invocation of at most this size.
struct Room {
    largest: Largest,
    taken: Taken,
}

enum Event {
    Stop(Phase),
    Ended(Result<answering::Ended, JoinError>),
    Room(Room),
    Arrived(Seq),
    Due,
}

/// Why nothing more is started now.
enum Due {
    Nothing,
    At(Instant),
}

impl Transforming {
    pub fn new(settings: Settings, line: Line, dice: Dice) -> Transforming {
        let desk = Desk {
            stream: line.facts.name.clone(),
            outlet: Arc::clone(&line.outlet),
            function: line.transformer.function().into(),
            transformer: Arc::clone(&line.transformer),
            progress: line.progress.clone(),
        };
        Transforming {
            parallelism: Parallelism::up_to(settings.parallel_max),
            settings,
            line,
            desk,
            under_way: JoinSet::new(),
            turns: Turns::new(),
            claimed: Mark::default(),
            room_wanted: None,
            room: None,
            pause: Pause::default(),
            dice,
        }
    }

    /// Runs until the stop has gone as far as its mode wants: with `Keep` the invocations under way
    /// are finished, with `Deliver` everything that arrived is answered.
    pub async fn run(mut self) -> Ended {
        let (mode, mut stop) = (self.line.mode, self.line.stop.clone());
        let mut intake_ended = self.line.intake_ended.clone();
        let mut phase = stop.phase();
        let mut seen = Seq::ZERO;
        loop {
            self.line.progress.awake();
            let due = match (phase, mode) {
                (Phase::Running, _) | (Phase::Draining, Mode::Deliver) => self.invoke(phase).await,
                (Phase::Draining, Mode::Keep) | (Phase::Halting, _) => Due::Nothing,
            };
            if self.is_over(phase, mode) {
                return self.end().await;
            }
            let due = match due {
                Due::Nothing => None,
                Due::At(instant) => Some(instant),
            };
            self.line.progress.wakes_by(due);
            let may_still_put = intake_ended.phase() < Phase::Draining;
            let event = tokio::select! {
                biased;
                () = intake_ended.reached(Phase::Draining), if may_still_put => Event::Due,
                () = stop.reached(super::after(phase)), if phase < Phase::Halting => Event::Stop(stop.phase()),
                Some(ended) = self.under_way.join_next() => Event::Ended(ended),
                room = wanted(&mut self.room_wanted), if self.room_wanted.is_some() => Event::Room(room),
                tail = self.line.outlet.durable_tail_above(seen) => Event::Arrived(tail),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            };
            match event {
                Event::Stop(reached) => phase = reached,
                Event::Ended(Ok(ended)) => self.ended(ended).await,
                Event::Ended(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Event::Room(room) => {
                    self.line.progress.ended(ROOM);
                    self.room_wanted = None;
                    self.room = Some(room);
                }
                Event::Arrived(tail) => seen = tail,
                Event::Due => {}
            }
        }
    }

    async fn ended(&mut self, ended: answering::Ended) {
        match ended {
            answering::Ended::Answered(pace) => self.kept_pace(pace),
            answering::Ended::Stale => self.look_again().await,
            // The daemon ends, and its stop is on the way.
            answering::Ended::Closed => {}
        }
    }

    fn kept_pace(&mut self, pace: Pace) {
        self.pause.over();
        let waiting = self.line.outlet.waiting_from(self.claimed);
        let demand = match waiting.records {
            0 => Demand::Met,
            _ => Demand::Waiting,
        };
        self.parallelism.ended(pace, demand);
    }

    /// What is under way rests on what the log no longer says: it is given up, as by a crash, and what
    /// has no answer is read anew.
    async fn look_again(&mut self) {
        happened::transform::looked_again(&self.line.facts.name);
        self.under_way.shutdown().await;
        self.line.progress.ended(LOGGING);
        self.turns = Turns::new();
        self.claimed = Mark::default();
        self.pause.begin(&mut self.dice);
    }

    /// Starts whatever is due.
    async fn invoke(&mut self, phase: Phase) -> Due {
        loop {
            let room = self.room.take();
            if let Some(ends) = self.pause.ends() {
                return Due::At(ends);
            }
            if self.parallelism.allowed() <= self.under_way.len() || self.room_wanted.is_some() {
                return Due::Nothing;
            }
            let outlet = &self.line.outlet;
            let waiting = outlet.waiting_from(self.claimed);
            let waiting = transform::Waiting {
                records: waiting.records,
                bytes: waiting.bytes,
                oldest: waiting.oldest,
            };
            let now = outlet.log_now();
            match (phase, self.settings.hints.decide(waiting, now)) {
                (_, Decision::Idle) => return Due::Nothing,
                (Phase::Running, Decision::WaitUntil(time)) => {
                    return Due::At(Instant::now() + time.since(now));
                }
                (Phase::Draining | Phase::Halting, Decision::WaitUntil(_))
                | (_, Decision::Invoke) => {}
            }
            let Some(room) = room else {
                let largest = self.settings.hints.largest(waiting);
                self.room_wanted = Some(take(self.line.memory.clone(), largest).boxed());
                self.line.progress.waits(ROOM);
                return Due::Nothing;
            };
            match self.read(room).await {
                Ok(Some(batch)) => self.start(batch),
                Ok(None) => return Due::Nothing,
                Err(error) => self.not_read(&error).await,
            }
        }
    }

    async fn read(&mut self, room: Room) -> Result<Option<Batch>, ReadError> {
        let size = self.settings.hints.get().size.get();
        let size = ByteSize::bytes(size.min(room.largest.bytes as u64));
        let candidate = self.line.outlet.candidate_from(self.claimed, size).await?;
        let Some(candidate) = candidate else {
            return Ok(None);
        };
        let extents = self.line.outlet.extents();
        let most = room.largest.records.max(1);
        let mut gathered = RecordsBuilder::with_capacity(candidate.bytes as usize, most);
        let mut arrivals = Arrivals::default();
        let mut left = Some(candidate.range);
        while let Some(range) = left.filter(|_| gathered.count() < most) {
            let Some(chunk) = extents.read(range).await? else {
                break;
            };
            let starts = chunk.arrivals.iter().map(|(from, _)| *from as usize);
            let ends = starts.clone().skip(1).chain([chunk.records.ends().len()]);
            for ((start, end), (_, at)) in starts.zip(ends).zip(&chunk.arrivals) {
                arrivals.push(end - start, *at);
            }
            chunk
                .records
                .iter()
                .for_each(|record| gathered.push(record));
            left = SeqRange::between(chunk.first.plus(chunk.records.count()), range.end());
        }
        let records = gathered.build();
        Ok(records.map(|records| self.batch(&candidate, records, arrivals, room)))
    }

    /// As many of the records as fit one request.
    fn batch(
        &self,
        candidate: &Candidate,
        records: Records,
        arrivals: Arrivals,
        mut room: Room,
    ) -> Batch {
        let lengths = records.iter().map(<[u8]>::len);
        let count = self
            .settings
            .hints
            .take(lengths)
            .min(room.largest.records.max(1));
        let records = records.slice(0, count);
        room.taken.shrink(Largest::of(&records).bytes_held_max());
        let start = candidate.range.start();
        let bytes = records.slab().len() as u64;
        Batch {
            range: SeqRange::new(start, start.plus(count as u64)),
            end: candidate.start.plus(count as u64, bytes),
            invocation: Invocation {
                records,
                ids: RecordIds::new(self.line.directory, self.line.facts.id, start),
                arrivals,
                origin: Origin::DirectPut,
            },
            _room: room.taken,
        }
    }

    fn start(&mut self, batch: Batch) {
        self.claimed = batch.end;
        let (desk, turn, dice) = (self.desk.clone(), self.turns.next(), self.dice.fork());
        self.under_way.spawn(desk.answer(batch, turn, dice));
    }

    async fn not_read(&mut self, error: &ReadError) {
        match error {
            ReadError::Disk(_) => {
                let say = self.line.progress.buffer_trouble("read");
                happened::delivery::unreadable(&self.line.facts.name, error, say);
            }
            ReadError::Damaged(stretch) => {
                happened::delivery::damaged(&self.line.facts.name, *stretch);
                // B5: when even that fails, the same stretch will be met again after the pause.
                if self.line.outlet.quarantine(*stretch).await.is_ok() {
                    return;
                }
            }
        }
        self.pause.begin(&mut self.dice);
    }

    fn is_over(&self, phase: Phase, mode: Mode) -> bool {
        let idle = self.under_way.is_empty();
        match (phase, mode) {
            (Phase::Running, _) => false,
            (Phase::Draining, Mode::Keep) => idle,
            (Phase::Draining, Mode::Deliver) => {
                let nobody_puts = Phase::Draining <= self.line.intake_ended.phase();
                nobody_puts && idle && self.line.outlet.waiting().records == 0
            }
            (Phase::Halting, _) => true,
        }
    }

    async fn end(mut self) -> Ended {
        self.under_way.shutdown().await;
        match self.line.outlet.waiting().records {
            0 => Ended::Empty,
            _ => Ended::Left,
        }
    }
}

/// For `Progress`: who waits for memory, and there is only one. Beside `LOGGING`.
const ROOM: u64 = LOGGING + 1;

async fn take(memory: Share, largest: Largest) -> Room {
    let taken = memory.take(largest.bytes_held_max()).await;
    Room { largest, taken }
}

/// What was wanted, once it is there. Cancel-safe: who waits keeps its place.
async fn wanted(room: &mut Option<BoxFuture<'static, Room>>) -> Room {
    match room {
        Some(room) => room.await,
        None => std::future::pending().await,
    }
}
