//! Raw state: bytes that an operator writes and reads itself, beside its managed states. Flink's raw keyed and raw operator state.
//!
//! A snapshot has one stream of each kind for an operator instance. The keyed one is in sections by key group, which go where
//! the key groups go when the job is rescaled. The other is in partitions, which are dealt out as the elements of a split list
//! state are. What stands in them is the operator's own affair, and formats and names are Flink's
//! (`KeyedStateCheckpointOutputStream`, `OperatorStateCheckpointOutputStream`).

mod input;
mod keyed;
mod operator;

pub use input::RawStateStream;
pub use keyed::{
    KeyGroupStatePartitionStreamProvider, KeyedStateCheckpointOutputStream, raw_keyed_state_inputs,
};
pub use operator::{
    OperatorStateCheckpointOutputStream, StatePartitionStreamProvider, raw_operator_state_inputs,
};

use crate::handle::StreamStateHandle;
use crate::stream::{CheckpointStreamFactory, CheckpointedStateScope};
use millpond_core::{Error, ErrorKind, Result};

/// Writes `bytes` into a stream of their own. None for no bytes.
fn store(bytes: &[u8], streams: &dyn CheckpointStreamFactory) -> Result<Option<StreamStateHandle>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut out = streams.create(CheckpointedStateScope::Exclusive)?;
    out.write_all(bytes).map_err(|e| {
        Error::new(
            ErrorKind::Io,
            "write raw state",
            "the checkpoint's storage refused",
        )
        .source(e)
    })?;
    out.close_and_get_handle().map(Some)
}
