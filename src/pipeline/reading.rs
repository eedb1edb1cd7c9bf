//! A cut's records as a body, read from the log as they are sent.
//!
//! Nothing is held in memory but the piece in hand, and every attempt reads again. Damage (B5) is
//! remembered here, since by the time a sink gives up it is only "the body broke off".

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream;

use crate::buffer::{Chunk, Cut, Extents, ReadError};
use crate::model::{Body, BodyError, Chunks, Records, SeqRange};

/// Reads the batches of one stream.
#[derive(Clone)]
pub struct Reading {
    extents: Extents,
    damaged: Arc<Mutex<Option<SeqRange>>>,
}

/// How much an attempt sends: less than the cut says where a part was quarantined.
pub struct Size {
    pub records: u64,
    pub bytes: u64,
}

impl Reading {
    pub fn new(extents: Extents) -> Reading {
        Reading {
            extents,
            damaged: Arc::default(),
        }
    }

    /// `bytes` is the length of what will be read; see `measure`.
    pub fn body(&self, cut: &Cut, bytes: u64) -> Body {
        let reading = self.clone();
        let ranges = cut.ranges.clone();
        Body::new(bytes, move || reading.open(ranges.clone()))
    }

    /// The stretch that the last attempt found damaged, once.
    pub fn take_damage(&self) -> Option<SeqRange> {
        self.damaged
            .lock()
            .expect("no holder of this lock panics")
            .take()
    }

    /// Reads the whole cut to see what is left of it. `None` where a read failed: `take_damage`
    /// tells whether a stretch was damaged.
    pub async fn measure(&self, cut: &Cut) -> Option<Size> {
        let mut size = Size {
            records: 0,
            bytes: 0,
        };
        let mut chunks = self.open(cut.ranges.clone());
        while let Some(chunk) = chunks.next().await {
            let records = chunk.ok()?;
            size.records += records.count();
            size.bytes += records.slab().len() as u64;
        }
        Some(size)
    }

    fn open(&self, mut ranges: Vec<SeqRange>) -> Chunks {
        ranges.reverse();
        stream::unfold((self.clone(), ranges), |(reading, mut ranges)| async move {
            let chunk = reading.next(&mut ranges).await?;
            Some((chunk, (reading, ranges)))
        })
        // A body may be asked once more after its end (for trailers, say).
        .fuse()
        .boxed()
    }

    /// The next records of what is left of `ranges`, of which the last comes first.
    async fn next(&self, ranges: &mut Vec<SeqRange>) -> Option<Result<Records, BodyError>> {
        loop {
            let range = ranges.pop()?;
            match self.extents.read(range).await {
                Ok(None) => {}
                Ok(Some(Chunk { first, records, .. })) => {
                    ranges.extend(SeqRange::between(first.plus(records.count()), range.end()));
                    return Some(Ok(records));
                }
                Err(error) => {
                    if let ReadError::Damaged(stretch) = error {
                        *self.damaged.lock().expect("no holder of this lock panics") =
                            Some(stretch);
                    }
                    ranges.clear();
                    return Some(Err(BodyError(Arc::new(error))));
                }
            }
        }
    }
}
