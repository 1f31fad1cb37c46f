//! How a job ends: at the end of its data, stopped with a savepoint, or shut down.

use super::*;

const STOP: CheckpointKind = CheckpointKind::Stop {
    format: SavepointFormat::Canonical,
    drain: false,
};

/// Goal: the last output commits before the job ends, so a checkpoint after the end of all data comes first.
/// Method: end both tasks, with periodic checkpoints on and off, and one under way that began before.
#[test]
fn a_bounded_job_ends_with_a_final_checkpoint() {
    for interval_ms in [None, Some(100)] {
        let mut job = Job::new(|config| config.interval_ms = interval_ms);
        let first = if job.after(100).is_empty() { 1 } else { 2 };
        assert!(job.end_of_data(0, SOURCE).is_empty());
        assert!(job.end_of_data(0, SOURCE).is_empty());
        assert_eq!(job.end_of_data(0, SINK), [format!("trigger {first}")]);
        assert!(job.after(10_000).is_empty(), "nothing periodic any more");
        let said = job.complete(first);
        assert!(
            said.contains(&format!("complete {first}")) && said.last().unwrap() == "finish",
            "{said:?}"
        );
        assert!(job.coordinator.statistics().latest_completed.unwrap().is_final);
        assert_eq!(job.wake_in(), None);
    }
}

/// Goal: no storage, no final checkpoint. Method: turn it off.
#[test]
fn without_a_final_checkpoint_the_job_ends_at_once() {
    let mut job = Job::new(|config| config.final_checkpoint = false);
    job.end_of_data(0, SINK);
    assert_eq!(job.end_of_data(0, SOURCE), ["finish"]);
}

/// Goal: a failed final checkpoint is tried again, as often as failures are tolerated. Method: one tolerated, two fail.
#[test]
fn a_failed_final_checkpoint_is_tried_again() {
    let mut job = Job::new(|config| {
        config.interval_ms = None;
        config.tolerable_failures = 1;
    });
    job.end_of_data(0, SOURCE);
    assert_eq!(job.end_of_data(0, SINK), ["trigger 1"]);
    assert_eq!(
        job.decline(1, FailureKind::TaskSnapshot),
        ["aborted 1", "discard 1 of 0"]
    );
    assert_eq!(job.wake_in(), Some(1_000), "not in a tight loop");
    assert_eq!(job.after(1_000), ["trigger 2"]);
    assert_eq!(
        job.decline(2, FailureKind::TaskSnapshot),
        ["aborted 2", "discard 2 of 0", "fail job"]
    );
}

/// Goal: the end of an earlier attempt's data is not the end of this one's. Method: a late word after a restart.
#[test]
fn the_end_of_data_belongs_to_an_attempt() {
    let mut job = Job::new(|_| ());
    job.end_of_data(0, SOURCE);
    job.restart(1, None);
    job.end_of_data(0, SOURCE);
    assert!(job.end_of_data(1, SINK).is_empty());
    assert_eq!(job.end_of_data(1, SOURCE), ["trigger 1"]);
}

/// Goal: stop-with-savepoint commits, answers and ends, and nothing is triggered beside it. Method: ask, wait,
/// complete.
#[test]
fn a_stop_ends_the_job_with_its_savepoint() {
    let mut job = Job::new(|_| ());
    let stop = CoordinatorEvent::TriggerSavepoint {
        token: 7,
        kind: CheckpointKind::Stop {
            format: SavepointFormat::Canonical,
            drain: true,
        },
        target: None,
    };
    let commands = job.coordinator.handle(stop, job.now);
    let [CoordinatorCommand::TriggerSources { barrier, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        barrier.kind,
        CheckpointKind::Stop {
            format: SavepointFormat::Canonical,
            drain: true
        }
    );
    assert!(
        job.after(1_000).is_empty(),
        "sources are silent: no checkpoint could pass"
    );
    assert_eq!(job.savepoint(8, STOP), ["failed 8 NotPossible"]);
    assert_eq!(job.complete(1), ["store 1", "complete 1", "done 7", "stopped"]);
    assert_eq!(job.savepoint(9, STOP), ["failed 9 NotPossible"]);
    assert_eq!(job.wake_in(), None);
}

/// Goal: a stop that fails leaves silent sources, so the job restarts. Method: decline it; also expire it.
#[test]
fn a_failed_stop_restarts_the_job() {
    let mut job = Job::new(|config| config.tolerable_failures = 9);
    job.savepoint(7, STOP);
    let said = job.decline(1, FailureKind::TaskSnapshot);
    assert_eq!(
        said,
        ["aborted 1", "discard 1 of 0", "failed 7 TaskSnapshot", "fail job"]
    );
    job.restart(1, None);
    job.savepoint(8, STOP);
    let said = job.after(600_000);
    assert_eq!(
        said,
        ["aborted 2", "discard 2 of 0", "failed 8 Expired", "fail job"]
    );
}

/// Goal: a stop that never reached the sources leaves the job as it was. Method: its storage can't be prepared.
#[test]
fn a_stop_without_storage_lets_the_job_go_on() {
    let mut job = Job::new(|_| ());
    job.savepoint(7, STOP);
    let said = job.tell(CoordinatorEvent::StorageFailed {
        checkpoint: 1,
        detail: "read-only".into(),
    });
    assert_eq!(said, ["aborted 1", "discard 1 of 0", "failed 7 Storage"]);
    assert_eq!(job.after(100), ["trigger 2"]);
}

/// Goal: a savepoint whose job failed before it could stop is kept, but it is no stop. Method: fail during the write.
#[test]
fn a_stop_overtaken_by_a_failure_says_so() {
    let mut job = Job::new(|_| ());
    job.savepoint(7, STOP);
    job.acknowledge_all(1);
    job.tell(CoordinatorEvent::JobRestarting {
        reason: "lost a task".into(),
    });
    assert_eq!(job.stored(1), ["failed 7 JobFailover", "may restore"]);
}

/// Goal: a cancelled job triggers nothing, answers who waits and deletes what is late. Method: shut down with two open.
#[test]
fn a_shutdown_ends_everything() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge(1, SOURCE);
    job.savepoint(7, SAVEPOINT);
    let said = job.tell(CoordinatorEvent::Shutdown {
        reason: "cancelled".into(),
    });
    assert_eq!(said, ["discard 1 of 1", "discard 2 of 0", "failed 7 Shutdown"]);
    assert_eq!(job.acknowledge(2, SINK), ["discard 2 of 1-0"]);
    assert!(job.restart(1, None).is_empty());
    assert!(job.after(10_000).is_empty());
}
