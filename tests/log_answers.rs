//! A stream with a transformer and a source record backup, on a real disk: its folder as format 1
//! keeps it, and what each handle may ask.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use expect_test::{Expect, expect};
use standpipe::buffer::{
    self, Answered, Candidate, Cut, Handles, LogError, Outcome, Outlet, Settings, Settled, Shape,
    Status, StreamSpec, Verdict, Verdicts,
};
use standpipe::model::{
    ByteSize, Failure, ReaderKind, RecordsBuilder, Seq, SeqRange, Timestamp, limits,
};
use standpipe::outside::disk::RealDisk;
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use tokio::task::JoinHandle;

struct Life {
    handles: Handles,
    committer: JoinHandle<()>,
    status: Status,
}

fn start(directory: &Path, readers: &[ReaderKind]) -> Life {
    let spec = StreamSpec {
        name: "clicks".parse().unwrap(),
        fingerprint: 1,
        readers: readers.iter().copied().collect::<BTreeSet<_>>(),
    };
    let mut opened = buffer::open(
        Arc::new(RealDisk::new(directory)),
        &Settings {
            directory: directory.to_owned(),
            max_size: ByteSize::mebibytes(1),
        },
        &[spec],
        Clock::simulated(Timestamp::from_millis(1_700_000_000_000)),
        Dice::seeded(1),
        Metrics::default(),
    )
    .unwrap();
    Life {
        handles: opened.streams.remove("clicks").unwrap(),
        committer: tokio::spawn(opened.committer.run()),
        status: opened.status,
    }
}

const BOTH: [ReaderKind; 2] = [ReaderKind::Answers, ReaderKind::Backup];

impl Life {
    async fn stop(self) {
        drop((self.handles, self.status));
        self.committer.await.unwrap();
    }

    async fn put(&self, texts: &[&str]) {
        let mut builder = RecordsBuilder::default();
        texts.iter().for_each(|text| builder.push(text.as_bytes()));
        let records = builder.build().unwrap();
        self.handles.intake.append(records).await.unwrap();
    }

    /// Answers to one-byte records: a letter is the answer, `-` drops, `!` fails.
    async fn answer(&self, start: u64, answers: &str) -> Result<(), LogError> {
        let of = range(start, start + answers.len() as u64);
        let answered = answers.chars().map(|letter| Answered {
            bytes: 1,
            arrival: Timestamp::from_millis(1_700_000_000_000),
            outcome: match letter {
                '-' => Outcome::Dropped,
                '!' => Outcome::Failed(failure("Lambda.FunctionError"), Bytes::from_static(b"x")),
                _ => Outcome::Ok(letter.to_string().into()),
            },
        });
        let function = "arn:f".into();
        let outlet = &self.handles.outlet;
        let answered: Vec<_> = answered.collect();
        outlet.answer(of, &function, &answered).await
    }
}

fn failure(code: &str) -> Failure {
    Failure::new(code, "no", 4, Timestamp::from_millis(1_700_000_000_001))
}

fn range(start: u64, end: u64) -> SeqRange {
    SeqRange::new(Seq::new(start), Seq::new(end))
}

async fn cut(outlet: &Outlet, bytes: u64, shape: Shape) -> Cut {
    let candidate: Candidate = outlet
        .candidate(ByteSize::bytes(bytes))
        .await
        .unwrap()
        .unwrap();
    outlet
        .cut(&candidate, b"plan".to_vec(), shape)
        .await
        .unwrap()
}

fn in_parts() -> Shape {
    Shape::InParts(Verdicts::default())
}

/// A reader's open cuts with their verdicts, and what it can read of the lane.
async fn tell(told: &mut String, name: &str, outlet: &Outlet) {
    write!(told, "{name}:").unwrap();
    for cut in outlet.open_cuts() {
        write!(told, " [cut {} {}", cut.id.0, cut.ranges[0]).unwrap();
        if let Shape::InParts(verdicts) = &cut.shape {
            for (range, verdict) in verdicts.iter() {
                let what = match verdict {
                    Verdict::Delivered => "delivered",
                    Verdict::Failed(failure) => &failure.code,
                    Verdict::AtRest { .. } => "at rest",
                };
                write!(told, ", {range} {what}").unwrap();
            }
        }
        write!(told, "]").unwrap();
    }
    let mut at = Seq::ZERO;
    while let Some(chunk) = outlet.extents().read(range(at.get(), 1000)).await.unwrap() {
        for (number, record) in chunk.records.iter().enumerate() {
            let mut failed = chunk.failed.iter();
            let failed = failed.find(|(at, _)| *at as usize == number);
            let text = failed.map_or(record, |(_, failed)| &failed.data);
            write!(told, " {}", String::from_utf8_lossy(text)).unwrap();
            if let Some((_, failed)) = failed {
                let (code, function) = (&failed.failure.code, &failed.function);
                write!(told, "({code} by {function})").unwrap();
            }
        }
        at = chunk.first.plus(chunk.records.count());
    }
    writeln!(told, " / {} wait", outlet.waiting().records).unwrap();
}

async fn check(life: &Life, expected: Expect) {
    let totals = life.status.totals().remove("clicks").unwrap();
    let mut told = format!(
        "{} accepted, {} delivered, {} failed, {} dropped, {} buffered\n",
        totals.accepted, totals.delivered, totals.failed, totals.dropped, totals.buffered
    );
    tell(&mut told, "arrivals", &life.handles.outlet).await;
    tell(&mut told, "answers", &life.handles.answers).await;
    if let Some(backup) = &life.handles.backup {
        tell(&mut told, "backup", backup).await;
    }
    expected.assert_eq(&told);
}

/// Two lives: what the first left stands in the second's snapshot, what the second added in frames.
async fn write_answered(directory: &Path) {
    let life = start(directory, &BOTH);
    life.put(&["a", "b", "c", "d", "e"]).await;
    life.put(&["f", "g", "h"]).await;
    life.answer(0, "A-!DE").await.unwrap();
    let answers = &life.handles.answers;
    let batch = cut(answers, 2, in_parts()).await;
    answers
        .verdict(batch.id, range(0, 1), Verdict::Delivered)
        .await
        .unwrap();
    let backup = life.handles.backup.as_ref().unwrap();
    let copied = cut(backup, 2, Shape::Whole).await;
    backup
        .settle(copied.id, Settled::Delivered { failed: 0 })
        .await
        .unwrap();
    cut(backup, 2, Shape::Whole).await;
    life.stop().await;

    let life = start(directory, &BOTH);
    life.answer(5, "F!").await.unwrap();
    let answers = &life.handles.answers;
    let failed = Verdict::Failed(failure("HttpEndpoint.DestinationException"));
    answers
        .verdict(batch.id, range(1, 2), failed)
        .await
        .unwrap();
    let batch = cut(answers, 1, in_parts()).await;
    answers
        .settle(batch.id, Settled::Delivered { failed: 0 })
        .await
        .unwrap();
    life.stop().await;
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log-v1/answered")
}

fn copy_of(fixture: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

/// `tests/fixtures/log-v1/answered` is what `write_answered` left when answers got the function and the
/// arrivals beside them, before the first release, without the zeros at the end of its segments. It is
/// never made again.
#[tokio::test]
async fn a_folder_with_answers_verdicts_and_a_backup_opens_as_it_always_did() {
    let folder = copy_of(&fixture());
    let life = start(folder.path(), &BOTH);
    check(&life, expect![[r#"
        8 accepted, 1 delivered, 0 failed, 1 dropped, 6 buffered
        arrivals: h / 1 wait
        answers: [cut 1 0..3, 0..1 delivered, 1..2 HttpEndpoint.DestinationException] A x(Lambda.FunctionError by arn:f) D F x(Lambda.FunctionError by arn:f) / 2 wait
        backup: [cut 3 2..4] c d e f g h / 4 wait
    "#]]).await;
    life.stop().await;
    // Neither is wanted any more: yesterday's answers are delivered, and the copies are owed.
    let life = start(folder.path(), &[]);
    check(&life, expect![[r#"
        8 accepted, 1 delivered, 0 failed, 1 dropped, 6 buffered
        arrivals: h / 1 wait
        answers: [cut 1 0..3, 0..1 delivered, 1..2 HttpEndpoint.DestinationException] A x(Lambda.FunctionError by arn:f) D F x(Lambda.FunctionError by arn:f) / 2 wait
    "#]]).await;
    life.put(&["i"]).await;
    life.stop().await;
    let life = start(folder.path(), &BOTH);
    life.put(&["j"]).await;
    check(&life, expect![[r#"
        10 accepted, 1 delivered, 0 failed, 1 dropped, 8 buffered
        arrivals: h i j / 3 wait
        answers: [cut 1 0..3, 0..1 delivered, 1..2 HttpEndpoint.DestinationException] A x(Lambda.FunctionError by arn:f) D F x(Lambda.FunctionError by arn:f) / 2 wait
        backup: [cut 3 2..4] c d e f g h j / 5 wait
    "#]]).await;
    life.stop().await;
}

#[tokio::test]
async fn today_s_program_writes_what_the_fixture_holds() {
    let folder = tempfile::tempdir().unwrap();
    write_answered(folder.path()).await;
    let written = start(folder.path(), &BOTH);
    check(&written, expect![[r#"
        8 accepted, 1 delivered, 0 failed, 1 dropped, 6 buffered
        arrivals: h / 1 wait
        answers: [cut 1 0..3, 0..1 delivered, 1..2 HttpEndpoint.DestinationException] A x(Lambda.FunctionError by arn:f) D F x(Lambda.FunctionError by arn:f) / 2 wait
        backup: [cut 3 2..4] c d e f g h / 4 wait
    "#]]).await;
    written.stop().await;
}

/// From review: a transformer that was down stopped all intake when a hundredth of the log was used,
/// for only segments that stood already counted as room for its answers.
#[tokio::test]
async fn b7_arrivals_fill_the_log_while_nobody_answers_them() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &[ReaderKind::Answers]);
    let mut taken = 0;
    loop {
        let mut builder = RecordsBuilder::default();
        builder.push(&[b'x'; 10_000]);
        match life.handles.intake.append(builder.build().unwrap()).await {
            Ok(_) => taken += 10_000,
            Err(_) => break,
        }
    }
    // Half of what is not reserved; the other half is for the answers.
    assert!(200_000 < taken, "{taken} of 1 MiB");
    life.stop().await;
}

#[tokio::test]
async fn a_cut_that_was_moved_stays_so_with_its_verdicts_in_the_next_lives() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &[]);
    let outlet = &life.handles.outlet;
    life.put(&["a", "b", "c"]).await;
    let whole = cut(outlet, 9, Shape::Whole).await;
    let part = |start| range(start, start + 1);
    let early = outlet.verdict(whole.id, part(0), Verdict::Delivered).await;
    assert_eq!(early, Err(LogError::Stale));
    outlet.move_to(&whole, b"requests".to_vec()).await.unwrap();
    let given = outlet.verdict(whole.id, part(0), Verdict::Delivered).await;
    assert_eq!(given, Ok(()));
    let left = |life: &Life| {
        let [cut] = &life.handles.outlet.open_cuts()[..] else {
            panic!("one open cut");
        };
        let left = |verdicts: &Verdicts| verdicts.left(range(0, 3));
        let left = life.handles.outlet.verdicts(cut.id, left).unwrap();
        (String::from_utf8(cut.plan.clone()).unwrap(), left)
    };
    let moved = ("requests".to_owned(), vec![range(1, 3)]);
    assert_eq!(left(&life), moved);
    life.stop().await;
    // Read from frames, and then from the snapshot that this life wrote.
    for _ in 0..2 {
        let life = start(folder.path(), &[]);
        assert_eq!(left(&life), moved);
        life.put(&["d"]).await;
        life.stop().await;
    }
    let life = start(folder.path(), &[]);
    let [moved] = &life.handles.outlet.open_cuts()[..] else {
        panic!("one open cut");
    };
    let again = life.handles.outlet.move_to(moved, b"object".to_vec());
    assert_eq!(again.await, Ok(()));
    assert_eq!(left(&life), ("object".to_owned(), vec![range(1, 3)]));
    life.stop().await;
}

#[tokio::test]
async fn d1_an_answer_stays_and_what_follows_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &BOTH);
    life.put(&["a", "b", "c", "d"]).await;
    assert_eq!(life.answer(2, "CD").await, Err(LogError::Stale));
    assert_eq!(life.answer(0, "AB").await, Ok(()));
    // After a failure the very same is given again: whatever has an answer keeps it.
    assert_eq!(life.answer(0, "XYCD").await, Ok(()));
    assert_eq!(life.answer(0, "----").await, Ok(()));
    check(
        &life,
        expect![[r#"
        4 accepted, 0 delivered, 0 failed, 0 dropped, 4 buffered
        arrivals: / 0 wait
        answers: A B C D / 4 wait
        backup: a b c d / 4 wait
    "#]],
    )
    .await;
    life.stop().await;
}

/// Each answer to a record of one byte is of so many; how the log took it.
async fn answer_long(life: &Life, of: SeqRange, bytes: usize) -> Result<(), LogError> {
    let answered = (0..of.count()).map(|_| Answered {
        bytes: 1,
        arrival: Timestamp::from_millis(1_700_000_000_000),
        outcome: Outcome::Ok(vec![b'y'; bytes].into()),
    });
    let function = "arn:f".into();
    let outlet = &life.handles.outlet;
    let answered: Vec<_> = answered.collect();
    outlet.answer(of, &function, &answered).await
}

// From review: all answers of an invocation entered at once or not at all, so a log that could not
// hold them together was full for ever, though nothing else was in it.
#[tokio::test]
async fn b7_answers_longer_than_the_log_enter_it_as_deliveries_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &[ReaderKind::Answers]);
    life.put(&["x"; 100]).await;
    let of = range(0, 100);
    let mut rounds = 0;
    // Two mebibytes, where the log is one.
    while answer_long(&life, of, 20_000).await == Err(LogError::Full) {
        rounds += 1;
        let answers = &life.handles.answers;
        assert_ne!(answers.waiting().records, 0, "a part of them has entered");
        let batch = cut(answers, 1 << 20, Shape::Whole).await;
        let how = Settled::Delivered { failed: 0 };
        answers.settle(batch.id, how).await.unwrap();
    }
    assert!(1 < rounds, "{rounds}");
    assert_eq!(life.handles.outlet.waiting().records, 0);
    life.stop().await;
}

/// The last life of a process that is killed between two pieces of an invocation.
#[tokio::test]
async fn d1_pieces_that_entered_before_a_crash_stay_and_the_rest_is_answered_anew() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &BOTH);
    life.put(&["a", "b", "c", "d"]).await;
    life.answer(0, "AB").await.unwrap();
    let crashed = copy_of(folder.path());
    life.stop().await;

    let life = start(crashed.path(), &BOTH);
    assert_eq!(life.handles.outlet.waiting().records, 2);
    life.answer(2, "XY").await.unwrap();
    check(
        &life,
        expect![[r#"
            4 accepted, 0 delivered, 0 failed, 0 dropped, 4 buffered
            arrivals: / 0 wait
            answers: A B X Y / 4 wait
            backup: a b c d / 4 wait
        "#]],
    )
    .await;
    life.stop().await;
}

// From review: failed lines named today's function, and the first arrival of an invocation.
#[tokio::test]
async fn who_answered_and_when_each_record_arrived_are_kept_with_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &BOTH);
    life.put(&["x"; 6]).await;
    let minutes = |minutes: u64| Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000);
    let lost = || Outcome::Failed(failure("F"), Bytes::from_static(b"x"));
    let kept = || Outcome::Ok(Bytes::from_static(b"y"));
    let outcomes = [Outcome::Dropped, kept(), kept(), lost(), kept(), lost()];
    let arrived = [0, 1, 1, 5, 15, 16];
    let answered = outcomes.into_iter().zip(arrived);
    let answered = answered.map(|(outcome, arrived)| Answered {
        bytes: 1,
        arrival: minutes(arrived),
        outcome,
    });
    let old = "arn:old".into();
    let outlet = &life.handles.outlet;
    outlet
        .answer(range(0, 6), &old, &answered.collect::<Vec<_>>())
        .await
        .unwrap();
    life.stop().await;

    let life = start(folder.path(), &[]);
    let answers = &life.handles.answers;
    let chunk = answers.extents().read(range(0, 9)).await.unwrap().unwrap();
    let runs = [
        (0, minutes(1)),
        (2, minutes(5)),
        (3, minutes(15)),
        (4, minutes(16)),
    ];
    assert_eq!(chunk.arrivals, runs);
    let failed = chunk.failed.iter();
    let failed: Vec<_> = failed
        .map(|(at, failed)| (*at, failed.arrival, &*failed.function))
        .collect();
    assert_eq!(
        failed,
        [(2, minutes(5), "arn:old"), (4, minutes(16), "arn:old")]
    );
    let from_the_middle = answers.extents().read(range(3, 9)).await.unwrap().unwrap();
    assert_eq!(
        from_the_middle.arrivals,
        [(0, minutes(15)), (1, minutes(16))]
    );
    // A batch begins when its own first record arrived.
    let first = cut(answers, 2, Shape::Whole).await;
    assert_eq!((first.records, first.first_arrival), (3, minutes(1)));
    let second = cut(answers, 2, Shape::Whole).await;
    assert_eq!((second.records, second.first_arrival), (2, minutes(15)));
    life.stop().await;
}

#[tokio::test]
async fn d5_a_batch_gets_so_many_verdicts_before_what_failed_comes_to_rest() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &BOTH);
    life.put(&["x"; 500]).await;
    life.answer(0, &"x".repeat(500)).await.unwrap();
    let answers = &life.handles.answers;
    let batch = cut(answers, 1000, in_parts()).await;
    let most = limits::VERDICTS_PER_CUT_MAX as u64;
    for number in 0..most {
        let verdict = match number % 2 {
            0 => Verdict::Delivered,
            _ => Verdict::Failed(failure("Splunk.AckTimeout")),
        };
        let part = range(number, number + 1);
        answers.verdict(batch.id, part, verdict).await.unwrap();
    }
    let failed = || Verdict::Failed(failure("Splunk.AckTimeout"));
    let one_more = || answers.verdict(batch.id, range(most, most + 1), failed());
    assert_eq!(one_more().await, Err(LogError::Stale));
    let at_rest = Verdict::AtRest { failed: most / 2 };
    let rest = answers.verdict(batch.id, range(0, most), at_rest).await;
    assert_eq!(rest, Ok(()));
    assert_eq!(one_more().await, Ok(()));
    let again = answers
        .verdict(batch.id, range(0, 500), Verdict::Delivered)
        .await;
    assert_eq!(
        again,
        Ok(()),
        "each record has one, and the first one stays"
    );
    life.stop().await;

    let life = start(folder.path(), &BOTH);
    let (filed, left, runs) = life
        .handles
        .answers
        .verdicts(batch.id, |verdicts| {
            let left = verdicts.left(range(0, 500));
            (verdicts.filed(), left, verdicts.iter().len())
        })
        .expect("it is open");
    assert_eq!((filed, left, runs), (Some(most / 2), vec![], 3));
    life.stop().await;
}

#[tokio::test]
async fn d5_a_restart_sends_the_pieces_that_were_about_to_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let life = start(folder.path(), &BOTH);
    life.put(&["x"; 100]).await;
    life.answer(0, &"x".repeat(100)).await.unwrap();
    let answers = &life.handles.answers;
    let batch = cut(answers, 1000, in_parts()).await;
    for (start, end, border) in [(0, 100, 50), (0, 50, 25)] {
        let divided = answers.divide(batch.id, range(start, end), vec![Seq::new(border)]);
        divided.await.unwrap();
    }
    let delivered = answers.verdict(batch.id, range(0, 25), Verdict::Delivered);
    delivered.await.unwrap();
    life.stop().await;

    let life = start(folder.path(), &BOTH);
    let answers = &life.handles.answers;
    let next = || answers.verdicts(batch.id, |verdicts| verdicts.next(range(0, 100)));
    assert_eq!(next(), Some(Some(range(25, 50))));
    answers
        .verdict(batch.id, range(25, 50), Verdict::Delivered)
        .await
        .unwrap();
    assert_eq!(next(), Some(Some(range(50, 100))));
    life.stop().await;
}
