//! From a put to its acknowledgement, and from a put into S3: `cargo bench --bench paths`.
//!
//! The built daemon runs in a process of its own; a signing load and a counting S3 run here. What is
//! judged is the daemon's CPU time against that of the bare stages, measured in the same run on the
//! same bytes: wall time on a shared machine says little. docs/performance.md explains the figures.

mod body;
mod ceiling;
mod cpu;
mod daemon;
mod load;
mod report;
mod s3;
mod stage;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use body::Body;
use ceiling::Ceiling;
use daemon::Daemon;
use report::Measured;
use s3::S3;

/// The goal for put → acknowledgement.
const GOAL: f64 = 0.5;
/// Enough for clocks that tick a hundred times a second, and well below the log's size.
const RUN_BYTES: u64 = 2_000_000_000;
const RUN_TIME: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
    daemon::write_secret(folder.path());
    let s3 = S3::start();
    let daemon = Daemon::start(folder.path(), s3.address);
    println!("idle: {:.0} MiB resident", daemon.peak_mebibytes());
    warm_up(&daemon, &s3);

    let mut reached = true;
    for size in [100, 1024, 10 * 1024] {
        let body = body::batch(size);
        let ceiling = measured_ceiling(&body, folder.path());
        report::heading();
        let name = format!("put → ack, {size} B");
        reached &= GOAL <= put(&name, &daemon, &s3, &body, &ceiling);
        backlog(&daemon, &s3, &ceiling);
        through(
            &format!("put → S3, {size} B"),
            &daemon,
            &s3,
            &body,
            &ceiling,
        );
    }
    let body = body::single(1024);
    let ceiling = measured_ceiling(&body, folder.path());
    report::heading();
    put("PutRecord → ack, 1024 B", &daemon, &s3, &body, &ceiling);
    println!(
        "\nS3 took {} requests, {} MB",
        s3.requests(),
        s3.bytes() / 1_000_000
    );
    match reached {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!("put → ack is below {GOAL} of the ceiling");
            ExitCode::FAILURE
        }
    }
}

/// Writes as much as a run will, so that the runs find segments to recycle, as in daily life.
fn warm_up(daemon: &Daemon, s3: &S3) {
    s3.close();
    let body = body::batch(10 * 1024);
    load::run(
        daemon.firehose,
        &body,
        connections(&body),
        RUN_BYTES * 5 / 4,
        RUN_TIME * 6,
    );
    s3.open();
    daemon.wait_until_empty();
}

fn measured_ceiling(body: &Body, folder: &Path) -> Ceiling {
    let ceiling = Ceiling::measure(body, folder);
    println!(
        "\nbare stages, CPU s/GB: receive {:.2}, answer {:.2}, SHA-256 {:.2}, decode {:.2}, \
         CRC {:.2}, write and sync {:.2}, send {:.2}",
        ceiling.receive,
        ceiling.answer,
        ceiling.sha256,
        ceiling.decode,
        ceiling.crc,
        ceiling.write,
        ceiling.send
    );
    ceiling
}

/// Puts alone: the gate before S3 is shut, and stays so. Gives the ratio to the ceiling.
fn put(path: &str, daemon: &Daemon, s3: &S3, body: &Body, ceiling: &Ceiling) -> f64 {
    s3.close();
    let before = daemon.cpu_seconds();
    let seen = load::run(
        daemon.firehose,
        body,
        connections(body),
        RUN_BYTES,
        RUN_TIME,
    );
    let measured = Measured {
        path,
        bytes: seen.acknowledged * body.bytes,
        records: seen.acknowledged * body.records,
        seconds: seen.took.as_secs_f64(),
        cpu_seconds: daemon.cpu_seconds() - before,
        peak_mebibytes: daemon.peak_mebibytes(),
        ceiling: ceiling.put(),
        seen: Some(&seen),
    };
    measured.print();
    measured.ratio()
}

/// Lets what was put before go to S3.
fn backlog(daemon: &Daemon, s3: &S3, ceiling: &Ceiling) {
    let (bytes, records) = (daemon.buffered_bytes(), daemon.buffered_records());
    let (began, before) = (Instant::now(), daemon.cpu_seconds());
    s3.open();
    daemon.wait_until_empty();
    Measured {
        path: "  its backlog → S3",
        bytes,
        records,
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: daemon.cpu_seconds() - before,
        peak_mebibytes: daemon.peak_mebibytes(),
        ceiling: ceiling.send,
        seen: None,
    }
    .print();
}

/// Puts and deliveries side by side, until the last byte has arrived.
fn through(path: &str, daemon: &Daemon, s3: &S3, body: &Body, ceiling: &Ceiling) {
    s3.open();
    let (began, before) = (Instant::now(), daemon.cpu_seconds());
    let seen = load::run(
        daemon.firehose,
        body,
        connections(body),
        RUN_BYTES,
        RUN_TIME,
    );
    daemon.wait_until_empty();
    Measured {
        path,
        bytes: seen.acknowledged * body.bytes,
        records: seen.acknowledged * body.records,
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: daemon.cpu_seconds() - before,
        peak_mebibytes: daemon.peak_mebibytes(),
        ceiling: ceiling.through(),
        seen: Some(&seen),
    }
    .print();
}

/// Batches fill a few connections; single records need many to share a commit.
fn connections(body: &Body) -> usize {
    match body.records {
        1 => 128,
        _ => 16,
    }
}
