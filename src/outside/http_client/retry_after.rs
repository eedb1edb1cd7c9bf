//! How long a server asks to be left alone.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::model::Timestamp;

/// What the headers of an answer ask for; `None` where they ask for nothing.
pub fn asked_to_wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// From the value of a `Retry-After` header: a count of seconds, or a date. `None` where it is
/// neither; zero for a date that has passed.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let millis = u64::try_from(date.timestamp().as_millisecond()).unwrap_or(0);
    let left = millis.saturating_sub(now.as_millis());
    Some(Duration::from_millis(left))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Expect) {
        // 2026-03-14T09:26:53Z
        let now = Timestamp::from_millis(1_773_480_413_000);
        expected.assert_eq(&format!("{:?}", retry_after(value, now)));
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        check("120", expect!["Some(120s)"]);
        check(" 0 ", expect!["Some(0ns)"]);
        check("Sat, 14 Mar 2026 09:27:53 GMT", expect!["Some(60s)"]);
        check("Sat, 14 Mar 2026 09:26:00 GMT", expect!["Some(0ns)"]);
        check("soon", expect!["None"]);
        check("-5", expect!["None"]);
        check("1.5", expect!["None"]);
    }
}
