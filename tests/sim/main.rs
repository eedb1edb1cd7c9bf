//! The whole daemon in one seeded world: many lives, faults, crashes, one oracle.
//!
//! ```text
//!   seed ─► Scenario ─► Machine: life, life, life ─► heal ─► oracle
//!                          │ disk: SimDisk (torn sectors, failing syncs, a fuse)
//!                          │ http: World (an S3, functions and endpoints that lose and lie)
//!                          └ puts: Producer ─► Notebook
//! ```
//!
//! `cargo test --test sim` runs a few hundred seeds; `SEEDS=10000` or `SEEDS=500..800` others;
//! `SEED=7 TRACE=1` one, and prints what happened. Every failure says its seed.

mod disk;
mod evidence;
mod machine;
mod manners;
mod moves;
mod notebook;
mod oracle;
mod panics;
mod partition;
mod producer;
mod record;
mod run;
mod scenario;
mod schedules;
mod seeds;
mod settings;
mod trace;
mod troubles;
mod world;

use scenario::Scenario;

/// Enough to meet every kind of trouble, and few enough for every `cargo test`.
const SEEDS: u64 = 300;

#[test]
fn whoever_was_told_yes_is_at_rest_once_in_any_weather() {
    let reports = seeds::each(SEEDS, |seed| run::run(seed, Scenario::drawn));
    let sum = |of: fn(&run::Report) -> u64| reports.iter().map(of).sum::<u64>();
    println!(
        "{} seeds: {} records, {} acknowledged, {} objects, {} requests",
        reports.len(),
        sum(|report| report.records),
        sum(|report| report.acknowledged),
        sum(|report| report.objects),
        sum(|report| report.requests),
    );
}

#[test]
fn the_same_seed_twice_is_the_same_run_twice() {
    seeds::each(SEEDS / 10, |seed| {
        let once = run::run(seed, Scenario::drawn);
        let twice = run::run(seed, Scenario::drawn);
        assert_eq!(once, twice);
        once
    });
}
