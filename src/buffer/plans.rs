//! Whose cut may take how much of every snapshot.
//!
//! An open cut's plan and verdicts stand in each segment's snapshot, which has room for so many bytes
//! of them. Half of that is shared out equally, and what a stream leaves of its share is kept for it:
//! one with many open cuts never holds up another's. The other half is for whoever comes first.
//!
//! A cut that is moved to another destination may need more than it has. There is a reserve for that,
//! as it is the only way to get rid of it.

use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Plans {
    bytes_max: usize,
    share: usize,
    held: BTreeMap<u32, usize>,
    /// What is held, or kept for those who hold less than their share.
    kept: usize,
}

impl Plans {
    /// `held` names every stream.
    pub fn new(bytes_max: usize, held: BTreeMap<u32, usize>) -> Plans {
        let share = bytes_max / 2 / held.len().max(1);
        Plans {
            bytes_max,
            share,
            kept: held.values().map(|held| share.max(*held)).sum(),
            held,
        }
    }

    /// Whether the stream may have so many bytes more, which then are its own.
    pub fn take(&mut self, stream: u32, bytes: usize) -> bool {
        self.take_within(self.bytes_max, stream, bytes)
    }

    /// The same for a cut that is open already, with so much in reserve.
    pub fn grow(&mut self, stream: u32, bytes: usize, reserve: usize) -> bool {
        bytes == 0 || self.take_within(self.bytes_max + reserve, stream, bytes)
    }

    fn take_within(&mut self, bytes_max: usize, stream: u32, bytes: usize) -> bool {
        let Some(held) = self.held.get_mut(&stream) else {
            return false;
        };
        let kept = self.kept - self.share.max(*held) + self.share.max(*held + bytes);
        if bytes_max < kept {
            return false;
        }
        *held += bytes;
        self.kept = kept;
        true
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Of 80 bytes: `held` by streams 0, 1, …, then who wants how many; who got them.
    #[track_caller]
    fn check(held: &[usize], wanted: &[(u32, usize)], expected: Expect) {
        let mut plans = Plans::new(80, (0..).zip(held.iter().copied()).collect());
        let got = wanted
            .iter()
            .map(|(stream, bytes)| match plans.take(*stream, *bytes) {
                true => format!("{stream}+{bytes}"),
                false => format!("{stream} no"),
            });
        expected.assert_eq(&got.collect::<Vec<_>>().join(", "));
    }

    #[test]
    fn a_stream_alone_has_all() {
        check(&[0], &[(0, 80), (0, 1)], expect!["0+80, 0 no"]);
    }

    #[test]
    fn each_stream_has_its_share_whatever_the_others_took_before() {
        check(
            &[0, 0],
            &[(0, 61), (0, 60), (0, 1), (1, 21), (1, 20)],
            expect!["0 no, 0+60, 0 no, 1 no, 1+20"],
        );
        check(&[60, 0], &[(1, 20), (1, 1)], expect!["1+20, 1 no"]);
    }

    #[test]
    fn what_is_beyond_the_shares_goes_to_whoever_comes_first() {
        check(
            &[0, 0, 0, 0],
            &[(0, 30), (1, 30), (2, 11), (2, 10), (3, 10)],
            expect!["0+30, 1+30, 2 no, 2+10, 3+10"],
        );
    }

    #[test]
    fn an_open_cut_may_grow_into_a_reserve() {
        let mut plans = Plans::new(80, BTreeMap::from([(0, 40), (1, 40)]));
        let grown = [(0, 11), (0, 10), (1, 1), (1, 0)];
        let grown = grown.map(|(stream, bytes)| plans.grow(stream, bytes, 10));
        assert_eq!(grown, [false, true, false, true]);
    }

    #[test]
    fn a_stream_that_is_new_waits_until_those_who_had_all_leave_it_a_share() {
        check(&[80, 0], &[(1, 1), (0, 1)], expect!["1 no, 0 no"]);
    }
}
