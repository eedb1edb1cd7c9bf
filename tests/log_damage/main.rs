//! What the log does with damage: heads, frames and files that do not come back as they were
//! written, one kind at a time. The simulation mixes them.

#[path = "../sim/disk/mod.rs"]
mod disk;
mod forged;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use disk::SimDisk;
use expect_test::{Expect, expect};
use standpipe::buffer::{
    self, Handles, OpenError, ReadError, Settings, Settled, Shape, Status, StreamSpec, inspect,
};
use standpipe::model::{ByteSize, RecordsBuilder, Seq, SeqRange, Timestamp};
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use tokio::task::JoinHandle;

/// Where the first group begins behind the small heads of these logs, and how far groups of one small
/// frame are from each other.
const FRAMES_AT: usize = 8192;
const GROUP: usize = 4096;
/// Of the 16 segments that these logs have.
const SEGMENT: usize = 65_536;

struct Life {
    handles: Handles,
    committer: JoinHandle<()>,
    status: Status,
}

fn name(id: u64) -> String {
    format!("segment-{id:020}.log")
}

fn disk() -> SimDisk {
    SimDisk::new(Dice::seeded(1))
}

fn open(disk: &SimDisk) -> Result<Life, OpenError> {
    open_with(disk, &["clicks"])
}

/// The handles are those of the first stream.
fn open_with(disk: &SimDisk, streams: &[&str]) -> Result<Life, OpenError> {
    let settings = Settings {
        directory: PathBuf::from("/sim"),
        max_size: ByteSize::mebibytes(1),
    };
    let specs = streams.iter().map(|name| StreamSpec {
        name: name.parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::new(),
    });
    let specs: Vec<StreamSpec> = specs.collect();
    let clock = Clock::simulated(Timestamp::from_millis(1_700_000_000_000));
    let dice = Dice::seeded(2);
    let metrics = Metrics::default();
    let mut opened = buffer::open(disk.door(), &settings, &specs, clock, dice, metrics)?;
    Ok(Life {
        handles: opened.streams.remove(streams[0]).unwrap(),
        committer: tokio::spawn(opened.committer.run()),
        status: opened.status,
    })
}

impl Life {
    /// A group for each.
    async fn put(&self, texts: &[&str]) {
        for text in texts {
            let mut builder = RecordsBuilder::default();
            builder.push(text.as_bytes());
            let records = builder.build().unwrap();
            self.handles.intake.append(records).await.unwrap();
        }
    }

    async fn kill(self, disk: &SimDisk) {
        self.committer.abort();
        assert!(self.committer.await.unwrap_err().is_cancelled());
        disk.kill();
    }

    /// Reads all that waits, and quarantines what is damaged, as a delivery does.
    async fn read(&self) -> String {
        let outlet = &self.handles.outlet;
        let (mut texts, mut at) = (Vec::new(), Seq::ZERO);
        let tail = Seq::new(self.status.totals()["clicks"].accepted);
        while let Some(rest) = SeqRange::between(at, tail) {
            match outlet.extents().read(rest).await {
                Ok(Some(chunk)) => {
                    let text = |record: &[u8]| String::from_utf8_lossy(&record[..1]).into_owned();
                    texts.extend(chunk.records.iter().map(text));
                    at = chunk.first.plus(chunk.records.count());
                }
                Ok(None) => break,
                Err(ReadError::Damaged(range)) => {
                    texts.push(format!("[{range}]"));
                    outlet.quarantine(range).await.unwrap();
                }
                Err(error @ ReadError::Disk(_)) => panic!("{error}"),
            }
        }
        let totals = self.status.totals()["clicks"];
        let (accepted, quarantined) = (totals.accepted, totals.quarantined);
        let at_rest = totals.delivered + totals.expired + quarantined;
        assert_eq!(accepted, at_rest + totals.buffered, "C1");
        let read = texts.join(" ");
        format!("{read} / {accepted} accepted, {quarantined} quarantined")
    }
}

/// "a" in segment 1, "b", "c" and "d" in segment 2, each a group; then a kill.
async fn two_segments() -> SimDisk {
    let disk = disk();
    let life = open(&disk).unwrap();
    life.put(&["a"]).await;
    life.kill(&disk).await;
    let life = open(&disk).unwrap();
    life.put(&["b", "c", "d"]).await;
    life.kill(&disk).await;
    disk
}

fn scratch(disk: &SimDisk, id: u64, at: usize, bytes: usize) {
    disk.scribble(&name(id), at, &vec![0xee; bytes]);
}

/// What a start finds, and what `verify` says before it.
async fn check_start(disk: &SimDisk, verified: Expect, found: Expect) {
    verified.assert_eq(&verify(disk));
    let life = match open(disk) {
        Ok(life) => life,
        Err(error) => return found.assert_eq(&format!("{error}\nhint: {}", error.hint())),
    };
    let read = life.read().await;
    // No number is given out again, and the next start finds all as this one left it.
    life.put(&["z"]).await;
    life.kill(disk).await;
    let life = open(disk).unwrap();
    let again = life.read().await;
    life.kill(disk).await;
    found.assert_eq(&format!("{read}\nand then: {again}"));
}

fn verify(disk: &SimDisk) -> String {
    let report = match inspect::verify(disk.door().as_ref(), Path::new("/sim")) {
        Ok(report) => report,
        Err(error) => return error.to_string(),
    };
    let mut lines = vec![format!("{} frames", report.frames)];
    for damage in &report.damage {
        let id: u64 = damage.segment[8..28].parse().unwrap();
        let records = damage.records.as_ref().map(|(_, range)| range.to_string());
        let (cause, offset, bytes) = (damage.cause, damage.offset, damage.bytes);
        let records = records.unwrap_or_else(|| "-".to_owned());
        lines.push(format!("{cause:?} {id}@{offset}+{bytes} {records}"));
    }
    lines.join(", ")
}

#[tokio::test]
async fn b5_the_head_before_stands_in_for_one_that_is_lost() {
    let disk = two_segments().await;
    scratch(&disk, 2, 0, FRAMES_AT);
    check_start(
        &disk,
        expect!["4 frames, Head 2@0+8192 -"],
        expect![[r#"
        a b c d / 4 accepted, 0 quarantined
        and then: a b c d z / 5 accepted, 0 quarantined"#]],
    )
    .await;
    assert!(
        disk.paths()
            .iter()
            .any(|path| path.starts_with("quarantine/"))
    );
}

#[tokio::test]
async fn b5_a_lost_head_takes_the_groups_that_rotted_with_it_into_quarantine() {
    let disk = two_segments().await;
    scratch(&disk, 2, 0, FRAMES_AT + GROUP);
    check_start(
        &disk,
        expect!["4 frames, Head 2@0+12288 -"],
        expect![[r#"
        a b c d / 4 accepted, 0 quarantined
        and then: a b c d z / 5 accepted, 0 quarantined"#]],
    )
    .await;
    // All but the last: nothing but its own number says that others were before it.
    let disk = two_segments().await;
    scratch(&disk, 2, 0, FRAMES_AT + 3 * GROUP);
    check_start(
        &disk,
        expect!["2 frames, Head 2@0+20480 -"],
        expect![[r#"
        a d / 4 accepted, 2 quarantined
        and then: a d z / 5 accepted, 2 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_one_rotten_copy_of_a_head_costs_nothing_and_is_told() {
    let disk = two_segments().await;
    scratch(&disk, 2, 100, 1);
    check_start(
        &disk,
        expect!["4 frames, Head 2@0+4096 -"],
        expect![[r#"
        a b c d / 4 accepted, 0 quarantined
        and then: a b c d z / 5 accepted, 0 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_heads_of_several_segments_may_be_lost_while_one_before_them_stands() {
    let disk = disk();
    let big = "x".repeat(12_000);
    let life = open(&disk).unwrap();
    life.put(&["a", &big, &big, &big, &big, "b", &big, "c"])
        .await;
    life.kill(&disk).await;
    scratch(&disk, 2, 0, FRAMES_AT);
    check_start(
        &disk,
        expect!["8 frames, Head 2@0+8192 -"],
        expect![[r#"
        a x x x x b x c / 8 accepted, 0 quarantined
        and then: a x x x x b x c z / 9 accepted, 0 quarantined"#]],
    )
    .await;
    scratch(&disk, 3, 0, FRAMES_AT);
    scratch(&disk, 4, 0, FRAMES_AT);
    check_start(
        &disk,
        expect!["9 frames, Head 2@0+8192 -, Head 3@0+8192 -"],
        expect![[r#"
        a x x x x b x c z / 9 accepted, 0 quarantined
        and then: a x x x x b x c z z / 10 accepted, 0 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn a_lost_head_without_its_predecessor_is_refused() {
    let disk = disk();
    for text in ["a", "b", "c"] {
        let life = open(&disk).unwrap();
        life.put(&[text, text]).await;
        life.kill(&disk).await;
    }
    scratch(&disk, 3, 0, FRAMES_AT);
    disk.door().remove(Path::new(&name(2))).unwrap();
    check_start(&disk, expect!["`segment-00000000000000000003.log` holds records, but its head is damaged, and `segment-00000000000000000002.log` before it is gone"], expect![[r#"
        `segment-00000000000000000003.log` holds records, but its head is damaged, and `segment-00000000000000000002.log` before it is gone
        hint: move the directory aside and start with an empty one; keep it for salvage"#]]).await;
    let disk = two_segments().await;
    scratch(&disk, 1, 0, FRAMES_AT);
    scratch(&disk, 2, 0, FRAMES_AT);
    check_start(&disk, expect!["`segment-00000000000000000001.log` holds records, but no segment in the data directory has a valid head"], expect![[r#"
        `segment-00000000000000000001.log` holds records, but no segment in the data directory has a valid head
        hint: move the directory aside and start with an empty one; keep it for salvage"#]]).await;
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_at_all_is_refused_not_passed_over() {
    let disk = two_segments().await;
    disk.lose(&name(2), 0..SEGMENT);
    check_start(&disk, expect!["`segment-00000000000000000002.log` cannot be read, so nobody can tell whether it holds records"], expect![[r#"
        `segment-00000000000000000002.log` cannot be read, so nobody can tell whether it holds records
        hint: copy the directory to a disk that is well, as far as it can be read, and start there"#]]).await;
}

#[tokio::test]
async fn b5_unreadable_sectors_of_the_newest_segment_cost_what_lay_there() {
    // Both copies of the head.
    let disk = two_segments().await;
    disk.lose(&name(2), 0..FRAMES_AT);
    check_start(
        &disk,
        expect!["4 frames, Head 2@0+8192 -"],
        expect![[r#"
        a b c d / 4 accepted, 0 quarantined
        and then: a b c d z / 5 accepted, 0 quarantined"#]],
    )
    .await;
    // A frame that others prove; then the very last, which a torn write would not leave unreadable.
    let groups = |number: usize| FRAMES_AT + number * GROUP..FRAMES_AT + (number + 1) * GROUP;
    let disk = two_segments().await;
    disk.lose(&name(2), groups(1));
    check_start(
        &disk,
        expect!["3 frames, Unreadable 2@12288+4096 -"],
        expect![[r#"
        a c d / 4 accepted, 1 quarantined
        and then: a c d z / 5 accepted, 1 quarantined"#]],
    )
    .await;
    let disk = two_segments().await;
    disk.lose(&name(2), groups(3));
    check_start(
        &disk,
        expect!["3 frames, Unreadable 2@20480+4096 -"],
        expect![[r#"
        a b c / 3 accepted, 0 quarantined
        and then: a b c z / 4 accepted, 0 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_an_unreadable_end_of_a_large_frame_costs_its_records_by_number() {
    let disk = disk();
    let life = open(&disk).unwrap();
    life.put(&["a", &"x".repeat(9_000)]).await;
    life.kill(&disk).await;
    disk.lose(&name(1), FRAMES_AT + 3 * GROUP..FRAMES_AT + 4 * GROUP);
    check_start(
        &disk,
        expect!["1 frames, Unreadable 1@12288+12288 1..2"],
        expect![[r#"
        a / 2 accepted, 1 quarantined
        and then: a z / 3 accepted, 1 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_a_delivery_goes_on_past_what_cannot_be_read() {
    let disk = disk();
    let life = open(&disk).unwrap();
    life.put(&["a", &"x".repeat(9_000), "b", "c"]).await;
    disk.lose(&name(1), FRAMES_AT + 2 * GROUP..FRAMES_AT + 2 * GROUP + 1);
    disk.lose(&name(1), FRAMES_AT + 5 * GROUP..FRAMES_AT + 5 * GROUP + 1);
    expect!["a [1..2] b [3..4] / 4 accepted, 2 quarantined"].assert_eq(&life.read().await);
    life.kill(&disk).await;

    // One extent of many frames: only the one whose header is gone is missing.
    let disk = self::disk();
    let life = open(&disk).unwrap();
    let puts = ["a", "b", "c", "d"].map(|text| {
        let mut builder = RecordsBuilder::default();
        builder.push(text.repeat(GROUP).as_bytes());
        life.handles.intake.append(builder.build().unwrap())
    });
    futures_util::future::join_all(puts).await;
    disk.lose(&name(1), FRAMES_AT + GROUP..FRAMES_AT + GROUP + 1);
    expect!["[0..1] [1..2] c d / 4 accepted, 2 quarantined"].assert_eq(&life.read().await);
    life.kill(&disk).await;
}

#[tokio::test]
async fn b5_a_file_that_was_cut_short_is_read_to_its_end() {
    let disk = disk();
    let life = open(&disk).unwrap();
    life.put(&["a", "b", "c"]).await;
    disk.cut_short(&name(1), FRAMES_AT + 2 * GROUP);
    expect!["a b [2..3] / 3 accepted, 1 quarantined"].assert_eq(&life.read().await);
    life.kill(&disk).await;
    // An older segment: verify goes on past it.
    let disk = two_segments().await;
    let life = open(&disk).unwrap();
    life.kill(&disk).await;
    disk.cut_short(&name(2), FRAMES_AT + 2 * GROUP);
    check_start(
        &disk,
        expect!["3 frames, Unreadable 2@16384+4096 -"],
        expect![[r#"
            a b [2..3] d / 4 accepted, 1 quarantined
            and then: a b d z / 5 accepted, 1 quarantined"#]],
    )
    .await;
    let disk = two_segments().await;
    let life = open(&disk).unwrap();
    life.kill(&disk).await;
    disk.door().remove(Path::new(&name(2))).unwrap();
    check_start(
        &disk,
        expect!["1 frames, Missing 2@8192+12288 0..3"],
        expect![[r#"
        d / 4 accepted, 3 quarantined
        and then: d z / 5 accepted, 3 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_the_last_group_counts_although_the_one_before_it_is_damaged() {
    // From review: it was taken for torn, because its numbers did not follow.
    let disk = two_segments().await;
    scratch(&disk, 2, FRAMES_AT + 2 * GROUP, 96);
    check_start(
        &disk,
        expect!["3 frames, Changed 2@16384+4096 -"],
        expect![[r#"
        a b d / 4 accepted, 1 quarantined
        and then: a b d z / 5 accepted, 1 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn b3_numbers_that_a_destroyed_frame_may_have_had_are_not_given_out_again() {
    let deliver_first = async |life: &Life| {
        let outlet = &life.handles.outlet;
        let first = outlet.candidate(ByteSize::bytes(1)).await.unwrap().unwrap();
        let cut = outlet.cut(&first, Vec::new(), Shape::Whole).await.unwrap();
        let how = Settled::Delivered { failed: 0 };
        outlet.settle(cut.id, how).await.unwrap();
    };
    // Behind the last record, only the cut and the settlement of the one before it can be read.
    let cut_behind = async || {
        let disk = disk();
        let life = open(&disk).unwrap();
        life.put(&["a", "b"]).await;
        deliver_first(&life).await;
        life.kill(&disk).await;
        disk
    };
    let disk = cut_behind().await;
    scratch(&disk, 1, FRAMES_AT + GROUP, 96);
    check_start(
        &disk,
        expect!["3 frames, Changed 1@12288+4096 -"],
        expect![[r#"
         / 1001 accepted, 1000 quarantined
        and then: z / 1002 accepted, 1000 quarantined"#]],
    )
    .await;
    // Where a frame can still be read behind it, that says how many there were.
    let disk = two_segments().await;
    scratch(&disk, 2, FRAMES_AT + GROUP, 96);
    check_start(
        &disk,
        expect!["3 frames, Changed 2@12288+4096 -"],
        expect![[r#"
        a c d / 4 accepted, 1 quarantined
        and then: a c d z / 5 accepted, 1 quarantined"#]],
    )
    .await;
    // A head and the records behind it; of what followed, only a batch of those before them is left.
    let disk = cut_behind().await;
    let life = open(&disk).unwrap();
    life.put(&["c"]).await;
    deliver_first(&life).await;
    life.kill(&disk).await;
    // The settlement that this life wrote again is the first group.
    scratch(&disk, 2, 0, FRAMES_AT + 2 * GROUP);
    check_start(
        &disk,
        expect!["6 frames, Head 2@0+16384 -"],
        expect![[r#"
         / 2026 accepted, 2024 quarantined
        and then: z / 2027 accepted, 2024 quarantined"#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_yet_proven_is_shown_apart() {
    let disk = two_segments().await;
    let contents = inspect::contents(disk.door().as_ref(), Path::new("/sim")).unwrap();
    let log = contents.log.unwrap();
    let stream = &log.streams[0];
    let (proven, unproven) = (stream.totals.buffered, stream.unproven.records);
    let segments = log.segments.iter();
    let segments: Vec<_> = segments
        .map(|s| (s.id, s.bytes, s.unproven_bytes))
        .collect();
    expect!["3 and 1 records; [(2, 20480, 4096)]"]
        .assert_eq(&format!("{proven} and {unproven} records; {segments:?}"));
}

#[tokio::test]
async fn cut_ids_are_never_used_again_after_damage() {
    let disk = disk();
    let life = open(&disk).unwrap();
    life.kill(&disk).await;
    let life = open(&disk).unwrap();
    life.put(&["a", "b"]).await;
    let outlet = &life.handles.outlet;
    let candidate = outlet.candidate(ByteSize::bytes(1)).await.unwrap().unwrap();
    let cut = outlet
        .cut(&candidate, Vec::new(), Shape::Whole)
        .await
        .unwrap();
    life.put(&["c"]).await;
    life.kill(&disk).await;
    // Head, records and cut; only "c" is left, behind them.
    scratch(&disk, 2, 0, FRAMES_AT + 3 * GROUP);
    let life = open(&disk).unwrap();
    let outlet = &life.handles.outlet;
    expect!["c / 3 accepted, 2 quarantined"].assert_eq(&life.read().await);
    let candidate = outlet.candidate(ByteSize::bytes(1)).await.unwrap().unwrap();
    let next = outlet
        .cut(&candidate, Vec::new(), Shape::Whole)
        .await
        .unwrap();
    assert!(cut.id < next.id, "{cut:?} and {next:?}");
    outlet
        .settle(next.id, Settled::Delivered { failed: 0 })
        .await
        .unwrap();
    life.kill(&disk).await;
}

#[tokio::test]
async fn b5_a_segment_of_which_nothing_is_left_is_kept_and_told() {
    // What it held, nobody can tell.
    let disk = two_segments().await;
    scratch(&disk, 2, 0, SEGMENT);
    check_start(
        &disk,
        expect!["1 frames, Changed 2@0+65536 -"],
        expect![[r#"
        a / 1 accepted, 0 quarantined
        and then: a z / 2 accepted, 0 quarantined"#]],
    )
    .await;
    let kept = disk.peek("quarantine/segment-00000000000000000002-0000000000-65536.bin");
    assert_eq!(kept, Some(vec![0xee; SEGMENT]));
}

// From review: a new log began, with new record ids, and nothing but a line told of the old one.
#[tokio::test]
async fn garbage_in_all_segments_is_refused_not_taken_for_a_first_start() {
    let disk = two_segments().await;
    scratch(&disk, 1, 0, SEGMENT);
    scratch(&disk, 2, 0, SEGMENT);
    let before = disk.paths();
    check_start(&disk, expect!["`segment-00000000000000000001.log` is damaged throughout, and no segment in the data directory has a valid head"], expect![[r#"
        `segment-00000000000000000001.log` is damaged throughout, and no segment in the data directory has a valid head
        hint: move the directory aside and start with an empty one; keep it for salvage"#]]).await;
    assert_eq!(disk.paths(), before);
}

#[tokio::test]
async fn a_torn_head_of_a_file_that_was_never_used_is_no_damage() {
    // From review: all of its sectors but the first were there, and the file was kept for ever.
    let disk = disk();
    // So that a head is longer than a sector.
    let names: Vec<String> = ('a'..'h')
        .map(|letter| letter.to_string().repeat(60))
        .collect();
    let streams: Vec<&str> = names.iter().map(String::as_str).collect();
    let life = open_with(&disk, &streams).unwrap();
    life.kill(&disk).await;
    let head = disk.peek(&name(1)).unwrap();
    assert!(head[512..1024].iter().any(|byte| *byte != 0));
    for copy in [0, GROUP] {
        assert!(head[copy..].starts_with(&head[..8]));
        disk.scribble(&name(1), copy, &[0; 512]);
    }
    check_start(
        &disk,
        expect!["0 frames"],
        expect![[r#"
         / 0 accepted, 0 quarantined
        and then: z / 1 accepted, 0 quarantined"#]],
    )
    .await;
    let kept = disk.paths();
    assert!(!kept.iter().any(|path| path.starts_with("quarantine/")));
}

#[tokio::test]
async fn a_segment_whose_number_is_too_high_is_not_ours() {
    // From review: the number above it was 0, and what was written there was not found again.
    let disk = two_segments().await;
    disk.plant(&name(u64::MAX), &[0; SEGMENT]);
    check_start(
        &disk,
        expect!["`/sim` is not a data directory of ours: it holds `segment-18446744073709551615.log`"],
        expect![[r#"
        `/sim` is not a data directory of ours: it holds `segment-18446744073709551615.log`
        hint: move that out of it; if there is no log in it, point `storage.directory` at an empty folder"#]],
    )
    .await;
}

#[tokio::test]
async fn b5_a_copy_in_quarantine_that_a_crash_cut_short_is_made_anew() {
    let disk = two_segments().await;
    scratch(&disk, 2, 0, FRAMES_AT);
    let copy = "quarantine/segment-00000000000000000002-0000000000-8192";
    disk.plant(&format!("{copy}.incomplete"), b"\xee\xee");
    open(&disk).unwrap();
    assert_eq!(disk.peek(&format!("{copy}.bin")).unwrap().len(), FRAMES_AT);
    assert_eq!(disk.peek(&format!("{copy}.incomplete")), None);
}
