//! The pause after a failure of the log: longer after each, and over with the first success.

use tokio::time::{Duration, Instant};

use super::delivery::BACKOFF;
use crate::outside::Dice;

#[derive(Debug, Default)]
pub struct Pause {
    failures: u32,
    until: Option<Instant>,
}

impl Pause {
    /// It failed again.
    pub fn begin(&mut self, dice: &mut Dice) {
        let pause = BACKOFF.pause(self.failures, None, dice);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(Instant::now() + pause.max(Duration::from_millis(1)));
    }

    /// It succeeded.
    pub fn over(&mut self) {
        *self = Pause::default();
    }

    /// When it ends; `None` where it has.
    pub fn ends(&self) -> Option<Instant> {
        self.until.filter(|until| Instant::now() < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_and_the_next_is_longer_until_a_success() {
        let mut dice = Dice::seeded(1);
        let mut pause = Pause::default();
        assert_eq!(pause.ends(), None);
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            pause.begin(&mut dice);
            let ends = pause.ends().expect("it has begun");
            longest = longest.max(ends - Instant::now());
            tokio::time::sleep_until(ends).await;
            assert_eq!(pause.ends(), None);
        }
        pause.over();
        pause.begin(&mut dice);
        let again = pause.ends().expect("it has begun") - Instant::now();
        assert!(again < longest, "{again:?} after {longest:?}");
    }
}
