//! When checkpoints are triggered.

use super::*;

/// Goal: trigger to trigger is one interval. Method: complete each at once, tick at the announced moments.
#[test]
fn periodic_checkpoints_keep_the_interval() {
    let mut job = Job::new(|_| ());
    assert_eq!(job.wake_in(), Some(100));
    assert!(job.after(99).is_empty());
    assert_eq!(job.after(1), ["trigger 1"]);
    job.after(30);
    assert_eq!(job.complete(1), ["store 1", "complete 1"]);
    assert_eq!(job.wake_in(), Some(70));
    assert_eq!(job.after(70), ["trigger 2"]);
}

/// Goal: none without an interval, but savepoints. Method: wait a day.
#[test]
fn without_an_interval_nothing_is_periodic() {
    let mut job = Job::new(|config| config.interval_ms = None);
    assert_eq!(job.wake_in(), None);
    assert!(job.after(86_400_000).is_empty());
    assert_eq!(job.savepoint(1, SAVEPOINT), ["trigger 1"]);
    assert_eq!(job.complete(1), ["store 1", "done 1"]);
}

/// Goal: one at a time by default; the next follows when the slow one is done; missed ones aren't made up for.
/// Method: let five intervals pass, then complete.
#[test]
fn a_slow_checkpoint_holds_the_next_back_once() {
    let mut job = Job::new(|_| ());
    assert_eq!(job.after(100), ["trigger 1"]);
    assert!(job.after(550).is_empty());
    assert_eq!(job.complete(1), ["store 1", "complete 1", "trigger 2"]);
    assert_eq!(job.complete(2), ["store 2", "complete 2"]);
    assert_eq!(job.wake_in(), Some(100));
}

/// Goal: as many at a time as configured. Method: two, then time for a third.
#[test]
fn concurrent_checkpoints_are_limited() {
    let mut job = Job::new(|config| config.max_concurrent = 2);
    assert_eq!(job.after(100), ["trigger 1"]);
    assert_eq!(job.after(100), ["trigger 2"]);
    assert!(job.after(100).is_empty());
    let said = job.complete(2);
    assert_eq!(
        said,
        [
            "store 2",
            "aborted 1",
            "discard 1 of 0",
            "complete 2",
            "trigger 3"
        ]
    );
}

/// Goal: the pause runs from the end of a checkpoint, however it ended. Method: complete one late, fail one late.
#[test]
fn the_pause_runs_from_the_end_of_the_last() {
    let mut job = Job::new(|config| {
        config.min_pause_ms = 80;
        config.tolerable_failures = 1;
    });
    job.after(100);
    job.after(90);
    job.complete(1);
    assert_eq!(job.wake_in(), Some(80));
    assert!(job.after(79).is_empty());
    assert_eq!(job.after(1), ["trigger 2"]);
    job.after(90);
    assert_eq!(
        job.decline(2, FailureKind::TaskSnapshot),
        ["aborted 2", "discard 2 of 0"]
    );
    assert_eq!(job.wake_in(), Some(80));
}

/// Goal: a savepoint waits for nothing. Method: ask while the only place is taken and the pause runs.
#[test]
fn a_savepoint_is_triggered_at_once() {
    let mut job = Job::new(|config| config.min_pause_ms = 1_000);
    job.after(100);
    assert_eq!(job.savepoint(7, SAVEPOINT), ["trigger 2"]);
    assert_eq!(job.complete(1), ["store 1", "complete 1"]);
    assert_eq!(
        job.complete(2),
        ["store 2", "done 7"],
        "its side effects aren't committed"
    );
}

/// Goal: a newer checkpoint never takes a savepoint away from who waits for it. Method: complete in the other order.
#[test]
fn savepoints_are_not_subsumed() {
    let mut job = Job::new(|config| config.max_concurrent = 2);
    job.savepoint(7, SAVEPOINT);
    assert_eq!(job.after(100), ["trigger 2"]);
    assert_eq!(job.complete(2), ["store 2", "complete 2"]);
    assert_eq!(job.complete(1), ["store 1", "done 7"]);
}

/// Goal: a wall clock that is set, by however much, neither stalls, storms nor lets a checkpoint expire. Method: set it while one waits
/// for its time, and while one is under way.
#[test]
fn a_wall_clock_that_is_set_does_not_matter() {
    const HOURS: i64 = 5 * 3_600_000;
    for jump in [-HOURS, HOURS] {
        let mut job = Job::new(|c| c.timeout_ms = 1_000);
        job.after(60);
        assert!(job.set_wall_clock(jump).is_empty());
        assert_eq!(job.wake_in(), Some(40));
        assert!(job.after(39).is_empty());
        assert_eq!(job.after(1), ["trigger 1"]);
        assert!(job.set_wall_clock(-2 * jump).is_empty(), "it didn't expire");
        assert_eq!(job.complete(1), ["store 1", "complete 1"]);
        assert_eq!(job.wake_in(), Some(100));
    }
}

/// Goal: however late the coordinator is woken, what it missed isn't made up for.
#[test]
fn a_long_sleep_triggers_one_checkpoint() {
    let mut job = Job::new(|_| ());
    assert_eq!(job.after(i64::MAX / 2), ["trigger 1"]);
    job.complete(1);
    assert_eq!(job.wake_in(), Some(100));
}

/// Goal: ids rise over restarts and restores. Method: restore from a higher id, then from a lower.
#[test]
fn ids_always_rise() {
    let mut job = Job::new(|_| ());
    assert_eq!(job.after(100), ["trigger 1"]);
    assert_eq!(job.restart(1, Some(41)), ["discard 1 of 0", "may restore"]);
    assert_eq!(job.after(100), ["trigger 42"]);
    job.restart(2, Some(7));
    assert_eq!(job.after(100), ["trigger 43"]);
}
