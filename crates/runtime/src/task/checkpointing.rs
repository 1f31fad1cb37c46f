//! A task's part of a checkpoint: the synchronous part in the task, the asynchronous one beside it, then the word to the
//! master. Flink's `SubtaskCheckpointCoordinatorImpl` and `AsyncCheckpointRunnable`.

use super::TaskChain;
use super::deployment::{TaskCheckpointing, TaskEventSink};
use super::driver::panic_error;
use super::event::{TaskEvent, TaskEventKind};
use super::upload::Upload;
use super::visit::each_operator;
use crate::channel::TaskSignal;
use crate::in_flight::InFlightData;
use crate::operator::{OperatorMetrics, VisitOrder, take_blamed};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_checkpoint::coordinator::{FailureKind, SubtaskMetrics, TaskId};
use millpond_core::hash::HashMap;
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Error, OperatorId, Result};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(super) const NANOS_PER_MS: u64 = 1_000_000;

/// Takes the snapshots of one task.
pub(super) struct SubtaskCheckpoints {
    checkpointing: TaskCheckpointing,
    clock: Arc<dyn Clock>,
    signal: Arc<TaskSignal>,
    reporter: Reporter,
    operator_metrics: Arc<HashMap<OperatorId, Arc<OperatorMetrics>>>,
    /// Asynchronous parts under way: set to stop them.
    under_way: BTreeMap<CheckpointId, Arc<AtomicBool>>,
    /// The upload that waits for its channel state.
    waiting: Option<Arc<Upload>>,
}

/// How the barriers of a snapshot came.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alignment {
    /// Every channel was read through its barrier.
    Aligned {
        /// From the first barrier to the last.
        nanos: u64,
        /// Bytes of records that were processed meanwhile.
        processed_bytes: u64,
    },
    /// Barriers overtook records; [`SubtaskCheckpoints::persisted`] tells the rest.
    Unaligned,
}

/// Tells the master.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    pub(super) events: TaskEventSink,
    /// The operators' names, for errors.
    pub(super) operators: Arc<[(OperatorId, String)]>,
}

impl Reporter {
    pub(super) fn report(&self, kind: TaskEventKind) {
        (self.events)(TaskEvent {
            task: self.task,
            attempt: self.attempt,
            kind,
        });
    }
    /// The error of a panic just caught on this thread.
    pub(super) fn panicked(&self, operation: &'static str, panic: &(dyn Any + Send)) -> Error {
        let error = panic_error(operation, panic);
        let blamed = take_blamed();
        match self.operators.iter().find(|(id, _)| Some(*id) == blamed) {
            Some((_, name)) => error.with("operator", name),
            None => error,
        }
    }
    pub(super) fn decline(&self, checkpoint_id: CheckpointId, kind: FailureKind, reason: Error) {
        self.report(TaskEventKind::Decline {
            checkpoint_id,
            kind,
            reason,
        });
    }
}

impl SubtaskCheckpoints {
    pub(super) fn new(
        checkpointing: TaskCheckpointing,
        clock: Arc<dyn Clock>,
        signal: Arc<TaskSignal>,
        reporter: Reporter,
        operator_metrics: HashMap<OperatorId, Arc<OperatorMetrics>>,
    ) -> Self {
        SubtaskCheckpoints {
            checkpointing,
            clock,
            signal,
            reporter,
            operator_metrics: Arc::new(operator_metrics),
            under_way: BTreeMap::new(),
            waiting: None,
        }
    }

    /// The synchronous part, after the barrier went downstream.
    ///
    /// # Errors
    /// Those of the operators. The task can't go on after one: some operators have put aside what belongs to the snapshot, as a
    /// sink does with what it prepared to commit, and nobody would ever ask for it again.
    pub(super) fn snapshot(
        &mut self,
        chain: &mut dyn TaskChain,
        barrier: &CheckpointBarrier,
        alignment: Alignment,
    ) -> Result<()> {
        let started_nanos = self.clock.monotonic_nanos();
        let since_trigger = self.clock.now_ms().saturating_sub(barrier.timestamp_ms);
        let since_trigger = u64::try_from(since_trigger).unwrap_or(0);
        let mut futures = Vec::new();
        each_operator(chain, VisitOrder::UpstreamFirst, |operator| {
            futures.push((operator.operator_id(), operator.snapshot_state(barrier)?));
            Ok(())
        })
        .map_err(|e| e.with("checkpoint", barrier.checkpoint))?;
        let now_nanos = self.clock.monotonic_nanos();
        let mut metrics = SubtaskMetrics {
            sync_ms: now_nanos.saturating_sub(started_nanos) / NANOS_PER_MS,
            start_delay_ms: since_trigger,
            ..SubtaskMetrics::default()
        };
        if let Alignment::Aligned {
            nanos,
            processed_bytes,
        } = alignment
        {
            metrics.alignment_ms = nanos / NANOS_PER_MS;
            metrics.start_delay_ms = since_trigger.saturating_sub(metrics.alignment_ms);
            metrics.processed_bytes = processed_bytes;
            self.show(nanos, metrics.start_delay_ms);
        }
        let stop = Arc::<AtomicBool>::default();
        self.under_way.insert(barrier.checkpoint, stop.clone());
        let upload = Arc::new(Upload {
            barrier: *barrier,
            since_nanos: now_nanos,
            stop,
            storage: self.checkpointing.storage.clone(),
            clock: self.clock.clone(),
            signal: self.signal.clone(),
            reporter: self.reporter.clone(),
            operator_metrics: self.operator_metrics.clone(),
            parts: Mutex::default(),
        });
        match alignment {
            Alignment::Aligned { .. } => upload.begin(metrics, true),
            Alignment::Unaligned => {
                metrics.unaligned = true;
                upload.begin(metrics, false);
                self.waiting = Some(upload.clone());
            }
        }
        self.checkpointing
            .executor
            .execute(Box::new(move || upload.write_operators(futures)));
        Ok(())
    }

    /// The channel state of a checkpoint whose snapshot was taken is known.
    pub(super) fn persisted(
        &mut self,
        checkpoint: CheckpointId,
        data: Result<InFlightData>,
        alignment_nanos: u64,
        processed_bytes: u64,
    ) {
        let waiting = self.waiting.take().filter(|u| u.barrier.checkpoint == checkpoint);
        let Some(upload) = waiting else { return };
        self.show(alignment_nanos, upload.start_delay_ms());
        match data {
            Ok(data) => {
                let alignment_ms = alignment_nanos / NANOS_PER_MS;
                self.checkpointing.executor.execute(Box::new(move || {
                    upload.write_channels(data, alignment_ms, processed_bytes);
                }));
            }
            Err(reason) => {
                self.over(checkpoint, true);
                self.reporter
                    .decline(checkpoint, FailureKind::TaskSnapshot, reason);
            }
        }
    }

    /// Notes in the task's metrics how its last checkpoint began.
    fn show(&self, alignment_nanos: u64, start_delay_ms: u64) {
        let start_delay_nanos = start_delay_ms.saturating_mul(NANOS_PER_MS);
        self.signal
            .metrics()
            .set_checkpoint(alignment_nanos, start_delay_nanos);
    }

    /// The channel state of a checkpoint will never be known.
    pub(super) fn not_persisted(&mut self, checkpoint: CheckpointId) {
        self.waiting.take_if(|u| u.barrier.checkpoint == checkpoint);
        self.over(checkpoint, true);
    }

    /// The checkpoint is over for this task: complete, or given up, which stops its upload.
    pub(super) fn over(&mut self, checkpoint: CheckpointId, aborted: bool) {
        if let Some(stop) = self.under_way.remove(&checkpoint) {
            stop.store(aborted, Ordering::Relaxed);
        }
        if !aborted {
            // Older ones never complete after a newer one has.
            self.under_way.retain(|id, _| *id > checkpoint);
        }
    }
}
