//! Many lives of a log on one simulated disk: chance, how a life ends, and what goes wrong meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use standpipe::outside::Dice;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::disk::{Faults, SimDisk};

/// One seed's dice. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Chance {
    pub seed: u64,
    dice: Arc<Mutex<Dice>>,
}

impl Chance {
    pub fn new(seed: u64, dice: Dice) -> Chance {
        let dice = Arc::new(Mutex::new(dice));
        Chance { seed, dice }
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.dice.lock().unwrap().below(bound)
    }

    pub fn happens(&self, per_mille: u64) -> bool {
        self.dice.lock().unwrap().happens(per_mille)
    }

    #[track_caller]
    pub fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            panic!("seed {}: {}", self.seed, what());
        }
    }

    pub async fn pause(&self, millis: u64) {
        sleep(Duration::from_millis(1 + self.below(millis))).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Gentle,
    /// Between any two disk operations, but what was written is still in the page cache.
    Kill,
    PowerCut,
    /// Everything must be delivered first.
    Healed,
}

/// What the disk does to the next life.
pub fn trouble(chance: &Chance, disk: &SimDisk) -> End {
    if chance.happens(400) {
        disk.set_faults(Faults {
            sync_fails: [0, 5, 30][chance.below(3) as usize],
            folder_sync_fails: [0, 10, 50][chance.below(3) as usize],
            write_fails: [0, 0, 10][chance.below(3) as usize],
            torn_bit_flips: 0,
        });
    }
    if chance.happens(300) {
        disk.set_capacity((5 + chance.below(10)) * 64 * 1024);
    }
    let end = [End::Gentle, End::Kill, End::PowerCut, End::PowerCut][chance.below(4) as usize];
    // Opening takes some eighty operations, so that many crashes fall into a recovery.
    if end == End::PowerCut || end == End::Kill && chance.happens(700) {
        let longest = [40, 120, 400, 2000][chance.below(4) as usize];
        disk.light_fuse(1 + chance.below(longest));
    }
    end
}

/// The life is over, and with it what went wrong.
pub fn relief(disk: &SimDisk, end: End) {
    match end {
        End::PowerCut => disk.power_cut(),
        End::Gentle | End::Kill | End::Healed => disk.kill(),
    }
    disk.set_faults(Faults::default());
    disk.set_capacity(u64::MAX);
}

/// Waits for all tasks; the panic of one is the test's.
pub async fn while_joined(tasks: &mut JoinSet<()>) {
    while let Some(joined) = tasks.join_next().await {
        if let Err(error) = joined
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Runs one world on paused time.
pub fn on_paused_time<T>(world: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(world)
}

pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().expect("a number"))
}
