//! What happened in a run, as one number: the same seed twice must give it twice.
//!
//! `TRACE=1` also prints every line, which is how one reads a seed that fell.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Arguments;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// Cheap to clone; all clones write the same trace.
#[derive(Clone)]
pub struct Trace {
    start: Instant,
    printed: bool,
    // Not a HashMap's hasher: `DefaultHasher::new` has fixed keys.
    hasher: Arc<Mutex<DefaultHasher>>,
}

impl Trace {
    pub fn starting_now() -> Trace {
        Trace {
            start: Instant::now(),
            printed: std::env::var_os("TRACE").is_some(),
            hasher: Arc::default(),
        }
    }

    /// Simulated time since the run began.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn note(&self, line: Arguments<'_>) {
        let line = format!("{:>12.3} {line}", self.now().as_secs_f64());
        if self.printed {
            eprintln!("{line}");
        }
        line.hash(&mut *self.hasher.lock().unwrap());
    }

    pub fn hash(&self) -> u64 {
        self.hasher.lock().unwrap().finish()
    }
}
