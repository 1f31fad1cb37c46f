//! Deleting, within bounds: the job's own folder, and the folders of snapshots that were claimed.
//!
//! What a snapshot's metadata says is not believed here. A path that leads anywhere else is left alone and logged.

use super::{CompletedCheckpointStore, Owner, Retained};
use crate::recovery::Recovered;
use crate::result_store::JobStatus;
use crate::storage::fence::Epochs;
use crate::storage::{CheckpointLocation, CompletedCheckpoint, Deletion, Folder, layout, resolve};
use millpond_core::CheckpointId;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::hash::HashSet;
use millpond_state::handle::{FileStateHandle, StatePath, StreamStateHandle};
use std::collections::BTreeMap;
use std::sync::Arc;

impl CompletedCheckpointStore {
    pub(super) fn claim(&mut self, snapshot: &CompletedCheckpoint) {
        let target = snapshot.location().target();
        self.claimed_roots.push(format!("{}/", target.folder.uri()));
        if let Some(shared) = &target.shared {
            self.claimed_roots.push(format!("{}/", shared.uri()));
        }
    }

    pub(super) fn discard(&mut self, retained: &Retained) {
        match retained.owner {
            Owner::Foreign => return,
            Owner::Job => self.discard_folder(retained.checkpoint.location()),
            Owner::Claimed => self.discard_claimed(&retained.checkpoint),
        }
        let orphans = self.registry.unregister(retained.checkpoint.checkpoint_id());
        failpoint::reach(Failpoint::CheckpointUnregistered);
        self.delete_shared(orphans);
    }

    /// Deletes the folder of a checkpoint of this job, or of a savepoint that was started and never committed.
    pub(super) fn discard_folder(&self, location: &CheckpointLocation) {
        let folder = location.folder();
        let own = format!("{}/", self.storage.job_folder().uri());
        let is_checkpoint = folder
            .uri()
            .strip_prefix(&own)
            .is_some_and(|name| layout::checkpoint_id(name).is_some());
        if is_checkpoint || location.is_draft() {
            self.storage.delete_later(Deletion::Folder(folder.clone()));
        }
    }

    /// Deletes what an aborted checkpoint has written. That its number is taken stays on record until a later one is: another
    /// process that takes over must never give it out again while this one may still be writing or deleting in its folder.
    pub(super) fn discard_aborted(&mut self, id: CheckpointId, location: &CheckpointLocation) {
        self.discard_written(location);
        if !location.is_savepoint() {
            self.aborted.push(id);
        }
    }

    /// Deletes what was written for a checkpoint, but not the mark that its number is taken.
    pub(super) fn discard_written(&self, location: &CheckpointLocation) {
        if location.is_savepoint() || self.storage.fence().is_none() {
            self.discard_folder(location);
        } else {
            self.storage
                .delete_later(Deletion::Aborted(location.folder().clone()));
        }
    }

    pub(super) fn forget_aborted(&mut self) {
        for id in std::mem::take(&mut self.aborted) {
            self.discard_folder(&self.storage.checkpoint(id));
        }
    }

    /// Lets go of local copies of files that the newest checkpoint doesn't name.
    pub(super) fn retain_local_copies(&self) {
        if let (Some(local), Some(latest)) = (self.storage.local_copies(), self.latest()) {
            let deletion = Deletion::LocalCopies(Arc::clone(local), Some(Arc::clone(latest.metadata())));
            self.storage.delete_later(deletion);
        }
    }

    /// Deletes damaged checkpoints, now that a newer one is there.
    pub(super) fn discard_leftovers(&mut self) {
        for id in std::mem::take(&mut self.leftovers) {
            self.discard_folder(&self.storage.checkpoint(id));
        }
    }

    /// Deletes the files that a claimed snapshot names, and its folder only if nothing else is in it.
    fn discard_claimed(&self, snapshot: &CompletedCheckpoint) {
        let folder = snapshot.location().folder();
        let mut names = vec![layout::METADATA_FILE.to_string()];
        let files = snapshot.metadata().streams().filter_map(StreamStateHandle::file);
        names.extend(files.filter_map(|file| match &file.path {
            StatePath::Relative(name) => Some(name.clone()),
            StatePath::Absolute(_) => None,
        }));
        // Channels of one task share a file, and so do merged states.
        let mut seen = HashSet::default();
        names.retain(|n| !n.contains('/') && n != ".." && seen.insert(n.clone()));
        names.push(layout::CHECKSUMS_FILE.to_string());
        self.storage.delete_later(Deletion::Files(folder.clone(), names));
        self.storage.delete_later(Deletion::IfEmpty(folder.clone()));
    }

    /// Deletes shared files that nobody names any more.
    pub(super) fn delete_shared(&self, files: Vec<FileStateHandle>) {
        let here = self.storage.checkpoint(0);
        let mut by_folder: BTreeMap<String, (Folder, Vec<String>)> = BTreeMap::new();
        for file in files {
            if !self.may_delete(&file.path) {
                tracing::warn!(path = ?file.path, "a file outside the job's folder is not deleted");
                continue;
            }
            match resolve(here.target(), &file.path) {
                Ok((folder, name)) => {
                    by_folder
                        .entry(folder.uri().to_string())
                        .or_insert_with(|| (folder, Vec::new()))
                        .1
                        .push(name);
                }
                Err(e) => tracing::warn!(error = %e.report(), "could not delete a shared file"),
            }
        }
        for (folder, names) in by_folder.into_values() {
            self.storage.delete_later(Deletion::Files(folder, names));
        }
    }

    fn may_delete(&self, path: &StatePath) -> bool {
        let StatePath::Absolute(text) = path else {
            return false;
        };
        let own = format!("{}/{}/", self.storage.job_folder().uri(), layout::SHARED_FOLDER);
        std::iter::once(&own).chain(&self.claimed_roots).any(|root| {
            text.strip_prefix(root.as_str())
                .is_some_and(|name| !name.is_empty() && name != ".." && !name.contains('/'))
        })
    }

    /// Deletes what nobody will ever need: remains of checkpoints that were never completed, and shared files that no
    /// checkpoint names. While a damaged checkpoint is around, shared files stay: it may name them.
    pub(super) fn sweep(&mut self, recovered: &Recovered) {
        for id in &recovered.incomplete {
            self.discard_aborted(*id, &self.storage.checkpoint(*id));
        }
        let shared = self.storage.job_folder().child(layout::SHARED_FOLDER);
        // Listed now: later there will be those of this process, too.
        let unfinished = shared.list_unfinished();
        if !unfinished.is_empty() {
            self.storage
                .delete_later(Deletion::Unfinished(shared, unfinished));
        }
        if recovered.latest.is_some() && recovered.skipped.is_empty() {
            self.sweep_shared();
        }
    }

    /// Deletes the shared files that no checkpoint names.
    pub(super) fn sweep_shared(&self) {
        let shared = self.storage.job_folder().child(layout::SHARED_FOLDER);
        let Ok(listing) = shared.list() else {
            return;
        };
        let named = |name: &str| {
            self.registry
                .is_named(&StatePath::Absolute(format!("{}/{name}", shared.uri())))
        };
        let orphans: Vec<String> = listing
            .files
            .into_iter()
            .map(|(n, _)| n)
            .filter(|n| !named(n))
            .collect();
        // Asked after the listing: what was listed before nobody else had the job is not of a later owner.
        if self.storage.check_owner().is_err() {
            return;
        }
        if !orphans.is_empty() {
            tracing::info!(files = orphans.len(), folder = %shared.display(), "deleting shared files that no checkpoint names");
            self.storage.delete_later(Deletion::Files(shared, orphans));
        }
    }

    /// Leaves nothing of the job but its result and, beside it, what its last owner found when he took over: it keeps processes
    /// fenced off that still sleep, even when a request to take the job over is carried out only now.
    pub(super) fn clear_job_folder(&mut self, status: JobStatus) {
        self.leftovers.clear();
        self.aborted.clear();
        let folder = self.storage.job_folder();
        if let Ok(listing) = folder.list() {
            let ours = |n: &str| {
                n == layout::SHARED_FOLDER
                    || n == layout::TASK_OWNED_FOLDER
                    || n == layout::EPOCHS_FOLDER && status != JobStatus::Finished
                    || layout::checkpoint_id(n).is_some()
            };
            for name in listing.folders.iter().filter(|n| ours(n)) {
                self.storage.delete_later(Deletion::Folder(folder.child(name)));
            }
        }
        if let (JobStatus::Finished, Ok(epochs)) = (status, Epochs::read(folder)) {
            let (folder, names) = epochs.all_but_last_start();
            self.storage.delete_later(Deletion::Files(folder, names));
        }
        self.storage.delete_later(Deletion::IfEmpty(folder.clone()));
        if let Some(local) = self.storage.local_copies() {
            self.storage
                .delete_later(Deletion::LocalCopies(Arc::clone(local), None));
        }
    }
}
