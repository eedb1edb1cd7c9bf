//! One function for each noteworthy event, one file a stage: the log line and the counter together.
//!
//! Fields come from one list: `stream range records bytes attempt took error`, and a few that only
//! one event has. `info`: an operator would want it once; `warn`: we are coping; `error`: someone
//! must act. Durations are numbers of seconds, so that they can be compared and added up.

use std::time::Duration;

pub mod buffer;
pub mod daemon;
pub mod delivery;
pub mod put;
pub mod transform;

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
