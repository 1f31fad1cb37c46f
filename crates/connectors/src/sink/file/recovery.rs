//! What a writer does before its first record: finishes what a completed checkpoint noted, takes back what belongs to
//! checkpoints that were given up, removes what a crash left half written.
//!
//! Several instances do this at the same time in one folder. Each deals only with files whose subtask number leaves its own
//! index when divided by the parallelism, so no two touch the same file, and no one touches what a running instance writes.

use super::folder::Folder;
use super::names::{Owner, PartName, Stage};
use super::pending::PendingFile;
use millpond_core::Result;
use millpond_core::hash::HashSet;

/// What recovery goes by.
pub(crate) struct Recovery<'a> {
    pub folder: &'a Folder,
    pub owner: &'a Owner,
    pub subtask: u32,
    pub parallelism: u32,
    /// The checkpoint that this very job goes on from.
    pub restored_checkpoint_id: Option<u64>,
    /// Every instance's pending files in the restored state.
    pub pending: &'a [PendingFile],
    /// The runs that the restored state comes from.
    pub runs: &'a HashSet<u64>,
}

impl Recovery<'_> {
    /// Puts the folder in order.
    pub(crate) fn run(&self) -> Result<()> {
        let finished = self.finish_pending()?;
        let removed = self.remove_given_up()?;
        if finished || removed {
            self.folder.sync()?;
        }
        Ok(())
    }

    fn finish_pending(&self) -> Result<bool> {
        let mine: Vec<_> = self
            .pending
            .iter()
            .filter(|p| p.belongs_to(self.subtask, self.parallelism))
            .collect();
        for file in &mine {
            match file.finish(self.folder) {
                // From a savepoint: the job that made it finished the file long ago, and whoever it was for took it away.
                Err(e) if self.restored_checkpoint_id.is_none() && self.is_gone(file)? => {
                    tracing::warn!(
                        path = %self.folder.path(&file.finished_name).display(),
                        error = %e,
                        "a file that the savepoint waited to finish is gone; going on, for it may have been taken away since"
                    );
                }
                other => other?,
            }
        }
        Ok(!mine.is_empty())
    }

    fn is_gone(&self, file: &PendingFile) -> Result<bool> {
        Ok(self
            .folder
            .length(&Owner::pending(&file.finished_name))?
            .is_none()
            && self.folder.length(&file.finished_name)?.is_none())
    }

    fn remove_given_up(&self) -> Result<bool> {
        let noted: HashSet<String> = self
            .pending
            .iter()
            .map(|p| Owner::pending(&p.finished_name))
            .collect();
        let mut removed = false;
        for (name, part) in self.folder.parts(self.owner)? {
            if part.subtask % self.parallelism.max(1) != self.subtask
                || !self.is_given_up(&name, part, &noted)
            {
                continue;
            }
            if part.stage == Stage::Finished {
                tracing::info!(
                    path = %self.folder.path(&name).display(),
                    checkpoint = part.checkpoint_id,
                    "took back a file of a checkpoint that was given up; its records come again"
                );
            }
            self.folder.remove(&name)?;
            removed = true;
        }
        Ok(removed)
    }

    fn is_given_up(&self, name: &str, part: PartName, noted: &HashSet<String>) -> bool {
        match part.stage {
            Stage::InProgress => true,
            Stage::Pending => !noted.contains(name),
            Stage::Finished => {
                self.runs.contains(&part.run)
                    && self
                        .restored_checkpoint_id
                        .is_some_and(|restored| part.checkpoint_id > restored)
            }
        }
    }
}
