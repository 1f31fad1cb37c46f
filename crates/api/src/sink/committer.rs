//! The second phase: showing what completed checkpoints hold.

use millpond_core::host::Clock;
use millpond_core::{Error, JobId, Result};
use std::fmt;
use std::sync::Arc;

/// What a committer gets when it is created. Flink's `CommitterInitContext`.
pub struct CommitterInitContext<'a> {
    /// The job's id: the same when the job comes back after a crash.
    pub job_id: JobId,
    /// The sink's uid, or its name where it has none.
    pub operator_name: &'a str,
    /// Which parallel instance this is, from 0.
    pub subtask_index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// The checkpoint that the job was restored from, if it was restored by itself.
    pub restored_checkpoint_id: Option<u64>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Publishes what a writer staged. Flink's `Committer`.
///
/// # Contract
/// Requests come in the order of their checkpoints, and within one checkpoint as the writer answered them. A committable may
/// come again after it was committed (a crash lies between); that must change nothing, and
/// [`CommitRequest::signal_already_committed`] says so. A request that is left as it is when `commit` returns counts as committed.
pub trait Committer<C>: 'static {
    /// Commits each request, or signals on it why not.
    ///
    /// # Errors
    /// The task fails; after its restart everything that isn't known as committed comes again.
    fn commit(&mut self, requests: &mut [CommitRequest<C>]) -> Result<()>;
}

/// A committable to be committed, and what became of it. Flink's `Committer.CommitRequest`.
pub struct CommitRequest<C> {
    committable: C,
    retries: u32,
    restored: bool,
    outcome: CommitOutcome,
}

/// What became of a [`CommitRequest`].
#[derive(Debug)]
pub enum CommitOutcome {
    /// It is committed.
    Committed,
    /// It was committed before.
    AlreadyCommitted,
    /// Not yet: it is to be tried again.
    RetryLater,
    /// It never will be, for a reason that the committer knows and accepts.
    FailedWithKnownReason(Error),
    /// It is unknown what is the matter: the task fails.
    FailedWithUnknownReason(Error),
}

impl<C> CommitRequest<C> {
    /// A request that was tried `retries` times before. [`super::CommittableCollector`] makes them, and tests of committers.
    pub fn new(committable: C, retries: u32, restored: bool) -> Self {
        CommitRequest {
            committable,
            retries,
            restored,
            outcome: CommitOutcome::Committed,
        }
    }

    /// What to commit.
    pub fn committable(&self) -> &C {
        &self.committable
    }

    /// How often it was tried before: 0 the first time.
    pub fn number_of_retries(&self) -> u32 {
        self.retries
    }

    /// Whether it comes from the snapshot that the job was restored from, so that it may have been committed before.
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// It will never be committed, and the job goes on all the same: what it stands for is lost. Logged as an error.
    pub fn signal_failed_with_known_reason(&mut self, reason: Error) {
        self.outcome = CommitOutcome::FailedWithKnownReason(reason);
    }

    /// Something is wrong that a restart of the job may mend: the task fails.
    pub fn signal_failed_with_unknown_reason(&mut self, reason: Error) {
        self.outcome = CommitOutcome::FailedWithUnknownReason(reason);
    }

    /// It couldn't be committed now; it is tried again up to `sink.committer.retries` times.
    pub fn retry_later(&mut self) {
        self.outcome = CommitOutcome::RetryLater;
    }

    /// As [`CommitRequest::retry_later`], with something else in its place: what is left of it.
    pub fn update_and_retry_later(&mut self, committable: C) {
        self.committable = committable;
        self.retry_later();
    }

    /// It was committed before, by this job in an earlier life.
    pub fn signal_already_committed(&mut self) {
        self.outcome = CommitOutcome::AlreadyCommitted;
    }

    /// The committable, how often it was tried before, and what became of it.
    pub fn into_parts(self) -> (C, u32, CommitOutcome) {
        (self.committable, self.retries, self.outcome)
    }
}

impl<C: fmt::Debug> fmt::Debug for CommitRequest<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} ({:?}, retries={})",
            self.committable, self.outcome, self.retries
        )
    }
}
