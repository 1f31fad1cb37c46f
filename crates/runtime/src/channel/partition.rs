//! Which channels of an edge a record goes to.

use crate::graph::Exchange;
use millpond_core::{Error, Result};
use millpond_types::key_group::{MAX_PARALLELISM_LIMIT, operator_index_for_key_group};
use std::fmt;
use std::sync::Arc;

/// Gives the key group of a record.
pub type KeyGroupFunction<T> = Arc<dyn Fn(&T) -> u32 + Send + Sync>;

/// How records are distributed over the channels of an edge. Flink's `StreamPartitioner`s.
#[derive(Clone)]
pub enum Partitioner<T> {
    /// To the only channel.
    Forward,
    /// To one channel after the other.
    Rebalance,
    /// To all channels.
    Broadcast {
        /// Copies a record for all channels but the last.
        clone: fn(&T) -> T,
    },
    /// By key group.
    Hash {
        /// The key group of a record.
        key_group: KeyGroupFunction<T>,
        /// How many key groups there are.
        max_parallelism: u32,
    },
}

impl<T> Partitioner<T> {
    /// To all channels.
    pub fn broadcast() -> Self
    where
        T: Clone,
    {
        Partitioner::Broadcast { clone: T::clone }
    }

    /// By the key group that `key_group` gives, of `max_parallelism` ones.
    pub fn hash(max_parallelism: u32, key_group: impl Fn(&T) -> u32 + Send + Sync + 'static) -> Self {
        Partitioner::Hash {
            key_group: Arc::new(key_group),
            max_parallelism,
        }
    }

    /// Which exchange this is.
    pub fn exchange(&self) -> Exchange {
        match self {
            Partitioner::Forward => Exchange::Forward,
            Partitioner::Rebalance => Exchange::Rebalance,
            Partitioner::Broadcast { .. } => Exchange::Broadcast,
            Partitioner::Hash { .. } => Exchange::Hash,
        }
    }
}

impl<T> fmt::Debug for Partitioner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.exchange(), f)
    }
}

/// For each key group the channel of the task that owns it.
pub(super) fn key_group_table(max_parallelism: u32, channels: usize) -> Result<Vec<u32>> {
    let parallelism = u32::try_from(channels).unwrap_or(u32::MAX);
    if parallelism == 0 || parallelism > max_parallelism || max_parallelism > MAX_PARALLELISM_LIMIT {
        return Err(Error::config(
            "partition by key",
            "the parallelism must be between 1 and the max parallelism",
        )
        .with("parallelism", parallelism)
        .with("max_parallelism", max_parallelism)
        .hint(format!(
            "the max parallelism itself can be at most {MAX_PARALLELISM_LIMIT}"
        )));
    }
    Ok((0..max_parallelism)
        .map(|group| operator_index_for_key_group(group, max_parallelism, parallelism))
        .collect())
}
