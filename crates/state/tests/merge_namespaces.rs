//! Merging namespaces, as session windows do it, on list, reducing and aggregating state.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_core::Result;
use millpond_core::host::SeededRandom;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, ReducingStateDescriptor,
};
use millpond_state::keyed::access::{KeyedAccess, ListAccess, ReducingAccess};
use millpond_state::keyed::{AggregatingState, ListState, ReducingState};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, TimeWindow};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Sums and counts.
#[derive(Clone)]
struct Mean;
impl AggregateFunction for Mean {
    type In = i64;
    type Acc = (i64, i64);
    type Out = (i64, i64);
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, value: i64, acc: &mut (i64, i64)) {
        *acc = (acc.0 + value, acc.1 + 1);
    }
    fn get_result(&self, acc: &(i64, i64)) -> (i64, i64) {
        *acc
    }
    fn merge(&self, acc: &mut (i64, i64), other: (i64, i64)) {
        *acc = (acc.0 + other.0, acc.1 + other.1);
    }
}

fn window(n: u64) -> TimeWindow {
    TimeWindow::new(n as i64 * 10, n as i64 * 10 + 10)
}

type Model = BTreeMap<(i64, TimeWindow), Vec<i64>>;

struct States {
    backend: KeyedStateBackend<i64>,
    list: ListState<i64, TimeWindow>,
    sum: ReducingState<i64, TimeWindow>,
    mean: AggregatingState<Mean, TimeWindow>,
}

impl States {
    fn open(mut backend: KeyedStateBackend<i64>) -> Self {
        let (first, windows) = (window(0), TimeWindow::serializer());
        let list = ListStateDescriptor::new("list");
        let sum = ReducingStateDescriptor::new("sum", |sum: &mut i64, n: i64| *sum += n);
        let mean = AggregatingStateDescriptor::new("mean", Mean);
        States {
            list: backend.list_state(list, windows.clone(), first).unwrap(),
            sum: backend.reducing_state(sum, windows.clone(), first).unwrap(),
            mean: backend.aggregating_state(mean, windows, first).unwrap(),
            backend,
        }
    }
    fn select(&self, key: i64, window: TimeWindow) -> Result<()> {
        self.backend.set_current_key(key)?;
        self.list.set_current_namespace(window)?;
        self.sum.set_current_namespace(window)?;
        self.mean.set_current_namespace(window)
    }
    fn check(&self, model: &Model) {
        for key in 0..3 {
            for n in 0..6 {
                self.select(key, window(n)).unwrap();
                self.check_selected(model.get(&(key, window(n))).map_or(&[], Vec::as_slice));
            }
        }
        let entries = model.values().filter(|v| !v.is_empty()).count();
        assert_eq!(
            self.backend.num_entries(),
            3 * entries,
            "merged namespaces leave nothing behind"
        );
    }
    fn check_selected(&self, values: &[i64]) {
        assert_eq!(self.list.get().unwrap(), values);
        let sum = values.iter().sum();
        assert_eq!(self.sum.get().unwrap(), (!values.is_empty()).then_some(sum));
        let mean = (!values.is_empty()).then_some((sum, values.len() as i64));
        assert_eq!(self.mean.get().unwrap(), mean);
    }
}

/// Whether `tests/rocksdb` runs this file.
const ON_ROCKSDB: bool = matches!(module_path!().as_bytes(), [b'r', b'o', b'c', b'k', ..]);
/// Each restore of a database opens files.
const SEEDS: u64 = if ON_ROCKSDB { 4 } else { 40 };

/// The backend that the tests are about.
fn create<K: millpond_types::StateKey>(
    parameters: KeyedStateBackendParameters<K>,
    handles: &[millpond_state::handle::KeyedStateHandle],
    streams: &MemoryStreams,
) -> millpond_core::Result<KeyedStateBackend<K>> {
    if ON_ROCKSDB {
        let config = millpond_core::config::Configuration::new();
        return KeyedStateBackend::rocksdb(parameters, &config, handles, streams);
    }
    KeyedStateBackend::hashmap(parameters, handles, streams)
}

fn backend(handles: &[millpond_state::handle::KeyedStateHandle], streams: &MemoryStreams) -> States {
    let parameters = KeyedStateBackendParameters::new(KeyGroupRange::new(0, 127).unwrap(), 128);
    States::open(create(parameters, handles, streams).unwrap())
}

/// Goal: a merge moves what the sources have into the target and nothing else, also with the target among the sources, with
/// empty sources and targets, while a snapshot shares the tables, and the snapshot keeps what was there. Method: random
/// additions, merges, snapshots and restores against a model.
#[test]
fn merged_namespaces_hold_what_their_sources_held() {
    for seed in 0..SEEDS {
        let (mut random, streams) = (SeededRandom::new(seed), MemoryStreams::default());
        let (mut states, mut model) = (backend(&[], &streams), Model::new());
        for step in 0..200 {
            let key = random.below(3) as i64;
            let at = window(random.below(6));
            states.select(key, at).unwrap();
            match random.below(5) {
                0 => {
                    let sources: Vec<_> = (0..random.below(4)).map(|_| window(random.below(6))).collect();
                    states.list.merge_namespaces(&at, &sources).unwrap();
                    states.sum.merge_namespaces(&at, &sources).unwrap();
                    states.mean.merge_namespaces(&at, &sources).unwrap();
                    for source in sources.iter().filter(|s| **s != at) {
                        let moved = model.remove(&(key, *source)).unwrap_or_default();
                        model.entry((key, at)).or_default().extend(moved);
                    }
                    // The target is what later accesses are about.
                    states.check_selected(model.get(&(key, at)).map_or(&[], Vec::as_slice));
                }
                1 if step % 5 == 0 => {
                    let frozen = states.backend.snapshot(step, SnapshotKind::Savepoint).unwrap();
                    let before = model.clone();
                    states
                        .list
                        .merge_namespaces(&at, &[window(0), window(1)])
                        .unwrap();
                    let handle = frozen.run(&streams).unwrap().handle;
                    model = before;
                    states = backend(handle.as_slice(), &streams);
                }
                _ => {
                    states.list.add(step as i64).unwrap();
                    states.sum.add(step as i64).unwrap();
                    states.mean.add(step as i64).unwrap();
                    model.entry((key, at)).or_default().push(step as i64);
                }
            }
        }
        states.check(&model);
    }
}

/// A state of one key on a map: it has the methods that a backend must write and no others.
struct Plain(RefCell<BTreeMap<TimeWindow, Vec<i64>>>, Cell<TimeWindow>);
impl KeyedAccess<TimeWindow> for Plain {
    fn set_current_namespace(&self, namespace: TimeWindow) -> Result<()> {
        self.1.set(namespace);
        Ok(())
    }
    fn clear(&self) -> Result<()> {
        self.0.borrow_mut().remove(&self.1.get());
        Ok(())
    }
}
impl ListAccess<i64, TimeWindow> for Plain {
    fn add(&self, value: i64) -> Result<()> {
        self.add_all(vec![value])
    }
    fn add_all(&self, values: Vec<i64>) -> Result<()> {
        self.0
            .borrow_mut()
            .entry(self.1.get())
            .or_default()
            .extend(values);
        Ok(())
    }
    fn update(&self, values: Vec<i64>) -> Result<()> {
        self.0.borrow_mut().insert(self.1.get(), values);
        Ok(())
    }
    fn with(&self, f: &mut dyn FnMut(&[i64])) -> Result<()> {
        f(self.0.borrow().get(&self.1.get()).map_or(&[], Vec::as_slice));
        Ok(())
    }
}
impl ReducingAccess<i64, TimeWindow> for Plain {
    fn add(&self, value: i64) -> Result<()> {
        let mut map = self.0.borrow_mut();
        let slot = map.entry(self.1.get()).or_insert(vec![0]);
        slot.iter_mut().for_each(|v| *v += value);
        Ok(())
    }
    fn get(&self) -> Result<Option<i64>> {
        Ok(self
            .0
            .borrow()
            .get(&self.1.get())
            .and_then(|v| v.first().copied()))
    }
}

/// Goal: a backend that brings no merge of its own gets a right one from the traits. Method: the same on a plain map.
#[test]
fn a_backend_without_its_own_merge_merges_too() {
    let contents = [
        (window(0), vec![1]),
        (window(1), vec![2, 3]),
        (window(2), vec![4]),
    ];
    let plain = || Plain(RefCell::new(contents.clone().into()), Cell::new(window(5)));
    let sources = [window(1), window(0), window(2), window(4)];
    let list = plain();
    ListAccess::merge_namespaces(&list, &window(0), &sources).unwrap();
    assert_eq!(*list.0.borrow(), [(window(0), vec![1, 2, 3, 4])].into());
    assert_eq!(list.1.get(), window(0));
    let sum = plain();
    ReducingAccess::merge_namespaces(&sum, &window(3), &sources).unwrap();
    assert_eq!(*sum.0.borrow(), [(window(3), vec![1 + 2 + 4])].into());
}
