//! Handles of operator state.

use super::stream::StreamStateHandle;
use std::collections::BTreeMap;

/// Operator state of one operator instance: one stream with every state's elements. Flink's `OperatorStreamStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorStateHandle {
    /// Where each state's elements begin and how they are handed out again.
    pub states: BTreeMap<String, OperatorStateMeta>,
    /// The stream.
    pub stream: StreamStateHandle,
}

/// One operator state in the stream. Flink's `OperatorStateHandle.StateMetaInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorStateMeta {
    /// The offset of each element.
    pub offsets: Vec<u64>,
    /// How the elements are handed out when the job is restored.
    pub mode: OperatorStateMode,
}

/// How operator state is redistributed. Flink's `OperatorStateHandle.Mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperatorStateMode {
    /// List state: the elements of all instances, split evenly among the new ones.
    SplitDistribute,
    /// Union list state: every new instance gets the elements of all.
    Union,
    /// Broadcast state: every instance held the same; each new one gets a copy.
    Broadcast,
}
