//! Nasty schedules by name: what a seed draws only now and then, on purpose and many times.

use std::time::Duration;

use standpipe::model::{ByteSize, Compression};

use crate::run::{Report, run};
use crate::scenario::{Ending, LifePlan, Load, MachinePlan, Place, Scenario, StreamPlan, To};
use crate::seeds;
use crate::world::{Fate, Kind, Loss, Outage, Refusal, Script, Weather};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Puts about five times a second, delivers every ten seconds to bucket `one`.
pub fn clicks() -> StreamPlan {
    StreamPlan {
        name: "clicks",
        to: To::Objects,
        place: Place::Bucket("one"),
        size: ByteSize::bytes(4_000),
        interval: 10 * SECOND,
        compression: Compression::Uncompressed,
        transform: None,
        backup: None,
        load: Load {
            producers: 2,
            records_per_put_max: 5,
            record_bytes_min: 1,
            record_bytes_max: 300,
            pause_max: Duration::from_millis(800),
        },
    }
}

pub fn life(lasts: Duration, ending: Ending) -> LifePlan {
    LifePlan {
        lasts,
        ending,
        failing_syncs: 0,
        clock_jump: None,
        moved_to: None,
    }
}

pub fn one_machine(streams: Vec<StreamPlan>, lives: Vec<LifePlan>) -> Scenario {
    Scenario {
        machines: vec![MachinePlan {
            name: "a",
            log_size: ByteSize::mebibytes(2),
            streams,
            lives,
        }],
        weather: Weather::fine(),
    }
}

/// Runs a scenario under a few seeds.
pub fn check(seeds: u64, scenario: impl Fn() -> Scenario + Sync) -> Vec<Report> {
    let reports = seeds::each(seeds, |seed| run(seed, |_| scenario()));
    for report in &reports {
        assert!(
            0 < report.acknowledged,
            "a schedule in which nothing is put shows nothing"
        );
    }
    reports
}

#[test]
fn in_fine_weather_everything_is_as_young_as_its_interval_says() {
    let reports = check(10, || {
        one_machine(vec![clicks()], vec![life(MINUTE, Ending::Keep)])
    });
    for report in reports {
        assert_eq!(report.records, report.acknowledged);
        let age = report.oldest[&("a".to_owned(), "clicks".to_owned())];
        assert!(age <= 11 * SECOND, "{age:?}");
    }
}

#[test]
fn the_power_may_go_between_any_two_disk_operations_of_a_recovery() {
    seeds::each(150, |fuse| {
        run(fuse / 5, |_| {
            let first = life(20 * SECOND, Ending::PowerLoss { after: 150 });
            let recovery = life(SECOND, Ending::PowerLoss { after: fuse });
            one_machine(vec![clicks()], vec![first, recovery.clone(), recovery])
        })
    });
}

#[test]
fn the_power_may_go_during_any_disk_operation_of_a_first_start() {
    seeds::each(60, |fuse| {
        run(fuse, |_| {
            let start = life(SECOND, Ending::PowerLoss { after: fuse });
            one_machine(vec![clicks()], vec![start.clone(), start])
        })
    });
}

#[test]
fn a_failed_sync_and_then_a_crash() {
    for ending in [Ending::Killed, Ending::PowerLoss { after: 400 }] {
        check(20, || {
            let mut failing = life(MINUTE, ending);
            failing.failing_syncs = 200;
            let fine = life(20 * SECOND, Ending::Killed);
            one_machine(vec![clicks()], vec![failing.clone(), fine, failing])
        });
    }
}

#[test]
fn a_frame_of_equal_length_at_the_place_of_a_lost_one() {
    let mut stream = clicks();
    stream.load.records_per_put_max = 1;
    stream.load.record_bytes_min = 300;
    check(20, || {
        let mut failing = life(20 * SECOND, Ending::PowerLoss { after: 200 });
        failing.failing_syncs = 100;
        one_machine(vec![stream.clone()], vec![failing; 4])
    });
}

#[test]
fn the_wall_clock_jumps_a_day_and_nothing_is_early_or_late() {
    for millis in [-DAY_MS, DAY_MS] {
        let reports = check(5, || {
            let mut jumping = life(MINUTE, Ending::Keep);
            jumping.clock_jump = Some(millis);
            one_machine(vec![clicks()], vec![jumping])
        });
        for report in reports {
            let age = report.oldest[&("a".to_owned(), "clicks".to_owned())];
            assert!(age <= 11 * SECOND, "{age:?}");
        }
    }
}

#[test]
fn a_cut_whose_write_failed_may_be_on_disk_after_all() {
    let mut stream = clicks();
    stream.interval = SECOND;
    check(20, || {
        let mut failing = life(30 * SECOND, Ending::Killed);
        failing.failing_syncs = 100;
        one_machine(vec![stream.clone()], vec![failing; 4])
    });
}

#[test]
fn an_answer_is_lost_after_every_effect() {
    check(10, || {
        let mut scenario = one_machine(vec![clicks()], vec![life(MINUTE, Ending::Killed); 3]);
        scenario.weather.scripts = vec![Script {
            kind: Kind::Put,
            times: 30,
            fate: Fate::Lost(Loss::BrokenAfter),
        }];
        scenario
    });
}

#[test]
fn the_answer_to_complete_multipart_upload_is_lost() {
    for loss in [Loss::BrokenAfter, Loss::SilentAfter] {
        let reports = check(1, || {
            // Packed, it is more than one part.
            let mut stream = clicks();
            stream.compression = Compression::Gzip;
            stream.size = ByteSize::mebibytes(16);
            stream.load.producers = 3;
            stream.load.records_per_put_max = 4;
            stream.load.record_bytes_min = 600_000;
            stream.load.record_bytes_max = 1_000_000;
            stream.load.pause_max = 3 * SECOND;
            let lives = vec![
                life(20 * SECOND, Ending::Killed),
                life(20 * SECOND, Ending::Keep),
            ];
            let mut scenario = one_machine(vec![stream], lives);
            scenario.machines[0].log_size = ByteSize::mebibytes(128);
            scenario.weather.scripts = vec![Script {
                kind: Kind::CompleteUpload,
                times: 2,
                fate: Fate::Lost(loss),
            }];
            scenario
        });
        assert!(2 < reports[0].uploads, "there were uploads in parts");
    }
}

#[test]
fn a_stream_whose_sink_is_dead_is_no_burden_to_those_that_are_well() {
    let healthy = ["audit", "logs", "orders"];
    let reports = check(5, || {
        let mut streams = vec![clicks()];
        for name in healthy {
            let place = Place::Bucket("two");
            streams.push(StreamPlan {
                name,
                place,
                ..clicks()
            });
        }
        let mut scenario = one_machine(streams, vec![life(5 * MINUTE, Ending::Keep)]);
        scenario.weather.outages = vec![Outage {
            bucket: "one".to_owned(),
            from: Duration::ZERO,
            to: 10 * MINUTE,
            refusal: Refusal::InternalError,
        }];
        scenario
    });
    for report in reports {
        for name in healthy {
            let age = report.oldest[&("a".to_owned(), name.to_owned())];
            assert!(age <= 11 * SECOND, "{name}: {age:?}");
        }
    }
}

#[test]
fn two_daemons_with_one_stream_on_one_bucket_and_prefix() {
    check(20, || {
        let lives = vec![
            life(30 * SECOND, Ending::Killed),
            life(30 * SECOND, Ending::Keep),
        ];
        let mut scenario = one_machine(vec![clicks()], lives);
        let mut twin = scenario.machines[0].clone();
        twin.name = "b";
        scenario.machines.push(twin);
        scenario.weather.trouble = 200;
        scenario
    });
}

#[test]
fn a_stop_that_delivers_leaves_in_time_when_the_sink_is_dead() {
    check(5, || {
        let mut scenario = one_machine(vec![clicks()], vec![life(MINUTE, Ending::Deliver)]);
        scenario.weather.outages = vec![Outage {
            bucket: "one".to_owned(),
            from: 30 * SECOND,
            to: 10 * MINUTE,
            refusal: Refusal::Forbidden,
        }];
        scenario
    });
}

fn two_is_down_for_ten_minutes(scenario: &mut Scenario) {
    scenario.weather.outages = vec![Outage {
        bucket: "two".to_owned(),
        from: Duration::ZERO,
        to: 10 * MINUTE,
        refusal: Refusal::InternalError,
    }];
}

#[test]
fn a_log_that_is_full_says_no_and_opens_again() {
    let reports = check(10, || {
        let mut stuck = clicks();
        stuck.place = Place::Bucket("two");
        stuck.load.records_per_put_max = 10;
        stuck.load.record_bytes_max = 6_000;
        let healthy = StreamPlan {
            name: "audit",
            ..clicks()
        };
        let full = life(MINUTE, Ending::Killed);
        let recovery = life(5 * SECOND, Ending::PowerLoss { after: 80 });
        let lives = vec![full, recovery.clone(), recovery];
        let mut scenario = one_machine(vec![stuck, healthy], lives);
        two_is_down_for_ten_minutes(&mut scenario);
        scenario
    });
    for report in reports {
        assert!(report.acknowledged < report.records, "it was never full");
    }
}

/// Each segment holds a record of the stream that is stuck, while the other one's cuts and
/// settlements go on and on.
#[test]
fn a_full_log_that_goes_on_delivering_opens_again() {
    check(20, || {
        let mut busy = clicks();
        busy.size = ByteSize::bytes(500);
        busy.load.records_per_put_max = 50;
        busy.load.record_bytes_max = 3_000;
        busy.load.pause_max = Duration::from_millis(200);
        let mut stuck = busy.clone();
        stuck.name = "audit";
        stuck.place = Place::Bucket("two");
        stuck.load.records_per_put_max = 1;
        let full = life(70 * SECOND, Ending::Killed);
        let fine = life(5 * SECOND, Ending::Keep);
        let mut scenario = one_machine(vec![busy, stuck], vec![full, fine]);
        scenario.weather.latency_max = 2 * SECOND;
        two_is_down_for_ten_minutes(&mut scenario);
        scenario
    });
}
