//! Chance, from one seed: the same seed gives the same run.

use fastrand::Rng;

/// Each owner has dice of its own, forked from the daemon's. What one pair shows (request ids, the
/// directory's id) tells nothing of what another one will.
#[derive(Debug)]
pub struct Dice {
    rng: Rng,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    System,
    Seed,
}

impl Dice {
    /// Seeded by the operating system, as every fork is.
    pub fn system() -> Dice {
        let seed = getrandom::u64().expect("every system that runs us has entropy");
        Dice {
            rng: Rng::with_seed(seed),
            origin: Origin::System,
        }
    }

    pub fn seeded(seed: u64) -> Dice {
        Dice {
            rng: Rng::with_seed(seed),
            origin: Origin::Seed,
        }
    }

    pub fn fork(&mut self) -> Dice {
        match self.origin {
            Origin::System => Dice::system(),
            Origin::Seed => Dice::seeded(self.rng.u64(..)),
        }
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.u64(..bound)
    }

    pub fn u128(&mut self) -> u128 {
        self.rng.u128(..)
    }

    /// True `per_mille` times out of a thousand.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.rng.u64(..1000) < per_mille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_forks() {
        let (mut one, mut other) = (Dice::seeded(1), Dice::seeded(1));
        assert_eq!(one.fork().u128(), other.fork().u128());
        assert_eq!(one.u128(), other.u128());
    }

    /// Whoever knows the state of the parent must not know the fork's.
    #[test]
    fn the_systems_forks_are_not_its_own_next_numbers() {
        let mut parent = Dice::system();
        let mut known = Dice {
            rng: parent.rng.clone(),
            origin: Origin::Seed,
        };
        assert_ne!(parent.fork().u128(), known.fork().u128());
    }
}
