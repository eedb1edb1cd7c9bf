//! Wall time. Monotonic time is tokio's `Instant`, which a test can pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::Timestamp;

/// Says what the wall clock says. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Runs with tokio's (paused) time from a chosen start; `skew` in milliseconds makes it jump.
    Simulated {
        origin: Instant,
        start: Timestamp,
        skew: Arc<AtomicI64>,
    },
}

impl Clock {
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    pub fn simulated(start: Timestamp) -> Clock {
        let skew = Arc::new(AtomicI64::new(0));
        Clock(Source::Simulated {
            origin: Instant::now(),
            start,
            skew,
        })
    }

    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.unwrap_or(Duration::ZERO).as_millis() as u64
            }
            Source::Simulated {
                origin,
                start,
                skew,
            } => {
                let passed = start.as_millis() + origin.elapsed().as_millis() as u64;
                passed.saturating_add_signed(skew.load(Ordering::Relaxed))
            }
        };
        Timestamp::from_millis(millis)
    }

    /// Makes a simulated clock jump, back or forth. The system's clock cannot be moved.
    pub fn jump(&self, millis: i64) {
        if let Source::Simulated { skew, .. } = &self.0 {
            skew.fetch_add(millis, Ordering::Relaxed);
        }
    }
}
