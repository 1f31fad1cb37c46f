//! Is every file there that a checkpoint names, with the length and the checksum that it was written with?

use super::folders::{EntryKind, jobs_at};
use crate::savepoint::open_snapshot;
use crate::storage::fence::Epochs;
use crate::storage::{CompletedCheckpoint, StorageOptions, Verify, check_files};
use millpond_core::{CheckpointId, ErrorKind, Result};
use serde::Serialize;

/// What was found in a job's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobReport {
    /// The folder.
    pub path: String,
    /// The process that has the job, if it hasn't given it back: it may run, or have been killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its checkpoints, oldest first; or the one snapshot that was pointed at.
    pub checkpoints: Vec<CheckpointReport>,
}

/// What was found of one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckpointReport {
    /// Its number; `None` if the metadata can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointId>,
    /// Its folder.
    pub path: String,
    /// How it is.
    pub status: CheckpointStatus,
    /// How many files it names, `_metadata` included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong with which file.
    pub problems: Vec<FileProblem>,
}

/// How a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointStatus {
    /// Every file is as it was written.
    Intact,
    /// Every file has its length; checksums there are none for some, as when Flink wrote it.
    Unverified,
    /// Something is wrong.
    Damaged,
    /// It never was completed, or is being written now.
    Incomplete,
    /// It was completed by a process that was not the job's owner any more: nobody goes on from it.
    Void,
}

/// What is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileProblem {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl JobReport {
    /// Whether a checkpoint of it is damaged.
    pub fn is_damaged(&self) -> bool {
        self.checkpoints
            .iter()
            .any(|c| c.status == CheckpointStatus::Damaged)
    }
}

/// Reads every file that the checkpoints at `path` name: a folder with jobs, a job's folder, or one checkpoint or savepoint.
///
/// # Errors
/// NotFound when no checkpoints are there; Io when something can't be read now. Damage is no error but part of the report.
pub fn verify(path: &str, options: &StorageOptions) -> Result<Vec<JobReport>> {
    match open_snapshot(path, options, Verify::Metadata) {
        Ok(snapshot) => {
            return Ok(vec![JobReport {
                path: snapshot.location().display(),
                owner: None,
                checkpoints: vec![of_files(&snapshot)?],
            }]);
        }
        Err(e) if e.kind() == ErrorKind::Corrupt => {
            return Ok(vec![JobReport {
                path: path.to_string(),
                owner: None,
                checkpoints: vec![damaged(None, path.to_string(), &e)],
            }]);
        }
        Err(e) if matches!(e.kind(), ErrorKind::Config | ErrorKind::NotFound) => {}
        Err(e) => return Err(e),
    }
    let mut reports = Vec::new();
    for job in jobs_at(path, options)? {
        let mut checkpoints = Vec::new();
        for entry in job.entries()?.1 {
            let empty = |status| CheckpointReport {
                checkpoint: Some(entry.id),
                path: entry.location.display(),
                status,
                files: 0,
                bytes: 0,
                problems: Vec::new(),
            };
            checkpoints.push(match &entry.kind {
                EntryKind::Incomplete => empty(CheckpointStatus::Incomplete),
                EntryKind::Void => empty(CheckpointStatus::Void),
                EntryKind::Damaged(e) => damaged(Some(entry.id), entry.location.display(), e),
                EntryKind::Readable(checkpoint) => of_files(checkpoint)?,
            });
        }
        reports.push(JobReport {
            path: job.folder.display(),
            owner: Epochs::read(&job.folder)?.holder()?.map(|o| o.to_string()),
            checkpoints,
        });
    }
    Ok(reports)
}

fn damaged(checkpoint: Option<CheckpointId>, path: String, error: &millpond_core::Error) -> CheckpointReport {
    CheckpointReport {
        checkpoint,
        problems: vec![FileProblem {
            path: error.context("path").unwrap_or(&path).to_string(),
            problem: error.message().to_string(),
        }],
        path,
        status: CheckpointStatus::Damaged,
        files: 1,
        bytes: 0,
    }
}

fn of_files(checkpoint: &CompletedCheckpoint) -> Result<CheckpointReport> {
    let checked = check_files(checkpoint)?;
    let problems: Vec<FileProblem> = checked
        .damaged
        .iter()
        .map(|e| FileProblem {
            path: e.context("path").unwrap_or("unknown").to_string(),
            problem: e.message().to_string(),
        })
        .collect();
    let status = match (problems.is_empty(), checkpoint.is_verified()) {
        (false, _) => CheckpointStatus::Damaged,
        (true, true) => CheckpointStatus::Intact,
        (true, false) => CheckpointStatus::Unverified,
    };
    Ok(CheckpointReport {
        checkpoint: Some(checkpoint.checkpoint_id()),
        path: checkpoint.location().display(),
        status,
        files: checked.files + 1,
        bytes: checked.bytes + checkpoint.metadata_bytes(),
        problems,
    })
}
