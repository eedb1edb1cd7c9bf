//! `standpipe check`: what the configuration comes to, without touching anything.

use std::fmt::Write;

use clap::Args;
use serde_json::json;

use super::{Configuration, Exit, Failure};
use crate::config::{Destination, Loaded, Problem, Problems, Stream};
use crate::model::{Compression, DirectoryId, ErrorOutput, ReaderKind, Seq, SeqRange, StreamName};
use crate::objects::Place;
use crate::objects::key::KeyFacts;
use crate::outside::{Clock, Surroundings};

const HELP: &str = "\
Examples:
  standpipe check
  standpipe check -c /etc/standpipe/conf.d
  STANDPIPE_STORAGE__MAX_SIZE=50GiB standpipe check --json

Exit codes: 0 good, 64 bad command line, 78 bad configuration";

/// Checks the configuration, and prints what was understood.
///
/// Every value is shown with the place where it was written (or `default`), every stream with
/// examples of its objects' keys: delivered, failed, copied. All problems are told at once. Reads files, and touches nothing else:
/// no port is bound, no server asked, no folder made.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Check {
    #[command(flatten)]
    configuration: Configuration,

    /// Prints one JSON document, problems included.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(&self, surroundings: &Surroundings) -> Result<Exit, Failure> {
        let loaded = self.configuration.load(surroundings);
        match (loaded, self.json) {
            (Ok(loaded), false) => super::print(text(&loaded)),
            (Ok(loaded), true) => super::print(format_args!("{:#}\n", document(&loaded))),
            (Err(problems), false) => return Err(problems.into()),
            (Err(problems), true) => {
                super::print(format_args!("{:#}\n", problem_document(&problems)));
                return Ok(Exit::BadConfiguration);
            }
        }
        Ok(Exit::Stopped)
    }
}

fn text(loaded: &Loaded) -> String {
    let files = loaded.files.iter().map(|path| path.display().to_string());
    let files: Vec<String> = files.collect();
    let mut out = format!("{}: good\n", files.join(", "));
    let rows = loaded.said.iter().map(|said| {
        let place = said.place.to_string();
        [said.path.clone(), said.value.clone(), place]
    });
    out.push('\n');
    table(&rows.collect::<Vec<_>>(), &mut out);
    out.push_str("\nobjects, for example\n");
    let examples = loaded.settings.streams.iter().flat_map(Example::of);
    let rows = examples.map(|example| {
        let what = match example.what {
            What::Delivered => "",
            What::Failed(kind) => kind.as_str(),
            What::Copied => "source_backup",
        };
        [example.stream.to_string(), example.url(), what.to_owned()]
    });
    table(&rows.collect::<Vec<_>>(), &mut out);
    if !loaded.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &loaded.warnings {
        let place = warning.place.as_ref().map(ToString::to_string);
        let place = place.unwrap_or_default();
        let Problem { path, wrong, .. } = warning;
        writeln!(out, "warning: {place}  {path}: {}", wrong.what).expect("a text takes all");
        if let Some(hint) = &wrong.hint {
            writeln!(out, "  hint: {hint}").expect("a text takes all");
        }
    }
    out
}

/// Rows with their columns below one another.
pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], out: &mut String) {
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    });
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "  {cell:width$}").expect("a text takes all");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// An object as it would be called whose first record arrives now. What only the data directory
/// knows is zero.
struct Example<'a> {
    stream: &'a StreamName,
    what: What,
    /// Of its place.
    place: String,
    key: String,
}

enum What {
    Delivered,
    Failed(ErrorOutput),
    Copied,
}

impl Example<'_> {
    fn of(stream: &Stream) -> Vec<Example<'_>> {
        let mut examples = Vec::new();
        let mut add = |what, place: &Place, key| {
            examples.push(Example {
                stream: &stream.name,
                what,
                place: place.url(),
                key,
            });
        };
        let facts = |reader, compression| KeyFacts {
            directory: DirectoryId(0),
            stream: &stream.name,
            version: stream.description.version,
            range: SeqRange::new(Seq::new(0), Seq::new(1)),
            reader,
            first_arrival: Clock::system().now(),
            compression,
        };
        let reader = match &stream.transform {
            None => ReaderKind::Arrivals,
            Some(_) => ReaderKind::Answers,
        };
        let mut failures = Vec::new();
        if stream.transform.is_some() {
            failures.push(ErrorOutput::Processing);
        }
        match &stream.destination {
            Destination::Objects(sink) => {
                let key = sink.keys.object_key(&facts(reader, sink.compression));
                add(What::Delivered, &sink.place, key);
            }
            Destination::HttpEndpoint { .. } => failures.push(ErrorOutput::HttpEndpoint),
            Destination::Splunk { .. } => failures.push(ErrorOutput::Splunk),
        }
        for kind in failures {
            let facts = facts(reader, Compression::Uncompressed);
            let key = stream.failed.keys.failed_key(&facts, kind);
            add(What::Failed(kind), &stream.failed.place, key);
        }
        if let Some(backup) = &stream.backup {
            let facts = facts(ReaderKind::Backup, backup.sink.compression);
            add(
                What::Copied,
                &backup.sink.place,
                backup.sink.keys.object_key(&facts),
            );
        }
        examples
    }

    fn url(&self) -> String {
        let separator = if self.place.ends_with('/') { "" } else { "/" };
        format!("{}{separator}{}", self.place, self.key)
    }
}

fn document(loaded: &Loaded) -> serde_json::Value {
    let values = loaded.said.iter().map(
        |said| json!({ "path": said.path, "value": said.value, "origin": said.place.to_string() }),
    );
    let streams = loaded.settings.streams.iter().map(stream_document);
    json!({
        "version": 1,
        "good": true,
        "files": loaded.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "values": values.collect::<Vec<_>>(),
        "streams": streams.collect::<Vec<_>>(),
        "warnings": loaded.warnings.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn stream_document(stream: &Stream) -> serde_json::Value {
    let mut document = json!({
        "name": stream.name.as_str(),
        "destination": stream.description.destination.url(),
    });
    for example in Example::of(stream) {
        match example.what {
            What::Delivered => document["example_key"] = json!(example.key),
            What::Failed(kind) => document["failed"][kind.as_str()] = json!(example.url()),
            What::Copied => document["source_backup"] = json!(example.url()),
        }
    }
    document
}

fn problem_document(problems: &Problems) -> serde_json::Value {
    json!({
        "version": 1,
        "good": false,
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn problem(problem: &Problem) -> serde_json::Value {
    json!({
        "place": problem.place.as_ref().map(ToString::to_string),
        "path": problem.path,
        "what": problem.wrong.what,
        "hint": problem.wrong.hint,
    })
}
