//! Files that are complete and wait for their checkpoint: what the sink keeps in state, and how one is finished.

use super::folder::{Folder, failed};
use super::names::Owner;
use millpond_core::{Error, Result};
use millpond_derive::StateType;
use std::io::ErrorKind;

/// A complete part file that becomes visible with its checkpoint. It is stored in checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.PendingFile")]
pub struct PendingFile {
    /// The name that it gets in the sink's folder.
    pub finished_name: String,
    /// Its length in bytes.
    pub length: i64,
    /// The checkpoint that it waits for.
    pub checkpoint_id: i64,
    /// The instance that wrote it.
    pub subtask: i64,
}

impl PendingFile {
    /// Whether `checkpoint_id` covers it.
    pub(crate) fn is_covered_by(&self, checkpoint_id: u64) -> bool {
        u64::try_from(self.checkpoint_id).is_ok_and(|id| id <= checkpoint_id)
    }

    /// Which of `parallelism` instances finishes it after a restore.
    pub(crate) fn belongs_to(&self, subtask: u32, parallelism: u32) -> bool {
        self.subtask.rem_euclid(i64::from(parallelism.max(1))) == i64::from(subtask)
    }

    /// Gives the file its finished name; does nothing if it has it already. Durable after [`Folder::sync`].
    ///
    /// # Errors
    /// Corrupt when neither file is there or the file isn't what was noted: records would be lost. Io otherwise.
    pub(crate) fn finish(&self, folder: &Folder) -> Result<()> {
        let pending = Owner::pending(&self.finished_name);
        let Some(length) = folder.length(&pending)? else {
            return match folder.length(&self.finished_name)? {
                Some(_) => Ok(()),
                None => Err(self
                    .corrupt(
                        folder,
                        "neither the pending nor the finished file is there: its records are lost",
                    )
                    .hint("look for the file in a backup; without it, start from an older savepoint")),
            };
        };
        if i64::try_from(length) != Ok(self.length) {
            return Err(self
                .corrupt(folder, "the pending file has another length than was noted")
                .with("length", length)
                .with("expected_length", self.length)
                .hint("something else wrote to it; start from an older checkpoint or savepoint"));
        }
        if folder.length(&self.finished_name)?.is_some() {
            return Err(self
                .corrupt(folder, "the pending and the finished file are both there")
                .hint("the sink makes no such thing: remove the one that something else made"));
        }
        match folder.rename(&pending, &self.finished_name) {
            // Another try of the same commit was faster.
            Err(e) if e.kind() == ErrorKind::NotFound && folder.length(&self.finished_name)?.is_some() => {
                Ok(())
            }
            other => other.map_err(|e| failed("finish part file", &folder.path(&self.finished_name), e)),
        }
    }

    fn corrupt(&self, folder: &Folder, message: &'static str) -> Error {
        Error::corrupt("finish part file", message)
            .with("path", folder.path(&self.finished_name).display())
            .with("pending", Owner::pending(&self.finished_name))
            .with("checkpoint", self.checkpoint_id)
    }
}
