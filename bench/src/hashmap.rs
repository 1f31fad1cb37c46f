//! The HashMap backend: state access, and what a snapshot costs the thread that writes.

use crate::state_access::{self, Subject, open_values, parameters};
use millpond_core::Result;
use millpond_core::host::{Clock, SystemClock};
use millpond_state::backend::KeyedStateBackend;
use millpond_state::keyed::KeyContext;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;

const ROUNDS: usize = 5;
/// Keys of the state that is snapshotted.
const KEYS: i64 = 5_000_000;
/// How many of them are written between two snapshots.
const WRITTEN: i64 = 500_000;

/// Runs every measurement and prints a line for each.
pub fn run() -> Result<()> {
    state_access::run(&Subject {
        suite: "hashmap",
        backend: |_| backend(),
    })?;
    snapshot()
}

fn backend() -> Result<KeyedStateBackend<i64>> {
    KeyedStateBackend::hashmap(parameters()?, &[], &MemoryStreams::default())
}

/// The synchronous phase over 5 million keys, and the slowest writes right after it: each copies a shard.
fn snapshot() -> Result<()> {
    let clock = SystemClock::shared();
    let mut backend = backend()?;
    let state = open_values(&mut backend)?;
    let keys = backend.key_context().clone();
    let mut nanos = latencies(&*clock, &keys, 0..KEYS, |key| state.update(key))?;
    print_latency("write_growing_5m", &mut nanos);
    let mut sync = Vec::new();
    for checkpoint in 1..=ROUNDS as u64 {
        let start = clock.monotonic_nanos();
        let snapshot = backend.snapshot(checkpoint, SnapshotKind::Checkpoint)?;
        sync.push(clock.monotonic_nanos().saturating_sub(start));
        // Every shard is written while the snapshot holds it, so the next one freezes them all again.
        let step = KEYS / WRITTEN;
        let written = (0..WRITTEN).map(|key| key * step);
        let mut nanos = latencies(&*clock, &keys, written, |key| state.update(key))?;
        if checkpoint == ROUNDS as u64 {
            print_latency("write_after_snapshot_5m", &mut nanos);
        }
        drop(snapshot);
    }
    sync.sort_unstable();
    let median = sync.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("hashmap snapshot_sync_5m {:.3}", median as f64 / 1e6);
    Ok(())
}

fn latencies(
    clock: &dyn Clock,
    context: &KeyContext<i64>,
    keys: impl Iterator<Item = i64>,
    mut write: impl FnMut(i64) -> Result<()>,
) -> Result<Vec<u64>> {
    let mut nanos = Vec::with_capacity(KEYS as usize);
    let mut before = clock.monotonic_nanos();
    for key in keys {
        context.set_current_key(key)?;
        write(key)?;
        let now = clock.monotonic_nanos();
        nanos.push(now.saturating_sub(before));
        before = now;
    }
    Ok(nanos)
}

fn print_latency(name: &str, nanos: &mut [u64]) {
    nanos.sort_unstable();
    let at = |part: f64| {
        let index = (nanos.len() as f64 * part) as usize;
        nanos
            .get(index.min(nanos.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "# {name} nanoseconds: median {} p99 {} p99.9 {} max {}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
