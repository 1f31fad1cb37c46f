//! What a large keyed state costs to checkpoint, to restore and to rescale: suites `big_hashmap`, `big_rocksdb` and
//! `big_rocksdb_uncached`.
//!
//! The same steps as Flink's in `BigState`, at the level of the keyed state backends and their checkpoint streams, so both
//! sides write and read files of the local disk. `BIG_STATE_MB` says how large the state is (2048). Operations end with their
//! unit: `_ms` (milliseconds) and `_mb` (megabytes), and of both less is better.
//!
//! 1. One instance is filled and checkpointed; then one percent of the keys changes and it is checkpointed again, three times
//!    with different percents ([`keys::Percent`]); then it is restored.
//! 2. Two instances are filled and checkpointed, three restore from that and are checkpointed, two restore from that.
//!
//! A restore is over when every new instance has processed a record: read the value of one of its keys and updated it.

mod checkpoints;
mod instance;
mod keys;
mod rescale;

use instance::BackendKind;
use keys::Dataset;
use millpond_core::{Error, Result};
use std::path::{Path, PathBuf};

/// The number of key groups.
const MAX_PARALLELISM: u32 = 128;

/// A folder for checkpoints and local state that goes away at the end.
struct Scratch(PathBuf);

/// A suite under way: what its lines start with, and what it works on.
struct Suite {
    name: &'static str,
    kind: BackendKind,
    dataset: Dataset,
    scratch: Scratch,
}

/// The HashMap backend with incremental checkpoints.
pub fn hashmap() -> Result<()> {
    run("big_hashmap", BackendKind::HashMap)
}

/// The RocksDB backend with its default options and incremental checkpoints.
#[cfg(feature = "rocksdb")]
pub fn rocksdb() -> Result<()> {
    run("big_rocksdb", BackendKind::RocksDB { cached: true })
}

/// The same without the cache of typed values: whatever changes is in the database when a checkpoint begins.
#[cfg(feature = "rocksdb")]
pub fn rocksdb_uncached() -> Result<()> {
    run("big_rocksdb_uncached", BackendKind::RocksDB { cached: false })
}

fn run(name: &'static str, kind: BackendKind) -> Result<()> {
    let suite = Suite {
        name,
        kind,
        dataset: Dataset::from_env()?,
        scratch: Scratch::new(name)?,
    };
    checkpoints::run(&suite)?;
    rescale::run(&suite)
}

impl Suite {
    fn print_ms(&self, operation: &str, nanos: u64) {
        println!("{} {operation}_ms {:.3}", self.name, nanos.max(1) as f64 / 1e6);
    }
    fn print_mb(&self, operation: &str, bytes: u64) {
        println!("{} {operation}_mb {:.3}", self.name, bytes.max(1) as f64 / 1e6);
    }
}

impl Scratch {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("millpond-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|e| Error::io("run benchmarks", e).with("folder", path.display()))?;
        Ok(Scratch(path))
    }
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // In the folder for temporary files; what stays behind is no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
