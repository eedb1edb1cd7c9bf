//! Whether the daemon gets anywhere (`/healthz`), and whether it takes records now (`/readyz`).
//!
//! Pure. What fails `/healthz` is cured by a restart and by nothing else, for that is what the asker
//! will do. A sink that refuses is not such a thing: its records wait, other streams go on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::buffer;
use crate::model::StreamName;
use crate::outside::stop::Phase;
use crate::pipeline::progress::Progress;

/// How late a pipeline may wake: far more than a busy machine needs, since a restart costs all
/// streams their deliveries in flight.
const WAKE_LATE_MAX: Duration = Duration::from_secs(60);
/// How long an attempt may neither fail nor succeed, without its wait for room, which others may make
/// long. Attempts have deadlines of their own, so past this one no answer will ever be noticed.
const ATTEMPT_MAX: Duration = Duration::from_secs(30 * 60);

/// How long one group commit may take: a disk in bad trouble, which the kernel asks again and again,
/// needs some ten seconds.
const COMMIT_MAX: Duration = Duration::from_secs(60);
/// How long the listener may fail to take connections; one that is well says so every ten seconds.
const LISTENER_MAX: Duration = Duration::from_secs(60);

/// What was seen in one look.
#[derive(Debug)]
pub struct Observed<'a> {
    pub phase: Phase,
    pub log: buffer::Health,
    /// How long the group commit under way has taken.
    pub commit: Option<Duration>,
    /// How long the listener for puts has taken no connection, though it could have.
    pub listener: Option<Duration>,
    pub pipelines: &'a BTreeMap<StreamName, Vec<Progress>>,
}

/// Every reason for a no, each a line; none is a yes.
pub type Reasons = Vec<String>;

impl Observed<'_> {
    pub fn unhealthy(&self) -> Reasons {
        let mut reasons = Vec::new();
        match self.log {
            buffer::Health::Good | buffer::Health::Full => {}
            buffer::Health::Failed => reasons.push(LOG_FAILED.to_owned()),
        }
        reasons.extend(self.commit_hangs());
        // What drains is not asked to wake any more, and has a deadline anyway.
        if self.phase == Phase::Running {
            reasons.extend(self.listener_hangs());
            for (stream, parts) in self.pipelines {
                reasons.extend(parts.iter().find_map(|progress| stuck(stream, progress)));
            }
        }
        reasons
    }

    pub fn unready(&self) -> Reasons {
        let mut reasons = Vec::new();
        match self.phase {
            Phase::Running => {}
            Phase::Draining | Phase::Halting => reasons.push("the daemon is stopping".to_owned()),
        }
        match self.log {
            buffer::Health::Good => {}
            buffer::Health::Full => reasons.push("the log is full: puts are refused".to_owned()),
            buffer::Health::Failed => reasons.push(LOG_FAILED.to_owned()),
        }
        reasons.extend(self.commit_hangs());
        reasons
    }

    fn commit_hangs(&self) -> Option<String> {
        let seconds = longer(self.commit, COMMIT_MAX)?.as_secs();
        Some(format!(
            "the disk has not answered for {seconds} s: puts wait; see the kernel's log for the device"
        ))
    }

    fn listener_hangs(&self) -> Option<String> {
        let seconds = longer(self.listener, LISTENER_MAX)?.as_secs();
        Some(format!(
            "no connection for puts could be taken for {seconds} s; the log says why"
        ))
    }
}

fn longer(duration: Option<Duration>, max: Duration) -> Option<Duration> {
    duration.filter(|duration| max < *duration)
}

const LOG_FAILED: &str = "the disk failed: nothing is taken until a restart on a disk that works";

fn stuck(stream: &StreamName, progress: &Progress) -> Option<String> {
    if let Some(overdue) = longer(progress.overdue(), WAKE_LATE_MAX) {
        let seconds = overdue.as_secs();
        return Some(format!(
            "stream `{stream}` should have moved {seconds} s ago"
        ));
    }
    let attempt = longer(progress.longest_attempt(), ATTEMPT_MAX)?;
    let seconds = attempt.as_secs();
    Some(format!(
        "stream `{stream}` has heard nothing of a delivery for {seconds} s"
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::buffer::Health;
    use crate::pipeline::progress::Place;

    /// What both questions are answered.
    #[track_caller]
    fn check(phase: Phase, log: Health, progress: &Progress, expected: Expect) {
        let pipelines = BTreeMap::from([("clicks".parse().unwrap(), vec![progress.clone()])]);
        let observed = Observed {
            phase,
            log,
            commit: None,
            listener: None,
            pipelines: &pipelines,
        };
        check_observed(&observed, expected);
    }

    #[track_caller]
    fn check_observed(observed: &Observed<'_>, expected: Expect) {
        let told = |yes: &str, reasons: Reasons| match reasons.is_empty() {
            true => yes.to_owned(),
            false => format!("not {yes} ({})", reasons.join("; ")),
        };
        let healthy = told("healthy", observed.unhealthy());
        expected.assert_eq(&format!("{healthy}, {}", told("ready", observed.unready())));
    }

    async fn seconds_pass(seconds: u64) {
        advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_with_nothing_to_do_is_well() {
        let idle = Progress::default();
        seconds_pass(86_400).await;
        check(
            Phase::Running,
            Health::Good,
            &idle,
            expect!["healthy, ready"],
        );
    }

    #[test]
    fn a_full_log_refuses_puts_and_needs_no_restart() {
        let idle = Progress::default();
        check(
            Phase::Running,
            Health::Full,
            &idle,
            expect!["healthy, not ready (the log is full: puts are refused)"],
        );
    }

    #[test]
    fn b6_a_failed_log_needs_a_restart() {
        let idle = Progress::default();
        check(
            Phase::Running,
            Health::Failed,
            &idle,
            expect![
                "not healthy (the disk failed: nothing is taken until a restart on a disk that works), not ready (the disk failed: nothing is taken until a restart on a disk that works)"
            ],
        );
        check(
            Phase::Halting,
            Health::Failed,
            &idle,
            expect![
                "not healthy (the disk failed: nothing is taken until a restart on a disk that works), not ready (the daemon is stopping; the disk failed: nothing is taken until a restart on a disk that works)"
            ],
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipeline_that_oversleeps_a_minute_is_stuck_unless_it_drains() {
        let progress = Progress::default();
        progress.wakes_by(Some(Instant::now() + Duration::from_secs(300)));
        seconds_pass(360).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect!["healthy, ready"],
        );
        seconds_pass(1).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect!["not healthy (stream `clicks` should have moved 61 s ago), ready"],
        );
        check(
            Phase::Draining,
            Health::Good,
            &progress,
            expect!["healthy, not ready (the daemon is stopping)"],
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_refuses_for_days_is_no_reason_to_restart() {
        let progress = Progress::default();
        progress.started(1);
        for _ in 0..3_000 {
            seconds_pass(60).await;
            progress.refused(1, Place::Destination, "S3.SlowDown");
        }
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect!["healthy, ready"],
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_an_end_is() {
        let progress = Progress::default();
        progress.started(1);
        seconds_pass(1_800).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect!["healthy, ready"],
        );
        seconds_pass(1).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect![
                "not healthy (stream `clicks` has heard nothing of a delivery for 1801 s), ready"
            ],
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_waits_for_its_turn_is_none() {
        let progress = Progress::default();
        progress.waits(1);
        seconds_pass(86_400).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect!["healthy, ready"],
        );
        progress.moves(1);
        seconds_pass(1_801).await;
        check(
            Phase::Running,
            Health::Good,
            &progress,
            expect![
                "not healthy (stream `clicks` has heard nothing of a delivery for 1801 s), ready"
            ],
        );
    }

    #[test]
    fn a_disk_that_does_not_answer_for_a_minute_is_a_reason_even_while_draining() {
        for (phase, seconds, expected) in [
            (Phase::Running, 60, expect!["healthy, ready"]),
            (
                Phase::Running,
                61,
                expect![
                    "not healthy (the disk has not answered for 61 s: puts wait; see the kernel's log for the device), not ready (the disk has not answered for 61 s: puts wait; see the kernel's log for the device)"
                ],
            ),
            (
                Phase::Draining,
                61,
                expect![
                    "not healthy (the disk has not answered for 61 s: puts wait; see the kernel's log for the device), not ready (the daemon is stopping; the disk has not answered for 61 s: puts wait; see the kernel's log for the device)"
                ],
            ),
        ] {
            let observed = Observed {
                phase,
                log: Health::Good,
                commit: Some(Duration::from_secs(seconds)),
                listener: None,
                pipelines: &BTreeMap::new(),
            };
            check_observed(&observed, expected);
        }
    }

    #[test]
    fn a_listener_that_takes_nobody_for_a_minute_is_a_reason_unless_it_is_closed() {
        for (phase, seconds, expected) in [
            (Phase::Running, 60, expect!["healthy, ready"]),
            (
                Phase::Running,
                61,
                expect![
                    "not healthy (no connection for puts could be taken for 61 s; the log says why), ready"
                ],
            ),
            (
                Phase::Draining,
                61,
                expect!["healthy, not ready (the daemon is stopping)"],
            ),
        ] {
            let observed = Observed {
                phase,
                log: Health::Good,
                commit: None,
                listener: Some(Duration::from_secs(seconds)),
                pipelines: &BTreeMap::new(),
            };
            check_observed(&observed, expected);
        }
    }
}
