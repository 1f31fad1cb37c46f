//! State access, at the operations and sizes of the state suite of flink-benchmarks: 500,000 shuffled `i64` keys, 10 map keys,
//! lists of 100. The same for every backend, and in `StateAccess.java` for Flink's.

use millpond_core::Result;
use millpond_core::host::{Clock, SeededRandom, SystemClock};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::{PREFETCH_BATCH, ValueState};
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::hint::black_box;
use std::sync::Arc;

const KEYS: usize = 500_000;
/// Keys with a map or a list: fewer, for each holds more.
const COLLECTIONS: i64 = KEYS as i64 / 10;
const MAP_KEYS: i64 = 10;
const LIST_LEN: i64 = 100;
const ROUNDS: usize = 5;
/// How many keys are at hand at a time, as records of a channel are: a batch was written just before it is taken apart. Else the rate
/// hangs on whether the processor foresees the reads of the array of all keys among those of the state.
const RECORDS: usize = 1024;
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
    bench.reducing((subject.backend)(Group::Reducing)?)?;
    bench.value_add(|| (subject.backend)(Group::Values))
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

/// A state of numbers.
pub fn open_values(backend: &mut KeyedStateBackend<i64>) -> Result<ValueState<i64>> {
    backend.value_state(
        ValueStateDescriptor::<i64>::new("v"),
        VoidNamespace::serializer(),
        VoidNamespace,
    )
}

/// A state with a value for each key of the set-up.
fn filled_values(backend: &mut KeyedStateBackend<i64>) -> Result<ValueState<i64>> {
    let state = open_values(backend)?;
    let keys = backend.key_context().clone();
    let mut random = SeededRandom::new(1);
    for key in 0..KEYS as i64 {
        keys.set_current_key(key)?;
        state.update(random.next_u64() as i64)?;
    }
    Ok(state)
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

    /// Runs `op` over `keys` for some rounds and prints the median rate.
    fn time(
        &self,
        name: &str,
        backend: &KeyedStateBackend<i64>,
        keys: &[i64],
        mut op: impl FnMut(i64) -> Result<()>,
    ) -> Result<()> {
        let rates: Result<Vec<f64>> = (0..ROUNDS).map(|_| self.rate(backend, keys, &mut op)).collect();
        self.print_median(name, rates?);
        Ok(())
    }

    /// How many keys a second `op` gets through. They come in batches that are announced to the backend, as the runtime does with the
    /// records of a channel.
    fn rate(
        &self,
        backend: &KeyedStateBackend<i64>,
        keys: &[i64],
        mut op: impl FnMut(i64) -> Result<()>,
    ) -> Result<f64> {
        let context = backend.key_context();
        let mut prepared = Vec::with_capacity(PREFETCH_BATCH);
        let mut records = Vec::with_capacity(RECORDS);
        let start = self.clock.monotonic_nanos();
        let mut i = 0;
        for batch in keys.chunks(RECORDS) {
            records.clear();
            records.extend_from_slice(batch);
            for chunk in records.chunks(PREFETCH_BATCH) {
                prepared.extend(chunk.iter().map(|key| context.prepare(*key)));
                backend.prefetch(&prepared);
                for key in prepared.drain(..) {
                    context.set_prepared_key(key)?;
                    op(i)?;
                    i += 1;
                }
            }
        }
        let nanos = self.clock.monotonic_nanos().saturating_sub(start).max(1);
        Ok(keys.len() as f64 * 1e9 / nanos as f64)
    }

    fn print_median(&self, name: &str, mut rates: Vec<f64>) {
        rates.sort_by(f64::total_cmp);
        let median = rates.get(rates.len() / 2).copied().unwrap_or_default();
        println!("{} {name} {median:.0}", self.suite);
    }

    fn values(&self, mut backend: KeyedStateBackend<i64>) -> Result<()> {
        let state = filled_values(&mut backend)?;
        self.time("valueUpdate", &backend, &self.setup, |i| state.update(i))?;
        self.time("valueGet", &backend, &self.setup, |_| {
            black_box(state.get()?);
            Ok(())
        })?;
        self.time("valueReadModify", &backend, &self.setup, |_| {
            let value = state.value()?;
            state.update(value + 1)
        })?;
        self.time("valueModifyInPlace", &backend, &self.setup, |_| {
            state.modify(|v| *v = v.map(|v| v + 1))
        })
    }

    /// New keys: each round has a backend of its own, for in a second one the keys would be there already.
    fn value_add(&self, backend: impl Fn() -> Result<KeyedStateBackend<i64>>) -> Result<()> {
        let mut rates = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let mut backend = backend()?;
            let state = filled_values(&mut backend)?;
            rates.push(self.rate(&backend, &self.fresh, |i| state.update(i))?);
        }
        println!("# valueAdd, round by round: {rates:.0?}");
        self.print_median("valueAdd", rates);
        Ok(())
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
        self.time("mapUpdate", &backend, &self.collections, |i| {
            state.put(i % MAP_KEYS, i as f64)
        })?;
        self.time("mapGet", &backend, &self.collections, |i| {
            black_box(state.get(&(i % MAP_KEYS))?);
            Ok(())
        })?;
        self.time("mapContains", &backend, &self.collections, |i| {
            black_box(state.contains(&(i % (2 * MAP_KEYS)))?);
            Ok(())
        })?;
        self.time("mapIterate10", &backend, &self.collections, |_| {
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
        self.time("listGetIterate100", &backend, &self.collections, |_| {
            let mut sum = 0_i64;
            state.for_each(|element| sum = sum.wrapping_add(*element))?;
            black_box(sum);
            Ok(())
        })?;
        self.time("listAdd", &backend, &self.setup, |i| state.add(i))
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
        self.time("reducingAdd", &backend, &self.setup, |i| state.add(i))
    }
}
