//! Streams with a transformer and a source record backup in a seeded world: many lives on one disk,
//! some of them without the one or the other, each ending gently, by a kill or by a power cut between
//! any two disk operations. The function answers differently each time it is asked, and makes records
//! up to eighteen times longer, as long as half a segment; answers are delivered in parts, with verdicts.
//! Then one life without faults, in which everything must drain.
//!
//! `SEEDS=1000` runs more worlds, `SEED=7` one of them.

mod backup;
mod delivery;
#[path = "../sim/disk/mod.rs"]
mod disk;
mod function;
#[path = "../support/lives.rs"]
mod lives;
mod oracle;
mod stream;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use disk::SimDisk;
use lives::{Chance, End, from_environment, on_paused_time, relief, trouble, while_joined};
use oracle::Oracle;
use standpipe::buffer::{self, Handles, Opened, Settings, StreamSpec};
use standpipe::model::{ByteSize, ReaderKind, Timestamp};
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use stream::{Stream, produce};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const STREAMS: [&str; 3] = ["quiet", "busy", "large"];
/// Sixteen segments of 64 KiB.
const LOG_BYTES: u64 = 1 << 20;

#[derive(Clone)]
pub struct World {
    pub chance: Chance,
    oracle: Arc<Mutex<Oracle>>,
    pub habits: Habits,
}

/// What a world does in all its lives.
#[derive(Clone, Copy)]
pub struct Habits {
    /// How many times longer an answer is than its record.
    pub stretch: usize,
    transformer: [Wanted; 3],
    pub backup: [Wanted; 3],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Always,
    Sometimes,
    Never,
}

impl World {
    fn new(seed: u64, dice: Dice) -> World {
        let chance = Chance::new(seed, dice);
        let wanted = || {
            [
                Wanted::Always,
                Wanted::Always,
                Wanted::Sometimes,
                Wanted::Never,
            ][chance.below(4) as usize]
        };
        let habits = Habits {
            stretch: [0, 1, 3, 10, 18][chance.below(5) as usize],
            transformer: [wanted(), wanted(), wanted()],
            backup: [wanted(), wanted(), wanted()],
        };
        World {
            chance,
            oracle: Arc::default(),
            habits,
        }
    }

    pub fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap()
    }

    #[track_caller]
    pub fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        self.chance.check(holds, what);
    }

    fn has(&self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Always => true,
            Wanted::Sometimes => self.chance.happens(500),
            Wanted::Never => false,
        }
    }

    /// Today's configuration.
    fn specs(&self) -> Vec<StreamSpec> {
        let spec = |(stream, name): (usize, &&str)| {
            let transformer = self.has(self.habits.transformer[stream]);
            let backup = self.has(self.habits.backup[stream]);
            let mut readers = BTreeSet::new();
            readers.extend(transformer.then_some(ReaderKind::Answers));
            readers.extend(backup.then_some(ReaderKind::Backup));
            StreamSpec {
                name: name.parse().unwrap(),
                fingerprint: 1,
                readers,
            }
        };
        STREAMS.iter().enumerate().map(spec).collect()
    }
}

fn open(world: &World, disk: &SimDisk, clock: &Clock, specs: &[StreamSpec]) -> Option<Opened> {
    let settings = Settings {
        directory: PathBuf::from("/sim"),
        max_size: ByteSize::bytes(LOG_BYTES),
    };
    let dice = Dice::seeded(world.chance.below(u64::MAX));
    let opened = buffer::open(
        disk.door(),
        &settings,
        specs,
        clock.clone(),
        dice,
        Metrics::default(),
    );
    opened.ok()
}

async fn live(world: &World, disk: &SimDisk, clock: &Clock, end: End) {
    let specs = world.specs();
    let Some(mut opened) = open(world, disk, clock, &specs) else {
        world.check(end != End::Healed, || {
            "a well disk could not be opened".to_owned()
        });
        return;
    };
    oracle::check_totals(world, &opened.status);
    let until = Instant::now() + Duration::from_millis(100 + world.chance.below(3000));
    let mut tasks = JoinSet::new();
    let mut committer = JoinSet::new();
    committer.spawn(opened.committer.run());
    for (number, spec) in specs.iter().enumerate() {
        let handles = opened.streams.remove(spec.name.as_str()).unwrap();
        let Handles { intake, .. } = &handles;
        let until = match end {
            End::Healed => until + Duration::from_secs(300),
            End::Gentle | End::Kill | End::PowerCut => {
                for _ in 0..2 {
                    tasks.spawn(produce(world.clone(), number, intake.clone(), until));
                }
                until
            }
        };
        let stream = Stream {
            world: world.clone(),
            number,
            status: opened.status.clone(),
            end,
            until,
        };
        start(stream, handles, spec, &mut tasks);
    }
    match end {
        End::Gentle | End::Healed => while_joined(&mut tasks).await,
        End::Kill | End::PowerCut => {
            sleep(Duration::from_millis(world.chance.below(2000))).await;
            tasks.abort_all();
            while_joined(&mut tasks).await;
            committer.abort_all();
        }
    }
    while_joined(&mut committer).await;
    if end == End::Healed {
        oracle::check_healed(world, &opened.status);
    }
}

/// Who brings one stream's records to rest in this life.
fn start(stream: Stream, handles: Handles, spec: &StreamSpec, tasks: &mut JoinSet<()>) {
    let Handles {
        outlet,
        answers,
        backup,
        ..
    } = handles;
    if let Some(backup) = backup {
        tasks.spawn(backup::copy(stream.clone(), backup));
    }
    // A sink that is dead for a whole life; yesterday's cuts of the arrivals are always repeated.
    let is_dead = stream.end != End::Healed && stream.chance().happens(200);
    if !is_dead {
        tasks.spawn(delivery::in_parts(stream.clone(), answers));
    }
    match spec.readers.contains(&ReaderKind::Answers) {
        true => tasks.spawn(function::transform(stream, outlet)),
        false => tasks.spawn(delivery::directly(stream, outlet)),
    };
}

/// What one world did: the same for the same seed.
async fn run(seed: u64) -> (u64, usize) {
    let mut dice = Dice::seeded(seed);
    let disk = SimDisk::new(dice.fork());
    let world = World::new(seed, dice);
    let clock = Clock::simulated(Timestamp::from_millis(1_700_000_000_000));
    let rots = world.chance.happens(150);
    for _ in 0..2 + world.chance.below(5) {
        let end = trouble(&world.chance, &disk);
        live(&world, &disk, &clock, end).await;
        relief(&disk, end);
        if rots && world.chance.happens(500) {
            world.oracle().rotten |= disk.rot("segment-").is_some();
        }
    }
    live(&world, &disk, &clock, End::Healed).await;
    let at_rest = world.oracle().rest.len();
    (disk.trace(), at_rest)
}

fn run_seed(seed: u64) -> (u64, usize) {
    on_paused_time(run(seed))
}

#[test]
fn d1_each_record_is_answered_once_and_rests_in_one_place_whatever_the_disk_does() {
    if let Some(seed) = from_environment("SEED") {
        run_seed(seed);
        return;
    }
    let mut at_rest = 0;
    for seed in 0..from_environment("SEEDS").unwrap_or(100) {
        at_rest += run_seed(seed).1;
    }
    println!("{at_rest} records at rest");
    assert!(0 < at_rest);
}

#[test]
fn answers_of_which_only_a_part_became_durable_are_given_again() {
    // Found by wanting all of them to be without an answer: two syncs, and the second failed.
    run_seed(233);
}

#[test]
fn b7_a_log_full_of_arrivals_drains_through_a_function_that_makes_them_longer() {
    // Found by reserving for an answer what its record takes without overhead.
    run_seed(5);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..10 {
        assert_eq!(run_seed(seed), run_seed(seed), "seed {seed}");
    }
}
