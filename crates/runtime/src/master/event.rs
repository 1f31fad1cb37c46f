//! What the job master is told.

use super::handle::SavepointInfo;
use crate::task::TaskEvent;
use millpond_checkpoint::barrier::CheckpointKind;
use millpond_checkpoint::storage::CompletedCheckpoint;
use millpond_core::{CheckpointId, Result};
use millpond_state::query::{QueryKey, StateView};
use std::sync::mpsc::Sender;

/// What the job master is told.
pub(crate) enum MasterEvent {
    /// A task has news.
    Task(TaskEvent),
    /// A checkpoint's metadata is written, or not.
    Stored {
        checkpoint: CheckpointId,
        result: Result<Box<CompletedCheckpoint>>,
    },
    /// Somebody asks for something.
    Request(Request),
    /// A driven clock was moved.
    ClockMoved,
}

/// What the job's owner asks for.
pub(crate) enum Request {
    /// A savepoint or a checkpoint by hand.
    Savepoint {
        kind: CheckpointKind,
        target: Option<String>,
        answer: Sender<Result<SavepointInfo>>,
    },
    /// What a key has in a state.
    Query {
        uid: String,
        state: String,
        key: QueryKey,
        answer: Sender<Result<StateView>>,
    },
    /// The end, now.
    Cancel,
}
