//! What time and circumstances make due: expiries, periodic checkpoints, the final checkpoint, savepoints on request.
//!
//! Called after every event, so that no rule depends on a timer firing at the right moment.

use super::command::{CoordinatorCommand, FinishReason};
use super::event::SavepointToken;
use super::failure::{FailureKind, FailureReason};
use super::history::{CheckpointStats, CheckpointStatus};
use super::pending::Pending;
use super::{CheckpointCoordinator, Commands, Phase};
use crate::barrier::{AlignmentType, CheckpointBarrier, CheckpointKind, CheckpointingMode};
use millpond_core::CheckpointId;
use std::collections::BTreeMap;

/// Who wants a checkpoint, and as what.
struct Request {
    kind: CheckpointKind,
    is_final: bool,
    token: Option<SavepointToken>,
    target: Option<String>,
}

impl<S: Clone> CheckpointCoordinator<S> {
    /// Does everything that is due now.
    pub(super) fn advance(&mut self, out: &mut Commands<S>) {
        self.expire(out);
        if self.may_restore() {
            self.phase = Phase::Down { restore_asked: false };
            out.push(CoordinatorCommand::MayRestore);
        }
        if self.phase != Phase::Running || self.is_stopping() {
            return;
        }
        let now = self.clock.now();
        if self.all_ended() {
            if !self.config.final_checkpoint {
                self.finish(FinishReason::EndOfData, out);
            } else if !self.has_final() && now >= self.schedule.final_due() {
                let kind = CheckpointKind::Checkpoint;
                self.trigger(
                    Request {
                        kind,
                        is_final: true,
                        token: None,
                        target: None,
                    },
                    out,
                );
            }
        } else if self.pending.len() < self.config.max_concurrent.max(1)
            && self.periodic_due().is_some_and(|due| now >= due)
        {
            let interval = self.config.interval_ms(!self.in_backlog.is_empty());
            self.schedule.periodic_triggered(interval, now);
            let kind = CheckpointKind::Checkpoint;
            self.trigger(
                Request {
                    kind,
                    is_final: false,
                    token: None,
                    target: None,
                },
                out,
            );
        }
    }

    /// When `advance` will next find something, on the steady clock.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        let expiry = self
            .pending
            .values()
            .filter(|p| !p.storing)
            .map(|p| p.expires_at)
            .min();
        let trigger = if self.phase != Phase::Running || self.is_stopping() {
            None
        } else if self.all_ended() {
            (!self.has_final()).then(|| self.schedule.final_due())
        } else if self.pending.len() < self.config.max_concurrent.max(1) {
            self.periodic_due()
        } else {
            None
        };
        expiry.into_iter().chain(trigger).min()
    }

    /// A savepoint (or a checkpoint by hand) was asked for: not held back by interval, pause or concurrency.
    pub(super) fn savepoint_requested(
        &mut self,
        token: SavepointToken,
        kind: CheckpointKind,
        target: Option<String>,
        out: &mut Commands<S>,
    ) {
        let refusal = match self.phase {
            Phase::Down { .. } => Some("the job is not running; ask again when it is"),
            Phase::Over => Some("the job has ended"),
            Phase::Running if self.is_stopping() => Some("the job is being stopped with a savepoint"),
            Phase::Running => None,
        };
        if let Some(detail) = refusal {
            let reason = FailureReason::new(FailureKind::NotPossible, detail);
            out.push(CoordinatorCommand::SavepointFailed {
                token,
                checkpoint: None,
                reason,
            });
        } else {
            self.trigger(
                Request {
                    kind,
                    is_final: false,
                    token: Some(token),
                    target,
                },
                out,
            );
        }
    }

    /// Whether a stop-with-savepoint is under way: its sources are silent, so nothing else is triggered meanwhile.
    pub fn is_stopping(&self) -> bool {
        self.pending.values().any(|p| p.barrier.kind.is_stop())
    }

    pub(super) fn is_storing(&self) -> bool {
        self.pending.values().any(|p| p.storing)
    }

    fn periodic_due(&self) -> Option<i64> {
        let all_run = self.ended.is_empty() || self.config.checkpoints_after_tasks_finish;
        self.schedule.periodic_due().filter(|_| all_run)
    }

    fn may_restore(&self) -> bool {
        self.phase == Phase::Down { restore_asked: true } && !self.is_storing()
    }

    fn all_ended(&self) -> bool {
        !self.plan.tasks.is_empty() && self.ended.len() == self.plan.tasks.len()
    }

    fn has_final(&self) -> bool {
        self.pending.values().any(|p| p.is_final)
    }

    fn expire(&mut self, out: &mut Commands<S>) {
        let now = self.clock.now();
        let expired: Vec<CheckpointId> = self
            .pending
            .iter()
            .filter(|(_, p)| !p.storing && now >= p.expires_at)
            .map(|(id, _)| *id)
            .collect();
        for checkpoint in expired {
            let missing = self
                .pending
                .get(&checkpoint)
                .map_or(0, |p| self.plan.tasks.len() - p.states.len());
            let timeout = self.config.timeout_ms;
            let detail = format!("timeout_ms={timeout} missing_acknowledgements={missing}");
            self.abort_unless_storing(checkpoint, FailureReason::new(FailureKind::Expired, detail), out);
        }
    }

    /// Savepoints and the final checkpoint are aligned, and so is one beside another: a barrier must not overtake that one's.
    fn alignment_of(&self, request: &Request) -> AlignmentType {
        let may_overtake = request.kind == CheckpointKind::Checkpoint
            && !request.is_final
            && self.pending.is_empty()
            && self.config.mode == CheckpointingMode::ExactlyOnce;
        if self.config.unaligned && may_overtake {
            match self.config.aligned_timeout_ms {
                ..=0 => AlignmentType::Unaligned,
                timeout_ms => AlignmentType::AlignedWithTimeout { timeout_ms },
            }
        } else {
            AlignmentType::Aligned
        }
    }

    fn trigger(&mut self, request: Request, out: &mut Commands<S>) {
        let checkpoint = self.next_checkpoint;
        self.next_checkpoint = checkpoint.saturating_add(1);
        let now = self.clock.now();
        let barrier = CheckpointBarrier {
            checkpoint,
            timestamp_ms: self.clock.wall_ms(),
            kind: request.kind,
            alignment: self.alignment_of(&request),
        };
        let stats = CheckpointStats {
            checkpoint,
            kind: request.kind,
            is_final: request.is_final,
            status: CheckpointStatus::InProgress,
            trigger_ms: barrier.timestamp_ms,
            latest_ack_ms: None,
            end_to_end_ms: 0,
            subtasks: self.plan.tasks.len(),
            state_bytes: 0,
            checkpointed_bytes: 0,
            persisted_bytes: 0,
            processed_bytes: 0,
            unaligned: false,
            tasks: BTreeMap::new(),
            path: None,
            failure: None,
        };
        let pending = Pending {
            barrier,
            is_final: request.is_final,
            token: request.token,
            target: request.target.clone(),
            attempt: self.attempt,
            triggered_at: now,
            expires_at: now.saturating_add(self.config.timeout_ms.max(1)),
            states: BTreeMap::new(),
            storing: false,
            stats,
        };
        self.pending.insert(checkpoint, pending);
        self.history.triggered();
        out.push(CoordinatorCommand::TriggerSources {
            barrier,
            sources: self.plan.sources.iter().copied().collect(),
            target: request.target,
        });
    }
}
