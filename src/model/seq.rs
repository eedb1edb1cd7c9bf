//! Where a record stands in its lane.

use std::fmt;

/// The number of one record in a lane. Dense, from 0 (B3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    pub const ZERO: Seq = Seq(0);

    pub const fn new(number: u64) -> Seq {
        Seq(number)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number `count` records further on.
    pub fn plus(self, count: u64) -> Seq {
        Seq(self
            .0
            .checked_add(count)
            .expect("a lane never holds 2^64 records"))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Records from `start` up to, but without, `end`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqRange {
    start: Seq,
    end: Seq,
}

impl SeqRange {
    pub fn new(start: Seq, end: Seq) -> SeqRange {
        assert!(start < end, "a range is never empty: {start}..{end}");
        SeqRange { start, end }
    }

    /// `None` where the range would be empty.
    pub fn between(start: Seq, end: Seq) -> Option<SeqRange> {
        (start < end).then_some(SeqRange { start, end })
    }

    pub fn start(self) -> Seq {
        self.start
    }

    pub fn end(self) -> Seq {
        self.end
    }

    /// How many records the range holds: at least one.
    pub fn count(self) -> u64 {
        self.end.0 - self.start.0
    }

    pub fn contains(self, seq: Seq) -> bool {
        self.start <= seq && seq < self.end
    }

    /// What both ranges hold.
    pub fn shared(self, other: SeqRange) -> Option<SeqRange> {
        SeqRange::between(self.start.max(other.start), self.end.min(other.end))
    }
}

impl fmt::Display for SeqRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
