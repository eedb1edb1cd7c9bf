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

/// To the microsecond: more digits tell nobody anything.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_no_more_digits_than_a_reader_can_use() {
        let told = |nanoseconds| seconds(Duration::from_nanos(nanoseconds)).to_string();
        assert_eq!(told(1_217_722_999), "1.217723");
        assert_eq!(told(420), "0");
        assert_eq!(told(600), "0.000001");
        assert_eq!(told(86_400_000_000_001), "86400");
    }
}
