//! What became of the parts of a batch that is delivered in requests of bounded size (D5).
//!
//! ```text
//! 0..750 at rest, 9 failed | 750..760 delivered | 760..761 A | 761..2000 has none     verdicts
//!                                                                1000   1500           borders
//! ```
//!
//! A part is named by its records' range. One that goes out in smaller pieces has **borders** inside,
//! so a repeat after a crash makes the same requests, and goes on where no verdict was given.
//!
//! Bounded, because every snapshot holds them: neighbours with the same verdict become one, messages
//! share a budget, and when that is used up, what failed so far goes to the failed output: all that
//! is left of its verdicts is that it is at rest.
//!
//! A batch whose stream got another destination is **moved**: what is left of it goes by another plan.
//! One that was to be delivered whole has verdicts from then on, too.

use std::collections::BTreeSet;

use super::CutId;
use super::wire::{Reader, Writer};
use crate::model::{Failure, Seq, SeqRange, Timestamp, limits};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Its records belong into the failed output.
    Failed(Failure),
    /// So many of its records are in the failed output by now; the others were delivered.
    AtRest {
        failed: u64,
    },
}

/// The verdicts of one cut, in order of their ranges, which are disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    given: Vec<(SeqRange, Verdict)>,
    /// Where a piece begins, beside at the first record without a verdict.
    borders: BTreeSet<Seq>,
}

/// A verdict, a division or a move, as a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartVerdict {
    pub cut: CutId,
    pub part: SeqRange,
    pub said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Judged(Verdict),
    /// The part goes out in pieces, which begin at these records too.
    Divided(Vec<Seq>),
    /// What is left of the whole batch goes by this plan.
    Moved(Vec<u8>),
}

/// Numbers are for good.
const DELIVERED: u64 = 1;
const FAILED: u64 = 2;
const AT_REST: u64 = 3;
const DIVIDED: u64 = 4;
const MOVED: u64 = 5;

impl Verdicts {
    /// On those records of the part that have none: the first verdict on a record stays, until it is
    /// at rest. A reason is cut to what the others left of the budget.
    pub fn add(&mut self, part: SeqRange, verdict: Verdict) {
        match verdict {
            Verdict::AtRest { failed } => self.come_to_rest(part, failed),
            Verdict::Delivered | Verdict::Failed(_) => {
                let left = self.left(part);
                let verdict = self.shortened(verdict, left.len());
                for part in left {
                    self.insert(part, verdict.clone());
                }
            }
        }
        self.borders
            .retain(|border| *border < part.start() || part.end() < *border);
    }

    /// What was not at rest already is: said twice, the failed records count once.
    fn come_to_rest(&mut self, part: SeqRange, failed: u64) {
        let at_rest = |(known, verdict): &(SeqRange, Verdict)| match verdict {
            Verdict::AtRest { .. } => Some(*known),
            Verdict::Delivered | Verdict::Failed(_) => None,
        };
        let pieces = outside(part, self.given.iter().filter_map(at_rest));
        for (nth, piece) in pieces.into_iter().enumerate() {
            self.forget(piece);
            let failed = if nth == 0 { failed } else { 0 };
            self.insert(piece, Verdict::AtRest { failed });
        }
    }

    /// Nothing in `part`, of which nothing is at rest, has a verdict any more.
    fn forget(&mut self, part: SeqRange) {
        let rest = self.given.drain(..).flat_map(|(known, verdict)| {
            let before = SeqRange::between(known.start(), part.start().min(known.end()));
            let after = SeqRange::between(part.end().max(known.start()), known.end());
            let rest = [before, after].into_iter().flatten();
            rest.map(move |rest| (rest, verdict.clone()))
        });
        self.given = rest.collect();
    }

    /// The part goes out in pieces, the last of which ends where it ends. What has a verdict is not
    /// sent, and needs no border.
    pub fn divide(&mut self, part: SeqRange, borders: &[Seq]) {
        let unsent = self.left(part);
        let inside = |border: &&Seq| unsent.iter().any(|range| range.contains(**border));
        let inside = borders.iter().filter(inside).copied();
        let end = unsent.last().map(|last| last.end());
        self.borders.extend(inside.chain(end));
    }

    /// Pieces are as one destination wanted them, and there is another now.
    pub fn undivide(&mut self) {
        self.borders.clear();
    }

    /// The next request of `part`: from its first record without a verdict to the end of that piece.
    pub fn next(&self, part: SeqRange) -> Option<SeqRange> {
        let first = self.left(part).first().copied()?;
        let mut borders = self.borders.range(first.start().plus(1)..);
        let end = borders
            .next()
            .map_or(first.end(), |border| first.end().min(*border));
        Some(SeqRange::new(first.start(), end))
    }

    /// What of `part` has no verdict, ascending.
    pub fn left(&self, part: SeqRange) -> Vec<SeqRange> {
        outside(part, self.given.iter().map(|(known, _)| *known))
    }

    /// As a verdict that is kept so many times.
    fn shortened(&self, verdict: Verdict, times: usize) -> Verdict {
        let Verdict::Failed(mut failure) = verdict else {
            return verdict;
        };
        let bytes = self.message_bytes_left() / times.max(1);
        let end = failure.message.floor_char_boundary(bytes);
        failure.message.truncate(end);
        Verdict::Failed(failure)
    }

    fn insert(&mut self, part: SeqRange, verdict: Verdict) {
        let at = self
            .given
            .partition_point(|(known, _)| known.start() < part.start());
        self.given.insert(at, (part, verdict));
        self.merge(at);
        if let Some(before) = at.checked_sub(1) {
            self.merge(before);
        }
    }

    /// Makes one of the `at`-th and the next, if they are neighbours that agree.
    fn merge(&mut self, at: usize) {
        let [(range, verdict), (next, next_verdict), ..] = &self.given[at..] else {
            return;
        };
        if range.end() != next.start() {
            return;
        }
        let both = match (verdict, next_verdict) {
            (Verdict::AtRest { failed }, Verdict::AtRest { failed: more }) => Verdict::AtRest {
                failed: failed.saturating_add(*more),
            },
            (one, other) if one != other => return,
            (one, _) => one.clone(),
        };
        self.given[at] = (SeqRange::new(range.start(), next.end()), both);
        self.given.remove(at + 1);
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(SeqRange, Verdict)> {
        self.given.iter()
    }

    /// `None` where records of the part have none, or not the same.
    pub fn of(&self, part: SeqRange) -> Option<&Verdict> {
        let after = self
            .given
            .partition_point(|(known, _)| known.start() <= part.start());
        let (known, verdict) = self.given[..after].last()?;
        (part.end() <= known.end()).then_some(verdict)
    }

    pub fn have_failures(&self) -> bool {
        let failed = |(_, verdict): &(SeqRange, Verdict)| matches!(verdict, Verdict::Failed(_));
        self.given.iter().any(failed)
    }

    /// How many records are in the failed output already; `None` before the first filing.
    pub fn filed(&self) -> Option<u64> {
        let filed = self.given.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::AtRest { failed } => Some(*failed),
            Verdict::Delivered | Verdict::Failed(_) => None,
        });
        filed.reduce(u64::saturating_add)
    }

    /// From the first record that has a verdict and is not at rest to the last before a record of these
    /// ranges that has none.
    pub fn unfiled(&self, ranges: &[SeqRange]) -> Option<SeqRange> {
        let judged = |(_, verdict): &&(SeqRange, Verdict)| match verdict {
            Verdict::AtRest { .. } => false,
            Verdict::Delivered | Verdict::Failed(_) => true,
        };
        let mut judged = self.given.iter().filter(judged).map(|(range, _)| *range);
        let first = judged.next()?;
        let holes = ranges.iter().flat_map(|range| self.left(*range));
        let hole = holes
            .map(|hole| hole.start())
            .find(|hole| first.start() < *hole);
        let before = |judged: &SeqRange| hole.is_none_or(|hole| judged.end() <= hole);
        let last = judged.rfind(before).unwrap_or(first);
        Some(SeqRange::new(first.start(), last.end()))
    }

    /// How long all messages to come may be.
    fn message_bytes_left(&self) -> usize {
        let messages = self.given.iter().map(|(_, verdict)| match verdict {
            Verdict::Delivered | Verdict::AtRest { .. } => 0,
            Verdict::Failed(failure) => failure.message.len(),
        });
        limits::VERDICT_MESSAGES_PER_CUT_BYTES_MAX.saturating_sub(messages.sum())
    }

    /// What failed must come to rest before more may fail: there is no room for another verdict, or
    /// hardly any for its reason.
    pub fn are_full(&self) -> bool {
        limits::VERDICTS_PER_CUT_MAX <= self.given.len()
            || self.message_bytes_left() < limits::VERDICT_MESSAGES_PER_CUT_BYTES_MAX / 2
    }

    /// Whether one more piece may be sent beside so many that are under way: the verdict on each may
    /// stand alone.
    pub fn have_room_beside(&self, under_way: usize) -> bool {
        let most = self.given.len() + 2 * (under_way + 1);
        !self.are_full() && most <= limits::VERDICTS_PER_CUT_MAX
    }

    /// Whether so many pieces more have room.
    pub fn may_be_divided(&self, borders: usize) -> bool {
        self.borders.len() + borders <= limits::BORDERS_PER_CUT_MAX
    }

    /// Whether snapshots have room for them, the last of which is this one. What was delivered cannot
    /// be undone.
    pub fn are_bounded(&self, last: &Said) -> bool {
        let most = match last {
            Said::Judged(Verdict::Delivered | Verdict::AtRest { .. })
            | Said::Divided(_)
            | Said::Moved(_) => 2 * limits::VERDICTS_PER_CUT_MAX,
            Said::Judged(Verdict::Failed(_)) => limits::VERDICTS_PER_CUT_MAX,
        };
        self.given.len() <= most && self.may_be_divided(0)
    }

    /// A border is one more entry: the record with which a piece begins.
    pub fn write_to(&self, writer: &mut Writer) {
        writer.number((self.given.len() + self.borders.len()) as u64);
        for (part, verdict) in &self.given {
            write_part(writer, *part);
            write_verdict(writer, verdict);
        }
        for border in &self.borders {
            write_part(writer, SeqRange::new(*border, border.plus(1)));
            writer.number(DIVIDED);
        }
    }

    pub fn read_from(reader: &mut Reader<'_>) -> Option<Verdicts> {
        let mut verdicts = Verdicts::default();
        for _ in 0..reader.number()? {
            let part = read_part(reader)?;
            match reader.number()? {
                DIVIDED => drop(verdicts.borders.insert(part.start())),
                kind => verdicts.given.push((part, read_verdict(kind, reader)?)),
            }
        }
        Some(verdicts)
    }
}

/// What of `part` is in none of these ranges, which ascend.
fn outside(part: SeqRange, ranges: impl Iterator<Item = SeqRange>) -> Vec<SeqRange> {
    let mut outside = Vec::new();
    let mut at = part.start();
    for range in ranges.filter(|range| range.shared(part).is_some()) {
        outside.extend(SeqRange::between(at, range.start()));
        at = range.end();
    }
    outside.extend(SeqRange::between(at, part.end()));
    outside
}

impl PartVerdict {
    /// When written out, about.
    pub fn bytes(&self) -> usize {
        match &self.said {
            Said::Judged(Verdict::Failed(failure)) => failure.code.len() + failure.message.len(),
            Said::Judged(Verdict::Delivered | Verdict::AtRest { .. }) => 0,
            Said::Divided(borders) => 10 * borders.len(),
            Said::Moved(plan) => plan.len(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.cut.0);
        write_part(&mut writer, self.part);
        match &self.said {
            Said::Judged(verdict) => write_verdict(&mut writer, verdict),
            Said::Divided(borders) => {
                writer.number(DIVIDED);
                writer.number(borders.len() as u64);
                borders
                    .iter()
                    .for_each(|border| writer.number(border.get()));
            }
            Said::Moved(plan) => {
                writer.number(MOVED);
                writer.bytes(plan);
            }
        }
        writer.into_bytes()
    }

    pub fn decode(body: &[u8]) -> Option<PartVerdict> {
        let mut reader = Reader::new(body);
        let cut = CutId(reader.number()?);
        let part = read_part(&mut reader)?;
        let said = match reader.number()? {
            DIVIDED => {
                let count = reader.number()?;
                let borders = (0..count).map(|_| reader.number().map(Seq::new));
                Said::Divided(borders.collect::<Option<_>>()?)
            }
            MOVED => Said::Moved(reader.bytes()?.to_vec()),
            kind => Said::Judged(read_verdict(kind, &mut reader)?),
        };
        reader.end()?;
        Some(PartVerdict { cut, part, said })
    }
}

fn write_part(writer: &mut Writer, part: SeqRange) {
    writer.number(part.start().get());
    writer.number(part.count());
}

fn read_part(reader: &mut Reader<'_>) -> Option<SeqRange> {
    let start = reader.number()?;
    let end = start.checked_add(reader.number()?)?;
    SeqRange::between(Seq::new(start), Seq::new(end))
}

fn write_verdict(writer: &mut Writer, verdict: &Verdict) {
    match verdict {
        Verdict::Delivered => writer.number(DELIVERED),
        Verdict::Failed(failure) => {
            writer.number(FAILED);
            failure_to(writer, failure);
        }
        Verdict::AtRest { failed } => {
            writer.number(AT_REST);
            writer.number(*failed);
        }
    }
}

fn read_verdict(kind: u64, reader: &mut Reader<'_>) -> Option<Verdict> {
    match kind {
        DELIVERED => Some(Verdict::Delivered),
        FAILED => failure_from(reader).map(Verdict::Failed),
        AT_REST => reader.number().map(|failed| Verdict::AtRest { failed }),
        _ => None,
    }
}

pub fn failure_to(writer: &mut Writer, failure: &Failure) {
    writer.bytes(failure.code.as_bytes());
    writer.bytes(failure.message.as_bytes());
    writer.number(u64::from(failure.attempts));
    writer.number(failure.ended.as_millis());
}

pub fn failure_from(reader: &mut Reader<'_>) -> Option<Failure> {
    Some(Failure {
        code: std::str::from_utf8(reader.bytes()?).ok()?.to_owned(),
        message: std::str::from_utf8(reader.bytes()?).ok()?.to_owned(),
        attempts: reader.number_u32()?,
        ended: Timestamp::from_millis(reader.number()?),
    })
}

#[cfg(test)]
mod tests;
