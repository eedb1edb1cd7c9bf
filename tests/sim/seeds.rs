//! Which seeds, on how many threads, and what to say about one that fell.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::run::Report;

/// Runs every seed of `SEED`, `SEEDS` or the first `usual`, and fails where one failed.
pub fn each(usual: u64, run: impl Fn(u64) -> Report + Sync) -> Vec<Report> {
    let seeds = Mutex::new(asked(usual));
    let reports = Mutex::new(Vec::new());
    let fallen = Mutex::new(Vec::new());
    let worker = || {
        while let Some(seed) = next(&seeds) {
            match catch_unwind(AssertUnwindSafe(|| run(seed))) {
                Ok(report) => reports.lock().unwrap().push(report),
                Err(panic) => fallen.lock().unwrap().push((seed, text(panic))),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut fallen = fallen.into_inner().unwrap();
    fallen.sort();
    let list: String = fallen
        .iter()
        .map(|(seed, why)| format!("\nSEED={seed} TRACE=1: {why}"))
        .collect();
    assert!(fallen.is_empty(), "{} seeds fell:{list}", fallen.len());
    reports.into_inner().unwrap()
}

fn next(seeds: &Mutex<Range<u64>>) -> Option<u64> {
    seeds.lock().unwrap().next()
}

fn asked(usual: u64) -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("a seed is a number");
    if let Ok(seed) = std::env::var("SEED") {
        return number(&seed)..number(&seed) + 1;
    }
    match std::env::var("SEEDS") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((from, to)) => number(from)..number(to),
            None => 0..number(&seeds),
        },
        Err(_) => 0..usual,
    }
}

fn text(panic: Box<dyn Any + Send>) -> String {
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    said.unwrap_or_default()
}
