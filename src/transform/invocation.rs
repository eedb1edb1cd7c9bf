//! Some records on their way to the function, and what is told about each.

use std::ops::Range;

use serde::Serialize;

use super::record_ids::RecordIds;
use crate::model::{Records, Timestamp};

/// The records of one invocation, at least one. They are shown in several requests where one would
/// be too large.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub records: Records,
    pub ids: RecordIds,
    pub arrivals: Arrivals,
    pub origin: Origin,
}

impl Invocation {
    pub fn count(&self) -> usize {
        self.records.ends().len()
    }

    /// From the first record to the last.
    pub(super) fn whole(&self) -> Range<usize> {
        0..self.count()
    }
}

/// When records arrived, about: those of one append share a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// The record behind each run of one time, ascending, and that time.
    runs: Vec<(usize, Timestamp)>,
}

impl Arrivals {
    /// So many further records arrived then.
    pub fn push(&mut self, records: usize, at: Timestamp) {
        let end = self.runs.last().map_or(0, |(end, _)| *end) + records;
        self.runs.push((end, at));
    }

    /// All of them at once.
    pub fn together(records: usize, at: Timestamp) -> Arrivals {
        Arrivals {
            runs: vec![(records, at)],
        }
    }

    /// `n` is below the sum of what was pushed.
    pub fn of(&self, n: usize) -> Timestamp {
        let run = self.runs.partition_point(|(end, _)| *end <= n);
        let (_, at) = self.runs.get(run).expect("every record arrived");
        *at
    }
}

/// Where the records come from. It decides how they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    DirectPut,
    /// Metadata for each record.
    Kinesis {
        stream_arn: String,
        metadata: Vec<KinesisMetadata>,
    },
    /// Metadata for each record.
    Kafka {
        cluster_arn: String,
        metadata: Vec<KafkaMetadata>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisMetadata {
    pub sequence_number: String,
    pub subsequence_number: u64,
    pub partition_key: String,
    pub shard_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaMetadata {
    pub offset: i64,
    pub partition: i32,
}

/// What the bytes of a record are called, in the request and in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataField {
    Data,
    KafkaRecordValue,
}

impl Origin {
    pub(super) fn data_field(&self) -> DataField {
        match self {
            Origin::DirectPut | Origin::Kinesis { .. } => DataField::Data,
            Origin::Kafka { .. } => DataField::KafkaRecordValue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_append_share_their_time() {
        let mut arrivals = Arrivals::default();
        arrivals.push(2, Timestamp::from_millis(10));
        arrivals.push(1, Timestamp::from_millis(20));
        let millis: Vec<_> = (0..3).map(|n| arrivals.of(n).as_millis()).collect();
        assert_eq!(millis, [10, 10, 20]);
    }
}
