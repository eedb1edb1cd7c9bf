//! A cut's records, read from the log as they are sent.
//!
//! Nothing is held in memory but the piece in hand, and every attempt reads again. Damage (B5) is
//! remembered here, since by the time a sink gives up it is only "the body broke off".

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::buffer::{Chunk, Extents, ReadError};
use crate::model::{Body, BodyError, Records, Seq, SeqRange, Timestamp};
use crate::pipeline::progress::Progress;

/// Reads one batch.
#[derive(Clone)]
pub struct Reading {
    extents: Extents,
    /// Told when a body is given away and when it is asked for.
    progress: Progress,
    cut: u64,
    damaged: Arc<Mutex<Option<SeqRange>>>,
}

/// How much an attempt sends: less than the cut says where a part was quarantined, or failed in the
/// transformer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub records: u64,
    pub bytes: u64,
}

/// Turns what was read into what is sent; `None` where nothing of it is.
pub type Select = dyn Fn(&Chunk) -> Option<Records> + Send + Sync;

impl Reading {
    pub fn new(extents: Extents, progress: Progress, cut: u64) -> Reading {
        Reading {
            extents,
            progress,
            cut,
            damaged: Arc::default(),
        }
    }

    /// `bytes` is the length of what will be selected; see `measure`. For a place for objects, which
    /// asks for the records once it has room for them.
    pub fn body(&self, ranges: &[SeqRange], bytes: u64, select: &Arc<Select>) -> Body {
        let (reading, ranges, select) = (self.clone(), ranges.to_vec(), select.clone());
        self.progress.waits(self.cut);
        Body::new(bytes, move || {
            reading.progress.moves(reading.cut);
            let select = select.clone();
            let selected = reading.chunks(&ranges).filter_map(move |chunk| {
                let selected = chunk.map(|chunk| select(&chunk)).transpose();
                async { selected }
            });
            selected.boxed()
        })
    }

    /// The stretch that the last attempt found damaged, once.
    pub fn take_damage(&self) -> Option<SeqRange> {
        self.damaged
            .lock()
            .expect("no holder of this lock panics")
            .take()
    }

    /// Whether all of these records are still to be read, as they were when they were cut.
    pub fn is_whole(&self, ranges: &[SeqRange]) -> bool {
        self.extents.are_whole(ranges)
    }

    /// Reads the whole cut to see what would be selected of it. `None` where a read failed:
    /// `take_damage` tells whether a stretch was damaged.
    pub async fn measure(&self, ranges: &[SeqRange], select: &Select) -> Option<Size> {
        let mut size = Size::default();
        let mut chunks = self.chunks(ranges);
        while let Some(chunk) = chunks.next().await {
            if let Some(records) = select(&chunk.ok()?) {
                size.records += records.count();
                size.bytes += records.slab().len() as u64;
            }
        }
        Some(size)
    }

    /// Everything in these ranges, some at a time.
    pub fn chunks(&self, ranges: &[SeqRange]) -> BoxStream<'static, Result<Chunk, BodyError>> {
        let mut ranges = ranges.to_vec();
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
    async fn next(&self, ranges: &mut Vec<SeqRange>) -> Option<Result<Chunk, BodyError>> {
        loop {
            let range = ranges.pop()?;
            match self.extents.read(range).await {
                Ok(None) => {}
                Ok(Some(chunk)) => {
                    let end = chunk.first.plus(chunk.records.count());
                    ranges.extend(SeqRange::between(end, range.end()));
                    return Some(Ok(chunk));
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

/// What the sink gets: everything but the entries that failed in the transformer, which have no bytes.
pub fn good(chunk: &Chunk) -> Option<Records> {
    if chunk.failed.is_empty() {
        return Some(chunk.records.clone());
    }
    let mut failed = chunk.failed.iter().map(|(index, _)| *index).peekable();
    let ends = (0..).zip(chunk.records.ends());
    let good = ends.filter(|(index, _)| failed.next_if_eq(index).is_none());
    let ends: Vec<u32> = good.map(|(_, end)| *end).collect();
    Records::from_parts(chunk.records.slab().clone(), ends)
}

/// The same, one record after the other: where each stands, and when it came.
pub fn good_records(chunk: &Chunk) -> impl Iterator<Item = (Seq, Timestamp, &[u8])> {
    let mut failed = chunk.failed.iter().map(|(index, _)| *index).peekable();
    let mut runs = chunk.arrivals.iter().peekable();
    let mut arrival = Timestamp::default();
    (0u32..)
        .zip(chunk.records.iter())
        .filter_map(move |(index, record)| {
            while let Some((_, at)) = runs.next_if(|(from, _)| *from <= index) {
                arrival = *at;
            }
            let seq = chunk.first.plus(u64::from(index));
            let is_good = failed.next_if_eq(&index).is_none();
            is_good.then_some((seq, arrival, record))
        })
}
