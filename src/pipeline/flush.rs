//! When what waits is a batch: big enough, or old enough.
//!
//! Pure: it is told what waits and what time it is on the log clock. Size counts delivered bytes
//! before compression; the interval starts with the first record in an empty buffer.

use crate::buffer::Waiting;
use crate::model::{BufferingHints, LogTime};
use crate::sink::FlushReason;

#[derive(Clone, Debug)]
pub struct Flusher {
    hints: BufferingHints,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Cut(FlushReason),
    WaitUntil(LogTime),
    /// Nothing waits.
    Idle,
}

impl Flusher {
    pub fn new(hints: BufferingHints) -> Flusher {
        Flusher { hints }
    }

    pub fn decide(&self, waiting: Waiting, now: LogTime) -> Decision {
        let Some(oldest) = waiting.oldest else {
            return Decision::Idle;
        };
        let due = oldest.plus(self.hints.interval);
        if self.hints.size.get() <= waiting.bytes {
            Decision::Cut(FlushReason::Size)
        } else if due <= now {
            Decision::Cut(FlushReason::Interval)
        } else {
            Decision::WaitUntil(due)
        }
    }

    /// The same for a stop that delivers: whatever waits is a batch.
    pub fn drain(&self, waiting: Waiting) -> Decision {
        match waiting.oldest {
            None => Decision::Idle,
            Some(_) => Decision::Cut(FlushReason::Drain),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::ByteSize;

    /// `bytes since now`, in bytes and seconds, under hints of 10 bytes and 60 seconds.
    #[track_caller]
    fn check(case: &str, expected: Expect) {
        let hints = BufferingHints {
            size: ByteSize::bytes(10),
            interval: Duration::from_secs(60),
        };
        let numbers: Vec<u64> = case
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let waiting = Waiting {
            records: 1,
            bytes: numbers[0],
            oldest: Some(LogTime::from_millis(numbers[1] * 1_000)),
        };
        let decision =
            Flusher::new(hints).decide(waiting, LogTime::from_millis(numbers[2] * 1_000));
        expected.assert_eq(&format!("{decision:?}"));
    }

    #[test]
    fn batches_are_cut_by_size_or_age_whichever_comes_first() {
        check("9 0 0", expect!["WaitUntil(LogTime(60000))"]);
        check("10 0 0", expect!["Cut(Size)"]);
        check("25 0 0", expect!["Cut(Size)"]);
        check("9 7 66", expect!["WaitUntil(LogTime(67000))"]);
        check("9 7 67", expect!["Cut(Interval)"]);
        check("10 7 67", expect!["Cut(Size)"]);
        check("0 0 60", expect!["Cut(Interval)"]);
    }

    #[test]
    fn an_empty_buffer_is_left_alone() {
        let hints = BufferingHints {
            size: ByteSize::bytes(1),
            interval: Duration::ZERO,
        };
        let flusher = Flusher::new(hints);
        assert_eq!(
            flusher.decide(Waiting::default(), LogTime::default()),
            Decision::Idle
        );
        assert_eq!(flusher.drain(Waiting::default()), Decision::Idle);
    }

    #[test]
    fn draining_cuts_whatever_waits() {
        let hints = BufferingHints {
            size: ByteSize::mebibytes(5),
            interval: Duration::from_secs(900),
        };
        let waiting = Waiting {
            records: 1,
            bytes: 0,
            oldest: Some(LogTime::default()),
        };
        assert_eq!(
            Flusher::new(hints).drain(waiting),
            Decision::Cut(FlushReason::Drain)
        );
    }
}
