//! Some tasks restart while the others run on.

use super::*;
use CoordinatorCommand as C;

/// Task `task` fails; says who is told that a checkpoint ended, well or not, beside the commands by name.
fn restarts(job: &mut Job, task: TaskId) -> (Vec<String>, Vec<TaskId>) {
    let commands = job.coordinator.handle(
        CoordinatorEvent::TasksRestarting {
            tasks: BTreeSet::from([task]),
            reason: "a function failed".into(),
        },
        job.now,
    );
    (names(&commands), told(&commands))
}

fn told(commands: &[C<&'static str>]) -> Vec<TaskId> {
    let tasks = |command: &C<&'static str>| match command {
        C::NotifyAborted { tasks, .. } | C::NotifyComplete { tasks, .. } => tasks.clone(),
        _ => Vec::new(),
    };
    commands.iter().flat_map(tasks).collect()
}

fn started(job: &mut Job, attempt: u32, restored: Option<u64>) -> Vec<String> {
    job.tell(CoordinatorEvent::JobStarted { attempt, restored })
}

/// Goal: a checkpoint under way is given up, those who run on are told, and nothing is triggered before all run again.
#[test]
fn a_checkpoint_under_way_is_aborted_for_those_who_run_on() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge(1, SINK);
    let (said, told) = restarts(&mut job, SINK);
    assert_eq!(said, ["aborted 1", "discard 1 of 1", "may restore"]);
    assert_eq!(told, [SOURCE]);
    assert_eq!(job.acknowledge(1, SOURCE), ["discard 1 of 0-0"], "too late");
    assert!(job.after(1000).is_empty());
    assert_eq!(job.wake_in(), None);
    assert!(started(&mut job, 1, None).is_empty());
    assert_eq!(job.after(100), ["trigger 2"]);
    assert_eq!(job.complete(2), ["store 2", "complete 2"]);
}

/// Goal: metadata that is being written is awaited; if it makes it, those who run on commit, and it is what the others go back to.
#[test]
fn a_checkpoint_that_is_being_stored_completes_for_those_who_run_on() {
    let mut job = Job::new(|_| ());
    job.after(100);
    assert_eq!(job.acknowledge_all(1), ["store 1"]);
    assert_eq!(restarts(&mut job, SINK), (Vec::new(), Vec::new()));
    let commands = job.coordinator.handle(
        CoordinatorEvent::MetadataStored {
            checkpoint: 1,
            result: Ok(StoredMetadata {
                path: "/chk-1".into(),
                bytes: 3,
            }),
        },
        job.now,
    );
    assert_eq!(names(&commands), ["complete 1", "may restore"]);
    assert_eq!(told(&commands), [SOURCE]);
    assert_eq!(job.coordinator.latest_completed(), Some(1));
}

/// Goal: a second failure before the restart widens it. Method: first one task, then the other.
#[test]
fn a_second_failure_widens_the_restart() {
    let mut job = Job::new(|_| ());
    job.after(100);
    job.acknowledge_all(1);
    assert!(restarts(&mut job, SINK).0.is_empty());
    assert!(restarts(&mut job, SOURCE).0.is_empty());
    assert_eq!(job.stored(1), ["may restore"], "nobody is left to be told");
    assert_eq!(
        restarts(&mut job, SOURCE).0,
        ["may restore"],
        "asked again, answered again"
    );
    started(&mut job, 1, Some(1));
    assert_eq!(job.after(100), ["trigger 2"]);
}

/// Goal: a task that runs on has still reached its end; one that restarts has not.
#[test]
fn the_end_of_data_is_forgotten_only_of_those_who_restart() {
    let mut job = Job::new(|_| ());
    job.end_of_data(0, SOURCE);
    assert_eq!(job.end_of_data(0, SINK), ["trigger 1"]);
    let (said, told) = restarts(&mut job, SINK);
    assert_eq!(said, ["aborted 1", "discard 1 of 0", "may restore"]);
    assert_eq!(told, [SOURCE]);
    assert!(started(&mut job, 1, None).is_empty());
    assert!(job.end_of_data(0, SINK).is_empty(), "an earlier life's word");
    assert_eq!(job.end_of_data(1, SINK), ["trigger 2"]);
    assert_eq!(job.complete(2), ["store 2", "complete 2", "finish"]);
}

/// Goal: failovers don't count against the tolerated checkpoint failures.
#[test]
fn checkpoints_aborted_by_a_restart_do_not_count() {
    let mut job = Job::new(|c| c.tolerable_failures = 0);
    for attempt in 1..5 {
        assert_eq!(job.after(100).len(), 1);
        assert!(!restarts(&mut job, SINK).0.contains(&"fail job".to_string()));
        started(&mut job, attempt, None);
    }
}
