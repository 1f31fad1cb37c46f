//! What a checkpoint's `_metadata` file says, as plain data, and its bytes.
//!
//! The format is Flink's (`org.apache.flink.runtime.checkpoint.metadata`), byte for byte: header, operators, handles,
//! and the checkpoint's properties as a Java-serialized object. [`CheckpointMetadata::encode`] writes version 4, the
//! newest that both Flink 1.20 and Flink 2.x read; [`CheckpointMetadata::decode`] reads versions 3 to 6. Bytes from
//! outside are checked before they are believed: nothing here panics or allocates more than the input is long.

mod channel;
mod decode;
mod encode;
mod handle_id;
mod java;
mod properties;
mod tag;
#[cfg(test)]
mod tests;

pub use crate::barrier::SavepointFormat;
pub use properties::{CheckpointProperties, PostCheckpointAction, SnapshotType};

use millpond_core::{CheckpointId, OperatorId};
use millpond_state::handle::{ByteStreamStateHandle, OperatorSubtaskState, StreamStateHandle};
use std::collections::{BTreeMap, BTreeSet};

/// The first four bytes of every `_metadata` file (Flink's `Checkpoints.HEADER_MAGIC_NUMBER`).
pub const HEADER_MAGIC: u32 = 0x4960_672d;

/// The version that is written: Flink 1.20 writes 4 and reads no later one; Flink 2.x reads 2 to 5 and later.
pub const VERSION_WRITTEN: i32 = 4;

/// Everything that a checkpoint or savepoint is made of. Flink's `CheckpointMetadata`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointMetadata {
    /// The checkpoint's number.
    pub checkpoint_id: CheckpointId,
    /// The state of each operator, in the order of the file.
    pub operators: Vec<OperatorState>,
    /// What kind of snapshot it is and when it may be deleted. `None`: a file of version 3, which doesn't say.
    pub properties: Option<CheckpointProperties>,
}

/// The state of one operator over all its subtasks. Flink's `OperatorState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorState {
    /// The operator.
    pub operator_id: OperatorId,
    /// The operator's name; kept in files of version 5 and later only.
    pub name: Option<String>,
    /// The operator's uid; kept in files of version 5 and later only.
    pub uid: Option<String>,
    /// How many subtasks it had.
    pub parallelism: u32,
    /// How many key groups its keys were spread over.
    pub max_parallelism: u32,
    /// State of the operator's coordinator, which Flink's sources have. Kept as it is, never interpreted.
    pub coordinator: Option<ByteStreamStateHandle>,
    /// Whether every subtask had ended, its state with it (Flink's `FullyFinishedOperatorState`).
    pub fully_finished: bool,
    /// Subtasks that had ended while others still ran (Flink's `FinishedOperatorSubtaskState`).
    pub finished_subtasks: BTreeSet<u32>,
    /// The state of each subtask that still ran.
    pub subtasks: BTreeMap<u32, OperatorSubtaskState>,
}

impl OperatorState {
    /// An operator without any state yet.
    pub fn new(operator_id: OperatorId, parallelism: u32, max_parallelism: u32) -> Self {
        OperatorState {
            operator_id,
            name: None,
            uid: None,
            parallelism,
            max_parallelism,
            coordinator: None,
            fully_finished: false,
            finished_subtasks: BTreeSet::new(),
            subtasks: BTreeMap::new(),
        }
    }

    /// Whether restoring it gives anybody anything.
    pub fn has_state(&self) -> bool {
        self.coordinator.is_some() || self.subtasks.values().any(|s| !s.is_empty())
    }
}

impl CheckpointMetadata {
    /// Every stream that the checkpoint names, coordinators left out.
    pub fn streams(&self) -> impl Iterator<Item = &StreamStateHandle> {
        self.operators
            .iter()
            .flat_map(|o| o.subtasks.values())
            .flat_map(OperatorSubtaskState::streams)
    }
    /// The operator with this id.
    pub fn operator(&self, id: OperatorId) -> Option<&OperatorState> {
        self.operators.iter().find(|o| o.operator_id == id)
    }
    /// The bytes of all state, shared files counted in full (Flink's `stateSize`).
    pub fn state_size(&self) -> u64 {
        self.operators
            .iter()
            .flat_map(|o| o.subtasks.values())
            .map(OperatorSubtaskState::state_size)
            .sum()
    }
    /// The bytes that this checkpoint itself added (Flink's `checkpointedSize`).
    pub fn checkpointed_size(&self) -> u64 {
        self.operators
            .iter()
            .flat_map(|o| o.subtasks.values())
            .map(OperatorSubtaskState::checkpointed_size)
            .sum()
    }
    /// Whether it is a savepoint. A file that doesn't say is taken for a savepoint: nobody deletes it then.
    pub fn is_savepoint(&self) -> bool {
        self.properties
            .as_ref()
            .is_none_or(CheckpointProperties::is_savepoint)
    }
}
