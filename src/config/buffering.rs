//! When a batch is big or old enough: hints, with Firehose's ranges and its wording of the reason.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::kind::{BOOL, DURATION, Kind, SIZE};
use super::place::Place;
use super::problem::Wrong;
use super::range;
use super::reading::{Block, Keys, Told};
use crate::model::limits::{
    FIREHOSE_BUFFER_INTERVAL_DEFAULT, FIREHOSE_BUFFER_INTERVAL_MAX, FIREHOSE_BUFFER_INTERVAL_MIN,
    FIREHOSE_ENDPOINT_BUFFER_INTERVAL_DEFAULT, FIREHOSE_S3_BUFFER_SIZE_DEFAULT,
    FIREHOSE_S3_BUFFER_SIZE_MAX, FIREHOSE_S3_BUFFER_SIZE_MIN, FIREHOSE_SPLUNK_BUFFER_INTERVAL_MAX,
    FIREHOSE_SPLUNK_BUFFER_SIZE_MAX,
};
use crate::model::{BufferingHints, ByteSize};
use crate::sink::http_endpoint::preset::Sizes;

pub static ALL: [&Keys; 3] = [&DEFAULTS, &BUFFERING, &BACKUP];
static DEFAULTS: Keys = Keys {
    known: &["buffering"],
    later: &[],
};
static BUFFERING: Keys = Keys {
    known: &["size", "interval", "low_latency"],
    later: &["grow_to"],
};
/// What is copied is in no hurry.
static BACKUP: Keys = Keys {
    known: &["size", "interval"],
    later: &[],
};

/// What a destination allows, and what counts where nobody says anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    size: Sizes,
    interval: RangeInclusive<Duration>,
    interval_usual: Duration,
    /// The least with `low_latency: true`.
    interval_low: Duration,
}

const OBJECT_SIZES: Sizes = Sizes {
    least: FIREHOSE_S3_BUFFER_SIZE_MIN,
    usual: FIREHOSE_S3_BUFFER_SIZE_DEFAULT,
    most: FIREHOSE_S3_BUFFER_SIZE_MAX,
};
pub const OBJECTS: Ranges = Ranges {
    size: OBJECT_SIZES,
    interval: FIREHOSE_BUFFER_INTERVAL_MIN..=FIREHOSE_BUFFER_INTERVAL_MAX,
    interval_usual: FIREHOSE_BUFFER_INTERVAL_DEFAULT,
    interval_low: Duration::ZERO,
};
pub const SPLUNK: Ranges = Ranges {
    size: Sizes {
        least: FIREHOSE_S3_BUFFER_SIZE_MIN,
        usual: FIREHOSE_SPLUNK_BUFFER_SIZE_MAX,
        most: FIREHOSE_SPLUNK_BUFFER_SIZE_MAX,
    },
    interval: Duration::ZERO..=FIREHOSE_SPLUNK_BUFFER_INTERVAL_MAX,
    interval_usual: FIREHOSE_SPLUNK_BUFFER_INTERVAL_MAX,
    interval_low: Duration::ZERO,
};
const COPIES: Ranges = Ranges {
    interval_low: FIREHOSE_BUFFER_INTERVAL_MIN,
    ..OBJECTS
};
/// All that some destination allows.
pub const ANY: Ranges = Ranges {
    interval: Duration::ZERO..=FIREHOSE_BUFFER_INTERVAL_MAX,
    ..OBJECTS
};

impl Ranges {
    /// Requests are no objects: many small ones do no harm.
    pub const fn of_requests(size: Sizes) -> Ranges {
        Ranges {
            size,
            interval: Duration::ZERO..=FIREHOSE_BUFFER_INTERVAL_MAX,
            interval_usual: FIREHOSE_ENDPOINT_BUFFER_INTERVAL_DEFAULT,
            interval_low: Duration::ZERO,
        }
    }

    fn check_size(&self, size: ByteSize, written: &str) -> Result<(), Wrong> {
        let Sizes { least, most, .. } = self.size;
        let whole = match size.get().is_multiple_of(1 << 20) {
            true => Ok(()),
            false => Err(range::NOT_WHOLE.to_owned()),
        };
        let hint = match least == most {
            true => format!("{least}, and nothing else"),
            false => format!("{least} to {most}, in whole MiB"),
        };
        range::check(size, &(least..=most), |it| it.get() >> 20)
            .and(whole)
            .map_err(|reason| range::refused(written, &reason).hint(hint))
    }

    fn check_interval(&self, interval: Duration, is_low: bool, written: &str) -> Result<(), Wrong> {
        let (least, most) = (*self.interval.start(), *self.interval.end());
        let allowed = if is_low { self.interval_low } else { least };
        let (from, to) = (allowed.as_secs(), most.as_secs());
        let hint = match interval < least && self.interval_low < least {
            true => format!(
                "{from}s to {to}s; `low_latency: true` beside it allows {}s to {}s: many small \
                 objects",
                self.interval_low.as_secs(),
                least.as_secs() - 1,
            ),
            false if interval <= most && interval.subsec_nanos() != 0 => {
                "in whole seconds".to_owned()
            }
            false => format!("{from}s to {to}s"),
        };
        range::check_seconds(interval, &(allowed..=most))
            .map_err(|reason| range::refused(written, &reason).hint(hint))
    }
}

/// What stands in one `buffering` block, or nowhere.
#[derive(Clone, Debug, Default)]
pub struct Written {
    size: Option<Value<ByteSize>>,
    interval: Option<Value<Duration>>,
    low_latency: Option<Value<bool>>,
}

#[derive(Clone, Debug)]
struct Value<T> {
    value: T,
    /// As it stands there.
    text: String,
    place: Place,
}

/// `defaults.buffering`, under every stream that does not say otherwise and whose destination allows it.
pub fn defaults(root: &Block<'_>) -> Result<Written, Told> {
    let block = root.block("defaults", &DEFAULTS)?;
    let Some(block) = block.block_if_given("buffering", &BUFFERING)? else {
        return Ok(Written::default());
    };
    let written = written(&block)?;
    let size = written.size.as_ref().map_or(Ok(()), |size| {
        ANY.check_size(size.value, &size.text)
            .map_err(|wrong| block.wrong("size", wrong))
    });
    let interval = written.interval.as_ref().map_or(Ok(()), |interval| {
        ANY.check_interval(interval.value, false, &interval.text)
            .map_err(|wrong| block.wrong("interval", wrong))
    });
    size.and(interval).and(Ok(written))
}

/// A stream's own `buffering`, over the defaults, over Firehose's.
pub fn of_stream(
    stream: &Block<'_>,
    ranges: &Ranges,
    defaults: &Result<Written, Told>,
) -> Result<BufferingHints, Told> {
    let block = stream.block("buffering", &BUFFERING)?;
    let own = written(&block)?;
    settled(&block, ranges, own, defaults.clone()?)
}

/// Of a source backup: no stream's defaults lie under it.
pub fn of_backup(backup: &Block<'_>) -> Result<BufferingHints, Told> {
    let block = backup.block("buffering", &BACKUP)?;
    let own = written(&block)?;
    settled(&block, &COPIES, own, Written::default())
}

fn written(block: &Block<'_>) -> Result<Written, Told> {
    let size = value(block, "size", &SIZE);
    let interval = value(block, "interval", &DURATION);
    let low_latency = match block.may_have("low_latency") {
        true => value(block, "low_latency", &BOOL),
        false => Ok(None),
    };
    Ok(Written {
        size: size?,
        interval: interval?,
        low_latency: low_latency?,
    })
}

fn value<T>(block: &Block<'_>, key: &str, kind: &Kind<T>) -> Result<Option<Value<T>>, Told> {
    let found = block.peek(key, kind)?;
    Ok(found.map(|(value, place)| Value {
        value,
        text: block.written(key),
        place,
    }))
}

fn settled(
    block: &Block<'_>,
    ranges: &Ranges,
    own: Written,
    defaults: Written,
) -> Result<BufferingHints, Told> {
    let low_latency = own.low_latency.or(defaults.low_latency);
    let is_low = low_latency.as_ref().is_some_and(|it| it.value);
    if let Some(Value { place, .. }) = &low_latency {
        let path = block.at("low_latency");
        block.reading.say(place, &path, is_low);
    }
    let size = Hint {
        key: "size",
        kind: &SIZE,
        own: own.size,
        default: defaults.size,
        usual: ranges.size.usual,
    };
    let size = size.settled(block, |size, written| ranges.check_size(size, written));
    let interval = Hint {
        key: "interval",
        kind: &DURATION,
        own: own.interval,
        default: defaults.interval,
        usual: ranges.interval_usual,
    };
    let interval = interval.settled(block, |it, written| {
        ranges.check_interval(it, is_low, written)
    });
    Ok(BufferingHints {
        size: size?,
        interval: interval?,
    })
}

/// One of the two, from wherever it was written.
struct Hint<'a, T> {
    key: &'static str,
    kind: &'a Kind<T>,
    own: Option<Value<T>>,
    /// From the section `defaults`.
    default: Option<Value<T>>,
    usual: T,
}

impl<T: Copy> Hint<'_, T> {
    /// A stream must keep its destination's range; a default that does not counts for others.
    fn settled(
        self,
        block: &Block<'_>,
        check: impl Fn(T, &str) -> Result<(), Wrong>,
    ) -> Result<T, Told> {
        let (reading, path, show) = (block.reading, block.at(self.key), self.kind.show);
        if let Some(Value { value, text, place }) = self.own {
            check(value, &text).map_err(|wrong| reading.wrong(&place, &path, wrong))?;
            reading.say(&place, &path, show(&value));
            return Ok(value);
        }
        if let Some(Value { value, text, place }) = self.default {
            let Err(Wrong { what, hint }) = check(value, &text) else {
                reading.say(&place, &path, show(&value));
                return Ok(value);
            };
            let what = format!("{what}; {} counts instead", show(&self.usual));
            reading.warn(&place, &path, Wrong { what, hint });
        }
        reading.say(&Place::default_value(), &path, show(&self.usual));
        Ok(self.usual)
    }
}
