//! One stream from its durable tail to rest: the flusher decides, deliveries carry.

pub mod progress;

use std::time::Duration;

use crate::model::BufferingHints;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub buffering: BufferingHints,
    /// How long a direct put is kept while it cannot be delivered.
    pub retention: Duration,
}
