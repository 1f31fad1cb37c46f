//! Exactly once through `kill -9`: the job is killed at random moments and started again with the same command, until it has
//! been killed often enough; what it committed in the end is compared with an undisturbed run, line by line.
//!
//! `MILLPOND_KILL_SEED` replays the moments of a run; the seed is printed when a run fails.
#![expect(clippy::unwrap_used, reason = "test code")]

mod support;

use millpond::core::host::{SeededRandom, entropy, sleep};
use std::time::Duration;
use support::{Place, assert_same, finish, kill, undisturbed};

const KILLS: u32 = 25;

fn survives_kills(parallelism: u32, options: &[&str]) {
    let seed = std::env::var("MILLPOND_KILL_SEED").map_or_else(|_| entropy(), |s| s.parse().unwrap());
    println!("MILLPOND_KILL_SEED={seed}");
    let mut random = SeededRandom::new(seed);
    let place = Place::new();
    let mut kills_before_end = 0;
    for _ in 0..KILLS {
        let mut job = place.job(parallelism);
        job.args(["--throttle", "20000"]).args(options);
        let mut child = job.spawn().unwrap();
        sleep(Duration::from_millis(40 + random.below(400)));
        kills_before_end += u32::from(child.try_wait().unwrap().is_none());
        kill(child);
    }
    // A run that ended by itself before its kill is a weaker test; most must not.
    assert!(
        kills_before_end > KILLS / 2,
        "only {kills_before_end} of {KILLS} kills met a running job"
    );
    let mut job = place.job(parallelism);
    job.args(options);
    finish(job);
    assert_same(
        &place.committed(),
        &undisturbed(),
        &format!("MILLPOND_KILL_SEED={seed} parallelism={parallelism}"),
    );
}

#[test]
fn output_is_the_same_after_kills_at_parallelism_1() {
    survives_kills(1, &[]);
}

#[test]
fn output_is_the_same_after_kills_at_parallelism_2() {
    survives_kills(2, &[]);
}

#[test]
fn output_is_the_same_after_kills_at_parallelism_3() {
    survives_kills(3, &[]);
}

#[test]
fn output_is_the_same_after_kills_with_incremental_checkpoints() {
    survives_kills(2, &["-D", "execution.checkpointing.incremental=true"]);
}

#[test]
fn output_is_the_same_after_kills_when_state_is_never_inlined_in_the_metadata() {
    survives_kills(2, &["-D", "execution.checkpointing.data-inline-threshold=0"]);
}
