//! `standpipe storage`: what lies in a storage directory, without a daemon.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::check::table;
use super::{Exit, Failure};
use crate::buffer::inspect::{self, Cause, Contents, Damage, Log, Report, Stream, Waiting};
use crate::buffer::{Cut, OpenError, Shape, Verdict};
use crate::model::{ByteSize, ReaderKind, SeqRange};
use crate::outside::disk::RealDisk;

const HELP: &str = "\
Examples:
  standpipe storage ls --directory ./data
  standpipe storage verify --directory /var/lib/standpipe --json

Exit codes: 0 good, 1 damage found, 64 bad command line, 74 not readable,
78 not a data directory of this version";

/// Looks into a storage directory: what it holds, and whether it is sound.
///
/// Only reads, and takes no lock: a daemon may have the directory open meanwhile, and then the answer
/// is a moment of its life.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Storage {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists streams with their counts, segments, and batches that are on their way.
    #[command(after_help = HELP)]
    Ls(Directory),
    /// Reads everything and checks every checksum.
    #[command(after_help = HELP)]
    Verify(Directory),
}

#[derive(Args, Debug)]
struct Directory {
    /// The storage directory.
    #[arg(long, value_name = "PATH")]
    directory: PathBuf,

    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

impl Storage {
    pub fn run(&self) -> Result<Exit, Failure> {
        match &self.what {
            What::Ls(at) => {
                let disk = RealDisk::to_read(&at.directory);
                let contents = inspect::contents(&disk, &at.directory).map_err(at.unreadable())?;
                if at.json {
                    super::print(format_args!("{:#}\n", contents_document(&contents)));
                } else {
                    super::print(contents_text(&contents));
                }
                Ok(Exit::Stopped)
            }
            What::Verify(at) => {
                let disk = RealDisk::to_read(&at.directory);
                let report = inspect::verify(&disk, &at.directory).map_err(at.unreadable())?;
                if at.json {
                    super::print(format_args!("{:#}\n", report_document(&report)));
                } else {
                    super::print(report_text(&report));
                }
                let is_sound = report.damage.is_empty();
                Ok(if is_sound { Exit::Stopped } else { Exit::No })
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("failed to look into `{}`", .directory.display())]
struct Unreadable {
    directory: PathBuf,
    #[source]
    cause: OpenError,
}

impl Directory {
    /// What a start would do about it is no hint for those who only look.
    fn unreadable(&self) -> impl FnOnce(OpenError) -> Failure {
        let directory = self.directory.clone();
        move |cause| {
            let hint = match &cause {
                OpenError::Missing(path) => {
                    let what = format!("there is nothing at `{}`", path.display());
                    return Failure::new(Exit::Disk, what);
                }
                OpenError::NotOurs { .. } => "name the folder that `storage.directory` names",
                cause => cause.hint(),
            };
            let exit = super::run::storage_exit(&cause);
            Failure::new(exit, Unreadable { directory, cause }).hint(hint)
        }
    }
}

fn contents_text(contents: &Contents) -> String {
    let free = contents.free_segments;
    let Some(log) = &contents.log else {
        return format!("no daemon ever wrote anything here ({free} free segments)\n");
    };
    let mut out = String::new();
    let (lives, segments) = (log.lives, log.segments.len());
    writeln!(out, "directory {}, life {lives}", log.directory).expect("a text takes all");
    writeln!(out, "{segments} segments in use, {free} free\n").expect("a text takes all");
    let heads = [
        "stream",
        "accepted",
        "delivered",
        "buffered",
        "not yet proven",
        "open batches",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(log.streams.iter().map(|stream| {
        [
            stream.facts.name.to_string(),
            stream.totals.accepted.to_string(),
            stream.totals.delivered.to_string(),
            records(stream.totals.buffered, stream.totals.buffered_bytes),
            records(stream.unproven.records, stream.unproven.bytes),
            stream.open_cuts.len().to_string(),
        ]
    }));
    table(&rows, &mut out);
    out.push('\n');
    if log.streams.iter().any(has_lanes) {
        table(&lanes(log), &mut out);
        out.push('\n');
    }
    let batches = batches(log);
    if 1 < batches.len() {
        table(&batches, &mut out);
        out.push('\n');
    }
    let mut rows = vec![["segment", "bytes", "not yet proven"].map(str::to_owned)];
    rows.extend(log.segments.iter().map(|segment| {
        [
            segment.name.clone(),
            segment.bytes.to_string(),
            segment.unproven_bytes.to_string(),
        ]
    }));
    table(&rows, &mut out);
    out
}

/// Whether anything waits elsewhere than for its only delivery.
fn has_lanes(stream: &Stream) -> bool {
    let more = |(reader, waiting): &(ReaderKind, Waiting)| match reader {
        ReaderKind::Arrivals => false,
        ReaderKind::Answers => 0 < waiting.records,
        ReaderKind::Backup => true,
    };
    stream.waiting.iter().any(more)
}

/// Where each stream's records wait.
fn lanes(log: &Log) -> Vec<[String; 4]> {
    let mut rows = vec![["stream", "arrivals", "answers", "backup"].map(str::to_owned)];
    rows.extend(log.streams.iter().map(|stream| {
        let waits = |wanted: ReaderKind| {
            let mut readers = stream.waiting.iter();
            let found = readers.find(|(reader, _)| *reader == wanted);
            found.map_or("-".to_owned(), |(_, waiting)| {
                format!("{} ({})", waiting.records, ByteSize::bytes(waiting.bytes))
            })
        };
        [
            stream.facts.name.to_string(),
            waits(ReaderKind::Arrivals),
            waits(ReaderKind::Answers),
            waits(ReaderKind::Backup),
        ]
    }));
    rows
}

/// Batches that are on their way, and what became of their parts.
fn batches(log: &Log) -> Vec<[String; 5]> {
    let mut rows = vec![["batch", "stream", "of", "records", "parts"].map(str::to_owned)];
    for stream in &log.streams {
        rows.extend(stream.open_cuts.iter().map(|(reader, cut)| {
            let ranges: Vec<String> = cut.ranges.iter().map(ToString::to_string).collect();
            [
                cut.id.0.to_string(),
                stream.facts.name.to_string(),
                reader.as_str().to_owned(),
                ranges.join(" "),
                parts(cut),
            ]
        }));
    }
    rows
}

/// How many records were delivered, failed for which reason, are filed, and have no verdict yet.
fn parts(cut: &Cut) -> String {
    let Shape::InParts(verdicts) = &cut.shape else {
        return "whole".to_owned();
    };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut judged = 0;
    for (range, verdict) in verdicts.iter() {
        let failed = match verdict {
            Verdict::Delivered => 0,
            Verdict::Failed(failure) => {
                *counts.entry(&failure.code).or_default() += range.count();
                range.count()
            }
            Verdict::AtRest { failed } => {
                *counts.entry("filed").or_default() += failed;
                *failed
            }
        };
        *counts.entry("delivered").or_default() += range.count().saturating_sub(failed);
        judged += range.count();
    }
    counts.retain(|_, count| *count != 0);
    let counts = counts.iter().map(|(what, count)| format!("{count} {what}"));
    let left = format!("{} left", cut.records.saturating_sub(judged));
    counts.chain([left]).collect::<Vec<_>>().join(", ")
}

fn verdict_name(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Failed(failure) => &failure.code,
        Verdict::AtRest { .. } => "at rest",
    }
}

fn cut_document((reader, cut): &(ReaderKind, Cut)) -> Value {
    let ranges: Vec<_> = cut.ranges.iter().map(ToString::to_string).collect();
    let mut document = json!({
        "id": cut.id.0,
        "reader": reader.as_str(),
        "ranges": ranges,
        "records": cut.records,
        "bytes": cut.bytes,
    });
    if let Shape::InParts(verdicts) = &cut.shape {
        let part = |(range, verdict): &(SeqRange, Verdict)| json!({ "range": range.to_string(), "verdict": verdict_name(verdict) });
        document["parts"] = verdicts.iter().map(part).collect();
    }
    document
}

fn records(count: u64, bytes: u64) -> String {
    format!("{count} ({})", ByteSize::bytes(bytes))
}

fn contents_document(contents: &Contents) -> Value {
    json!({
        "version": 1,
        "free_segments": contents.free_segments,
        "log": contents.log.as_ref().map(log_document),
    })
}

fn log_document(log: &Log) -> Value {
    let streams = log.streams.iter().map(|stream| {
        let totals = &stream.totals;
        let waiting = stream.waiting.iter().map(|(reader, waiting)| {
            let Waiting { records, bytes } = waiting;
            let document = json!({ "records": records, "bytes": bytes });
            (reader.as_str().to_owned(), document)
        });
        let cuts = stream.open_cuts.iter().map(cut_document);
        json!({
            "name": stream.facts.name.as_str(),
            "version": stream.facts.version,
            "accepted": totals.accepted,
            "accepted_bytes": totals.accepted_bytes,
            "delivered": totals.delivered,
            "failed": totals.failed,
            "dropped": totals.dropped,
            "expired": totals.expired,
            "quarantined": totals.quarantined,
            "buffered": totals.buffered,
            "buffered_bytes": totals.buffered_bytes,
            "waiting": waiting.collect::<serde_json::Map<_, _>>(),
            "unproven": stream.unproven.records,
            "unproven_bytes": stream.unproven.bytes,
            "open_cuts": cuts.collect::<Vec<_>>(),
        })
    });
    let segments = log.segments.iter().map(|segment| {
        json!({
            "id": segment.id,
            "name": segment.name,
            "bytes": segment.bytes,
            "unproven_bytes": segment.unproven_bytes,
        })
    });
    json!({
        "directory": log.directory.to_string(),
        "life": log.lives,
        "streams": streams.collect::<Vec<_>>(),
        "segments": segments.collect::<Vec<_>>(),
    })
}

fn report_text(report: &Report) -> String {
    let Report {
        segments,
        frames,
        bytes,
        unproven_frames,
        torn,
        damage,
    } = report;
    let mut out = format!("{segments} segments, {frames} frames, {bytes} bytes read\n");
    if 0 < *unproven_frames {
        let what = "frames, which a start after a crash writes again";
        writeln!(out, "not yet proven durable: {unproven_frames} {what}")
            .expect("a text takes all");
    }
    if let Some((segment, offset)) = torn {
        let what = "as a crash leaves what was not acknowledged";
        writeln!(out, "torn: {segment}, from {offset} on, {what}").expect("a text takes all");
    }
    if damage.is_empty() {
        out.push_str("sound\n");
    }
    for damage in damage {
        let Damage {
            segment,
            offset,
            bytes,
            cause,
            records,
        } = damage;
        let whose = match (records, cause) {
            (Some((stream, range)), _) => format!("records {range} of `{stream}`"),
            (None, Cause::Head) => "the segment's head".to_owned(),
            (None, Cause::Changed | Cause::Unreadable | Cause::Missing) => {
                "nobody can tell whose records".to_owned()
            }
        };
        let state = match cause {
            Cause::Changed | Cause::Head => "damaged",
            Cause::Unreadable => "unreadable",
            Cause::Missing => "missing",
        };
        writeln!(
            out,
            "{state}: {segment}, {bytes} bytes at {offset}: {whose}"
        )
        .expect("a text takes all");
    }
    out
}

fn report_document(report: &Report) -> Value {
    let damage = report.damage.iter().map(|damage| {
        let records = damage.records.as_ref();
        json!({
            "segment": damage.segment,
            "offset": damage.offset,
            "bytes": damage.bytes,
            "cause": match damage.cause {
                Cause::Changed => "changed",
                Cause::Unreadable => "unreadable",
                Cause::Missing => "missing",
                Cause::Head => "head",
            },
            "stream": records.map(|(stream, _)| stream.as_str()),
            "records": records.map(|(_, range)| range.to_string()),
        })
    });
    let torn = report.torn.as_ref();
    json!({
        "version": 1,
        "sound": report.damage.is_empty(),
        "segments": report.segments,
        "frames": report.frames,
        "bytes": report.bytes,
        "unproven_frames": report.unproven_frames,
        "torn": torn.map(|(segment, offset)| json!({ "segment": segment, "offset": offset })),
        "damage": damage.collect::<Vec<_>>(),
    })
}
