//! What a backend is made from.

use crate::gauge::Gauges;
use crate::metrics::{LatencyTracking, SizeTracking, StateMetrics};
use millpond_core::host::{Clock, SystemClock, entropy};
use millpond_types::serializer::SerializerRegistry;
use millpond_types::{KeyGroupRange, SharedSerializer, StateKey};
use std::sync::Arc;

/// What a keyed state backend is made from.
#[derive(Clone, Debug)]
pub struct KeyedStateBackendParameters<K> {
    /// Writes the keys.
    pub key_serializer: SharedSerializer<K>,
    /// The key groups that the instance owns.
    pub key_group_range: KeyGroupRange,
    /// The number of all key groups: the job's max parallelism.
    pub max_parallelism: u32,
    /// The slot that the instance is in, for memory that is given for each slot. Subtasks of the same number share one, as Flink
    /// deploys jobs of one slot sharing group.
    pub slot: u32,
    /// Whether checkpoints are incremental. Flink's `execution.checkpointing.incremental`.
    pub incremental: bool,
    /// Whether snapshots are compressed. Flink's `execution.checkpointing.snapshot-compression`.
    pub compressed: bool,
    /// The serializers that the job registered for its types.
    pub serializers: Arc<SerializerRegistry>,
    /// Names this backend instance among all that ever wrote for the operator; a UUID in text form.
    pub backend_id: String,
    /// What times to live are measured by.
    pub ttl_clock: Arc<dyn Clock>,
    /// How long accesses take, if that is to be known.
    pub latency_tracking: Option<Arc<LatencyTracking>>,
    /// How the sizes of keys and values are measured, if they are.
    pub size_tracking: Option<Arc<SizeTracking>>,
    /// Where the number of keys of each state is shown, if it is to be known.
    pub key_counts: Option<StateMetrics>,
    /// Where the backend shows its gauges.
    pub gauges: Gauges,
}

impl<K: StateKey> KeyedStateBackendParameters<K> {
    /// A backend with full checkpoints, keys written as their type says, a fresh id, and the machine's clock.
    pub fn new(key_group_range: KeyGroupRange, max_parallelism: u32) -> Self {
        KeyedStateBackendParameters {
            key_serializer: K::serializer(),
            key_group_range,
            max_parallelism,
            slot: 0,
            incremental: false,
            compressed: false,
            serializers: Arc::default(),
            backend_id: fresh_backend_id(),
            ttl_clock: SystemClock::shared(),
            latency_tracking: None,
            size_tracking: None,
            key_counts: None,
            gauges: Gauges::default(),
        }
    }

    /// The same in a slot.
    #[must_use]
    pub fn slot(mut self, slot: u32) -> Self {
        self.slot = slot;
        self
    }

    /// The same with incremental checkpoints on or off.
    #[must_use]
    pub fn incremental(mut self, incremental: bool) -> Self {
        self.incremental = incremental;
        self
    }

    /// The same with snapshots compressed or not.
    #[must_use]
    pub fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// The same with times to live measured by `clock`.
    #[must_use]
    pub fn ttl_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ttl_clock = clock;
        self
    }

    /// The same with gauges shown in `gauges`.
    #[must_use]
    pub fn gauges(mut self, gauges: Gauges) -> Self {
        self.gauges = gauges;
        self
    }
}

/// A random UUID (version 4) in text form.
fn fresh_backend_id() -> String {
    let (high, low) = (entropy(), entropy());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48 & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}
