//! The only place that knows everyone: open, bind, spawn, watch, drain.
//!
//! ```text
//!   open:   log ─► streams: sinks, pipelines, direct put      (nothing runs yet)
//!   run:    committer, pipelines, listeners                   until somebody wishes to stop
//!   drain:  listeners ─► pipelines ─► the log's last word     within the deadline
//! ```
//!
//! A stop is a slow crash: whatever is not finished at the deadline is given up, and the next life
//! reads the log and goes on.

mod following;
mod open;
mod run;
pub mod signals;
mod start_up;
mod streams;

pub use open::{Daemon, Doors, OpenError};
pub use run::{Outcome, Sockets, Wish};
pub use start_up::{StartError, start};
