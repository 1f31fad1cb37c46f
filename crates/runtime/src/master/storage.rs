//! The checkpoint storage as the master and its tasks use it: the places of checkpoints under way, and the writing of metadata.

use super::settings::Settings;
use crate::graph::JobGraph;
use crate::task::CheckpointStorageAccess;
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind};
use millpond_checkpoint::completed::RetentionPolicy;
use millpond_checkpoint::coordinator::TaskId;
use millpond_checkpoint::metadata::{
    CheckpointMetadata, CheckpointProperties, OperatorState, PostCheckpointAction,
};
use millpond_checkpoint::storage::{CheckpointLocation, FileSystemCheckpointStorage};
use millpond_core::hash::HashMap;
use millpond_core::{CheckpointId, Error, OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::stream::CheckpointStreamFactory;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a task hands in for a checkpoint: the state of each of its operators.
pub(super) type TaskStates = Vec<(OperatorId, OperatorSubtaskState)>;

/// The places of the checkpoints that are under way.
#[derive(Default)]
pub(super) struct Locations(Mutex<HashMap<CheckpointId, CheckpointLocation>>);

impl Locations {
    pub(super) fn insert(&self, id: CheckpointId, location: CheckpointLocation) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, location);
    }
    pub(super) fn get(&self, id: CheckpointId) -> Option<CheckpointLocation> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }
    /// Forgets the places of checkpoints older than the oldest that may still matter: those of late acknowledgements.
    pub(super) fn forget_before(&self, id: CheckpointId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|known, _| *known >= id);
    }
}

impl CheckpointStorageAccess for Locations {
    fn stream_factory(&self, barrier: &CheckpointBarrier) -> Result<Arc<dyn CheckpointStreamFactory>> {
        let location = self.get(barrier.checkpoint).ok_or_else(|| {
            Error::illegal_state("write checkpoint", "the checkpoint is not under way any more")
                .with("checkpoint", barrier.checkpoint)
        })?;
        Ok(location.stream_factory())
    }
}

/// Opens the storage that the job's options name.
pub(super) fn open(graph: &JobGraph, settings: &Settings) -> Result<Arc<FileSystemCheckpointStorage>> {
    match &settings.checkpoints_dir {
        Some(dir) => FileSystemCheckpointStorage::open(dir, graph.job_id, settings.storage.clone()),
        None => FileSystemCheckpointStorage::in_memory(graph.job_id, settings.storage.clone()),
    }
}

/// The metadata of a checkpoint, from what its tasks handed in.
pub(super) fn metadata(
    graph: &JobGraph,
    id: CheckpointId,
    kind: CheckpointKind,
    retention: RetentionPolicy,
    states: BTreeMap<TaskId, TaskStates>,
) -> CheckpointMetadata {
    let mut operators: Vec<OperatorState> = graph
        .vertices
        .iter()
        .flat_map(|v| {
            v.operators.iter().map(|o| {
                let mut state = OperatorState::new(o.id, v.parallelism, v.max_parallelism);
                state.name = Some(o.name.clone());
                state.uid.clone_from(&o.uid);
                state
            })
        })
        .collect();
    for (task, states) in states {
        for (id, state) in states {
            if let Some(operator) = operators.iter_mut().find(|o| o.operator_id == id) {
                operator.subtasks.insert(task.subtask, state);
            }
        }
    }
    let properties = match kind {
        CheckpointKind::Checkpoint => retention.properties(),
        CheckpointKind::Savepoint(format) => {
            CheckpointProperties::savepoint(PostCheckpointAction::None, format)
        }
        CheckpointKind::Stop { format, drain: false } => {
            CheckpointProperties::savepoint(PostCheckpointAction::Suspend, format)
        }
        CheckpointKind::Stop { format, drain: true } => {
            CheckpointProperties::savepoint(PostCheckpointAction::Terminate, format)
        }
    };
    CheckpointMetadata {
        checkpoint_id: id,
        operators,
        properties: Some(properties),
    }
}
