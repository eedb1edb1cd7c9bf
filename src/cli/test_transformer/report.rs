//! What a trial found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::telemetry::Chain;
use crate::transform::{Fault, Probed, Remedy, Trouble, Verdict};

#[derive(Debug, Default)]
pub struct Finding {
    pub trial: String,
    pub records: usize,
    ok: usize,
    dropped: usize,
    /// By the function's own word.
    failed: usize,
    took: Duration,
    wrong: Vec<Wrong>,
    notes: Vec<String>,
}

/// A way in which the contract was broken.
#[derive(Debug)]
struct Wrong {
    code: &'static str,
    what: String,
    /// Counted from 1; empty where it is about all of them.
    records: Vec<usize>,
    /// What the function itself said.
    told: Option<String>,
}

/// So many records are named one by one.
const RECORDS_NAMED_MAX: usize = 3;

impl Finding {
    pub fn of(
        trial: &str,
        records: usize,
        took: Duration,
        probed: Result<Probed, Trouble>,
    ) -> Finding {
        let mut finding = Finding {
            trial: trial.to_owned(),
            records,
            took,
            ..Finding::default()
        };
        match probed {
            Ok(probed) => finding.judge(probed),
            Err(trouble) => finding.blame(&trouble),
        }
        finding
    }

    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    fn judge(&mut self, probed: Probed) {
        let mut faults: BTreeMap<Fault, Vec<usize>> = BTreeMap::new();
        for (n, verdict) in probed.verdicts.iter().enumerate() {
            match verdict {
                Verdict::Ok(_) => self.ok += 1,
                Verdict::Dropped => self.dropped += 1,
                Verdict::Faulty(Fault::ProcessingFailed) => self.failed += 1,
                Verdict::Faulty(fault) => faults.entry(*fault).or_default().push(n + 1),
            }
        }
        let wrong = faults.into_iter().map(|(fault, records)| Wrong {
            code: fault.code(),
            what: fault.message().to_owned(),
            records,
            told: None,
        });
        self.wrong.extend(wrong);
        if 0 < probed.strangers {
            let count = probed.strangers;
            let note = format!("{count} in the answer have no record id that was asked for");
            self.notes.push(note);
        }
        let unseen = self.records - probed.verdicts.len();
        if 0 < unseen {
            let note = format!("{unseen} records did not fit into the request and were not shown");
            self.notes.push(note);
        }
    }

    fn blame(&mut self, trouble: &Trouble) {
        let what = Chain(trouble).to_string();
        if trouble.remedy == Remedy::Halve && 1 < self.records {
            let note = format!("{what}: Standpipe will show fewer records at once");
            self.notes.push(note);
            return;
        }
        self.wrong.push(Wrong {
            code: trouble.code.code(),
            what,
            records: Vec::new(),
            told: trouble.told.clone(),
        });
    }

    pub fn document(&self) -> Value {
        let wrong = self.wrong.iter().map(|wrong| {
            json!({
                "code": wrong.code,
                "what": wrong.what,
                "records": wrong.records,
                "told": wrong.told,
            })
        });
        json!({
            "trial": self.trial,
            "good": self.is_good(),
            "records": self.records,
            "ok": self.ok,
            "dropped": self.dropped,
            "failed": self.failed,
            "took_seconds": self.took.as_secs_f64(),
            "wrong": wrong.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

/// Lines, the last without its end.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_good() { "good " } else { "WRONG" };
        write!(f, "  {verdict}  {}", self.trial)?;
        let counts = [
            (self.ok, "ok"),
            (self.dropped, "dropped"),
            (self.failed, "failed as the function says"),
        ];
        let counts = counts.iter().filter(|(count, _)| 0 < *count);
        let counts: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if !counts.is_empty() {
            write!(f, ": {}", counts.join(", "))?;
        }
        write!(f, " ({:.3} s)", self.took.as_secs_f64())?;
        for wrong in &self.wrong {
            write!(
                f,
                "\n         {}{}: {}",
                named(&wrong.records),
                wrong.code,
                wrong.what
            )?;
            if let Some(told) = &wrong.told {
                write!(f, "\n         it said: {told}")?;
            }
        }
        for note in &self.notes {
            write!(f, "\n         note: {note}")?;
        }
        Ok(())
    }
}

/// `records 1, 2, 3 and 97 more: `
fn named(records: &[usize]) -> String {
    let names = records.iter().take(RECORDS_NAMED_MAX);
    let names: Vec<_> = names.map(ToString::to_string).collect();
    let plural = if records.len() == 1 { "" } else { "s" };
    match records.len() {
        0 => String::new(),
        count if count <= RECORDS_NAMED_MAX => format!("record{plural} {}: ", names.join(", ")),
        count => {
            let more = count - RECORDS_NAMED_MAX;
            format!("records {} and {more} more: ", names.join(", "))
        }
    }
}
