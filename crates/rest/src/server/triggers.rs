//! Operations that take a while: asked for by one request, their outcome fetched by later ones.
//!
//! Flink's `CompletedOperationCache`, bounded by number instead of age: when it is full, the oldest finished operation goes.

use millpond_core::host::entropy;
use millpond_core::{Error, ErrorKind};
use millpond_runtime::master::{Pending, SavepointInfo};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// How many operations are remembered.
const REMEMBERED: usize = 200;

/// What an operation does; each kind has its own status path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Savepoints, with or without a stop.
    Savepoint,
    /// A checkpoint of the job's own.
    Checkpoint,
    /// The deletion of a savepoint.
    Disposal,
}

/// An outcome that will come.
pub(super) enum Expected {
    /// From the job.
    Snapshot(Pending<SavepointInfo>),
    /// From the thread that deletes files.
    Disposal(oneshot::Receiver<Result<(), Error>>),
}

impl Expected {
    /// What came of it, once it is over; `None` inside: nothing is there to be told.
    fn poll(&mut self) -> Option<Result<Option<SavepointInfo>, Error>> {
        match self {
            Expected::Snapshot(pending) => pending.poll().map(|answer| answer.map(Some)),
            Expected::Disposal(receiver) => match receiver.try_recv() {
                Ok(answer) => Some(answer.map(|()| None)),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Closed) => Some(Err(Error::illegal_state(
                    "dispose savepoint",
                    "its thread ended without an answer",
                ))),
            },
        }
    }
}

/// How far an operation is.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    UnderWay,
    /// `None`: a disposal, which has nothing to tell.
    Completed(Option<SavepointInfo>),
    Failed {
        kind: ErrorKind,
        report: String,
    },
}

#[derive(Default)]
pub(super) struct Triggers(Mutex<VecDeque<Trigger>>);

struct Trigger {
    id: String,
    operation: Operation,
    state: State,
    fetched: bool,
}

enum State {
    Waiting(Expected),
    Done(Progress),
}

impl Trigger {
    /// Looks whether the answer has come.
    fn look(&mut self) -> Progress {
        if let State::Waiting(expected) = &mut self.state
            && let Some(answer) = expected.poll()
        {
            self.state = State::Done(match answer {
                Ok(info) => Progress::Completed(info),
                Err(e) => Progress::Failed {
                    kind: e.kind(),
                    report: e.report(),
                },
            });
        }
        match &self.state {
            State::Waiting(_) => Progress::UnderWay,
            State::Done(progress) => progress.clone(),
        }
    }
}

impl Triggers {
    /// Starts an operation under `id`, or a fresh id, and returns the id. An id that is known already starts nothing: who
    /// didn't hear the answer may ask again.
    ///
    /// # Errors
    /// IllegalState when too many operations are under way.
    pub(super) fn start(
        &self,
        operation: Operation,
        id: Option<String>,
        trigger: impl FnOnce() -> Expected,
    ) -> Result<String, Error> {
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = &id
            && triggers.iter().any(|t| t.operation == operation && t.id == *id)
        {
            return Ok(id.clone());
        }
        if triggers.len() >= REMEMBERED {
            let done = triggers
                .iter_mut()
                .position(|t| !matches!(t.look(), Progress::UnderWay));
            let Some(done) = done else {
                return Err(
                    Error::illegal_state("trigger savepoint", "too many are under way already")
                        .with("under_way", triggers.len())
                        .hint("wait for some of them"),
                );
            };
            triggers.remove(done);
        }
        let id = id.unwrap_or_else(|| format!("{:016x}{:016x}", entropy(), entropy()));
        triggers.push_back(Trigger {
            id: id.clone(),
            operation,
            state: State::Waiting(trigger()),
            fetched: false,
        });
        Ok(id)
    }

    /// How far the operation is; `None` when there is no such one.
    pub(super) fn progress(&self, operation: Operation, id: &str) -> Option<Progress> {
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trigger = triggers
            .iter_mut()
            .find(|t| t.operation == operation && t.id == id)?;
        let progress = trigger.look();
        trigger.fetched = !matches!(progress, Progress::UnderWay);
        Some(progress)
    }

    /// Whether there are outcomes, or will be, that nobody has fetched.
    pub(super) fn waiting_for_a_reader(&self) -> bool {
        let triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        triggers.iter().any(|t| !t.fetched)
    }
}
