//! When to say the same thing again: a sink that is down for a day should not fill the disk that
//! the records are on with log lines.
//!
//! Pure. One for each thing that can repeat itself, held by whoever reports it.

use std::time::Duration;

use tokio::time::Instant;

/// How long one and the same trouble is kept quiet after it was told.
pub const QUIET: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default)]
pub struct Repetition {
    told: Option<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    what: String,
    at: Instant,
    kept_back: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// It is new, or was not told for a while; `kept_back` times it was kept quiet since.
    Aloud {
        kept_back: u64,
    },
    Quietly,
}

impl Repetition {
    /// `what` tells one trouble from another: an error code, not a text with numbers in it.
    pub fn say(&mut self, what: &str, now: Instant) -> Say {
        let mut kept_back = 0;
        if let Some(told) = &mut self.told
            && told.what == what
        {
            if now < told.at + QUIET {
                told.kept_back += 1;
                return Say::Quietly;
            }
            kept_back = told.kept_back;
        }
        self.told = Some(Told {
            what: what.to_owned(),
            at: now,
            kept_back: 0,
        });
        Say::Aloud { kept_back }
    }

    /// The trouble is over: the next one is news.
    pub fn over(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `12s:code`, or `12s:` where all was well.
    #[track_caller]
    fn check(steps: &str, expected: Expect) {
        let start = Instant::now();
        let mut repetition = Repetition::default();
        let mut said = Vec::new();
        for step in steps.split_whitespace() {
            let (seconds, what) = step.split_once("s:").unwrap();
            let now = start + Duration::from_secs(seconds.parse().unwrap());
            match what {
                "" => repetition.over(),
                _ => said.push(match repetition.say(what, now) {
                    Say::Aloud { kept_back: 0 } => format!("{step}!"),
                    Say::Aloud { kept_back } => format!("{step}! (+{kept_back})"),
                    Say::Quietly => "-".to_owned(),
                }),
            }
        }
        expected.assert_eq(&said.join(" "));
    }

    #[test]
    fn the_same_trouble_is_told_once_a_minute() {
        check(
            "0s:503 1s:503 59s:503 60s:503 61s:503",
            expect!["0s:503! - - 60s:503! (+2) -"],
        );
    }

    #[test]
    fn another_trouble_is_told_at_once() {
        check("0s:503 1s:403 2s:403", expect!["0s:503! 1s:403! -"]);
    }

    #[test]
    fn trouble_that_comes_back_after_a_success_is_news() {
        check("0s:503 1s:503 2s: 3s:503", expect!["0s:503! - 3s:503!"]);
    }
}
