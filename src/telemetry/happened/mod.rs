//! One function for each noteworthy event, one file a stage: the log line and the counter together.
//!
//! Fields come from one list: `stream range records bytes attempt took error`, and a few that only
//! one event has. `info`: an operator would want it once; `warn`: we are coping; `error`: someone
//! must act.

pub mod buffer;
pub mod daemon;
pub mod delivery;
pub mod put;
