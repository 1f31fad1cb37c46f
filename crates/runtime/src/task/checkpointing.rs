//! A task's part of a checkpoint: the synchronous part in the task, the asynchronous one beside it, then the word to the
//! master. Flink's `SubtaskCheckpointCoordinatorImpl` and `AsyncCheckpointRunnable`.

use super::deployment::{CheckpointStorageAccess, TaskCheckpointing, TaskEventSink};
use super::driver::panic_error;
use super::event::{SubtaskReport, TaskEvent, TaskEventKind};
use super::visit::each_operator;
use super::{SnapshotJob, TaskChain};
use crate::channel::TaskSignal;
use crate::operator::{OperatorMetrics, SnapshotFuture, VisitOrder, blame, take_blamed};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_checkpoint::coordinator::{FailureKind, SubtaskMetrics, TaskId};
use millpond_core::hash::HashMap;
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Error, OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NANOS_PER_MS: u64 = 1_000_000;

/// Takes the snapshots of one task.
pub(super) struct SubtaskCheckpoints {
    checkpointing: TaskCheckpointing,
    clock: Arc<dyn Clock>,
    signal: Arc<TaskSignal>,
    reporter: Reporter,
    operator_metrics: Arc<HashMap<OperatorId, Arc<OperatorMetrics>>>,
    /// Asynchronous parts under way: set to stop them.
    under_way: BTreeMap<CheckpointId, Arc<AtomicBool>>,
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
        }
    }

    /// The synchronous part, after the barrier went downstream. What fails here declines the checkpoint; the task goes on.
    pub(super) fn snapshot(
        &mut self,
        chain: &mut dyn TaskChain,
        barrier: &CheckpointBarrier,
        alignment_nanos: u64,
    ) {
        let started_nanos = self.clock.monotonic_nanos();
        let alignment_ms = alignment_nanos / NANOS_PER_MS;
        let since_trigger = self.clock.now_ms().saturating_sub(barrier.timestamp_ms);
        let mut futures = Vec::new();
        let taken = each_operator(chain, VisitOrder::UpstreamFirst, |operator| {
            futures.push((operator.operator_id(), operator.snapshot_state(barrier)?));
            Ok(())
        });
        if let Err(reason) = taken {
            self.reporter
                .decline(barrier.checkpoint, FailureKind::TaskSnapshot, reason);
            return;
        }
        let now_nanos = self.clock.monotonic_nanos();
        let metrics = SubtaskMetrics {
            sync_ms: now_nanos.saturating_sub(started_nanos) / NANOS_PER_MS,
            alignment_ms,
            start_delay_ms: u64::try_from(since_trigger)
                .unwrap_or(0)
                .saturating_sub(alignment_ms),
            ..SubtaskMetrics::default()
        };
        self.signal.metrics().set_checkpoint(
            alignment_nanos,
            metrics.start_delay_ms.saturating_mul(NANOS_PER_MS),
        );
        let job = self.async_part(barrier, futures, metrics, now_nanos);
        self.checkpointing.executor.execute(job);
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

    fn async_part(
        &mut self,
        barrier: &CheckpointBarrier,
        futures: Vec<(OperatorId, SnapshotFuture)>,
        metrics: SubtaskMetrics,
        since_nanos: u64,
    ) -> SnapshotJob {
        let stop = Arc::<AtomicBool>::default();
        self.under_way.insert(barrier.checkpoint, stop.clone());
        let part = AsyncPart {
            barrier: *barrier,
            futures,
            metrics,
            since_nanos,
            stop,
            storage: self.checkpointing.storage.clone(),
            clock: self.clock.clone(),
            signal: self.signal.clone(),
            reporter: self.reporter.clone(),
            operator_metrics: self.operator_metrics.clone(),
        };
        Box::new(move || part.run())
    }
}

/// What is left to do of a task's snapshot after its synchronous part.
struct AsyncPart {
    barrier: CheckpointBarrier,
    futures: Vec<(OperatorId, SnapshotFuture)>,
    metrics: SubtaskMetrics,
    since_nanos: u64,
    stop: Arc<AtomicBool>,
    storage: Arc<dyn CheckpointStorageAccess>,
    clock: Arc<dyn Clock>,
    signal: Arc<TaskSignal>,
    reporter: Reporter,
    operator_metrics: Arc<HashMap<OperatorId, Arc<OperatorMetrics>>>,
}

impl AsyncPart {
    fn run(mut self) {
        let task = self.reporter.task;
        let _entered = tracing::info_span!("snapshot", checkpoint = self.barrier.checkpoint, %task).entered();
        let futures = std::mem::take(&mut self.futures);
        let mut operators = Vec::with_capacity(futures.len());
        let written = catch_unwind(AssertUnwindSafe(|| self.write(futures, &mut operators)))
            .unwrap_or_else(|panic| Err(self.reporter.panicked("write snapshot", &*panic)));
        match written {
            Ok(true) => return self.acknowledge(operators),
            // Given up meanwhile: nobody waits for an answer.
            Ok(false) => {}
            Err(reason) => {
                self.reporter
                    .decline(self.barrier.checkpoint, FailureKind::TaskSnapshot, reason);
            }
        }
        self.reporter.report(TaskEventKind::Unwanted {
            checkpoint_id: self.barrier.checkpoint,
            operators,
        });
    }

    /// Writes operator by operator; `written` is what is there, also after a failure. Whether it came to the end.
    fn write(
        &self,
        futures: Vec<(OperatorId, SnapshotFuture)>,
        written: &mut Vec<(OperatorId, OperatorSubtaskState)>,
    ) -> Result<bool> {
        if self.is_stopped() {
            return Ok(false);
        }
        let factory = self.storage.stream_factory(&self.barrier)?;
        for (id, future) in futures {
            if self.is_stopped() {
                return Ok(false);
            }
            written.push((id, blame(&id, || future(&*factory))?));
        }
        Ok(true)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.signal.is_cancelled()
    }

    fn acknowledge(mut self, operators: Vec<(OperatorId, OperatorSubtaskState)>) {
        for (id, state) in &operators {
            let size = state.state_size();
            self.metrics.state_bytes += size;
            self.metrics.checkpointed_bytes += state.checkpointed_size();
            if let Some(metrics) = self.operator_metrics.get(id) {
                metrics.state_size_bytes.store(size, Ordering::Relaxed);
            }
        }
        self.metrics.async_ms = self.clock.monotonic_nanos().saturating_sub(self.since_nanos) / NANOS_PER_MS;
        let report = SubtaskReport {
            checkpoint: self.barrier.checkpoint,
            operators,
            metrics: self.metrics,
        };
        self.reporter.report(TaskEventKind::Acknowledge(Box::new(report)));
    }
}
