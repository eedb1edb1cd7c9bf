//! Who judges the judge: for every promise a case in which it is broken, and what the oracle says.

use expect_test::{Expect, expect};

use super::story;

/// A story, as `story` tells them, and the totals: accepted, delivered, failed, dropped, expired and
/// buffered.
#[track_caller]
fn check(puts: &str, told: &[&str], totals: [u64; 6], expected: Expect) {
    expected.assert_eq(&story::judged(puts, told, totals));
}

#[test]
fn all_is_well_when_every_yes_is_in_one_object() {
    check(
        "1+ 2+ 3+",
        &["x: 1 2", "y: 3"],
        [3, 3, 0, 0, 0, 0],
        expect!["fine"],
    );
    check(
        "1+ 2? 3- 4?",
        &["x: 1 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["fine"],
    );
    check(
        "1+ 2+",
        &["x: 1 2", "x: 1 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["fine"],
    );
}

#[test]
fn what_expired_may_be_missing_or_may_have_arrived() {
    check("1+ 2+ 3+", &["x: 1"], [3, 1, 0, 0, 2, 0], expect!["fine"]);
    check(
        "1+ 2+ 3+",
        &["x: 1", "y: 2 3"],
        [3, 1, 0, 0, 2, 0],
        expect!["fine"],
    );
}

#[test]
fn whatever_is_lost_is_named() {
    check(
        "1+ 2+",
        &["x: 1"],
        [2, 2, 0, 0, 0, 0],
        expect![[r#"("a", "clicks"): acknowledged and missing: ["a/clicks/1/2"]; "#]],
    );
    check(
        "1+ 2+",
        &["x: 1 2", "(y: 2)"],
        [2, 2, 0, 0, 0, 0],
        expect![[
            r#"D3: a/clicks/1/2 is in y and in Some(("x", Seen { name: RecordName { machine: "a", stream: "clicks", producer: 1, number: 2 }, answer: None, bytes: 20 }))"#
        ]],
    );
    check(
        "1+ 2+",
        &["x: 1", "(y: 2)"],
        [2, 2, 0, 0, 0, 0],
        expect!["a/clicks/1/2 was in y and is gone"],
    );
    check(
        "1+",
        &["x: 1"],
        [1, 0, 0, 0, 0, 1],
        expect![[r#"assertion `left == right` failed: ("a", "clicks"): not drained: "#]],
    );
}

#[test]
fn whatever_is_there_twice_or_should_not_be_there_is_named() {
    check(
        "1+ 2+",
        &["x: 1 2", "y: 2"],
        [2, 2, 0, 0, 0, 0],
        expect![[
            r#"D3: a/clicks/1/2 is in y and in Some(("x", Seen { name: RecordName { machine: "a", stream: "clicks", producer: 1, number: 2 }, answer: None, bytes: 20 }))"#
        ]],
    );
    check(
        "1+ 2+",
        &["x: 1 2 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["D2: a/clicks/1/2 is out of order in x"],
    );
    check(
        "1+ 2-",
        &["x: 1 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["a/clicks/1/2 was refused, and is in x"],
    );
    check(
        "1+",
        &["x: 1 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["a/clicks/1/2 was never sent"],
    );
}

#[test]
fn whatever_is_out_of_shape_is_named() {
    check(
        "1+ 2+",
        &["x: 2 1"],
        [2, 2, 0, 0, 0, 0],
        expect!["D2: a/clicks/1/1 is out of order in x"],
    );
    check(
        "1? 2?",
        &["x: 2 1"],
        [2, 2, 0, 0, 0, 0],
        expect!["D2: a/clicks/1/1 is out of order in x"],
    );
    check(
        "1+ 2+ 3+ 4+",
        &["x: 1 2 3 4"],
        [4, 4, 0, 0, 0, 0],
        expect!["x has 80 bytes, hint 60"],
    );
    check(
        "1+ 2+",
        &["x: 1", "x: 1 2"],
        [2, 2, 0, 0, 0, 0],
        expect!["x changed with a repeat"],
    );
}

#[test]
fn totals_that_do_not_add_up_are_named() {
    check(
        "1+ 2+",
        &["x: 1 2"],
        [2, 1, 0, 0, 0, 0],
        expect![[r#"assertion `left == right` failed: C1: ("a", "clicks"): "#]],
    );
    check(
        "1+ 2+",
        &["x: 1 2"],
        [1, 1, 0, 0, 0, 0],
        expect![[r#"("a", "clicks"): 2 acknowledged, 2 possible, "#]],
    );
    check(
        "1+ 2?",
        &["x: 1"],
        [3, 3, 0, 0, 0, 0],
        expect![[r#"("a", "clicks"): 1 acknowledged, 2 possible, "#]],
    );
    check(
        "1+ 2?",
        &["x: 1"],
        [2, 2, 0, 0, 0, 0],
        expect![[r#"("a", "clicks"): 1 at rest, "#]],
    );
}

#[test]
fn what_a_function_said_and_was_heard_to_say_is_what_counts() {
    check(
        "1+ 2+ 3+",
        &[
            "? 1=7 2=dropped 3=Bad",
            "x: 1*7",
            "processing-failed/x: 3=Bad",
        ],
        [3, 1, 1, 1, 0, 0],
        expect!["fine"],
    );
    check(
        "1+ 2+",
        &[
            "! Late: 1 2",
            "?- 1=7 2=8",
            "restart",
            "? 1=dropped 2=9",
            "x: 2*9",
        ],
        [2, 1, 0, 1, 0, 0],
        expect!["fine"],
    );
    check(
        "1+",
        &["! Late: 1", "processing-failed/x: 1=Late"],
        [1, 0, 1, 0, 0, 0],
        expect!["fine"],
    );
}

#[test]
fn what_a_function_did_not_say_is_named() {
    let at_rest = |answer: &'static str| ["? 1=7", answer];
    let one = [1, 1, 0, 0, 0, 0];
    check(
        "1+",
        &at_rest("x: 1*8"),
        one,
        expect![
            "D1: a/clicks/1/1 in x is Ok { answer: 8, bytes: 30 }, and the function said [Ok { answer: 7, bytes: 30 }]"
        ],
    );
    check(
        "1+",
        &at_rest("x: 1"),
        one,
        expect!["a/clicks/1/1 should (not) be transformed, and is in x: None"],
    );
    check(
        "1+",
        &["?- 1=7", "x: 1*7"],
        one,
        expect!["D1: a/clicks/1/1 in x is Ok { answer: 7, bytes: 30 }, and the function said []"],
    );
    let failed = [1, 0, 1, 0, 0, 0];
    check(
        "1+",
        &["? 1=Bad", "processing-failed/x: 1=Worse"],
        failed,
        expect![[r#"a/clicks/1/1 failed with Worse: [Failed("Bad")] None"#]],
    );
    check(
        "1+",
        &["? 1=Bad", "processing-failed/x: 1*7=Bad"],
        failed,
        expect![[r#"
            assertion `left == right` failed: a/clicks/1/1 in processing-failed/x
              left: Some(7)
             right: None"#]],
    );
    check(
        "1+",
        &["?- 1=dropped"],
        [1, 0, 0, 1, 0, 0],
        expect![[r#"("a", "clicks"): acknowledged and missing: ["a/clicks/1/1"]; "#]],
    );
}

#[test]
fn an_answer_that_counts_is_not_asked_for_again() {
    let one = [1, 1, 0, 0, 0, 0];
    check(
        "1+",
        &["? 1=7", "? 1=8", "x: 1*8"],
        one,
        expect!["D1: a/clicks/1/1 was answered, and is asked for again"],
    );
    check(
        "1+",
        &["? 1=7", "restart", "? 1=8", "x: 1*8"],
        one,
        expect!["fine"],
    );
    check(
        "1+",
        &["? 1=7", "(x: 1*7)", "restart", "? 1=8", "x: 1*7"],
        one,
        expect!["D1: a/clicks/1/1 was delivered, and is asked for again"],
    );
    check(
        "1+",
        &["? 1=7", "> r no: 1*7", "restart", "? 1=8", "> r yes: 1*7"],
        one,
        expect!["D1: a/clicks/1/1 was delivered, and is asked for again"],
    );
}

#[test]
fn a_record_that_comes_to_two_ends_is_named() {
    check(
        "1+",
        &[
            "? 1=7",
            "restart",
            "? 1=Bad",
            "x: 1*7",
            "processing-failed/x: 1=Bad",
        ],
        [1, 1, 0, 0, 0, 0],
        expect![[r#"D1: a/clicks/1/1 is in x and in Some("processing-failed/x")"#]],
    );
    check(
        "1+",
        &[
            "? 1=7",
            "restart",
            "? 1=Bad",
            "> r yes: 1*7",
            "processing-failed/x: 1=Bad",
        ],
        [1, 0, 1, 0, 0, 0],
        expect!["D1: a/clicks/1/1 was sent, and is in processing-failed/x"],
    );
    check(
        "1+",
        &[
            "> r Busy: 1",
            "http-endpoint-failed/x: 1=Busy",
            "http-endpoint-failed/y: 1=Busy",
        ],
        [1, 0, 1, 0, 0, 0],
        expect![[
            r#"D3: the line of a/clicks/1/1 is in http-endpoint-failed/y and in Some("http-endpoint-failed/x")"#
        ]],
    );
}

#[test]
fn a_request_is_repeated_as_long_as_nobody_knows_better() {
    let two = [2, 2, 0, 0, 0, 0];
    check(
        "1+ 2+",
        &["> r Late: 1 2", "> r taken: 1 2", "> r yes: 1 2"],
        two,
        expect!["fine"],
    );
    check(
        "1+ 2+",
        &["> r large: 1 2", "> s yes: 1", "> t yes: 2"],
        two,
        expect!["fine"],
    );
    // The crash came before the verdict was durable.
    check(
        "1+ 2+",
        &["> r yes: 1 2", "failing restart", "> r yes: 1 2"],
        two,
        expect!["fine"],
    );
    // The first was taken, and nobody said so.
    check(
        "1+",
        &[
            "> r taken: 1",
            "> r Busy: 1",
            "http-endpoint-failed/x: 1=Busy",
        ],
        [1, 0, 1, 0, 0, 0],
        expect!["fine"],
    );
}

#[test]
fn a_request_that_is_repeated_or_changed_without_need_is_named() {
    let two = [2, 2, 0, 0, 0, 0];
    check(
        "1+ 2+",
        &["> r yes: 1 2", "> r yes: 1 2"],
        two,
        expect!["D5: a/clicks/1/1 was taken for good, and is sent again"],
    );
    check(
        "1+ 2+",
        &["> r yes: 1 2", "restart", "> r yes: 1 2"],
        two,
        expect!["D5: a/clicks/1/1 was taken for good, and is sent again"],
    );
    check(
        "1+ 2+",
        &["> r Late: 1", "> r yes: 1 2"],
        two,
        expect!["D5: request r changed with a repeat"],
    );
    check(
        "1+ 2+",
        &["> r Late: 1 2", "> s yes: 1 2"],
        two,
        expect![[r#"D5: Some("s") is Some(Some("r")) under another id"#]],
    );
    check(
        "1+ 2+",
        &["> r yes: 2 1"],
        two,
        expect!["D2: a/clicks/1/1 is out of order in a request"],
    );
    let three = [3, 3, 0, 0, 0, 0];
    check(
        "1+ 2+ 3+",
        &["> r Late: 1 2", "> s yes: 2 3", "> t yes: 1"],
        three,
        expect![
            "D5: a request began with a/clicks/1/1 and ended with a/clicks/1/2, another with a/clicks/1/2 and a/clicks/1/3"
        ],
    );
}

#[test]
fn what_an_endpoint_lost_or_failed_for_no_reason_is_named() {
    let one = [1, 1, 0, 0, 0, 0];
    check(
        "1+",
        &["> r Late: 1"],
        one,
        expect!["a/clicks/1/1 was sent, and rests nowhere"],
    );
    let failed = [1, 0, 1, 0, 0, 0];
    check(
        "1+",
        &["> r Busy: 1", "http-endpoint-failed/x: 1=Late"],
        failed,
        expect![[r#"a/clicks/1/1 failed with Late: {"Busy"}"#]],
    );
    check(
        "1+",
        &["http-endpoint-failed/x: 1=Late"],
        failed,
        expect!["a/clicks/1/1 is in http-endpoint-failed/x, and was never sent"],
    );
    check(
        "1+",
        &["> r yes: 1", "restart", "http-endpoint-failed/x: 1=yes"],
        failed,
        expect!["D5: a/clicks/1/1 was delivered for good, and is in http-endpoint-failed/x"],
    );
    check(
        "1+ 2+",
        &[
            "? 1=7 2=8",
            "> r yes: 1*7",
            "> s Busy: 2*8",
            "http-endpoint-failed/x: 2*9=Busy",
        ],
        [2, 1, 1, 0, 0, 0],
        expect![[r#"
            assertion `left == right` failed: D1: a/clicks/1/2 in http-endpoint-failed/x
              left: Seen { name: RecordName { machine: "a", stream: "clicks", producer: 1, number: 2 }, answer: Some(9), bytes: 30 }
             right: Seen { name: RecordName { machine: "a", stream: "clicks", producer: 1, number: 2 }, answer: Some(8), bytes: 30 }"#]],
    );
}

#[test]
fn a_backup_has_everything_once_and_as_it_was_put() {
    let two = [2, 1, 0, 1, 0, 0];
    let function = "? 1=7 2=dropped";
    check(
        "1+ 2+",
        &[function, "x: 1*7", "backup/x: 1 2"],
        two,
        expect!["fine"],
    );
    check(
        "1+ 2+",
        &[function, "x: 1*7", "backup/x: 1"],
        two,
        expect![[r#"("a", "clicks"): not backed up: ["a/clicks/1/2"]; "#]],
    );
    check(
        "1+ 2+",
        &[function, "x: 1*7", "backup/x: 1*7 2"],
        two,
        expect![[r#"
            assertion `left == right` failed: a/clicks/1/1 in backup/x
              left: Some(7)
             right: None"#]],
    );
    check(
        "1+ 2+",
        &[function, "x: 1*7", "backup/x: 1 2", "backup/y: 2"],
        two,
        expect![[
            r#"D3: a/clicks/1/2 is in backup/y and in Some(("backup/x", Seen { name: RecordName { machine: "a", stream: "clicks", producer: 1, number: 2 }, answer: None, bytes: 20 }))"#
        ]],
    );
}

#[test]
fn totals_of_what_failed_or_was_dropped_are_held_against_what_is_there() {
    let story = [
        "? 1=7 2=dropped 3=Bad",
        "x: 1*7",
        "processing-failed/x: 3=Bad",
    ];
    check(
        "1+ 2+ 3+",
        &story,
        [3, 1, 2, 0, 0, 0],
        expect![[r#"("a", "clicks"): 1 failed lines, "#]],
    );
    check(
        "1+ 2+ 3+",
        &story,
        [3, 1, 0, 2, 0, 0],
        expect![[r#"("a", "clicks"): 1 failed lines, "#]],
    );
    check(
        "1+ 2+ 3+",
        &story,
        [3, 2, 1, 0, 0, 0],
        expect![[r#"("a", "clicks"): 1 at rest, "#]],
    );
}
