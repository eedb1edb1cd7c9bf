//! The way in.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::frame::Draft;
use super::queue::{Append, Door, Refused, Request};
use super::reading::Reader;
use crate::model::{Records, SeqRange};

/// The right to add records to one stream. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    reader: Reader,
    door: Arc<Door>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// B7: the log, or the queue before it, is full. Trying again later helps.
    #[error("the buffer is full")]
    Full,
    /// B6: the disk failed. The records may or may not be there after a restart.
    #[error("the log could not be written")]
    Failed,
    /// B6: the disk failed before, and nothing is written any more until a restart.
    #[error("the log has stopped")]
    Stopped,
    /// The daemon is stopping.
    #[error("the buffer is closed")]
    Closed,
}

impl Intake {
    pub(super) fn new(reader: Reader, door: Arc<Door>) -> Intake {
        Intake { reader, door }
    }

    /// Returns once the records are durable (B1), with the positions they got. When it is cancelled
    /// the records may or may not be there.
    pub async fn append(&self, records: Records) -> Result<SeqRange, AppendError> {
        let shared = &self.reader.shared;
        let now = shared.clock.now();
        let stream = self.reader.id.stream;
        let frames = split(records, shared.geometry.payload_bytes_max());
        let drafts = frames
            .iter()
            .map(|records| Draft::records(stream, records, now));
        let (answer, answered) = oneshot::channel();
        let append = Append {
            stream,
            drafts: drafts.collect(),
            answer,
        };
        match self.door.0.push(Request::Append(append)) {
            Ok(()) => answered.await.unwrap_or(Err(AppendError::Closed)),
            Err(Refused::Full) => Err(AppendError::Full),
            Err(Refused::Closed) => Err(AppendError::Closed),
        }
    }
}

/// Frames of at most so many bytes, or of one record.
fn split(records: Records, bytes_max: usize) -> Vec<Records> {
    let bytes = |end: u32, count: usize| end as usize + 4 * count;
    let count = records.ends().len();
    if bytes(
        *records.ends().last().expect("records are never empty"),
        count,
    ) <= bytes_max
    {
        return vec![records];
    }
    let mut frames = Vec::new();
    let (mut from, mut start) = (0, 0);
    for (number, end) in records.ends().iter().enumerate() {
        if from < number && bytes_max < bytes(end - start, number + 1 - from) {
            frames.push(records.slice(from, number));
            (from, start) = (number, records.ends()[number - 1]);
        }
    }
    frames.push(records.slice(from, count));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordsBuilder;

    /// Records of these lengths, in frames of at most 100 bytes; each record costs 4 more.
    #[track_caller]
    fn check(lengths: &[usize], counts: &[u64]) {
        let mut builder = RecordsBuilder::default();
        for length in lengths {
            builder.push(&vec![7; *length]);
        }
        let records = builder.build().unwrap();
        let frames = split(records.clone(), 100);
        let split: Vec<u64> = frames.iter().map(Records::count).collect();
        assert_eq!(split, counts);
        let joined: Vec<&[u8]> = frames.iter().flat_map(Records::iter).collect();
        assert_eq!(joined, records.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_put_that_is_too_large_for_a_frame_becomes_several() {
        check(&[96], &[1]);
        check(&[97], &[1]);
        check(&[46, 46], &[2]);
        check(&[46, 47], &[1, 1]);
        check(&[10, 200, 10, 10], &[1, 1, 2]);
        check(&[0; 26], &[25, 1]);
    }
}
