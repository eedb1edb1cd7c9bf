//! Who holds how much of the memory that streams have together, and who may have more.
//!
//! Pure. A part is shared out equally and kept for each stream: what fits there never waits for anybody
//! else. The rest is for whoever comes first. But a stream that has some of the rest gets more of it
//! only while as much stays free as it then has: the first takes half, the next half of what is left.
//! So one whose other side hangs leaves room to others, and one that is busy has far more than an equal
//! part.

/// Of all that there is, for several streams.
const KEPT_FRACTION: usize = 8;

#[derive(Debug)]
pub struct Ledger {
    /// Kept for each stream.
    kept: usize,
    /// What is not kept for anybody.
    common: usize,
    /// Of that.
    lent: usize,
    /// By stream.
    held: Vec<usize>,
}

/// Whether somebody may have so many bytes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They were kept for the stream.
    Kept,
    /// They are free for whoever comes first.
    Free,
    /// The stream has so much of the common memory that others come first.
    Enough,
    Full,
}

impl Ledger {
    /// A stream that is alone has it all.
    pub fn new(bytes: usize, streams: usize) -> Ledger {
        let kept = match streams {
            0 | 1 => bytes,
            several => bytes / KEPT_FRACTION / several,
        };
        Ledger {
            kept,
            common: bytes - kept * streams.max(1),
            lent: 0,
            held: Vec::new(),
        }
    }

    /// One more stream's number.
    pub fn add(&mut self) -> usize {
        self.held.push(0);
        self.held.len() - 1
    }

    /// What is more than a stream can ever have counts as all of that, and so goes alone.
    pub fn counted(&self, bytes: usize) -> usize {
        bytes.clamp(1, (self.kept + self.common).max(1))
    }

    pub fn may_take(&self, stream: usize, bytes: usize) -> Answer {
        let held = self.held[stream];
        let has = self.borrowed(held);
        let would_have = self.borrowed(held + bytes);
        let free = self.common - self.lent;
        match would_have - has {
            0 => Answer::Kept,
            more if 0 < has && free < more + would_have => Answer::Enough,
            more if free < more => Answer::Full,
            _ => Answer::Free,
        }
    }

    pub fn take(&mut self, stream: usize, bytes: usize) {
        let held = self.held[stream];
        self.set(stream, held + bytes);
    }

    pub fn give_back(&mut self, stream: usize, bytes: usize) {
        let held = self.held[stream].checked_sub(bytes);
        self.set(stream, held.expect("nobody gives back more than was taken"));
    }

    fn set(&mut self, stream: usize, held: usize) {
        let before = self.borrowed(self.held[stream]);
        self.lent = self.lent - before + self.borrowed(held);
        self.held[stream] = held;
    }

    /// Beyond what is kept.
    fn borrowed(&self, held: usize) -> usize {
        held.saturating_sub(self.kept)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Of 800 bytes for four streams, 25 of which are kept for each: who wants how many, and, where
    /// they are negative, who gives them back.
    #[track_caller]
    fn check(wanted: &[(usize, isize)], expected: Expect) {
        let mut ledger = Ledger::new(800, 4);
        for _ in 0..4 {
            ledger.add();
        }
        let answers = wanted.iter().map(|&(stream, bytes)| {
            if bytes < 0 {
                ledger.give_back(stream, bytes.unsigned_abs());
                return format!("{stream}{bytes}");
            }
            let bytes = ledger.counted(bytes.unsigned_abs());
            let answer = ledger.may_take(stream, bytes);
            if matches!(answer, Answer::Kept | Answer::Free) {
                ledger.take(stream, bytes);
            }
            format!("{stream}+{bytes} {answer:?}")
        });
        expected.assert_eq(&answers.collect::<Vec<_>>().join(", "));
    }

    #[test]
    fn a_stream_alone_has_all() {
        let mut ledger = Ledger::new(800, 1);
        let alone = ledger.add();
        assert_eq!(ledger.may_take(alone, 800), Answer::Kept);
        ledger.take(alone, 800);
        assert_eq!(ledger.may_take(alone, 1), Answer::Full);
    }

    #[test]
    fn what_is_kept_for_a_stream_is_there_whatever_others_have() {
        check(
            &[(0, 725), (1, 25), (1, 1), (2, 26), (2, 25), (0, 1)],
            expect!["0+725 Free, 1+25 Kept, 1+1 Full, 2+26 Full, 2+25 Kept, 0+1 Enough"],
        );
    }

    #[test]
    fn who_has_some_of_the_rest_gets_more_while_as_much_stays_free() {
        check(
            &[(0, 375), (0, 1), (1, 200), (1, 1), (2, 112), (3, 112)],
            expect!["0+375 Free, 0+1 Enough, 1+200 Free, 1+1 Enough, 2+112 Free, 3+112 Free"],
        );
        check(
            &[(0, 374), (0, 1), (0, 1)],
            expect!["0+374 Free, 0+1 Free, 0+1 Enough"],
        );
    }

    #[test]
    fn what_is_larger_than_all_goes_alone() {
        check(
            &[(0, 9999), (1, 9999), (1, 26), (0, -725), (1, 9999)],
            expect!["0+725 Free, 1+725 Full, 1+26 Full, 0-725, 1+725 Free"],
        );
        check(
            &[(0, 26), (1, 9999), (0, -26), (1, 9999)],
            expect!["0+26 Free, 1+725 Full, 0-26, 1+725 Free"],
        );
    }

    #[test]
    fn nothing_counts_as_one_byte() {
        check(&[(0, 0), (0, -1)], expect!["0+1 Kept, 0-1"]);
    }
}
