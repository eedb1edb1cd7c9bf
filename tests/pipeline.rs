//! One pipeline over a log whose disk has whims: what it sends after damage, and after a cut of which
//! nobody knows whether it is on disk.

#[path = "sim/disk/mod.rs"]
mod disk;
#[path = "support/lines.rs"]
mod lines;
#[path = "support/odd_disk.rs"]
mod odd_disk;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use disk::SimDisk;
use expect_test::{Expect, expect};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use lines::Lines;
use odd_disk::{OddDisk, Sync};
use standpipe::buffer::{self, Outlet, ReadError, Settings, Shape, StreamFacts, StreamSpec};
use standpipe::model::{
    BufferingHints, ByteSize, Compression, ErrorOutput, ReaderKind, RecordsBuilder, Seq, SeqRange,
    Timestamp,
};
use standpipe::objects::key::KeyTemplate;
use standpipe::objects::store::directory::{self, Directory};
use standpipe::objects::{Refusal, Room};
use standpipe::outside::disk::Disk;
use standpipe::outside::stop::{self, Mode, Phase};
use standpipe::outside::{Clock, Dice};
use standpipe::pipeline::progress::Progress;
use standpipe::pipeline::{self, Cuts, Destination, FailedOutput, Pipeline, Route};
use standpipe::sink::endpoint::{Endpoint, EndpointRequest, Next, Rejection, Sent, Terms};
use standpipe::sink::parts::{Framing, RequestLimits};
use standpipe::sink::{Batch, BatchFacts, Plan, Receipt, Sink};
use standpipe::telemetry::Metrics;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep, timeout};

const CLOCK: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Behind the small head, and from one group of a single small record to the next.
const FRAMES_AT: usize = 8192;
const GROUP: usize = 4096;
const INTERVAL: Duration = Duration::from_secs(60);

/// A place for objects that notes what it was told and what it got.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl Sink for Noting {
    fn kind(&self) -> &'static str {
        "objects"
    }

    fn plan(&self, _: &BatchFacts) -> Plan {
        Plan(br#"{"v":1}"#.to_vec())
    }

    fn reads(&self, _: &Plan) -> Result<(), Refusal> {
        Ok(())
    }

    fn deliver<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Refusal>> {
        async {
            let mut chunks = batch.body.open();
            let mut got = Vec::new();
            while let Some(records) = chunks.next().await {
                let records = records.map_err(Refusal::unreadable)?;
                got.extend_from_slice(records.slab());
            }
            let (records, bytes) = (batch.records, batch.body.bytes());
            let got = String::from_utf8_lossy(&got);
            self.0
                .lock()
                .unwrap()
                .push(format!("{records} records, {bytes} bytes: {got}"));
            Ok(Receipt {
                place: "there".to_owned(),
                bytes,
            })
        }
        .boxed()
    }

    fn clean<'a>(&'a self, _: &'a [Plan]) -> BoxFuture<'a, Result<(), Refusal>> {
        async { Ok(()) }.boxed()
    }
}

struct Life {
    facts: StreamFacts,
    intake: buffer::Intake,
    outlet: Outlet,
    committer: JoinHandle<()>,
}

/// `outlet` is that of the reader that is asked for.
fn open(disk: Arc<dyn Disk>, kind: ReaderKind) -> Life {
    let settings = Settings {
        directory: PathBuf::from("/sim"),
        max_size: ByteSize::mebibytes(1),
    };
    let streams = [StreamSpec {
        name: "clicks".parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::from([kind]),
    }];
    let (clock, dice) = (Clock::simulated(CLOCK), Dice::seeded(2));
    let opened = buffer::open(disk, &settings, &streams, clock, dice, Metrics::default());
    let mut opened = opened.unwrap();
    let handles = opened.streams.remove("clicks").unwrap();
    Life {
        facts: handles.facts,
        intake: handles.intake,
        outlet: match kind {
            ReaderKind::Arrivals => handles.outlet,
            ReaderKind::Answers => handles.answers,
            ReaderKind::Backup => handles.backup.unwrap(),
        },
        committer: tokio::spawn(opened.committer.run()),
    }
}

fn terms(records_max: u64, error_output: ErrorOutput) -> Terms {
    Terms {
        limits: RequestLimits {
            records_max,
            body_bytes_max: 1000,
            framing: Framing::Concatenated,
        },
        retry_duration: Duration::from_secs(10),
        error_output,
        compression: Compression::Uncompressed,
    }
}

/// An endpoint that takes nothing, and answers with what it was sent.
struct Echoing(Next);

impl Endpoint for Echoing {
    fn kind(&self) -> &'static str {
        "http_endpoint"
    }

    fn plan(&self, _: &BatchFacts) -> Plan {
        Plan(br#"{"v":1,"sink":"http_endpoint"}"#.to_vec())
    }

    fn error_output(&self) -> ErrorOutput {
        ErrorOutput::HttpEndpoint
    }

    fn terms(&self, _: &Plan) -> Result<Terms, Refusal> {
        Ok(terms(100, self.error_output()))
    }

    fn send<'a>(&'a self, request: &'a EndpointRequest) -> BoxFuture<'a, Result<Sent, Rejection>> {
        let sent = String::from_utf8_lossy(request.records.slab()).into_owned();
        let rejection = Rejection {
            code: "HttpEndpoint.DestinationException".to_owned(),
            what: "failed to deliver to `https://echo.test`".to_owned(),
            message: format!("400: cannot parse {sent}"),
            next: self.0,
            retry_after: None,
            needs_operator: false,
            cause: None,
        };
        async { Err(rejection) }.boxed()
    }
}

/// Takes one record at a time at once, and says five seconds later that it stays; notes what was sent.
#[derive(Default)]
struct Confirming {
    sent: Mutex<Vec<(String, Instant)>>,
    /// Is not confirmed at first.
    forgets: Mutex<Option<&'static str>>,
    /// Cannot be taken.
    bad: Option<&'static str>,
}

impl Endpoint for Confirming {
    fn kind(&self) -> &'static str {
        "splunk"
    }

    fn plan(&self, _: &BatchFacts) -> Plan {
        Plan(br#"{"v":1,"sink":"splunk"}"#.to_vec())
    }

    fn error_output(&self) -> ErrorOutput {
        ErrorOutput::Splunk
    }

    fn terms(&self, _: &Plan) -> Result<Terms, Refusal> {
        Ok(terms(2, self.error_output()))
    }

    fn send<'a>(&'a self, request: &'a EndpointRequest) -> BoxFuture<'a, Result<Sent, Rejection>> {
        let sent = String::from_utf8_lossy(request.records.slab()).into_owned();
        self.sent
            .lock()
            .unwrap()
            .push((sent.clone(), Instant::now()));
        let mut forgets = self.forgets.lock().unwrap();
        let is_forgotten = forgets.take_if(|forgets| sent.contains(*forgets)).is_some();
        let no = |next| Rejection {
            code: "Splunk.AckTimeout".to_owned(),
            what: "no".to_owned(),
            message: "no".to_owned(),
            next,
            retry_after: None,
            needs_operator: false,
            cause: None,
        };
        if self.bad.is_some_and(|bad| sent.contains(bad)) {
            let nth = request
                .records
                .iter()
                .position(|record| self.bad == str::from_utf8(record).ok());
            return async move { Err(no(Next::Without(nth.unwrap()))) }.boxed();
        }
        let bytes = sent.len() as u64;
        let said = async move {
            sleep(Duration::from_secs(5)).await;
            let place = "there".to_owned();
            if is_forgotten {
                Err(no(Next::Retry))
            } else {
                Ok(Receipt { place, bytes })
            }
        };
        async { Ok(Sent::Taken(said.boxed())) }.boxed()
    }
}

fn route(outlet: Outlet, kind: ReaderKind, disk: Arc<dyn Disk>, to: Destination) -> Route {
    let settings = directory::Settings { path: "out".into() };
    let room = Room::new(64 << 20, 1);
    let (_, stop) = stop::channel();
    let (upstream, upstream_ended) = stop::channel();
    upstream.advance(Phase::Draining);
    Route {
        stream: "clicks".parse().unwrap(),
        version: 1,
        directory: standpipe::model::DirectoryId(7),
        reader: kind,
        outlet: Arc::new(outlet),
        destination: to,
        failed: FailedOutput {
            store: Arc::new(Directory::new(settings, disk, room.another_share())),
            keys: KeyTemplate::new(None, None, None).unwrap(),
        },
        room,
        progress: Progress::default(),
        metrics: Metrics::default(),
        clock: Clock::simulated(CLOCK),
        mode: Mode::Deliver,
        stop,
        upstream_ended,
    }
}

async fn append(intake: &buffer::Intake, text: &str) {
    let mut records = RecordsBuilder::default();
    records.push(text.as_bytes());
    intake.append(records.build().unwrap()).await.unwrap();
}

fn run(
    facts: StreamFacts,
    outlet: Outlet,
    kind: ReaderKind,
    disk: Arc<dyn Disk>,
    to: Destination,
) -> JoinHandle<pipeline::Ended> {
    let settings = pipeline::Settings {
        buffering: BufferingHints {
            size: ByteSize::mebibytes(1),
            interval: INTERVAL,
        },
    };
    let route = route(outlet, kind, disk, to);
    let pipeline = Pipeline::new(&settings, facts, Cuts::New, route, Dice::seeded(3));
    tokio::spawn(pipeline.run())
}

/// "a", "bb" and "ccc" are one batch; "bb" rots and is quarantined, and the next life delivers.
async fn check(kind: ReaderKind, expected: Expect) {
    let disk = SimDisk::new(Dice::seeded(1));
    let life = open(disk.door(), kind);
    for text in ["a", "bb", "ccc"] {
        append(&life.intake, text).await;
    }
    let batch = life.outlet.candidate(ByteSize::mebibytes(1)).await;
    let batch = batch.unwrap().unwrap();
    let cut = life
        .outlet
        .cut(&batch, br#"{"v":1}"#.to_vec(), Shape::Whole)
        .await;
    assert_eq!(cut.unwrap().records, 3);
    let name = "segment-00000000000000000001.log";
    disk.scribble(name, FRAMES_AT + GROUP, &[0xee; 200]);
    let rotten = SeqRange::new(Seq::new(1), Seq::new(2));
    let read = life.outlet.extents().read(rotten).await;
    assert!(
        matches!(read, Err(ReadError::Damaged(range)) if range == rotten),
        "{read:?}"
    );
    life.outlet.quarantine(rotten).await.unwrap();
    life.committer.abort();
    let _ = life.committer.await;
    disk.kill();

    let life = open(disk.door(), kind);
    let sink = Arc::new(Noting::default());
    let mut running = run(
        life.facts,
        life.outlet,
        kind,
        disk.door(),
        Destination::Objects(sink.clone()),
    );
    // It goes on until it is stopped; the batch is on its way at once.
    let _ = timeout(Duration::from_secs(1), &mut running).await;
    running.abort();
    expected.assert_eq(&sink.0.lock().unwrap().join("\n"));
}

// From review: a cut that was resumed said how large it was when it was cut.
#[tokio::test(start_paused = true)]
async fn b5_a_resumed_batch_says_what_is_left_of_it() {
    check(ReaderKind::Arrivals, expect!["2 records, 4 bytes: accc"]).await;
    check(ReaderKind::Backup, expect!["2 records, 4 bytes: accc"]).await;
}

// The cut of "a" may be on disk: were "b" to join it now, "a" could arrive under two names.
#[tokio::test(start_paused = true)]
async fn d3_a_cut_whose_write_failed_is_tried_again_as_it_was() {
    let odd = OddDisk::over(SimDisk::new(Dice::seeded(1)).door());
    let life = open(Arc::new(odd.clone()), ReaderKind::Arrivals);
    append(&life.intake, "a").await;
    odd.whims().syncs.push_back(Sync::Fails);
    let sink = Arc::new(Noting::default());
    let disk = Arc::new(odd.clone());
    let running = run(
        life.facts,
        life.outlet,
        ReaderKind::Arrivals,
        disk,
        Destination::Objects(sink.clone()),
    );
    while !odd.whims().syncs.is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    append(&life.intake, "b").await;
    sleep(3 * INTERVAL).await;
    running.abort();
    life.committer.abort();
    expect![[r#"
        1 records, 1 bytes: a
        1 records, 1 bytes: b"#]]
    .assert_eq(&sink.0.lock().unwrap().join("\n"));
}

// From review: what an endpoint said last stood in the log, and it may say what it was sent.
#[tokio::test(start_paused = true)]
async fn no_byte_of_a_record_is_logged_when_an_endpoint_is_given_up() {
    for next in [Next::Never, Next::Retry, Next::Halve, Next::Without(1)] {
        let disk = SimDisk::new(Dice::seeded(1));
        let life = open(disk.door(), ReaderKind::Arrivals);
        append(&life.intake, "hunter2").await;
        append(&life.intake, "hunter3").await;
        let lines = Lines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || written.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let running = run(
            life.facts,
            life.outlet,
            ReaderKind::Arrivals,
            disk.door(),
            Destination::Requests(Arc::new(Echoing(next))),
        );
        sleep(3 * INTERVAL).await;
        running.abort();
        let told = lines.text();
        assert!(told.contains("records are in the failed output"), "{told}");
        assert!(
            told.contains("failed to deliver to `https://echo.test`"),
            "{told}"
        );
        assert!(!told.contains("hunter"), "{told}");
    }
}

/// What of "a" to "j" is sent, and how many seconds after the first.
async fn check_confirmed(endpoint: Confirming, expected: Expect) {
    let disk = SimDisk::new(Dice::seeded(1));
    let life = open(disk.door(), ReaderKind::Arrivals);
    for record in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        append(&life.intake, record).await;
    }
    let endpoint = Arc::new(endpoint);
    let to = Destination::Requests(endpoint.clone());
    let running = run(
        life.facts,
        life.outlet,
        ReaderKind::Arrivals,
        disk.door(),
        to,
    );
    sleep(3 * INTERVAL).await;
    running.abort();
    life.committer.abort();
    let sent = endpoint.sent.lock().unwrap();
    let first = sent[0].1;
    let told = sent.iter().map(|(sent, at)| {
        let after = at.duration_since(first).as_secs();
        format!("{after} {sent}")
    });
    expected.assert_eq(&told.collect::<Vec<_>>().join(", "));
}

// From review: each piece waited for the acknowledgement of the one before, and with one bad event in
// fifty that took minutes.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_confirmation_of_what_went_before() {
    check_confirmed(
        Confirming::default(),
        expect!["0 ab, 0 cd, 0 ef, 0 gh, 0 ij"],
    )
    .await;
    let bad = Some("c");
    let endpoint = Confirming {
        bad,
        ..Confirming::default()
    };
    check_confirmed(endpoint, expect!["0 ab, 0 cd, 0 d, 0 ef, 0 gh, 0 ij"]).await;
    let forgets = Mutex::new(Some("c"));
    let endpoint = Confirming {
        forgets,
        ..Confirming::default()
    };
    check_confirmed(endpoint, expect!["0 ab, 0 cd, 0 ef, 0 gh, 0 ij, 6 cd"]).await;
}
