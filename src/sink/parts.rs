//! A batch in parts that each fit into one request.
//!
//! Parts are a function of the records' lengths and of the limits that stand in the plan, so a repeat
//! after a crash makes the same ones, under the same ids (D5). A part that the other side will not
//! take as it is becomes smaller ones, down to single records:
//!
//! ```text
//! batch   0 . . . . . . . . . . . . 13        gathered: as many as one request holds
//! parts   [0 . . . . . 7)[7 . . . . 13)
//! 413     [0 . . 4)[4 . 7)                    halved
//! bad 5           [4][5][6]                   one set aside, the rest sent
//! ```
//!
//! A range with a verdict is never asked for again: what is left of a part after a crash is the part
//! without the ranges that have one.
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

/// One part on its way to its verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What has no verdict yet, in order; each range is one request.
    waiting: Vec<SeqRange>,
}

/// What a rejection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same request again, if its retry duration allows; otherwise the whole range is filed.
    Again,
    /// These get their verdict: failed. `settled` is told once it is durable.
    File(SeqRange),
    /// Smaller requests follow, each with a retry duration of its own.
    Smaller,
}

impl Part {
    /// A part of which some ranges have their verdict from an earlier life.
    pub fn new(range: SeqRange, verdicts: impl IntoIterator<Item = SeqRange>) -> Part {
        let mut part = Part {
            waiting: vec![range],
        };
        for verdict in verdicts {
            part.settled(verdict);
        }
        part
    }

    /// The next request; `None` when all records have their verdict.
    pub fn next(&self) -> Option<SeqRange> {
        self.waiting.first().copied()
    }

    /// These records have their verdict, and it is durable (D5).
    pub fn settled(&mut self, verdict: SeqRange) {
        let without = |range: &SeqRange| {
            let before = SeqRange::between(range.start(), verdict.start().min(range.end()));
            let after = SeqRange::between(verdict.end().max(range.start()), range.end());
            [before, after].into_iter().flatten()
        };
        self.waiting = self.waiting.iter().flat_map(without).collect();
    }

    /// `next()` was sent and rejected.
    pub fn rejected(&mut self, next: Next) -> Step {
        let range = self.next().expect("only what waits is sent");
        match next {
            Next::Retry => Step::Again,
            Next::Never => Step::File(range),
            Next::Halve => self.halve(range),
            Next::Without(nth) => self.set_aside(range, nth as u64),
        }
    }

    fn halve(&mut self, range: SeqRange) -> Step {
        let Some(halves) = halves(range) else {
            return Step::File(range);
        };
        self.waiting.splice(..1, halves);
        Step::Smaller
    }

    /// What follows the bad record is halved too: if it holds many more, they are found in requests
    /// that get smaller, and not by sending everything again for each.
    fn set_aside(&mut self, range: SeqRange, nth: u64) -> Step {
        if range.count() <= nth {
            // The other side speaks of a record that it was not sent.
            return self.halve(range);
        }
        let bad = SeqRange::new(range.start().plus(nth), range.start().plus(nth + 1));
        let before = SeqRange::between(range.start(), bad.start());
        let after = SeqRange::between(bad.end(), range.end());
        let after = after.into_iter().flat_map(|after| match halves(after) {
            Some([first, second]) => [Some(first), Some(second)],
            None => [Some(after), None],
        });
        let ranges = [before, Some(bad)].into_iter().chain(after).flatten();
        self.waiting.splice(..1, ranges);
        Step::File(bad)
    }
}

/// `None` for one record.
fn halves(range: SeqRange) -> Option<[SeqRange; 2]> {
    let middle = range.start().plus(range.count().div_ceil(2));
    let second = SeqRange::between(middle, range.end())?;
    Some([SeqRange::new(range.start(), middle), second])
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

    fn range(text: &str) -> SeqRange {
        let (start, end) = text.split_once("..").unwrap();
        let seq = |text: &str| Seq::new(text.parse().unwrap());
        SeqRange::new(seq(start), seq(end))
    }

    /// A part, its verdicts so far, and what each next request is answered; the answer is what was
    /// sent and filed.
    #[track_caller]
    fn check(part: &str, verdicts: &str, answers: &str, expected: Expect) {
        let verdicts = verdicts.split_whitespace().map(range);
        let mut part = Part::new(range(part), verdicts);
        let mut seen = Vec::new();
        for answer in answers.split_whitespace() {
            let sent = part.next().expect("something to send");
            let next = match answer.split_once(':') {
                Some((_, nth)) => Next::Without(nth.parse().unwrap()),
                None if answer == "halve" => Next::Halve,
                None if answer == "never" => Next::Never,
                None if answer == "retry" => Next::Retry,
                None => {
                    part.settled(sent);
                    seen.push(sent.to_string());
                    continue;
                }
            };
            seen.push(match part.rejected(next) {
                Step::Again => format!("{sent} again"),
                Step::Smaller => format!("{sent} smaller"),
                Step::File(bad) => {
                    part.settled(bad);
                    format!("{sent} filed {bad}")
                }
            });
        }
        let left = part.waiting.iter().map(SeqRange::to_string);
        seen.push(format!("left: {}", left.collect::<Vec<_>>().join(" ")));
        expected.assert_eq(&seen.join(", "));
    }

    #[test]
    fn a_part_is_sent_until_it_has_its_verdict() {
        check("3..9", "", "ok", expect!["3..9, left: "]);
        check(
            "3..9",
            "",
            "retry retry ok",
            expect!["3..9 again, 3..9 again, 3..9, left: "],
        );
        check("3..9", "", "never", expect!["3..9 filed 3..9, left: "]);
    }

    #[test]
    fn too_large_a_part_is_halved_down_to_single_records() {
        check(
            "0..5",
            "",
            "halve ok ok",
            expect!["0..5 smaller, 0..3, 3..5, left: "],
        );
        check(
            "0..3",
            "",
            "halve halve halve ok halve",
            expect!["0..3 smaller, 0..2 smaller, 0..1 filed 0..1, 1..2, 2..3 filed 2..3, left: "],
        );
    }

    #[test]
    fn one_bad_record_does_not_hold_the_others_back() {
        check(
            "10..20",
            "",
            "without:2 ok ok ok",
            expect!["10..20 filed 12..13, 10..12, 13..17, 17..20, left: "],
        );
        check(
            "0..3",
            "",
            "without:0 ok ok",
            expect!["0..3 filed 0..1, 1..2, 2..3, left: "],
        );
        check(
            "0..3",
            "",
            "without:2 ok",
            expect!["0..3 filed 2..3, 0..2, left: "],
        );
        check("0..1", "", "without:0", expect!["0..1 filed 0..1, left: "]);
    }

    #[test]
    fn a_record_that_was_never_sent_cannot_be_the_bad_one() {
        check(
            "0..4",
            "",
            "without:4 ok ok",
            expect!["0..4 smaller, 0..2, 2..4, left: "],
        );
        check("0..1", "", "without:1", expect!["0..1 filed 0..1, left: "]);
    }

    #[test]
    fn a_thousand_bad_records_are_not_sent_a_thousand_times() {
        let mut part = Part::new(range("0..1000"), []);
        let (mut requests, mut records) = (0, 0);
        while let Some(sent) = part.next() {
            requests += 1;
            records += sent.count();
            let Step::File(bad) = part.rejected(Next::Without(0)) else {
                panic!("the first record is bad");
            };
            part.settled(bad);
        }
        assert_eq!(requests, 1000);
        assert!(records < 10_000, "{records}");
    }

    #[test]
    fn what_has_a_verdict_is_not_sent_again_after_a_crash() {
        check("0..9", "0..9", "", expect!["left: "]);
        check("0..9", "0..5", "ok", expect!["5..9, left: "]);
        check("0..9", "3..4", "ok ok", expect!["0..3, 4..9, left: "]);
        check("0..9", "6..9 2..4", "ok ok", expect!["0..2, 4..6, left: "]);
        // Verdicts of other parts, and one that reaches over: the batch was cut differently then.
        check(
            "10..20",
            "0..10 15..25 30..40",
            "ok",
            expect!["10..15, left: "],
        );
    }
}
