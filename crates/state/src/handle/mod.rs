//! Handles: small descriptions of where a snapshot's bytes lie, which the coordinator collects and a restore follows.
//!
//! They are Flink's `org.apache.flink.runtime.state` handles as plain data; the checkpoint layer writes them into
//! `_metadata`.

mod keyed;
mod operator;
mod stream;

pub use keyed::{
    HandleAndLocalPath, IncrementalRemoteKeyedStateHandle, KeyGroupsStateHandle, KeyedStateHandle,
    NO_OFFSET_SET,
};
pub use operator::{OperatorStateHandle, OperatorStateMeta, OperatorStateMode};
pub use stream::{ByteStreamStateHandle, FileStateHandle, StatePath, StreamStateHandle};

/// All the state of one operator instance in one checkpoint. Flink's `OperatorSubtaskState`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorSubtaskState {
    /// List, union and broadcast state of the operator.
    pub managed_operator: Vec<OperatorStateHandle>,
    /// Keyed states and timers.
    pub managed_keyed: Vec<KeyedStateHandle>,
    /// What the operator wrote by itself, in partitions ([`crate::raw`]).
    pub raw_operator: Vec<OperatorStateHandle>,
    /// What the operator wrote by itself, by key group ([`crate::raw`]).
    pub raw_keyed: Vec<KeyedStateHandle>,
}

impl OperatorSubtaskState {
    /// Every stream handle that it names.
    pub fn streams(&self) -> impl Iterator<Item = &StreamStateHandle> {
        let operator = self.managed_operator.iter().chain(&self.raw_operator);
        let keyed = self.managed_keyed.iter().chain(&self.raw_keyed);
        operator
            .map(|h| &h.stream)
            .chain(keyed.flat_map(KeyedStateHandle::streams))
    }
    /// The bytes that the state takes, shared files counted in full (Flink's `stateSize`).
    pub fn state_size(&self) -> u64 {
        self.streams().map(StreamStateHandle::size).sum()
    }
    /// The bytes that this checkpoint itself added (Flink's `checkpointedSize`).
    pub fn checkpointed_size(&self) -> u64 {
        let operator = self.managed_operator.iter().chain(&self.raw_operator);
        let keyed = self.managed_keyed.iter().chain(&self.raw_keyed);
        operator.map(|h| h.stream.size()).sum::<u64>()
            + keyed.map(KeyedStateHandle::checkpointed_size).sum::<u64>()
    }
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.managed_operator.is_empty()
            && self.managed_keyed.is_empty()
            && self.raw_operator.is_empty()
            && self.raw_keyed.is_empty()
    }
}
