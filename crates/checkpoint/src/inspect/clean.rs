//! Removes what no checkpoint names.
//!
//! Whoever removes takes the job over for that time: a process that still runs it and was overlooked (it sleeps, or is on
//! another machine) is fenced off then, and can't complete a checkpoint whose files have just gone.

use super::folders::{JobFolder, jobs_at};
use super::orphans::{Found, Orphans, of_job};
use crate::storage::fence::{Epochs, Fence, Liveness};
use crate::storage::{Folder, StorageOptions};
use millpond_core::{Error, ErrorKind, Result};
use serde::Serialize;

/// What was removed of one job, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Collected {
    /// The orphans, and where they lie.
    #[serde(flatten)]
    pub found: Orphans,
    /// Whether they are gone now.
    pub removed: bool,
}

/// Removes the orphans of the jobs at `path`; with `dry_run` only says what it would remove.
///
/// # Errors
/// As [`super::orphans()`]; IllegalState when a process runs one of the jobs, or may run on another machine and `force` isn't set:
/// nothing of that job is removed then.
pub fn gc(path: &str, options: &StorageOptions, dry_run: bool, force: bool) -> Result<Vec<Collected>> {
    let jobs = jobs_at(path, options)?;
    // Before the first file goes: half a clean-up helps nobody.
    jobs.iter().try_for_each(|job| refuse_if_held(job, force))?;
    jobs.iter().map(|job| collect(job, dry_run)).collect()
}

fn refuse_if_held(job: &JobFolder, force: bool) -> Result<()> {
    let Some(owner) = Epochs::read(&job.folder)?.holder()? else {
        return Ok(());
    };
    let refused = |why: &str, hint: String| {
        Err(Error::new(ErrorKind::IllegalState, "remove orphans", why)
            .with("path", job.folder.display())
            .with("owner", &owner)
            .hint(hint))
    };
    match owner.liveness() {
        Liveness::Running => refused(
            "a process runs this job and removes by itself what it doesn't need",
            format!("end process {} first", owner.pid),
        ),
        Liveness::Unknown if !force => refused(
            "a process on another machine may run this job",
            "make sure that it has ended, then use --force; if it still runs, it will be fenced off and end"
                .to_string(),
        ),
        Liveness::Ended | Liveness::Unknown => Ok(()),
    }
}

fn collect(job: &JobFolder, dry_run: bool) -> Result<Collected> {
    if dry_run {
        return Ok(Collected {
            found: of_job(job)?.orphans,
            removed: false,
        });
    }
    let fence = Fence::acquire(&job.folder)?;
    // Looked for now that nobody else can add to them.
    let found = of_job(job)?;
    fence.begin(found.newest, found.takeovers.clone())?;
    let removed = remove(&found);
    fence.release();
    removed?;
    Ok(Collected {
        found: found.orphans,
        removed: true,
    })
}

fn remove(found: &Found) -> Result<()> {
    found.folders.iter().try_for_each(Folder::remove_all)?;
    found.files.iter().try_for_each(|(f, name)| f.delete_file(name))?;
    found
        .unfinished
        .iter()
        .try_for_each(|(f, name)| f.delete_unfinished(name))
}
