//! A batch in parts that each fit into one request.
//!
//! Parts are a function of the records' lengths and of the limits that stand in the plan, so a repeat
//! after a crash makes the same ones, under the same ids (D5). A part that the other side will not
//! take as it is goes out in pieces, down to single records:
//!
//! ```text
//! batch   0 . . . . . . . . . . . . 13        gathered: as many as one request holds
//! parts   [0 . . . . . 7)[7 . . . . 13)
//! 413     [0 . . 4)[4 . 7)                    halved
//! bad 5           [4][5][6]                   one set aside, the rest sent
//! ```
//!
//! Where pieces begin stands in the log before they are sent, so a repeat makes the same of these too.
//!
//! Pure: no clock, no log, no network.

use super::endpoint::Next;
use crate::model::{Seq, SeqRange};

/// What one request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    pub records_max: u64,
    /// Of the body, before compression.
    pub body_bytes_max: u64,
    pub framing: Framing,
}

/// How records stand in a request's body, and so how long it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One after the other, with nothing between.
    Concatenated,
    /// As base64 in JSON.
    Json {
        /// Around all of them.
        envelope_bytes: u64,
        /// Around each.
        record_bytes: u64,
    },
}

impl Framing {
    fn envelope_bytes(self) -> u64 {
        match self {
            Framing::Concatenated => 0,
            Framing::Json { envelope_bytes, .. } => envelope_bytes,
        }
    }

    fn record_bytes(self, bytes: u64) -> u64 {
        match self {
            Framing::Concatenated => bytes,
            Framing::Json { record_bytes, .. } => record_bytes + base64_bytes(bytes),
        }
    }

    /// The comma before each record but the first.
    fn separator_bytes(self) -> u64 {
        match self {
            Framing::Concatenated => 0,
            Framing::Json { .. } => 1,
        }
    }
}

/// How many characters so many bytes are in padded base64.
pub fn base64_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// Gathers records into one request.
#[derive(Clone, Copy, Debug)]
pub struct Gathering {
    limits: RequestLimits,
    range: Option<SeqRange>,
    records: u64,
    body_bytes: u64,
}

impl Gathering {
    pub fn new(limits: RequestLimits) -> Gathering {
        Gathering {
            limits,
            range: None,
            records: 0,
            body_bytes: limits.framing.envelope_bytes(),
        }
    }

    /// Takes the record if it belongs in this request; otherwise it begins the next one. The first
    /// is always taken: a record cannot be split, so the other side has to judge it. Records may
    /// be missing in between: those that failed in the transformer, or were damaged.
    pub fn takes(&mut self, seq: Seq, bytes: u64) -> bool {
        let framing = self.limits.framing;
        let record_bytes = framing.record_bytes(bytes);
        let (start, grown) = match self.range {
            None => (seq, self.body_bytes + record_bytes),
            Some(range) => {
                let grown = self.body_bytes + framing.separator_bytes() + record_bytes;
                let fits =
                    self.records < self.limits.records_max && grown <= self.limits.body_bytes_max;
                if !fits {
                    return false;
                }
                (range.start(), grown)
            }
        };
        self.range = Some(SeqRange::new(start, seq.plus(1)));
        self.records += 1;
        self.body_bytes = grown;
        true
    }

    /// The part so far; `None` before the first record.
    pub fn range(&self) -> Option<SeqRange> {
        self.range
    }

    /// How long the request's body will be, before compression.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }
}

/// What a rejection comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same request again, if its retry duration allows; otherwise all of it fails.
    Again,
    /// All its records fail.
    Fail,
    Divide(Division),
}

/// A request that becomes smaller ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// Where the pieces begin, but for the first.
    pub borders: Vec<Seq>,
    /// A piece that is one record and has been judged: when its turn comes it fails, unsent.
    pub bad: Option<Seq>,
}

/// What a division has at most.
pub const BORDERS_MAX: usize = 3;

/// A request was rejected, whose records stand here. Each piece has one at least.
pub fn rejected(seqs: &[Seq], next: Next) -> Step {
    match next {
        Next::Retry => Step::Again,
        Next::Never => Step::Fail,
        Next::Halve | Next::Without(_) if seqs.len() <= 1 => Step::Fail,
        Next::Halve => Step::Divide(Division {
            borders: halves(seqs).collect(),
            bad: None,
        }),
        Next::Without(nth) => match seqs.get(nth) {
            Some(bad) => {
                let after = &seqs[nth + 1..];
                // What follows the bad record is halved too: if it holds many more, they are found
                // in requests that get smaller, and not by sending everything again for each.
                let borders = [Some(*bad).filter(|_| nth != 0), after.first().copied()];
                let borders = borders.into_iter().flatten().chain(halves(after));
                Step::Divide(Division {
                    borders: borders.collect(),
                    bad: Some(*bad),
                })
            }
            // The other side speaks of a record that it was not sent.
            None => rejected(seqs, Next::Halve),
        },
    }
}

/// Where the second half begins; nowhere for one record.
fn halves(seqs: &[Seq]) -> impl Iterator<Item = Seq> + use<> {
    seqs.get(seqs.len().div_ceil(2)).copied().into_iter()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const PLAIN: RequestLimits = RequestLimits {
        records_max: 4,
        body_bytes_max: 10,
        framing: Framing::Concatenated,
    };
    /// `[` and `]` around all, quotes around each.
    const JSON: RequestLimits = RequestLimits {
        records_max: 4,
        body_bytes_max: 20,
        framing: Framing::Json {
            envelope_bytes: 2,
            record_bytes: 2,
        },
    };

    /// The lengths of the records from 0 on, `-` for one that is missing; the answer is the parts
    /// with the lengths of their bodies.
    #[track_caller]
    fn check_gathered(limits: RequestLimits, lengths: &str, expected: Expect) {
        let mut parts = vec![Gathering::new(limits)];
        for (seq, length) in lengths.split_whitespace().enumerate() {
            let Ok(bytes) = length.parse() else {
                continue;
            };
            let seq = Seq::new(seq as u64);
            if !parts.last_mut().unwrap().takes(seq, bytes) {
                let mut next = Gathering::new(limits);
                assert!(next.takes(seq, bytes), "the first is always taken");
                parts.push(next);
            }
        }
        let told = parts.iter().map(|part| match part.range() {
            Some(range) => format!("{range} ({})", part.body_bytes()),
            None => "nothing".to_owned(),
        });
        expected.assert_eq(&told.collect::<Vec<_>>().join(", "));
    }

    #[test]
    fn a_part_holds_as_much_as_one_request_may() {
        check_gathered(PLAIN, "", expect!["nothing"]);
        check_gathered(PLAIN, "5 5", expect!["0..2 (10)"]);
        check_gathered(PLAIN, "5 6", expect!["0..1 (5), 1..2 (6)"]);
        check_gathered(PLAIN, "1 1 1 1", expect!["0..4 (4)"]);
        check_gathered(PLAIN, "1 1 1 1 1", expect!["0..4 (4), 4..5 (1)"]);
        check_gathered(PLAIN, "0 0 0 0 0", expect!["0..4 (0), 4..5 (0)"]);
    }

    #[test]
    fn base64_quotes_and_commas_are_counted() {
        check_gathered(JSON, "0", expect!["0..1 (4)"]);
        check_gathered(JSON, "1", expect!["0..1 (8)"]);
        check_gathered(JSON, "3 0", expect!["0..2 (11)"]);
        check_gathered(JSON, "9 0", expect!["0..2 (19)"]);
        check_gathered(JSON, "3 3 0", expect!["0..3 (18)"]);
        check_gathered(JSON, "3 3 1", expect!["0..2 (15), 2..3 (8)"]);
        check_gathered(JSON, "0 0 0 1", expect!["0..4 (17)"]);
        check_gathered(JSON, "6 4", expect!["0..1 (12), 1..2 (12)"]);
        check_gathered(JSON, "6 1", expect!["0..2 (19)"]);
        assert_eq!([0, 1, 2, 3, 4].map(base64_bytes), [0, 4, 4, 4, 8]);
    }

    #[test]
    fn a_record_that_is_larger_than_any_request_goes_alone() {
        check_gathered(PLAIN, "11", expect!["0..1 (11)"]);
        check_gathered(PLAIN, "1 11 1", expect!["0..1 (1), 1..2 (11), 2..3 (1)"]);
    }

    #[test]
    fn records_may_be_missing_in_a_part_and_do_not_count() {
        check_gathered(PLAIN, "1 1 - 1 1", expect!["0..5 (4)"]);
        check_gathered(PLAIN, "- 1 1 - 1 1 1", expect!["1..6 (4), 6..7 (1)"]);
    }

    /// The records of a request, `-` for one that is missing, and what it is answered.
    #[track_caller]
    fn check(records: &str, next: Next, expected: Expect) {
        let there = (0..).zip(records.chars());
        let seqs: Vec<Seq> = there
            .filter(|(_, record)| *record != '-')
            .map(|(seq, _)| Seq::new(seq))
            .collect();
        let all = range(&format!("0..{}", records.len()));
        let told = match rejected(&seqs, next) {
            Step::Again => "again".to_owned(),
            Step::Fail => "fail".to_owned(),
            Step::Divide(Division { borders, bad }) => {
                assert!(borders.len() <= BORDERS_MAX);
                let mut pieces = Vec::new();
                let mut start = all.start();
                for border in borders.into_iter().chain([all.end()]) {
                    let piece = SeqRange::new(start, border);
                    let is_bad = bad.is_some_and(|bad| piece.contains(bad));
                    pieces.push(format!("{piece}{}", if is_bad { " bad" } else { "" }));
                    start = border;
                }
                pieces.join(", ")
            }
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn what_time_may_mend_is_sent_again_and_what_nothing_mends_fails() {
        check("xxxx", Next::Retry, expect!["again"]);
        check("xxxx", Next::Never, expect!["fail"]);
        check("x", Next::Retry, expect!["again"]);
    }

    #[test]
    fn too_large_a_part_is_halved_down_to_single_records() {
        check("xxxxx", Next::Halve, expect!["0..3, 3..5"]);
        check("xx", Next::Halve, expect!["0..1, 1..2"]);
        check("x", Next::Halve, expect!["fail"]);
    }

    #[test]
    fn one_bad_record_does_not_hold_the_others_back() {
        let without = Next::Without;
        check(
            "xxxxxxxxxx",
            without(2),
            expect!["0..2, 2..3 bad, 3..7, 7..10"],
        );
        check("xxx", without(0), expect!["0..1 bad, 1..2, 2..3"]);
        check("xxx", without(2), expect!["0..2, 2..3 bad"]);
        check("xx", without(0), expect!["0..1 bad, 1..2"]);
        check("x", without(0), expect!["fail"]);
    }

    #[test]
    fn a_record_that_was_never_sent_cannot_be_the_bad_one() {
        check("xxxx", Next::Without(4), expect!["0..2, 2..4"]);
        check("x", Next::Without(1), expect!["fail"]);
    }

    #[test]
    fn each_piece_has_a_record_wherever_some_are_missing() {
        check("-x-", Next::Halve, expect!["fail"]);
        check("x--x", Next::Halve, expect!["0..3, 3..4"]);
        check("-x-x--x-", Next::Halve, expect!["0..6, 6..8"]);
        check(
            "-x-x--x-",
            Next::Without(0),
            expect!["0..3 bad, 3..6, 6..8"],
        );
        check(
            "-x-x--x-",
            Next::Without(1),
            expect!["0..3, 3..6 bad, 6..8"],
        );
    }

    fn range(text: &str) -> SeqRange {
        let (start, end) = text.split_once("..").unwrap();
        let seq = |text: &str| Seq::new(text.parse().unwrap());
        SeqRange::new(seq(start), seq(end))
    }
}
