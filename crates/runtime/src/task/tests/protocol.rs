//! One task driven by hand: alignment, ends, stops, timers, messages.

use super::support::*;
use crate::channel::SendMode;
use crate::element::{Batch, RecordBatch, StreamElement};
use crate::graph::Exchange;
use crate::task::*;
use millpond_api::Watermark;
use millpond_checkpoint::barrier::{CheckpointKind, CheckpointingMode, SavepointFormat};
use millpond_checkpoint::coordinator::FailureKind;
use millpond_core::host::{Clock, ManualClock};
use std::sync::Arc;
use std::time::Duration;

/// One task of a job, whose other tasks don't run: its channels are driven by hand.
struct Bench {
    task: StreamTask,
    /// The senders into a sink, or the gates behind a source.
    senders: Vec<ChannelSender>,
    gates: Vec<crate::channel::InputGate>,
    deployed: Deployed,
    clock: Arc<ManualClock>,
}

impl Bench {
    /// The first sink of `job`, fed by hand.
    fn sink(job: &Job) -> Bench {
        let (mut deployed, clock) = deploy(job);
        let sink = deployed.tasks.remove(job.sources as usize);
        let (mut senders, mut gates) = (Vec::new(), Vec::new());
        for source in deployed.tasks.drain(..).filter(|t| t.is_source) {
            let TaskDeployment {
                gate, mut outputs, ..
            } = source;
            senders.push(outputs.remove(0).channels.remove(0));
            gates.push(gate);
        }
        Bench {
            task: open(sink),
            senders,
            gates,
            deployed,
            clock,
        }
    }

    /// The first source of `job`, whose outputs are read by hand.
    fn source(job: &Job) -> Bench {
        let (mut deployed, clock) = deploy(job);
        let source = deployed.tasks.remove(0);
        let sinks = deployed.tasks.drain(..).filter(|t| !t.is_source);
        let gates = sinks.map(|t| t.gate).collect();
        Bench {
            task: open(source),
            senders: Vec::new(),
            gates,
            deployed,
            clock,
        }
    }

    /// Steps until there is nothing to do.
    fn run(&mut self) -> Step {
        loop {
            match self.task.step().unwrap() {
                Step::Progress => {}
                other => return other,
            }
        }
    }

    fn records(&mut self, channel: usize, values: &[i64]) {
        let mut batch = Batch::with_capacity(1);
        values.iter().for_each(|v| batch.push(*v, NONE));
        self.senders[channel]
            .send_records(RecordBatch::new(batch))
            .unwrap();
    }

    fn event(&mut self, channel: usize, element: StreamElement) {
        self.senders[channel].send(element).unwrap();
    }

    fn tell(&self, control: TaskControl) {
        self.deployed.mailboxes[&self.task.id()].send(control);
    }

    fn declines(&self) -> Vec<(u64, FailureKind)> {
        let events = self.deployed.take_events();
        let declines = events.into_iter().filter_map(|e| match e.kind {
            TaskEventKind::Decline {
                checkpoint_id, kind, ..
            } => Some((checkpoint_id, kind)),
            _ => None,
        });
        declines.collect()
    }

    /// What the source sent to the sink number `gate`, as text.
    fn sent(&mut self, gate: usize) -> Vec<String> {
        std::iter::from_fn(|| self.gates[gate].next_item())
            .map(|item| match item {
                crate::channel::GateItem::Element {
                    element: StreamElement::Records(b),
                    ..
                } => {
                    let values: Vec<_> = b.downcast::<i64>().unwrap().into_iter().map(|(v, _)| v).collect();
                    format!("{values:?}")
                }
                crate::channel::GateItem::Element {
                    element: StreamElement::Watermark(w),
                    ..
                } => {
                    if w == Watermark::MAX {
                        "w max".into()
                    } else {
                        format!("w{}", w.timestamp)
                    }
                }
                crate::channel::GateItem::Element {
                    element: StreamElement::Barrier(b),
                    ..
                } => {
                    format!("barrier {}", b.checkpoint)
                }
                crate::channel::GateItem::Element {
                    element: StreamElement::CancelBarrier(c),
                    ..
                } => {
                    format!("cancel {c}")
                }
                crate::channel::GateItem::Element {
                    element: StreamElement::EndOfData,
                    ..
                } => "end".into(),
                crate::channel::GateItem::Element { .. } => "other".into(),
                crate::channel::GateItem::Mail(_) | crate::channel::GateItem::Announced { .. } => {
                    "mail".into()
                }
            })
            .collect()
    }
}

fn deploy(job: &Job) -> (Deployed, Arc<ManualClock>) {
    let clock = ManualClock::new(0);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let executor: Arc<dyn SnapshotExecutor> = Arc::new(AtOnce);
    (job.deploy(&as_clock, &executor), clock)
}

fn open(deployment: TaskDeployment) -> StreamTask {
    let mut task = StreamTask::new(deployment);
    assert_eq!(task.step().unwrap(), Step::Progress);
    task
}

fn barrier_1() -> StreamElement {
    StreamElement::Barrier(barrier(1, CheckpointKind::Checkpoint))
}

/// Goal: after its barrier a channel isn't read until the others delivered theirs, and the time is measured.
#[test]
fn alignment_holds_a_channel_back_until_the_others_caught_up() {
    let job = Job::new(SendMode::Overdraft);
    let mut bench = Bench::sink(&job);
    bench.event(0, barrier_1());
    bench.records(0, &[1]);
    bench.records(1, &[2]);
    bench.run();
    assert_eq!(job.log.take(), ["0:2"]);
    bench.clock.advance(Duration::from_millis(40));
    bench.event(1, barrier_1());
    bench.run();
    assert_eq!(job.log.take(), ["snapshot 1", "0:1"]);
    let events = bench.deployed.take_events();
    let report = events
        .iter()
        .find_map(|e| match &e.kind {
            TaskEventKind::Acknowledge(report) => Some(report),
            _ => None,
        })
        .expect("the checkpoint is acknowledged");
    assert_eq!(
        (
            report.checkpoint,
            report.metrics.alignment_ms,
            report.metrics.start_delay_ms
        ),
        (1, 40, 0)
    );
    assert_eq!(numbers_in(&report.operators[0].1), [2]);
    assert_eq!(
        (report.metrics.state_bytes, report.metrics.checkpointed_bytes),
        (8, 8)
    );
    assert_eq!((events[0].attempt, events[0].task), (3, bench.task.id()));
}

#[test]
fn at_least_once_holds_no_channel_back() {
    let job = Job {
        checkpointing: CheckpointingMode::AtLeastOnce,
        ..Job::new(SendMode::Overdraft)
    };
    let mut bench = Bench::sink(&job);
    bench.event(0, barrier_1());
    bench.records(0, &[1]);
    bench.run();
    bench.event(1, barrier_1());
    bench.run();
    assert_eq!(job.log.take(), ["0:1", "snapshot 1"]);
}

/// Goal: an alignment that the coordinator gives up lets the waiting channel go; one that a task upstream gives up is
/// declined.
#[test]
fn an_aborted_alignment_lets_the_channel_go() {
    let job = Job::new(SendMode::Overdraft);
    for upstream in [false, true] {
        let mut bench = Bench::sink(&job);
        bench.event(0, barrier_1());
        bench.records(0, &[1]);
        bench.run();
        assert_eq!(job.log.take(), [""; 0]);
        if upstream {
            bench.event(1, StreamElement::CancelBarrier(1));
            bench.run();
            assert_eq!(job.log.take(), ["0:1"]);
            assert_eq!(bench.declines(), [(1, FailureKind::DeclinedAlignment)]);
        } else {
            bench.tell(TaskControl::NotifyAborted(1));
            bench.run();
            assert_eq!(job.log.take(), ["aborted 1", "0:1"]);
            assert_eq!(bench.declines(), []);
        }
    }
}

/// Goal: the order of an end: largest watermark, the operators' ends, then barriers still pass, then the master's word.
#[test]
fn a_task_ends_when_all_channels_did_and_lives_on_for_checkpoints() {
    let job = Job::new(SendMode::Overdraft);
    let mut bench = Bench::sink(&job);
    bench.event(0, StreamElement::Watermark(Watermark::MAX));
    bench.event(0, StreamElement::EndOfData);
    bench.records(1, &[1]);
    bench.run();
    assert_eq!(job.log.take(), ["0:1"]);
    bench.event(1, StreamElement::EndOfData);
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    assert_eq!(job.log.take(), ["max watermark", "end"]);
    assert_eq!(bench.deployed.count(|k| matches!(k, TaskEventKind::EndOfData)), 1);
    bench.event(0, barrier_1());
    bench.event(1, barrier_1());
    bench.tell(TaskControl::NotifyComplete(0));
    bench.run();
    assert_eq!(job.log.take(), ["complete 0", "snapshot 1"]);
    bench.tell(TaskControl::NotifyComplete(1));
    bench.tell(TaskControl::Finish);
    assert_eq!(bench.run(), Step::Finished);
    bench.task.close(Ok(()));
    assert_eq!(job.log.take(), ["complete 1", "close"]);
    assert_eq!(bench.deployed.count(|k| matches!(k, TaskEventKind::Finished)), 1);
}

/// Goal: a sender's death is no end of data: the operators must not believe that they saw everything.
#[test]
fn a_channel_that_dies_is_not_an_end_of_data() {
    let job = Job::new(SendMode::Overdraft);
    let mut bench = Bench::sink(&job);
    bench.event(0, StreamElement::EndOfData);
    bench.senders.clear();
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    assert_eq!(job.log.take(), [""; 0]);
    assert_eq!(bench.deployed.count(|k| matches!(k, TaskEventKind::EndOfData)), 0);
}

fn one_to_one() -> Job {
    Job {
        sources: 1,
        sinks: 1,
        exchange: Exchange::Forward,
        numbers: NumbersConfig {
            end: 5,
            per_poll: 2,
            pause_ms: Some(10),
            watermarks: true,
        },
        ..Job::new(SendMode::Overdraft)
    }
}

#[test]
fn a_source_sends_its_barrier_between_the_records_before_and_after() {
    let job = one_to_one();
    let mut bench = Bench::source(&job);
    assert_eq!(bench.run(), Step::Idle { until_ms: Some(10) });
    bench.tell(checkpoint(1));
    bench.run();
    assert_eq!(bench.sent(0), ["[0, 1]", "w1", "barrier 1"]);
    bench.clock.advance(Duration::from_millis(10));
    bench.run();
    assert_eq!(bench.sent(0), ["[2, 3]", "w3"]);
    bench.clock.advance(Duration::from_millis(10));
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    bench.tell(checkpoint(2));
    bench.run();
    assert_eq!(bench.sent(0), ["[4]", "w max", "end", "barrier 2"]);
    assert_eq!(
        job.log.take(),
        ["source snapshot 1", "source end", "source snapshot 2"]
    );
    assert_eq!(bench.deployed.count(|k| matches!(k, TaskEventKind::EndOfData)), 1);
}

/// Goal: nothing follows the barrier of a stop, unless the stop fails.
#[test]
fn a_stop_without_drain_freezes_the_source_until_it_is_aborted() {
    let job = one_to_one();
    let mut bench = Bench::source(&job);
    bench.run();
    bench.tell(TaskControl::TriggerCheckpoint(barrier(
        4,
        CheckpointKind::Stop {
            format: SavepointFormat::Canonical,
            drain: false,
        },
    )));
    bench.run();
    bench.clock.advance(Duration::from_millis(50));
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    assert_eq!(bench.sent(0), ["[0, 1]", "w1", "barrier 4"]);
    bench.tell(TaskControl::NotifyAborted(3));
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    bench.tell(TaskControl::NotifyAborted(4));
    assert_eq!(bench.run(), Step::Idle { until_ms: Some(60) });
    assert_eq!(bench.sent(0), ["[2, 3]", "w3"]);
    assert_eq!(job.log.take(), ["source snapshot 4"]);
}

#[test]
fn a_stop_with_drain_ends_the_source_before_its_barrier() {
    let job = one_to_one();
    let mut bench = Bench::source(&job);
    bench.run();
    bench.tell(TaskControl::TriggerCheckpoint(barrier(
        4,
        CheckpointKind::Stop {
            format: SavepointFormat::Canonical,
            drain: true,
        },
    )));
    bench.clock.advance(Duration::from_millis(50));
    bench.run();
    assert_eq!(bench.sent(0), ["[0, 1]", "w max", "end", "barrier 4"]);
    assert_eq!(job.log.take(), ["source end", "source snapshot 4"]);
    bench.tell(TaskControl::NotifyComplete(4));
    bench.tell(TaskControl::Finish);
    assert_eq!(bench.run(), Step::Finished);
}

/// Goal: a timer that fires after the snapshot of a stop would fire again after the restart, so it must not.
#[test]
fn timers_fire_when_due_and_not_after_a_stop() {
    let job = Job {
        timer_ms: Some(30),
        ..Job::new(SendMode::Overdraft)
    };
    let mut bench = Bench::sink(&job);
    assert_eq!(bench.run(), Step::Idle { until_ms: Some(30) });
    let stop = barrier(
        1,
        CheckpointKind::Stop {
            format: SavepointFormat::Canonical,
            drain: false,
        },
    );
    bench.event(0, StreamElement::Barrier(stop));
    bench.event(1, StreamElement::Barrier(stop));
    bench.clock.advance(Duration::from_millis(35));
    assert_eq!(bench.task.step().unwrap(), Step::Progress);
    assert_eq!(job.log.take(), ["timer at 35"]);
    bench.run();
    assert_eq!(job.log.take(), ["snapshot 1"]);

    let mut bench = Bench::sink(&job);
    bench.event(0, StreamElement::Barrier(stop));
    bench.event(1, StreamElement::Barrier(stop));
    bench.run();
    bench.clock.advance(Duration::from_millis(35));
    assert_eq!(bench.run(), Step::Idle { until_ms: None });
    assert_eq!(job.log.take(), ["snapshot 1"]);
    bench.tell(TaskControl::NotifyAborted(1));
    bench.run();
    assert_eq!(job.log.take(), ["aborted 1", "timer at 35"]);
}

/// Goal: a full output stops input, not messages.
#[test]
fn a_task_whose_output_is_full_still_answers_messages() {
    let job = Job {
        numbers: NumbersConfig {
            end: 1000,
            per_poll: 5,
            pause_ms: None,
            watermarks: true,
        },
        ..one_to_one()
    };
    let mut bench = Bench::source(&job);
    assert_eq!(bench.run(), Step::Blocked { until_ms: None });
    let queued = bench.gates[0].queued();
    assert!((4..8).contains(&queued), "{queued}");
    bench.tell(checkpoint(1));
    assert_eq!(bench.run(), Step::Blocked { until_ms: None });
    assert_eq!(bench.gates[0].queued(), queued + 1);
    assert_eq!(job.log.take(), ["source snapshot 1"]);
    assert_eq!(bench.sent(0).last().map(String::as_str), Some("barrier 1"));
    assert_eq!(bench.task.step().unwrap(), Step::Progress);
}

/// Goal: a busy task doesn't keep a batch longer than the buffer timeout. Method: one record a poll, batches of five; the
/// clock alone decides when the first two leave.
#[test]
fn a_busy_task_sends_batches_that_are_not_full_after_the_buffer_timeout() {
    let numbers = NumbersConfig {
        end: 100,
        per_poll: 1,
        pause_ms: None,
        watermarks: false,
    };
    let mut job = Job {
        numbers,
        ..one_to_one()
    };
    job.config.set("execution.buffer-timeout.interval", "50 ms");
    let mut bench = Bench::source(&job);
    bench.clock.advance(Duration::from_millis(49));
    assert_eq!(bench.task.step().unwrap(), Step::Progress);
    assert_eq!(bench.sent(0), [""; 0]);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.task.step().unwrap(), Step::Progress);
    assert_eq!(bench.sent(0), ["[0, 1]"]);
    (0..5).for_each(|_| assert_eq!(bench.task.step().unwrap(), Step::Progress));
    assert_eq!(bench.sent(0), ["[2, 3, 4, 5, 6]"]);
}

#[test]
fn an_option_that_cannot_be_read_fails_the_task_by_name() {
    let mut job = one_to_one();
    job.config.set("execution.buffer-timeout.interval", "soon");
    let (mut deployed, _clock) = deploy(&job);
    let error = StreamTask::new(deployed.tasks.remove(0)).step().unwrap_err();
    assert_eq!(error.context("key"), Some("execution.buffer-timeout.interval"));
}

#[test]
fn only_sources_are_triggered() {
    let job = Job::new(SendMode::Overdraft);
    let mut bench = Bench::sink(&job);
    bench.tell(checkpoint(1));
    bench.run();
    assert_eq!(bench.declines(), [(1, FailureKind::DeclinedNotReady)]);
}
