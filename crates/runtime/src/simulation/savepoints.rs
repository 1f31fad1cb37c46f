//! Savepoints of the simulated world: asked for at any moment, stopped with, gone on from, and gone back to.

use super::counts::What;
use super::job::Submission;
use super::process::Running;
use super::store::{ROOT, SAVEPOINTS};
use super::world::{Checked, World};
use crate::master::SavepointInfo;
use futures::{FutureExt, StreamExt};
use millpond_core::{CheckpointId, Error, JobId};
use object_store::{ObjectStore, ObjectStoreExt};

/// Of so many steps one asks for a savepoint.
const ASK_ONE_IN: u64 = 300;
/// How many troubles the job sees at most that goes back to a savepoint.
const TROUBLES_MAX: u64 = 3;
/// What the result of a job says that was stopped, before the savepoint's path.
const STOPPED_WITH: &str = "it was stopped with the savepoint ";

/// A savepoint that is there.
#[derive(Clone, Debug)]
pub(super) struct Savepoint {
    pub(super) path: String,
    checkpoint: CheckpointId,
    /// The number of the process that took it.
    process: usize,
}

impl World {
    /// Asks the process for savepoints now and then, takes in its answers, and throws away what the job doesn't need any more.
    pub(super) fn look_after_savepoints(&mut self, running: &mut Running) -> Checked {
        if self.savepoints_left > 0 && !running.stopping && self.faults.below(ASK_ONE_IN) == 0 {
            self.ask(running);
        }
        self.throw_away_what_was_started_from(running);
        self.take_answers(running)
    }

    fn ask(&mut self, running: &mut Running) {
        let Some(handle) = running.handle().filter(|handle| !handle.is_over()) else {
            return;
        };
        self.savepoints_left -= 1;
        let target = Some(SAVEPOINTS.to_string());
        let kind = self.faults.below(6);
        running.stopping = kind > 3;
        // What has drained fires all its timers, also those of records that come when another job goes on from it.
        let drain = running.stopping && self.faults.below(2) == 0;
        if drain {
            self.counts.add(What::Drains, 1);
        }
        running.asked.push(match kind {
            0 | 1 => handle.trigger_savepoint(target),
            2 | 3 => handle.trigger_native_savepoint(target),
            4 => handle.stop_with_savepoint(drain, target),
            _ => handle.stop_with_native_savepoint(drain, target),
        });
        self.scheduler.tell(&running.process);
    }

    /// Takes in what the process has answered. A savepoint that it calls complete has to be there.
    pub(super) fn take_answers(&mut self, running: &mut Running) -> Checked {
        for asked in std::mem::take(&mut running.asked) {
            match asked.poll() {
                None => running.asked.push(asked),
                Some(Err(_)) => {
                    self.counts.add(What::FailedSavepoints, 1);
                    running.stopping = false;
                }
                Some(Ok(SavepointInfo { checkpoint, path })) => {
                    self.check_savepoint(&path)?;
                    self.counts.add(What::Savepoints, 1);
                    self.savepoints.push(Savepoint {
                        path,
                        checkpoint,
                        process: running.number,
                    });
                }
            }
        }
        Ok(())
    }

    /// The savepoint that the job, which has come to its end, was stopped with.
    pub(super) fn stopped_with(&self) -> Checked<Option<String>> {
        let storage = self.storage(JobId::from_name(&self.submission.name));
        let named = |e: Error| format!("the result of a finished job: {}", e.report());
        let result = storage.read_job_result().map_err(named)?;
        let message = result.ok_or("a finished job leaves no result")?.message;
        Ok(message.and_then(|m| m.strip_prefix(STOPPED_WITH).map(str::to_string)))
    }

    /// The next job goes on from where this one was stopped.
    pub(super) fn go_on_from(&mut self, path: String) -> Checked {
        self.check_savepoint(&path)?;
        self.submit_from(path);
        Ok(())
    }

    /// Everything is as it was when one of the savepoints was taken, but that the job's own checkpoints are gone, and another
    /// job starts from it. `false`: there is none.
    pub(super) fn go_back(&mut self) -> bool {
        if self.savepoints.is_empty() {
            return false;
        }
        let chosen = self.faults.below(self.savepoints.len() as u64) as usize;
        let savepoint = self.savepoints.swap_remove(chosen);
        self.ledger = self.ledger.as_of(savepoint.checkpoint, savepoint.process);
        self.delete_all_but(&savepoint.path);
        self.savepoints = vec![savepoint.clone()];
        self.faults.resume(self.setup.troubles.min(TROUBLES_MAX));
        self.submit_from(savepoint.path);
        true
    }

    fn submit_from(&mut self, path: String) {
        let claims = self.faults.below(2) == 0;
        self.is_needed_once = !claims && self.faults.below(2) == 0;
        if claims {
            self.savepoints.retain(|s| s.path != path);
        }
        self.counts.add(What::StartsFromSavepoint, 1);
        let number = self.counts.get(What::StartsFromSavepoint);
        self.submission = Submission::from_savepoint(number, path, claims);
    }

    /// A savepoint that the job doesn't own can go as soon as the job has a checkpoint of its own.
    fn throw_away_what_was_started_from(&mut self, running: &Running) {
        if !self.is_needed_once || self.faults.below(20) != 0 {
            return;
        }
        let details = running.handle().map(|handle| handle.details());
        let has_own = details.is_some_and(|d| d.checkpoints.latest_completed.is_some());
        if let (true, Some(path)) = (has_own, self.submission.savepoint.clone()) {
            self.is_needed_once = false;
            self.savepoints.retain(|s| s.path != path);
            self.delete_where(|file| is_in(file, &path));
        }
    }

    fn delete_all_but(&self, path: &str) {
        self.delete_where(|file| !is_in(file, path));
    }

    fn delete_where(&self, goes: impl Fn(&str) -> bool) {
        let objects = self.objects.list(None).filter_map(|o| async move { o.ok() });
        let all: Vec<_> = objects.collect().now_or_never().unwrap_or_default();
        for object in all.iter().filter(|o| goes(o.location.as_ref())) {
            self.objects.delete(&object.location).now_or_never();
        }
    }
}

/// Whether the object `file` is part of the savepoint at `path`.
fn is_in(file: &str, path: &str) -> bool {
    let folder = path.strip_prefix(ROOT).and_then(|f| f.strip_prefix('/'));
    folder.is_some_and(|folder| file.starts_with(folder))
}
