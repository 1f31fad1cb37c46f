//! What a person points at: the folder of one job, or one with the folders of several.

use crate::storage::fence::{Epochs, epoch_of_claim, rules::Takeovers};
use crate::storage::{
    CheckpointLocation, CompletedCheckpoint, FileSystems, Folder, Location, StorageOptions, Verify,
    foreign_location, layout, read_checkpoint,
};
use millpond_core::{CheckpointId, Error, ErrorKind, JobId, Result};
use std::sync::Arc;

pub(super) const OPERATION: &str = "look at checkpoints";

/// One job's folder.
pub(super) struct JobFolder {
    pub(super) folder: Folder,
    location: Location,
    file_systems: Arc<FileSystems>,
    options: StorageOptions,
}

/// One folder `chk-<n>`.
pub(super) struct Entry {
    pub(super) id: CheckpointId,
    pub(super) location: CheckpointLocation,
    pub(super) kind: EntryKind,
}

/// What its metadata say.
pub(super) enum EntryKind {
    /// It has none.
    Incomplete,
    /// They came to exist when the writer was not the job's owner any more.
    Void,
    /// They can't be read.
    Damaged(Error),
    /// They can be read; whether its files are whole is another question.
    Readable(Box<CompletedCheckpoint>),
}

/// The jobs at `text`: that of the folder itself, or those in it.
pub(super) fn jobs_at(text: &str, options: &StorageOptions) -> Result<Vec<JobFolder>> {
    let file_systems = FileSystems::new(Arc::clone(&options.file_systems), None)?;
    let location = Location::parse(OPERATION, text)?;
    let folder = file_systems.open(&location, false)?;
    let job = |location: Location| {
        Ok(JobFolder {
            folder: file_systems.open(&location, false)?,
            location,
            file_systems: Arc::clone(&file_systems),
            options: options.clone(),
        })
    };
    let inside = folder.list()?.folders;
    if is_job(&inside) {
        return Ok(vec![job(location)?]);
    }
    let jobs: Vec<_> = inside
        .iter()
        .filter(|name| name.parse::<JobId>().is_ok())
        .collect();
    if jobs.is_empty() {
        return Err(
            Error::new(ErrorKind::NotFound, OPERATION, "no job's checkpoints are here")
                .with("path", &location)
                .hint("name the folder of execution.checkpointing.dir, or the one of a job in it"),
        );
    }
    jobs.into_iter().map(|name| job(location.child(name))).collect()
}

fn is_job(folders: &[String]) -> bool {
    folders.iter().any(|n| {
        layout::checkpoint_id(n).is_some() || n == layout::SHARED_FOLDER || n == layout::EPOCHS_FOLDER
    })
}

impl JobFolder {
    pub(super) fn shared(&self) -> Folder {
        self.folder.child(layout::SHARED_FOLDER)
    }

    /// Its checkpoints, oldest first, and the takeovers that say which of them count.
    pub(super) fn entries(&self) -> Result<(Takeovers, Vec<Entry>)> {
        let mut ids: Vec<CheckpointId> = self
            .folder
            .list()?
            .folders
            .iter()
            .filter_map(|name| layout::checkpoint_id(name))
            .collect();
        ids.sort_unstable();
        let takeovers = Epochs::read(&self.folder)?.takeovers()?;
        let entries: Result<_> = ids.into_iter().map(|id| self.entry(id, &takeovers)).collect();
        Ok((takeovers, entries?))
    }

    fn entry(&self, id: CheckpointId, takeovers: &Takeovers) -> Result<Entry> {
        let location = self.location.child(&layout::checkpoint_folder(id));
        let location = foreign_location(&self.file_systems, &location, &self.options)?;
        let folder = location.folder();
        let claim = match folder.get(layout::CLAIM_FILE) {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            other => epoch_of_claim(&other?),
        };
        let kind = if folder.size(layout::METADATA_FILE)?.is_none() {
            EntryKind::Incomplete
        } else if takeovers.is_void(claim.unwrap_or(0), id) {
            EntryKind::Void
        } else {
            match read_checkpoint(&location, Verify::Metadata) {
                Ok(checkpoint) => EntryKind::Readable(Box::new(checkpoint)),
                Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    EntryKind::Damaged(e)
                }
                Err(e) => return Err(e),
            }
        };
        Ok(Entry { id, location, kind })
    }

    /// The other jobs beside this one. One that claimed a checkpoint of this job may name its files.
    pub(super) fn siblings(&self) -> Result<Vec<JobFolder>> {
        let Some((around, own)) = self.location.split() else {
            return Ok(Vec::new());
        };
        let Ok(folder) = self.file_systems.open(&around, false) else {
            return Ok(Vec::new());
        };
        let names = folder.list()?.folders;
        let others = names.iter().filter(|n| **n != own && n.parse::<JobId>().is_ok());
        others
            .map(|name| {
                let location = around.child(name);
                Ok(JobFolder {
                    folder: self.file_systems.open(&location, false)?,
                    location,
                    file_systems: Arc::clone(&self.file_systems),
                    options: self.options.clone(),
                })
            })
            .collect()
    }
}
