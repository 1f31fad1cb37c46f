//! Finds the checkpoint that a job goes on from: the newest one that is whole.
//!
//! Three kinds of folders are told apart. One without `_metadata` never was a checkpoint. One whose files don't match their
//! checksums, or are missing, is damaged: it is named in one warning and the next older one is tried. If all are damaged the
//! job doesn't start, since starting empty would silently lose everything. Failures of the medium are none of these: they
//! are returned, because a checkpoint that can't be read now may be whole.

use crate::storage::fence::{Epochs, epoch_of_claim, rules::Takeovers};
use crate::storage::{
    CheckpointLocation, CompletedCheckpoint, FileSystemCheckpointStorage, Verify, layout, read_checkpoint,
};
use millpond_core::{CheckpointId, Error, ErrorKind, Result};

/// What [`FileSystemCheckpointStorage::find_latest_intact`] found in the job's folder.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The newest checkpoint that is whole, every file of it verified. `None`: the job never completed a checkpoint.
    pub latest: Option<CompletedCheckpoint>,
    /// Older ones, newest first, of which only `_metadata` was read.
    pub older: Vec<CompletedCheckpoint>,
    /// Damaged ones, newest first.
    pub skipped: Vec<Skipped>,
    /// Those of a process that was not the job's owner any more when they came to exist.
    pub void: Vec<CheckpointId>,
    /// Folders of checkpoints that were never completed.
    pub incomplete: Vec<CheckpointId>,
    /// The first number that no folder has taken; 1 for a fresh job.
    pub next_checkpoint_id: CheckpointId,
}

/// A damaged checkpoint.
#[derive(Debug)]
pub struct Skipped {
    /// Its number.
    pub checkpoint_id: CheckpointId,
    /// Its folder.
    pub path: String,
    /// What is wrong; its context names the file (`path`) and the checkpoint (`checkpoint`).
    pub error: Error,
}

impl FileSystemCheckpointStorage {
    /// Finds the newest checkpoint of the job that is whole, and warns once of each damaged one.
    ///
    /// # Errors
    /// Corrupt when there are checkpoints and none is whole: the text says what is damaged and what to do. Io when the
    /// folder or a file can't be read now (try again). Unsupported when a checkpoint was written by a newer release.
    pub fn find_latest_intact(&self) -> Result<Recovered> {
        let mut found = Recovered::default();
        let mut ids: Vec<_> = self
            .job_folder()
            .list()?
            .folders
            .iter()
            .filter_map(|f| layout::checkpoint_id(f))
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        found.next_checkpoint_id = ids.first().map_or(1, |id| id.saturating_add(1));
        let takeovers = Epochs::read(self.job_folder())?.takeovers()?;
        for id in ids {
            if self.is_given_up(id) {
                found.incomplete.push(id);
                continue;
            }
            if self.is_void(id, &takeovers)? {
                // Looked at once: its writer may be at work still, and what comes to exist meanwhile doesn't count either.
                let folder = self.checkpoint(id).folder().clone();
                if folder.size(layout::METADATA_FILE)?.is_some() {
                    tracing::warn!(checkpoint = id, folder = %folder.display(), "checkpoint of a process that was not the owner of the job any more skipped");
                    found.void.push(id);
                } else {
                    found.incomplete.push(id);
                }
                continue;
            }
            self.look_at(id, &mut found)?;
        }
        if found.latest.is_none() && !found.skipped.is_empty() {
            return Err(none_intact(self, &found.skipped));
        }
        if let Some(fence) = self.fence() {
            let newest = found.latest.as_ref();
            fence.begin(newest.map_or(0, CompletedCheckpoint::checkpoint_id), takeovers)?;
        }
        Ok(found)
    }

    /// Whether the checkpoint doesn't count, now that it exists or when it will.
    fn is_void(&self, id: CheckpointId, takeovers: &Takeovers) -> Result<bool> {
        if !takeovers.may_void(id) {
            return Ok(false);
        }
        let epoch = match self.checkpoint(id).folder().get(layout::CLAIM_FILE) {
            Ok(claim) => epoch_of_claim(&claim).unwrap_or(0),
            Err(e) if e.kind() == ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        Ok(takeovers.is_void(epoch, id))
    }

    fn look_at(&self, id: CheckpointId, found: &mut Recovered) -> Result<()> {
        let location = self.checkpoint(id);
        if location.folder().size(layout::METADATA_FILE)?.is_none() {
            found.incomplete.push(id);
            return Ok(());
        }
        let verify = if found.latest.is_none() {
            Verify::Everything
        } else {
            Verify::Metadata
        };
        match checked(&location, id, verify) {
            Ok(checkpoint) if found.latest.is_none() => found.latest = Some(checkpoint),
            Ok(checkpoint) => found.older.push(checkpoint),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                tracing::warn!(
                    checkpoint = id,
                    file = error.context("path").unwrap_or("unknown"),
                    folder = %location.display(),
                    reason = %error.report(),
                    "damaged checkpoint skipped"
                );
                found.skipped.push(Skipped {
                    checkpoint_id: id,
                    path: location.display(),
                    error,
                });
            }
            Err(error) if error.is_temporary() => {
                return Err(
                    error.hint("try again; to go on from an older checkpoint instead, move this folder away")
                );
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn checked(location: &CheckpointLocation, id: CheckpointId, verify: Verify) -> Result<CompletedCheckpoint> {
    let checkpoint = read_checkpoint(location, verify)?;
    if checkpoint.checkpoint_id() != id {
        return Err(Error::corrupt(
            "read checkpoint",
            "the folder and _metadata disagree about the checkpoint's number",
        )
        .with("number", checkpoint.checkpoint_id())
        .with("path", location.folder().file_display(layout::METADATA_FILE))
        .with("checkpoint", location.display()));
    }
    Ok(checkpoint)
}

fn none_intact(storage: &FileSystemCheckpointStorage, skipped: &[Skipped]) -> Error {
    let damage: Vec<String> = skipped.iter().map(|s| s.error.report()).collect();
    Error::corrupt(
        "recover job",
        "every checkpoint of the job is damaged, so it is not started",
    )
    .with("job", storage.job())
    .with("path", storage.job_directory())
    .with("damaged", damage.join("; "))
    .hint(
        "restore the files from a backup, start from a savepoint with -s, \
             or move the folder away to start without state",
    )
}
