//! Whether managed memory is kept: 256 MB for four RocksDB backends under a write load, and what the process takes meanwhile.
//!
//! Prints the largest resident memory beside what is allowed: the memory from before, what is configured, and a quarter of that.
//! The load is 20 GB of keys and values; `MILLPOND_BENCH_LOAD_GB` sets another one.

use crate::state_access::parameters;
use millpond_core::config::Configuration;
use millpond_core::host::{SeededRandom, spawn};
use millpond_core::{Error, Result};
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::rocksdb::EmbeddedRocksDBStateBackend;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{StateType, VoidNamespace};
use std::fs;
use std::hint::black_box;

const MANAGED_MB: u64 = 256;
const BACKENDS: u64 = 4;
const LOAD_GB: f64 = 20.0;
/// What may come on top of the configured memory: a part of four.
const SLACK_PART: u64 = 4;
const VALUE_BYTES: usize = 1_000;
/// Keys of each backend: about half a gigabyte.
const KEYS: u64 = 500_000;
/// A key is read after so many writes.
const WRITES_PER_READ: u64 = 4;
/// How far it came is told after so many writes of the first backend.
const WRITES_PER_REMARK: u64 = 250_000;
/// A checkpoint is begun after so many writes of a backend.
const WRITES_PER_CHECKPOINT: u64 = 250_000;

/// Runs the load and prints the largest resident memory and the allowed one, in megabytes.
pub fn run() -> Result<()> {
    let load = (load_gb()? * 1e9) as u64;
    let writes = load / BACKENDS / (VALUE_BYTES as u64 + 8);
    // The kernel notes the largest value from now on.
    fs::write("/proc/self/clear_refs", "5").map_err(|e| Error::io("measure memory", e))?;
    let base = status_kb("VmRSS:")?;
    let mut config = Configuration::new();
    config.set("taskmanager.memory.managed.size", format!("{MANAGED_MB}mb"));
    let backend = EmbeddedRocksDBStateBackend::from_config(&config)?;
    let threads = (0..BACKENDS)
        .map(|number| {
            let backend = backend.clone();
            spawn(format!("load-{number}"), move || write(&backend, number, writes))
        })
        .collect::<Result<Vec<_>>>()?;
    for thread in threads {
        thread
            .join()
            .map_err(|_| Error::illegal_state("measure memory", "a writer panicked"))??;
    }
    let bound = base / 1024 + MANAGED_MB + MANAGED_MB / SLACK_PART;
    let peak = status_kb("VmHWM:")?.div_ceil(1024);
    println!("rocksdb_memory resident_peak_mb {peak}");
    println!("rocksdb_memory resident_bound_mb {bound}");
    let verdict = if peak <= bound { "within" } else { "over" };
    println!(
        "# rocksdb_memory: {verdict} the bound: {} MB before, {MANAGED_MB} MB configured, {} MB on top; {BACKENDS} backends, {:.1} GB written",
        base / 1024,
        MANAGED_MB / SLACK_PART,
        load as f64 / 1e9
    );
    Ok(())
}

fn load_gb() -> Result<f64> {
    const VARIABLE: &str = "MILLPOND_BENCH_LOAD_GB";
    let Ok(text) = std::env::var(VARIABLE) else {
        return Ok(LOAD_GB);
    };
    text.parse().map_err(|_| {
        Error::config("measure memory", "not a number of gigabytes")
            .with("variable", VARIABLE)
            .with("value", text)
    })
}

/// A figure of this process, in kilobytes.
fn status_kb(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").map_err(|e| Error::io("measure memory", e))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| Error::illegal_state("measure memory", "the kernel doesn't tell").with("figure", name))
}

/// Writes values to random keys of a backend of its own, and reads some.
fn write(backend: &EmbeddedRocksDBStateBackend, seed: u64, writes: u64) -> Result<()> {
    let streams = MemoryStreams::default();
    let mut backend = backend.create_keyed_backend(parameters()?, &[], &streams)?;
    let state = backend.value_state(
        ValueStateDescriptor::<String>::new("v"),
        VoidNamespace::serializer(),
        VoidNamespace,
    )?;
    let keys = backend.key_context().clone();
    let mut random = SeededRandom::new(seed);
    // Values are pieces of a text that doesn't repeat itself, so that they don't compress away.
    let text: String = (0..1 << 20)
        .map(|_| char::from(b'0' + random.below(64) as u8))
        .collect();
    for write in 1..=writes {
        let at = random.below((text.len() - VALUE_BYTES) as u64) as usize;
        keys.set_current_key(random.below(KEYS) as i64)?;
        state.update(text.get(at..at + VALUE_BYTES).unwrap_or_default().to_owned())?;
        if write % WRITES_PER_READ == 0 {
            keys.set_current_key(random.below(KEYS) as i64)?;
            black_box(state.get()?);
        }
        if seed == 0 && write % WRITES_PER_REMARK == 0 {
            let written = (write * BACKENDS * (VALUE_BYTES as u64 + 8)) as f64 / 1e9;
            println!(
                "# rocksdb_memory: {written:.1} GB written, {} MB resident",
                status_kb("VmRSS:")? / 1024
            );
        }
        if write % WRITES_PER_CHECKPOINT == 0 {
            drop(backend.snapshot(write / WRITES_PER_CHECKPOINT, SnapshotKind::Checkpoint)?);
        }
    }
    Ok(())
}
