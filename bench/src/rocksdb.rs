//! The RocksDB backend's state access, with the options that each side has by default: RocksDB's own, and on ours what
//! `docs/rocksdb.md` tells. Once with a cache of typed values that everything fits in, once with one that holds a tenth of it.

use crate::state_access::{self, Group, Subject, parameters};
use millpond_core::Result;
use millpond_state::backend::KeyedStateBackend;
use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, RocksDBOptions};
use millpond_state::stream::memory::MemoryStreams;

/// What the cache takes of 1 GB of managed memory by default.
const CACHE_BYTES: usize = 256 << 20;

/// All values fit into the cache.
pub fn run() -> Result<()> {
    state_access::run(&Subject {
        suite: "rocksdb",
        backend: |_| backend(CACHE_BYTES),
    })
}

/// The keys, visited in random order, take ten times the cache.
pub fn run_uniform() -> Result<()> {
    state_access::run(&Subject {
        suite: "rocksdb_uniform",
        backend: |group: Group| backend(group.stored_bytes() / 10),
    })
}

fn backend(cache_bytes: usize) -> Result<KeyedStateBackend<i64>> {
    let options = RocksDBOptions {
        cache_bytes,
        ..RocksDBOptions::default()
    };
    EmbeddedRocksDBStateBackend::new(options).create_keyed_backend(
        parameters()?,
        &[],
        &MemoryStreams::default(),
    )
}
