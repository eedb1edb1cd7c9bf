//! What frames do to the state when damage took others.

use super::*;
use crate::buffer::ledger::Position;

const ARRIVALS: ReaderId = ReaderId {
    stream: 1,
    kind: ReaderKind::Arrivals,
};

/// Three records of ten bytes each, accepted and waiting.
fn three_waiting() -> State {
    let mut state = State::new(DirectoryId(1));
    let facts = StreamFacts {
        id: 1,
        name: "clicks".parse().unwrap(),
        version: 1,
        created: Default::default(),
        updated: None,
    };
    let mut stream = Stream::new(facts, 1);
    stream.arrivals.tail = Position::ZERO.plus(3, 30);
    state.streams.insert(1, stream);
    state
}

#[test]
fn a_settlement_counts_once_and_without_its_cut() {
    let mut state = three_waiting();
    let settlement = Settlement {
        cut: CutId(9),
        how: Settled::Delivered { failed: 1 },
        spans: state.streams[&1].live(ReaderKind::Arrivals),
    };
    for _ in 0..2 {
        state.settle(ARRIVALS, &settlement);
        let totals = state.streams[&1].totals();
        assert_eq!(
            (totals.delivered, totals.failed, totals.buffered),
            (2, 1, 0)
        );
    }
    assert_eq!(state.next_cut, 10, "ids are never used again");
}

#[test]
fn after_damage_the_tail_is_the_highest_number_that_is_mentioned() {
    let mut state = three_waiting();
    let span = Span::between(Position::ZERO.plus(5, 50), Position::ZERO.plus(7, 70));
    state.quarantine(ARRIVALS.lane(), &[span.unwrap()]);
    let totals = state.streams[&1].totals();
    let counts = (totals.accepted, totals.quarantined, totals.buffered);
    assert_eq!(counts, (7, 2, 5));
}
