//! Exactly once through `kill -9`: the job is killed at random moments and started again with the same command, until it has
//! been killed often enough; what it committed in the end is compared with an undisturbed run, line by line.

mod support;

use support::kills::{Lives, kill_until_the_end};
use support::{Place, assert_same, undisturbed};

const LIVES: Lives = Lives {
    millis: 40..440,
    throttle: 20_000,
};

fn survives_kills(parallelism: u32, options: &[&str]) {
    let place = Place::new();
    let survived = kill_until_the_end(&place, parallelism, &LIVES, options);
    assert_same(&place.committed(), undisturbed(), &survived.run);
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
