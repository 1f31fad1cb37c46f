//! What a function is handed when a snapshot is taken of it, and the raw state that it comes back with.

use super::runtime_context::RuntimeContext;
use millpond_core::{CheckpointId, Error, Result};
use millpond_state::raw::{
    KeyGroupStatePartitionStreamProvider, KeyedStateCheckpointOutputStream,
    OperatorStateCheckpointOutputStream, StatePartitionStreamProvider,
};
use std::cell::Cell;

/// What a function is handed when a snapshot is taken of it, between two records: it may change its states, and write raw state.
/// Flink's `FunctionSnapshotContext`, with what only `StateSnapshotContext` has there.
pub struct StateSnapshotContext<'a> {
    checkpoint_id: CheckpointId,
    keyed: Option<&'a mut KeyedStateCheckpointOutputStream>,
    operator: &'a mut OperatorStateCheckpointOutputStream,
}

impl<'a> StateSnapshotContext<'a> {
    /// For engines: the context of one snapshot. `keyed` is `None` for a stream without keys.
    pub fn new(
        checkpoint_id: CheckpointId,
        keyed: Option<&'a mut KeyedStateCheckpointOutputStream>,
        operator: &'a mut OperatorStateCheckpointOutputStream,
    ) -> Self {
        StateSnapshotContext {
            checkpoint_id,
            keyed,
            operator,
        }
    }
    /// The checkpoint or savepoint.
    pub fn checkpoint_id(&self) -> CheckpointId {
        self.checkpoint_id
    }
    /// Takes raw state by key group. Flink's `getRawKeyedOperatorStateOutput`.
    ///
    /// # Errors
    /// IllegalState when the stream is not keyed.
    pub fn raw_keyed_operator_state_output(&mut self) -> Result<&mut KeyedStateCheckpointOutputStream> {
        self.keyed.as_deref_mut().ok_or_else(|| {
            Error::illegal_state("write raw keyed state", "the stream is not keyed")
                .hint("use raw_operator_state_output, or call key_by before process")
        })
    }
    /// Takes raw state in partitions. Flink's `getRawOperatorStateOutput`.
    pub fn raw_operator_state_output(&mut self) -> &mut OperatorStateCheckpointOutputStream {
        self.operator
    }
}

/// For engines: the raw state that an operator instance was restored with, and whether its function asked for it.
#[derive(Default)]
pub struct RawStateInputs {
    keyed: Vec<KeyGroupStatePartitionStreamProvider>,
    operator: Vec<StatePartitionStreamProvider>,
    keyed_asked_for: Cell<bool>,
    operator_asked_for: Cell<bool>,
}

impl RawStateInputs {
    /// What was restored.
    pub fn new(
        keyed: Vec<KeyGroupStatePartitionStreamProvider>,
        operator: Vec<StatePartitionStreamProvider>,
    ) -> Self {
        RawStateInputs {
            keyed,
            operator,
            ..RawStateInputs::default()
        }
    }
    /// The kind of raw state that is there and that nobody asked for: to go on would lose it.
    pub fn unclaimed(&self) -> Option<&'static str> {
        if !self.keyed.is_empty() && !self.keyed_asked_for.get() {
            return Some("raw keyed state");
        }
        (!self.operator.is_empty() && !self.operator_asked_for.get()).then_some("raw operator state")
    }
}

/// The raw state that a function was restored with. One that has some and never asks for it is an error: its next snapshot would be
/// without it.
impl<K> RuntimeContext<'_, K> {
    /// What the key groups of this instance have, from each stream that was written; none after a fresh start. Flink's
    /// `StateInitializationContext#getRawKeyedStateInputs`.
    pub fn raw_keyed_state_inputs(&self) -> Vec<KeyGroupStatePartitionStreamProvider> {
        self.raw.map_or_else(Vec::new, |raw| {
            raw.keyed_asked_for.set(true);
            raw.keyed.clone()
        })
    }
    /// The partitions that this instance was given; none after a fresh start. Flink's
    /// `StateInitializationContext#getRawOperatorStateInputs`.
    pub fn raw_operator_state_inputs(&self) -> Vec<StatePartitionStreamProvider> {
        self.raw.map_or_else(Vec::new, |raw| {
            raw.operator_asked_for.set(true);
            raw.operator.clone()
        })
    }
}
