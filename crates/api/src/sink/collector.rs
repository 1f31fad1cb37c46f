//! Committables from the barrier that they were prepared at to their commit: what an engine does with a sink's committer.
//!
//! All of them are in every snapshot until they are committed. A restored instance takes those of the instances whose number
//! leaves its own when divided by the parallelism: who commits what is clear without a word between instances, and a writer
//! that names what it stages by its number finds exactly its own leftovers.

use super::{CommitOutcome, CommitRequest, Committer};
use crate::function::{Counter, MetricGroup};
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::descriptor::ListStateDescriptor;
use millpond_state::operator_state::{OperatorListState, OperatorStateBackend};
use millpond_types::StateType;

/// The name of the committables' state: checkpoint, instance that made it, committable.
const COMMITTABLES_STATE: &str = "millpond-sink-committables";

/// The second phase of one instance: committables by checkpoint, in state until they are committed. Flink's
/// `CommittableCollector` with the `CommitterOperator` around it.
///
/// The engine holds one beside every writer whose sink has a committer; so does a test of a sink.
pub struct CommittableCollector<C> {
    committer: Box<dyn Committer<C>>,
    retries_max: u32,
    subtask: i32,
    pending: Vec<Pending<C>>,
    state: OperatorListState<Pending<C>>,
    counters: Counters,
}

/// A committable with the checkpoint that it belongs to and the instance that made it.
type Pending<C> = (i64, i32, C);

struct Counters {
    total: Counter,
    successful: Counter,
    retried: Counter,
    already_committed: Counter,
    failed: Counter,
}

impl<C: StateType> CommittableCollector<C> {
    /// Opens the state of instance `subtask_index` of `parallelism`, and commits what was restored of its committables.
    ///
    /// # Errors
    /// As [`CommittableCollector::complete`]; Incompatible when the restored committables are of another type.
    pub fn open(
        committer: Box<dyn Committer<C>>,
        state: &mut OperatorStateBackend,
        (subtask_index, parallelism): (u32, u32),
        retries_max: u32,
        metrics: &MetricGroup,
    ) -> Result<Self> {
        let state = state.union_list_state(&ListStateDescriptor::<Pending<C>>::new(COMMITTABLES_STATE))?;
        let own = i64::from(subtask_index);
        let mut pending = state.get()?;
        pending
            .retain(|(_, subtask, _)| i64::from(*subtask).rem_euclid(i64::from(parallelism.max(1))) == own);
        pending.sort_by_key(|(checkpoint, _, _)| *checkpoint);
        let mut collector = CommittableCollector {
            committer,
            retries_max,
            subtask: i32::try_from(subtask_index).unwrap_or(i32::MAX),
            pending,
            state,
            counters: Counters::of(metrics),
        };
        collector.commit_up_to(i64::MAX, true)?;
        Ok(collector)
    }

    /// Takes what the writer prepared for a checkpoint into what the next snapshot holds.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn add(&mut self, checkpoint_id: u64, committables: Vec<C>) -> Result<()> {
        self.counters.total.inc_by(committables.len() as u64);
        let id = as_stored(checkpoint_id);
        self.pending
            .extend(committables.into_iter().map(|c| (id, self.subtask, c)));
        self.state.update(self.pending.clone())
    }

    /// Commits everything of the checkpoints up to this one.
    ///
    /// # Errors
    /// What the committer failed with, and Io when something can't be committed after as many retries as are allowed. Whatever
    /// isn't known as committed comes again after a restore.
    pub fn complete(&mut self, checkpoint_id: u64) -> Result<()> {
        self.commit_up_to(as_stored(checkpoint_id), false)
    }

    /// The oldest checkpoint first, and the next one only when nothing of it is left.
    fn commit_up_to(&mut self, checkpoint_id: i64, restored: bool) -> Result<()> {
        while let Some(oldest) = self.pending.first().map(|(id, _, _)| *id)
            && oldest <= checkpoint_id
        {
            let requests: Vec<_> = self
                .pending
                .extract_if(.., |(id, _, _)| *id == oldest)
                .map(|(_, _, committable)| CommitRequest::new(committable, 0, restored))
                .collect();
            self.commit(requests).map_err(|e| e.with("checkpoint", oldest))?;
        }
        self.state.update(self.pending.clone())
    }

    fn commit(&mut self, mut requests: Vec<CommitRequest<C>>) -> Result<()> {
        loop {
            self.committer.commit(&mut requests)?;
            let mut left = Vec::new();
            for request in requests {
                left.extend(self.settle(request)?);
            }
            if left.is_empty() {
                return Ok(());
            }
            self.counters.retried.inc_by(left.len() as u64);
            requests = left;
        }
    }

    /// Counts what became of a request; answers it if it is to be tried again.
    fn settle(&self, request: CommitRequest<C>) -> Result<Option<CommitRequest<C>>> {
        let counters = &self.counters;
        let restored = request.is_restored();
        let (committable, retries, outcome) = request.into_parts();
        match outcome {
            CommitOutcome::Committed => counters.successful.inc(),
            CommitOutcome::AlreadyCommitted => counters.already_committed.inc(),
            CommitOutcome::FailedWithKnownReason(reason) => {
                counters.failed.inc();
                tracing::error!(error = %reason.report(), "something that a checkpoint holds can't be committed: it is lost");
            }
            CommitOutcome::FailedWithUnknownReason(reason) => {
                counters.failed.inc();
                return Err(reason);
            }
            CommitOutcome::RetryLater if retries < self.retries_max => {
                let again = CommitRequest::new(committable, retries.saturating_add(1), restored);
                return Ok(Some(again));
            }
            CommitOutcome::RetryLater => {
                return Err(Error::new(
                    ErrorKind::Io,
                    "commit",
                    "what a checkpoint holds can't be committed for the moment",
                )
                .with("tries", retries.saturating_add(1))
                .hint("nothing is lost: it is in the checkpoint and is committed after a restart"));
            }
        }
        Ok(None)
    }
}

impl Counters {
    fn of(metrics: &MetricGroup) -> Self {
        Counters {
            total: metrics.counter("totalCommittables"),
            successful: metrics.counter("successfulCommittables"),
            retried: metrics.counter("retriedCommittables"),
            already_committed: metrics.counter("alreadyCommittedCommittables"),
            failed: metrics.counter("failedCommittables"),
        }
    }
}

fn as_stored(checkpoint_id: u64) -> i64 {
    i64::try_from(checkpoint_id).unwrap_or(i64::MAX)
}
