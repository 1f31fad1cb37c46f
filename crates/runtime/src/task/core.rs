//! What an open task does in one step: messages first, then timers, then one batch or event, or one poll of the source.
//!
//! Three conditions change what it does. *Ended*: its input is over; it still passes barriers and takes snapshots.
//! *Frozen*: a stop with savepoint took its snapshot, and nothing may be emitted that the savepoint doesn't know.
//! *Blocked*: an output is full; only messages are handled.

use super::TaskChain;
use super::checkpointing::{Alignment, Reporter, SubtaskCheckpoints};
use super::deployment::TaskDeployment;
use super::event::{TaskControl, TaskEventKind};
use super::interrupt::Interrupt;
use super::put_off::{PutOff, interrupts_timers};
use super::query::{StateQuery, not_keyed};
use super::stream_task::Step;
use super::visit::{
    broadcast, each_operator, flush, next_processing_timer, outputs_available, use_idle_time,
};
use crate::channel::{GateItem, InputGate};
use crate::element::{RecordBatch, StreamElement, WatermarkStatus};
use crate::graph::{ChainFactory, TaskOutput};
use crate::in_flight::InFlightRecorder;
use crate::operator::{TaskInfo, VisitOrder};
use crate::watermark::{StatusWatermarkValve, ValveOutput};
use millpond_api::{InputStatus, Watermark};
use millpond_checkpoint::align::{AlignAbort, AlignCommand, AlignEvent, BarrierAligner};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind};
use millpond_checkpoint::coordinator::FailureKind;
use millpond_core::config::options;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Configuration, Error, Result};
use millpond_state::query::QueryAnswer;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct TaskCore {
    pub(super) info: TaskInfo,
    pub(super) reporter: Reporter,
    pub(super) gate: InputGate,
    is_source: bool,
    valve: StatusWatermarkValve,
    pub(super) aligner: BarrierAligner,
    /// Gathers the records that barriers overtake.
    in_flight: InFlightRecorder,
    /// Bytes of records processed since the first barrier of the checkpoint that is being aligned.
    processed_bytes: u64,
    checkpoints: SubtaskCheckpoints,
    pub(super) clock: Arc<dyn Clock>,
    /// Which channels have delivered [`StreamElement::EndOfData`].
    channels_ended: Vec<bool>,
    ended: bool,
    in_backlog: bool,
    /// Whether watermarks are put off.
    interrupts_timers: bool,
    /// What waits until the timers have fired that the last watermark made due; `None`: they have.
    pub(super) put_off: Option<PutOff>,
    frozen_by: Option<CheckpointId>,
    /// After so long a busy task sends batches that are not full.
    buffer_timeout_nanos: u64,
    flushed_nanos: u64,
    /// Up to here busy, idle and backpressured time is accounted for.
    pub(super) accounted_nanos: u64,
    pub(super) accounted_backpressure: u64,
}

type Parts = (
    TaskCore,
    Arc<dyn ChainFactory>,
    Vec<TaskOutput>,
    Arc<Configuration>,
);

impl TaskCore {
    pub(super) fn new(deployment: TaskDeployment) -> Parts {
        let metrics = deployment
            .operators
            .iter()
            .map(|o| (o.description.id, o.metrics.clone()))
            .collect();
        let names = deployment
            .operators
            .iter()
            .map(|o| (o.description.id, o.description.name.clone()))
            .collect();
        let TaskDeployment {
            info,
            id,
            gate,
            checkpointing,
            clock,
            ..
        } = deployment;
        let reporter = Reporter {
            task: id,
            attempt: info.attempt,
            events: deployment.events,
            operators: names,
        };
        let channels = gate.channels();
        let now_nanos = clock.monotonic_nanos();
        let core = TaskCore {
            is_source: deployment.is_source,
            valve: StatusWatermarkValve::new(channels),
            aligner: if checkpointing.overtaking {
                BarrierAligner::unaligned(channels)
            } else {
                BarrierAligner::new(checkpointing.mode, channels)
            },
            in_flight: InFlightRecorder::new(deployment.channels),
            processed_bytes: 0,
            checkpoints: SubtaskCheckpoints::new(
                checkpointing,
                clock.clone(),
                gate.signal().clone(),
                reporter.clone(),
                metrics,
            ),
            info,
            reporter,
            gate,
            clock,
            channels_ended: vec![false; channels],
            ended: false,
            in_backlog: false,
            interrupts_timers: false,
            put_off: None,
            frozen_by: None,
            buffer_timeout_nanos: 0,
            flushed_nanos: now_nanos,
            accounted_nanos: now_nanos,
            accounted_backpressure: 0,
        };
        (core, deployment.factory, deployment.outputs, deployment.config)
    }

    /// Reads the options that concern it.
    pub(super) fn configure(&mut self, config: &Configuration) -> Result<()> {
        let timeout: Option<Duration> = config.get(&options::BUFFER_TIMEOUT)?;
        self.buffer_timeout_nanos = timeout.map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX));
        self.interrupts_timers = interrupts_timers(config)?;
        Ok(())
    }

    pub(super) fn step(&mut self, chain: &mut dyn TaskChain) -> Result<Step> {
        let step = self.work(chain)?;
        match step {
            Step::Progress => {
                let now_nanos = self.account_busy();
                if now_nanos.saturating_sub(self.flushed_nanos) >= self.buffer_timeout_nanos {
                    flush(chain)?;
                    self.flushed_nanos = now_nanos;
                }
            }
            Step::Idle { .. } | Step::Finished => {
                flush(chain)?;
                self.flushed_nanos = self.clock.monotonic_nanos();
            }
            Step::Blocked { .. } => {}
        }
        Ok(step)
    }

    fn work(&mut self, chain: &mut dyn TaskChain) -> Result<Step> {
        // Before the look: what comes after it is urgent again.
        self.gate.signal().take_urgent();
        match self.gate.next_notice() {
            Some(GateItem::Mail(control)) => return self.control(chain, control),
            Some(GateItem::Announced { channel, barrier }) => {
                self.align(chain, AlignEvent::Announced { channel, barrier })?;
                return Ok(Step::Progress);
            }
            Some(GateItem::Element { .. }) | None => {}
        }
        let timeout = self.aligner.timeout();
        if let Some((checkpoint, from_ms)) = timeout
            && self.clock.now_ms() >= from_ms
        {
            self.align(chain, AlignEvent::TimedOut { checkpoint })?;
            return Ok(Step::Progress);
        }
        let timeout_ms = timeout.map(|(_, from_ms)| from_ms);
        if !outputs_available(chain)? {
            return Ok(Step::Blocked { until_ms: timeout_ms });
        }
        if self.put_off.is_some() && self.may_emit() {
            self.go_on_with_event_time(chain)?;
            return Ok(Step::Progress);
        }
        let timer = if self.may_emit() {
            next_processing_timer(chain)?
        } else {
            None
        };
        if let Some(due) = timer {
            let now_ms = self.clock.now_ms();
            if due <= now_ms {
                each_operator(chain, VisitOrder::UpstreamFirst, |o| {
                    o.advance_processing_time(now_ms)
                })?;
                return Ok(Step::Progress);
            }
        }
        let source_until = if self.is_source && self.may_emit() {
            let status = chain.poll_source()?;
            self.note_backlog(status != InputStatus::EndOfInput && chain.is_processing_backlog());
            match status {
                InputStatus::MoreAvailable => return Ok(Step::Progress),
                InputStatus::NothingAvailableUntil(until_ms) => Some(until_ms),
                InputStatus::EndOfInput => return self.end_source(chain).map(|()| Step::Progress),
            }
        } else {
            None
        };
        match self.gate.next_item() {
            Some(GateItem::Mail(control)) => self.control(chain, control),
            Some(GateItem::Announced { channel, barrier }) => {
                self.align(chain, AlignEvent::Announced { channel, barrier })?;
                Ok(Step::Progress)
            }
            Some(GateItem::Element {
                channel,
                element,
                persist,
            }) => {
                if persist {
                    self.in_flight.record(channel, &element);
                }
                self.element(chain, channel, element)?;
                Ok(Step::Progress)
            }
            None if use_idle_time(chain)? => Ok(Step::Progress),
            None => Ok(Step::Idle {
                until_ms: timer.into_iter().chain(source_until).chain(timeout_ms).min(),
            }),
        }
    }

    /// Whether the task may emit by itself: not after its end, and not after the snapshot of a stop.
    fn may_emit(&self) -> bool {
        !self.ended && self.frozen_by.is_none()
    }

    fn control(&mut self, chain: &mut dyn TaskChain, control: TaskControl) -> Result<Step> {
        match control {
            TaskControl::TriggerCheckpoint(barrier) => self.trigger(chain, barrier)?,
            TaskControl::NotifyComplete(checkpoint) => {
                failpoint::reach(Failpoint::CompletionNotified);
                self.checkpoints.over(checkpoint, false);
                each_operator(chain, VisitOrder::UpstreamFirst, |o| {
                    o.notify_checkpoint_complete(checkpoint)
                })?;
            }
            TaskControl::NotifyAborted(checkpoint) => {
                self.checkpoints.over(checkpoint, true);
                self.frozen_by.take_if(|by| *by == checkpoint);
                self.align(chain, AlignEvent::Aborted { checkpoint })?;
                each_operator(chain, VisitOrder::UpstreamFirst, |o| {
                    o.notify_checkpoint_aborted(checkpoint)
                })?;
            }
            TaskControl::Query(query) => self.query(chain, query)?,
            TaskControl::Finish => return Ok(Step::Finished),
            TaskControl::Cancel => return Err(Error::cancelled("run task")),
        }
        Ok(Step::Progress)
    }

    /// Looks a key up for somebody outside. What goes wrong is theirs: the task goes on.
    fn query(&mut self, chain: &mut dyn TaskChain, query: StateQuery) -> Result<()> {
        let mut answer = Err(not_keyed());
        each_operator(chain, VisitOrder::UpstreamFirst, |o| {
            if o.operator_id() == query.operator() {
                answer = o.query_state(query.state(), query.key());
            }
            Ok(())
        })?;
        match answer {
            Ok(QueryAnswer::Found(view)) => query.answer(Ok(view)),
            Ok(QueryAnswer::Elsewhere { key_group }) => {
                self.reporter
                    .report(TaskEventKind::QueryElsewhere { query, key_group });
            }
            Err(error) => query.answer(Err(error)),
        }
        Ok(())
    }

    fn element(&mut self, chain: &mut dyn TaskChain, channel: usize, element: StreamElement) -> Result<()> {
        match element {
            StreamElement::Records(batch) => self.records(chain, channel, batch),
            StreamElement::Watermark(watermark) => {
                let output = self.valve.input_watermark(channel, watermark);
                self.event_time(chain, output)
            }
            StreamElement::WatermarkStatus(status) => {
                let output = self.valve.input_status(channel, status);
                self.event_time(chain, output)
            }
            StreamElement::Barrier(barrier) => {
                if self.in_flight.checkpoint() == Some(barrier.checkpoint) {
                    self.gate.stop_persisting(channel);
                }
                self.align(chain, AlignEvent::Barrier { channel, barrier })
            }
            StreamElement::CancelBarrier(checkpoint) => {
                self.align(chain, AlignEvent::CancelBarrier { channel, checkpoint })
            }
            StreamElement::EndOfData => self.end_channel(chain, channel),
            StreamElement::EndOfPartition => self.align(chain, AlignEvent::EndOfPartition { channel }),
        }
    }

    /// Processes a batch up to an interruption; the rest goes back to where it came from.
    fn records(&mut self, chain: &mut dyn TaskChain, channel: usize, batch: RecordBatch) -> Result<()> {
        let (records, bytes) = (batch.len() as u64, batch.bytes());
        let from_ms = self.aligner.timeout().map(|(_, from_ms)| from_ms);
        let interrupt = Interrupt::new(self.gate.signal(), from_ms);
        let rest = chain.process_records(self.gate.input_of(channel), batch, interrupt)?;
        let (records_left, bytes_left) = rest.as_ref().map_or((0, 0), |r| (r.len() as u64, r.bytes()));
        let metrics = self.gate.signal().metrics();
        metrics.add_records_in(records.saturating_sub(records_left));
        if self.aligner.is_aligning() {
            self.processed_bytes += bytes.saturating_sub(bytes_left);
        }
        if let Some(rest) = rest {
            self.gate.put_back(channel, rest);
        }
        Ok(())
    }

    fn note_backlog(&mut self, in_backlog: bool) {
        if std::mem::replace(&mut self.in_backlog, in_backlog) != in_backlog {
            self.reporter.report(TaskEventKind::ProcessingBacklog(in_backlog));
        }
    }

    fn event_time(&mut self, chain: &mut dyn TaskChain, output: ValveOutput) -> Result<()> {
        if let Some(WatermarkStatus::Active) = output.status {
            chain.process_watermark_status(WatermarkStatus::Active)?;
        }
        if let Some(watermark) = output.watermark {
            self.gate
                .signal()
                .metrics()
                .set_current_watermark(watermark.timestamp);
            chain.process_watermark(watermark)?;
            self.put_off = self.interrupts_timers.then(PutOff::default);
        }
        if let Some(WatermarkStatus::Idle) = output.status {
            if let Some(put_off) = &mut self.put_off {
                put_off.becomes_idle = true;
                return Ok(());
            }
            chain.process_watermark_status(WatermarkStatus::Idle)?;
        }
        Ok(())
    }

    fn align(&mut self, chain: &mut dyn TaskChain, event: AlignEvent) -> Result<()> {
        for command in self.aligner.handle(event, self.clock.monotonic_nanos()) {
            match command {
                AlignCommand::Block { channel } => self.gate.block(channel),
                AlignCommand::UnblockAll => self.gate.unblock_all(),
                AlignCommand::Snapshot {
                    barrier,
                    alignment_nanos,
                    unaligned: false,
                    ..
                } => {
                    let processed_bytes = std::mem::take(&mut self.processed_bytes);
                    let alignment = Alignment::Aligned {
                        nanos: alignment_nanos,
                        processed_bytes,
                    };
                    self.checkpoint(chain, &barrier, alignment)?;
                }
                AlignCommand::Snapshot { barrier, .. } => {
                    self.in_flight.begin(barrier.checkpoint);
                    self.checkpoint(chain, &barrier, Alignment::Unaligned)?;
                }
                AlignCommand::Persist { channel } => {
                    let in_flight = &mut self.in_flight;
                    if let Some(checkpoint) = in_flight.checkpoint() {
                        self.gate
                            .persist(channel, checkpoint, |e| in_flight.record(channel, e));
                    }
                }
                AlignCommand::Overtake { channel } => {
                    let in_flight = &mut self.in_flight;
                    if let Some(checkpoint) = in_flight.checkpoint() {
                        self.gate
                            .overtake(channel, checkpoint, |e| in_flight.record(channel, e));
                    }
                }
                AlignCommand::Persisted {
                    checkpoint,
                    alignment_nanos,
                } => {
                    self.stop_persisting();
                    let processed_bytes = std::mem::take(&mut self.processed_bytes);
                    let data = self.in_flight.finish();
                    self.checkpoints
                        .persisted(checkpoint, data, alignment_nanos, processed_bytes);
                }
                AlignCommand::StopPersisting { checkpoint } => {
                    self.stop_persisting();
                    self.in_flight.stop();
                    self.checkpoints.not_persisted(checkpoint);
                }
                AlignCommand::Abort { checkpoint, cause } => {
                    self.processed_bytes = 0;
                    self.give_up(chain, checkpoint, cause)?;
                }
            }
        }
        Ok(())
    }

    fn stop_persisting(&mut self) {
        (0..self.gate.channels()).for_each(|channel| self.gate.stop_persisting(channel));
    }

    fn give_up(
        &mut self,
        chain: &mut dyn TaskChain,
        checkpoint: CheckpointId,
        cause: AlignAbort,
    ) -> Result<()> {
        broadcast(chain, || StreamElement::CancelBarrier(checkpoint))?;
        let why = match cause {
            AlignAbort::Coordinator => return Ok(()),
            AlignAbort::Subsumed => "a newer barrier came first",
            AlignAbort::CancelBarrier => "a task upstream gave the checkpoint up",
            AlignAbort::EndOfInput => "every channel ended before its barrier came",
        };
        let reason = Error::illegal_state("align checkpoint", why)
            .with("checkpoint", checkpoint)
            .with("task", &self.info.task_name);
        self.reporter
            .decline(checkpoint, FailureKind::DeclinedAlignment, reason);
        Ok(())
    }

    /// The master's trigger: for sources.
    fn trigger(&mut self, chain: &mut dyn TaskChain, barrier: CheckpointBarrier) -> Result<()> {
        if !self.is_source {
            let reason = Error::illegal_state("trigger checkpoint", "the task is no source")
                .with("checkpoint", barrier.checkpoint)
                .with("task", &self.info.task_name);
            self.reporter
                .decline(barrier.checkpoint, FailureKind::DeclinedNotReady, reason);
            return Ok(());
        }
        if matches!(barrier.kind, CheckpointKind::Stop { drain: true, .. }) && !self.ended {
            self.end_source(chain)?;
        }
        let alignment = Alignment::Aligned {
            nanos: 0,
            processed_bytes: 0,
        };
        self.checkpoint(chain, &barrier, alignment)
    }

    fn checkpoint(
        &mut self,
        chain: &mut dyn TaskChain,
        barrier: &CheckpointBarrier,
        alignment: Alignment,
    ) -> Result<()> {
        each_operator(chain, VisitOrder::UpstreamFirst, |o| {
            o.prepare_snapshot_pre_barrier()
        })?;
        // Downstream first: it can align while this task takes its snapshot.
        broadcast(chain, || StreamElement::Barrier(*barrier))?;
        if barrier.kind.is_stop() {
            self.frozen_by = Some(barrier.checkpoint);
        }
        self.checkpoints.snapshot(chain, barrier, alignment)
    }

    fn end_channel(&mut self, chain: &mut dyn TaskChain, channel: usize) -> Result<()> {
        let output = self.valve.end_channel(channel);
        self.event_time(chain, output)?;
        if let Some(ended) = self.channels_ended.get_mut(channel) {
            *ended = true;
        }
        if self.ended || self.channels_ended.contains(&false) {
            return Ok(());
        }
        match &mut self.put_off {
            Some(put_off) => put_off.data_ended = true,
            None => self.end_data(chain)?,
        }
        Ok(())
    }

    fn end_source(&mut self, chain: &mut dyn TaskChain) -> Result<()> {
        // An idle source has to be active again, or nobody would heed its last watermark.
        chain.process_watermark_status(WatermarkStatus::Active)?;
        self.gate
            .signal()
            .metrics()
            .set_current_watermark(Watermark::MAX.timestamp);
        chain.process_watermark(Watermark::MAX)?;
        self.end_data(chain)
    }

    pub(super) fn end_data(&mut self, chain: &mut dyn TaskChain) -> Result<()> {
        self.ended = true;
        each_operator(chain, VisitOrder::UpstreamFirst, |o| o.end_input())?;
        broadcast(chain, || StreamElement::EndOfData)?;
        self.reporter.report(TaskEventKind::EndOfData);
        Ok(())
    }
}
