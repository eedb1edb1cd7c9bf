//! Any state reads back as it was written, and no bytes make reading panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::buffer::ledger::Position;
use crate::buffer::verdicts::{PartVerdict, Said, Verdict};
use crate::model::{Failure, Seq, SeqRange, limits};

/// Records of ten bytes each: spans that touch agree on what lies before them.
fn some_span() -> impl Strategy<Value = Span> {
    (any::<u32>(), 1..u32::MAX).prop_map(|(before, records)| {
        let place = |records: u64| Position::ZERO.plus(records, 10 * records);
        let end = u64::from(before) + u64::from(records);
        Span::between(place(before.into()), place(end)).expect("it holds a record")
    })
}

fn some_verdict() -> impl Strategy<Value = Verdict> {
    let failure = ("[A-Z]{1,9}", ".{0,9}", any::<u32>(), any::<u64>());
    let failure = failure.prop_map(|(code, message, attempts, ended)| {
        let ended = Timestamp::from_millis(ended);
        Verdict::Failed(Failure::new(code, message, attempts, ended))
    });
    let at_rest = (0u64..9).prop_map(|failed| Verdict::AtRest { failed });
    prop_oneof![Just(Verdict::Delivered), failure, at_rest]
}

fn some_shape() -> impl Strategy<Value = Shape> {
    let borders = vec((0u64..60).prop_map(Seq::new), 0..3);
    let given = vec((0u64..50, 1u64..9, some_verdict()), 0..4);
    let verdicts = (borders, given).prop_map(|(borders, given)| {
        let mut verdicts = Verdicts::default();
        verdicts.divide(SeqRange::new(Seq::new(0), Seq::new(60)), &borders);
        for (start, records, verdict) in given {
            let part = SeqRange::new(Seq::new(start), Seq::new(start + records));
            verdicts.add(part, verdict);
        }
        Shape::InParts(verdicts)
    });
    prop_oneof![Just(Shape::Whole), verdicts]
}

prop_compose! {
    fn some_cut()(
        id in any::<u64>(),
        spans in vec(some_span(), 0..3),
        (arrival, logged) in any::<(u64, u64)>(),
        plan in any::<Vec<u8>>(),
        shape in some_shape(),
    ) -> OpenCut {
        OpenCut {
            id: CutId(id),
            spans,
            first_arrival: Timestamp::from_millis(arrival),
            first_logged: LogTime::from_millis(logged),
            plan,
            shape,
        }
    }
}

prop_compose! {
    fn some_reader()(
        done in vec(some_span(), 0..4),
        cuts in vec(some_cut(), 0..3),
    ) -> ReaderState {
        let mut reader = ReaderState::default();
        done.iter().for_each(|span| reader.done.add(*span));
        reader.cuts = cuts.into_iter().map(|cut| (cut.id, cut)).collect();
        reader
    }
}

prop_compose! {
    fn some_part()(span in some_span(), (arrival, logged) in any::<(u64, u64)>()) -> Part {
        Part {
            span,
            arrival: Timestamp::from_millis(arrival),
            logged: LogTime::from_millis(logged),
        }
    }
}

/// Without parts: those are counted by the state.
fn some_lane() -> impl Strategy<Value = LaneState> {
    (some_span(), some_reader()).prop_map(|(tail, main)| LaneState {
        tail: tail.end,
        main,
        ..LaneState::default()
    })
}

prop_compose! {
    fn some_stream()(
        (version, fingerprint, created) in any::<(u32, u64, u64)>(),
        updated in proptest::option::of(1u64..),
        name in "[a-z]{1,9}",
        arrivals in some_lane(),
        backup in proptest::option::of(some_reader()),
        answers in prop_oneof![Just(LaneState::default()), some_lane()],
        [delivered, failed, dropped, expired, quarantined] in any::<[u64; 5]>(),
    ) -> Stream {
        let facts = StreamFacts {
            id: 0,
            name: name.parse().expect("letters are a name"),
            version,
            created: Timestamp::from_millis(created),
            updated: updated.map(Timestamp::from_millis),
        };
        let mut stream = Stream::new(facts, fingerprint);
        stream.arrivals = LaneState { backup, ..arrivals };
        stream.answers = answers;
        stream.rest = Rest { delivered, failed, dropped, expired, quarantined };
        stream
    }
}

prop_compose! {
    fn some_state()(
        (directory, life, clock, next_cut) in any::<(u128, u64, u64, u64)>(),
        next_stream in any::<u32>(),
        segments in any::<Vec<(u64, u64, u32, u32)>>(),
        streams in vec(some_stream(), 0..4),
        parts in vec((1u32..4, any::<bool>(), 0u64..5, some_part()), 0..9),
    ) -> State {
        let mut state = State::new(DirectoryId(directory), life);
        (state.next_cut, state.next_stream) = (next_cut, next_stream);
        state.clock = LogTime::from_millis(clock);
        for (id, life, frames_at, end) in segments {
            state.segments.insert(id, Sealed { life, frames_at, end });
        }
        for (id, mut stream) in (1..).zip(streams) {
            stream.facts.id = id;
            state.streams.insert(id, stream);
        }
        for (stream, is_answer, segment, part) in parts {
            let lane = if is_answer { Lane::Answers } else { Lane::Arrivals };
            state.insert_part(LaneId { stream, lane }, segment, part);
        }
        state
    }
}

proptest! {
    #[test]
    fn a_state_reads_back_as_it_was_written(state in some_state()) {
        prop_assert_eq!(decode(&encode(&state)), Some(state));
    }

    #[test]
    fn what_is_cut_off_is_no_snapshot(state in some_state(), at: prop::sample::Index) {
        let bytes = encode(&state);
        let cut_off = &bytes[..at.index(bytes.len())];
        // Only the place where the format once ended cannot be told from its end.
        if let Some(older) = decode(cut_off) {
            prop_assert_eq!(&encode(&older)[..], [cut_off, &[0]].concat());
        }
    }

    /// A checksum tells flipped bits; but if one is right by chance, it is no panic either.
    #[test]
    fn no_flipped_bits_make_it_panic(
        state in some_state(),
        flips in vec((any::<prop::sample::Index>(), 0..8), 1..4),
    ) {
        let mut bytes = encode(&state);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }
}

#[test]
fn the_verdicts_of_a_batch_take_no_more_than_their_share() {
    let max = limits::VERDICTS_PER_CUT_MAX as u64;
    let far = 1 << 40;
    let start = Position::ZERO.plus(far, far);
    let span = Span::between(start, start.plus(4 * max, 0)).unwrap();
    let mut cut = OpenCut {
        id: CutId(1),
        spans: vec![span],
        first_arrival: Timestamp::default(),
        first_logged: LogTime::default(),
        plan: Vec::new(),
        shape: Shape::InParts(Verdicts::default()),
    };
    let alone = encoded(&cut);
    let longest = "x".repeat(8_192);
    let part = |start: u64, end: u64| SeqRange::new(Seq::new(far + start), Seq::new(far + end));
    let say = |cut: &mut OpenCut, part: SeqRange, said: Said| {
        let given = PartVerdict {
            cut: cut.id,
            part,
            said: said.clone(),
        };
        cut.judge(&given);
        cut.has_bounded_verdicts(&said)
    };
    let failed = || Said::Judged(failure(&longest));
    let delivered = || Said::Judged(Verdict::Delivered);
    for number in 0..max {
        assert!(say(&mut cut, part(2 * number, 2 * number + 1), failed()));
    }
    assert!(!say(&mut cut.clone(), part(3 * max, 3 * max + 1), failed()));
    for number in 0..max {
        assert!(say(
            &mut cut,
            part(2 * number + 1, 2 * number + 2),
            delivered()
        ));
    }
    assert!(!say(
        &mut cut.clone(),
        part(3 * max, 3 * max + 1),
        delivered()
    ));
    let borders = (1..limits::BORDERS_PER_CUT_MAX as u64).map(|nth| Seq::new(far + 3 * max + nth));
    assert!(say(
        &mut cut,
        part(2 * max, 4 * max),
        Said::Divided(borders.collect())
    ));
    let Shape::InParts(verdicts) = &cut.shape else {
        panic!("it has verdicts");
    };
    assert_eq!(verdicts.iter().len() as u64, 2 * max);
    assert!(encoded(&cut) - alone <= limits::VERDICTS_PER_CUT_BYTES_MAX);
}

/// How many bytes of a snapshot it takes.
fn encoded(cut: &OpenCut) -> usize {
    let mut writer = Writer::default();
    cut.write_to(&mut writer);
    if let Shape::InParts(verdicts) = &cut.shape {
        verdicts.write_to(&mut writer);
    }
    writer.into_bytes().len()
}

fn failure(message: &str) -> Verdict {
    let code = "HttpEndpoint.InvalidResponseFromDestination";
    Verdict::Failed(Failure::new(
        code,
        message,
        3,
        Timestamp::from_millis(1 << 41),
    ))
}
