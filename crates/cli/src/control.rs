//! `savepoint`, `checkpoint`, `stop`, `cancel`: asks a job for something and waits for the outcome.

use crate::args::{CancelArgs, CheckpointArgs, SavepointArgs, StopArgs};
use crate::folders;
use crate::output::{complain, print};
use crate::progress::SavepointBar;
use millpond_core::{Error, ErrorKind, Result};
use millpond_rest::client::{FoundJob, find};
use millpond_rest::registry::Registry;
use millpond_rest::wire::{SavepointRequest, StopRequest};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long tasks may take to notice that they are cancelled before we stop waiting for them.
const CANCEL_WITHIN: Duration = Duration::from_secs(30);

pub(crate) fn savepoint(args: &SavepointArgs) -> Result<()> {
    if let Some(path) = &args.dispose {
        return folders::dispose(path, &args.store);
    }
    let directory = args.directory.as_deref().map(target).transpose()?;
    let job = find(&Registry::of_user(), args.job.as_deref().unwrap_or_default())?;
    let trigger = job.client.trigger_savepoint(&SavepointRequest {
        target_directory: directory,
        format_type: Some(args.format.clone()),
        ..SavepointRequest::default()
    })?;
    print(wait(&job, &trigger, "savepoint")?)
}

pub(crate) fn stop(args: &StopArgs) -> Result<()> {
    let directory = args.directory.as_deref().map(target).transpose()?;
    let job = find(&Registry::of_user(), &args.job)?;
    let trigger = job.client.trigger_stop(&StopRequest {
        target_directory: directory,
        drain: args.drain,
        format_type: Some(args.format.clone()),
        ..StopRequest::default()
    })?;
    print(wait(&job, &trigger, "stopping with a savepoint")?)
}

pub(crate) fn checkpoint(args: &CheckpointArgs) -> Result<()> {
    let job = find(&Registry::of_user(), &args.job)?;
    let trigger = job.client.trigger_checkpoint()?;
    print(job.client.wait_for_checkpoint(&trigger)?)
}

pub(crate) fn cancel(args: &CancelArgs) -> Result<()> {
    let job = find(&Registry::of_user(), &args.job)?;
    job.client.cancel()?;
    if !job.client.wait_for_end(CANCEL_WITHIN) {
        let late = Error::new(ErrorKind::Io, "cancel job", "it is told to stop, but still runs")
            .with("job", &job.entry.job_id)
            .with("waited_s", CANCEL_WITHIN.as_secs())
            .hint(format!(
                "a task may be stuck in user code; kill {} ends the process",
                job.entry.pid
            ));
        return Err(late);
    }
    complain(&format!("cancelled {} ({})", job.entry.name, job.entry.job_id));
    Ok(())
}

fn wait(job: &FoundJob, trigger: &str, what: &str) -> Result<String> {
    let bar = SavepointBar::new(format!("{}: {what}", job.entry.name));
    job.client
        .wait_for_savepoint(trigger, |waiting| bar.show(waiting))
}

/// The folder as the job finds it, which works elsewhere: a local path is made absolute, a URL stays.
fn target(directory: &Path) -> Result<String> {
    let unreadable =
        || Error::config("read savepoint folder", "the path must be UTF-8").with("path", directory.display());
    let text = directory.to_str().ok_or_else(unreadable)?;
    if text.contains("://") || text.starts_with("file:") {
        return Ok(text.to_string());
    }
    let absolute: PathBuf = std::path::absolute(directory)
        .map_err(|e| Error::io("read savepoint folder", e).with("path", directory.display()))?;
    absolute.to_str().map(str::to_string).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_folders_become_absolute_and_urls_stay() {
        assert_eq!(target(Path::new("s3://b/x")).unwrap(), "s3://b/x");
        assert_eq!(target(Path::new("file:/x")).unwrap(), "file:/x");
        assert_eq!(target(Path::new("/x")).unwrap(), "/x");
        let here = std::env::current_dir().unwrap().join("x");
        assert_eq!(target(Path::new("x")).unwrap(), here.to_str().unwrap());
    }
}
