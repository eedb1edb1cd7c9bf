//! When a batch is big or old enough: hints, with Firehose's ranges and its wording of the reason.

use std::time::Duration;

use super::kind::{BOOL, DURATION, SIZE};
use super::place::Place;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use crate::model::limits::{
    FIREHOSE_BUFFER_INTERVAL_DEFAULT, FIREHOSE_BUFFER_INTERVAL_MAX, FIREHOSE_BUFFER_INTERVAL_MIN,
    FIREHOSE_S3_BUFFER_SIZE_DEFAULT, FIREHOSE_S3_BUFFER_SIZE_MAX, FIREHOSE_S3_BUFFER_SIZE_MIN,
};
use crate::model::{BufferingHints, ByteSize};

pub static ALL: [&Keys; 2] = [&DEFAULTS, &BUFFERING];
static DEFAULTS: Keys = Keys {
    known: &["buffering"],
    later: &[],
};
static BUFFERING: Keys = Keys {
    known: &["size", "interval", "low_latency"],
    later: &["grow_to"],
};

/// What stands in one `buffering` block, or nowhere.
#[derive(Clone, Debug, Default)]
pub struct Written {
    size: Option<(ByteSize, Place)>,
    interval: Option<(Duration, Place)>,
    low_latency: Option<(bool, Place)>,
}

/// `defaults.buffering`, under every stream that does not say otherwise.
pub fn defaults(root: &Block<'_>) -> Result<Written, Told> {
    let block = root.block("defaults", &DEFAULTS)?;
    let Some(block) = block.block_if_given("buffering", &BUFFERING)? else {
        return Ok(Written::default());
    };
    let written = written(&block)?;
    check_interval(&block, &written)?;
    Ok(written)
}

/// A stream's own `buffering`, over the defaults, over Firehose's.
pub fn of_stream(
    stream: &Block<'_>,
    defaults: &Result<Written, Told>,
) -> Result<BufferingHints, Told> {
    let block = stream.block("buffering", &BUFFERING)?;
    let own = written(&block)?;
    let defaults = defaults.clone()?;
    let written = Written {
        size: own.size.or(defaults.size),
        interval: own.interval.or(defaults.interval),
        low_latency: own.low_latency.or(defaults.low_latency),
    };
    check_interval(&block, &written)?;
    let or = Place::default_value;
    let (size, place) = written
        .size
        .unwrap_or_else(|| (FIREHOSE_S3_BUFFER_SIZE_DEFAULT, or()));
    block.reading.say(&place, &block.at("size"), size);
    let (interval, place) = written
        .interval
        .unwrap_or_else(|| (FIREHOSE_BUFFER_INTERVAL_DEFAULT, or()));
    block
        .reading
        .say(&place, &block.at("interval"), (DURATION.show)(&interval));
    Ok(BufferingHints { size, interval })
}

fn written(block: &Block<'_>) -> Result<Written, Told> {
    let size = block.peek("size", &SIZE).and_then(|size| {
        size.as_ref()
            .map_or(Ok(()), |(size, _)| check_size(block, *size))?;
        Ok(size)
    });
    let interval = block.peek("interval", &DURATION);
    let low_latency = block.peek("low_latency", &BOOL);
    Ok(Written {
        size: size?,
        interval: interval?,
        low_latency: low_latency?,
    })
}

fn check_size(block: &Block<'_>, size: ByteSize) -> Result<(), Told> {
    let mebibytes = |size: ByteSize| size.get() >> 20;
    let reason = if size < FIREHOSE_S3_BUFFER_SIZE_MIN {
        at_least(mebibytes(FIREHOSE_S3_BUFFER_SIZE_MIN))
    } else if FIREHOSE_S3_BUFFER_SIZE_MAX < size {
        at_most(mebibytes(FIREHOSE_S3_BUFFER_SIZE_MAX))
    } else if !size.get().is_multiple_of(1 << 20) {
        "Member must be a whole number".to_owned()
    } else {
        return Ok(());
    };
    let wrong = Wrong::new(format!("`{size}` failed to satisfy constraint: {reason}"));
    Err(block.wrong("size", wrong.hint("1MiB to 128MiB, in whole MiB")))
}

/// Checked where the interval stands, be that under `defaults`.
fn check_interval(block: &Block<'_>, written: &Written) -> Result<(), Told> {
    let Some((interval, place)) = &written.interval else {
        return Ok(());
    };
    let is_low = matches!(written.low_latency, Some((true, _)));
    let least = if is_low {
        Duration::ZERO
    } else {
        FIREHOSE_BUFFER_INTERVAL_MIN
    };
    let (reason, hint) = if *interval < least {
        let hint =
            "60s to 900s; `low_latency: true` beside it allows 0s to 59s: many small objects";
        (at_least(least.as_secs()), hint)
    } else if FIREHOSE_BUFFER_INTERVAL_MAX < *interval {
        let hint = if is_low { "0s to 900s" } else { "60s to 900s" };
        (at_most(FIREHOSE_BUFFER_INTERVAL_MAX.as_secs()), hint)
    } else if interval.subsec_nanos() != 0 {
        (
            "Member must be a whole number".to_owned(),
            "in whole seconds",
        )
    } else {
        return Ok(());
    };
    let shown = (DURATION.show)(interval);
    let wrong = Wrong::new(format!("`{shown}` failed to satisfy constraint: {reason}"));
    Err(block
        .reading
        .wrong(place, &block.at("interval"), wrong.hint(hint)))
}

fn at_least(number: u64) -> String {
    format!("Member must have value greater than or equal to {number}")
}

fn at_most(number: u64) -> String {
    format!("Member must have value less than or equal to {number}")
}
