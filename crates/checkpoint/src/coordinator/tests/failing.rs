//! How checkpoints fail, and when the job fails with them.

use super::*;
use FailureKind::*;

/// Goal: no acknowledgement in time, no checkpoint; what was handed in is deleted, then and later. Method: one of two
/// tasks acknowledges, the other one after the timeout.
#[test]
fn an_expired_checkpoint_is_aborted_and_its_state_discarded() {
    let mut job = Job::new(|config| {
        config.timeout_ms = 500;
        config.tolerable_failures = 1;
    });
    job.after(100);
    assert!(job.acknowledge(1, SOURCE).is_empty());
    assert_eq!(job.wake_in(), Some(500));
    assert!(job.after(499).is_empty());
    assert_eq!(job.after(1), ["aborted 1", "discard 1 of 1", "trigger 2"]);
    assert_eq!(job.acknowledge(1, SINK), ["discard 1 of 1-0"]);
    let failed = job.coordinator.statistics().latest_failed.unwrap();
    assert_eq!(
        failed.failure.unwrap().to_string(),
        "checkpoint expired before completing: timeout_ms=500 missing_acknowledgements=1"
    );
}

/// Goal: an acknowledgement that comes twice changes nothing and deletes nothing. Method: repeat before and after
/// completion.
#[test]
fn duplicate_acknowledgements_are_harmless() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge(1, SOURCE);
    assert!(job.acknowledge(1, SOURCE).is_empty());
    assert_eq!(job.acknowledge(1, SINK), ["store 1"]);
    assert!(job.acknowledge(1, SINK).is_empty());
    assert_eq!(job.stored(1), ["complete 1"]);
    assert!(job.acknowledge(1, SINK).is_empty());
    assert!(job.stored(1).is_empty());
}

/// Goal: a stranger completes nothing, and ids never triggered are left alone. Method: an unknown task, an unknown id.
#[test]
fn strangers_do_not_complete_a_checkpoint() {
    let mut job = Job::new(|_| ());
    let stranger = TaskId {
        vertex: 9,
        subtask: 3,
    };
    job.after(100);
    job.acknowledge(1, SOURCE);
    assert_eq!(job.acknowledge(1, stranger), ["discard 1 of 9-3"]);
    assert!(job.acknowledge(99, SOURCE).is_empty());
    assert!(job.stored(1).is_empty(), "nobody asked for it");
    assert_eq!(job.acknowledge(1, SINK), ["store 1"]);
}

/// Goal: failures in a row beyond the tolerated number fail the job; a completed checkpoint starts the count anew.
/// Method: fail two, complete one, fail three, of two tolerated.
#[test]
fn the_job_fails_after_too_many_failures_in_a_row() {
    let mut job = Job::new(|config| config.tolerable_failures = 2);
    let fail = |job: &mut Job, id| {
        assert_eq!(job.after(100), [format!("trigger {id}")]);
        job.decline(id, TaskSnapshot)
    };
    fail(&mut job, 1);
    fail(&mut job, 2);
    job.after(100);
    assert_eq!(job.complete(3), ["store 3", "complete 3"]);
    fail(&mut job, 4);
    assert_eq!(fail(&mut job, 5), ["aborted 5", "discard 5 of 0"]);
    assert_eq!(fail(&mut job, 6), ["aborted 6", "discard 6 of 0", "fail job"]);
    assert_eq!(job.wake_in(), None, "nothing is triggered in a failing job");
    assert_eq!(job.restart(1, Some(3)), ["may restore"]);
    assert_eq!(job.wake_in(), Some(100));
}

/// Goal: only failures that tell something about the job count. Method: each kind once, with none tolerated.
#[test]
fn only_some_failures_count() {
    let kinds = [
        Expired,
        TaskSnapshot,
        Storage,
        Metadata,
        DeclinedAlignment,
        DeclinedNotReady,
        Subsumed,
    ];
    let fatal = kinds.map(|kind| {
        let mut job = Job::new(|_| ());
        job.after(100);
        job.decline(1, kind).contains(&"fail job".to_string())
    });
    assert_eq!(fatal, [true, true, true, true, false, false, false]);
}

/// Goal: a failed write of the metadata is a failed checkpoint: its state goes, nobody is told of completion.
/// Method: answer the write with an error.
#[test]
fn a_failed_write_of_the_metadata_aborts() {
    let mut job = Job::new(|config| config.tolerable_failures = 1);
    job.after(100);
    job.acknowledge_all(1);
    assert!(job.decline(1, TaskSnapshot).is_empty(), "too late to decline");
    let result = Err("disk full".to_string());
    let said = job.tell(CoordinatorEvent::MetadataStored {
        checkpoint: 1,
        result,
    });
    assert_eq!(said, ["aborted 1", "discard 1 of 2"]);
    assert_eq!(job.coordinator.latest_completed(), None);
}

/// Goal: a failed savepoint is its asker's business alone. Method: fail five with none tolerated.
#[test]
fn failed_savepoints_do_not_count() {
    let mut job = Job::new(|config| config.interval_ms = None);
    for id in 1..=5 {
        job.savepoint(id, SAVEPOINT);
        let said = job.decline(id, TaskSnapshot);
        assert_eq!(
            said,
            [
                format!("aborted {id}"),
                format!("discard {id} of 0"),
                format!("failed {id} TaskSnapshot")
            ]
        );
    }
}

/// Goal: storage that can't be prepared fails the checkpoint before anybody took part. Method: say so.
#[test]
fn unprepared_storage_aborts_the_checkpoint() {
    let mut job = Job::new(|_| ());
    job.after(100);
    let said = job.tell(CoordinatorEvent::StorageFailed {
        checkpoint: 1,
        detail: "read-only".into(),
    });
    assert_eq!(said, ["aborted 1", "discard 1 of 0", "fail job"]);
}

/// Goal: a restart gives up what is under way, answers who waits, and doesn't count. Method: restart with a
/// checkpoint and a savepoint open; then nothing is possible until the next start.
#[test]
fn a_restart_aborts_what_is_under_way() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge(1, SOURCE);
    job.savepoint(7, SAVEPOINT);
    let said = job.tell(CoordinatorEvent::JobRestarting {
        reason: "lost a task".into(),
    });
    assert_eq!(
        said,
        [
            "discard 1 of 1",
            "discard 2 of 0",
            "failed 7 JobFailover",
            "may restore"
        ]
    );
    assert_eq!(job.savepoint(8, SAVEPOINT), ["failed 8 NotPossible"]);
    assert!(job.after(10_000).is_empty());
    assert_eq!(job.acknowledge(1, SINK), ["discard 1 of 1-0"]);
}

/// Goal: no restore point is chosen while a write could still make a newer one. Method: restart during the write.
#[test]
fn a_restore_waits_for_metadata_being_written() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge_all(1);
    assert!(
        job.tell(CoordinatorEvent::JobRestarting {
            reason: "lost a task".into()
        })
        .is_empty()
    );
    assert!(job.after(3_600_000).is_empty(), "nor does it expire");
    assert_eq!(
        job.stored(1),
        ["may restore"],
        "the tasks that could commit are gone"
    );
    assert_eq!(job.coordinator.latest_completed(), Some(1));
}

/// Goal: each failure of the job starts the count anew. Method: fail the job, restart, fail as many as are tolerated.
#[test]
fn a_failed_job_starts_with_a_clean_count() {
    let mut job = Job::new(|config| config.tolerable_failures = 1);
    for id in 1..=2 {
        job.after(100);
        job.decline(id, TaskSnapshot);
    }
    job.restart(1, None);
    job.after(100);
    assert_eq!(job.decline(3, TaskSnapshot), ["aborted 3", "discard 3 of 0"]);
}

/// Goal: what fails behind a newer completed checkpoint is old news. Method: the older one's write fails last.
#[test]
fn a_failure_older_than_the_last_success_does_not_count() {
    let mut job = Job::new(|config| config.max_concurrent = 2);
    job.after(100);
    job.after(100);
    job.acknowledge_all(1);
    assert_eq!(job.complete(2), ["store 2", "complete 2"]);
    let result = Err("disk full".to_string());
    let said = job.tell(CoordinatorEvent::MetadataStored {
        checkpoint: 1,
        result,
    });
    assert_eq!(said, ["aborted 1", "discard 1 of 2"]);
}

/// Goal: the driver isn't woken for what only storage can end. Method: a write under way, nothing periodic.
#[test]
fn a_write_under_way_has_no_deadline() {
    let mut job = Job::new(|config| config.interval_ms = None);
    job.savepoint(7, SAVEPOINT);
    assert_eq!(job.wake_in(), Some(600_000));
    job.acknowledge_all(1);
    assert_eq!(job.wake_in(), None);
}

/// Goal: tasks are told only of checkpoints they took part in. Method: a driver that starts the next attempt without
/// waiting for the write of the last one's.
#[test]
fn a_new_attempt_is_not_told_of_the_old_ones_checkpoint() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge_all(1);
    assert!(job.restart(1, None).is_empty());
    assert!(job.stored(1).is_empty());
}
