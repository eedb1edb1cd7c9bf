//! Chance, from one seed: the same seed gives the same run.

use fastrand::Rng;

/// Not for secrets. Each owner has dice of its own, forked from the daemon's.
#[derive(Debug)]
pub struct Dice(Rng);

impl Dice {
    /// Seeded by the operating system.
    pub fn system() -> Dice {
        Dice(Rng::new())
    }

    pub fn seeded(seed: u64) -> Dice {
        Dice(Rng::with_seed(seed))
    }

    pub fn fork(&mut self) -> Dice {
        Dice(self.0.fork())
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound)
    }

    pub fn u128(&mut self) -> u128 {
        self.0.u128(..)
    }

    /// True `per_mille` times out of a thousand.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.0.u64(..1000) < per_mille
    }
}
