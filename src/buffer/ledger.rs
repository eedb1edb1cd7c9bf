//! Which records of a lane have been dealt with: disjoint spans, merged where they touch.
//!
//! Pure. A reader's ledger holds what is at rest; with dense cuts it is one span from the start and
//! at most one island for each delivery that finished early.

use std::collections::BTreeMap;

use crate::model::{Seq, SeqRange};

/// A place between two records of a lane: how many records lie before it, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub seq: Seq,
    pub byte: u64,
}

impl Position {
    pub const ZERO: Position = Position {
        seq: Seq::ZERO,
        byte: 0,
    };
    /// Behind everything that will ever be there.
    pub const END: Position = Position {
        seq: Seq::new(u64::MAX),
        byte: u64::MAX,
    };

    pub fn plus(self, records: u64, bytes: u64) -> Position {
        Position {
            seq: self.seq.plus(records),
            byte: self.byte.saturating_add(bytes),
        }
    }
}

/// Records from one place to a later one. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: Position,
    pub end: Position,
}

impl Span {
    /// `None` where it would be empty.
    pub fn between(start: Position, end: Position) -> Option<Span> {
        (start.seq < end.seq).then_some(Span { start, end })
    }

    pub fn range(self) -> SeqRange {
        SeqRange::new(self.start.seq, self.end.seq)
    }

    pub fn records(self) -> u64 {
        self.end.seq.get() - self.start.seq.get()
    }

    /// By records: damage may leave a guess where their bytes stand.
    pub fn contains(self, other: Span) -> bool {
        self.start.seq <= other.start.seq && other.end.seq <= self.end.seq
    }

    /// Damage may leave a guess on either side, so this is never below zero.
    pub fn bytes(self) -> u64 {
        self.end.byte.saturating_sub(self.start.byte)
    }

    /// Its first records, at most so many; where they end is a guess in proportion. `None` for none.
    pub fn first(self, records: u64) -> Option<Span> {
        if self.records() <= records {
            return Some(self);
        }
        let share = u128::from(self.bytes()) * u128::from(records) / u128::from(self.records());
        Span::between(self.start, self.start.plus(records, share as u64))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By start.
    spans: BTreeMap<Seq, Span>,
}

impl Ledger {
    pub fn add(&mut self, span: Span) {
        let mut merged = span;
        let touching: Vec<Seq> = self
            .spans
            .range(..=span.end.seq)
            .rev()
            .take_while(|(_, known)| span.start.seq <= known.end.seq)
            .map(|(start, _)| *start)
            .collect();
        for start in touching {
            let known = self.spans.remove(&start).expect("it was just found");
            if known.start.seq < merged.start.seq {
                merged.start = known.start;
            }
            if merged.end.seq < known.end.seq {
                merged.end = known.end;
            }
        }
        self.spans.insert(merged.start.seq, merged);
    }

    /// Forgets what lies behind `end`.
    pub fn end_at(&mut self, end: Position) {
        self.spans.retain(|start, _| *start < end.seq);
        if let Some(mut last) = self.spans.last_entry()
            && end.seq < last.get().end.seq
        {
            last.get_mut().end = end;
        }
    }

    pub fn covers(&self, range: SeqRange) -> bool {
        let before = self.spans.range(..=range.start()).next_back();
        before.is_some_and(|(_, span)| range.end() <= span.end.seq)
    }

    /// What of `whole` has not been dealt with, ascending.
    pub fn gaps(&self, whole: Span) -> Vec<Span> {
        let mut gaps = Vec::new();
        let mut at = whole.start;
        let first = self.spans.range(..=whole.start.seq).next_back();
        let later = self.spans.range(whole.start.seq..whole.end.seq);
        for (_, span) in first.into_iter().chain(later) {
            gaps.extend(Span::between(at, span.start));
            if at.seq < span.end.seq {
                at = span.end;
            }
        }
        gaps.extend(Span::between(at, whole.end));
        gaps
    }

    pub fn records(&self) -> u64 {
        self.spans.values().map(|span| span.records()).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.spans.values().map(|span| span.bytes()).sum()
    }

    pub fn spans(&self) -> impl ExactSizeIterator<Item = Span> {
        self.spans.values().copied()
    }
}

/// In all of these together.
pub fn records(spans: &[Span]) -> u64 {
    spans.iter().map(|span| span.records()).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// Each record is ten bytes long.
    fn at(seq: u64) -> Position {
        Position::ZERO.plus(seq, 10 * seq)
    }

    fn span(start: u64, end: u64) -> Span {
        Span::between(at(start), at(end)).unwrap()
    }

    fn show(spans: impl IntoIterator<Item = Span>) -> String {
        let texts: Vec<_> = spans.into_iter().map(|s| s.range().to_string()).collect();
        texts.join(" ")
    }

    /// Spans to add, then what is missing of 0..20.
    #[track_caller]
    fn check(spans: &[(u64, u64)], expected: Expect) {
        let mut ledger = Ledger::default();
        for (start, end) in spans {
            ledger.add(span(*start, *end));
        }
        let gaps = show(ledger.gaps(span(0, 20)));
        expected.assert_eq(&format!("{} / gaps {gaps}", show(ledger.spans())));
    }

    #[test]
    fn what_lies_behind_an_end_is_forgotten() {
        for (end, expected) in [
            (0, ""),
            (3, "0..3"),
            (5, "0..5"),
            (8, "0..5 7..8"),
            (20, "0..5 7..9"),
        ] {
            let mut ledger = Ledger::default();
            ledger.add(span(0, 5));
            ledger.add(span(7, 9));
            ledger.end_at(at(end));
            assert_eq!(show(ledger.spans()), expected, "at {end}");
        }
        let mut ledger = Ledger::default();
        ledger.add(Span::between(at(7), Position::END).unwrap());
        assert_eq!(show(ledger.gaps(span(0, 20))), "0..7");
        ledger.end_at(at(9));
        assert_eq!(show(ledger.gaps(span(0, 20))), "0..7 9..20");
    }

    #[test]
    fn spans_that_touch_become_one() {
        check(&[], expect![" / gaps 0..20"]);
        check(&[(0, 5), (5, 9)], expect!["0..9 / gaps 9..20"]);
        check(&[(5, 9), (0, 3)], expect!["0..3 5..9 / gaps 3..5 9..20"]);
        check(
            &[(5, 9), (12, 15), (3, 13)],
            expect!["3..15 / gaps 0..3 15..20"],
        );
        check(&[(0, 30)], expect!["0..30 / gaps "]);
    }

    #[test]
    fn the_first_records_of_a_span_end_in_proportion() {
        let first = |records| span(10, 20).first(records);
        assert_eq!(first(0), None);
        assert_eq!(first(4), Some(span(10, 14)));
        assert_eq!(first(10), Some(span(10, 20)));
        assert_eq!(first(11), Some(span(10, 20)));
    }

    proptest! {
        #[test]
        fn a_ledger_is_a_set_of_records(adds: Vec<(u8, u8)>, from: u8, to: u8) {
            let mut ledger = Ledger::default();
            let mut naive = BTreeSet::new();
            for (start, length) in adds {
                let (start, end) = (u64::from(start), u64::from(start) + u64::from(length));
                if let Some(span) = Span::between(at(start), at(end)) {
                    ledger.add(span);
                    naive.extend(start..end);
                }
            }
            prop_assert_eq!(ledger.records(), naive.len() as u64);
            prop_assert_eq!(ledger.bytes(), 10 * naive.len() as u64);
            let (from, to) = (u64::from(from), u64::from(to));
            if let Some(whole) = Span::between(at(from), at(to)) {
                let missing = (from..to).filter(|seq| !naive.contains(seq)).count() as u64;
                let gaps = ledger.gaps(whole);
                prop_assert_eq!(gaps.iter().map(|gap| gap.records()).sum::<u64>(), missing);
                prop_assert_eq!(gaps.iter().map(|gap| gap.bytes()).sum::<u64>(), 10 * missing);
                prop_assert_eq!(ledger.covers(whole.range()), missing == 0);
            }
        }
    }
}
