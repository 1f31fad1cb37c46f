//! The same jobs on threads: results, ends, cancelling, driven clocks.

use super::support::*;
use crate::channel::SendMode;
use crate::graph::Exchange;
use crate::task::*;
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::host::{Clock, JoinHandle, ManualClock, SystemClock, sleep};
use std::sync::Arc;
use std::time::Duration;

struct Running {
    threads: Vec<JoinHandle<()>>,
    deployed: Deployed,
}

fn start(job: &Job, clock: &Arc<dyn Clock>) -> Running {
    let executor: Arc<dyn SnapshotExecutor> = Arc::new(AtOnce);
    let mut deployed = job.deploy(clock, &executor);
    let tasks = std::mem::take(&mut deployed.tasks);
    let threads = tasks.into_iter().map(|t| run_task_thread(t).unwrap()).collect();
    Running { threads, deployed }
}

impl Running {
    fn wait_for(&self, count: usize, is: fn(&TaskEventKind) -> bool) {
        wait(|| self.deployed.count(is) >= count);
    }
    fn join(self) {
        self.threads.into_iter().for_each(|t| t.join().unwrap());
    }
}

fn wait(mut until: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if until() {
            return;
        }
        sleep(Duration::from_millis(1));
    }
    panic!("waited in vain");
}

/// Goal: all records arrive once, each at its key group's owner, checkpoints complete on the way, and the end protocol
/// runs to its end.
#[test]
fn a_job_on_threads_delivers_everything_and_ends() {
    let numbers = NumbersConfig {
        end: 20_000,
        per_poll: 100,
        pause_ms: None,
        watermarks: true,
    };
    let job = Job {
        sources: 3,
        sinks: 2,
        numbers,
        ..Job::new(SendMode::Blocking)
    };
    let running = start(&job, &SystemClock::shared());
    for id in 1..=3 {
        running.deployed.send(&job.source_ids(), checkpoint(id));
    }
    running.wait_for(5, |k| matches!(k, TaskEventKind::EndOfData));
    running.wait_for(15, |k| matches!(k, TaskEventKind::Acknowledge(_)));
    running.deployed.send_all(TaskControl::Finish);
    running.wait_for(5, |k| matches!(k, TaskEventKind::Finished));
    running.join();
    let mut seen = Vec::new();
    for line in job.log.take() {
        let Some((subtask, number)) = line.split_once(':') else {
            continue;
        };
        let number: i64 = number.parse().unwrap();
        let owner =
            millpond_types::key_group::operator_index_for_key_group(key_group(&number), MAX_PARALLELISM, 2);
        assert_eq!(subtask, owner.to_string());
        seen.push(number);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20_000).collect::<Vec<_>>());
}

/// Goal: cancelling reaches a source that is blocked by a sink that nobody runs.
#[test]
fn a_source_that_is_blocked_can_be_cancelled() {
    let numbers = NumbersConfig {
        end: i64::MAX,
        per_poll: 1000,
        pause_ms: None,
        watermarks: true,
    };
    let job = Job {
        sources: 1,
        sinks: 1,
        exchange: Exchange::Forward,
        numbers,
        ..Job::new(SendMode::Blocking)
    };
    let executor: Arc<dyn SnapshotExecutor> = Arc::new(AtOnce);
    let mut deployed = job.deploy(&SystemClock::shared(), &executor);
    let sink = deployed.tasks.pop().unwrap();
    let source = run_task_thread(deployed.tasks.pop().unwrap()).unwrap();
    wait(|| sink.gate.queued() >= 4);
    sleep(Duration::from_millis(10));
    assert!(!source.is_finished());
    deployed.mailboxes[&TaskId {
        vertex: 0,
        subtask: 0,
    }]
        .send(TaskControl::Cancel);
    source.join().unwrap();
    assert_eq!(deployed.count(|k| matches!(k, TaskEventKind::Cancelled)), 1);
    assert_eq!(job.log.take(), ["source close"]);
    drop(sink);
}

/// Goal: a sleeping task looks at a driven clock again when it is moved, and only then.
#[test]
fn a_driven_clock_wakes_tasks_on_threads() {
    let clock = ManualClock::new(0);
    let numbers = NumbersConfig {
        end: 3,
        per_poll: 1,
        pause_ms: Some(1000),
        watermarks: true,
    };
    let job = Job {
        sources: 1,
        sinks: 1,
        exchange: Exchange::Forward,
        numbers,
        ..Job::new(SendMode::Blocking)
    };
    let as_clock: Arc<dyn Clock> = clock.clone();
    let running = start(&job, &as_clock);
    wait(|| job.log.len() == 1);
    sleep(Duration::from_millis(10));
    assert_eq!(job.log.len(), 1);
    clock.advance(Duration::from_millis(1000));
    wait(|| job.log.len() == 2);
    clock.advance(Duration::from_millis(1000));
    wait(|| job.log.len() == 3);
    clock.advance(Duration::from_millis(1000));
    running.wait_for(2, |k| matches!(k, TaskEventKind::EndOfData));
    running.deployed.send_all(TaskControl::Finish);
    running.join();
}

#[test]
fn a_panic_on_a_thread_is_reported_and_the_others_can_be_cancelled() {
    let numbers = NumbersConfig {
        end: i64::MAX,
        per_poll: 100,
        pause_ms: None,
        watermarks: true,
    };
    let job = Job {
        fault: Fault::PanicAt(500),
        numbers,
        ..Job::new(SendMode::Blocking)
    };
    let running = start(&job, &SystemClock::shared());
    running.wait_for(1, |k| matches!(k, TaskEventKind::Failed(_)));
    running.deployed.send_all(TaskControl::Cancel);
    running.wait_for(4, |k| {
        matches!(k, TaskEventKind::Failed(_) | TaskEventKind::Cancelled)
    });
    let events = running.deployed.events.clone();
    running.join();
    let events = events.lock().unwrap();
    let failed: Vec<_> = events
        .iter()
        .filter(|e| matches!(e.kind, TaskEventKind::Failed(_)))
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
}
