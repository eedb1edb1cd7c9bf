//! Who judges the judge: for every promise a case in which it is broken, and what the oracle says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use expect_test::{Expect, expect};
use standpipe::buffer::Totals;
use standpipe::model::Seq;

use crate::notebook::{Notebook, Promise, RecordName};
use crate::oracle::{Evidence, Found, Hints, judge};

/// Puts are `1+` acknowledged, `2?` unknown, `3-` refused, with their number as sequence number.
/// Objects are `name: records`; one that is only history stands in parentheses. The totals are
/// accepted, delivered, expired and buffered.
#[track_caller]
fn check(puts: &str, objects: &[&str], totals: [u64; 4], expected: Expect) {
    let notebook = Notebook::default();
    for put in puts.split_whitespace() {
        let (number, promise) = put.split_at(put.len() - 1);
        let name = name(number);
        let promise = match promise {
            "+" => Promise::Acknowledged {
                seq: Seq::new(number.parse().unwrap()),
            },
            "-" => Promise::Refused,
            _ => Promise::Unknown,
        };
        notebook.sent(name.clone(), 20, Duration::ZERO);
        notebook.promised(&name, promise, Duration::ZERO);
    }
    let stream = ("a".to_owned(), "clicks".to_owned());
    let mut evidence = Evidence::default();
    let hints = Hints {
        size: 60,
        interval: Duration::from_secs(10),
    };
    evidence.hints.insert(stream.clone(), hints);
    for object in objects {
        let only_history = object.starts_with('(');
        let object = object.trim_matches(['(', ')']);
        evidence.stored.push(found(object));
        if !only_history {
            evidence.at_rest.push(found(object));
        }
    }
    let [accepted, delivered, expired, buffered] = totals;
    let totals = Totals {
        accepted,
        delivered,
        expired,
        buffered,
        ..Totals::default()
    };
    evidence.totals.insert(stream, totals);
    let verdict = catch_unwind(AssertUnwindSafe(|| judge(&notebook, &evidence)));
    let said = match verdict {
        Ok(()) => "fine".to_owned(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    };
    // What follows are the totals as this table gives them.
    expected.assert_eq(said.split("Totals {").next().unwrap());
}

fn name(number: &str) -> RecordName {
    RecordName {
        machine: "a".to_owned(),
        stream: "clicks".to_owned(),
        producer: 1,
        number: number.parse().unwrap(),
    }
}

fn found(object: &str) -> Found {
    let (place, records) = object.split_once(": ").unwrap();
    let records = records.split_whitespace();
    let content: Vec<u8> = records.flat_map(|number| name(number).record(20)).collect();
    Found {
        machine: "a".to_owned(),
        place: place.to_owned(),
        packed: content.clone().into(),
        content,
    }
}

#[test]
fn all_is_well_when_every_yes_is_in_one_object() {
    check(
        "1+ 2+ 3+",
        &["x: 1 2", "y: 3"],
        [3, 3, 0, 0],
        expect!["fine"],
    );
    check("1+ 2? 3- 4?", &["x: 1 2"], [2, 2, 0, 0], expect!["fine"]);
    check(
        "1+ 2+",
        &["x: 1 2", "x: 1 2"],
        [2, 2, 0, 0],
        expect!["fine"],
    );
}

#[test]
fn what_expired_may_be_missing_or_may_have_arrived() {
    check("1+ 2+ 3+", &["x: 1"], [3, 1, 2, 0], expect!["fine"]);
    check(
        "1+ 2+ 3+",
        &["x: 1", "y: 2 3"],
        [3, 1, 2, 0],
        expect!["fine"],
    );
}

#[test]
fn whatever_is_lost_is_named() {
    check(
        "1+ 2+",
        &["x: 1"],
        [2, 2, 0, 0],
        expect![[r#"("a", "clicks"): acknowledged and missing: ["a/clicks/1/2"]; "#]],
    );
    check(
        "1+ 2+",
        &["x: 1 2", "(y: 2)"],
        [2, 2, 0, 0],
        expect![[r#"D3: a/clicks/1/2 is in y and in Some("x")"#]],
    );
    check(
        "1+ 2+",
        &["x: 1", "(y: 2)"],
        [2, 2, 0, 0],
        expect!["a/clicks/1/2 was in y and is gone"],
    );
    check(
        "1+",
        &["x: 1"],
        [1, 0, 0, 1],
        expect![[r#"assertion `left == right` failed: ("a", "clicks"): not drained: "#]],
    );
}

#[test]
fn whatever_is_there_twice_or_should_not_be_there_is_named() {
    check(
        "1+ 2+",
        &["x: 1 2", "y: 2"],
        [2, 2, 0, 0],
        expect![[r#"D3: a/clicks/1/2 is in y and in Some("x")"#]],
    );
    check(
        "1+ 2+",
        &["x: 1 2 2"],
        [2, 2, 0, 0],
        expect!["a/clicks/1/2 is in x twice"],
    );
    check(
        "1+ 2-",
        &["x: 1 2"],
        [2, 2, 0, 0],
        expect!["a/clicks/1/2 was refused, and is in x"],
    );
    check(
        "1+",
        &["x: 1 2"],
        [2, 2, 0, 0],
        expect!["a/clicks/1/2 was never sent"],
    );
}

#[test]
fn whatever_is_out_of_shape_is_named() {
    check(
        "1+ 2+",
        &["x: 2 1"],
        [2, 2, 0, 0],
        expect!["D2: a/clicks/1/1 is out of order in x"],
    );
    check(
        "1? 2?",
        &["x: 2 1"],
        [2, 2, 0, 0],
        expect!["D2: a/clicks/1/1 is out of order in x"],
    );
    check(
        "1+ 2+ 3+ 4+",
        &["x: 1 2 3 4"],
        [4, 4, 0, 0],
        expect!["x has 80 bytes, hint 60"],
    );
    check(
        "1+ 2+",
        &["x: 1", "x: 1 2"],
        [2, 2, 0, 0],
        expect!["x changed with a repeat"],
    );
}

#[test]
fn totals_that_do_not_add_up_are_named() {
    check(
        "1+ 2+",
        &["x: 1 2"],
        [2, 1, 0, 0],
        expect![[r#"assertion `left == right` failed: C1: ("a", "clicks"): "#]],
    );
    check(
        "1+ 2+",
        &["x: 1 2"],
        [1, 1, 0, 0],
        expect![[r#"("a", "clicks"): 2 acknowledged, 2 possible, "#]],
    );
    check(
        "1+ 2?",
        &["x: 1"],
        [3, 3, 0, 0],
        expect![[r#"("a", "clicks"): 1 acknowledged, 2 possible, "#]],
    );
    check(
        "1+ 2?",
        &["x: 1"],
        [2, 2, 0, 0],
        expect![[r#"("a", "clicks"): 1 at rest, "#]],
    );
}
