//! Handles: small descriptions of where a snapshot's bytes lie, which the coordinator collects and a restore follows.
//!
//! They are Flink's `org.apache.flink.runtime.state` handles as plain data; the checkpoint layer writes them into
//! `_metadata`.

mod channel;
mod keyed;
mod operator;
mod stream;

pub use channel::{
    ChannelStateHandle, InputChannelInfo, InputChannelStateHandle, ResultSubpartitionInfo,
    ResultSubpartitionStateHandle,
};
pub use keyed::{
    HandleAndLocalPath, IncrementalRemoteKeyedStateHandle, KeyGroupsStateHandle, KeyedStateHandle,
    NO_OFFSET_SET,
};
pub use operator::{OperatorStateHandle, OperatorStateMeta, OperatorStateMode};
pub use stream::{
    ByteStreamStateHandle, FileStateHandle, SegmentFileStateHandle, StatePath, StreamStateHandle,
};

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
    /// Records that were on their way to the operator; of an unaligned checkpoint only.
    pub input_channel: Vec<InputChannelStateHandle>,
    /// Records that the operator had emitted and that were still with it. Only Flink's checkpoints have them: here a
    /// channel is one queue, and its receiver stores all of it.
    pub result_subpartition: Vec<ResultSubpartitionStateHandle>,
}

impl OperatorSubtaskState {
    /// Every stream handle that it names; one that several channels share may come more than once.
    pub fn streams(&self) -> impl Iterator<Item = &StreamStateHandle> {
        self.state_streams()
            .chain(self.input_channel.iter().map(|h| &h.stream))
            .chain(self.result_subpartition.iter().map(|h| &h.stream))
    }
    fn state_streams(&self) -> impl Iterator<Item = &StreamStateHandle> {
        let operator = self.managed_operator.iter().chain(&self.raw_operator);
        let keyed = self.managed_keyed.iter().chain(&self.raw_keyed);
        operator
            .map(|h| &h.stream)
            .chain(keyed.flat_map(KeyedStateHandle::streams))
    }
    /// Whether it holds state of keys, managed or raw: only such state depends on how many key groups there are.
    pub fn has_keyed_state(&self) -> bool {
        !self.managed_keyed.is_empty() || !self.raw_keyed.is_empty()
    }
    /// The bytes that the state takes, shared files counted in full (Flink's `stateSize`).
    pub fn state_size(&self) -> u64 {
        let state: u64 = self.state_streams().map(StreamStateHandle::size).sum();
        state + self.channel_state_size()
    }
    /// The bytes of records that were on their way.
    pub fn channel_state_size(&self) -> u64 {
        let input: u64 = self.input_channel.iter().map(|h| h.size).sum();
        input + self.result_subpartition.iter().map(|h| h.size).sum::<u64>()
    }
    /// The bytes that this checkpoint itself added (Flink's `checkpointedSize`).
    pub fn checkpointed_size(&self) -> u64 {
        let operator = self.managed_operator.iter().chain(&self.raw_operator);
        let keyed = self.managed_keyed.iter().chain(&self.raw_keyed);
        operator.map(|h| h.stream.size()).sum::<u64>()
            + keyed.map(KeyedStateHandle::checkpointed_size).sum::<u64>()
            + self.channel_state_size()
    }
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.managed_operator.is_empty()
            && self.managed_keyed.is_empty()
            && self.raw_operator.is_empty()
            && self.raw_keyed.is_empty()
            && self.input_channel.is_empty()
            && self.result_subpartition.is_empty()
    }
}
