//! Functions and endpoints in trouble, by name: what a seed draws only now and then, on purpose.

use std::time::Duration;

use standpipe::model::ByteSize;
use standpipe::sink::splunk::Format;

use crate::run::{Report, run};
use crate::scenario::{
    Ending, LifePlan, MachinePlan, Scenario, StreamPlan, To, TransformPlan, Transport,
};
use crate::schedules::{check, clicks, life, one_machine};
use crate::seeds;
use crate::world::{Fate, Kind, Loss, Manners, Outage, Refusal, Script};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const ENDPOINT: To = To::Endpoint {
    retry_duration: MINUTE,
};
const SPLUNK: To = To::Splunk {
    format: Format::Event,
    retry_duration: MINUTE,
    ack_timeout: Duration::from_secs(10),
};

/// `clicks` behind a function that is asked every second, thrice at most.
fn transformed(to: To) -> StreamPlan {
    StreamPlan {
        to,
        transform: Some(TransformPlan {
            by: Transport::Http,
            interval: SECOND,
            retries: 2,
        }),
        backup: Some((ByteSize::bytes(4_000), 5 * SECOND)),
        ..clicks()
    }
}

/// A function that drops, spoils and fails now and then, and an endpoint that takes a few at a time.
fn busy() -> Manners {
    Manners {
        lies: 50,
        drops: 150,
        spoils: 100,
        records_max: 20,
        poison_one_of: 20,
    }
}

fn each_destination() -> [StreamPlan; 3] {
    [To::Objects, ENDPOINT, SPLUNK].map(transformed)
}

fn scripted(stream: StreamPlan, lives: Vec<LifePlan>, script: Script) -> Scenario {
    let mut scenario = one_machine(vec![stream], lives);
    scenario.weather.scripts = vec![script];
    scenario
}

/// What came to each end, over all reports.
fn ends(reports: &[Report]) -> [u64; 3] {
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum();
    [
        sum(|report| report.delivered),
        sum(|report| report.failed),
        sum(|report| report.dropped),
    ]
}

#[test]
fn in_fine_weather_nothing_fails() {
    for stream in each_destination() {
        let reports = check(3, || {
            one_machine(vec![stream.clone()], vec![life(MINUTE, Ending::Keep)])
        });
        let [delivered, failed, dropped] = ends(&reports);
        assert!(0 < delivered && failed + dropped == 0, "{stream:?}");
    }
}

/// Nothing fails of an answer that is too long: the function is asked for half of it.
#[test]
fn answers_that_are_too_long_are_asked_for_in_halves() {
    let reports = check(3, || {
        let mut stream = transformed(To::Objects);
        stream.load.records_per_put_max = 25;
        stream.load.record_bytes_max = 3_000;
        let mut scenario = one_machine(vec![stream], vec![life(20 * SECOND, Ending::Killed)]);
        scenario.machines[0].log_size = ByteSize::mebibytes(16);
        scenario
    });
    let [delivered, failed, _] = ends(&reports);
    assert!(0 < delivered && failed == 0, "{failed} failed");
}

#[test]
fn the_power_may_go_between_any_two_disk_operations_of_transforming_and_delivering() {
    for stream in each_destination() {
        seeds::each(60, |fuse| {
            run(fuse, |_| {
                let first = life(
                    20 * SECOND,
                    Ending::PowerLoss {
                        after: 60 + fuse * 3,
                    },
                );
                let second = life(20 * SECOND, Ending::PowerLoss { after: fuse * 2 });
                let mut scenario = one_machine(vec![stream.clone()], vec![first, second]);
                scenario.weather.manners = busy();
                scenario
            })
        });
    }
}

#[test]
fn the_answers_of_a_function_are_lost_after_it_has_worked() {
    for loss in [Loss::BrokenAfter, Loss::SilentAfter] {
        let reports = check(5, || {
            let script = Script {
                kind: Kind::Invoke,
                times: 4,
                fate: Fate::Lost(loss),
            };
            // Longer than a function may take.
            let lives = vec![life(6 * MINUTE, Ending::Keep), life(MINUTE, Ending::Killed)];
            let mut stream = transformed(To::Objects);
            stream.load.pause_max = 20 * SECOND;
            scripted(stream, lives, script)
        });
        let [delivered, failed, _] = ends(&reports);
        assert!(0 < delivered, "{loss:?}: {failed} failed");
    }
}

#[test]
fn a_function_that_is_throttled_for_long_fails_its_records_and_holds_up_nobody() {
    let reports = check(5, || {
        let mut healthy = clicks();
        healthy.name = "audit";
        let streams = vec![transformed(To::Objects), healthy];
        let mut scenario = one_machine(streams, vec![life(2 * MINUTE, Ending::Keep)]);
        scenario.weather.outages = vec![Outage {
            bucket: "function".to_owned(),
            from: Duration::ZERO,
            to: MINUTE,
            refusal: Refusal::TooManyRequests {
                retry_after: Some(2),
            },
        }];
        scenario
    });
    for report in &reports {
        let age = report.oldest[&("a".to_owned(), "audit".to_owned())];
        assert!(age <= 11 * SECOND, "{age:?}");
        assert!(0 < report.failed && 0 < report.delivered);
    }
}

/// So small a log is full within seconds if they pin anything.
#[test]
fn a_function_that_drops_everything_pins_nothing() {
    let reports = check(3, || {
        let mut stream = transformed(To::Objects);
        stream.backup = None;
        stream.load.records_per_put_max = 25;
        stream.load.record_bytes_max = 600;
        let lives = vec![life(2 * MINUTE, Ending::Killed), life(MINUTE, Ending::Keep)];
        let mut scenario = one_machine(vec![stream], lives);
        scenario.weather.manners.drops = 1_000;
        scenario
    });
    for report in &reports {
        assert_eq!((report.delivered, report.failed), (0, 0));
        assert!(report.acknowledged <= report.dropped, "{report:?}");
        assert_eq!(report.refused, 0, "the log was full");
    }
}

#[test]
fn an_endpoint_that_comes_back_within_the_retry_duration_gets_everything() {
    for stream in [ENDPOINT, SPLUNK].map(transformed) {
        let reports = check(5, || {
            let lives = vec![life(3 * MINUTE, Ending::Keep)];
            let mut scenario = one_machine(vec![stream.clone()], lives);
            scenario.weather.outages = outages(45 * SECOND);
            scenario
        });
        let [delivered, failed, _] = ends(&reports);
        assert!(0 < delivered && failed == 0, "{failed} failed");
    }
}

#[test]
fn what_an_endpoint_refuses_for_longer_is_failed() {
    for stream in [ENDPOINT, SPLUNK].map(transformed) {
        let reports = check(5, || {
            let lives = vec![life(5 * MINUTE, Ending::Keep)];
            let mut scenario = one_machine(vec![stream.clone()], lives);
            scenario.weather.outages = outages(3 * MINUTE);
            scenario
        });
        let [delivered, failed, _] = ends(&reports);
        assert!(0 < delivered && 0 < failed, "{delivered}, {failed} failed");
    }
}

fn outages(to: Duration) -> Vec<Outage> {
    let all = ["endpoint", "splunk"].into_iter();
    let outage = |bucket: &str| Outage {
        bucket: bucket.to_owned(),
        from: Duration::ZERO,
        to,
        refusal: Refusal::InternalError,
    };
    all.map(outage).collect()
}

#[test]
fn the_answers_of_an_endpoint_are_lost_after_it_has_taken_the_records() {
    for stream in [ENDPOINT, SPLUNK].map(transformed) {
        let reports = check(10, || {
            let script = Script {
                kind: Kind::Send,
                times: 10,
                fate: Fate::Lost(Loss::BrokenAfter),
            };
            scripted(
                stream.clone(),
                vec![life(MINUTE, Ending::Killed); 3],
                script,
            )
        });
        let [delivered, failed, _] = ends(&reports);
        assert!(0 < delivered && failed == 0, "{failed} failed");
    }
}

/// Splunk says it once: what was acknowledged into the void is sent again.
#[test]
fn acknowledgements_are_lost() {
    let reports = check(10, || {
        let script = Script {
            kind: Kind::Poll,
            times: 12,
            fate: Fate::Lost(Loss::BrokenAfter),
        };
        scripted(
            transformed(SPLUNK),
            vec![life(MINUTE, Ending::Killed); 3],
            script,
        )
    });
    let [delivered, failed, _] = ends(&reports);
    assert!(0 < delivered && failed == 0, "{failed} failed");
}

#[test]
fn two_daemons_share_functions_and_endpoints() {
    let reports = check(10, || {
        let lives = vec![life(30 * SECOND, Ending::Killed); 2];
        let machine = |name| MachinePlan {
            name,
            log_size: ByteSize::mebibytes(16),
            streams: each_destination()
                .into_iter()
                .zip(["clicks", "audit", "logs"])
                .map(|(stream, name)| StreamPlan { name, ..stream })
                .collect(),
            lives: lives.clone(),
        };
        let mut scenario = one_machine(Vec::new(), Vec::new());
        scenario.machines = vec![machine("a"), machine("b")];
        scenario.weather.trouble = 100;
        scenario.weather.manners = busy();
        scenario
    });
    assert!(ends(&reports).into_iter().all(|count| 0 < count));
}
