//! When to try again. Pure; the only retry arithmetic there is.

use std::time::Duration;

use tokio::time::Instant;

use crate::outside::Dice;

/// Exponential back-off: the n-th pause is `base × 2ⁿ`, spread by chance, but never more than `cap`,
/// and never less than what the other side asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
    pub jitter: Jitter,
}

/// How pauses are spread, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from nothing to the whole pause: kindest to a server in trouble.
    Full,
    /// So many parts of a hundred, up or down.
    Around { percent: u64 },
}

/// Firehose's own, towards HTTP endpoints and Splunk: a second, doubled, ± 15 %, up to two minutes.
pub const FIREHOSE_BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(120),
    jitter: Jitter::Around { percent: 15 },
};

impl Backoff {
    /// The pause before attempt `failures + 1`. `at_least` is the other side's `Retry-After`, taken
    /// up to `cap` so that no server can stall a stream for a day.
    pub fn pause(&self, failures: u32, at_least: Option<Duration>, dice: &mut Dice) -> Duration {
        let ceiling = self
            .base
            .saturating_mul(1 << failures.min(20))
            .min(self.cap);
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX - 1);
        let jittered = match self.jitter {
            Jitter::Full => dice.below(micros + 1),
            Jitter::Around { percent } => {
                let most = micros / 100 * percent;
                micros - most + dice.below(2 * most + 1)
            }
        };
        let asked = at_least.unwrap_or(Duration::ZERO);
        Duration::from_micros(jittered).max(asked).min(self.cap)
    }
}

/// Firehose's retry duration: how long a request is tried again, counted from its first failure and
/// not from its first attempt. An attempt under way when it ends is still awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDuration {
    lasts: Duration,
    failed_first: Option<Instant>,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    After(Duration),
    GiveUp,
}

impl RetryDuration {
    /// With zero there is one attempt.
    pub fn new(lasts: Duration) -> RetryDuration {
        RetryDuration {
            lasts,
            failed_first: None,
        }
    }

    /// An attempt failed at `now`, and the next one would follow after `pause`: or sooner, for the
    /// last one begins no later than when the time is over. But not sooner than the other side asked
    /// for (`at_least`): it would be in vain.
    pub fn failed(&mut self, now: Instant, pause: Duration, at_least: Option<Duration>) -> Retry {
        let failed_first = *self.failed_first.get_or_insert(now);
        let passed = now.saturating_duration_since(failed_first);
        match self.lasts.saturating_sub(passed) {
            Duration::ZERO => Retry::GiveUp,
            left => Retry::After(pause.min(left.max(at_least.unwrap_or_default()))),
        }
    }

    /// The other side is there, whatever it said: the next failure is the first again.
    pub fn answered(&mut self) {
        self.failed_first = None;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(60),
        jitter: Jitter::Full,
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

    #[test]
    fn firehoses_pauses_keep_within_fifteen_percent_and_two_minutes() {
        let mut dice = Dice::seeded(1);
        for (failures, least, most) in [
            (0, 850, 1_150),
            (1, 1_700, 2_300),
            (6, 54_400, 73_600),
            (7, 102_000, 120_000),
            (1_000, 102_000, 120_000),
        ] {
            let pauses = (0..200).map(|_| FIREHOSE_BACKOFF.pause(failures, None, &mut dice));
            let mut pauses: Vec<_> = pauses.collect();
            pauses.sort();
            let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
            assert!(least <= pauses[0] && pauses[199] <= most, "{pauses:?}");
            let spread = pauses[199] - pauses[0];
            assert!((most - least) * 3 / 4 < spread, "{pauses:?}");
        }
    }

    /// Each step is when an attempt failed and the pause that the back-off wants; the answer is how
    /// long to wait.
    #[track_caller]
    fn check(lasts: u64, steps: &[(u64, u64)], expected: Expect) {
        let start = Instant::now();
        let mut duration = RetryDuration::new(Duration::from_secs(lasts));
        let told = steps.iter().map(|(at, pause)| {
            let now = start + Duration::from_secs(*at);
            match duration.failed(now, Duration::from_secs(*pause), None) {
                Retry::After(pause) => pause.as_secs().to_string(),
                Retry::GiveUp => "give up".to_owned(),
            }
        });
        expected.assert_eq(&told.collect::<Vec<_>>().join(", "));
    }

    #[tokio::test]
    async fn the_retry_duration_is_counted_from_the_first_failure() {
        // The first attempt took its whole three minutes, and does not count.
        check(300, &[(180, 1), (362, 2), (479, 4)], expect!["1, 2, 1"]);
        check(300, &[(180, 1), (480, 2)], expect!["1, give up"]);
        check(300, &[(0, 1), (299, 120)], expect!["1, 1"]);
        // In flight when the time ended, and awaited for its own three minutes.
        check(300, &[(0, 1), (479, 120)], expect!["1, give up"]);
    }

    #[tokio::test]
    async fn a_retry_duration_of_zero_is_one_attempt() {
        check(0, &[(0, 1)], expect!["give up"]);
        check(1, &[(0, 1), (1, 2)], expect!["1, give up"]);
    }

    // From review: the last attempt came when the server had said that it would be in vain.
    #[tokio::test]
    async fn the_last_attempt_is_not_sooner_than_the_server_asked_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let seconds = Duration::from_secs;
        let mut duration = RetryDuration::new(seconds(10));
        let asked = Some(seconds(30));
        let first = duration.failed(start, seconds(30), asked);
        assert_eq!(first, Retry::After(seconds(30)));
        assert_eq!(duration.failed(at(30), seconds(2), None), Retry::GiveUp);
        let mut duration = RetryDuration::new(seconds(10));
        let first = duration.failed(start, seconds(30), Some(seconds(4)));
        assert_eq!(first, Retry::After(seconds(10)));
    }
}
