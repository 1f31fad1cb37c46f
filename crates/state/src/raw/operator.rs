//! Raw operator state: a stream in partitions.

use super::{RawStateStream, store};
use crate::handle::{OperatorStateHandle, OperatorStateMeta, OperatorStateMode, StreamStateHandle};
use crate::stream::{CheckpointStreamFactory, StateHandleReader};
use millpond_core::Result;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// The name that raw operator state has in its handle. Flink's `DefaultOperatorStateBackend.DEFAULT_OPERATOR_STATE_NAME`.
const RAW_STATE_NAME: &str = "_default_";

/// Takes raw operator state, partition by partition. Flink's `OperatorStateCheckpointOutputStream`.
///
/// Partitions are what is dealt out when the job is rescaled. What is written before one is started is a partition, too. The bytes are kept in memory until the snapshot's asynchronous part stores them.
#[derive(Debug, Default)]
pub struct OperatorStateCheckpointOutputStream {
    offsets: Vec<u64>,
    bytes: Vec<u8>,
}

impl OperatorStateCheckpointOutputStream {
    /// From here on what is written belongs to a partition of its own.
    pub fn start_new_partition(&mut self) {
        self.offsets.push(self.bytes.len() as u64);
    }
    /// How many partitions there are.
    pub fn number_of_partitions(&self) -> usize {
        self.offsets.len()
    }
    /// Stores what was written. None when nothing was.
    ///
    /// # Errors
    /// Io when the storage refuses.
    pub fn close_and_get_handle(
        self,
        streams: &dyn CheckpointStreamFactory,
    ) -> Result<Option<OperatorStateHandle>> {
        let Some(stream) = store(&self.bytes, streams)? else {
            return Ok(None);
        };
        let meta = OperatorStateMeta {
            offsets: self.offsets,
            mode: OperatorStateMode::SplitDistribute,
        };
        Ok(Some(OperatorStateHandle {
            states: BTreeMap::from([(RAW_STATE_NAME.to_string(), meta)]),
            stream,
        }))
    }
}

impl Write for OperatorStateCheckpointOutputStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.offsets.is_empty() {
            self.start_new_partition();
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One partition of raw operator state. Flink's `StatePartitionStreamProvider`.
#[derive(Clone)]
pub struct StatePartitionStreamProvider {
    reader: Arc<dyn StateHandleReader>,
    stream: StreamStateHandle,
    offset: u64,
}

impl StatePartitionStreamProvider {
    /// The bytes from the partition's first on, to the end of the stream that it was written to. Where the partition ends nothing
    /// says, as in Flink: write how long it is, or something that shows it.
    pub fn stream(&self) -> RawStateStream {
        RawStateStream::new(&self.reader, &self.stream, self.offset..self.stream.size())
    }
}

/// The partitions that `handles` give to an operator instance, in their order.
pub fn raw_operator_state_inputs(
    handles: &[OperatorStateHandle],
    reader: &Arc<dyn StateHandleReader>,
) -> Vec<StatePartitionStreamProvider> {
    let offsets = |handle: &OperatorStateHandle| -> Vec<u64> {
        handle.states.values().flat_map(|m| m.offsets.clone()).collect()
    };
    handles
        .iter()
        .flat_map(|handle| {
            offsets(handle)
                .into_iter()
                .map(|offset| StatePartitionStreamProvider {
                    reader: Arc::clone(reader),
                    stream: handle.stream.clone(),
                    offset,
                })
        })
        .collect()
}
