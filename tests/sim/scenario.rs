//! What a seed stands for: machines, streams, lives, and the weather over all of them.

use std::time::Duration;

use standpipe::model::{ByteSize, Compression};
use standpipe::outside::Dice;

use crate::world::{Outage, Refusal, Weather};

#[derive(Clone, Debug)]
pub struct Scenario {
    pub machines: Vec<MachinePlan>,
    pub weather: Weather,
}

/// One daemon with a data directory of its own.
#[derive(Clone, Debug)]
pub struct MachinePlan {
    pub name: &'static str,
    /// What the log may take; small ones have small segments, which are recycled soon.
    pub log_size: ByteSize,
    pub streams: Vec<StreamPlan>,
    pub lives: Vec<LifePlan>,
}

#[derive(Clone, Debug)]
pub struct StreamPlan {
    pub name: &'static str,
    pub place: Place,
    pub size: ByteSize,
    pub interval: Duration,
    pub compression: Compression,
    pub load: Load,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Bucket(&'static str),
    Directory,
}

/// What the producers of one stream do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub producers: u32,
    pub records_per_put_max: u64,
    pub record_bytes_min: u64,
    pub record_bytes_max: u64,
    pub pause_max: Duration,
}

#[derive(Clone, Debug)]
pub struct LifePlan {
    pub lasts: Duration,
    pub ending: Ending,
    /// How many of a thousand syncs fail.
    pub failing_syncs: u64,
    /// How far the wall clock jumps, halfway through.
    pub clock_jump: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM; what is buffered stays in the log.
    Keep,
    /// SIGTERM; what is buffered is delivered first.
    Deliver,
    /// SIGKILL: the disk remembers every write.
    Killed,
    /// The power goes, after so many disk operations; the disk remembers what was synced, and what
    /// it likes of the rest.
    PowerLoss { after: u64 },
}

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Scenario {
    /// What a seed draws.
    pub fn drawn(dice: &mut Dice) -> Scenario {
        let together = dice.happens(300);
        let names: &[&'static str] = if together { &["a", "b"] } else { &["a"] };
        let machines: Vec<_> = names
            .iter()
            .map(|name| MachinePlan {
                name,
                log_size: ByteSize::mebibytes([2, 16][dice.below(2) as usize]),
                streams: StreamPlan::several(dice),
                lives: (0..1 + dice.below(4))
                    .map(|_| LifePlan::drawn(dice))
                    .collect(),
            })
            .collect();
        let weather = Weather {
            trouble: [0, 50, 200, 500][dice.below(4) as usize],
            latency_max: Duration::from_millis([20, 500, 30_000][dice.below(3) as usize]),
            outages: (0..dice.below(3)).map(|_| outage(dice)).collect(),
            scripts: Vec::new(),
        };
        Scenario { machines, weather }
    }
}

fn outage(dice: &mut Dice) -> Outage {
    let from = Duration::from_secs(dice.below(120));
    let refusals = [
        Refusal::Forbidden,
        Refusal::NoSuchBucket,
        Refusal::InternalError,
        Refusal::SlowDown {
            retry_after: Some(5),
        },
        Refusal::SlowDown { retry_after: None },
    ];
    Outage {
        bucket: ["one", "two"][dice.below(2) as usize].to_owned(),
        from,
        to: from + Duration::from_secs(1 + dice.below(300)),
        refusal: refusals[dice.below(refusals.len() as u64) as usize],
    }
}

impl StreamPlan {
    /// Up to three streams; two daemons share their names, so that only the directory's id keeps
    /// their objects apart (D3).
    fn several(dice: &mut Dice) -> Vec<StreamPlan> {
        let names = ["clicks", "audit", "logs"];
        let places = [Place::Bucket("one"), Place::Bucket("two"), Place::Directory];
        let count = 1 + dice.below(3) as usize;
        let plans = names.into_iter().take(count).map(|name| StreamPlan {
            name,
            place: places[dice.below(3) as usize],
            // Larger ones are packed on threads, and no two runs would be the same.
            size: ByteSize::bytes([500, 4_000, 60_000][dice.below(3) as usize]),
            interval: Duration::from_secs([1, 10, 60, 300][dice.below(4) as usize]),
            compression: if dice.happens(300) {
                Compression::Gzip
            } else {
                Compression::Uncompressed
            },
            load: Load::drawn(dice),
        });
        plans.collect()
    }
}

impl Load {
    fn drawn(dice: &mut Dice) -> Load {
        Load {
            producers: 1 + dice.below(3) as u32,
            records_per_put_max: [1, 5, 25][dice.below(3) as usize],
            record_bytes_min: 1,
            record_bytes_max: [40, 300, 3_000][dice.below(3) as usize],
            pause_max: Duration::from_millis([400, 2_000, 20_000][dice.below(3) as usize]),
        }
    }
}

impl LifePlan {
    fn drawn(dice: &mut Dice) -> LifePlan {
        let ending = match dice.below(8) {
            0 | 1 => Ending::Keep,
            2 => Ending::Deliver,
            3 | 4 => Ending::Killed,
            _ => Ending::PowerLoss {
                after: [20, 100, 400][dice.below(3) as usize],
            },
        };
        let ending = match ending {
            Ending::PowerLoss { after } => Ending::PowerLoss {
                after: dice.below(after),
            },
            other => other,
        };
        let lasts_max = [2_000, 15_000, 60_000][dice.below(3) as usize];
        LifePlan {
            lasts: Duration::from_millis(dice.below(lasts_max)),
            ending,
            failing_syncs: [0, 0, 10, 100][dice.below(4) as usize],
            clock_jump: dice
                .happens(200)
                .then(|| [-DAY, DAY][dice.below(2) as usize]),
        }
    }

    /// Faults off: as long as it takes to drain, within a bound.
    pub fn healing() -> LifePlan {
        LifePlan {
            lasts: Duration::from_secs(900),
            ending: Ending::Keep,
            failing_syncs: 0,
            clock_jump: None,
        }
    }
}
