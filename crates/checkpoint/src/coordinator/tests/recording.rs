//! What the statistics say.

use super::*;

/// Goal: every number of a checkpoint is there while it runs and after. Method: a run with known times and sizes.
#[test]
fn a_checkpoint_is_described_while_it_runs_and_after() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.after(20);
    job.acknowledge(1, SOURCE);
    let running = job.coordinator.statistics().history.remove(0);
    assert_eq!(
        (running.status, running.trigger_ms, running.end_to_end_ms),
        (CheckpointStatus::InProgress, 50_100, 20)
    );
    assert_eq!(
        (running.subtasks, running.tasks.len(), running.state_bytes),
        (2, 1, 10)
    );
    job.after(15);
    job.acknowledge(1, SINK);
    job.after(5);
    job.stored(1);
    let done = job.coordinator.statistics().latest_completed.unwrap();
    assert_eq!(
        (done.status, done.end_to_end_ms, done.latest_ack_ms),
        (CheckpointStatus::Completed, 40, Some(35))
    );
    assert_eq!((done.state_bytes, done.checkpointed_bytes), (20, 8));
    assert_eq!(done.tasks[&SINK].ack_delay_ms, 35);
    assert_eq!(done.path.as_deref(), Some("/chk-1"));
    assert_eq!(job.coordinator.statistics().history, [done]);
}

/// Goal: counts are exact, the history is bounded and newest first, the latest of each kind stay. Method: one savepoint,
/// one failure, one restore and many checkpoints.
#[test]
fn counts_are_exact_and_the_history_bounded() {
    let mut job = Job::new(|config| {
        config.history_max = 3;
        config.tolerable_failures = 1;
    });
    job.savepoint(7, SAVEPOINT);
    job.complete(1);
    job.after(100);
    job.decline(2, FailureKind::TaskSnapshot);
    job.restart(1, Some(0));
    for id in 3..=20 {
        job.after(100);
        job.complete(id);
    }
    job.after(100);
    let said = job.coordinator.statistics();
    let counts = CheckpointCounts {
        restored: 1,
        total: 21,
        in_progress: 1,
        completed: 19,
        failed: 1,
    };
    assert_eq!(said.counts, counts);
    assert_eq!(
        said.history
            .iter()
            .map(|stats| stats.checkpoint)
            .collect::<Vec<_>>(),
        [21, 20, 19, 18]
    );
    assert_eq!(said.latest_savepoint.unwrap().checkpoint, 1);
    assert_eq!(said.latest_failed.unwrap().checkpoint, 2);
    assert_eq!(said.latest_completed.unwrap().checkpoint, 20);
    assert_eq!(said.latest_restored.unwrap().checkpoint, 0);
}

/// Goal: the latest is the one that a restart would go back to. Method: two are stored at once, and the newer is quicker.
#[test]
fn the_latest_is_the_newest_not_the_last_to_be_stored() {
    let mut job = Job::new(|config| config.max_concurrent = 2);
    job.after(100);
    job.after(100);
    job.acknowledge_all(1);
    job.acknowledge_all(2);
    job.stored(2);
    job.stored(1);
    let statistics = job.coordinator.statistics();
    assert_eq!((statistics.counts.completed, statistics.counts.failed), (2, 0));
    assert_eq!(statistics.latest_completed.map(|c| c.checkpoint), Some(2));
    assert_eq!(job.coordinator.latest_completed(), Some(2));
}

/// Goal: memory of completed checkpoints is bounded, and forgetting never deletes. Method: thousands of checkpoints,
/// then an acknowledgement of the first again, and of an aborted recent one.
#[test]
fn an_acknowledgement_from_long_ago_deletes_nothing() {
    let mut job = Job::new(|config| config.tolerable_failures = 1);
    for id in 1..=3_000 {
        job.after(100);
        job.complete(id);
    }
    job.after(100);
    job.decline(3_001, FailureKind::TaskSnapshot);
    assert!(job.acknowledge(1, SINK).is_empty());
    assert!(job.acknowledge(2_999, SINK).is_empty());
    assert_eq!(job.acknowledge(3_001, SOURCE), ["discard 3001 of 0-0"]);
}
