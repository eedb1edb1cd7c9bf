//! What stands in the log after each verdict, division and filing; and that it reads back.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn range(start: u64, end: u64) -> SeqRange {
    SeqRange::new(Seq::new(start), Seq::new(end))
}

fn failed(code: &str) -> Verdict {
    Verdict::Failed(Failure::new(code, "why", 2, Timestamp::from_millis(5)))
}

fn show((part, verdict): &(SeqRange, Verdict)) -> String {
    match verdict {
        Verdict::Delivered => format!("{part} delivered"),
        Verdict::Failed(failure) => format!("{part} {}", failure.code),
        Verdict::AtRest { failed } => format!("{part} at rest ({failed})"),
    }
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
    let shown: Vec<String> = verdicts.iter().map(show).collect();
    expected.assert_eq(&shown.join(", "));
}

#[test]
fn what_is_filed_ends_before_the_first_record_that_has_no_verdict() {
    let unfiled = |given: &[(u64, u64, Verdict)], ranges: &[SeqRange]| {
        let mut verdicts = Verdicts::default();
        for (start, end, verdict) in given {
            verdicts.add(range(*start, *end), verdict.clone());
        }
        verdicts.unfiled(ranges)
    };
    let some = [
        (0, 2, Verdict::AtRest { failed: 1 }),
        (2, 5, failed("A")),
        (5, 7, Verdict::Delivered),
        (9, 12, failed("B")),
    ];
    assert_eq!(unfiled(&some, &[range(0, 20)]), Some(range(2, 7)));
    // What stands between the ranges is not the batch's.
    assert_eq!(
        unfiled(&some, &[range(0, 7), range(9, 12)]),
        Some(range(2, 12))
    );
    assert_eq!(unfiled(&some[..1], &[range(0, 20)]), None);
    // Behind what has none, too.
    assert_eq!(unfiled(&some[3..], &[range(0, 20)]), Some(range(9, 12)));
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
            Verdict::Delivered | Verdict::AtRest { .. } => 0,
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
fn so_long_reasons_are_full() {
    let half = limits::VERDICT_MESSAGES_PER_CUT_BYTES_MAX / 2;
    let long = |bytes| {
        Verdict::Failed(Failure::new(
            "A",
            "x".repeat(bytes),
            1,
            Timestamp::default(),
        ))
    };
    for (bytes, full) in [(half, false), (half + 1, true)] {
        let mut verdicts = Verdicts::default();
        verdicts.add(range(0, 1), long(half - 1));
        verdicts.add(range(1, 2), long(bytes + 1 - half));
        assert_eq!(verdicts.are_full(), full, "{bytes}");
    }
}

#[test]
fn what_failed_and_is_filed_is_at_rest_with_all_around_it_and_counts_once() {
    let (delivered, at_rest) = (|| Verdict::Delivered, |failed| Verdict::AtRest { failed });
    let judged = [
        (0, 5, delivered()),
        (5, 6, failed("A")),
        (6, 9, delivered()),
    ];
    let then = |more: &[(u64, u64, Verdict)]| [&judged[..], more].concat();
    check(&then(&[(0, 9, at_rest(1))]), expect!["0..9 at rest (1)"]);
    // As far as verdicts go; what follows is judged later.
    check(
        &then(&[(0, 6, at_rest(1)), (9, 10, failed("B"))]),
        expect!["0..6 at rest (1), 6..9 delivered, 9..10 B"],
    );
    // Not known to be durable, so it is said again.
    check(
        &then(&[(0, 9, at_rest(1)), (0, 9, at_rest(1)), (3, 6, failed("B"))]),
        expect!["0..9 at rest (1)"],
    );
    // The next filing begins where the last one ended.
    check(
        &then(&[
            (0, 9, at_rest(1)),
            (9, 11, failed("B")),
            (9, 11, at_rest(2)),
        ]),
        expect!["0..11 at rest (3)"],
    );
    check(
        &then(&[(2, 7, at_rest(1))]),
        expect!["0..2 delivered, 2..7 at rest (1), 7..9 delivered"],
    );
}

/// Verdicts on these ranges and divisions at these records, in turn; the answer is which requests
/// are left of `0..20`, and what snapshots say reads back.
#[track_caller]
fn check_pieces(steps: &str, expected: Expect) {
    let mut verdicts = Verdicts::default();
    for step in steps.split_whitespace() {
        let numbers = |text: &str| -> Vec<u64> {
            text.split(['.', ','])
                .filter_map(|part| part.parse().ok())
                .collect()
        };
        match step.strip_prefix('/') {
            Some(at) => {
                let borders: Vec<Seq> = numbers(at).into_iter().map(Seq::new).collect();
                verdicts.divide(range(0, 20), &borders);
            }
            None => {
                let ends = numbers(step);
                verdicts.add(range(ends[0], ends[1]), Verdict::Delivered);
            }
        }
    }
    let mut writer = Writer::default();
    verdicts.write_to(&mut writer);
    let bytes = writer.into_bytes();
    assert_eq!(
        Verdicts::read_from(&mut Reader::new(&bytes)).as_ref(),
        Some(&verdicts)
    );
    let mut requests = Vec::new();
    while let Some(next) = verdicts.next(range(0, 20)) {
        requests.push(next.to_string());
        verdicts.add(next, Verdict::Delivered);
    }
    assert!(verdicts.borders.is_empty(), "{verdicts:?}");
    expected.assert_eq(&requests.join(" "));
}

#[test]
fn a_part_is_sent_in_the_pieces_it_was_divided_into() {
    check_pieces("", expect!["0..20"]);
    check_pieces("/10", expect!["0..10 10..20"]);
    check_pieces("/10 /5", expect!["0..5 5..10 10..20"]);
    check_pieces("/10 /5 0..5", expect!["5..10 10..20"]);
    check_pieces("/10 /5 0..10", expect!["10..20"]);
    check_pieces("/3,4,12", expect!["0..3 3..4 4..12 12..20"]);
    check_pieces("/3,4,12 0..3 3..4", expect!["4..12 12..20"]);
    check_pieces("/0,20,30", expect!["0..20"]);
    check_pieces("0..5 /0,2", expect!["5..20"]);
    check_pieces("0..10 /5,15", expect!["10..15 15..20"]);
    check_pieces("5..10 /10", expect!["0..5 10..20"]);
    check_pieces("0..20 /10", expect![""]);
}

#[test]
fn there_is_room_for_so_many_pieces() {
    let mut verdicts = Verdicts::default();
    let most = limits::BORDERS_PER_CUT_MAX as u64;
    // The part's end is one too.
    for border in 1..most {
        assert!(verdicts.may_be_divided(1));
        verdicts.divide(range(0, 2 * most), &[Seq::new(border)]);
    }
    assert!(!verdicts.may_be_divided(1));
    let divided = Said::Divided(vec![Seq::new(most)]);
    assert!(verdicts.are_bounded(&divided));
    verdicts.divide(range(0, 2 * most), &[Seq::new(most)]);
    assert!(!verdicts.are_bounded(&divided));
}

#[test]
fn a_verdict_reads_back_as_it_was_written() {
    let judged = [
        Verdict::Delivered,
        failed("A"),
        Verdict::AtRest { failed: 7 },
    ];
    let divided = Said::Divided(vec![Seq::new(5), Seq::new(1 << 50)]);
    let others = [divided, Said::Moved(b"a plan".to_vec())];
    for said in judged.map(Said::Judged).into_iter().chain(others) {
        let part = PartVerdict {
            cut: CutId(7),
            part: range(3, 9),
            said,
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
