//! What checkpoints cost a running job, and what backpressure costs checkpoints.

mod backpressure;
mod latency;
mod overhead;

use millpond::prelude::*;

/// Options of a job whose state is in RocksDB.
#[cfg(feature = "rocksdb")]
const ROCKSDB: &[(&str, &str)] = &[
    ("state.backend.type", "rocksdb"),
    ("taskmanager.memory.managed.size", "1gb"),
];

/// Checkpoints behind full queues.
pub fn backpressure() -> Result<()> {
    backpressure::run("backpressure")
}

/// The keyed count with checkpoints and without.
pub fn overhead() -> Result<()> {
    overhead::run("overhead", &[])
}

/// The same on RocksDB.
#[cfg(feature = "rocksdb")]
pub fn overhead_rocksdb() -> Result<()> {
    overhead::run("overhead_rocksdb", ROCKSDB)
}

/// How long records take while a large state is checkpointed.
pub fn latency() -> Result<()> {
    latency::run("latency", &[])
}

/// The same on RocksDB.
#[cfg(feature = "rocksdb")]
pub fn latency_rocksdb() -> Result<()> {
    latency::run("latency_rocksdb", ROCKSDB)
}

/// An environment with these options, and a folder for its checkpoints that is gone afterwards.
fn with_folder<T>(
    options: &[(&str, &str)],
    run: impl FnOnce(&StreamExecutionEnvironment) -> Result<T>,
) -> Result<T> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    let folder = std::env::temp_dir().join(format!("millpond-bench-{}", std::process::id()));
    env.set_option("execution.checkpointing.dir", folder.display());
    for (key, value) in options {
        env.set_option(key, value);
    }
    let result = run(&env);
    // Left behind in case of an error, a temporary folder is no harm.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
