//! What checkpoints cost a running job, and what backpressure costs checkpoints.

mod backpressure;
mod latency;
mod overhead;

use millpond::prelude::*;

const SUITE: &str = "checkpointing";

/// All of it, with state in the HashMap backend.
pub fn run() -> Result<()> {
    backpressure::run()?;
    overhead::run(SUITE, &[])?;
    latency::run(SUITE, &[])
}

/// Overhead and latency with state in RocksDB.
#[cfg(feature = "rocksdb")]
pub fn run_rocksdb() -> Result<()> {
    let options = [
        ("state.backend.type", "rocksdb"),
        ("taskmanager.memory.managed.size", "1gb"),
    ];
    overhead::run("checkpointing_rocksdb", &options)?;
    latency::run("checkpointing_rocksdb", &options)
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
