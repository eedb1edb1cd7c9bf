//! Reading back what was planned: plans stand in the log, and may have been written by a later, or an
//! earlier, Standpipe, or for a destination that the stream no longer has.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Plan;
use crate::objects::Refusal;

/// What every version's plan says.
#[derive(Deserialize)]
struct Kind {
    v: u32,
    /// The first plans had only one kind of sink, and did not say which.
    #[serde(default = "objects")]
    sink: String,
}

pub const OBJECTS: &str = "objects";

fn objects() -> String {
    OBJECTS.to_owned()
}

/// A plan of this sink in this version of its plans.
pub fn read<T: DeserializeOwned>(
    Plan(plan): &Plan,
    sink: &str,
    version: u32,
) -> Result<T, Refusal> {
    let kind: Kind = serde_json::from_slice(plan).map_err(damaged)?;
    if kind.sink != sink {
        return Err(another(&kind.sink));
    }
    check_version(kind.v, version)?;
    serde_json::from_slice(plan).map_err(damaged)
}

/// Which sink a plan is for.
pub fn sink_of(Plan(plan): &Plan) -> Result<String, Refusal> {
    let kind: Result<Kind, _> = serde_json::from_slice(plan);
    kind.map(|kind| kind.sink).map_err(damaged)
}

/// Where the failures of a batch go, in this version of it.
pub fn read_of_failures<T: DeserializeOwned>(plan: &[u8], version: u32) -> Result<T, Refusal> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let versioned: Versioned = serde_json::from_slice(plan).map_err(damaged)?;
    check_version(versioned.v, version)?;
    serde_json::from_slice(plan).map_err(damaged)
}

/// A batch has failures that nobody expected when it was cut.
pub fn without_failures() -> Refusal {
    let what = "the cut of this batch does not say where its failures go: the log is damaged";
    held("Plan.Damaged", what.to_owned())
}

fn check_version(planned: u32, version: u32) -> Result<(), Refusal> {
    if planned == version {
        return Ok(());
    }
    let what = format!(
        "this batch was cut by another Standpipe, whose plans have version {planned} and not \
         {version}: run that one until it is delivered"
    );
    Err(held("Plan.Version", what))
}

fn another(sink: &str) -> Refusal {
    let what = format!("this batch is planned for another destination, `{sink}`");
    held("Plan.Destination", what)
}

fn damaged(cause: serde_json::Error) -> Refusal {
    let what = "failed to read what was planned for this batch: its cut in the log is damaged";
    Refusal {
        cause: Some(Box::new(cause)),
        ..held("Plan.Damaged", what.to_owned())
    }
}

/// Only an operator can help.
fn held(code: &str, what: String) -> Refusal {
    Refusal {
        code: code.to_owned(),
        what,
        cause: None,
        retry_after: None,
        needs_operator: true,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Deserialize)]
    struct Planned {
        size: u64,
    }

    fn told(read: Result<Planned, Refusal>) -> String {
        match read {
            Ok(Planned { size }) => format!("size {size}"),
            Err(Refusal {
                code,
                what,
                needs_operator,
                ..
            }) => {
                assert!(needs_operator);
                format!("{code}: {what}")
            }
        }
    }

    #[track_caller]
    fn check(plan: &str, expected: Expect) {
        let plan = Plan(plan.as_bytes().to_vec());
        expected.assert_eq(&told(read::<Planned>(&plan, "splunk", 2)));
    }

    #[test]
    fn a_plan_is_read_by_the_sink_and_the_version_that_wrote_it() {
        check(r#"{"v":2,"sink":"splunk","size":7}"#, expect!["size 7"]);
        check(
            r#"{"v":3,"sink":"splunk","size":7}"#,
            expect![
                "Plan.Version: this batch was cut by another Standpipe, whose plans have version 3 and not 2: run that one until it is delivered"
            ],
        );
        check(
            r#"{"v":2,"sink":"http_endpoint","size":7}"#,
            expect![
                "Plan.Destination: this batch is planned for another destination, `http_endpoint`"
            ],
        );
        check(
            r#"{"v":2,"size":7}"#,
            expect!["Plan.Destination: this batch is planned for another destination, `objects`"],
        );
        check(
            r#"{"v":2,"sink":"splunk"}"#,
            expect![
                "Plan.Damaged: failed to read what was planned for this batch: its cut in the log is damaged"
            ],
        );
        check(
            "oops",
            expect![
                "Plan.Damaged: failed to read what was planned for this batch: its cut in the log is damaged"
            ],
        );
    }

    #[test]
    fn a_plan_says_for_which_sink_it_is_whatever_its_version() {
        let sink_of = |plan: &str| sink_of(&Plan(plan.as_bytes().to_vec()));
        assert_eq!(sink_of(r#"{"v":9,"sink":"splunk"}"#).unwrap(), "splunk");
        assert_eq!(sink_of(r#"{"v":1}"#).unwrap(), "objects");
        assert_eq!(sink_of("oops").unwrap_err().code, "Plan.Damaged");
    }

    #[test]
    fn where_failures_go_has_versions_of_its_own() {
        let read = |plan: &str| told(read_of_failures::<Planned>(plan.as_bytes(), 1));
        expect!["size 7"].assert_eq(&read(r#"{"v":1,"size":7}"#));
        expect!["Plan.Version: this batch was cut by another Standpipe, whose plans have version 2 and not 1: run that one until it is delivered"].assert_eq(&read(r#"{"v":2,"size":7}"#));
        expect!["Plan.Damaged: failed to read what was planned for this batch: its cut in the log is damaged"].assert_eq(&read(r#"{"v":1}"#));
        expect!["Plan.Damaged: the cut of this batch does not say where its failures go: the log is damaged"].assert_eq(&told(Err(without_failures())));
    }
}
