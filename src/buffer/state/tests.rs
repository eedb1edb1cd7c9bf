//! What frames do to the state, also when damage took others.

use expect_test::{Expect, expect};

use super::*;
use crate::buffer::control::Shape;
use crate::buffer::frame::{Kind, Place};
use crate::buffer::ledger::Position;
use crate::buffer::stream::Rest;
use crate::buffer::{CutId, StreamFacts};
use crate::model::Timestamp;

/// Each record is ten bytes long.
fn at(seq: u64) -> Position {
    Position::ZERO.plus(seq, 10 * seq)
}

fn span(range: &str) -> Span {
    let (start, end) = range.split_once("..").unwrap();
    let at = |text: &str| at(text.parse().unwrap());
    Span::between(at(start), at(end)).unwrap()
}

/// A frame of `range`'s records; `5..5` holds none.
fn header(kind: Kind, reader: ReaderKind, range: &str) -> Header {
    let (start, end) = range.split_once("..").unwrap();
    let (start, end): (u64, u64) = (start.parse().unwrap(), end.parse().unwrap());
    Header {
        length: 4096,
        payload_crc: 0,
        kind,
        reader,
        life: 1,
        place: Place {
            segment: 1,
            offset: 0,
        },
        durable_upto: Place::default(),
        first: at(start),
        arrival: Timestamp::default(),
        logged: LogTime::default(),
        stream: 1,
        count: (end - start) as u32,
        blocks: 0,
        slab: 10 * (end - start) as u32,
    }
}

fn state() -> State {
    let facts = StreamFacts {
        name: "clicks".parse().unwrap(),
        id: 1,
        version: 1,
        created: Timestamp::default(),
        updated: None,
    };
    let mut state = State::new(DirectoryId(1), 0);
    state.streams.insert(1, Stream::new(facts, 0));
    state
}

fn reader(word: &str) -> ReaderId {
    let kind = match word {
        "arrivals" => ReaderKind::Arrivals,
        "answers" => ReaderKind::Answers,
        "backup" => ReaderKind::Backup,
        other => panic!("`{other}` is no reader"),
    };
    ReaderId { stream: 1, kind }
}

/// One step; the answer is what was odd about it.
fn step(state: &mut State, step: &str) -> Option<String> {
    let words: Vec<&str> = step.split_whitespace().collect();
    match words.as_slice() {
        ["arrive", range] => {
            let frame = header(Kind::Records, ReaderKind::Arrivals, range);
            state
                .add_records(&frame)
                .map(|hole| format!("hole {}", hole.range()))
        }
        // Which arrivals, and their entries.
        ["answer", of, entries] => {
            let frame = header(Kind::Answers, ReaderKind::Answers, entries);
            match state.add_answers(&frame, span(of)) {
                Ok(hole) => hole.map(|hole| format!("hole {}", hole.range())),
                Err(OutOfOrder) => Some(format!("{of} out of order")),
            }
        }
        ["cut", whose, range] => {
            let cut = OpenCut {
                id: CutId(state.next_cut),
                spans: vec![span(range)],
                first_arrival: Timestamp::default(),
                first_logged: LogTime::default(),
                plan: Vec::new(),
                shape: Shape::Whole,
            };
            state.add_cut(reader(whose), cut);
            None
        }
        ["settle", whose, range, failed] => {
            let settlement = Settlement {
                cut: CutId(9),
                how: Settled::Delivered {
                    failed: failed.parse().unwrap(),
                },
                spans: vec![span(range)],
            };
            state.settle(reader(whose), &settlement);
            None
        }
        ["quarantine", whose, range] => {
            state.quarantine(reader(whose), &[span(range)]);
            None
        }
        ["lose", whose, range] => {
            state.lose(reader(whose).lane(), span(range));
            None
        }
        ["backup", "on"] => {
            state.want_backup(1);
            None
        }
        ["backup", "off"] => {
            state.retire_backup(1, |tail| tail);
            None
        }
        _ => panic!("`{step}` is no step"),
    }
}

/// What waits at which reader, what rests where, and what was odd. C1 must hold after each step.
#[track_caller]
fn check(steps: &str, expected: Expect) {
    let mut state = state();
    let mut odd = Vec::new();
    for text in steps.split('|') {
        odd.extend(step(&mut state, text));
        let totals = state.streams[&1].totals();
        let rest = totals.delivered + totals.failed + totals.dropped + totals.quarantined;
        assert_eq!(totals.accepted, rest + totals.buffered, "C1 after `{text}`");
    }
    let stream = &state.streams[&1];
    let mut lines: Vec<String> = Vec::new();
    for (name, kind) in [
        ("arrivals", ReaderKind::Arrivals),
        ("answers", ReaderKind::Answers),
        ("backup", ReaderKind::Backup),
    ] {
        let waits: Vec<String> = stream
            .uncut(kind)
            .iter()
            .map(|s| s.range().to_string())
            .collect();
        if !waits.is_empty() {
            lines.push(format!("{name} {}", waits.join(" ")));
        }
    }
    let Rest {
        delivered,
        failed,
        dropped,
        expired: _,
        quarantined,
    } = stream.rest;
    lines.push(format!("rest {delivered} {failed} {dropped} {quarantined}"));
    lines.extend(odd);
    if state.is_dead(1) {
        lines.push("dead".to_owned());
    }
    expected.assert_eq(&lines.join(", "));
}

#[test]
fn what_is_answered_waits_as_an_answer_or_was_dropped() {
    check(
        "arrive 0..10 | answer 0..4 0..3",
        expect!["arrivals 4..10, answers 0..3, rest 0 0 1 0"],
    );
    check(
        "arrive 0..10 | answer 0..4 0..0",
        expect!["arrivals 4..10, rest 0 0 4 0"],
    );
    check(
        "arrive 0..4 | answer 0..4 0..4 | settle answers 0..4 1",
        expect!["rest 3 1 0 0, dead"],
    );
    check(
        "arrive 0..4 | answer 0..4 0..0",
        expect!["rest 0 0 4 0, dead"],
    );
}

#[test]
fn answers_follow_those_before_them() {
    check(
        "arrive 0..10 | answer 0..4 0..4 | answer 0..4 4..8",
        expect!["arrivals 4..10, answers 0..4, rest 0 0 0 0, 0..4 out of order"],
    );
    check(
        "arrive 0..10 | answer 0..4 0..4 | answer 3..6 4..7",
        expect!["arrivals 4..10, answers 0..4, rest 0 0 0 0, 3..6 out of order"],
    );
    check(
        "arrive 0..10 | answer 0..4 0..4 | answer 4..6 3..5",
        expect!["arrivals 4..10, answers 0..4, rest 0 0 0 0, 4..6 out of order"],
    );
    check(
        "arrive 0..10 | cut arrivals 0..4 | answer 4..10 0..6",
        expect!["answers 0..6, rest 0 0 0 0"],
    );
    check(
        "arrive 0..10 | quarantine arrivals 0..4 | answer 4..6 0..2",
        expect!["arrivals 6..10, answers 0..2, rest 0 0 0 4"],
    );
}

#[test]
fn answers_that_damage_took_are_not_asked_for_again_once_others_follow() {
    check(
        "arrive 0..10 | answer 4..10 3..9 | lose answers 0..3",
        expect!["answers 3..9, rest 0 0 1 3, hole 0..3"],
    );
    check(
        "arrive 0..10 | answer 4..10 0..6",
        expect!["answers 0..6, rest 0 0 4 0"],
    );
    // Somebody cut what was answered: as many arrivals have an answer at least.
    check(
        "arrive 0..10 | cut answers 0..3 | lose answers 0..3",
        expect!["arrivals 3..10, rest 0 0 0 3"],
    );
    check(
        "arrive 0..10 | settle answers 0..3 1 | answer 6..10 3..7",
        expect!["answers 3..7, rest 2 1 3 0"],
    );
    check(
        "arrive 0..10 | quarantine answers 0..3",
        expect!["arrivals 3..10, rest 0 0 0 3"],
    );
}

#[test]
fn answers_say_that_their_arrivals_were_there() {
    // Damage took the frame of the arrivals 4..10.
    check(
        "arrive 0..4 | answer 0..4 0..4 | answer 4..10 4..10",
        expect!["answers 0..10, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | answer 0..10 0..10",
        expect!["answers 0..10, backup 0..10, rest 0 0 0 0"],
    );
}

#[test]
fn a_backup_copies_what_arrives_from_then_on_and_holds_it_until_then() {
    check(
        "arrive 0..4 | backup on | arrive 4..6",
        expect!["arrivals 0..6, backup 4..6, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | answer 0..4 0..0",
        expect!["backup 0..4, rest 0 0 4 0"],
    );
    check(
        "backup on | arrive 0..4 | answer 0..4 0..0 | settle backup 0..4 0",
        expect!["rest 0 0 4 0, dead"],
    );
}

// From review: what waited for a backup was forgotten with its configuration.
#[test]
fn d4_a_backup_that_is_not_wanted_any_more_is_owed_what_waits_for_it() {
    check(
        "backup on | arrive 0..4 | answer 0..4 0..0 | backup off",
        expect!["backup 0..4, rest 0 0 4 0"],
    );
    check(
        "backup on | arrive 0..4 | settle backup 0..3 0 | backup off | arrive 4..6",
        expect!["arrivals 0..6, backup 3..4, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | backup off | arrive 4..6 | backup on | arrive 6..7",
        expect!["arrivals 0..7, backup 0..4 6..7, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | backup off | arrive 4..6 | settle backup 0..4 0 | backup off",
        expect!["arrivals 0..6, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | settle backup 0..4 0 | settle arrivals 0..4 0 | backup off",
        expect!["rest 4 0 0 0, dead"],
    );
    check(
        "backup on | arrive 0..2 | settle backup 0..2 0 | backup off | arrive 2..4 | backup on",
        expect!["arrivals 0..4, rest 0 0 0 0"],
    );
}

#[test]
fn what_one_reader_cannot_read_another_may_have_read_before() {
    check(
        "backup on | arrive 0..4 | quarantine backup 0..4",
        expect!["arrivals 0..4, rest 0 0 0 0"],
    );
    check(
        "backup on | arrive 0..4 | quarantine arrivals 0..4",
        expect!["backup 0..4, rest 0 0 0 4"],
    );
    check(
        "backup on | arrive 0..4 | lose arrivals 0..4",
        expect!["rest 0 0 0 4, dead"],
    );
}

#[test]
fn a_settlement_counts_once_and_without_its_cut() {
    check(
        "arrive 0..3 | settle arrivals 0..3 1 | settle arrivals 0..3 1",
        expect!["rest 2 1 0 0, dead"],
    );
    let mut state = state();
    step(&mut state, "settle arrivals 0..3 0");
    assert_eq!(state.next_cut, 10, "ids are never used again");
}

#[test]
fn after_damage_the_tail_is_the_highest_number_that_is_mentioned() {
    check(
        "arrive 0..3 | quarantine arrivals 5..7",
        expect!["arrivals 0..5, rest 0 0 0 2"],
    );
}
