//! Checkpoints whose barriers overtake records, under the seeded scheduler and by hand.

use super::support::*;
use crate::channel::{SendMode, TaskSignal};
use crate::element::{Batch, RecordBatch, StreamElement};
use crate::in_flight::{InFlightRecorder, RecordCodec, Wanted};
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator};
use crate::task::scheduler::SeededScheduler;
use crate::task::*;
use millpond_checkpoint::barrier::AlignmentType;
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::host::{Clock, ManualClock, SeededRandom};
use millpond_core::{OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::stream::StateHandleReader;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type States = BTreeMap<TaskId, OperatorSubtaskState>;

const TIMEOUT: AlignmentType = AlignmentType::AlignedWithTimeout { timeout_ms: 3 };

/// What a run left.
struct Run {
    log: Vec<String>,
    complete: Vec<States>,
    /// How many tasks' parts of complete checkpoints were unaligned.
    unaligned: usize,
}

/// Runs `job` to its end. One checkpoint is under way at a time; now and then one is given up before the next is begun.
fn run(job: &Job, seed: u64, alignment: AlignmentType) -> Run {
    let clock = ManualClock::new(1000);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let mut scheduler = SeededScheduler::new(seed, clock.clone());
    let mut deployed = job.deploy(&as_clock, &scheduler.executor());
    let tasks = deployed.tasks.len();
    for task in std::mem::take(&mut deployed.tasks) {
        scheduler.add(StreamTask::new(task));
    }
    let mut random = SeededRandom::new(seed ^ 1);
    let (mut current, mut states) = (0, BTreeMap::<u64, States>::new());
    let (mut ends, mut unaligned) = (0, 0);
    while scheduler.step() || ends < tasks {
        if random.chance(1, 4) {
            clock.advance(Duration::from_millis(1));
        }
        let is_done = current == 0 || states.get(&current).is_some_and(|s| s.len() == tasks);
        if random.chance(1, 12) && (is_done || random.chance(1, 6)) {
            if !is_done {
                deployed.send_all(TaskControl::NotifyAborted(current));
            }
            current += 1;
            let trigger = checkpoint_as(current, clock.now_ms(), alignment);
            deployed.send(&job.source_ids(), trigger);
        }
        for event in deployed.take_events() {
            match event.kind {
                TaskEventKind::Acknowledge(report) => {
                    unaligned += usize::from(report.metrics.unaligned);
                    assert_eq!(
                        report.metrics.persisted_bytes,
                        report.operators[0].1.channel_state_size()
                    );
                    let state = report.operators.into_iter().next().unwrap().1;
                    states
                        .entry(report.checkpoint)
                        .or_default()
                        .insert(event.task, state);
                }
                TaskEventKind::EndOfData => ends += 1,
                TaskEventKind::Failed(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        if ends == tasks {
            deployed.send_all(TaskControl::Finish);
            ends += 1;
        }
    }
    Run {
        log: job.log.take(),
        complete: states.into_values().filter(|s| s.len() == tasks).collect(),
        unaligned,
    }
}

fn job() -> Job {
    Job {
        sources: 3,
        overtaking: true,
        ..Job::new(SendMode::Overdraft)
    }
}

/// The numbers that were on their way to a task.
fn in_flight(job: &Job, state: &OperatorSubtaskState) -> Vec<i64> {
    let mut numbers = Vec::new();
    for handle in &state.input_channel {
        let (start, end) = (handle.offsets[0] + 4, handle.offsets[0] + handle.size);
        let bytes = job.streams.read_range(&handle.stream, start..end).unwrap();
        let wanted = Wanted {
            key_groups: None,
            watermarks: true,
        };
        for element in codec().decode(&bytes, wanted).unwrap() {
            if let StreamElement::Records(records) = element {
                numbers.extend(records.downcast::<i64>().unwrap().into_iter().map(|(n, _)| n));
            }
        }
    }
    numbers
}

/// What the sinks of a checkpoint have, and what is on its way to them.
fn at_sinks(job: &Job, states: &States) -> (Vec<i64>, Vec<i64>) {
    let sinks = states.iter().filter(|(task, _)| task.vertex == 1);
    let (mut kept, mut coming) = (Vec::new(), Vec::new());
    for (_, state) in sinks {
        kept.extend(numbers_in(state));
        coming.extend(in_flight(job, state));
    }
    (kept, coming)
}

/// Goal: in every checkpoint the sinks hold exactly the numbers that the sources had emitted, or have them in their channel
/// state. Method: many seeds, barriers that overtake at once and after a timeout.
#[test]
fn every_checkpoint_is_a_consistent_cut() {
    for alignment in [AlignmentType::Unaligned, TIMEOUT] {
        let (mut checked, mut with_records, mut unaligned) = (0, 0, 0);
        for seed in 0..40 {
            let job = job();
            let run = run(&job, seed, alignment);
            unaligned += run.unaligned;
            for states in run.complete {
                let (mut kept, coming) = at_sinks(&job, &states);
                with_records += usize::from(!coming.is_empty());
                kept.extend(coming);
                let sources = states.iter().filter(|(task, _)| task.vertex == 0);
                let mut emitted: Vec<i64> = sources
                    .flat_map(|(task, state)| (i64::from(task.subtask)..numbers_in(state)[0]).step_by(3))
                    .collect();
                emitted.sort_unstable();
                kept.sort_unstable();
                assert_eq!(emitted, kept, "seed {seed} {alignment:?}");
                checked += 1;
            }
        }
        assert!(
            checked > 100 && with_records > 30 && unaligned > 60,
            "{checked} {with_records} {unaligned}"
        );
    }
}

/// Goal: a job restored from any such checkpoint ends with each number once. Method: run on from each to the end.
#[test]
fn a_restore_replays_what_was_in_flight() {
    let mut restores = 0;
    for (seed, alignment) in (0..8).flat_map(|seed| [(seed, AlignmentType::Unaligned), (seed, TIMEOUT)]) {
        let first = job();
        for states in run(&first, seed, alignment).complete {
            let (mut numbers, coming) = at_sinks(&first, &states);
            restores += usize::from(!coming.is_empty());
            let again = Job {
                restored: states,
                streams: first.streams.clone(),
                ..job()
            };
            let log = run(&again, seed + 100, alignment).log;
            numbers.extend(
                log.iter()
                    .filter_map(|l| l.split_once(':')?.1.parse::<i64>().ok()),
            );
            numbers.sort_unstable();
            assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "seed {seed} {alignment:?}");
        }
    }
    assert!(
        restores > 20,
        "{restores} restores with records in flight are too few to mean anything"
    );
}

/// Urges its own task at one number, as a message or a barrier would.
struct Urges {
    signal: Arc<TaskSignal>,
    at: i64,
    seen: Vec<i64>,
}

impl ChainedOperator for Urges {
    type Out = i64;
}

impl OneInputOperator for Urges {
    type In = i64;
    fn process_element(
        &mut self,
        value: i64,
        _timestamp: i64,
        _out: &mut dyn ChainOutput<i64>,
    ) -> Result<()> {
        if value == self.at {
            self.signal.urge();
        }
        self.seen.push(value);
        Ok(())
    }
}

/// Goal: a task leaves a batch soon after something urgent came, and loses none of it. Method: an operator that is urged in
/// the midst of a batch; the rest, taken up again, has all others with their timestamps.
#[test]
fn a_batch_is_left_when_something_urgent_comes() {
    let clock: Arc<dyn Clock> = ManualClock::new(0);
    let signal = TaskSignal::new(SendMode::Overdraft, clock);
    let urges = Urges {
        signal: signal.clone(),
        at: 20,
        seen: Vec::new(),
    };
    let mut chain = head(urges, OperatorId::from_uid("urges"));
    let mut batch = Batch::with_capacity(0);
    (0..100).for_each(|n| batch.push(n, n * 10));
    let interrupt = Interrupt::new(&signal, None);
    let rest = chain
        .process_records(0, RecordBatch::new(batch), interrupt)
        .unwrap();
    let rest = rest.expect("it was interrupted");
    let records: Vec<_> = rest
        .downcast_ref::<i64>()
        .unwrap()
        .iter()
        .map(|(n, t)| (*n, t))
        .collect();
    let after = 2 * RECORDS_BETWEEN_LOOKS as i64;
    assert_eq!(records, (after..100).map(|n| (n, n * 10)).collect::<Vec<_>>());
    assert!(signal.take_urgent());
    assert!(chain.process_records(0, rest, interrupt).unwrap().is_none());
}

/// Goal: a record that its serializer refuses fails the checkpoint, not the task. Method: a recorder without a codec.
#[test]
fn a_record_that_cannot_be_stored_fails_the_checkpoint() {
    let mut channels = vec![channel_from(0)];
    channels[0].codec = None;
    let mut recorder = InFlightRecorder::new(channels);
    recorder.begin(1);
    let mut batch = Batch::with_capacity(0);
    batch.push(1_i64, NONE);
    recorder.record(0, &StreamElement::Records(RecordBatch::new(batch)));
    assert!(recorder.finish().is_err());
}
