//! The asynchronous part of a task's snapshot: operators' state and channel state are written, in any order, and the last
//! of them acknowledges. Flink's `AsyncCheckpointRunnable`.

use super::checkpointing::{NANOS_PER_MS, Reporter};
use super::deployment::CheckpointStorageAccess;
use super::event::{SubtaskReport, TaskEventKind};
use crate::channel::TaskSignal;
use crate::in_flight::InFlightData;
use crate::operator::{OperatorMetrics, SnapshotFuture, blame};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_checkpoint::coordinator::{FailureKind, SubtaskMetrics};
use millpond_core::hash::HashMap;
use millpond_core::host::Clock;
use millpond_core::{OperatorId, Result};
use millpond_state::handle::{InputChannelStateHandle, OperatorSubtaskState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is left to do of a task's snapshot after its synchronous part.
pub(super) struct Upload {
    pub(super) barrier: CheckpointBarrier,
    pub(super) since_nanos: u64,
    /// Set when the checkpoint was given up.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) storage: Arc<dyn CheckpointStorageAccess>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signal: Arc<TaskSignal>,
    pub(super) reporter: Reporter,
    pub(super) operator_metrics: Arc<HashMap<OperatorId, Arc<OperatorMetrics>>>,
    pub(super) parts: Mutex<Parts>,
}

/// What is written so far.
#[derive(Default)]
pub(super) struct Parts {
    acknowledged: bool,
    metrics: SubtaskMetrics,
    operators: Option<Vec<(OperatorId, OperatorSubtaskState)>>,
    channels: Option<Vec<InputChannelStateHandle>>,
    /// State of operators that was written before others' failed.
    unwanted: Vec<(OperatorId, OperatorSubtaskState)>,
}

impl Parts {
    /// All that was written. As in Flink, what is on its way to a task belongs to the operator that it comes to first.
    fn into_operators(self) -> Vec<(OperatorId, OperatorSubtaskState)> {
        let mut operators = self.operators.unwrap_or(self.unwanted);
        if let (Some((_, first)), Some(channels)) = (operators.first_mut(), self.channels) {
            first.input_channel = channels;
        }
        operators
    }
}

/// What was written and not acknowledged is nobody's: a part was stopped or failed, or the channel state never came.
impl Drop for Upload {
    fn drop(&mut self) {
        let parts = std::mem::take(&mut *self.lock());
        if parts.acknowledged {
            return;
        }
        self.reporter.report(TaskEventKind::Unwanted {
            checkpoint_id: self.barrier.checkpoint,
            operators: parts.into_operators(),
        });
    }
}

impl Upload {
    /// Notes what is known before anything is written; without channel state the operators are all.
    pub(super) fn begin(&self, metrics: SubtaskMetrics, without_channels: bool) {
        let mut parts = self.lock();
        parts.metrics = metrics;
        parts.channels = without_channels.then(Vec::new);
    }

    /// From the trigger to the first barrier, in milliseconds.
    pub(super) fn start_delay_ms(&self) -> u64 {
        self.lock().metrics.start_delay_ms
    }

    /// Writes the operators' state.
    pub(super) fn write_operators(&self, futures: Vec<(OperatorId, SnapshotFuture)>) {
        let _entered = self.span().entered();
        let mut operators = Vec::with_capacity(futures.len());
        let is_whole = self.guarded(|| self.operators(futures, &mut operators));
        let mut parts = self.lock();
        if is_whole {
            parts.operators = Some(operators);
            drop(parts);
            self.acknowledge_if_all();
        } else {
            parts.unwanted = operators;
        }
    }

    /// Writes the channel state.
    pub(super) fn write_channels(&self, data: InFlightData, alignment_ms: u64, processed_bytes: u64) {
        let _entered = self.span().entered();
        let mut channels = Vec::new();
        let write = || {
            if self.is_stopped() {
                return Ok(false);
            }
            let streams = self.storage.stream_factory(&self.barrier)?;
            channels = data.write(self.reporter.task.subtask, &*streams)?;
            Ok(true)
        };
        if !self.guarded(write) {
            return;
        }
        let mut parts = self.lock();
        parts.metrics.alignment_ms = alignment_ms;
        parts.metrics.processed_bytes = processed_bytes;
        parts.metrics.persisted_bytes = channels.iter().map(|h| h.size).sum();
        parts.channels = Some(channels);
        drop(parts);
        self.acknowledge_if_all();
    }

    /// Whether `write` came to its end. It doesn't when it was given up meanwhile (nobody waits for an answer) or failed (declined).
    fn guarded(&self, write: impl FnOnce() -> Result<bool>) -> bool {
        let written = catch_unwind(AssertUnwindSafe(write))
            .unwrap_or_else(|panic| Err(self.reporter.panicked("write snapshot", &*panic)));
        written.unwrap_or_else(|reason| {
            self.reporter
                .decline(self.barrier.checkpoint, FailureKind::TaskSnapshot, reason);
            false
        })
    }

    /// Writes operator by operator; `written` is what is there, also after a failure. Whether it came to the end.
    fn operators(
        &self,
        futures: Vec<(OperatorId, SnapshotFuture)>,
        written: &mut Vec<(OperatorId, OperatorSubtaskState)>,
    ) -> Result<bool> {
        if self.is_stopped() {
            return Ok(false);
        }
        let streams = self.storage.stream_factory(&self.barrier)?;
        for (id, future) in futures {
            if self.is_stopped() {
                return Ok(false);
            }
            written.push((id, blame(&id, || future(&*streams))?));
        }
        Ok(true)
    }

    fn span(&self) -> tracing::Span {
        tracing::info_span!("snapshot", checkpoint = self.barrier.checkpoint, task = %self.reporter.task)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.signal.is_cancelled()
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acknowledge_if_all(&self) {
        let mut parts = self.lock();
        if parts.operators.is_none() || parts.channels.is_none() {
            return;
        }
        let taken = std::mem::take(&mut *parts);
        parts.acknowledged = true;
        drop(parts);
        let parts = taken;
        let mut metrics = parts.metrics;
        let operators = parts.into_operators();
        for (id, state) in &operators {
            let size = state.state_size();
            metrics.state_bytes += size;
            metrics.checkpointed_bytes += state.checkpointed_size();
            if let Some(of_operator) = self.operator_metrics.get(id) {
                of_operator.state_size_bytes.store(size, Ordering::Relaxed);
            }
        }
        metrics.async_ms = self.clock.monotonic_nanos().saturating_sub(self.since_nanos) / NANOS_PER_MS;
        let report = SubtaskReport {
            checkpoint: self.barrier.checkpoint,
            operators,
            metrics,
        };
        self.reporter.report(TaskEventKind::Acknowledge(Box::new(report)));
    }
}
