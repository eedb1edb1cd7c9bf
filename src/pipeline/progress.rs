//! What a pipeline tells about itself while it works, so that `/healthz` can tell progress from mere
//! life, and a stream that is refused from one that is slow.
//!
//! The pipeline and its deliveries write, `admin` reads; the lock is held for a few instructions.
//! Never larger than `limits::DELIVERIES_PER_STREAM_MAX` entries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::{Repetition, Say};

/// One pipeline's. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Marks>>);

#[derive(Debug, Default)]
struct Marks {
    /// By when the pipeline said it would be back.
    wakes_by: Option<Instant>,
    /// Deliveries under way, by cut: when each last moved.
    under_way: BTreeMap<u64, Instant>,
    refusal: Option<Refusal>,
    repetition: Repetition,
    log_repetition: Repetition,
}

/// What keeps a stream's deliveries from succeeding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The newest error's code.
    pub code: String,
    /// The first refusal after the last success.
    pub since: Instant,
}

impl Progress {
    /// To be said each time before the pipeline does what is due, which takes it no time worth
    /// naming, unless a disk hangs.
    pub fn awake(&self) {
        self.wakes_by(Some(Instant::now()));
    }

    /// To be said each time before the pipeline waits: when it will look again by itself. `None`
    /// while only an event can give it work.
    pub fn wakes_by(&self, instant: Option<Instant>) {
        self.marks().wakes_by = instant;
    }

    pub fn started(&self, cut: u64) {
        self.marks().under_way.insert(cut, Instant::now());
    }

    /// An attempt failed and there will be another. Answers whether the log should hear of it.
    pub fn refused(&self, cut: u64, code: &str) -> Say {
        let now = Instant::now();
        let mut marks = self.marks();
        marks.under_way.insert(cut, now);
        let since = marks.refusal.as_ref().map_or(now, |before| before.since);
        marks.refusal = Some(Refusal {
            code: code.to_owned(),
            since,
        });
        marks.repetition.say(code, now)
    }

    /// The buffer did not take an entry, or did not give a record. Answers whether the log should
    /// hear of it.
    pub fn buffer_trouble(&self, what: &str) -> Say {
        self.marks().log_repetition.say(what, Instant::now())
    }

    /// Answers for how long deliveries had been refused before this one.
    pub fn delivered(&self, cut: u64) -> Option<Duration> {
        let mut marks = self.marks();
        marks.under_way.remove(&cut);
        marks.repetition.over();
        Some(marks.refusal.take()?.since.elapsed())
    }

    /// The delivery ended in another way: expired, or left to the next life.
    pub fn ended(&self, cut: u64) {
        self.marks().under_way.remove(&cut);
    }

    /// How long the pipeline has slept past the instant that it named.
    pub fn overdue(&self) -> Option<Duration> {
        let by = self.marks().wakes_by?;
        Instant::now().checked_duration_since(by)
    }

    /// How long the slowest delivery has neither failed nor succeeded.
    pub fn longest_attempt(&self) -> Option<Duration> {
        let oldest = self.marks().under_way.values().min().copied()?;
        Some(oldest.elapsed())
    }

    pub fn refusal(&self) -> Option<Refusal> {
        self.marks().refusal.clone()
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn secs(duration: Option<Duration>) -> String {
        duration.map_or("-".to_owned(), |duration| {
            format!("{}s", duration.as_secs())
        })
    }

    /// `5s:wakes9`, `5s:start1`, `5s:refuse1`, `5s:deliver1`, and `5s:?`, which asks.
    async fn check(steps: &str, expected: Expect) {
        let start = Instant::now();
        let progress = Progress::default();
        let mut seen = Vec::new();
        for step in steps.split_whitespace() {
            let (seconds, what) = step.split_once("s:").unwrap();
            let at = |seconds: u64| start + Duration::from_secs(seconds);
            tokio::time::sleep_until(at(seconds.parse().unwrap())).await;
            let verb = what.trim_end_matches(|c: char| c.is_ascii_digit());
            let number: Option<u64> = what[verb.len()..].parse().ok();
            let said = match (verb, number) {
                ("wakes", by) => {
                    progress.wakes_by(by.map(at));
                    continue;
                }
                ("start", Some(cut)) => {
                    progress.started(cut);
                    continue;
                }
                ("refuse", Some(cut)) => format!("{:?}", progress.refused(cut, "503")),
                ("deliver", Some(cut)) => format!("after {}", secs(progress.delivered(cut))),
                _ => format!(
                    "overdue {}, attempt {}, refused for {}",
                    secs(progress.overdue()),
                    secs(progress.longest_attempt()),
                    secs(progress.refusal().map(|refusal| refusal.since.elapsed()))
                ),
            };
            seen.push(format!("{seconds}s: {said}"));
        }
        expected.assert_eq(&seen.join("\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipeline_is_overdue_when_it_did_not_wake_as_it_said() {
        check(
            "0s:wakes9 8s:? 12s:?",
            expect![[r#"
                8s: overdue -, attempt -, refused for -
                12s: overdue 3s, attempt -, refused for -"#]],
        )
        .await;
        check(
            "0s:wakes9 8s:wakes 90s:?",
            expect!["90s: overdue -, attempt -, refused for -"],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_as_old_as_its_last_move() {
        check(
            "1s:start1 2s:start2 4s:? 5s:refuse1 6s:?",
            expect![[r#"
                4s: overdue -, attempt 3s, refused for -
                5s: Aloud { kept_back: 0 }
                6s: overdue -, attempt 4s, refused for 1s"#]],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_count_from_the_first_until_a_success() {
        check(
            "0s:start1 1s:refuse1 5s:refuse1 6s:deliver1 7s:? 8s:deliver2",
            expect![[r#"
                1s: Aloud { kept_back: 0 }
                5s: Quietly
                6s: after 5s
                7s: overdue -, attempt -, refused for -
                8s: after -"#]],
        )
        .await;
    }
}
