//! State of one operator instance: descriptors, the keyed states, operator state, timers, backends, snapshot and restore.
//!
//! This layer knows types and bytes. It never knows tasks, the engine's threads or the checkpoint coordinator; where
//! snapshot bytes go is behind [`stream::CheckpointStreamFactory`].

pub mod async_state;
pub mod backend;
pub mod descriptor;
pub mod gauge;
pub mod handle;
mod hashmap;
pub mod keyed;
pub mod metrics;
pub mod operator_state;
pub mod query;
pub mod raw;
pub mod redistribute;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
pub mod snapshot;
pub mod stream;
pub mod timer;
pub mod ttl;
