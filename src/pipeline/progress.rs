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
    /// Deliveries under way, by cut.
    under_way: BTreeMap<u64, Mark>,
    destination: Trouble,
    failed_output: Trouble,
    log: Trouble,
    plan: Trouble,
    failure_repetition: Repetition,
    log_repetition: Repetition,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    /// Since when nothing was heard of it.
    Moved(Instant),
    /// Since when it waits for room, which others may make as long as they like.
    Waits(Instant),
}

/// What takes a batch, or does not. Each has its own troubles: what rests in the failed output says
/// nothing about the destination that would not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Destination,
    FailedOutput,
    /// It takes a transformer's answers.
    Log,
    /// What was planned for the batch cannot be read: it goes nowhere in this life, whatever becomes of
    /// the others.
    Plan,
}

#[derive(Debug, Default)]
struct Trouble {
    refusal: Option<Refusal>,
    repetition: Repetition,
}

impl Trouble {
    fn refused(&mut self, code: &str, now: Instant) {
        let since = self.refusal.as_ref().map_or(now, |before| before.since);
        self.refusal = Some(Refusal {
            code: code.to_owned(),
            since,
        });
    }
}

/// What keeps a stream's deliveries from succeeding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The newest error's code.
    pub code: String,
    /// The first refusal after the last batch that was taken there.
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
        let now = Mark::Moved(Instant::now());
        self.marks().under_way.insert(cut, now);
    }

    /// It may have to wait for room in memory.
    pub fn waits(&self, cut: u64) {
        let now = Mark::Waits(Instant::now());
        self.marks().under_way.insert(cut, now);
    }

    /// It has room; or an attempt begins.
    pub fn moves(&self, cut: u64) {
        self.started(cut);
    }

    /// An attempt failed and there will be another. Answers whether the log should hear of it.
    pub fn refused(&self, cut: u64, by: Place, code: &str) -> Say {
        let now = Instant::now();
        let mut marks = self.marks();
        marks.under_way.insert(cut, Mark::Moved(now));
        let trouble = marks.at(by);
        trouble.refused(code, now);
        trouble.repetition.say(code, now)
    }

    /// The destination had all the time it was given and took nothing; the log hears of that from
    /// whoever gave up.
    pub fn gave_up(&self, code: &str) {
        let now = Instant::now();
        self.marks().destination.refused(code, now);
    }

    /// Records will not be delivered. Answers whether the log should hear of it.
    pub fn failed(&self, code: &str) -> Say {
        self.marks().failure_repetition.say(code, Instant::now())
    }

    /// The buffer did not take an entry, or did not give a record. Answers whether the log should
    /// hear of it.
    pub fn buffer_trouble(&self, what: &str) -> Say {
        self.marks().log_repetition.say(what, Instant::now())
    }

    /// Answers for how long this place had refused everything before.
    pub fn took(&self, cut: u64, place: Place) -> Option<Duration> {
        let mut marks = self.marks();
        marks.under_way.remove(&cut);
        let trouble = marks.at(place);
        trouble.repetition.over();
        Some(trouble.refusal.take()?.since.elapsed())
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
        let marks = self.marks();
        let moved = marks.under_way.values().filter_map(|mark| match mark {
            Mark::Moved(since) => Some(since),
            Mark::Waits(_) => None,
        });
        Some(moved.min()?.elapsed())
    }

    /// How long nothing got further, for whichever reason lasts longest.
    pub fn stuck(&self) -> Option<Duration> {
        let refused = self.refusal().map(|refusal| refusal.since);
        let marks = self.marks();
        let waits = marks.under_way.values().filter_map(|mark| match mark {
            Mark::Moved(_) => None,
            Mark::Waits(since) => Some(*since),
        });
        Some(waits.chain(refused).min()?.elapsed())
    }

    /// Of all places, that which lasts longest.
    pub fn refusal(&self) -> Option<Refusal> {
        let marks = self.marks();
        let troubles = [
            &marks.destination,
            &marks.failed_output,
            &marks.log,
            &marks.plan,
        ];
        let refusals = troubles.into_iter().filter_map(|it| it.refusal.as_ref());
        refusals.min_by_key(|refusal| refusal.since).cloned()
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Marks {
    fn at(&mut self, place: Place) -> &mut Trouble {
        match place {
            Place::Destination => &mut self.destination,
            Place::FailedOutput => &mut self.failed_output,
            Place::Log => &mut self.log,
            Place::Plan => &mut self.plan,
        }
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

    /// `5s:wakes9`, `5s:start1`, `5s:wait1`, `5s:move1`, `5s:refuse1`, `5s:giveup1`, `5s:deliver1`, the
    /// same at the failed output (`5s:hold1`, `5s:file1`), `5s:leave1` without a plan, and `5s:?` and
    /// `5s:stuck`, which ask.
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
                ("wait", Some(cut)) => {
                    progress.waits(cut);
                    continue;
                }
                ("move", Some(cut)) => {
                    progress.moves(cut);
                    continue;
                }
                ("giveup", Some(_)) => {
                    progress.gave_up("503");
                    continue;
                }
                ("refuse", Some(cut)) => {
                    format!("{:?}", progress.refused(cut, Place::Destination, "503"))
                }
                ("hold", Some(cut)) => {
                    format!("{:?}", progress.refused(cut, Place::FailedOutput, "503"))
                }
                ("deliver", Some(cut)) => {
                    format!("after {}", secs(progress.took(cut, Place::Destination)))
                }
                ("leave", Some(cut)) => {
                    let said = progress.refused(cut, Place::Plan, "Plan.Version");
                    progress.ended(cut);
                    format!("{said:?}")
                }
                ("file", Some(cut)) => {
                    format!("after {}", secs(progress.took(cut, Place::FailedOutput)))
                }
                ("stuck", None) => format!("stuck {}", secs(progress.stuck())),
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
    async fn waiting_for_a_turn_is_no_attempt() {
        check(
            "0s:start1 1s:wait1 4s:? 5s:move1 7s:? 8s:refuse1 9s:wait1 99s:?",
            expect![[r#"
                4s: overdue -, attempt -, refused for -
                7s: overdue -, attempt 2s, refused for -
                8s: Aloud { kept_back: 0 }
                99s: overdue -, attempt -, refused for 91s"#]],
        )
        .await;
    }

    // From review: a batch whose endpoint hung, part after part, was no progress after half an hour,
    // and a restart began its retry duration anew.
    #[tokio::test(start_paused = true)]
    async fn each_part_of_a_batch_is_an_attempt_of_its_own() {
        check(
            "0s:start1 1s:wait1 2s:move1 182s:refuse1 200s:wait1 1000s:move1 1180s:giveup1 \
             1181s:wait1 1990s:move1 2170s:? 2171s:deliver1 2172s:wait1 2173s:move1 2180s:?",
            expect![[r#"
                182s: Aloud { kept_back: 0 }
                2170s: overdue -, attempt 180s, refused for 1988s
                2171s: after 1989s
                2180s: overdue -, attempt 7s, refused for -"#]],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_gets_no_further() {
        check(
            "0s:start1 1s:stuck 2s:wait1 9s:stuck 10s:move1 11s:stuck 12s:refuse1 13s:wait1 15s:stuck",
            expect![[r#"
                1s: stuck -
                9s: stuck 7s
                11s: stuck -
                12s: Aloud { kept_back: 0 }
                15s: stuck 3s"#]],
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

    #[tokio::test(start_paused = true)]
    async fn what_rests_in_the_failed_output_does_not_end_the_trouble_of_the_destination() {
        check(
            "0s:start1 1s:refuse1 3s:giveup1 4s:file1 5s:? 6s:refuse2 9s:deliver3 10s:?",
            expect![[r#"
                1s: Aloud { kept_back: 0 }
                4s: after -
                5s: overdue -, attempt -, refused for 4s
                6s: Quietly
                9s: after 8s
                10s: overdue -, attempt 4s, refused for -"#]],
        )
        .await;
        // Without a second try there is no refusal before the end.
        check(
            "0s:start1 1s:giveup1 2s:file1 5s:?",
            expect!["2s: after -\n5s: overdue -, attempt -, refused for 4s"],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_without_a_plan_is_trouble_whatever_becomes_of_the_others() {
        check(
            "0s:start1 1s:leave1 2s:start2 3s:deliver2 9s:?",
            expect![[r#"
                1s: Aloud { kept_back: 0 }
                3s: after -
                9s: overdue -, attempt -, refused for 8s"#]],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_failed_output_has_troubles_of_its_own() {
        check(
            "0s:start1 1s:deliver1 2s:hold1 3s:deliver2 4s:? 5s:file1 6s:?",
            expect![[r#"
                1s: after -
                2s: Aloud { kept_back: 0 }
                3s: after -
                4s: overdue -, attempt 2s, refused for 2s
                5s: after 3s
                6s: overdue -, attempt -, refused for -"#]],
        )
        .await;
    }
}
