//! The log on a real disk: what a daemon does with it in one life after another, and every data
//! directory that it must refuse.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use standpipe::buffer::{
    self, AppendError, Handles, OpenError, Opened, Settings, Settled, StreamSpec,
};
use standpipe::model::{ByteSize, Records, RecordsBuilder, Seq, SeqRange};
use standpipe::outside::disk::RealDisk;
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use tokio::task::JoinHandle;

fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        max_size: ByteSize::mebibytes(1),
        retention: Duration::from_secs(24 * 60 * 60),
    }
}

fn spec(name: &str, fingerprint: u64) -> StreamSpec {
    StreamSpec {
        name: name.parse().unwrap(),
        fingerprint,
    }
}

fn open(directory: &Path, streams: &[StreamSpec]) -> Result<Opened, OpenError> {
    buffer::open(
        Arc::new(RealDisk::new(directory)),
        &settings(directory),
        streams,
        Clock::system(),
        Dice::seeded(1),
        Metrics::default(),
    )
}

/// One stream's handles, and the loop that serves them.
fn start(directory: &Path) -> (Handles, JoinHandle<()>, buffer::Status) {
    let mut opened = open(directory, &[spec("clicks", 1)]).unwrap();
    let handles = opened.streams.remove("clicks").unwrap();
    let committer = tokio::spawn(opened.committer.run());
    (handles, committer, opened.status)
}

async fn stop(handles: Handles, committer: JoinHandle<()>, status: buffer::Status) {
    drop((handles, status));
    committer.await.unwrap();
}

fn records(texts: &[&str]) -> Records {
    let mut builder = RecordsBuilder::default();
    texts.iter().for_each(|text| builder.push(text.as_bytes()));
    builder.build().unwrap()
}

fn range(start: u64, end: u64) -> SeqRange {
    SeqRange::new(Seq::new(start), Seq::new(end))
}

async fn texts(handles: &Handles, wanted: SeqRange) -> Vec<String> {
    let mut texts = Vec::new();
    let mut at = wanted.start();
    while let Some(rest) = SeqRange::between(at, wanted.end()) {
        let Some((start, records)) = handles.outlet.extents().read(rest).await.unwrap() else {
            break;
        };
        texts.extend(
            records
                .iter()
                .map(|r| String::from_utf8(r.to_vec()).unwrap()),
        );
        at = start.plus(records.count());
    }
    texts
}

#[tokio::test]
async fn records_survive_a_restart_and_settle_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (handles, committer, status) = start(&data);
    assert_eq!(
        handles.intake.append(records(&["a", "bb"])).await,
        Ok(range(0, 2))
    );
    assert_eq!(
        handles.intake.append(records(&["ccc"])).await,
        Ok(range(2, 3))
    );
    assert_eq!(
        handles.outlet.durable_tail_above(Seq::new(2)).await,
        Seq::new(3)
    );
    let candidate = handles
        .outlet
        .candidate(ByteSize::bytes(4))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((candidate.range, candidate.bytes), (range(0, 2), 3));
    let cut = handles
        .outlet
        .cut(&candidate, b"plan".to_vec())
        .await
        .unwrap();
    stop(handles, committer, status).await;

    let (handles, committer, status) = start(&data);
    assert_eq!(handles.outlet.open_cuts(), [cut.clone()]);
    assert_eq!(texts(&handles, range(0, 3)).await, ["a", "bb", "ccc"]);
    handles
        .outlet
        .settle(cut.id, Settled::Delivered)
        .await
        .unwrap();
    let waiting = handles.outlet.waiting();
    assert_eq!((waiting.records, waiting.bytes), (1, 3));
    let candidate = handles
        .outlet
        .candidate(ByteSize::bytes(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        candidate.range,
        range(2, 3),
        "a record that is too large alone goes alone"
    );
    stop(handles, committer, status).await;

    let (handles, committer, status) = start(&data);
    assert_eq!(handles.outlet.open_cuts(), []);
    assert_eq!(texts(&handles, range(0, 3)).await, ["ccc"]);
    let totals = status.totals().remove("clicks").unwrap();
    assert_eq!(
        (totals.accepted, totals.delivered, totals.buffered),
        (3, 2, 1)
    );
    assert_eq!((totals.accepted_bytes, totals.buffered_bytes), (6, 3));
    stop(handles, committer, status).await;
}

#[tokio::test]
async fn b7_a_full_log_refuses_puts_until_something_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let (handles, committer, status) = start(folder.path());
    let big = "x".repeat(10_000);
    let refused = loop {
        if let Err(error) = handles.intake.append(records(&[&big])).await {
            break error;
        }
    };
    assert_eq!(refused, AppendError::Full);
    assert_eq!(status.health(), buffer::Health::Full);
    let size = ByteSize::mebibytes(100);
    let candidate = handles.outlet.candidate(size).await.unwrap().unwrap();
    assert_eq!(candidate.range.start(), Seq::ZERO);
    assert!(
        40 < candidate.range.count(),
        "half the log's megabyte at least: {candidate:?}"
    );
    let cut = handles.outlet.cut(&candidate, Vec::new()).await.unwrap();
    handles
        .outlet
        .settle(cut.id, Settled::Delivered)
        .await
        .unwrap();
    handles.intake.append(records(&[&big])).await.unwrap();
    assert_eq!(status.health(), buffer::Health::Good);
    stop(handles, committer, status).await;
}
