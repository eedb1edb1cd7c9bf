//! What the daemon tells about itself: log lines and metrics.
//!
//! `happened` has one function for each noteworthy event, which writes the line and counts, so that
//! neither can be forgotten. No record's bytes are ever in either.

pub mod happened;
pub mod logging;
pub mod metrics;

mod chain;
mod repetition;

pub use chain::Chain;
pub use metrics::Metrics;
pub use repetition::{Repetition, Say};
