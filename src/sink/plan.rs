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
        let what = format!(
            "this batch was cut for another destination: give the stream its `{}` back until it is \
             delivered",
            kind.sink
        );
        return Err(held("Plan.Destination", what));
    }
    if kind.v != version {
        let what = format!(
            "this batch was cut by another Standpipe, whose plans have version {} and not \
             {version}: run that one until it is delivered",
            kind.v
        );
        return Err(held("Plan.Version", what));
    }
    serde_json::from_slice(plan).map_err(damaged)
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
