//! What became of the parts of a batch that is delivered in requests of bounded size (D5).
//!
//! A part is named by its records' range, so halving a part makes two ranges, and a repeat after a
//! crash goes on where no verdict was given. Bounded, because every snapshot holds them: neighbours
//! with the same verdict become one, and messages share a budget.

use super::CutId;
use super::wire::{Reader, Writer};
use crate::model::{Failure, Seq, SeqRange, Timestamp, limits};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Its records belong into the failed output.
    Failed(Failure),
}

/// The verdicts of one cut, in order of their ranges, which are disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(Vec<(SeqRange, Verdict)>);

/// A verdict as a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartVerdict {
    pub cut: CutId,
    pub part: SeqRange,
    pub verdict: Verdict,
}

const DELIVERED: u64 = 1;
const FAILED: u64 = 2;

impl Verdicts {
    /// On those records of the part that have none: the first verdict on a record stays. A reason is
    /// cut to what the others left of the budget.
    pub fn add(&mut self, part: SeqRange, verdict: Verdict) {
        let left = self.left(part);
        let verdict = self.shortened(verdict, left.len());
        for part in left {
            self.insert(part, verdict.clone());
        }
    }

    /// What of `part` has no verdict, ascending.
    pub fn left(&self, part: SeqRange) -> Vec<SeqRange> {
        let mut left = Vec::new();
        let mut at = part.start();
        for (known, _) in &self.0 {
            if known.shared(part).is_some() {
                left.extend(SeqRange::between(at, known.start()));
                at = known.end();
            }
        }
        left.extend(SeqRange::between(at, part.end()));
        left
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
            .0
            .partition_point(|(known, _)| known.start() < part.start());
        self.0.insert(at, (part, verdict));
        self.merge(at);
        if let Some(before) = at.checked_sub(1) {
            self.merge(before);
        }
    }

    /// Makes one of the `at`-th and the next, if they are neighbours that agree.
    fn merge(&mut self, at: usize) {
        if let [(range, verdict), (next, next_verdict), ..] = &self.0[at..]
            && range.end() == next.start()
            && verdict == next_verdict
        {
            self.0[at].0 = SeqRange::new(range.start(), next.end());
            self.0.remove(at + 1);
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(SeqRange, Verdict)> {
        self.0.iter()
    }

    /// `None` where records of the part have none, or not the same.
    pub fn of(&self, part: SeqRange) -> Option<&Verdict> {
        let covering = |known: SeqRange| known.start() <= part.start() && part.end() <= known.end();
        let found = self.0.iter().find(|(known, _)| covering(*known));
        found.map(|(_, verdict)| verdict)
    }

    /// How long all messages to come may be.
    fn message_bytes_left(&self) -> usize {
        let messages = self.0.iter().map(|(_, verdict)| match verdict {
            Verdict::Delivered => 0,
            Verdict::Failed(failure) => failure.message.len(),
        });
        limits::VERDICT_MESSAGES_PER_CUT_BYTES_MAX.saturating_sub(messages.sum())
    }

    /// The next failure must be told of all that is left.
    pub fn are_full(&self) -> bool {
        limits::VERDICTS_PER_CUT_MAX <= self.0.len()
    }

    pub fn write_to(&self, writer: &mut Writer) {
        writer.number(self.0.len() as u64);
        for (part, verdict) in &self.0 {
            write_part(writer, *part, verdict);
        }
    }

    pub fn read_from(reader: &mut Reader<'_>) -> Option<Verdicts> {
        let count = reader.number()?;
        let parts = (0..count).map(|_| read_part(reader));
        Some(Verdicts(parts.collect::<Option<_>>()?))
    }
}

impl PartVerdict {
    /// When written out, about.
    pub fn bytes(&self) -> usize {
        match &self.verdict {
            Verdict::Delivered => 0,
            Verdict::Failed(failure) => failure.code.len() + failure.message.len(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.cut.0);
        write_part(&mut writer, self.part, &self.verdict);
        writer.into_bytes()
    }

    pub fn decode(body: &[u8]) -> Option<PartVerdict> {
        let mut reader = Reader::new(body);
        let cut = CutId(reader.number()?);
        let (part, verdict) = read_part(&mut reader)?;
        reader.end()?;
        Some(PartVerdict { cut, part, verdict })
    }
}

fn write_part(writer: &mut Writer, part: SeqRange, verdict: &Verdict) {
    writer.number(part.start().get());
    writer.number(part.count());
    match verdict {
        Verdict::Delivered => writer.number(DELIVERED),
        Verdict::Failed(failure) => {
            writer.number(FAILED);
            failure_to(writer, failure);
        }
    }
}

fn read_part(reader: &mut Reader<'_>) -> Option<(SeqRange, Verdict)> {
    let start = reader.number()?;
    let end = start.checked_add(reader.number()?)?;
    let part = SeqRange::between(Seq::new(start), Seq::new(end))?;
    let verdict = match reader.number()? {
        DELIVERED => Verdict::Delivered,
        FAILED => Verdict::Failed(failure_from(reader)?),
        _ => return None,
    };
    Some((part, verdict))
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
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn range(start: u64, end: u64) -> SeqRange {
        SeqRange::new(Seq::new(start), Seq::new(end))
    }

    fn failed(code: &str) -> Verdict {
        Verdict::Failed(Failure::new(code, "why", 2, Timestamp::from_millis(5)))
    }

    /// `range=verdict` in the order in which they were given.
    #[track_caller]
    fn check(given: &[(u64, u64, Verdict)], expected: Expect) {
        let mut verdicts = Verdicts::default();
        for (start, end, verdict) in given {
            verdicts.add(range(*start, *end), verdict.clone());
        }
        let mut writer = Writer::default();
        verdicts.write_to(&mut writer);
        let bytes = writer.into_bytes();
        let read = Verdicts::read_from(&mut Reader::new(&bytes));
        assert_eq!(read.as_ref(), Some(&verdicts));
        let show = |(part, verdict): &(SeqRange, Verdict)| match verdict {
            Verdict::Delivered => format!("{part} delivered"),
            Verdict::Failed(failure) => format!("{part} {}", failure.code),
        };
        let shown: Vec<String> = verdicts.iter().map(show).collect();
        expected.assert_eq(&shown.join(", "));
    }

    #[test]
    fn neighbours_that_agree_become_one() {
        let delivered = || Verdict::Delivered;
        check(
            &[(0, 5, delivered()), (5, 9, delivered())],
            expect!["0..9 delivered"],
        );
        check(
            &[
                (0, 5, delivered()),
                (6, 9, delivered()),
                (5, 6, failed("A")),
            ],
            expect!["0..5 delivered, 5..6 A, 6..9 delivered"],
        );
        check(
            &[
                (0, 5, failed("A")),
                (8, 9, failed("A")),
                (5, 8, failed("A")),
            ],
            expect!["0..9 A"],
        );
        check(
            &[(0, 5, failed("A")), (5, 9, failed("B"))],
            expect!["0..5 A, 5..9 B"],
        );
    }

    #[test]
    fn the_first_verdict_on_a_record_stays() {
        check(
            &[(0, 5, failed("A")), (0, 5, Verdict::Delivered)],
            expect!["0..5 A"],
        );
        check(
            &[(2, 5, failed("A")), (0, 9, Verdict::Delivered)],
            expect!["0..2 delivered, 2..5 A, 5..9 delivered"],
        );
    }

    #[test]
    fn what_is_left_of_a_part_has_no_verdict() {
        let mut verdicts = Verdicts::default();
        let left = |verdicts: &Verdicts, start, end| {
            let left = verdicts.left(range(start, end));
            let left: Vec<String> = left.iter().map(ToString::to_string).collect();
            left.join(" ")
        };
        assert_eq!(left(&verdicts, 3, 9), "3..9");
        verdicts.add(range(2, 4), Verdict::Delivered);
        verdicts.add(range(5, 6), failed("A"));
        verdicts.add(range(8, 12), Verdict::Delivered);
        assert_eq!(left(&verdicts, 0, 15), "0..2 4..5 6..8 12..15");
        assert_eq!(left(&verdicts, 3, 9), "4..5 6..8");
        assert_eq!(left(&verdicts, 2, 4), "");
        assert_eq!(left(&verdicts, 9, 11), "");
    }

    #[test]
    fn reasons_share_a_budget_and_later_ones_are_cut_between_characters() {
        let most = limits::VERDICT_MESSAGES_PER_CUT_BYTES_MAX;
        let long = |message: String| {
            Verdict::Failed(Failure {
                code: "A".to_owned(),
                message,
                attempts: 1,
                ended: Timestamp::default(),
            })
        };
        let lengths = |given: &[(u64, u64, Verdict)]| -> Vec<usize> {
            let mut verdicts = Verdicts::default();
            for (start, end, verdict) in given {
                verdicts.add(range(*start, *end), verdict.clone());
            }
            let length = |(_, verdict): &(SeqRange, Verdict)| match verdict {
                Verdict::Delivered => 0,
                Verdict::Failed(failure) => failure.message.len(),
            };
            verdicts.iter().map(length).collect()
        };
        let message = |bytes| long("x".repeat(bytes));
        assert_eq!(lengths(&[(0, 1, message(most))]), [most]);
        assert_eq!(lengths(&[(0, 1, message(most + 1))]), [most]);
        let full = [(0, 1, message(most - 3)), (2, 3, long("éé".to_owned()))];
        assert_eq!(lengths(&full), [most - 3, 2]);
        // One that is kept twice, around another, is paid for twice.
        let around = [(1, 2, Verdict::Delivered), (0, 3, message(most))];
        assert_eq!(lengths(&around), [most / 2, 0, most / 2]);
    }

    #[test]
    fn so_many_verdicts_are_full() {
        let mut verdicts = Verdicts::default();
        for number in 0..limits::VERDICTS_PER_CUT_MAX as u64 {
            assert!(!verdicts.are_full());
            verdicts.add(range(2 * number, 2 * number + 1), Verdict::Delivered);
        }
        assert!(verdicts.are_full());
    }

    #[test]
    fn a_verdict_reads_back_as_it_was_written() {
        for verdict in [Verdict::Delivered, failed("A")] {
            let part = PartVerdict {
                cut: CutId(7),
                part: range(3, 9),
                verdict,
            };
            assert_eq!(PartVerdict::decode(&part.encode()), Some(part));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_verdict_panic(bytes: Vec<u8>) {
            let _ = PartVerdict::decode(&bytes);
            let _ = Verdicts::read_from(&mut Reader::new(&bytes));
        }
    }
}
