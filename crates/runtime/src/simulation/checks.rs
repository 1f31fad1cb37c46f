//! What must be true of the simulated world, whatever has happened in it.

use super::counts::What;
use super::job;
use super::process::Running;
use super::store::ROOT;
use super::world::{Checked, Ended, World};
use futures::{FutureExt, StreamExt};
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::JobId;
use millpond_core::host::Background;
use object_store::ObjectStore;
use std::sync::Arc;

impl World {
    /// What the coordinator called complete is there and whole.
    pub(super) fn check_checkpoints(&mut self, running: &Running) -> Checked {
        let Some(handle) = running.handle() else {
            return Ok(());
        };
        if handle.is_over() {
            return Ok(());
        }
        let storage = self.storage(handle.job_id());
        if storage.read_job_result().is_ok_and(|result| result.is_some()) {
            // The job has come to its end: its checkpoints go.
            return Ok(());
        }
        let details = handle.details();
        let Some(completed) = details.checkpoints.latest_completed.map(|c| c.checkpoint) else {
            return Ok(());
        };
        let found = storage
            .find_latest_intact()
            .map_err(|e| format!("checkpoint {completed} was complete, but: {}", e.report()))?;
        match found.latest {
            Some(latest) if latest.checkpoint_id() >= completed => {
                self.counts.add(What::Verified, 1);
                Ok(())
            }
            latest => Err(format!(
                "checkpoint {completed} was complete, but the newest intact one is {:?} (damaged: {:?}); there are {:#?}, and the job is {:?}",
                latest.map(|l| l.checkpoint_id()),
                found.skipped,
                self.files(),
                details.status,
            )),
        }
    }

    /// A savepoint is there and whole.
    pub(super) fn check_savepoint(&mut self, path: &str) -> Checked {
        let read = self.storage(JobId::from_name("anybody")).load_savepoint(path);
        read.map_err(|e| format!("the savepoint {path} was complete, but: {}", e.report()))?;
        self.counts.add(What::Verified, 1);
        Ok(())
    }

    /// No result shows that must not, and none shows twice.
    pub(super) fn check_nothing_twice(&self) -> Checked {
        let expected = job::expected(&self.setup);
        for (row, times) in &self.ledger.shown() {
            let holding = || self.ledger.holding(*row);
            if !expected.contains(row) {
                return Err(format!("the row {row:?} is wrong: {:#?}", holding()));
            }
            if *times > 1 {
                return Err(format!("the row {row:?} shows {times} times: {:#?}", holding()));
            }
        }
        Ok(())
    }

    /// Every result shows.
    pub(super) fn check_nothing_missing(&mut self) -> Checked {
        let (shown, expected) = (self.ledger.shown(), job::expected(&self.setup));
        self.counts.add(What::Rows, expected.len() as u64);
        match expected.iter().find(|row| !shown.contains_key(row)) {
            Some(row) => Err(format!(
                "the row {row:?} is missing: {:#?}",
                self.ledger.holding(*row)
            )),
            None => Ok(()),
        }
    }

    /// A finished job leaves its result and its last owner's mark behind and nothing else, at the latest when it is started once more; savepoints stay.
    pub(super) fn check_remains(&mut self) -> Checked {
        self.faults.stop();
        let mut running = self.start();
        let ended = self.live(&mut running)?;
        self.leave(running)?;
        match ended {
            Ended::Well => {}
            Ended::Failed(why) => {
                return Err(format!("a finished job fails when it is started again: {why}"));
            }
            Ended::Killed | Ended::Paused => return Err("killed or paused without a reason".into()),
        }
        let own = JobId::from_name(&self.submission.name).to_string();
        let files = self.files();
        let mut left = files.iter().filter(|name| name.starts_with(&own));
        let stays = |name: &&String| name.ends_with("/job-result.json") || name.ends_with(".start");
        if let Some(orphan) = left.find(|name| !stays(name)) {
            return Err(format!("{orphan} is left behind"));
        }
        for savepoint in self.savepoints.clone() {
            self.check_savepoint(&savepoint.path)?;
        }
        Ok(())
    }

    /// What is stored.
    fn files(&self) -> Vec<String> {
        let objects = self.objects.list(None).filter_map(|o| async move { o.ok() });
        let names = objects.map(|o| o.location.to_string()).collect();
        names.now_or_never().unwrap_or_default()
    }

    /// The world's storage without troubles.
    pub(super) fn storage(&self, job: JobId) -> Arc<FileSystemCheckpointStorage> {
        FileSystemCheckpointStorage::on_store(
            Arc::clone(&self.objects) as _,
            ROOT,
            job,
            StorageOptions::default(),
            Arc::new(Nobody),
        )
    }
}

/// Deletes nothing: for a storage that is only looked at.
struct Nobody;

impl Background for Nobody {
    fn run(&self, _work: Box<dyn FnOnce() + Send>) {}
    fn pause(&self) {}
}
