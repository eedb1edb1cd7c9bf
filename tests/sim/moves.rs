//! A stream gets another destination while batches were cut for the one before: what was held goes to
//! the new one, whatever crashes in between.

use std::time::Duration;

use standpipe::sink::splunk::Format;

use crate::run::{Report, run};
use crate::scenario::{Ending, LifePlan, Scenario, StreamPlan, To, TransformPlan, Transport};
use crate::schedules::{check, clicks, life, one_machine};
use crate::seeds;
use crate::world::{Manners, Outage, Refusal};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const ENDPOINT: To = To::Endpoint {
    retry_duration: HOUR,
};
const SPLUNK: To = To::Splunk {
    format: Format::Raw,
    retry_duration: HOUR,
    ack_timeout: Duration::from_secs(10),
};

const PAIRS: [(To, To); 6] = [
    (To::Objects, ENDPOINT),
    (To::Objects, SPLUNK),
    (ENDPOINT, To::Objects),
    (SPLUNK, To::Objects),
    (ENDPOINT, SPLUNK),
    (SPLUNK, ENDPOINT),
];

fn host(to: To) -> &'static str {
    match to {
        To::Objects => "one",
        To::Endpoint { .. } => "endpoint",
        To::Splunk { .. } => "splunk",
    }
}

fn moved(to: To, life: LifePlan) -> LifePlan {
    LifePlan {
        moved_to: Some(to),
        ..life
    }
}

/// `from` takes a few records at a time, and some of them not at all, until it is gone for good.
fn leaving(from: To, transform: Option<TransformPlan>, lives: Vec<LifePlan>) -> Scenario {
    let stream = StreamPlan {
        to: from,
        transform,
        ..clicks()
    };
    let mut scenario = one_machine(vec![stream], lives);
    scenario.weather.outages = vec![Outage {
        bucket: host(from).to_owned(),
        from: 25 * SECOND,
        to: 100 * HOUR,
        refusal: Refusal::Forbidden,
    }];
    scenario.weather.manners = Manners {
        drops: 150,
        spoils: 100,
        records_max: 6,
        poison_one_of: 20,
        lies: 0,
    };
    scenario
}

fn transforms() -> [Option<TransformPlan>; 2] {
    let function = TransformPlan {
        by: Transport::Http,
        interval: SECOND,
        retries: 2,
    };
    [None, Some(function)]
}

fn in_all(reports: &[Report], of: fn(&Report) -> u64) -> u64 {
    reports.iter().map(of).sum()
}

/// From review: each batch that was cut for the endpoint took one of four slots for ever.
#[test]
fn what_was_held_for_a_dead_destination_goes_to_the_new_one() {
    for (from, to) in PAIRS {
        for transform in transforms() {
            let reports = check(3, || {
                let lives = vec![
                    life(50 * SECOND, Ending::Killed),
                    moved(to, life(20 * SECOND, Ending::Keep)),
                ];
                leaving(from, transform, lives)
            });
            let delivered = in_all(&reports, |report| report.delivered);
            assert!(0 < delivered, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn the_power_may_go_between_any_two_disk_operations_of_a_move() {
    for (from, to) in PAIRS {
        for transform in transforms() {
            seeds::each(8, |fuse| {
                run(fuse, |_| {
                    let lives = vec![
                        life(50 * SECOND, Ending::Killed),
                        moved(to, life(20 * SECOND, Ending::PowerLoss { after: fuse * 5 })),
                        life(5 * SECOND, Ending::Killed),
                    ];
                    leaving(from, transform, lives)
                })
            });
        }
    }
}

/// The operator thinks again: the bucket was never to blame.
#[test]
fn a_stream_that_is_moved_back_delivers_what_is_left_where_it_began() {
    for to in [ENDPOINT, SPLUNK] {
        check(5, || {
            let lives = vec![
                life(50 * SECOND, Ending::Killed),
                moved(to, life(5 * SECOND, Ending::Killed)),
                moved(To::Objects, life(20 * SECOND, Ending::Keep)),
            ];
            let mut scenario = leaving(To::Objects, None, lives);
            scenario.weather.outages[0].to = 55 * SECOND;
            scenario
        });
    }
}
