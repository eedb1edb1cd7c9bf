//! A stream's transformer between its two lanes: the log on a real disk, and a function in Rust.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::STANDARD;
use serde_json::{Value, json};
use standpipe::buffer::{
    self, Answered, Candidate, Handles, LogError, Outcome, Outlet, Settled, Shape, StreamSpec,
};
use standpipe::model::{ByteSize, ReaderKind, RecordsBuilder, Seq, SeqRange, Timestamp};
use standpipe::outside::disk::RealDisk;
use standpipe::outside::memory::Share;
use standpipe::outside::stop::{self, Mode, Phase, Stopper};
use standpipe::outside::{Clock, Dice};
use standpipe::pipeline::progress::Progress;
use standpipe::pipeline::transforming::{Line, Settings, Transforming};
use standpipe::telemetry::Metrics;
use standpipe::transform::Hints;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::NOW;
use super::transformer::{Acting, answer, echo, plain, too_long, transformer};

/// A stream at work, until it is stopped.
struct Work {
    answers: Outlet,
    arrivals: Arc<Outlet>,
    progress: Progress,
    stopper: Stopper,
    intake_ended: Stopper,
    transforming: JoinHandle<()>,
    committer: JoinHandle<()>,
}

/// With records of these lengths, in puts of one each; `max_size` is the log's.
async fn start(
    directory: &Path,
    max_size: ByteSize,
    memory: Share,
    function: Arc<Acting>,
    lengths: &[usize],
) -> Work {
    let spec = StreamSpec {
        name: "clicks".parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::from([ReaderKind::Answers]),
    };
    let settings = buffer::Settings {
        directory: directory.to_owned(),
        max_size,
    };
    let disk = Arc::new(RealDisk::new(directory));
    let (clock, dice) = (Clock::simulated(NOW), Dice::seeded(1));
    let opened = buffer::open(disk, &settings, &[spec], clock, dice, Metrics::default());
    let mut opened = opened.unwrap();
    let committer = tokio::spawn(opened.committer.run());
    let handles = opened.streams.remove("clicks").unwrap();
    let Handles {
        facts,
        intake,
        outlet,
        answers,
        ..
    } = handles;
    for length in lengths {
        let mut records = RecordsBuilder::default();
        records.push(&vec![b'x'; *length]);
        intake.append(records.build().unwrap()).await.unwrap();
    }
    let arrivals = Arc::new(outlet);
    let (stopper, stop) = stop::channel();
    let (intake_ended, no_puts) = stop::channel();
    let (ended, _) = stop::channel();
    let progress = Progress::default();
    let line = Line {
        facts,
        directory: opened.directory,
        outlet: Arc::clone(&arrivals),
        transformer: Arc::new(transformer(plain("http://f/"), 0, function).await),
        progress: progress.clone(),
        memory,
        mode: Mode::Keep,
        stop,
        intake_ended: no_puts,
        ended: stop::SaidAtTheEnd::by(ended),
    };
    let hints = Hints::new(ByteSize::mebibytes(1), Duration::ZERO).unwrap();
    let settings = Settings {
        hints,
        parallel_max: 5,
    };
    let transforming = Transforming::new(settings, line, Dice::seeded(2));
    Work {
        answers,
        arrivals,
        progress,
        stopper,
        intake_ended,
        transforming: tokio::spawn(async {
            transforming.run().await;
        }),
        committer,
    }
}

impl Work {
    /// Delivers what waits, until all that arrived has answers and all answers are delivered; the
    /// lengths of the answers.
    async fn deliver(&self) -> Vec<usize> {
        let mut lengths = Vec::new();
        while 0 < self.arrivals.waiting().records + self.answers.waiting().records {
            sleep(Duration::from_millis(50)).await;
            let size = ByteSize::mebibytes(1);
            let candidate: Option<Candidate> = self.answers.candidate(size).await.unwrap();
            let Some(candidate) = candidate else {
                continue;
            };
            let extents = self.answers.extents();
            let mut left = Some(candidate.range);
            while let Some(range) = left {
                let chunk = extents.read(range).await.unwrap().unwrap();
                lengths.extend(chunk.records.iter().map(<[u8]>::len));
                let end = chunk.first.plus(chunk.records.count());
                left = SeqRange::between(end, range.end());
            }
            let cut = self.answers.cut(&candidate, Vec::new(), Shape::Whole);
            let cut = cut.await.unwrap();
            let how = Settled::Delivered { failed: 0 };
            self.answers.settle(cut.id, how).await.unwrap();
        }
        lengths
    }

    async fn stop(self) {
        self.intake_ended.advance(Phase::Draining);
        self.stopper.advance(Phase::Draining);
        self.transforming.await.unwrap();
        drop((self.answers, self.arrivals));
        self.committer.await.unwrap();
    }
}

/// Each record comes back as so many bytes; more than 60 kB are too much for one answer.
fn stretching(bytes: usize) -> Arc<Acting> {
    Acting::new(move |_, event| {
        let records = event["records"].as_array().unwrap();
        if 60_000 < bytes * records.len() {
            return too_long();
        }
        let data = STANDARD.encode_to_string(vec![b'y'; bytes]);
        let answered = |record: &Value| json!({ "recordId": record["recordId"], "result": "Ok", "data": data });
        answer(&json!({ "records": records.iter().map(answered).collect::<Vec<_>>() }))
    })
}

// From review: 100 kB of records that a function made a thousand times longer hung their stream for
// ever, and nothing but a warning said so.
#[tokio::test]
async fn a_function_that_makes_records_longer_than_the_log_waits_for_deliveries_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let function = stretching(20_000);
    let memory = Share::of(64 << 20, 1);
    let megabyte = ByteSize::mebibytes(1);
    let work = start(
        folder.path(),
        megabyte,
        memory,
        function.clone(),
        &[10; 100],
    )
    .await;
    let stuck = async {
        while work.progress.refusal().is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stuck)
        .await
        .unwrap();
    assert_eq!(work.progress.refusal().unwrap().code, "Log.Full");
    assert_ne!(work.answers.waiting().records, 0);
    let asked = function.sizes().len();
    assert!(
        asked < 20,
        "what is not logged is not asked for: {asked} requests"
    );
    assert_eq!(work.deliver().await, [20_000; 100]);
    assert_eq!(work.progress.refusal(), None);
    work.stop().await;
}

#[tokio::test]
async fn invocations_take_turns_where_there_is_no_memory_for_two() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Share::of(12 << 20, 2);
    let taken = memory.another().take(12 << 20).await;
    let function = stretching(10);
    let work = start(
        folder.path(),
        ByteSize::mebibytes(1),
        memory,
        function.clone(),
        &[10; 20],
    )
    .await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(function.sizes(), [0; 0], "the memory is somebody else's");
    drop(taken);
    assert_eq!(work.deliver().await, [10; 20]);
    work.stop().await;
}

// From review: what was `Stale` was tried for ever. Nobody else answers in a daemon; here somebody does,
// record by record, and may get in between a look at the log and the commit.
#[tokio::test]
async fn whoever_else_answers_meanwhile_each_record_has_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let function = Acting::behind(Arc::clone(&gate), |_, event| echo(event));
    let memory = Share::of(64 << 20, 1);
    let megabyte = ByteSize::mebibytes(1);
    let work = start(
        folder.path(),
        megabyte,
        memory,
        function.clone(),
        &[10; 100],
    )
    .await;
    while function.sizes().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let me = "me".into();
    for number in 0..60 {
        if number == 30 {
            gate.add_permits(1);
        }
        let answered = Answered {
            bytes: 10,
            arrival: Timestamp::from_millis(0),
            outcome: Outcome::Ok("mine".into()),
        };
        let one = SeqRange::new(Seq::new(number), Seq::new(number + 1));
        let mine = work.arrivals.answer(one, &me, &[answered]).await;
        let is_fair = !matches!(mine, Err(LogError::Full | LogError::Closed));
        assert!(is_fair, "{mine:?}");
    }
    let lengths = work.deliver().await;
    assert_eq!(lengths.len(), 100);
    assert_eq!(lengths[..30], [4; 30]);
    assert_eq!(lengths[60..], [10; 40]);
    work.stop().await;
}
