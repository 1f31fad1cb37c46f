//! The checkpoints that a job can go back to, and what becomes of them: Flink's `DefaultCompletedCheckpointStore`.
//!
//! It keeps the newest few, lets go of older ones, counts who names which shared file, and decides what stays when the job
//! ends. Decisions are made at once; the deleting itself is handed to the storage's background thread.

mod discard;
mod retention;

pub use millpond_core::config::options::ClaimMode;
pub use retention::RetentionPolicy;

use crate::recovery::Recovered;
use crate::registry::SharedFileRegistry;
use crate::result_store::{JobResult, JobStatus};
use crate::storage::{CheckpointLocation, CompletedCheckpoint, FileSystemCheckpointStorage};
use millpond_core::config::options;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::{CheckpointId, Error, Result};
use millpond_state::handle::OperatorSubtaskState;
use std::collections::VecDeque;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct CompletedCheckpointStore {
    storage: Arc<FileSystemCheckpointStorage>,
    retained_max: usize,
    /// Oldest first.
    retained: VecDeque<Retained>,
    registry: SharedFileRegistry,
    /// Damaged checkpoints and remains of unfinished ones, to be deleted once a newer checkpoint is there.
    leftovers: Vec<CheckpointId>,
    /// Aborted ones, of which the mark stays that their number is taken, until a later number is. Also beyond the job's end: a
    /// deletion that was not answered may be carried out when the next process would have that number.
    aborted: Vec<CheckpointId>,
    /// Folders of claimed snapshots: files in them may be deleted although they are not the job's own.
    claimed_roots: Vec<String>,
}

#[derive(Debug)]
struct Retained {
    checkpoint: CompletedCheckpoint,
    owner: Owner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// In the job's own folder.
    Job,
    /// Written by another job or by hand, and ours since it was restored.
    Claimed,
    /// Somebody else's: read, never touched.
    Foreign,
}

impl CompletedCheckpointStore {
    /// A store without checkpoints that keeps the newest `retained_max` of them.
    ///
    /// # Errors
    /// Config when `retained_max` is 0.
    pub fn new(storage: Arc<FileSystemCheckpointStorage>, retained_max: usize) -> Result<Self> {
        if retained_max == 0 {
            return Err(Error::config(
                "start checkpoint store",
                "at least one checkpoint has to be retained",
            )
            .with("key", options::NUM_RETAINED.key)
            .hint("use 1 or more"));
        }
        Ok(CompletedCheckpointStore {
            storage,
            retained_max,
            retained: VecDeque::new(),
            registry: SharedFileRegistry::new(),
            leftovers: Vec::new(),
            aborted: Vec::new(),
            claimed_roots: Vec::new(),
        })
    }

    /// Takes over what [`FileSystemCheckpointStorage::find_latest_intact`] found, and deletes what unfinished checkpoints
    /// left behind. Damaged checkpoints stay until a newer one completes.
    pub fn recover(&mut self, recovered: &Recovered) {
        for checkpoint in recovered.older.iter().rev().chain(&recovered.latest) {
            self.keep(checkpoint.clone(), Owner::Job);
        }
        let damaged = recovered.skipped.iter().map(|s| s.checkpoint_id);
        self.leftovers = damaged.chain(recovered.void.iter().copied()).collect();
        failpoint::reach(Failpoint::RecoveryBegins);
        self.sweep(recovered);
        failpoint::reach(Failpoint::RecoverySwept);
    }

    /// The job starts without any snapshot, its own or a given one: what an earlier process left in `shared/` before its first
    /// checkpoint completed is nobody's. (A snapshot that was given might name it.)
    pub fn start_without_snapshot(&self) {
        self.sweep_shared();
    }

    /// Takes over the snapshot that the job was started from (`run -s`), so that a failure before the first checkpoint goes
    /// back to it.
    pub fn adopt_restored(&mut self, snapshot: CompletedCheckpoint, mode: ClaimMode) {
        let owner = match mode {
            ClaimMode::Claim => Owner::Claimed,
            ClaimMode::NoClaim => Owner::Foreign,
        };
        self.keep(snapshot, owner);
    }

    fn keep(&mut self, checkpoint: CompletedCheckpoint, owner: Owner) {
        if owner == Owner::Claimed {
            self.claim(&checkpoint);
        }
        if owner != Owner::Foreign {
            self.register(&checkpoint);
        }
        // By number, not by when its metadata came to be: of two checkpoints under way at once the later one may be first.
        let id = checkpoint.checkpoint_id();
        let place = self
            .retained
            .partition_point(|r| r.checkpoint.checkpoint_id() < id);
        self.retained.insert(place, Retained { checkpoint, owner });
    }

    fn register(&mut self, checkpoint: &CompletedCheckpoint) {
        let id = checkpoint.checkpoint_id();
        for operator in &checkpoint.metadata().operators {
            operator
                .subtasks
                .values()
                .for_each(|s| self.registry.register(id, s));
        }
    }

    /// Notes the shared files that a task handed in for the pending checkpoint `id`.
    pub fn register_pending(&mut self, id: CheckpointId, state: &OperatorSubtaskState) {
        self.registry.register(id, state);
    }

    /// Deletes what the aborted checkpoint or savepoint `id` has written: its folder, and shared files that nobody else names.
    /// A savepoint that was committed is left alone.
    pub fn abort(&mut self, id: CheckpointId, location: &CheckpointLocation) {
        self.storage.give_up(id);
        self.discard_aborted(id, location);
        let orphans = self.registry.unregister(id);
        self.delete_shared(orphans);
    }

    /// Deletes what a task handed in too late, for a checkpoint that was given up already. Its exclusive files go with the
    /// checkpoint's folder, which they may have brought back to life: `location` is deleted again.
    pub fn discard_late(&mut self, location: &CheckpointLocation, state: &OperatorSubtaskState) {
        self.discard_written(location);
        let orphans = self.registry.unnamed(state);
        self.delete_shared(orphans);
    }

    /// Adds a checkpoint that just completed and lets go of those that are more than are to be retained, be it the one that
    /// was added, since newer ones were quicker. Returns the numbers of those. A savepoint is not added: it belongs to its owner.
    pub fn add(&mut self, checkpoint: CompletedCheckpoint) -> Vec<CheckpointId> {
        if checkpoint.metadata().is_savepoint() {
            return Vec::new();
        }
        self.keep(checkpoint, Owner::Job);
        failpoint::reach(Failpoint::CheckpointRegistered);
        let mut subsumed = Vec::new();
        while self.retained.len() > self.retained_max {
            if let Some(oldest) = self.retained.pop_front() {
                subsumed.push(oldest.checkpoint.checkpoint_id());
                self.discard(&oldest);
            }
        }
        self.discard_leftovers();
        self.forget_aborted();
        self.retain_local_copies();
        subsumed
    }

    /// The newest checkpoint: where a restart goes back to.
    pub fn latest(&self) -> Option<&CompletedCheckpoint> {
        self.retained.back().map(|r| &r.checkpoint)
    }

    /// Whether the job took `checkpoint` itself; otherwise it was started from it.
    pub fn is_own(&self, checkpoint: &CompletedCheckpoint) -> bool {
        let same = |r: &&Retained| r.checkpoint.checkpoint_id() == checkpoint.checkpoint_id();
        self.retained
            .iter()
            .find(same)
            .is_some_and(|r| r.owner == Owner::Job)
    }

    /// All retained checkpoints, newest first.
    pub fn checkpoints(&self) -> impl Iterator<Item = &CompletedCheckpoint> {
        self.retained.iter().rev().map(|r| &r.checkpoint)
    }

    /// The job has ended: records the result of one that finished, then deletes or keeps checkpoints by `policy`, and waits
    /// until that is done.
    ///
    /// All are deleted when the job finished; all stay when it was suspended (its process stops, it will go on); after
    /// cancellation and failure the policy decides.
    ///
    /// # Errors
    /// Io when the result can't be stored: nothing was deleted then, and the call may be repeated.
    pub fn shutdown(&mut self, result: &JobResult, policy: RetentionPolicy) -> Result<()> {
        if result.status == JobStatus::Finished {
            self.storage.write_job_result(result)?;
        }
        if policy.deletes(result.status) {
            for retained in std::mem::take(&mut self.retained) {
                self.discard(&retained);
            }
            self.clear_job_folder(result.status);
        }
        self.storage.wait_for_deletions();
        self.storage.release();
        Ok(())
    }
}
