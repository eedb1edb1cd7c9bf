//! What a seed stands for: machines, streams, lives, and the weather over all of them.

use std::time::Duration;

use standpipe::model::{ByteSize, Compression};
use standpipe::outside::Dice;
use standpipe::sink::splunk::Format;

use crate::record::Shape;
use crate::world::{Manners, Outage, Refusal, Weather};

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
    pub to: To,
    /// Of objects: the stream's own, its failures and its backup.
    pub place: Place,
    pub size: ByteSize,
    pub interval: Duration,
    pub compression: Compression,
    pub transform: Option<TransformPlan>,
    /// Size and interval of the backup.
    pub backup: Option<(ByteSize, Duration)>,
    pub load: Load,
}

/// Where good records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Objects,
    Endpoint {
        retry_duration: Duration,
    },
    Splunk {
        format: Format,
        retry_duration: Duration,
        ack_timeout: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformPlan {
    pub by: Transport,
    pub interval: Duration,
    pub retries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Http,
    Lambda,
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
    /// Where all good records go from this life on, if not where they went before.
    pub moved_to: Option<To>,
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
            .map(|name| {
                // The small one has room for four lanes, and a stream may need two.
                let (mebibytes, streams) = [(2, 2), (16, 3)][dice.below(2) as usize];
                MachinePlan {
                    name,
                    log_size: ByteSize::mebibytes(mebibytes),
                    streams: StreamPlan::several(streams, dice),
                    lives: (0..1 + dice.below(4))
                        .map(|_| LifePlan::drawn(dice))
                        .collect(),
                }
            })
            .collect();
        let weather = Weather {
            trouble: [0, 50, 200, 500][dice.below(4) as usize],
            latency_max: Duration::from_millis([20, 500, 30_000][dice.below(3) as usize]),
            outages: (0..dice.below(3)).map(|_| outage(dice)).collect(),
            scripts: Vec::new(),
            manners: manners(dice),
        };
        Scenario { machines, weather }
    }
}

fn outage(dice: &mut Dice) -> Outage {
    let from = Duration::from_secs(dice.below(120));
    let who = ["one", "two", "function", "lambda", "endpoint", "splunk"];
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
        bucket: who[dice.below(who.len() as u64) as usize].to_owned(),
        from,
        to: from + Duration::from_secs(1 + dice.below(300)),
        refusal: refusals[dice.below(refusals.len() as u64) as usize],
    }
}

fn manners(dice: &mut Dice) -> Manners {
    let (drops, spoils) = [(0, 0), (150, 100), (400, 300), (1_000, 0)][dice.below(4) as usize];
    Manners {
        lies: [0, 30, 300][dice.below(3) as usize],
        drops,
        spoils,
        records_max: [usize::MAX, 20, 3][dice.below(3) as usize],
        poison_one_of: [u32::MAX, 20][dice.below(2) as usize],
    }
}

impl To {
    fn drawn(dice: &mut Dice) -> To {
        let seconds =
            |dice: &mut Dice, of: [u64; 3]| Duration::from_secs(of[dice.below(3) as usize]);
        match dice.below(4) {
            0 | 1 => To::Objects,
            2 => To::Endpoint {
                retry_duration: seconds(dice, [0, 10, 300]),
            },
            _ => To::Splunk {
                format: [Format::Raw, Format::Event][dice.below(2) as usize],
                retry_duration: seconds(dice, [0, 10, 300]),
                ack_timeout: seconds(dice, [2, 10, 180]),
            },
        }
    }
}

impl TransformPlan {
    fn drawn(dice: &mut Dice) -> Option<TransformPlan> {
        dice.happens(500).then(|| TransformPlan {
            by: [Transport::Http, Transport::Lambda][dice.below(2) as usize],
            interval: Duration::from_secs([0, 1, 10][dice.below(3) as usize]),
            retries: [0, 1, 3][dice.below(3) as usize],
        })
    }
}

impl StreamPlan {
    pub fn shape(&self) -> Shape {
        match self.to {
            To::Splunk {
                format: Format::Event,
                ..
            } => Shape::Event,
            To::Splunk {
                format: Format::Raw,
                ..
            }
            | To::Objects
            | To::Endpoint { .. } => Shape::Line,
        }
    }

    /// One or more; two daemons share their names, so that only the directory's id keeps their objects
    /// apart (D3).
    fn several(most: u64, dice: &mut Dice) -> Vec<StreamPlan> {
        let names = ["clicks", "audit", "logs"];
        let places = [Place::Bucket("one"), Place::Bucket("two"), Place::Directory];
        let count = 1 + dice.below(most) as usize;
        let plans = names.into_iter().take(count).map(|name| StreamPlan {
            name,
            to: To::drawn(dice),
            place: places[dice.below(3) as usize],
            // Larger ones are packed on threads, and no two runs would be the same.
            size: ByteSize::bytes([500, 4_000, 60_000][dice.below(3) as usize]),
            interval: Duration::from_secs([1, 10, 60, 300][dice.below(4) as usize]),
            compression: if dice.happens(300) {
                Compression::Gzip
            } else {
                Compression::Uncompressed
            },
            transform: TransformPlan::drawn(dice),
            backup: dice.happens(250).then(|| {
                let size = ByteSize::bytes([500, 60_000][dice.below(2) as usize]);
                let interval = [1, 60][dice.below(2) as usize];
                (size, Duration::from_secs(interval))
            }),
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
            moved_to: None,
        }
    }

    /// Faults off: as long as it takes to drain, within a bound.
    pub fn healing() -> LifePlan {
        LifePlan {
            lasts: Duration::from_secs(900),
            ending: Ending::Keep,
            failing_syncs: 0,
            clock_jump: None,
            moved_to: None,
        }
    }
}
