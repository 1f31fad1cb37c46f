//! State access on the HashMap backend, at the operations and sizes of the state suite of flink-benchmarks (500,000 shuffled
//! `i64` keys, 10 map keys, lists of 100), and what a snapshot costs the thread that writes.

use millpond_core::Result;
use millpond_core::host::{Clock, SeededRandom, SystemClock};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::{KeyContext, PREFETCH_BATCH};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::hint::black_box;
use std::sync::Arc;

const KEYS: usize = 500_000;
const MAP_KEYS: i64 = 10;
const LIST_LEN: i64 = 100;
const ROUNDS: usize = 5;
const MAX_PARALLELISM: u32 = 128;
const KEYS_LARGE: i64 = 5_000_000;

/// Runs every measurement and prints a line for each.
pub fn run() -> Result<()> {
    let bench = Bench::new();
    bench.values()?;
    bench.maps()?;
    bench.lists()?;
    bench.reducing()?;
    bench.snapshot()
}

struct Bench {
    clock: Arc<dyn Clock>,
    /// The keys that are there, shuffled.
    setup: Vec<i64>,
    /// As many keys that are not there, shuffled.
    fresh: Vec<i64>,
}

fn backend() -> Result<KeyedStateBackend<i64>> {
    let range = KeyGroupRange::new(0, MAX_PARALLELISM - 1)?;
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM);
    KeyedStateBackend::hashmap(parameters, &[], &MemoryStreams::default())
}

fn shuffled(from: i64, random: &mut SeededRandom) -> Vec<i64> {
    let mut keys: Vec<i64> = (from..from + KEYS as i64).collect();
    for i in (1..keys.len()).rev() {
        keys.swap(i, random.below(i as u64 + 1) as usize);
    }
    keys
}

impl Bench {
    fn new() -> Self {
        let mut random = SeededRandom::new(7);
        Bench {
            clock: SystemClock::shared(),
            setup: shuffled(0, &mut random),
            fresh: shuffled(KEYS as i64, &mut random),
        }
    }

    /// Runs `op` over `keys` (modulo `modulus`) for some rounds and prints the median rate. The keys come in batches that are
    /// announced to the backend, as the runtime does with the records of a channel.
    fn time(
        &self,
        name: &str,
        rounds: usize,
        backend: &KeyedStateBackend<i64>,
        keys: &[i64],
        modulus: i64,
        mut op: impl FnMut(i64) -> Result<()>,
    ) -> Result<()> {
        let mut rates = Vec::with_capacity(rounds);
        let context = backend.key_context();
        let mut prepared = Vec::with_capacity(PREFETCH_BATCH);
        for _ in 0..rounds {
            let start = self.clock.monotonic_nanos();
            let mut i = 0;
            for chunk in keys.chunks(PREFETCH_BATCH) {
                prepared.extend(chunk.iter().map(|key| context.prepare(*key % modulus)));
                backend.prefetch(&prepared);
                for key in prepared.drain(..) {
                    context.set_prepared_key(key)?;
                    op(i)?;
                    i += 1;
                }
            }
            let nanos = self.clock.monotonic_nanos().saturating_sub(start).max(1);
            rates.push(keys.len() as f64 * 1e9 / nanos as f64);
        }
        rates.sort_by(f64::total_cmp);
        let median = rates.get(rounds / 2).copied().unwrap_or_default();
        println!("hashmap {name} {median:.0}");
        Ok(())
    }

    fn values(&self) -> Result<()> {
        let mut backend = backend()?;
        let state = backend.value_state(
            ValueStateDescriptor::<i64>::new("v"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let mut random = SeededRandom::new(1);
        for key in 0..KEYS as i64 {
            keys.set_current_key(key)?;
            state.update(random.next_u64() as i64)?;
        }
        self.time("valueUpdate", ROUNDS, &backend, &self.setup, i64::MAX, |i| {
            state.update(i)
        })?;
        self.time("valueGet", ROUNDS, &backend, &self.setup, i64::MAX, |_| {
            black_box(state.get()?);
            Ok(())
        })?;
        self.time("valueReadModify", ROUNDS, &backend, &self.setup, i64::MAX, |_| {
            let value = state.value()?;
            state.update(value + 1)
        })?;
        self.time(
            "valueModifyInPlace",
            ROUNDS,
            &backend,
            &self.setup,
            i64::MAX,
            |_| state.modify(|v| *v = v.map(|v| v + 1)),
        )?;
        self.time("valueAdd", 1, &backend, &self.fresh, i64::MAX, |i| {
            state.update(i)
        })
    }

    fn maps(&self) -> Result<()> {
        let mut backend = backend()?;
        let state = backend.map_state(
            MapStateDescriptor::<i64, f64>::new("m"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let mut random = SeededRandom::new(2);
        let map_keys = KEYS as i64 / 10;
        for key in 0..map_keys {
            keys.set_current_key(key)?;
            for user_key in 0..MAP_KEYS {
                state.put(user_key, random.next_u64() as f64)?;
            }
        }
        self.time("mapUpdate", ROUNDS, &backend, &self.setup, map_keys, |i| {
            state.put(i % MAP_KEYS, i as f64)
        })?;
        self.time("mapGet", ROUNDS, &backend, &self.setup, map_keys, |i| {
            black_box(state.get(&(i % MAP_KEYS))?);
            Ok(())
        })?;
        self.time("mapContains", ROUNDS, &backend, &self.setup, map_keys, |i| {
            black_box(state.contains(&(i % (2 * MAP_KEYS)))?);
            Ok(())
        })?;
        self.time("mapIterate10", ROUNDS, &backend, &self.setup, map_keys, |_| {
            let mut sum = 0.0;
            state.for_each(|_, v| sum += v)?;
            black_box(sum);
            Ok(())
        })
    }

    fn lists(&self) -> Result<()> {
        let mut backend = backend()?;
        let state = backend.list_state(
            ListStateDescriptor::<i64>::new("l"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let list_keys = KEYS as i64 / 10;
        for key in 0..list_keys {
            keys.set_current_key(key)?;
            for element in 0..LIST_LEN {
                state.add(element)?;
            }
        }
        self.time(
            "listGetIterate100",
            ROUNDS,
            &backend,
            &self.setup,
            list_keys,
            |_| {
                let mut sum = 0;
                state.for_each(|element| sum += element)?;
                black_box(sum);
                Ok(())
            },
        )?;
        self.time("listAdd", ROUNDS, &backend, &self.setup, i64::MAX, |i| {
            state.add(i)
        })
    }

    fn reducing(&self) -> Result<()> {
        let mut backend = backend()?;
        let state = backend.reducing_state(
            ReducingStateDescriptor::new("r", |sum: &mut i64, value: i64| *sum += value),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        for key in 0..KEYS as i64 {
            keys.set_current_key(key)?;
            state.add(key)?;
        }
        self.time("reducingAdd", ROUNDS, &backend, &self.setup, i64::MAX, |i| {
            state.add(i)
        })
    }

    /// The synchronous phase over 5 million keys, and the slowest writes right after it: each copies a shard.
    fn snapshot(&self) -> Result<()> {
        let mut backend = backend()?;
        let state = backend.value_state(
            ValueStateDescriptor::<i64>::new("v"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let mut latencies = self.latencies(&keys, 0..KEYS_LARGE, |key| state.update(key))?;
        print_latency("write_growing_5m", &mut latencies);
        let mut sync = Vec::new();
        for checkpoint in 1..=ROUNDS as u64 {
            let start = self.clock.monotonic_nanos();
            let snapshot = backend.snapshot(checkpoint, SnapshotKind::Checkpoint)?;
            sync.push(self.clock.monotonic_nanos().saturating_sub(start));
            // Every shard is written while the snapshot holds it, so the next one freezes them all again.
            let step = KEYS_LARGE / KEYS as i64;
            let written = (0..KEYS as i64).map(|key| key * step);
            let mut latencies = self.latencies(&keys, written, |key| state.update(key))?;
            if checkpoint == ROUNDS as u64 {
                print_latency("write_after_snapshot_5m", &mut latencies);
            }
            drop(snapshot);
        }
        sync.sort_unstable();
        let median = sync.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("hashmap snapshot_sync_5m {:.3}", median as f64 / 1e6);
        Ok(())
    }

    fn latencies(
        &self,
        context: &KeyContext<i64>,
        keys: impl Iterator<Item = i64>,
        mut write: impl FnMut(i64) -> Result<()>,
    ) -> Result<Vec<u64>> {
        let mut nanos = Vec::with_capacity(KEYS_LARGE as usize);
        let mut before = self.clock.monotonic_nanos();
        for key in keys {
            context.set_current_key(key)?;
            write(key)?;
            let now = self.clock.monotonic_nanos();
            nanos.push(now.saturating_sub(before));
            before = now;
        }
        Ok(nanos)
    }
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
