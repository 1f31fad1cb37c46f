//! What a writer does before its first record, when what completed checkpoints noted is finished already: takes back what belongs
//! to checkpoints that were given up, and removes what a crash left half written.
//!
//! Several instances do this at the same time in one folder. Each deals only with files whose subtask number leaves its own
//! index when divided by the parallelism, so no two touch the same file, and no one touches what a running instance writes.

use super::folder::Folder;
use super::names::{Owner, PartName, Stage};
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
    /// The runs that the restored state comes from.
    pub runs: &'a HashSet<u64>,
}

impl Recovery<'_> {
    /// Puts the folder in order.
    pub(crate) fn run(&self) -> Result<()> {
        if self.remove_given_up()? {
            self.folder.sync()?;
        }
        Ok(())
    }

    fn remove_given_up(&self) -> Result<bool> {
        let mut removed = false;
        for (name, part) in self.folder.parts(self.owner)? {
            if part.subtask % self.parallelism.max(1) != self.subtask || !self.is_given_up(part) {
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

    fn is_given_up(&self, part: PartName) -> bool {
        match part.stage {
            // What a completed checkpoint holds was committed before, and is no longer pending.
            Stage::InProgress | Stage::Pending => true,
            Stage::Finished => {
                self.runs.contains(&part.run)
                    && self
                        .restored_checkpoint_id
                        .is_some_and(|restored| part.checkpoint_id > restored)
            }
        }
    }
}
