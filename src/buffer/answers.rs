//! A transformer's answers, as they enter the log.
//!
//! Each record is answered once: with new bytes, with a failure, or by being dropped. An entry of the
//! answers' lane is one of the first two, and a dropped record leaves none. A failed entry has no bytes
//! in the lane, for only delivered bytes count for the size of a batch: the record as it arrived
//! travels in the frame's block.
//!
//! Who answered and when each record arrived stand in the frame as well, for tomorrow's configuration
//! knows another function, and records of one frame may have arrived a quarter of an hour apart.
//!
//! ```text
//! block:  1, length | what was answered: span | function
//!                   | arrivals: count | from which entry on, when
//!                   | failed: count   | index, code, message, attempts, ended, the record
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::control::{read_span, write_span};
use super::ledger::{Position, Span};
use super::verdicts::{failure_from, failure_to};
use super::wire::{Reader, Writer};
use crate::model::{Failure, Timestamp};

/// Numbers of block types are for good. Reserved: 2 metadata of records, 3 a producer's invocation.
const ANSWERED: u64 = 1;

/// One frame of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The records that are answered: a dense stretch of what arrived.
    pub of: Span,
    /// When the first entry's record arrived; without any, the first record of all.
    pub first_arrival: Timestamp,
    pub slab: Bytes,
    /// Where each entry ends in the slab.
    pub ends: Vec<u32>,
    pub told: Told,
}

/// What a frame of answers says of its entries, beside their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who answered.
    pub function: Arc<str>,
    /// From this entry on, the records arrived at that time: ascending, from the first entry on.
    pub arrivals: Vec<(u32, Timestamp)>,
    /// By index of the entry, ascending.
    pub failed: Vec<(u32, FailedRecord)>,
}

/// A record that the transformer could not process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Who could not: an ARN, or a URL without secrets.
    pub function: Arc<str>,
    pub failure: Failure,
    /// When it came to us.
    pub arrival: Timestamp,
    /// As it came.
    pub data: Bytes,
}

/// What became of one record in the transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The record as it arrived: how many bytes, and when.
    pub bytes: u32,
    pub arrival: Timestamp,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok(Bytes),
    Dropped,
    /// With the record as it arrived.
    Failed(Failure, Bytes),
}

impl Answers {
    pub fn encode_blocks(&self) -> Vec<u8> {
        let mut body = Writer::default();
        write_span(&mut body, self.of);
        self.told.write_to(&mut body);
        let mut blocks = Writer::default();
        blocks.number(ANSWERED);
        blocks.bytes(&body.into_bytes());
        blocks.into_bytes()
    }

    /// Which records the frame with these blocks answers.
    pub fn decode_of(blocks: &[u8]) -> Option<Span> {
        read_span(&mut Reader::new(answered(blocks)?))
    }

    /// What the frame with these blocks says of its entries.
    pub fn decode_told(blocks: &[u8]) -> Option<Told> {
        let mut reader = Reader::new(answered(blocks)?);
        read_span(&mut reader)?;
        let told = Told::read_from(&mut reader)?;
        reader.end().map(|()| told)
    }
}

impl Told {
    fn write_to(&self, body: &mut Writer) {
        body.bytes(self.function.as_bytes());
        body.number(self.arrivals.len() as u64);
        for (from, at) in &self.arrivals {
            body.number(u64::from(*from));
            body.number(at.as_millis());
        }
        body.number(self.failed.len() as u64);
        for (index, record) in &self.failed {
            body.number(u64::from(*index));
            failure_to(body, &record.failure);
            body.bytes(&record.data);
        }
    }

    fn read_from(reader: &mut Reader<'_>) -> Option<Told> {
        let function = std::str::from_utf8(reader.bytes()?).ok()?;
        let mut told = Told {
            function: function.into(),
            arrivals: Vec::new(),
            failed: Vec::new(),
        };
        for _ in 0..reader.number()? {
            let from = reader.number_u32()?;
            let at = Timestamp::from_millis(reader.number()?);
            told.arrivals.push((from, at));
        }
        for _ in 0..reader.number()? {
            let index = reader.number_u32()?;
            let record = FailedRecord {
                function: told.function.clone(),
                failure: failure_from(reader)?,
                arrival: told.arrival(index)?,
                data: Bytes::copy_from_slice(reader.bytes()?),
            };
            told.failed.push((index, record));
        }
        Some(told)
    }

    /// When this entry's record arrived; `None` where nobody says.
    pub fn arrival(&self, entry: u32) -> Option<Timestamp> {
        let runs = self.arrivals.partition_point(|(from, _)| *from <= entry);
        let (_, at) = self.arrivals.get(runs.checked_sub(1)?)?;
        Some(*at)
    }
}

fn answered(blocks: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(blocks);
    if reader.number()? != ANSWERED {
        return None;
    }
    reader.bytes()
}

/// The function's answers to the records from `of.start` on, none of which is behind `of.end`: frames
/// of at most about so many bytes each, or of one record's answer.
pub fn split(
    of: Span,
    function: &Arc<str>,
    answered: &[Answered],
    bytes_max: usize,
) -> Vec<Answers> {
    let mut frames = Vec::new();
    let mut frame = Building::new(of.start, function);
    for record in answered {
        if bytes_max < frame.bytes + record.cost() {
            let next = Building::new(frame.end, function);
            frames.extend(std::mem::replace(&mut frame, next).build());
        }
        frame.add(record);
    }
    if frame.end.seq == of.end.seq {
        // Where damage left a guess in the log's positions, the lane's own end counts.
        frame.end = of.end;
    }
    frames.extend(frame.build());
    frames
}

impl Answered {
    /// On the disk, about.
    fn cost(&self) -> usize {
        match &self.outcome {
            Outcome::Ok(data) => 4 + data.len(),
            Outcome::Dropped => 0,
            Outcome::Failed(failure, data) => {
                64 + failure.code.len() + failure.message.len() + data.len()
            }
        }
    }
}

struct Building {
    start: Position,
    end: Position,
    first_arrival: Option<Timestamp>,
    slab: Vec<u8>,
    ends: Vec<u32>,
    told: Told,
    bytes: usize,
}

impl Building {
    fn new(start: Position, function: &Arc<str>) -> Building {
        Building {
            start,
            end: start,
            first_arrival: None,
            slab: Vec::new(),
            ends: Vec::new(),
            told: Told {
                function: function.clone(),
                arrivals: Vec::new(),
                failed: Vec::new(),
            },
            bytes: 0,
        }
    }

    fn add(&mut self, record: &Answered) {
        self.bytes += record.cost();
        self.end = self.end.plus(1, u64::from(record.bytes));
        self.first_arrival.get_or_insert(record.arrival);
        let index = self.ends.len() as u32;
        match &record.outcome {
            Outcome::Dropped => return,
            Outcome::Ok(data) => self.slab.extend_from_slice(data),
            Outcome::Failed(failure, data) => {
                let failed = FailedRecord {
                    function: self.told.function.clone(),
                    failure: failure.clone(),
                    arrival: record.arrival,
                    data: data.clone(),
                };
                self.told.failed.push((index, failed));
            }
        }
        let last = self.told.arrivals.last();
        if last.is_none_or(|(_, at)| *at != record.arrival) {
            self.told.arrivals.push((index, record.arrival));
        }
        let end = u32::try_from(self.slab.len()).expect("L1: an answer is far smaller than 4 GiB");
        self.ends.push(end);
    }

    /// `None` where nothing was added.
    fn build(self) -> Option<Answers> {
        Some(Answers {
            of: Span::between(self.start, self.end)?,
            first_arrival: self.told.arrival(0).or(self.first_arrival)?,
            slab: self.slab.into(),
            ends: self.ends,
            told: self.told,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn failure() -> Failure {
        Failure::new("Lambda.FunctionError", "no", 4, Timestamp::from_millis(9))
    }

    /// Each record came with ten bytes; `o` came back with three, `d` was dropped, `f` failed.
    fn answered(letters: &str) -> Vec<Answered> {
        let letters = letters.chars().enumerate();
        let one = letters.map(|(number, letter)| Answered {
            bytes: 10,
            arrival: Timestamp::from_millis(number as u64),
            outcome: match letter {
                'o' => Outcome::Ok(Bytes::from_static(b"new")),
                'd' => Outcome::Dropped,
                _ => Outcome::Failed(failure(), Bytes::from_static(b"0123456789")),
            },
        });
        one.collect()
    }

    #[track_caller]
    fn check(letters: &str, bytes_max: usize, expected: Expect) {
        let start = Position::ZERO.plus(100, 1000);
        let of = Span::between(start, start.plus(1000, 10_000)).unwrap();
        let frames = split(of, &"f".into(), &answered(letters), bytes_max);
        let lines = frames.iter().map(|frame| {
            let blocks = frame.encode_blocks();
            assert_eq!(Answers::decode_of(&blocks), Some(frame.of));
            assert_eq!(Answers::decode_told(&blocks).as_ref(), Some(&frame.told));
            let failed: Vec<u32> = frame.told.failed.iter().map(|(index, _)| *index).collect();
            format!(
                "{} ({} bytes) at {}: ends {:?}, failed {failed:?}",
                frame.of.range(),
                frame.of.bytes(),
                frame.first_arrival.as_millis(),
                frame.ends
            )
        });
        expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_dropped_record_leaves_no_entry_and_a_failed_one_no_bytes() {
        check(
            "odfo",
            1_000,
            expect!["100..104 (40 bytes) at 0: ends [3, 3, 6], failed [1]"],
        );
        check(
            "ddd",
            1_000,
            expect!["100..103 (30 bytes) at 0: ends [], failed []"],
        );
    }

    // From review: they all got the time of the first record of the invocation.
    #[test]
    fn each_answer_keeps_when_its_record_arrived_and_who_answered() {
        let start = Position::ZERO;
        let of = Span::between(start, start.plus(5, 50)).unwrap();
        let frames = split(of, &"arn:f".into(), &answered("doofd"), 1_000);
        let told = Answers::decode_told(&frames[0].encode_blocks()).unwrap();
        let arrivals: Vec<u64> = (0..3)
            .map(|entry| told.arrival(entry).unwrap().as_millis())
            .collect();
        assert_eq!(arrivals, [1, 2, 3]);
        assert_eq!(frames[0].first_arrival.as_millis(), 1);
        let (index, failed) = &told.failed[0];
        assert_eq!((*index, failed.arrival.as_millis()), (2, 3));
        assert_eq!(&*failed.function, "arn:f");
        let dropped = split(of, &"arn:f".into(), &answered("dd"), 1_000);
        assert_eq!(dropped[0].first_arrival.as_millis(), 0);
    }

    #[test]
    fn many_answers_are_several_frames() {
        check(
            "oodoo",
            14,
            expect![[r#"
                100..103 (30 bytes) at 0: ends [3, 6], failed []
                103..105 (20 bytes) at 3: ends [3, 6], failed []"#]],
        );
        check(
            "fo",
            10,
            expect![[r#"
                100..101 (10 bytes) at 0: ends [0], failed [0]
                101..102 (10 bytes) at 1: ends [3], failed []"#]],
        );
    }

    #[test]
    fn the_last_frame_ends_where_the_lane_says() {
        // Damage before them left a guess: 35 bytes, where the three records have 30.
        let start = Position::ZERO.plus(100, 1000);
        let of = Span::between(start, start.plus(3, 35)).unwrap();
        let ends = |letters| split(of, &"f".into(), &answered(letters), 1_000)[0].of.end;
        assert_eq!(ends("ooo"), start.plus(3, 35));
        assert_eq!(ends("oo"), start.plus(2, 20));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_blocks_panic(bytes: Vec<u8>) {
            let _ = Answers::decode_of(&bytes);
            let _ = Answers::decode_told(&bytes);
        }
    }
}
