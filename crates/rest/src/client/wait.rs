//! Waiting for what takes a while: savepoints, stops, the end of a job.

use super::job::JobClient;
use crate::wire::{CheckpointOutcome, FailureCause, OperationStatus, SavepointOutcome};
use millpond_core::host::{Clock, SystemClock, sleep};
use millpond_core::{Error, ErrorKind, Result};
use std::time::Duration;

/// The pause between two questions grows from the first to the second, which is well below the moment that the server of a
/// job that is over stays for its outcome to be fetched.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
const WAIT: &str = "wait for savepoint";

/// How far a savepoint is, while it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How long it has been waited for.
    pub elapsed: Duration,
    /// How many tasks have acknowledged, of how many; `None` before it began.
    pub tasks: Option<(u64, u64)>,
}

impl JobClient {
    /// Waits until the savepoint or stop `trigger_id` is over and returns the savepoint's path. However long it takes: the job
    /// itself gives up by `execution.checkpointing.timeout`. `progress` is told now and then how far it is.
    ///
    /// # Errors
    /// What the savepoint failed with; Io when the job can't be reached any more, and so nobody can tell the outcome.
    pub fn wait_for_savepoint(&self, trigger_id: &str, mut progress: impl FnMut(Waiting)) -> Result<String> {
        let outcome = self.wait(
            || self.savepoint_status(trigger_id),
            |elapsed| {
                progress(Waiting {
                    elapsed,
                    tasks: self.savepoint_under_way(),
                });
            },
        )?;
        match outcome.unwrap_or_default() {
            SavepointOutcome {
                failure_cause: Some(cause),
                ..
            } => Err(self.failed(cause)),
            SavepointOutcome {
                location: Some(path), ..
            } => Ok(path),
            SavepointOutcome { .. } => Err(self.nothing_said()),
        }
    }

    /// Waits until the checkpoint `trigger_id` is over and returns its id.
    ///
    /// # Errors
    /// As [`JobClient::wait_for_savepoint`].
    pub fn wait_for_checkpoint(&self, trigger_id: &str) -> Result<u64> {
        match self
            .wait(|| self.checkpoint_status(trigger_id), |_| {})?
            .unwrap_or_default()
        {
            CheckpointOutcome {
                failure_cause: Some(cause),
                ..
            } => Err(self.failed(cause)),
            CheckpointOutcome {
                checkpoint_id: Some(id),
                ..
            } => Ok(id),
            CheckpointOutcome { .. } => Err(self.nothing_said()),
        }
    }

    /// Waits until the job is over, or its process can't be reached any more, but not longer than `within`. Returns whether
    /// it is over.
    pub fn wait_for_end(&self, within: Duration) -> bool {
        let clock = SystemClock::shared();
        let start = clock.monotonic_nanos();
        let mut pause = PAUSES.0;
        loop {
            match self.status().as_deref() {
                Err(_) | Ok("FINISHED" | "CANCELED" | "FAILED") => return true,
                Ok(_) => {}
            }
            if elapsed(clock.as_ref(), start) >= within {
                return false;
            }
            sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn wait<T>(
        &self,
        ask: impl Fn() -> Result<OperationStatus<T>>,
        mut progress: impl FnMut(Duration),
    ) -> Result<Option<T>> {
        let clock = SystemClock::shared();
        let start = clock.monotonic_nanos();
        let mut pause = PAUSES.0;
        loop {
            let answer = ask().map_err(|e| outcome_unknown(e, self))?;
            if answer.status.id == "COMPLETED" {
                return Ok(answer.operation);
            }
            progress(elapsed(clock.as_ref(), start));
            sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn failed(&self, cause: FailureCause) -> Error {
        Error::new(kind(&cause.class), WAIT, cause.stack_trace).with("job", self.job_id())
    }

    fn nothing_said(&self) -> Error {
        Error::new(
            ErrorKind::Io,
            WAIT,
            "the job says that it is over, but not what came of it",
        )
        .with("job", self.job_id())
    }

    /// The newest savepoint under way; progress is told as well as it can be, so failures don't count.
    fn savepoint_under_way(&self) -> Option<(u64, u64)> {
        let checkpoints = self.checkpoints().ok()?;
        checkpoints
            .history
            .iter()
            .find(|c| c.is_savepoint && c.status == "IN_PROGRESS")
            .map(|c| (c.num_acknowledged_subtasks, c.num_subtasks))
    }
}

fn elapsed(clock: &dyn Clock, start_nanos: u64) -> Duration {
    Duration::from_nanos(clock.monotonic_nanos().saturating_sub(start_nanos))
}

fn outcome_unknown(e: Error, job: &JobClient) -> Error {
    if e.kind() != ErrorKind::Io {
        return e;
    }
    Error::new(ErrorKind::Io, WAIT, "the job went away before it told the outcome")
        .with("job", job.job_id())
        .hint("look into the savepoint folder (a savepoint is whole when it has its _metadata) and at the job's log")
        .source(e)
}

fn kind(class: &str) -> ErrorKind {
    use ErrorKind::{
        BadRecord, Cancelled, Config, Corrupt, IllegalState, Incompatible, Io, NotFound, Unsupported,
        UserFunction,
    };
    let kinds = [
        BadRecord,
        Cancelled,
        Config,
        Corrupt,
        IllegalState,
        Incompatible,
        Io,
        NotFound,
        Unsupported,
        UserFunction,
    ];
    kinds.into_iter().find(|k| k.as_str() == class).unwrap_or(Io)
}
