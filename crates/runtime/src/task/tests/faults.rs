//! What fails, fails where it should: checkpoints are declined, tasks report, and everything is closed.

use super::support::*;
use crate::channel::SendMode;
use crate::task::scheduler::SeededScheduler;
use crate::task::*;
use millpond_checkpoint::coordinator::{FailureKind, TaskId};
use millpond_core::ErrorKind;
use millpond_core::host::{Clock, ManualClock};
use std::sync::Arc;

/// Runs `job` on the seeded scheduler until nothing happens any more, with checkpoint 1 triggered at the start.
fn run(job: &Job) -> Deployed {
    let clock = ManualClock::new(0);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let mut scheduler = SeededScheduler::new(7, clock);
    let mut deployed = job.deploy(&as_clock, &scheduler.executor());
    for task in std::mem::take(&mut deployed.tasks) {
        scheduler.add(StreamTask::new(task));
    }
    deployed.send(&job.source_ids(), checkpoint(1));
    assert!(scheduler.run_until_quiet(100_000));
    deployed
}

/// Goal: whatever part of a snapshot's upload fails, the checkpoint is declined once by each sink and all records still arrive.
#[test]
fn a_failing_upload_declines_the_checkpoint_and_the_task_goes_on() {
    let cases = [
        (Fault::AsyncSnapshot, false, "upload failed"),
        (
            Fault::PanicInAsyncSnapshot,
            false,
            "the function panicked: cannot serialize",
        ),
        (Fault::None, true, "the disk is full"),
    ];
    for (fault, storage_refuses, message) in cases {
        let job = Job {
            fault,
            storage_refuses,
            ..Job::new(SendMode::Overdraft)
        };
        let deployed = run(&job);
        let events = deployed.take_events();
        let declines: Vec<_> = events
            .iter()
            .filter_map(|e| match &e.kind {
                TaskEventKind::Decline {
                    checkpoint_id: 1,
                    kind,
                    reason,
                } if e.task.vertex == 1 => Some((*kind, reason.message())),
                _ => None,
            })
            .collect();
        assert_eq!(declines, [(FailureKind::TaskSnapshot, message); 2], "{fault:?}");
        let ends = events
            .iter()
            .filter(|e| matches!(e.kind, TaskEventKind::EndOfData))
            .count();
        assert_eq!(ends, 4, "{fault:?}");
        assert_eq!(job.log.take().iter().filter(|l| l.contains(':')).count(), 200);
    }
}

/// Goal: a panic or an error of a user function fails its task alone, says what, and closes everything.
#[test]
fn a_failing_function_fails_its_task_and_is_closed() {
    let cases = [
        (
            Fault::PanicAt(100),
            "the function panicked: number 100 is not welcome",
        ),
        (Fault::ErrorAt(100), "cannot keep"),
        // An operator that put something aside for the snapshot would leave it out of the next one.
        (Fault::SyncSnapshot, "no snapshot today"),
    ];
    for (fault, message) in cases {
        let job = Job {
            fault,
            ..Job::new(SendMode::Overdraft)
        };
        let deployed = run(&job);
        let events = deployed.take_events();
        let failed: Vec<_> = events
            .iter()
            .filter_map(|e| match &e.kind {
                TaskEventKind::Failed(error) => Some((e.task, error)),
                _ => None,
            })
            .collect();
        // Every task takes part in the snapshot; the number comes to one.
        let failures = if fault == Fault::SyncSnapshot { 2 } else { 1 };
        assert_eq!(failed.len(), failures, "{failed:?}");
        let (task, error) = failed[0];
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::UserFunction, message)
        );
        assert_eq!(error.context("task"), Some("keep"));
        if matches!(fault, Fault::PanicAt(_)) {
            assert_eq!(error.context("operator"), Some("keep"));
        }
        assert_eq!(error.context("subtask"), Some(task.subtask.to_string().as_str()));
        assert!(job.log.take().contains(&"close".to_string()));
    }
}

#[test]
fn a_panic_while_opening_is_reported_and_the_operators_are_closed() {
    let job = Job {
        fault: Fault::PanicInOpen,
        ..Job::new(SendMode::Overdraft)
    };
    let deployed = run(&job);
    let sink = TaskId {
        vertex: 1,
        subtask: 1,
    };
    let events = deployed.take_events();
    let of_sink: Vec<_> = events
        .iter()
        .filter(|e| e.task == sink)
        .map(|e| &e.kind)
        .collect();
    let [TaskEventKind::Failed(error)] = of_sink[..] else {
        panic!("{of_sink:?}")
    };
    assert_eq!(error.message(), "the function panicked: cannot open");
    assert_eq!(job.log.take().iter().filter(|l| *l == "close").count(), 2);
}

/// Goal: a cancelled task says so, not that it failed, also in the middle of its work.
#[test]
fn cancelled_tasks_report_it_and_close() {
    let clock = ManualClock::new(0);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let mut scheduler = SeededScheduler::new(7, clock);
    let job = Job::new(SendMode::Overdraft);
    let mut deployed = job.deploy(&as_clock, &scheduler.executor());
    for task in std::mem::take(&mut deployed.tasks) {
        scheduler.add(StreamTask::new(task));
    }
    (0..30).for_each(|_| assert!(scheduler.step()));
    deployed.send_all(TaskControl::Cancel);
    assert!(scheduler.run_until_quiet(1000));
    assert_eq!(scheduler.running(), 0);
    assert_eq!(deployed.count(|k| matches!(k, TaskEventKind::Cancelled)), 4);
    assert_eq!(deployed.count(|k| matches!(k, TaskEventKind::Failed(_))), 0);
}
