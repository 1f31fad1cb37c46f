//! A running job as its owner holds it: look at it, ask for savepoints, stop it, wait for its end.

use super::event::{MasterEvent, Request};
use super::status::{JobDetails, JobStatus};
use super::view::JobView;
use crate::metrics::JobMetrics;
use millpond_checkpoint::barrier::{CheckpointKind, SavepointFormat};
use millpond_core::host::JoinHandle;
use millpond_core::{CheckpointId, Configuration, Error, ErrorKind, JobId, Result};
use millpond_state::query::{QueryKey, StateView};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A job under way. Flink's `JobClient`. Cheap to clone; the job goes on when all handles are dropped.
#[derive(Clone)]
pub struct JobHandle {
    pub(super) view: Arc<JobView>,
    pub(super) events: Sender<MasterEvent>,
    pub(super) thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What a finished savepoint request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavepointInfo {
    /// The savepoint's id among the job's checkpoints.
    pub checkpoint: CheckpointId,
    /// Its path: what `run -s` takes.
    pub path: String,
}

/// An answer that comes later.
pub struct Pending<T>(Receiver<Result<T>>);

impl<T> Pending<T> {
    pub(super) fn new() -> (Sender<Result<T>>, Self) {
        let (sender, receiver) = channel();
        (sender, Pending(receiver))
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// What the request failed with; IllegalState when the job ended before it could answer.
    pub fn wait(self) -> Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(job_ended()))
    }

    /// Blocks until the answer is there, but no longer than `timeout`.
    ///
    /// # Errors
    /// As [`Pending::wait`]; Io when there is no answer in time.
    pub fn wait_for(self, timeout: Duration) -> Result<T> {
        match self.0.recv_timeout(timeout) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(job_ended()),
            Err(RecvTimeoutError::Timeout) => Err(Error::new(
                ErrorKind::Io,
                "ask job",
                "no answer in time: the task may be busy with one batch or restoring its state",
            )
            .with("waited_ms", timeout.as_millis())),
        }
    }

    /// The answer, if it is there; `None` while it is not.
    pub fn poll(&self) -> Option<Result<T>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(std::sync::mpsc::TryRecvError::Empty) => None,
            Err(std::sync::mpsc::TryRecvError::Disconnected) => Some(Err(job_ended())),
        }
    }
}

/// How a job ended. Flink's `JobExecutionResult`.
#[derive(Clone, Debug)]
pub struct JobExecutionResult {
    /// Its identity.
    pub job_id: JobId,
    /// Its name.
    pub name: String,
    /// From its start to its end, in milliseconds.
    pub net_runtime_ms: i64,
    /// The savepoint that it was stopped with, if it was.
    pub savepoint: Option<String>,
    /// The last look at it.
    pub details: JobDetails,
    /// Set when the job had come to its end in an earlier process already and was not run again: how and when.
    pub already_finished: Option<String>,
}

impl JobHandle {
    /// The job's id.
    pub fn job_id(&self) -> JobId {
        self.view.job_id
    }

    /// The options that it runs with.
    pub fn configuration(&self) -> &Configuration {
        &self.view.config
    }

    /// Where the job stands.
    pub fn status(&self) -> JobStatus {
        self.view.status()
    }

    /// Whether the job has ended and [`JobHandle::wait`] would return at once.
    pub fn is_over(&self) -> bool {
        self.view.is_over()
    }

    /// The job with its vertices, counters and checkpoints.
    pub fn details(&self) -> JobDetails {
        self.view.details()
    }

    /// Everything that the job measures, under Flink's names.
    pub fn metrics(&self) -> JobMetrics {
        self.view.metrics()
    }

    /// Asks for a savepoint in `target_directory`, or in the configured folder.
    pub fn trigger_savepoint(&self, target_directory: Option<String>) -> Pending<SavepointInfo> {
        self.savepoint(
            CheckpointKind::Savepoint(SavepointFormat::Canonical),
            target_directory,
        )
    }

    /// Asks for a savepoint in the format of the state backend: quicker to take and to restore than
    /// [`JobHandle::trigger_savepoint`]'s, and restored by the same backend only.
    pub fn trigger_native_savepoint(&self, target_directory: Option<String>) -> Pending<SavepointInfo> {
        self.savepoint(
            CheckpointKind::Savepoint(SavepointFormat::Native),
            target_directory,
        )
    }

    /// Asks for a savepoint after which the job ends. With `drain`, sources send the largest watermark first, so that all
    /// timers fire; the savepoint is then the end of the job's work, not a place to go on from.
    pub fn stop_with_savepoint(
        &self,
        drain: bool,
        target_directory: Option<String>,
    ) -> Pending<SavepointInfo> {
        let format = SavepointFormat::Canonical;
        self.savepoint(CheckpointKind::Stop { format, drain }, target_directory)
    }

    /// As [`JobHandle::stop_with_savepoint`], in the format of [`JobHandle::trigger_native_savepoint`].
    pub fn stop_with_native_savepoint(
        &self,
        drain: bool,
        target_directory: Option<String>,
    ) -> Pending<SavepointInfo> {
        let format = SavepointFormat::Native;
        self.savepoint(CheckpointKind::Stop { format, drain }, target_directory)
    }

    /// Asks for a checkpoint now.
    pub fn trigger_checkpoint(&self) -> Pending<SavepointInfo> {
        self.savepoint(CheckpointKind::Checkpoint, None)
    }

    /// Asks what `key` has in `state` of the operator with this uid (or name), while the job runs. Flink's queryable state.
    pub fn query_state(&self, uid: &str, state: &str, key: QueryKey) -> Pending<StateView> {
        let (answer, pending) = Pending::new();
        let (uid, state) = (uid.to_owned(), state.to_owned());
        let _ = self.events.send(MasterEvent::Request(Request::Query {
            uid,
            state,
            key,
            answer,
        }));
        pending
    }

    /// Cancels the job. Its checkpoints are kept or deleted as `execution.checkpointing.externalized-checkpoint-retention` says.
    pub fn cancel(&self) {
        // A job that is over has nothing to cancel.
        let _ = self.events.send(MasterEvent::Request(Request::Cancel));
    }

    /// Waits for the job's end.
    ///
    /// # Errors
    /// What the job failed with; Cancelled when it was cancelled.
    pub fn wait(&self) -> Result<JobExecutionResult> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            return Err(Error::illegal_state("run job", "the job master panicked").with("job", self.job_id()));
        }
        self.view.wait_for_result()
    }

    fn savepoint(&self, kind: CheckpointKind, target: Option<String>) -> Pending<SavepointInfo> {
        let (answer, pending) = Pending::new();
        // When the master is gone, the answer's sender is dropped with the event and the waiter learns of it.
        let _ = self
            .events
            .send(MasterEvent::Request(Request::Savepoint { kind, target, answer }));
        pending
    }
}

fn job_ended() -> Error {
    Error::new(
        ErrorKind::IllegalState,
        "ask job",
        "the job ended before it could answer",
    )
}
