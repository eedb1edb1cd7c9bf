//! How a function calls a record: 62 digits, as Firehose's are today.
//!
//! ```text
//! 49 ┆ 24 digits of the data directory ┆ 10 of the stream ┆ 20 of the sequence number ┆ 000000
//! ```
//!
//! Opaque to the function, unique in its invocation, and the same when a record is shown again. Where
//! a record stands is read off its id, so checking an answer needs no table.

use std::io::Write;

use crate::model::{DirectoryId, Seq};

pub const CHARACTERS: usize = 62;

/// Ids of Kinesis begin so.
const BEGINNING: &str = "49";
const DIRECTORY_MODULUS: u128 = 10u128.pow(24);
/// Kinesis numbers the records here that one of its own was made of. We have no such.
const SUBSEQUENCE: &str = "000000";

/// The ids of records that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordIds {
    /// What all of them begin with.
    beginning: String,
    first: Seq,
}

impl RecordIds {
    /// `stream` is its number in the directory's log.
    pub fn new(directory: DirectoryId, stream: u32, first: Seq) -> RecordIds {
        let directory = directory.0 % DIRECTORY_MODULUS;
        RecordIds {
            beginning: format!("{BEGINNING}{directory:024}{stream:010}"),
            first,
        }
    }

    /// Those from the n-th record on.
    pub fn from(&self, n: usize) -> RecordIds {
        RecordIds {
            beginning: self.beginning.clone(),
            first: self.first.plus(n as u64),
        }
    }

    /// Appends the n-th record's id.
    pub fn write(&self, n: usize, out: &mut Vec<u8>) {
        let seq = self.first.plus(n as u64).get();
        let beginning = &self.beginning;
        write!(out, "{beginning}{seq:020}{SUBSEQUENCE}").expect("a vector takes all");
    }

    /// Which record of `count` the id is of; `None` where it is of no one's.
    pub fn position(&self, id: &str, count: usize) -> Option<usize> {
        let rest = id.strip_prefix(&self.beginning)?;
        let digits = rest.strip_suffix(SUBSEQUENCE)?;
        let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let seq: u64 = is_ours.then(|| digits.parse().ok())??;
        let n = usize::try_from(seq.checked_sub(self.first.get())?).ok()?;
        (n < count).then_some(n)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn ids() -> RecordIds {
        RecordIds::new(DirectoryId(u128::MAX), 3, Seq::new(1 << 40))
    }

    fn id(n: usize) -> String {
        let mut text = Vec::new();
        ids().write(n, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[track_caller]
    fn check(id: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", ids().position(id, 500)));
    }

    #[test]
    fn an_id_has_62_digits_and_says_which_record_it_is_of() {
        expect!["49463463374607431768211455000000000300000001099511627783000000"].assert_eq(&id(7));
        assert_eq!(id(7).len(), CHARACTERS);
        check(&id(0), expect!["Some(0)"]);
        check(&id(499), expect!["Some(499)"]);
        check(&id(500), expect!["None"]);
    }

    #[test]
    fn other_texts_are_of_no_record() {
        check("", expect!["None"]);
        check(&id(7)[1..], expect!["None"]);
        check(&id(7)[..61], expect!["None"]);
        check(&format!("{}0", id(7)), expect!["None"]);
        check(&id(7).replace("783", "+83"), expect!["None"]);
        let before_the_first = RecordIds::new(DirectoryId(u128::MAX), 3, Seq::new(1));
        let mut text = Vec::new();
        before_the_first.write(0, &mut text);
        check(&String::from_utf8(text).unwrap(), expect!["None"]);
    }

    #[test]
    fn a_record_keeps_its_id_in_a_later_part() {
        let mut text = Vec::new();
        ids().from(3).write(4, &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), id(7));
    }
}
