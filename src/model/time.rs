//! Two of the three clocks: wall time labels, log time ages. The third, monotonic time, is tokio's
//! `Instant`.

use std::fmt;
use std::time::Duration;

/// Wall time in milliseconds since 1970. It labels records and objects and decides nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis)
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The log clock in milliseconds: monotonic time added up in frames while the daemon runs, so that
/// neither downtime nor a jump of the wall clock makes anything older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime(u64);

impl LogTime {
    pub const fn from_millis(millis: u64) -> LogTime {
        LogTime(millis)
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub fn plus(self, duration: Duration) -> LogTime {
        LogTime(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: LogTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
