//! When what waits for the transformer is worth an invocation, and how much goes into one.
//!
//! Pure. The hints are Firehose's: a size of 0.2 to 3 MiB, an interval of 0 to 900 seconds; whichever
//! is met first. Many small records meet Lambda's limit for a request before the size.

use std::time::Duration;

use super::request;
use crate::model::{BufferingHints, ByteSize, LogTime, Records, limits};

/// Hints that are within their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints(BufferingHints);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HintsError {
    #[error("the size is from 0.2MiB to 3MiB")]
    Size,
    #[error("the interval is from 0s to 900s")]
    Interval,
}

impl Default for Hints {
    fn default() -> Hints {
        Hints(BufferingHints {
            size: limits::FIREHOSE_PROCESSING_SIZE_DEFAULT,
            interval: limits::FIREHOSE_PROCESSING_INTERVAL_DEFAULT,
        })
    }
}

impl Hints {
    pub fn new(size: ByteSize, interval: Duration) -> Result<Hints, HintsError> {
        let sizes = limits::FIREHOSE_PROCESSING_SIZE_MIN..=limits::FIREHOSE_PROCESSING_SIZE_MAX;
        if !sizes.contains(&size) {
            return Err(HintsError::Size);
        }
        if limits::FIREHOSE_PROCESSING_INTERVAL_MAX < interval {
            return Err(HintsError::Interval);
        }
        Ok(Hints(BufferingHints { size, interval }))
    }

    /// The default in front of Splunk.
    pub fn of_splunk() -> Hints {
        Hints(BufferingHints {
            size: limits::FIREHOSE_PROCESSING_SIZE_SPLUNK,
            ..Hints::default().0
        })
    }

    pub fn get(&self) -> BufferingHints {
        self.0
    }
}

/// What waits for the transformer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub records: u64,
    pub bytes: u64,
    /// When the oldest came; `None`: nothing waits.
    pub oldest: Option<LogTime>,
}

/// What one invocation is at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    pub records: usize,
    pub bytes: usize,
    /// The request.
    pub document: usize,
}

impl Largest {
    /// Of an invocation of these records.
    pub fn of(records: &Records) -> Largest {
        let (count, bytes) = (records.count(), records.slab().len());
        let document = document_bytes(count, bytes as u64);
        Largest {
            records: count as usize,
            bytes,
            document: document.min(limits::LAMBDA_PAYLOAD_BYTES_MAX as u64) as usize,
        }
    }

    /// In memory: the records and the request; the answer, how long nobody knows before, and what it
    /// is decoded to. Later less: the decoded bytes once more, on their way to the log.
    pub fn bytes_held_max(self) -> usize {
        const ANSWER: usize = limits::LAMBDA_PAYLOAD_BYTES_MAX;
        let Largest {
            records,
            bytes,
            document,
        } = self;
        bytes + document + ANSWER + ANSWER / 4 * 3 + records * RECORD_BYTES_HELD
    }
}

/// Beside its bytes: where each record's answer is, what became of it, and when it arrived.
const RECORD_BYTES_HELD: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Invoke,
    WaitUntil(LogTime),
    /// Nothing waits.
    Idle,
}

impl Hints {
    pub fn decide(&self, waiting: Waiting, now: LogTime) -> Decision {
        let Some(oldest) = waiting.oldest else {
            return Decision::Idle;
        };
        let due = oldest.plus(self.0.interval);
        let is_full = self.0.size.get() <= waiting.bytes || fills_a_request(waiting);
        if is_full || due <= now {
            Decision::Invoke
        } else {
            Decision::WaitUntil(due)
        }
    }

    /// The largest invocation to be made of what waits, before anything of it is read.
    pub fn largest(&self, waiting: Waiting) -> Largest {
        let bytes_max = (self.0.size.get()).max(limits::FIREHOSE_RECORD_BYTES_MAX as u64);
        let bytes = waiting.bytes.min(bytes_max);
        // Of records of the average length, twice as many as are so long together: those at hand may
        // be shorter.
        let records = match waiting.records.checked_mul(2 * bytes) {
            Some(product) if 0 < waiting.bytes => product.div_ceil(waiting.bytes),
            Some(_) | None => waiting.records,
        };
        let records = records.max(RECORDS_ANYWAY).min(waiting.records);
        let document = document_bytes(records, bytes);
        let document = document.min(limits::LAMBDA_PAYLOAD_BYTES_MAX as u64) as usize;
        let records_max = document / request::record_bytes_max(0);
        Largest {
            records: usize::try_from(records).map_or(records_max, |it| it.min(records_max)),
            bytes: bytes as usize,
            document,
        }
    }

    /// How many records, of these lengths and in this order, go into one invocation: at least one, and
    /// then as many as stay within the size and within one request.
    pub fn take(&self, lengths: impl IntoIterator<Item = usize>) -> usize {
        let (mut records, mut bytes, mut document) = (0, 0, ENVELOPE_BYTES_ABOUT);
        for length in lengths {
            bytes += length as u64;
            document += request::record_bytes_max(length);
            let fits = bytes <= self.0.size.get() && document <= limits::LAMBDA_PAYLOAD_BYTES_MAX;
            if 0 < records && !fits {
                break;
            }
            records += 1;
        }
        records
    }
}

/// ARN, region and ids around the records. Too little only costs a second request.
const ENVELOPE_BYTES_ABOUT: usize = 1024;
/// However long the average is: so many take next to no memory.
const RECORDS_ANYWAY: u64 = 1024;

fn fills_a_request(waiting: Waiting) -> bool {
    limits::LAMBDA_PAYLOAD_BYTES_MAX as u64 <= document_bytes(waiting.records, waiting.bytes)
}

/// About.
fn document_bytes(records: u64, bytes: u64) -> u64 {
    let frames = records.saturating_mul(request::record_bytes_max(0) as u64);
    let data = bytes.saturating_mul(4) / 3;
    let records = frames.saturating_add(data);
    records.saturating_add(ENVELOPE_BYTES_ABOUT as u64)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use futures_util::FutureExt;

    use super::*;
    use crate::model::RecordsBuilder;
    use crate::outside::memory::Share;

    /// `records bytes since now` under hints of 1 MiB and 60 seconds.
    #[track_caller]
    fn check(case: &str, expected: Expect) {
        let numbers: Vec<u64> = case.split(' ').map(|it| it.parse().unwrap()).collect();
        let waiting = Waiting {
            records: numbers[0],
            bytes: numbers[1],
            oldest: Some(LogTime::from_millis(numbers[2] * 1_000)),
        };
        let now = LogTime::from_millis(numbers[3] * 1_000);
        expected.assert_eq(&format!("{:?}", Hints::default().decide(waiting, now)));
    }

    #[test]
    fn an_invocation_is_due_by_size_or_age_whichever_comes_first() {
        check("10 1048575 0 0", expect!["WaitUntil(LogTime(60000))"]);
        check("10 1048576 0 0", expect!["Invoke"]);
        check("10 100 7 66", expect!["WaitUntil(LogTime(67000))"]);
        check("10 100 7 67", expect!["Invoke"]);
        let nothing = Hints::default().decide(Waiting::default(), LogTime::default());
        assert_eq!(nothing, Decision::Idle);
    }

    #[test]
    fn many_small_records_fill_a_request_before_the_size() {
        check("45000 0 0 0", expect!["WaitUntil(LogTime(60000))"]);
        check("46000 0 0 0", expect!["Invoke"]);
    }

    #[test]
    fn an_invocation_holds_what_stays_within_the_size_and_at_least_one_record() {
        let take = |lengths: &[usize]| Hints::default().take(lengths.iter().copied());
        assert_eq!(take(&[]), 0);
        assert_eq!(take(&[1_024_000]), 1);
        assert_eq!(take(&[5 << 20, 1]), 1);
        assert_eq!(take(&[1 << 19, 1 << 19, 1]), 2);
        assert_eq!(take(&[1 << 19, (1 << 19) + 1]), 1);
        let small = take(&[0; 100_000]);
        let one = request::record_bytes_max(0);
        assert_eq!(
            small,
            (limits::LAMBDA_PAYLOAD_BYTES_MAX - ENVELOPE_BYTES_ABOUT) / one
        );
    }

    #[test]
    fn what_an_invocation_may_hold_is_known_before_it_is_read() {
        let held = |records, bytes| {
            let oldest = Some(LogTime::default());
            let largest = Hints::default().largest(Waiting {
                records,
                bytes,
                oldest,
            });
            let held = largest.bytes_held_max() as f64 / 1e6;
            format!("{} of {} B: {held:.1} MB", largest.records, largest.bytes)
        };
        expect!["1 of 100 B: 11.0 MB"].assert_eq(&held(1, 100));
        expect!["1 of 1024000 B: 13.4 MB"].assert_eq(&held(1, 1_024_000));
        expect!["1024 of 1048576 B: 13.9 MB"].assert_eq(&held(1024, 1 << 20));
        // As many as fit a request, and what fits is not known before they are read.
        expect!["45262 of 0 B: 28.9 MB"].assert_eq(&held(1_000_000, 0));
        expect!["45262 of 1048576 B: 29.9 MB"].assert_eq(&held(10_000_000, 100_000_000));
        expect!["45262 of 1048576 B: 29.9 MB"].assert_eq(&held(u64::MAX, u64::MAX));
    }

    // From review: while much waited, each invocation took memory for all of it, and so they went one
    // after the other just when it mattered.
    #[test]
    fn a_backlog_makes_no_invocation_larger() {
        let held = |bytes_each: u64| {
            let waiting = Waiting {
                records: 135_000_000 / bytes_each,
                bytes: 135_000_000,
                oldest: Some(LogTime::default()),
            };
            let largest = Hints::default().largest(waiting);
            let held = largest.bytes_held_max() as f64 / 1e6;
            format!("{bytes_each} B: {} records, {held:.1} MB", largest.records)
        };
        let all = [100, 1_000, 50_000, 1_000_000].map(held);
        expect![[r#"
            100 B: 20972 records, 21.7 MB
            1000 B: 2098 records, 14.3 MB
            50000 B: 1024 records, 13.9 MB
            1000000 B: 135 records, 13.5 MB"#]]
        .assert_eq(&all.join("\n"));
    }

    #[test]
    fn a_busy_stream_has_all_its_invocations_side_by_side_however_many_others_are_idle() {
        let side_by_side = |streams: usize, hints: Hints, bytes: usize| {
            let share = Share::of(limits::INVOCATION_BYTES_IN_MEMORY_MAX, streams);
            let waiting = Waiting {
                records: 1 << 20,
                bytes: 1 << 30,
                oldest: Some(LogTime::default()),
            };
            let wanted = hints.largest(waiting).bytes_held_max();
            let mut record = RecordsBuilder::default();
            (0..bytes / 1024).for_each(|_| record.push(&[0; 1024]));
            let read = Largest::of(&record.build().unwrap()).bytes_held_max();
            let mut held = Vec::new();
            while let Some(mut taken) = share.take(wanted).now_or_never() {
                taken.shrink(read);
                held.push(taken);
            }
            held.len()
        };
        let told = [1, 2, 4, 100].map(|streams| {
            let default = side_by_side(streams, Hints::default(), 1 << 20);
            let splunk = side_by_side(streams, Hints::of_splunk(), 1 << 18);
            format!("{streams} streams: {default}, before Splunk {splunk}")
        });
        expect![[r#"
            1 streams: 12, before Splunk 14
            2 streams: 6, before Splunk 6
            4 streams: 5, before Splunk 6
            100 streams: 5, before Splunk 6"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn hints_keep_to_firehoses_bounds() {
        let new = |bytes: u64, seconds: u64| {
            Hints::new(ByteSize::bytes(bytes), Duration::from_secs(seconds))
        };
        let (least, most) = ((1 << 20) / 5, 3 << 20);
        assert!(new(least, 0).is_ok());
        assert!(new(most, 900).is_ok());
        assert_eq!(new(least - 1, 0), Err(HintsError::Size));
        assert_eq!(new(most + 1, 0), Err(HintsError::Size));
        assert_eq!(new(most, 901), Err(HintsError::Interval));
        assert_eq!(Hints::of_splunk().get().size.get(), 1 << 18);
    }
}
