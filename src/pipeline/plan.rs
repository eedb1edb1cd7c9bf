//! What a cut's plan says: how to deliver the batch, and what the objects with its failures will be
//! called.
//!
//! ```text
//! {"v":1, …}                                            the sink's own words
//! {"v":1,"keys":{"processing-failed":"…"}}              if anything of it may fail
//! ```
//!
//! Each is JSON on a line of its own. It stands in the log and may be read by a later, or an earlier,
//! Standpipe than the one that wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::route::{Destination, Route};
use crate::model::{Compression, ErrorOutput, ReaderKind};
use crate::objects::Refusal;
use crate::objects::key::KeyFacts;
use crate::sink::{self, BatchFacts, Plan};

const VERSION: u32 = 1;

/// What failed of a batch, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPlan {
    v: u32,
    keys: BTreeMap<String, String>,
}

impl FailedPlan {
    pub fn key(&self, error: ErrorOutput) -> Option<&str> {
        self.keys.get(error.as_str()).map(String::as_str)
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.keys.values()
    }
}

/// For a batch that is about to be cut.
pub fn compose(route: &Route, facts: &BatchFacts) -> Vec<u8> {
    compose_anew(route, facts, &FailedPlan::default())
}

/// For one that was cut for another destination, with what was said then of its failures: where some
/// of them go today as they did then, they go under the same name (D3).
pub fn compose_anew(route: &Route, facts: &BatchFacts, before: &FailedPlan) -> Vec<u8> {
    let Plan(mut plan) = match &route.destination {
        Destination::Objects(sink) => sink.plan(facts),
        Destination::Requests(endpoint) => endpoint.plan(facts),
    };
    let errors = may_fail(route);
    if errors.is_empty() {
        return plan;
    }
    let key_facts = KeyFacts {
        directory: facts.directory,
        stream: &facts.stream,
        version: facts.version,
        range: facts.range,
        reader: facts.reader,
        first_arrival: facts.first_arrival,
        compression: Compression::Uncompressed,
    };
    let key = |error: ErrorOutput| {
        let anew = || route.failed.keys.failed_key(&key_facts, error);
        let key = before.key(error).map_or_else(anew, str::to_owned);
        (error.as_str().to_owned(), key)
    };
    let failed = FailedPlan {
        v: VERSION,
        keys: errors.into_iter().map(key).collect(),
    };
    plan.push(b'\n');
    serde_json::to_writer(&mut plan, &failed).expect("a plan is plain JSON");
    plan
}

/// In which ways records of such a batch may fail.
fn may_fail(route: &Route) -> Vec<ErrorOutput> {
    let processing = match route.reader {
        ReaderKind::Answers => Some(ErrorOutput::Processing),
        ReaderKind::Arrivals | ReaderKind::Backup => None,
    };
    let delivery = match &route.destination {
        Destination::Objects(_) => None,
        Destination::Requests(endpoint) => Some(endpoint.error_output()),
    };
    processing.into_iter().chain(delivery).collect()
}

/// The sink's part of a plan.
pub fn of_sink(plan: &[u8]) -> Plan {
    let line = plan.split(|&byte| byte == b'\n').next();
    Plan(line.unwrap_or_default().to_vec())
}

/// The failed output's part of a plan; `None` where nothing of it can fail.
pub fn of_failed(plan: &[u8]) -> Result<Option<FailedPlan>, Refusal> {
    let Some(line) = plan.split(|&byte| byte == b'\n').nth(1) else {
        return Ok(None);
    };
    sink::plan::read_of_failures(line, VERSION).map(Some)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A cut's plan; the answer is the sink's part of it, and where failures go.
    #[track_caller]
    fn check(plan: &str, expected: Expect) {
        let Plan(sink) = of_sink(plan.as_bytes());
        let sink = String::from_utf8(sink).unwrap();
        let failed = match of_failed(plan.as_bytes()) {
            Ok(None) => "nothing fails".to_owned(),
            Ok(Some(failed)) => {
                let of = |error| failed.key(error).unwrap_or("-").to_owned();
                let keys = [ErrorOutput::Processing, ErrorOutput::Splunk].map(of);
                keys.join(", ")
            }
            Err(refusal) => refusal.code,
        };
        expected.assert_eq(&format!("{sink} / {failed}"));
    }

    #[test]
    fn a_cuts_plan_is_the_sinks_and_behind_it_where_failures_go() {
        check(r#"{"v":1}"#, expect![[r#"{"v":1} / nothing fails"#]]);
        check(
            "{\"v\":1}\n{\"v\":1,\"keys\":{\"splunk-failed\":\"a/b\"}}",
            expect![[r#"{"v":1} / -, a/b"#]],
        );
        check("{}\n{\"v\":2,\"keys\":{}}", expect!["{} / Plan.Version"]);
        check("{}\noops", expect!["{} / Plan.Damaged"]);
        check("", expect![" / nothing fails"]);
    }
}
