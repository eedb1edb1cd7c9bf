//! What must be true in the end, noted as it happens.

use std::collections::{BTreeMap, BTreeSet};

use standpipe::buffer::{Cut, Outlet, Shape, Status, Totals, Verdict, Verdicts};
use standpipe::model::{Seq, SeqRange, Timestamp};

use super::stream::{Read, record};
use super::{STREAMS, Wanted, World};

/// Stream and number.
pub type Record = (usize, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Arrivals,
    Answers,
    Backup,
}

/// What the function said of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    Ok(u64),
    Dropped,
    Failed(String),
}

/// Where a record rests; at the sink, as which answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Sink(Option<Given>),
    FailedOutput(String),
}

#[derive(Default)]
pub struct Oracle {
    next: u64,
    asks: u64,
    sent: BTreeSet<Record>,
    acknowledged: BTreeMap<(usize, Seq), Record>,
    /// When each was shown to have arrived.
    arrivals: BTreeMap<Record, Timestamp>,
    /// Whatever the function said.
    given: BTreeMap<Record, Vec<Given>>,
    /// What it said for good: we were told that this is durable, or we read it back.
    answered: BTreeMap<Record, Given>,
    cuts: BTreeMap<u64, (usize, Reader, Cut)>,
    pub settled: BTreeSet<u64>,
    /// By cut: what we were told is durable.
    verdicts: BTreeMap<u64, BTreeMap<Seq, String>>,
    /// Where pieces of a cut begin.
    borders: BTreeMap<u64, BTreeSet<Seq>>,
    pub rest: BTreeMap<Record, (u64, Place)>,
    copies: BTreeMap<Record, u64>,
    /// Bits flipped: some promises are off.
    pub rotten: bool,
}

impl Oracle {
    pub fn send(&mut self, stream: usize) -> Record {
        let record = (stream, self.next);
        self.next += 1;
        self.sent.insert(record);
        record
    }

    pub fn ask(&mut self) -> u64 {
        self.asks += 1;
        self.asks
    }

    pub fn give(&mut self, record: Record, given: Given, arrival: Timestamp) {
        self.arrivals.insert(record, arrival);
        self.given.entry(record).or_default().push(given);
    }

    /// An answer arrived when its record did.
    pub fn check_arrival(&self, world: &World, record: Record, arrival: Timestamp) {
        let known = self.arrivals.get(&record);
        world.check(known == Some(&arrival), || {
            format!("{record:?} arrived at {known:?}, and now at {arrival:?}")
        });
    }

    /// D1: an answer counts for good.
    pub fn see(&mut self, world: &World, record: Record, given: Given) {
        let ever = self.given.get(&record);
        world.check(ever.is_some_and(|ever| ever.contains(&given)), || {
            format!("{record:?} was never answered {given:?}")
        });
        let known = self.answered.insert(record, given.clone());
        let same = known.as_ref().is_none_or(|known| *known == given);
        world.check(self.rotten || same, || {
            format!("{record:?} was answered {known:?}, and now {given:?}")
        });
    }

    pub fn judge(&mut self, cut: u64, part: SeqRange, verdict: &Verdict) {
        let known = self.verdicts.entry(cut).or_default();
        for seq in part.start().get()..part.end().get() {
            known.entry(Seq::new(seq)).or_insert(code(verdict));
        }
    }

    pub fn verdict(&self, cut: u64, seq: Seq) -> Option<String> {
        self.verdicts.get(&cut)?.get(&seq).cloned()
    }

    pub fn divide(&mut self, cut: u64, border: Seq) {
        self.borders.entry(cut).or_default().insert(border);
    }

    /// Verdicts are there for good, and the first one stays; so are borders.
    pub fn check_verdicts(&mut self, world: &World, cut: u64, verdicts: &Verdicts) {
        let known = self.verdicts.entry(cut).or_default();
        if !self.rotten {
            for (seq, code) in known.iter() {
                let one = SeqRange::new(*seq, seq.plus(1));
                let there = verdicts.left(one).is_empty();
                world.check(there, || {
                    format!("a verdict on {seq} in {cut} is forgotten: {code}")
                });
            }
        }
        for (range, verdict) in verdicts.iter() {
            let seqs = (range.start().get()..range.end().get()).map(Seq::new);
            if let Verdict::AtRest { failed } = verdict {
                let codes = seqs.filter_map(|seq| known.get(&seq));
                let known = codes.filter(|code| *code != "delivered").count() as u64;
                world.check(self.rotten || known == *failed, || {
                    format!("{known} of {range} in {cut} failed, and {failed} are at rest")
                });
                continue;
            }
            for seq in seqs {
                let first = known.entry(seq).or_insert(code(verdict));
                let stays = *first == code(verdict);
                world.check(self.rotten || stays, || {
                    format!("{seq} in {cut} was {first}, and is {verdict:?}")
                });
            }
        }
        let all = SeqRange::new(Seq::new(0), Seq::new(u64::MAX));
        if let (Some(next), Some(borders)) = (verdicts.next(all), self.borders.get(&cut)) {
            let crossed = borders.range(next.start().plus(1)..next.end()).next();
            world.check(self.rotten || crossed.is_none(), || {
                format!("{crossed:?} in {cut} is forgotten: {next} is sent")
            });
        }
    }

    /// Each record has one place, and a repeat does not change it.
    pub fn rest(&mut self, world: &World, record: Record, cut: u64, place: Place) {
        let known = self.rest.insert(record, (cut, place.clone()));
        let same = known
            .as_ref()
            .is_none_or(|known| *known == (cut, place.clone()));
        world.check(self.rotten || same, || {
            format!("{record:?} rests in {known:?} and in {place:?} by {cut}")
        });
    }

    pub fn copy(&mut self, world: &World, record: Record, cut: u64) {
        let known = self.copies.insert(record, cut);
        let same = known.is_none_or(|known| known == cut);
        world.check(self.rotten || same, || {
            format!("{record:?} was copied by {known:?} and by {cut}")
        });
    }
}

fn code(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Delivered => "delivered".to_owned(),
        Verdict::Failed(failure) => failure.code.clone(),
        Verdict::AtRest { .. } => unreachable!("no record gets that for its verdict"),
    }
}

pub fn acknowledge(world: &World, stream: usize, range: SeqRange, put: &[Record]) {
    let mut oracle = world.oracle();
    world.check(range.count() == put.len() as u64, || {
        format!("{range} for {put:?}")
    });
    for (number, record) in put.iter().enumerate() {
        let seq = range.start().plus(number as u64);
        let before = oracle.acknowledged.insert((stream, seq), *record);
        world.check(oracle.rotten || before.is_none(), || {
            format!("B3: {record:?} got the number of {before:?}: {seq}")
        });
    }
}

/// D1: what has an answer is never asked for again.
pub fn check_unanswered(world: &World, read: &[Read]) {
    let oracle = world.oracle();
    for read in read {
        let record = record(&read.text);
        let known = oracle.answered.get(&record);
        world.check(oracle.rotten || known.is_none(), || {
            format!("{record:?} is asked for again, and was {known:?}")
        });
    }
}

/// What has an answer is not delivered as it arrived.
pub fn check_undelivered(world: &World, cut: &Cut, read: &[Read]) {
    check_unanswered(world, read);
    let rotten = world.oracle().rotten;
    world.check(rotten || read.len() as u64 == cut.records, || {
        format!("{cut:?} holds {} records", read.len())
    });
}

pub fn note_cut(world: &World, stream: usize, reader: Reader, cut: &Cut) {
    let mut oracle = world.oracle();
    let noted = (stream, reader, cut.clone());
    let before = oracle.cuts.insert(cut.id.0, noted);
    world.check(oracle.rotten || before.is_none(), || {
        format!("{cut:?} has the id of {before:?}")
    });
}

/// D3: what a restart repeats is what was cut.
pub fn check_open_cuts(world: &World, stream: usize, reader: Reader, outlet: &Outlet) -> Vec<Cut> {
    let open = outlet.open_cuts();
    let mut oracle = world.oracle();
    if !oracle.rotten {
        for (id, (of, kind, cut)) in &oracle.cuts {
            let is_ours = (*of, *kind) == (stream, reader);
            let is_open = open.iter().any(|open| open.id.0 == *id);
            // A settlement whose answer was lost may have happened all the same.
            let may_be_settled = oracle.settled.contains(id) || oracle.has_arrived(*id);
            world.check(!is_ours || is_open || may_be_settled, || {
                format!("{cut:?} is forgotten")
            });
        }
    }
    for cut in &open {
        let id = cut.id.0;
        world.check(oracle.rotten || !oracle.settled.contains(&id), || {
            format!("{cut:?} is open again")
        });
        let known = oracle
            .cuts
            .get(&id)
            .map(|(_, _, known)| without_verdicts(known));
        let same = known
            .as_ref()
            .is_none_or(|known| *known == without_verdicts(cut));
        world.check(oracle.rotten || same, || format!("{cut:?} was {known:?}"));
        oracle.cuts.insert(id, (stream, reader, cut.clone()));
    }
    open
}

fn without_verdicts(cut: &Cut) -> Cut {
    let shape = match cut.shape {
        Shape::Whole => Shape::Whole,
        Shape::InParts(_) => Shape::InParts(Verdicts::default()),
    };
    Cut {
        shape,
        ..cut.clone()
    }
}

impl Oracle {
    /// All of the cut's records reached their places.
    fn has_arrived(&self, cut: u64) -> bool {
        let rest = self.rest.values().any(|(by, _)| *by == cut);
        rest || self.copies.values().any(|by| *by == cut)
    }

    fn rest_of(&self, stream: usize) -> impl Iterator<Item = (&Record, &(u64, Place))> {
        self.rest.iter().filter(move |((of, _), _)| *of == stream)
    }
}

/// C1, across restarts.
pub fn check_totals(world: &World, status: &Status) {
    let oracle = world.oracle();
    for (stream, name) in STREAMS.iter().enumerate() {
        let totals = status.totals()[*name];
        let Totals {
            accepted,
            delivered,
            failed,
            dropped,
            expired,
            quarantined,
            buffered,
            ..
        } = totals;
        let at_rest = delivered + failed + dropped + expired + quarantined;
        world.check(accepted == at_rest + buffered, || format!("C1: {totals:?}"));
        if oracle.rotten {
            continue;
        }
        let acknowledged = oracle.acknowledged.keys().filter(|(of, _)| *of == stream);
        let acknowledged = acknowledged.count() as u64;
        world.check(acknowledged <= accepted, || {
            format!("{name}: {acknowledged} acknowledged, {totals:?}")
        });
        let settled = oracle
            .rest_of(stream)
            .filter(|(_, (cut, _))| oracle.settled.contains(cut));
        let is_failed = |place: &Place| matches!(place, Place::FailedOutput(_));
        let (bad, good): (Vec<_>, Vec<_>) = settled.partition(|(_, (_, place))| is_failed(place));
        let known = bad.len() as u64 <= failed && good.len() as u64 <= delivered;
        world.check(known, || format!("{name}: settled more than {totals:?}"));
        let droppings = oracle.answered.iter();
        let droppings =
            droppings.filter(|((of, _), given)| *of == stream && **given == Given::Dropped);
        let known = droppings.count() as u64 <= dropped && quarantined == 0 && expired == 0;
        world.check(known, || format!("{name}: {totals:?}"));
    }
}

pub fn check_healed(world: &World, status: &Status) {
    check_totals(world, status);
    let oracle = world.oracle();
    for (stream, name) in STREAMS.iter().enumerate() {
        let totals = status.totals()[*name];
        world.check(totals.buffered == 0, || {
            format!("{name} did not drain: {totals:?}")
        });
        if oracle.rotten {
            continue;
        }
        world.check(totals.buffered_bytes == 0, || format!("{name}: {totals:?}"));
        let is_failed = |place: &Place| matches!(place, Place::FailedOutput(_));
        let failed = oracle
            .rest_of(stream)
            .filter(|(_, (_, place))| is_failed(place));
        let failed = failed.count() as u64;
        let delivered = oracle.rest_of(stream).count() as u64 - failed;
        world.check(
            (totals.delivered, totals.failed) == (delivered, failed),
            || format!("{name}: {delivered} delivered, {failed} failed, but {totals:?}"),
        );
        if world.habits.backup[stream] == Wanted::Always {
            let copies = oracle.copies.keys().filter(|(of, _)| *of == stream);
            let copies = copies.count() as u64;
            world.check(copies == totals.accepted, || {
                format!("{name}: {copies} copies, {totals:?}")
            });
        }
    }
    if oracle.rotten {
        return;
    }
    let strange = oracle
        .rest
        .keys()
        .find(|record| !oracle.sent.contains(record));
    world.check(strange.is_none(), || format!("{strange:?} was never sent"));
    for ((stream, seq), record) in &oracle.acknowledged {
        let given = oracle.given.get(record);
        let may_be_dropped = match oracle.answered.get(record) {
            Some(answered) => *answered == Given::Dropped,
            None => given.is_some_and(|given| given.contains(&Given::Dropped)),
        };
        let rests = oracle.rest.contains_key(record);
        world.check(
            rests != may_be_dropped || rests && !oracle.answered.contains_key(record),
            || format!("{record:?} at {seq} rests: {rests}, dropped: {may_be_dropped}"),
        );
        if world.habits.backup[*stream] == Wanted::Always {
            let copied = oracle.copies.contains_key(record);
            world.check(copied, || format!("{record:?} at {seq} is not backed up"));
        }
    }
}
