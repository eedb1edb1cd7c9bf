//! One stream in one life: who puts to it, and what all who read it have in common.

use std::time::Duration;

use standpipe::buffer::{
    AppendError, Candidate, Cut, Health, Intake, LogError, Outlet, ReadError, Settled, Shape,
    Status,
};
use standpipe::model::{ByteSize, RecordsBuilder, Seq, SeqRange, Timestamp};
use tokio::time::{Instant, sleep};

use super::World;
use super::lives::{Chance, End};
use super::oracle::{Reader, Record, acknowledge, check_open_cuts, note_cut};

#[derive(Clone)]
pub struct Stream {
    pub world: World,
    pub number: usize,
    pub status: Status,
    pub end: End,
    pub until: Instant,
}

/// One record as it was read back.
pub struct Read {
    pub seq: Seq,
    pub text: Vec<u8>,
    pub arrival: Timestamp,
    /// Of the answers: why it failed and with whom, and what arrived.
    pub failed: Option<(String, Vec<u8>)>,
}

/// Nobody answers any more.
pub struct Gone;

pub fn text((stream, number): Record, padding: usize) -> String {
    format!("{stream} {number} {}", "x".repeat(padding))
}

/// The numbers at the beginning of a record or an answer.
pub fn words(text: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(text).unwrap();
    text.split(' ')
        .map_while(|word| word.parse().ok())
        .collect()
}

/// Of a record, or of its answer.
pub fn record(text: &[u8]) -> Record {
    let words = words(text);
    (words[0] as usize, words[1])
}

/// Puts until it is told to stop, or nobody answers any more.
pub async fn produce(world: World, stream: usize, intake: Intake, until: Instant) {
    while Instant::now() < until {
        let mut builder = RecordsBuilder::default();
        let mut put = Vec::new();
        for _ in 0..=world.chance.below(4) {
            let record = world.oracle().send(stream);
            put.push(record);
            let longest = [60, 400, 1500][stream];
            builder.push(text(record, world.chance.below(longest) as usize).as_bytes());
        }
        match intake.append(builder.build().unwrap()).await {
            Ok(range) => acknowledge(&world, stream, range, &put),
            Err(AppendError::Closed) => return,
            Err(AppendError::Full | AppendError::Failed | AppendError::Stopped) => {}
        }
        world.chance.pause([200, 15, 30][stream]).await;
    }
}

impl Stream {
    pub fn chance(&self) -> &Chance {
        &self.world.chance
    }

    /// Until it is told to stop, or all is at rest.
    pub fn goes_on(&self) -> bool {
        let totals = self.status.totals();
        let drained = totals[super::STREAMS[self.number]].buffered == 0;
        let is_over = self.end == End::Healed && drained;
        Instant::now() < self.until && self.status.health() != Health::Failed && !is_over
    }

    /// Asks again until the log took it, if it ever will.
    pub async fn until_durable<T, Asked>(
        &self,
        mut ask: impl FnMut() -> Asked,
    ) -> Result<Option<T>, Gone>
    where
        Asked: Future<Output = Result<T, LogError>>,
    {
        loop {
            match ask().await {
                Ok(taken) => return Ok(Some(taken)),
                Err(LogError::Closed) => return Err(Gone),
                Err(LogError::Failed | LogError::Full)
                    if self.status.health() == Health::Failed =>
                {
                    return Err(Gone);
                }
                Err(LogError::Full) if self.until <= Instant::now() => return Err(Gone),
                Err(LogError::Failed | LogError::Full) => self.chance().pause(20).await,
                Err(LogError::Stale) => {
                    let rotten = self.world.oracle().rotten;
                    self.world
                        .check(rotten, || "the log has moved on".to_owned());
                    return Ok(None);
                }
            }
        }
    }

    /// What the last lives left open.
    pub fn open_cuts(&self, reader: Reader, outlet: &Outlet) -> Vec<Cut> {
        check_open_cuts(&self.world, self.number, reader, outlet)
    }

    /// What waits behind all that is cut, at most so many bytes. `None`: nothing, or not now.
    pub async fn candidate(&self, outlet: &Outlet, bytes: u64) -> Option<Candidate> {
        let bytes = ByteSize::bytes(bytes);
        match outlet.candidate(bytes).await {
            Ok(candidate) => candidate,
            Err(ReadError::Damaged(range)) => {
                self.quarantine(outlet, range).await;
                None
            }
            Err(ReadError::Disk(_)) => None,
        }
    }

    /// Cuts what waits; `None` where nothing does.
    pub async fn cut(
        &self,
        reader: Reader,
        outlet: &Outlet,
        shape: &Shape,
    ) -> Result<Option<Cut>, Gone> {
        let bytes = [50, 5_000, 40_000][self.chance().below(3) as usize];
        let Some(candidate) = self.candidate(outlet, bytes).await else {
            return Ok(None);
        };
        let plan = candidate.range.to_string().into_bytes();
        let cut = || outlet.cut(&candidate, plan.clone(), shape.clone());
        let cut = self.until_durable(cut).await?;
        if let Some(cut) = &cut {
            note_cut(&self.world, self.number, reader, cut);
        }
        if self.chance().happens(150) {
            sleep(Duration::from_millis(self.chance().below(300))).await;
        }
        Ok(cut)
    }

    pub async fn settle(&self, outlet: &Outlet, cut: &Cut, failed: u64) -> Result<(), Gone> {
        let how = Settled::Delivered { failed };
        let settled = self.until_durable(|| outlet.settle(cut.id, how));
        settled.await?;
        self.world.oracle().settled.insert(cut.id.0);
        Ok(())
    }

    /// All records of some ranges. B3: without rot, each is there.
    pub async fn read(&self, outlet: &Outlet, ranges: &[SeqRange]) -> Result<Vec<Read>, Gone> {
        let mut read = Vec::new();
        for range in ranges {
            let mut at = range.start();
            while let Some(rest) = SeqRange::between(at, range.end()) {
                match outlet.extents().read(rest).await {
                    Ok(Some(chunk)) => {
                        let rotten = self.world.oracle().rotten;
                        self.world.check(rotten || chunk.first == at, || {
                            format!("B3: {} is read at {at}", chunk.first)
                        });
                        at = chunk.first.plus(chunk.records.count());
                        read.extend(records(&chunk));
                    }
                    Ok(None) => break,
                    Err(ReadError::Damaged(range)) => self.quarantine(outlet, range).await,
                    Err(ReadError::Disk(_)) => return Err(Gone),
                }
            }
        }
        let wanted: u64 = ranges.iter().map(|range| range.count()).sum();
        let rotten = self.world.oracle().rotten;
        self.world.check(rotten || read.len() as u64 == wanted, || {
            format!("{ranges:?} hold {} records", read.len())
        });
        Ok(read)
    }

    async fn quarantine(&self, outlet: &Outlet, range: SeqRange) {
        let rotten = self.world.oracle().rotten;
        let damaged = || format!("{range} is damaged, and nothing rotted");
        self.world.check(rotten, damaged);
        if outlet.quarantine(range).await.is_err() {
            self.chance().pause(50).await;
        }
    }
}

fn records(chunk: &standpipe::buffer::Chunk) -> Vec<Read> {
    let read = |(number, text): (usize, &[u8])| {
        let arrived = chunk.arrivals.iter().rev();
        let (_, arrival) = *arrived
            .into_iter()
            .find(|(from, _)| *from as usize <= number)
            .unwrap();
        let failed = chunk.failed.iter().find(|(at, _)| *at as usize == number);
        Read {
            seq: chunk.first.plus(number as u64),
            text: text.to_vec(),
            arrival,
            failed: failed.map(|(_, failed)| {
                let code = format!("{} by {}", failed.failure.code, failed.function);
                (code, failed.data.to_vec())
            }),
        }
    };
    chunk.records.iter().enumerate().map(read).collect()
}
