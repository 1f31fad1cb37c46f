//! Whole jobs, simulated: sources, keyed tasks and sinks around the real coordinator and the real aligners.
//!
//! One seeded scheduler picks what happens next: a record, a barrier, a notice, an acknowledgement (late, lost, twice,
//! out of order), a failed write, a crash of a task or of the process, a savepoint, time (backwards, too). After
//! each step `checker` holds the run against what a stream engine promises. A failing seed is printed; run it alone with
//! `MILLPOND_SIM_SEED=<seed>`, and set `MILLPOND_SIM_SEEDS=<count>` for a longer search.

#![expect(clippy::indexing_slicing, reason = "the model's own indices, in test code")]

mod checker;
mod commands;
mod in_flight;
mod job;
mod mutant;
mod setup;
mod task;
mod world;

use mutant::Mutant;
use setup::Setup;
use world::{Outcome, World};

const SEEDS: u64 = 20_000;

fn run(seed: u64, mutant: Mutant) -> Result<Outcome, String> {
    World::new(Setup::from_seed(seed), seed, mutant).run()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Goal: every run of every seed keeps every promise and ends. Method: thousands of seeds, or the one that is given.
#[test]
fn every_interleaving_keeps_the_promises() {
    let seeds = match number("MILLPOND_SIM_SEED") {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..number("MILLPOND_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let alone = seeds.end - seeds.start == 1;
    let mut sum = Outcome::default();
    for seed in seeds {
        match run(seed, Mutant::None) {
            Ok(outcome) => sum.add(&outcome),
            Err(violation) => panic!("{violation}\nreplay with MILLPOND_SIM_SEED={seed}"),
        }
    }
    println!("{sum:?}");
    // The search must reach what it is for, or the promises were kept by nothing happening.
    if !alone {
        for (what, count) in sum.counts() {
            assert!(count > 100, "only {count} {what} in all seeds: {sum:?}");
        }
    }
}

/// Goal: a seed is a replay. Method: run some twice and compare the hash of everything that happened.
#[test]
fn the_same_seed_replays_the_same_run() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let trace = || match run(seed, Mutant::None) {
            Ok(outcome) => outcome.trace,
            Err(violation) => panic!("{violation}\nreplay with MILLPOND_SIM_SEED={seed}"),
        };
        assert_eq!(trace(), trace(), "seed={seed}");
        traces.insert(trace());
    }
    assert_eq!(traces.len(), 50, "different seeds give different runs");
}

fn assert_caught(mutant: Mutant, expected: &str) {
    let mut violations = (0..500).filter_map(|seed| run(seed, mutant).err());
    assert!(
        violations.any(|violation| violation.contains(expected)),
        "{mutant:?} went unnoticed"
    );
}

/// Goal: the checker sees a cut that isn't one. Method: a task that reads channels it was told to block.
#[test]
fn an_aligner_that_never_blocks_is_caught() {
    assert_caught(Mutant::NeverBlock, "inconsistent cut");
}

/// Goal: as above. Method: a task that snapshots at the first barrier and waits for no other.
#[test]
fn an_aligner_that_snapshots_at_the_first_barrier_is_caught() {
    assert_caught(Mutant::FirstBarrier, "inconsistent cut");
}

/// Goal: the checker sees records in flight that are lost. Method: a task that forgets what one of its channels held.
#[test]
fn a_task_that_forgets_the_records_of_a_channel_is_caught() {
    assert_caught(Mutant::ForgetChannel, "inconsistent cut");
}

/// Goal: the checker sees channels that nobody unblocks. Method: a task that ignores notices of abortion.
#[test]
fn a_task_deaf_to_aborts_is_caught() {
    assert_caught(Mutant::DeafToAborts, "blocked");
}

/// Goal: the checker sees output that counts twice. Method: a sink that commits before the checkpoint is complete.
#[test]
fn a_sink_that_commits_with_the_snapshot_is_caught() {
    assert_caught(Mutant::EarlyCommit, "committed");
}

/// Goal: the checker sees lost state. Method: a driver that deletes the state of every acknowledgement that comes twice.
#[test]
fn a_driver_that_deletes_what_came_twice_is_caught() {
    assert_caught(Mutant::DeleteDuplicates, "missing state");
}
