//! Whether a listener still takes connections, so that `/healthz` can tell a socket that is served
//! from one that merely exists.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// How often a listener to which nobody comes says that it is there.
pub(super) const BEAT: Duration = Duration::from_secs(10);

/// One listener's; still until it is served. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    /// A connection was taken, or would have been if one had come.
    pub fn beat(&self) {
        *self.last() = Some(Instant::now());
    }

    /// The listener has ended as it was told to.
    pub fn stop(&self) {
        *self.last() = None;
    }

    /// How long the listener has not been able to take a connection, as far as is known: a healthy
    /// one is silent for as long as a beat takes. `None` while it is not served.
    pub fn silent_for(&self) -> Option<Duration> {
        let last = *self.last();
        last.map(|last| last.elapsed())
    }

    /// When the next beat is due.
    pub(super) fn due(&self) -> Instant {
        let last = *self.last();
        last.map_or_else(Instant::now, |last| last + BEAT)
    }

    fn last(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
