//! One scenario from its seed to the oracle's judgement.

use std::collections::BTreeMap;
use std::time::Duration;

use standpipe::outside::Dice;
use tokio::task::JoinSet;

use crate::evidence;
use crate::machine::{Machine, Surroundings};
use crate::manners;
use crate::notebook::{Notebook, Promise};
use crate::oracle::{self, Evidence, Hints, Promised, StreamKey};
use crate::panics;
use crate::scenario::{MachinePlan, Scenario};
use crate::trace::Trace;
use crate::world::{Kind, World};

/// What a run was worth, and a number that is the same for the same run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub trace: u64,
    pub records: u64,
    pub acknowledged: u64,
    pub objects: u64,
    pub requests: u64,
    /// Records, as the daemons count them; and those that were told no.
    pub delivered: u64,
    pub failed: u64,
    pub dropped: u64,
    pub refused: u64,
    /// Requests that were to complete a multipart upload.
    pub uploads: u64,
    /// How old the oldest record of a stream was when its object was first stored.
    pub oldest: BTreeMap<StreamKey, Duration>,
}

/// Longer than any interval, any pause between attempts and any timeout that a plan has.
const HEALING_MAX: Duration = Duration::from_secs(3600);

/// Runs `scenario` in a world of its own. Panics where a promise was broken.
pub fn run(seed: u64, scenario: impl FnOnce(&mut Dice) -> Scenario) -> Report {
    panics::counted(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let mut dice = Dice::seeded(seed);
        let scenario = scenario(&mut dice);
        runtime.block_on(simulate(scenario, dice))
    })
}

async fn simulate(scenario: Scenario, mut dice: Dice) -> Report {
    let trace = Trace::starting_now();
    let surroundings = Surroundings {
        world: World::new(dice.fork(), scenario.weather, trace.clone()),
        notebook: Notebook::default(),
        trace,
    };
    let mut living = JoinSet::new();
    for plan in scenario.machines {
        let machine = Machine::new(plan, surroundings.clone(), dice.fork());
        living.spawn(machine.run());
    }
    let mut machines: Vec<Machine> = Vec::new();
    while let Some(machine) = living.join_next().await {
        machines.push(machine.expect("a machine's life does not panic"));
    }
    let report = heal_and_judge(machines, &surroundings).await;
    let left = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(left, 0, "tasks that nobody joined");
    report
}

async fn heal_and_judge(mut machines: Vec<Machine>, surroundings: &Surroundings) -> Report {
    let Surroundings {
        world,
        notebook,
        trace,
    } = surroundings;
    let mut evidence = Evidence::default();
    world.calm();
    for machine in &mut machines {
        let name = machine.plan.name;
        for (stream, totals) in machine.heal(HEALING_MAX).await {
            evidence.totals.insert((name.to_owned(), stream), totals);
        }
        promised(&machine.plan, &mut evidence);
        for (number, lived) in &machine.lived {
            evidence.lives.insert((name.to_owned(), *number), *lived);
        }
        evidence.stored.append(&mut machine.glimpses);
        evidence
            .at_rest
            .extend(evidence::in_directory(name, &machine.disk));
        let leftovers = evidence::leftovers(&machine.disk);
        assert!(leftovers.is_empty(), "{name}: {leftovers:?}");
    }
    world.rest().await;
    let mut report = Report::default();
    let notes = notebook.notes();
    world.look(|scene| {
        evidence.stored.extend(evidence::stored(scene.buckets));
        evidence.at_rest.extend(evidence::in_buckets(scene.buckets));
        let attempts = scene.attempts.iter();
        report.requests = attempts.len() as u64;
        let completing = attempts.filter(|it| it.kind == Kind::CompleteUpload);
        report.uploads = completing.count() as u64;
        report.oldest = manners::oldest(scene.buckets, &notes);
        manners::judge(&scene, &notes, &evidence.promised);
    });
    (evidence.questions, evidence.sent) = world.told();
    oracle::judge(notebook, &evidence);
    report.objects = evidence.at_rest.len() as u64;
    for totals in evidence.totals.values() {
        report.delivered += totals.delivered;
        report.failed += totals.failed;
        report.dropped += totals.dropped;
    }
    let refused = notes.values();
    let refused = refused.filter(|note| note.promise == Promise::Refused);
    report.refused = refused.count() as u64;
    report.records = notebook.notes().len() as u64;
    report.acknowledged = notebook.all_acknowledged();
    report.trace = trace.hash();
    report
}

fn promised(plan: &MachinePlan, evidence: &mut Evidence) {
    for stream in &plan.streams {
        let promised = Promised {
            hints: Hints {
                size: stream.size.get(),
                interval: stream.interval,
            },
            backup: stream.backup.map(|(size, interval)| Hints {
                size: size.get(),
                interval,
            }),
            retries: stream.transform.map(|transform| transform.retries),
        };
        let key = (plan.name.to_owned(), stream.name.to_owned());
        evidence.promised.insert(key, promised);
    }
}
