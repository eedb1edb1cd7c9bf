//! Through kills and stops: put all the while, then count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::process::Daemon;
use crate::s3::{ACCESS_KEY, InProcessS3, SECRET_KEY};

pub const BUCKET: &str = "lake";
const STREAMS: [&str; 2] = ["to-s3", "to-files"];
/// All intervals of the test together are a few seconds.
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);

pub fn configuration(server: &InProcessS3) -> String {
    let endpoint = server.endpoint();
    format!(
        r#"
aws:
  here:
    endpoint: "{endpoint}"
    region: eu-west-1
    path_style: true
    access_key_id: {ACCESS_KEY}
    secret_access_key: {{ file: ./secret }}
defaults:
  buffering: {{ size: 1MiB, interval: 1s, low_latency: true }}
streams:
  to-s3:
    source: direct_put
    destination:
      s3: {{ bucket: {BUCKET}, profile: here }}
  to-files:
    source: direct_put
    destination:
      directory: {{ path: ./out }}
"#
    )
}

/// Numbers that were taken, by stream.
type Taken = Arc<Mutex<BTreeSet<(&'static str, u64)>>>;

/// Puts numbered lines until told to stop; the daemon may come and go meanwhile.
async fn produce(
    stream: &'static str,
    daemon: Arc<Daemon>,
    next: Arc<AtomicU64>,
    taken: Taken,
    enough: Arc<AtomicBool>,
) {
    while !enough.load(Ordering::Relaxed) {
        let first = next.fetch_add(5, Ordering::Relaxed);
        let numbers = first..first + 5;
        let lines = numbers
            .clone()
            .map(|number| format!("{number}\n"))
            .collect();
        if daemon.put(stream, lines).await {
            let pairs = numbers.map(|number| (stream, number));
            taken.lock().unwrap().extend(pairs);
        } else {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How often each number stands in the objects of a stream.
fn counted(contents: Vec<String>) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for content in contents {
        let numbers: Vec<u64> = content.lines().map(|line| line.parse().unwrap()).collect();
        for number in numbers {
            *counts.entry(number).or_default() += 1;
        }
    }
    counts
}

fn in_bucket(server: &InProcessS3) -> Vec<String> {
    let objects = server.objects(BUCKET).into_values();
    objects
        .map(|object| String::from_utf8(object.bytes.to_vec()).unwrap())
        .collect()
}

/// Finished files: those under way have a name that begins with a dot.
pub fn in_files(folder: &Path) -> Vec<String> {
    let mut contents = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.file_type().unwrap().is_dir() {
            true => contents.extend(in_files(&entry.path())),
            false if hidden => {}
            false => contents.extend(fs::read_to_string(entry.path())),
        }
    }
    contents
}

/// Waits until everything that was taken has arrived; nothing may be there twice at any time.
async fn all_arrived(taken: &BTreeSet<(&str, u64)>, server: &InProcessS3, daemon: &Daemon) {
    let begun = Instant::now();
    loop {
        let files = in_files(&daemon.folder().join("out"));
        let counts = [counted(in_bucket(server)), counted(files)];
        let counts: BTreeMap<_, _> = STREAMS.into_iter().zip(counts).collect();
        for (stream, counts) in &counts {
            let twice: Vec<_> = counts.iter().filter(|(_, times)| **times != 1).collect();
            assert!(twice.is_empty(), "{stream}: more than once: {twice:?}");
        }
        let there = |(stream, number): &(&str, u64)| counts[stream].contains_key(number);
        let Some(missing) = taken.iter().find(|record| !there(record)) else {
            return;
        };
        let log = daemon.log();
        assert!(
            begun.elapsed() < DELIVERED_WITHIN,
            "{missing:?} is missing\n{log}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_that_was_taken_arrives_once_through_kills_and_stops() {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let daemon = Arc::new(Daemon::new(&configuration(&server)));
    fs::write(daemon.folder().join("secret"), SECRET_KEY).unwrap();
    let (taken, enough) = (Taken::default(), Arc::new(AtomicBool::new(false)));
    daemon.start().await;
    let mut producers = JoinSet::new();
    for stream in STREAMS {
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..2 {
            let (daemon, next) = (daemon.clone(), next.clone());
            producers.spawn(produce(stream, daemon, next, taken.clone(), enough.clone()));
        }
    }
    for life in 0..4 {
        sleep(Duration::from_millis(900)).await;
        // Puts and deliveries are under way either time.
        if life % 2 == 0 {
            daemon.kill();
        } else {
            assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log());
        }
        daemon.start().await;
    }
    sleep(Duration::from_millis(500)).await;
    enough.store(true, Ordering::Relaxed);
    while let Some(ended) = producers.join_next().await {
        ended.unwrap();
    }
    let taken = std::mem::take(&mut *taken.lock().unwrap());
    assert!(
        STREAMS
            .iter()
            .all(|stream| taken.iter().any(|(of, _)| of == stream))
    );
    all_arrived(&taken, &server, &daemon).await;
    let status = daemon.stop().await;
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
}
