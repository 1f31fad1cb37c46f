//! What lies in a job's folder and is named by no checkpoint.

use super::folders::{Entry, EntryKind, JobFolder, jobs_at};
use crate::storage::fence::{Epochs, rules::Takeovers};
use crate::storage::{Folder, StorageOptions, layout, path_text};
use millpond_core::hash::HashSet;
use millpond_core::{CheckpointId, Result};
use millpond_state::handle::{StatePath, StreamStateHandle};
use serde::Serialize;

/// A file that no checkpoint names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Orphan {
    /// The file.
    pub path: String,
    /// Its bytes; 0 for one that was never finished.
    pub bytes: u64,
}

/// What was found in one job's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Orphans {
    /// The folder.
    pub path: String,
    /// The process that has the job: if it runs, files of the checkpoint that it is writing are among the orphans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A checkpoint whose metadata can't be read: no file in `shared/` counts as orphaned then, since it may name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The files.
    pub orphans: Vec<Orphan>,
}

/// The orphans of a job, and the same as what is to be deleted.
pub(super) struct Found {
    pub(super) orphans: Orphans,
    /// Folders to delete as a whole.
    pub(super) folders: Vec<Folder>,
    /// Single files.
    pub(super) files: Vec<(Folder, String)>,
    /// Files that were never finished.
    pub(super) unfinished: Vec<(Folder, String)>,
    /// The newest checkpoint that counts; 0: none.
    pub(super) newest: CheckpointId,
    /// The takeovers that say which ones count.
    pub(super) takeovers: Takeovers,
}

/// The orphans of the jobs at `path`: a folder with jobs, or a job's folder.
///
/// # Errors
/// NotFound when no job's checkpoints are there; Io when something can't be read now.
pub fn orphans(path: &str, options: &StorageOptions) -> Result<Vec<Orphans>> {
    let jobs = jobs_at(path, options)?;
    jobs.iter().map(|job| Ok(of_job(job)?.orphans)).collect()
}

pub(super) fn of_job(job: &JobFolder) -> Result<Found> {
    let (takeovers, entries) = job.entries()?;
    let (mut named, mut unreadable) = (HashSet::default(), None);
    name_files(&entries, &mut named, &mut unreadable);
    for sibling in job.siblings()? {
        name_files(&sibling.entries()?.1, &mut named, &mut unreadable);
    }
    let shared_is_known = unreadable.is_none();
    let mut found = Found {
        orphans: Orphans {
            path: job.folder.display(),
            owner: Epochs::read(&job.folder)?.holder()?.map(|o| o.to_string()),
            unreadable,
            orphans: Vec::new(),
        },
        folders: Vec::new(),
        files: Vec::new(),
        unfinished: Vec::new(),
        newest: 0,
        takeovers,
    };
    for entry in &entries {
        found.of_checkpoint(entry)?;
    }
    let shared = job.shared();
    found.of_unfinished(&shared);
    if shared_is_known {
        for (name, bytes) in shared.list()?.files {
            if !named.contains(&name) {
                found.of_file(&shared, name, bytes);
            }
        }
    }
    Ok(found)
}

/// Names of the shared files that checkpoints name. They are random: one name is one file, wherever it lies.
fn name_files(entries: &[Entry], named: &mut HashSet<String>, unreadable: &mut Option<String>) {
    for entry in entries {
        match &entry.kind {
            EntryKind::Readable(checkpoint) => {
                for stream in checkpoint.metadata().streams() {
                    if let Some(file) = stream.file()
                        && let StatePath::Absolute(text) = &file.path
                    {
                        named.extend(text.rsplit('/').next().map(str::to_string));
                    }
                }
            }
            EntryKind::Damaged(_) => *unreadable = Some(entry.location.display()),
            EntryKind::Incomplete | EntryKind::Void => {}
        }
    }
}

impl Found {
    fn of_checkpoint(&mut self, entry: &Entry) -> Result<()> {
        let folder = entry.location.folder();
        match &entry.kind {
            EntryKind::Damaged(_) => {}
            EntryKind::Incomplete | EntryKind::Void => {
                let files = folder.list()?.files;
                let remains = files.into_iter().filter(|(n, _)| n != layout::CLAIM_FILE);
                self.orphans.orphans.extend(remains.map(|(name, bytes)| Orphan {
                    path: folder.file_display(&name),
                    bytes,
                }));
                self.folders.push(folder.clone());
            }
            EntryKind::Readable(checkpoint) => {
                self.newest = self.newest.max(entry.id);
                let own = [layout::METADATA_FILE, layout::CHECKSUMS_FILE, layout::CLAIM_FILE];
                let mut named: HashSet<&str> = own.into_iter().collect();
                let files = checkpoint
                    .metadata()
                    .streams()
                    .filter_map(StreamStateHandle::file);
                named.extend(files.filter_map(|file| path_text(&file.path).split('/').next_back()));
                for (name, bytes) in folder.list()?.files {
                    if !named.contains(name.as_str()) {
                        self.of_file(folder, name, bytes);
                    }
                }
                self.of_unfinished(folder);
            }
        }
        Ok(())
    }

    fn of_file(&mut self, folder: &Folder, name: String, bytes: u64) {
        self.orphans.orphans.push(Orphan {
            path: folder.file_display(&name),
            bytes,
        });
        self.files.push((folder.clone(), name));
    }

    fn of_unfinished(&mut self, folder: &Folder) {
        for name in folder.list_unfinished() {
            self.orphans.orphans.push(Orphan {
                path: folder.file_display(&name),
                bytes: 0,
            });
            self.unfinished.push((folder.clone(), name));
        }
    }
}
