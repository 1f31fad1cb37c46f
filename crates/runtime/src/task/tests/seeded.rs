//! Whole small jobs under the seeded scheduler: every order of work gives a consistent cut, and a seed replays.

use super::support::*;
use crate::channel::SendMode;
use crate::graph::Exchange;
use crate::task::scheduler::SeededScheduler;
use crate::task::*;
use millpond_checkpoint::barrier::{CheckpointKind, SavepointFormat};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::host::{Clock, ManualClock, SeededRandom};
use millpond_state::handle::OperatorSubtaskState;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run left.
struct Run {
    trace: u64,
    log: Vec<String>,
    /// The checkpoints that every task acknowledged.
    complete: Vec<BTreeMap<TaskId, OperatorSubtaskState>>,
    finished: usize,
}

/// Runs `job` to its end with a checkpoint triggered every now and then.
fn run(job: &Job, seed: u64) -> Run {
    let clock = ManualClock::new(1000);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let mut scheduler = SeededScheduler::new(seed, clock);
    let mut deployed = job.deploy(&as_clock, &scheduler.executor());
    let tasks = deployed.tasks.len();
    for task in std::mem::take(&mut deployed.tasks) {
        scheduler.add(StreamTask::new(task));
    }
    let mut random = SeededRandom::new(seed ^ 1);
    let (mut next_checkpoint, mut states) = (1, BTreeMap::<u64, BTreeMap<_, _>>::new());
    let (mut ends, mut finished) = (0, 0);
    while scheduler.step() || ends < tasks {
        if random.chance(1, 20) {
            deployed.send(&job.source_ids(), checkpoint(next_checkpoint));
            next_checkpoint += 1;
        }
        for event in deployed.take_events() {
            match event.kind {
                TaskEventKind::Acknowledge(report) => {
                    let state = report.operators.into_iter().next().unwrap().1;
                    states
                        .entry(report.checkpoint)
                        .or_default()
                        .insert(event.task, state);
                }
                TaskEventKind::EndOfData => ends += 1,
                TaskEventKind::Finished => finished += 1,
                TaskEventKind::Failed(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        if ends == tasks {
            deployed.send_all(TaskControl::Finish);
            ends += 1;
        }
    }
    let complete = states.into_values().filter(|s| s.len() == tasks).collect();
    Run {
        trace: scheduler.trace(),
        log: job.log.take(),
        complete,
        finished,
    }
}

fn kept(log: &[String]) -> Vec<i64> {
    let mut numbers: Vec<i64> = log
        .iter()
        .filter_map(|l| l.split_once(':'))
        .map(|(_, n)| n.parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn equal_seeds_give_equal_runs_and_other_seeds_other_ones() {
    let job = Job::new(SendMode::Overdraft);
    let (first, again, other) = (run(&job, 1), run(&job, 1), run(&job, 2));
    assert_eq!((first.trace, &first.log), (again.trace, &again.log));
    assert_ne!(first.trace, other.trace);
    assert_ne!(first.log, other.log);
    for run in [first, other] {
        assert_eq!(kept(&run.log), (0..200).collect::<Vec<_>>());
        assert_eq!(run.finished, 4);
    }
}

/// Goal: in every completed checkpoint the sinks hold exactly the numbers that the sources had emitted, whatever the
/// order of work. Method: many seeds; each source's position says which numbers must be there.
#[test]
fn every_checkpoint_is_a_consistent_cut() {
    let mut checked = 0;
    for seed in 0..60 {
        let job = Job {
            sources: 3,
            ..Job::new(SendMode::Overdraft)
        };
        for states in run(&job, seed).complete {
            let (mut emitted, mut kept) = (Vec::new(), Vec::new());
            for (task, state) in states {
                let numbers = numbers_in(&state);
                if task.vertex == 0 {
                    emitted.extend((i64::from(task.subtask)..numbers[0]).step_by(3));
                } else {
                    kept.extend(numbers);
                }
            }
            emitted.sort_unstable();
            kept.sort_unstable();
            assert_eq!(emitted, kept, "seed {seed}");
            checked += 1;
        }
    }
    assert!(
        checked > 100,
        "{checked} checkpoints are too few to mean anything"
    );
}

/// Goal: after a stop without drain the sinks have exactly what the savepoint says that the sources emitted, and no end of
/// data was made up. Method: many seeds; the stop comes at a random step.
#[test]
fn a_stop_leaves_nothing_behind_its_savepoint() {
    for seed in 0..40 {
        let job = Job::new(SendMode::Overdraft);
        let clock = ManualClock::new(0);
        let as_clock: Arc<dyn Clock> = clock.clone();
        let mut scheduler = SeededScheduler::new(seed, clock);
        let mut deployed = job.deploy(&as_clock, &scheduler.executor());
        for task in std::mem::take(&mut deployed.tasks) {
            scheduler.add(StreamTask::new(task));
        }
        let steps = SeededRandom::new(seed).below(80);
        (0..steps).for_each(|_| assert!(scheduler.step()));
        let stop = barrier(
            1,
            CheckpointKind::Stop {
                format: SavepointFormat::Canonical,
                drain: false,
            },
        );
        deployed.send(&job.source_ids(), TaskControl::TriggerCheckpoint(stop));
        assert!(scheduler.run_until_quiet(10_000));
        let mut emitted = Vec::new();
        for event in deployed.take_events() {
            match event.kind {
                TaskEventKind::Acknowledge(report) if event.task.vertex == 0 => {
                    let next = numbers_in(&report.operators[0].1)[0];
                    emitted.extend((i64::from(event.task.subtask)..next).step_by(2));
                }
                TaskEventKind::EndOfData => panic!("no source came to its end, seed {seed}"),
                _ => {}
            }
        }
        deployed.send_all(TaskControl::Finish);
        assert!(scheduler.run_until_quiet(1000));
        assert_eq!(deployed.count(|k| matches!(k, TaskEventKind::Finished)), 4);
        emitted.sort_unstable();
        assert_eq!(kept(&job.log.take()), emitted, "seed {seed}");
    }
}

/// Goal: a job restored from any of its checkpoints ends as if nothing had happened.
#[test]
fn a_restore_from_any_checkpoint_sees_each_number_once() {
    let mut restores = 0;
    for seed in 0..10 {
        let first = run(&Job::new(SendMode::Overdraft), seed);
        for states in first.complete {
            let mut again = run(
                &Job {
                    restored: states,
                    ..Job::new(SendMode::Overdraft)
                },
                seed + 100,
            );
            let last = again.complete.pop();
            let Some(last) = last else { continue };
            let mut kept: Vec<_> = last
                .iter()
                .filter(|(t, _)| t.vertex == 1)
                .flat_map(|(_, s)| numbers_in(s))
                .collect();
            kept.sort_unstable();
            let positions: Vec<_> = last
                .iter()
                .filter(|(t, _)| t.vertex == 0)
                .flat_map(|(_, s)| numbers_in(s))
                .collect();
            let emitted: Vec<_> = (0..200).filter(|n| *n < positions[*n as usize % 2]).collect();
            assert_eq!(kept, emitted, "seed {seed}");
            restores += 1;
        }
    }
    assert!(restores > 10, "{restores} restores are too few to mean anything");
}

/// Goal: waiting costs no time on a driven clock, and pauses are kept. Method: a source that pauses 10 ms after each poll.
#[test]
fn the_clock_jumps_to_the_next_time_that_somebody_waits_for() {
    let numbers = NumbersConfig {
        end: 30,
        per_poll: 1,
        pause_ms: Some(10),
        watermarks: true,
    };
    let job = Job {
        sources: 1,
        sinks: 1,
        exchange: Exchange::Rebalance,
        numbers,
        timer_ms: Some(1105),
        ..Job::new(SendMode::Overdraft)
    };
    let run = run(&job, 3);
    assert_eq!(kept(&run.log), (0..30).collect::<Vec<_>>());
    let timer = run.log.iter().position(|l| l.starts_with("timer")).unwrap();
    assert_eq!(run.log[timer], "timer at 1105");
    let before = kept(&run.log[..timer]).len();
    assert_eq!(before, 11, "one number every 10 ms from 1000 on");
}
