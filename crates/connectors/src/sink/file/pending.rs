//! Files that are complete and wait for their checkpoint, and the second phase of the commit: they get their names.

use super::folder::{Folder, failed};
use super::names::Owner;
use millpond_api::sink::{CommitRequest, Committer};
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
}

/// When a file got its finished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    Now,
    Before,
}

impl PendingFile {
    /// Gives the file its finished name, if it hasn't got it already. Durable after [`Folder::sync`].
    ///
    /// # Errors
    /// Corrupt when neither file is there or the file isn't what was noted: records would be lost. Io otherwise.
    pub(crate) fn finish(&self, folder: &Folder) -> Result<Finished> {
        let pending = Owner::pending(&self.finished_name);
        let Some(length) = folder.length(&pending)? else {
            return match folder.length(&self.finished_name)? {
                Some(_) => Ok(Finished::Before),
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
                Ok(Finished::Before)
            }
            other => other
                .map(|()| Finished::Now)
                .map_err(|e| failed("finish part file", &folder.path(&self.finished_name), e)),
        }
    }

    fn corrupt(&self, folder: &Folder, message: &'static str) -> Error {
        Error::corrupt("finish part file", message)
            .with("path", folder.path(&self.finished_name).display())
            .with("pending", Owner::pending(&self.finished_name))
    }

    fn is_gone(&self, folder: &Folder) -> Result<bool> {
        Ok(folder.length(&Owner::pending(&self.finished_name))?.is_none()
            && folder.length(&self.finished_name)?.is_none())
    }
}

/// Finishes files. Flink's `FileCommitter`.
pub(crate) struct FileCommitter {
    pub folder: Folder,
    /// The job was started from a savepoint, or afresh.
    pub by_hand: bool,
}

impl Committer<PendingFile> for FileCommitter {
    fn commit(&mut self, requests: &mut [CommitRequest<PendingFile>]) -> Result<()> {
        for request in requests.iter_mut() {
            let file = request.committable();
            match file.finish(&self.folder) {
                // From a savepoint: the job that made it finished the file long ago, and whoever it was for took it away.
                Err(e) if self.by_hand && request.is_restored() && file.is_gone(&self.folder)? => {
                    tracing::warn!(
                        path = %self.folder.path(&file.finished_name).display(),
                        error = %e,
                        "a file that the savepoint waited to finish is gone; going on, for it may have been taken away since"
                    );
                    request.signal_already_committed();
                }
                Ok(Finished::Before) => request.signal_already_committed(),
                other => drop(other?),
            }
        }
        self.folder.sync()
    }
}
