//! The commit loop by hand, one group at a time, on a real file system.

use std::path::Path;
use std::pin::pin;

use futures_util::FutureExt;

use super::*;
use crate::buffer::reading::pin as pin_segment;
use crate::buffer::{Handles, Settings, Settled, Shape, StreamSpec, open};
use crate::model::{ByteSize, RecordsBuilder};
use crate::outside::disk::RealDisk;
use crate::outside::{Clock, Dice};
use crate::telemetry::Metrics;

struct Log {
    writer: Writer,
    handles: Handles,
    _taker: Taker,
}

fn opened(folder: &Path, readers: &[ReaderKind]) -> Log {
    let settings = Settings {
        directory: folder.to_owned(),
        max_size: ByteSize::mebibytes(1),
    };
    let spec = StreamSpec {
        name: "clicks".parse().unwrap(),
        fingerprint: 1,
        readers: readers.iter().copied().collect(),
    };
    let disk = Arc::new(RealDisk::new(folder));
    let (clock, dice) = (Clock::system(), Dice::seeded(1));
    let mut opened = open(disk, &settings, &[spec], clock, dice, Metrics::default()).unwrap();
    let Committer { writer, taker } = opened.committer;
    Log {
        writer,
        handles: opened.streams.remove("clicks").unwrap(),
        _taker: taker,
    }
}

/// The answer, after the one group that gives it.
async fn committed<T>(writer: &mut Writer, asked: impl Future<Output = T>) -> T {
    let mut asked = pin!(asked);
    let early = asked.as_mut().now_or_never();
    assert!(early.is_none(), "B1: nobody is answered before the commit");
    commit(writer);
    asked.await
}

#[tokio::test]
async fn b4_a_segment_is_not_recycled_under_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = opened(folder.path(), &[]);
    let outlet = &log.handles.outlet;
    let mut records = RecordsBuilder::default();
    records.push(b"a");
    let append = log.handles.intake.append(records.build().unwrap());
    committed(&mut log.writer, append).await.unwrap();
    let candidate = outlet.candidate(ByteSize::mebibytes(1)).await.unwrap();
    let cut = outlet.cut(candidate.as_ref().unwrap(), Vec::new(), Shape::Whole);
    let cut = committed(&mut log.writer, cut).await.unwrap();
    // The first segment is sealed, and somebody reads on in it.
    log.writer.open_segment(Vec::new()).unwrap();
    let shared = log.writer.shared().clone();
    let pinned = pin_segment(&shared.inner(), 1).unwrap();
    let settle = outlet.settle(cut.id, Settled::Delivered { failed: 0 });
    committed(&mut log.writer, settle).await.unwrap();
    let is_kept = || shared.inner().state.segments.contains_key(&1);
    assert!(shared.inner().state.is_dead(1));
    assert!(is_kept());
    drop(pinned);
    log.writer.reclaim();
    assert!(!is_kept());
}

// From review: behind a transformer the largest put of a small log was told to slow down for ever,
// though the log could have grown for it.
#[tokio::test]
async fn b7_a_log_that_may_grow_takes_a_put_that_is_larger_than_what_is_ready() {
    for (readers, segments) in [(vec![], 4), (vec![ReaderKind::Answers], 2)] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = opened(folder.path(), &readers);
        let segment = log.writer.shared().geometry.segment_bytes as usize;
        let mut records = RecordsBuilder::default();
        let record = vec![b'x'; segment / 8];
        (0..8 * segments).for_each(|_| records.push(&record));
        let append = log.handles.intake.append(records.build().unwrap());
        let taken = committed(&mut log.writer, append).await;
        assert!(taken.is_ok(), "{segments} segments of records: {taken:?}");
    }
}

#[tokio::test]
async fn b7_a_put_that_is_larger_than_the_whole_log_is_refused_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = opened(folder.path(), &[]);
    let mut put = async |bytes: usize| {
        let mut records = RecordsBuilder::default();
        (0..bytes / 512).for_each(|_| records.push(&[b'x'; 512]));
        let append = log.handles.intake.append(records.build().unwrap());
        committed(&mut log.writer, append).await
    };
    assert_eq!(put(1 << 20).await, Err(AppendError::Full));
    assert!(put(512).await.is_ok());
    assert_eq!(log.writer.shared().inner().health, Health::Good);
}
