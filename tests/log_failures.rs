//! The log on a disk that fails at one chosen moment, and on disks that it can hardly live on.
//!
//! `log_simulation` meets all of this by chance; here each case has a name and one outcome.

#[path = "sim/disk/mod.rs"]
mod disk;
#[path = "support/lines.rs"]
mod lines;
#[path = "support/odd_disk.rs"]
mod odd_disk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use disk::SimDisk;
use expect_test::{Expect, expect};
use futures_util::future::join_all;
use lines::Lines;
use odd_disk::{OddDisk, Sync};
use proptest::prelude::*;
use standpipe::buffer::{
    self, AppendError, Handles, Health, LogError, OpenError, Opened, Settings, Settled, Shape,
    Status, StreamSpec,
};
use standpipe::model::{ByteSize, LogTime, Records, RecordsBuilder, Seq, SeqRange, Timestamp};
use standpipe::outside::disk::Disk;
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use tokio::task::JoinHandle;

/// Sixteen segments of 64 KiB, of which a group takes at most 16 KiB.
const SMALL: ByteSize = ByteSize::mebibytes(1);
/// 64 segments of 256 KiB.
const LARGE: ByteSize = ByteSize::mebibytes(16);

fn odd_disk() -> (SimDisk, OddDisk) {
    let disk = SimDisk::new(Dice::seeded(1));
    let odd = OddDisk::over(disk.door());
    (disk, odd)
}

fn open(disk: &OddDisk, max_size: ByteSize) -> Result<Opened, OpenError> {
    open_at(1_700_000_000_000, disk, max_size)
}

fn open_at(millis: u64, disk: &OddDisk, max_size: ByteSize) -> Result<Opened, OpenError> {
    let spec = StreamSpec {
        name: "clicks".parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::new(),
    };
    let settings = Settings {
        directory: PathBuf::from("/data"),
        max_size,
    };
    let clock = Clock::simulated(Timestamp::from_millis(millis));
    buffer::open(
        Arc::new(disk.clone()),
        &settings,
        &[spec],
        clock,
        Dice::seeded(2),
        Metrics::default(),
    )
}

fn segment(id: u64) -> String {
    format!("segment-{id:020}.log")
}

/// A life of the log, served in the test's runtime.
struct Life {
    handles: Handles,
    status: Status,
    committer: JoinHandle<()>,
}

fn start(disk: &OddDisk, max_size: ByteSize) -> Life {
    serve(open(disk, max_size).unwrap_or_else(|error| panic!("{error}")))
}

fn serve(mut opened: Opened) -> Life {
    Life {
        handles: opened.streams.remove("clicks").unwrap(),
        status: opened.status,
        committer: tokio::spawn(opened.committer.run()),
    }
}

impl Life {
    async fn stop(self) {
        drop((self.handles, self.status));
        self.committer.await.unwrap();
    }

    async fn kill(self) {
        self.committer.abort();
        assert!(self.committer.await.unwrap_err().is_cancelled());
    }

    async fn append(&self, texts: &[&str]) -> Result<SeqRange, AppendError> {
        self.handles.intake.append(records(texts)).await
    }

    /// All that waits, as one cut.
    async fn cut(&self) -> buffer::Cut {
        let outlet = &self.handles.outlet;
        let candidate = outlet.candidate(LARGE).await.unwrap().unwrap();
        outlet
            .cut(&candidate, b"plan".to_vec(), Shape::Whole)
            .await
            .unwrap()
    }

    /// All of the cut is delivered.
    async fn settle(&self, cut: &buffer::Cut) -> Result<(), LogError> {
        let outlet = &self.handles.outlet;
        let delivered = Settled::Delivered { failed: 0 };
        outlet.settle(cut.id, delivered).await
    }

    async fn read(&self, wanted: SeqRange) -> Vec<String> {
        let extents = self.handles.outlet.extents();
        let mut texts = Vec::new();
        let mut at = wanted.start();
        while let Some(rest) = SeqRange::between(at, wanted.end()) {
            let chunk = extents.read(rest).await.unwrap().unwrap();
            let text = |record: &[u8]| String::from_utf8(record.to_vec()).unwrap();
            texts.extend(chunk.records.iter().map(text));
            at = chunk.first.plus(chunk.records.count());
        }
        texts
    }

    fn delivered_and_waiting(&self) -> (u64, u64) {
        let totals = self.status.totals()["clicks"];
        (totals.delivered, self.handles.outlet.waiting().records)
    }
}

fn records(texts: &[&str]) -> Records {
    let mut builder = RecordsBuilder::default();
    texts.iter().for_each(|text| builder.push(text.as_bytes()));
    builder.build().unwrap()
}

fn range(start: u64, end: u64) -> SeqRange {
    SeqRange::new(Seq::new(start), Seq::new(end))
}

#[tokio::test]
async fn b6_a_failed_sync_fails_everything_that_is_queued() {
    let (_, odd) = odd_disk();
    let life = start(&odd, SMALL);
    odd.whims().syncs.push_back(Sync::Fails);
    // The first group takes three of them; the others may rest on what it lost.
    let text = "x".repeat(6_000);
    let append = || life.handles.intake.append(records(&[&text]));
    let asked = join_all((0..6).map(|_| append())).await;
    assert_eq!(asked, vec![Err(AppendError::Failed); 6]);
    // Their numbers were taken back.
    assert_eq!(life.append(&["a"]).await, Ok(range(0, 1)));
    assert_eq!(life.read(range(0, 1)).await, ["a"]);
    assert_eq!(life.status.health(), Health::Good);
    life.stop().await;
}

#[tokio::test]
async fn b2_a_settlement_counts_only_once_it_is_synced() {
    let (_, odd) = odd_disk();
    let life = start(&odd, SMALL);
    life.append(&["a", "b"]).await.unwrap();
    let cut = life.cut().await;
    odd.whims().syncs.push_back(Sync::Fails);
    assert_eq!(life.settle(&cut).await, Err(LogError::Failed));
    assert_eq!(life.delivered_and_waiting(), (0, 0));
    assert_eq!(life.handles.outlet.open_cuts(), std::slice::from_ref(&cut));
    assert_eq!(life.settle(&cut).await, Ok(()));
    assert_eq!(life.delivered_and_waiting(), (2, 0));
    assert_eq!(life.handles.outlet.open_cuts(), []);
    life.stop().await;
}

#[tokio::test]
async fn b2_records_and_cuts_are_seen_only_once_they_are_synced() {
    let (_, odd) = odd_disk();
    let life = start(&odd, SMALL);
    odd.whims().syncs.push_back(Sync::Fails);
    assert_eq!(life.append(&["a"]).await, Err(AppendError::Failed));
    assert_eq!(life.delivered_and_waiting(), (0, 0));
    life.append(&["b"]).await.unwrap();
    let outlet = &life.handles.outlet;
    let candidate = outlet.candidate(LARGE).await.unwrap().unwrap();
    odd.whims().syncs.push_back(Sync::Fails);
    let failed = outlet.cut(&candidate, Vec::new(), Shape::Whole).await;
    assert_eq!(failed, Err(LogError::Failed));
    assert_eq!((outlet.open_cuts(), outlet.waiting().records), (vec![], 1));
    outlet
        .cut(&candidate, Vec::new(), Shape::Whole)
        .await
        .unwrap();
    assert_eq!(outlet.waiting().records, 0);
    life.stop().await;
}

#[tokio::test]
async fn b6_a_second_failure_stops_intake_while_delivery_goes_on() {
    for (syncs, refused) in [
        // The replacement's head, which is synced before anything else; or the first group in it.
        (&[Sync::Fails, Sync::Fails][..], 1),
        (&[Sync::Fails, Sync::Succeeds, Sync::Fails], 2),
    ] {
        let (_, odd) = odd_disk();
        let life = start(&odd, SMALL);
        life.append(&["a", "b"]).await.unwrap();
        odd.whims().syncs.extend(syncs);
        for _ in 0..refused {
            assert_eq!(life.status.health(), Health::Good, "{syncs:?}");
            assert_eq!(life.append(&["c"]).await, Err(AppendError::Failed));
        }
        assert_eq!(life.status.health(), Health::Failed, "{syncs:?}");
        assert_eq!(odd.whims().syncs.len(), 0, "{syncs:?}");
        assert_eq!(life.append(&["c"]).await, Err(AppendError::Stopped));
        assert_eq!(life.read(range(0, 2)).await, ["a", "b"]);
        life.stop().await;
        let life = start(&odd, SMALL);
        assert_eq!(life.read(range(0, 2)).await, ["a", "b"]);
        life.stop().await;
    }
}

#[tokio::test]
async fn b6_a_segment_with_a_failed_sync_is_never_written_again() {
    let (disk, odd) = odd_disk();
    let life = start(&odd, SMALL);
    life.append(&["a"]).await.unwrap();
    odd.whims().syncs.push_back(Sync::Fails);
    assert_eq!(life.append(&["b"]).await, Err(AppendError::Failed));
    let failed = disk.peek(&segment(1)).unwrap();
    assert_eq!(life.append(&["c"]).await, Ok(range(1, 2)));
    assert!(disk.peek(&segment(1)).unwrap() == failed);
    assert!(disk.peek(&segment(2)).is_some());
    assert_eq!(life.read(range(0, 2)).await, ["a", "c"]);
    life.stop().await;
}

#[tokio::test]
async fn b6_a_good_sync_between_two_failures_makes_the_second_a_first() {
    let (_, odd) = odd_disk();
    let life = start(&odd, SMALL);
    for number in 0..5 {
        odd.whims().syncs.push_back(Sync::Fails);
        assert_eq!(life.append(&["lost"]).await, Err(AppendError::Failed));
        assert_eq!(life.append(&["kept"]).await, Ok(range(number, number + 1)));
    }
    assert_eq!(life.status.health(), Health::Good);
    life.stop().await;
}

/// What nothing proves durable is written again, and so may be all that knows how late it is.
#[tokio::test(start_paused = true)]
async fn a_new_lifes_log_clock_is_not_behind_what_the_last_one_wrote() {
    let (_, odd) = odd_disk();
    let mut known = LogTime::default();
    for _ in 0..3 {
        let life = start(&odd, SMALL);
        assert!(known <= life.handles.outlet.log_now());
        life.append(&["a"]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        life.append(&["b"]).await.unwrap();
        known = life.handles.outlet.log_now();
        life.kill().await;
    }
}

/// A life that is killed, one that ends in a power cut during its opening, and one that must have
/// everything that the first said yes to.
async fn open_without_power(seed: u64, fuse: u64) {
    let disk = SimDisk::new(Dice::seeded(seed));
    let odd = OddDisk::over(disk.door());
    let life = start(&odd, SMALL);
    // Several sectors, so that they can be torn; the last group is what nothing proves durable.
    let texts = ["a", "b", "c"].map(|text| text.repeat(4_000));
    for text in &texts {
        life.append(&[text]).await.unwrap();
    }
    life.committer.abort();
    drop((life.handles, life.status));
    disk.kill();
    disk.light_fuse(fuse);
    drop(open(&odd, SMALL));
    disk.power_cut();
    let life = start(&odd, SMALL);
    let read = life.read(range(0, 3)).await;
    assert!(read == texts, "seed {seed}, fuse {fuse}: {}", read.len());
    life.stop().await;
}

#[tokio::test]
async fn b8_the_power_may_go_during_any_operation_of_an_opening() {
    for fuse in 1..60 {
        for seed in 0..12 {
            open_without_power(seed, fuse).await;
        }
    }
}

/// What opening says, and what to do about it.
#[track_caller]
fn check_refused(disk: &OddDisk, max_size: ByteSize, expected: Expect) {
    let Err(error) = open(disk, max_size) else {
        panic!("it opened");
    };
    expected.assert_eq(&format!("{error}\nhint: {}", error.hint()));
}

#[tokio::test]
async fn a_lowered_max_size_that_cannot_hold_what_waits_is_refused_and_loses_nothing() {
    let (_, odd) = odd_disk();
    let life = start(&odd, LARGE);
    let text = "x".repeat(10_000);
    for _ in 0..200 {
        life.append(&[&text]).await.unwrap();
    }
    life.stop().await;
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
            failed to begin a new segment
            hint: raise `storage.max_size`: what is buffered needs more than that"#]],
    );
    check_refused(
        &odd,
        ByteSize::bytes(8 * 64 * 1024 - 1),
        expect![[r#"
            a log of 524287 bytes is too small: the least is 524288
            hint: raise `storage.max_size`: what is buffered needs more than that"#]],
    );
    let life = start(&odd, LARGE);
    assert_eq!(life.read(range(0, 200)).await, vec![text; 200]);
    life.stop().await;
}

#[tokio::test]
async fn what_the_last_life_wrote_last_may_be_too_large_for_a_lowered_max_size() {
    let (disk, odd) = odd_disk();
    let life = start(&odd, LARGE);
    let text = "x".repeat(50_000);
    life.append(&[&text]).await.unwrap();
    // Killed: nothing proves the record durable, so the next life has to write it again.
    life.committer.abort();
    drop((life.handles, life.status));
    disk.kill();
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
            failed to begin a new segment
            hint: raise `storage.max_size`: what is buffered needs more than that"#]],
    );
    disk.kill();
    let life = start(&odd, LARGE);
    assert_eq!(life.read(range(0, 1)).await, [text]);
    life.stop().await;
}

#[test]
fn a_disk_that_is_full_or_read_only_is_refused_with_a_way_out() {
    let (disk, odd) = odd_disk();
    disk.set_capacity(64 * 1024 - 1);
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
            no room for a segment of 65536 bytes
            hint: make room on the file system, or lower `storage.max_size`: the segments of a smaller log are smaller"#]],
    );
    // One segment is enough to open; what is missing is back-pressure.
    disk.set_capacity(64 * 1024);
    open(&odd, SMALL).unwrap();
    odd.whims().is_read_only = true;
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
            failed to lock `lock` in the data directory
            hint: the file system is mounted read-only, as Linux does when a disk fails: see the kernel's log, or correct `storage.directory`"#]],
    );
}

// All is delivered, so nothing in it is alive; but it alone knows which numbers were given out.
#[tokio::test]
async fn b4_the_segment_in_charge_is_not_the_room_for_its_successor() {
    let (disk, odd) = odd_disk();
    let life = start(&odd, SMALL);
    life.append(&["a", "b"]).await.unwrap();
    let cut = life.cut().await;
    life.settle(&cut).await.unwrap();
    life.stop().await;
    for free in disk.paths().iter().filter(|it| it.contains("free-")) {
        odd.remove(Path::new(free)).unwrap();
    }
    disk.set_capacity(disk.used());
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
        no room for a segment of 65536 bytes
        hint: make room on the file system, or lower `storage.max_size`: the segments of a smaller log are smaller"#]],
    );
    disk.set_capacity(u64::MAX);
    let life = start(&odd, SMALL);
    assert_eq!(life.append(&["c"]).await, Ok(range(2, 3)));
    life.stop().await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let (disk, odd) = odd_disk();
    let life = start(&odd, SMALL);
    life.append(&["a"]).await.unwrap();
    life.stop().await;
    let name = segment(1);
    let ours = disk.peek(&name).unwrap();
    let mut newer = ours.clone();
    // Both copies of the head: version 2, under the right checksum.
    for copy in [0, 4096] {
        newer[copy + 8] = 2;
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &newer[copy..copy + 12]);
        newer[copy + 12..copy + 16].copy_from_slice(&(crc as u32).to_le_bytes());
    }
    disk.plant(&name, &newer);
    check_refused(
        &odd,
        SMALL,
        expect![[r#"
            `segment-00000000000000000001.log` has format 2, and this program knows formats up to 1
            hint: run the version that wrote it, or a later one"#]],
    );
    assert!(disk.peek(&name).unwrap() == newer);
    disk.plant(&name, &ours);
    let life = start(&odd, SMALL);
    assert_eq!(life.read(range(0, 1)).await, ["a"]);
    life.stop().await;
}

#[test]
fn a_disk_that_forgets_is_taken_with_a_warning() {
    let warnings = |forgets: bool| {
        let lines = Lines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .without_time()
            .with_ansi(false)
            .with_writer(move || written.clone())
            .finish();
        let (_, odd) = odd_disk();
        odd.whims().forgets = forgets;
        tracing::subscriber::with_default(subscriber, || drop(open(&odd, SMALL).unwrap()));
        lines.text()
    };
    assert_eq!(warnings(false), "");
    let expected = expect![[r#"
        WARN standpipe::telemetry::happened::buffer: the data directory is in memory: a restart of the machine loses what is buffered directory=/data"#]];
    expected.assert_eq(warnings(true).trim());
}

#[tokio::test(start_paused = true)]
async fn b7_a_log_that_could_not_grow_goes_on_by_itself_once_it_can() {
    let (disk, odd) = odd_disk();
    disk.set_capacity(6 * 64 * 1024);
    let life = start(&odd, SMALL);
    let text = "x".repeat(10_000);
    while life.append(&[&text]).await.is_ok() {}
    assert_eq!(life.status.health(), Health::Full);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(life.status.health(), Health::Full);
    // Nobody puts where puts are refused.
    disk.set_capacity(u64::MAX);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(life.status.health(), Health::Good);
    life.append(&[&text]).await.unwrap();
    life.stop().await;
}

// From review: an idle daemon filled a full disk with zeros once a second, and whoever else wrote
// there found no room.
#[tokio::test(start_paused = true)]
async fn b7_a_log_that_waits_for_room_writes_nothing() {
    let (disk, odd) = odd_disk();
    disk.set_capacity(6 * 64 * 1024 + 60_000);
    let life = start(&odd, SMALL);
    let text = "x".repeat(10_000);
    while life.append(&[&text]).await.is_ok() {}
    let before = disk.operations();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(disk.operations(), before);
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b7_where_nobody_can_tell_the_room_it_is_tried_once_a_minute() {
    let (disk, odd) = odd_disk();
    odd.whims().hides_room = true;
    disk.set_capacity(6 * 64 * 1024 + 60_000);
    let life = start(&odd, SMALL);
    let text = "x".repeat(10_000);
    while life.append(&[&text]).await.is_ok() {}
    // 1, 2, 4, … seconds.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let before = disk.operations();
    tokio::time::sleep(Duration::from_secs(600)).await;
    // A file is made, gets no room, and is removed.
    assert_eq!(disk.operations() - before, 10 * 3);
    disk.set_capacity(u64::MAX);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(life.status.health(), Health::Good);
    life.stop().await;
}

// From review: it made the log full for everybody, and the next small put made it good again.
#[tokio::test(start_paused = true)]
async fn b7_a_put_larger_than_what_is_left_is_refused_and_smaller_ones_are_taken() {
    let (_disk, odd) = odd_disk();
    let life = start(&odd, SMALL);
    let text = "x".repeat(10_000);
    let large = [text.as_str(); 3];
    while life.append(&large).await.is_ok() {}
    for _ in 0..2 {
        assert_eq!(life.append(&large).await, Err(AppendError::Full));
        assert_eq!(life.status.health(), Health::Good);
        life.append(&["a"]).await.unwrap();
    }
    while life.append(&["a"]).await.is_ok() {}
    for _ in 0..2 {
        assert_eq!(life.status.health(), Health::Full);
        assert_eq!(life.append(&["a"]).await, Err(AppendError::Full));
    }
    life.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_grows_older_while_the_daemon_is_down() {
    let (_disk, odd) = odd_disk();
    let life = start(&odd, SMALL);
    life.append(&["a"]).await.unwrap();
    life.stop().await;
    let life = serve(open_at(1_700_000_065_000, &odd, SMALL).unwrap());
    let oldest = life.status.oldest();
    assert!(Duration::from_secs(65) <= oldest["clicks"]);
    life.stop().await;
}

/// What happens to a byte of a segment.
type Rot = (prop::sample::Index, u8);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// B5: damage never stops the daemon, unless there is nothing to go by.
    #[test]
    fn b5_no_damage_is_too_odd_to_open_and_read(
        rots in prop::collection::vec(any::<Rot>(), 1..20),
        cut_off in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (disk, odd) = odd_disk();
            let life = start(&odd, SMALL);
            for text in ["a", "b", "c"] {
                life.append(&[text, text]).await.unwrap();
            }
            life.stop().await;
            let mut bytes = disk.peek(&segment(1)).unwrap();
            // Only where something stands: two copies of the head, three groups and the end.
            let used = 6 * 4096;
            for (at, byte) in &rots {
                bytes[at.index(used)] = *byte;
            }
            bytes.truncate(cut_off.map_or(bytes.len(), |at| at.index(used)));
            disk.plant(&segment(1), &bytes);
            let Ok(mut opened) = open(&odd, SMALL) else {
                return;
            };
            let handles = opened.streams.remove("clicks").unwrap();
            let extents = handles.outlet.extents();
            for seq in 0..6 {
                if let Ok(Some(chunk)) = extents.read(range(seq, seq + 1)).await {
                    let expected = ["a", "b", "c"][chunk.first.get() as usize / 2].as_bytes();
                    let read: Vec<_> = chunk.records.iter().collect();
                    assert_eq!(read, [expected], "a checksum covers it");
                }
            }
        });
    }
}
