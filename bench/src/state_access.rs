//! State access, at the operations and sizes of the state suite of flink-benchmarks: 500,000 shuffled `i64` keys, 10 map keys,
//! lists of 100. The same for every backend, and in `StateAccess.java` for Flink's.

use millpond_core::Result;
use millpond_core::host::{Clock, SeededRandom, SystemClock};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::PREFETCH_BATCH;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::hint::black_box;
use std::sync::Arc;

const KEYS: usize = 500_000;
/// Keys with a map or a list: fewer, for each holds more.
const COLLECTIONS: i64 = KEYS as i64 / 10;
const MAP_KEYS: i64 = 10;
const LIST_LEN: i64 = 100;
const ROUNDS: usize = 5;
const MAX_PARALLELISM: u32 = 128;

/// What is measured: a suite's name and the backends that its operations run on.
pub struct Subject<F> {
    /// What its lines start with.
    pub suite: &'static str,
    /// Makes an empty backend for a group of operations.
    pub backend: F,
}

/// Operations that share a backend, with one state in it.
#[derive(Clone, Copy, Debug)]
pub enum Group {
    /// A value for each key.
    Values,
    /// A map of 10 entries for every tenth key.
    Maps,
    /// A list of 100 elements for every tenth key.
    Lists,
    /// A sum for each key.
    Reducing,
}

impl Group {
    /// How many bytes the keys and values of the group take as they are stored.
    #[cfg(feature = "rocksdb")]
    pub fn stored_bytes(self) -> usize {
        // The key group and the key itself.
        let key = 1 + size_of::<i64>();
        match self {
            Group::Values | Group::Reducing => KEYS * (key + 8),
            // The user key; a null flag and the value.
            Group::Maps => KEYS / 10 * MAP_KEYS as usize * (key + 8 + 1 + 8),
            // Elements with a comma between them.
            Group::Lists => KEYS / 10 * (key + LIST_LEN as usize * (8 + 1)),
        }
    }
}

/// Key groups of a backend that has them all.
pub fn parameters() -> Result<KeyedStateBackendParameters<i64>> {
    let range = KeyGroupRange::new(0, MAX_PARALLELISM - 1)?;
    Ok(KeyedStateBackendParameters::new(range, MAX_PARALLELISM))
}

/// Runs every operation and prints a line for each.
pub fn run(subject: &Subject<impl Fn(Group) -> Result<KeyedStateBackend<i64>>>) -> Result<()> {
    let bench = Bench::new(subject.suite);
    bench.values((subject.backend)(Group::Values)?)?;
    bench.maps((subject.backend)(Group::Maps)?)?;
    bench.lists((subject.backend)(Group::Lists)?)?;
    bench.reducing((subject.backend)(Group::Reducing)?)
}

struct Bench {
    suite: &'static str,
    clock: Arc<dyn Clock>,
    /// The keys that are there, shuffled.
    setup: Vec<i64>,
    /// As many accesses to the keys that have a map or a list.
    collections: Vec<i64>,
    /// As many keys that are not there, shuffled.
    fresh: Vec<i64>,
}

fn shuffled(from: i64, random: &mut SeededRandom) -> Vec<i64> {
    let mut keys: Vec<i64> = (from..from + KEYS as i64).collect();
    for i in (1..keys.len()).rev() {
        keys.swap(i, random.below(i as u64 + 1) as usize);
    }
    keys
}

impl Bench {
    fn new(suite: &'static str) -> Self {
        let mut random = SeededRandom::new(7);
        let setup = shuffled(0, &mut random);
        Bench {
            suite,
            clock: SystemClock::shared(),
            collections: setup.iter().map(|key| key % COLLECTIONS).collect(),
            setup,
            fresh: shuffled(KEYS as i64, &mut random),
        }
    }

    /// Runs `op` over `keys` for some rounds and prints the median rate. The keys come in batches that are announced to the
    /// backend, as the runtime does with the records of a channel.
    fn time(
        &self,
        name: &str,
        rounds: usize,
        backend: &KeyedStateBackend<i64>,
        keys: &[i64],
        mut op: impl FnMut(i64) -> Result<()>,
    ) -> Result<()> {
        let mut rates = Vec::with_capacity(rounds);
        let context = backend.key_context();
        let mut prepared = Vec::with_capacity(PREFETCH_BATCH);
        for _ in 0..rounds {
            let start = self.clock.monotonic_nanos();
            let mut i = 0;
            for chunk in keys.chunks(PREFETCH_BATCH) {
                prepared.extend(chunk.iter().map(|key| context.prepare(*key)));
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
        println!("{} {name} {median:.0}", self.suite);
        Ok(())
    }

    fn values(&self, mut backend: KeyedStateBackend<i64>) -> Result<()> {
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
        self.time("valueUpdate", ROUNDS, &backend, &self.setup, |i| state.update(i))?;
        self.time("valueGet", ROUNDS, &backend, &self.setup, |_| {
            black_box(state.get()?);
            Ok(())
        })?;
        self.time("valueReadModify", ROUNDS, &backend, &self.setup, |_| {
            let value = state.value()?;
            state.update(value + 1)
        })?;
        self.time("valueModifyInPlace", ROUNDS, &backend, &self.setup, |_| {
            state.modify(|v| *v = v.map(|v| v + 1))
        })?;
        self.time("valueAdd", 1, &backend, &self.fresh, |i| state.update(i))
    }

    fn maps(&self, mut backend: KeyedStateBackend<i64>) -> Result<()> {
        let state = backend.map_state(
            MapStateDescriptor::<i64, f64>::new("m"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let mut random = SeededRandom::new(2);
        for key in 0..COLLECTIONS {
            keys.set_current_key(key)?;
            for user_key in 0..MAP_KEYS {
                state.put(user_key, random.next_u64() as f64)?;
            }
        }
        self.time("mapUpdate", ROUNDS, &backend, &self.collections, |i| {
            state.put(i % MAP_KEYS, i as f64)
        })?;
        self.time("mapGet", ROUNDS, &backend, &self.collections, |i| {
            black_box(state.get(&(i % MAP_KEYS))?);
            Ok(())
        })?;
        self.time("mapContains", ROUNDS, &backend, &self.collections, |i| {
            black_box(state.contains(&(i % (2 * MAP_KEYS)))?);
            Ok(())
        })?;
        self.time("mapIterate10", ROUNDS, &backend, &self.collections, |_| {
            let mut sum = 0.0;
            state.for_each(|_, v| sum += v)?;
            black_box(sum);
            Ok(())
        })
    }

    fn lists(&self, mut backend: KeyedStateBackend<i64>) -> Result<()> {
        let state = backend.list_state(
            ListStateDescriptor::<i64>::new("l"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )?;
        let keys = backend.key_context().clone();
        let mut random = SeededRandom::new(3);
        for key in 0..COLLECTIONS {
            keys.set_current_key(key)?;
            for _ in 0..LIST_LEN {
                state.add(random.next_u64() as i64)?;
            }
        }
        self.time("listGetIterate100", ROUNDS, &backend, &self.collections, |_| {
            let mut sum = 0_i64;
            state.for_each(|element| sum = sum.wrapping_add(*element))?;
            black_box(sum);
            Ok(())
        })?;
        self.time("listAdd", ROUNDS, &backend, &self.setup, |i| state.add(i))
    }

    fn reducing(&self, mut backend: KeyedStateBackend<i64>) -> Result<()> {
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
        self.time("reducingAdd", ROUNDS, &backend, &self.setup, |i| state.add(i))
    }
}
