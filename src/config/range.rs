//! Numbers between two others, and what Firehose says of those that are not.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::kind::{COUNT, DURATION};
use super::problem::Wrong;
use super::reading::{Block, Told};

/// The reason why not.
pub fn check<T: PartialOrd + Copy>(
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(T) -> u64,
) -> Result<(), String> {
    if value < *range.start() {
        let least = show(*range.start());
        return Err(format!(
            "Member must have value greater than or equal to {least}"
        ));
    }
    if *range.end() < value {
        let most = show(*range.end());
        return Err(format!(
            "Member must have value less than or equal to {most}"
        ));
    }
    Ok(())
}

pub const NOT_WHOLE: &str = "Member must be a whole number";

/// As Firehose refuses a value.
pub fn refused(value: &str, reason: &str) -> Wrong {
    Wrong::new(format!("`{value}` failed to satisfy constraint: {reason}"))
}

/// The reason why not.
pub fn check_seconds(value: Duration, range: &RangeInclusive<Duration>) -> Result<(), String> {
    let whole = match value.subsec_nanos() {
        0 => Ok(()),
        _ => Err(NOT_WHOLE.to_owned()),
    };
    check(value, range, |it| it.as_secs()).and(whole)
}

/// Whole seconds.
pub fn seconds(
    block: &Block<'_>,
    key: &str,
    range: RangeInclusive<Duration>,
    default: Duration,
) -> Result<Duration, Told> {
    let value = block.or(key, &DURATION, default)?;
    let (least, most) = (range.start().as_secs(), range.end().as_secs());
    match check_seconds(value, &range) {
        Ok(()) => Ok(value),
        Err(reason) => {
            let wrong = refused(&block.written(key), &reason);
            Err(block.wrong(key, wrong.hint(format!("{least}s to {most}s"))))
        }
    }
}

pub fn count(
    block: &Block<'_>,
    key: &str,
    range: RangeInclusive<u32>,
    default: u32,
) -> Result<u32, Told> {
    let value = block.or(key, &COUNT, default)?;
    match check(value, &range, u64::from) {
        Ok(()) => Ok(value),
        Err(reason) => {
            let wrong = refused(&block.written(key), &reason);
            let hint = format!("{} to {}", range.start(), range.end());
            Err(block.wrong(key, wrong.hint(hint)))
        }
    }
}
