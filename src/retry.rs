//! When to try again. Pure; the only retry arithmetic there is.

use std::time::Duration;

use crate::outside::Dice;

/// Exponential back-off with full jitter: the n-th pause is anything up to `base × 2ⁿ`, but never
/// more than `cap`, and never less than what the other side asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// The pause before attempt `failures + 1`. `at_least` is the other side's `Retry-After`, taken
    /// up to `cap` so that no server can stall a stream for a day.
    pub fn pause(&self, failures: u32, at_least: Option<Duration>, dice: &mut Dice) -> Duration {
        let ceiling = self
            .base
            .saturating_mul(1 << failures.min(20))
            .min(self.cap);
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX - 1);
        let jittered = Duration::from_micros(dice.below(micros + 1));
        jittered.max(at_least.unwrap_or(Duration::ZERO).min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(60),
    };

    #[test]
    fn pauses_grow_to_the_cap_and_are_spread_over_all_of_it() {
        let mut dice = Dice::seeded(1);
        for (failures, ceiling) in [
            (0, 100),
            (1, 200),
            (5, 3_200),
            (10, 60_000),
            (1_000, 60_000),
        ] {
            let pauses: Vec<_> = (0..200)
                .map(|_| BACKOFF.pause(failures, None, &mut dice))
                .collect();
            let ceiling = Duration::from_millis(ceiling);
            assert!(pauses.iter().all(|pause| *pause <= ceiling));
            assert!(pauses.iter().any(|pause| *pause < ceiling / 4));
            assert!(pauses.iter().any(|pause| ceiling * 3 / 4 < *pause));
        }
    }

    #[test]
    fn what_the_server_asked_for_is_honoured_up_to_the_cap() {
        let mut dice = Dice::seeded(1);
        let mut asked = |seconds| BACKOFF.pause(0, Some(Duration::from_secs(seconds)), &mut dice);
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(86_400), BACKOFF.cap);
    }
}
