//! How much may still be written to the log, and by whom: a few numbers, looked at once a group.

use tokio::time::Instant;

use super::ledger::Span;
use super::pool::Count;
use super::queue::Append;
use super::shared::Shared;
use crate::model::{ReaderKind, limits};
use crate::telemetry::{Repetition, Say};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    segment_bytes: usize,
    /// Of the segment that is being written.
    left: usize,
    files: Count,
    /// What the answers take that are still to come; `None` without a transformer.
    owed: Option<usize>,
}

impl Room {
    pub fn of(shared: &Shared) -> Room {
        let segment_bytes = shared.geometry.segment_bytes as usize;
        let files = shared.pool.count();
        let inner = shared.inner();
        let written = inner
            .current
            .map_or(segment_bytes, |(_, current)| current.end as usize);
        let transformed = shared.transformed.iter();
        let streams = transformed.filter_map(|id| inner.state.streams.get(id));
        let unanswered = streams.flat_map(|stream| stream.uncut(ReaderKind::Arrivals));
        let owed: usize = unanswered.map(for_answer).sum();
        Room {
            segment_bytes,
            left: segment_bytes.saturating_sub(written),
            files,
            owed: (!shared.transformed.is_empty()).then_some(owed),
        }
    }

    /// The same with other files, for the log grew.
    pub fn with(self, files: Count) -> Room {
        Room { files, ..self }
    }

    /// How many bytes of arrivals may be written. Behind a transformer each also needs room for its
    /// answer, though it need not be made yet, and answers have a free segment of their own beyond
    /// the reserve; else the log fills with what cannot be answered.
    pub fn for_arrivals(self) -> usize {
        let reserved = limits::SEGMENTS_RESERVED + usize::from(self.owed.is_some());
        let Count { free, to_make } = self.files;
        let ready = self.beyond(free, reserved);
        let in_all = self.beyond(free + to_make, reserved);
        ready.min(in_all.saturating_sub(self.owed.unwrap_or_default()))
    }

    /// Whether so many bytes of arrivals have no room only because files for them are not made yet.
    pub fn lacks_files_for(self, arrivals: usize) -> bool {
        let Count { free, to_make } = self.files;
        let files = Count {
            free: free + to_make,
            to_make: 0,
        };
        self.for_arrivals() < arrivals && arrivals <= self.with(files).for_arrivals()
    }

    pub fn for_answers(self) -> usize {
        self.beyond(self.files.free, limits::SEGMENTS_RESERVED)
    }

    /// For those who may use one segment of the reserve, because nothing else makes room.
    pub fn for_last_answers(self) -> usize {
        self.beyond(self.files.free, limits::SEGMENTS_RESERVED - 1)
    }

    /// B7: the last bytes of a segment are for cuts and settlements, which make room. A log that was
    /// full has room again only with twice as much, or it would change with every put.
    pub fn is_full(self, was_full: bool) -> bool {
        self.for_arrivals() < self.least(was_full)
    }

    /// A log with less is full.
    pub fn least(self, was_full: bool) -> usize {
        match was_full {
            true => self.segment_bytes / 2,
            false => self.segment_bytes / 4,
        }
    }

    /// How many bytes may be written before so many of the free segments are touched: what is left of
    /// this segment, and of each free one beyond them what no snapshot takes.
    fn beyond(self, free: usize, reserved: usize) -> usize {
        let spare = free.checked_sub(reserved);
        spare.map_or(0, |spare| self.left + spare * self.segment_bytes / 2)
    }
}

/// What an append takes of the room for arrivals: behind a transformer its answers are to come.
pub fn for_append(shared: &Shared, append: &Append) -> usize {
    match shared.transformed.contains(&append.stream) {
        true => 2 * append.length(),
        false => append.length(),
    }
}

/// About as much as the records take; where the function makes them longer, answers wait until
/// deliveries have made room.
pub fn for_answer(of: Span) -> usize {
    of.bytes() as usize + 8 * of.records() as usize
}

/// What was told of it. A log that is delivered as fast as it is filled may be full, and not, many
/// times a second.
#[derive(Debug, Default)]
pub struct Told {
    is_full: bool,
    repetition: Repetition,
    too_large: Repetition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Full,
    Room,
}

impl Told {
    pub fn news(&mut self, is_full: bool, now: Instant) -> Option<News> {
        match (self.is_full, is_full) {
            (false, true) => match self.repetition.say("full", now) {
                Say::Aloud { .. } => {
                    self.is_full = true;
                    Some(News::Full)
                }
                Say::Quietly => None,
            },
            (true, false) => {
                self.is_full = false;
                Some(News::Room)
            }
            (true, true) | (false, false) => None,
        }
    }

    /// A put was refused by a log that is not full. Answers whether the log lines should hear of it.
    pub fn too_large(&mut self, now: Instant) -> Say {
        self.too_large.say("too large", now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;

    /// Segments of 800 bytes.
    #[track_caller]
    fn check(left: usize, free: usize, to_make: usize, owed: Option<usize>, expected: Expect) {
        let room = Room {
            segment_bytes: 800,
            left,
            files: Count { free, to_make },
            owed,
        };
        let state = match (room.is_full(false), room.is_full(true)) {
            (true, true) => "full",
            (false, true) => "as it was",
            (false, false) => "room",
            (true, false) => unreachable!("what is full now has no room again"),
        };
        let (arrivals, answers) = (room.for_arrivals(), room.for_answers());
        let last = room.for_last_answers();
        expected.assert_eq(&format!(
            "{state}: {arrivals} for arrivals, {answers} or {last} for answers"
        ));
    }

    #[test]
    fn b7_arrivals_leave_the_reserve_alone() {
        let none = expect!["full: 0 for arrivals, 0 or 800 for answers"];
        check(800, 2, 9, None, none);
        let left = expect!["room: 800 for arrivals, 800 or 1200 for answers"];
        check(800, 3, 0, None, left);
        let more = expect!["room: 410 for arrivals, 410 or 810 for answers"];
        check(10, 4, 0, None, more);
    }

    #[test]
    fn b7_arrivals_leave_room_for_their_answers() {
        let own = expect!["full: 0 for arrivals, 800 or 1200 for answers"];
        check(800, 3, 0, Some(0), own);
        let owed = expect!["room: 500 for arrivals, 1200 or 1600 for answers"];
        check(800, 4, 0, Some(300), owed);
        let to_make = expect!["room: 800 for arrivals, 1200 or 1600 for answers"];
        check(800, 4, 1, Some(300), to_make);
    }

    #[test]
    fn files_that_can_be_made_are_made_for_what_they_would_hold() {
        let room = |to_make, owed| Room {
            segment_bytes: 800,
            left: 100,
            files: Count { free: 4, to_make },
            owed,
        };
        // One beyond the reserve: 100 + 400; each more has 400.
        assert!(!room(2, None).lacks_files_for(500));
        assert!(room(2, None).lacks_files_for(501));
        assert!(room(2, None).lacks_files_for(1300));
        assert!(!room(2, None).lacks_files_for(1301));
        assert!(!room(0, None).lacks_files_for(501));
        assert!(room(2, Some(300)).lacks_files_for(600));
        assert!(!room(2, Some(300)).lacks_files_for(601));
    }

    // From review: one put that was larger than what was left made the log full, the next small one
    // made it good again, 60 times a second.
    #[test]
    fn b7_a_full_log_has_room_again_only_with_twice_as_much() {
        let full = expect!["full: 199 for arrivals, 199 or 599 for answers"];
        check(199, 3, 0, None, full);
        let low = expect!["as it was: 200 for arrivals, 200 or 600 for answers"];
        check(200, 3, 0, None, low);
        let high = expect!["as it was: 399 for arrivals, 399 or 799 for answers"];
        check(399, 3, 0, None, high);
        let room = expect!["room: 400 for arrivals, 400 or 800 for answers"];
        check(400, 3, 0, None, room);
    }

    /// `12s:full` or `12s:room`; the answer is what was told.
    #[track_caller]
    fn check_told(steps: &str, expected: Expect) {
        let start = Instant::now();
        let mut told = Told::default();
        let mut news = Vec::new();
        for step in steps.split_whitespace() {
            let (seconds, is) = step.split_once("s:").unwrap();
            let now = start + Duration::from_secs(seconds.parse().unwrap());
            if told.news(is == "full", now).is_some() {
                news.push(step);
            }
        }
        expected.assert_eq(&news.join(" "));
    }

    #[test]
    fn a_log_that_gets_full_again_and_again_says_so_once_a_minute() {
        check_told("0s:room", expect![""]);
        check_told(
            "0s:full 1s:full 90s:room 91s:room",
            expect!["0s:full 90s:room"],
        );
        check_told(
            "0s:full 1s:room 2s:full 3s:room 4s:full 60s:full 70s:room",
            expect!["0s:full 1s:room 60s:full 70s:room"],
        );
    }
}
