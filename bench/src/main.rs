//! Benchmarks as a plain program: `millpond-bench <suite>...`, all suites when none is named. Each line is
//! `<suite> <operation> <number>`: operations a second, or milliseconds or megabytes where the name says so.
//! `millpond-bench suites` lists the suites, and `millpond-bench compare` sets results against Flink's.

mod big_state;
mod checkpointing;
mod compare;
mod engine;
mod hashmap;
mod large_state;
mod process;
mod recovery;
#[cfg(feature = "rocksdb")]
mod rocksdb;
#[cfg(feature = "rocksdb")]
mod rocksdb_memory;
mod state_access;

use millpond_core::{Error, Result};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A suite: its name and what runs it.
type Suite = (&'static str, fn() -> Result<()>);

/// All suites.
const SUITES: &[Suite] = &[
    // First, while the process has hardly any memory.
    #[cfg(feature = "rocksdb")]
    ("rocksdb_memory", rocksdb_memory::run),
    ("hashmap", hashmap::run),
    ("engine", engine::run),
    #[cfg(feature = "rocksdb")]
    ("rocksdb", rocksdb::run),
    #[cfg(feature = "rocksdb")]
    ("rocksdb_uniform", rocksdb::run_uniform),
    #[cfg(feature = "rocksdb")]
    ("engine_rocksdb", engine::run_rocksdb),
    ("backpressure", checkpointing::backpressure),
    ("overhead", checkpointing::overhead),
    #[cfg(feature = "rocksdb")]
    ("overhead_rocksdb", checkpointing::overhead_rocksdb),
    ("latency", checkpointing::latency),
    #[cfg(feature = "rocksdb")]
    ("latency_rocksdb", checkpointing::latency_rocksdb),
    ("recovery", recovery::hashmap),
    #[cfg(feature = "rocksdb")]
    ("recovery_rocksdb", recovery::rocksdb),
    ("big_hashmap", big_state::hashmap),
    #[cfg(feature = "rocksdb")]
    ("big_rocksdb", big_state::rocksdb),
    #[cfg(feature = "rocksdb")]
    ("big_rocksdb_uncached", big_state::rocksdb_uncached),
];

fn main() -> Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    match named.split_first() {
        Some((command, files)) if command == "compare" => return compare::run(files),
        Some((command, options)) if command == recovery::COMMAND => return recovery::run_job(options),
        Some((command, [])) if command == "suites" => {
            SUITES.iter().for_each(|(suite, _)| println!("{suite}"));
            return Ok(());
        }
        _ => {}
    }
    for name in &named {
        if !SUITES.iter().any(|(suite, _)| suite == name) {
            let known: Vec<_> = SUITES.iter().map(|(suite, _)| *suite).collect();
            return Err(Error::config("run benchmarks", "no such suite")
                .with("suite", name)
                .hint(format!("known are {}", known.join(", "))));
        }
    }
    let wanted = |suite: &str| named.is_empty() || named.iter().any(|name| name == suite);
    SUITES
        .iter()
        .filter(|(suite, _)| wanted(suite))
        .try_for_each(|(_, run)| run())
}
