//! One operator instance: its backend and its states, and the operations on one key of them.

use crate::model::{Model, NAMESPACES, window};
use crate::world::TestKey;
use millpond_core::host::SeededRandom;
use millpond_state::backend::KeyedStateBackend;
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
use millpond_state::ttl::StateTtlConfig;
use millpond_types::{StateType, VoidNamespace};
use std::time::Duration;

/// How many states there are.
pub const STATES: usize = 7;

/// The mean of numbers, as sum and count.
pub struct Mean;

impl AggregateFunction for Mean {
    type In = i64;
    type Acc = (i64, i64);
    type Out = i64;
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, value: i64, accumulator: &mut (i64, i64)) {
        accumulator.0 += value;
        accumulator.1 += 1;
    }
    fn get_result(&self, accumulator: &(i64, i64)) -> i64 {
        accumulator.0 / accumulator.1
    }
    fn merge(&self, accumulator: &mut (i64, i64), other: (i64, i64)) {
        accumulator.0 += other.0;
        accumulator.1 += other.1;
    }
}

/// One operator instance.
pub struct Instance<K> {
    pub backend: KeyedStateBackend<K>,
    /// Which of the states it has opened, by number.
    pub open: [bool; STATES],
    value: ValueState<i64>,
    text: ValueState<String, i32>,
    list: ListState<i64>,
    map: MapState<i64, String>,
    windows: MapState<String, i64, String>,
    sum: ReducingState<i64>,
    mean: AggregatingState<Mean>,
}

impl<K: TestKey> Instance<K> {
    /// Opens those of the states that `open` names.
    pub fn new(mut backend: KeyedStateBackend<K>, ttl: bool, open: [bool; STATES]) -> Self {
        let void = VoidNamespace::serializer;
        let day = Duration::from_secs(24 * 60 * 60);
        let ttl = if ttl {
            StateTtlConfig::new_builder(day).build().unwrap()
        } else {
            StateTtlConfig::DISABLED
        };
        let b = &mut backend;
        let mut states = (
            ValueState::default(),
            ValueState::default(),
            ListState::default(),
            MapState::default(),
            MapState::default(),
            ReducingState::default(),
            AggregatingState::default(),
        );
        if open[0] {
            let descriptor = ValueStateDescriptor::new("value")
                .default_value(-1)
                .enable_time_to_live(ttl);
            states.0 = b.value_state(descriptor, void(), VoidNamespace).unwrap();
        }
        if open[1] {
            let descriptor = ValueStateDescriptor::new("text").enable_time_to_live(ttl);
            states.1 = b.value_state(descriptor, i32::serializer(), 0).unwrap();
        }
        if open[2] {
            let descriptor = ListStateDescriptor::new("list").enable_time_to_live(ttl);
            states.2 = b.list_state(descriptor, void(), VoidNamespace).unwrap();
        }
        if open[3] {
            let descriptor = MapStateDescriptor::new("map").enable_time_to_live(ttl);
            states.3 = b.map_state(descriptor, void(), VoidNamespace).unwrap();
        }
        if open[4] {
            let descriptor = MapStateDescriptor::new("windows").enable_time_to_live(ttl);
            states.4 = b.map_state(descriptor, String::serializer(), window(0)).unwrap();
        }
        if open[5] {
            let descriptor = ReducingStateDescriptor::new("sum", |sum: &mut i64, x: i64| *sum += x)
                .enable_time_to_live(ttl);
            states.5 = b.reducing_state(descriptor, void(), VoidNamespace).unwrap();
        }
        if open[6] {
            let descriptor = AggregatingStateDescriptor::new("mean", Mean).enable_time_to_live(ttl);
            states.6 = b.aggregating_state(descriptor, void(), VoidNamespace).unwrap();
        }
        let (value, text, list, map, windows, sum, mean) = states;
        Instance {
            backend,
            open,
            value,
            text,
            list,
            map,
            windows,
            sum,
            mean,
        }
    }

    /// One random operation on `key`, here and in the model.
    pub fn operate(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        self.backend.set_current_key(key.clone()).unwrap();
        let state = random.below(STATES as u64) as usize;
        if !self.open[state] {
            return;
        }
        match state {
            0 => self.operate_value(key, model, random),
            1 => self.operate_text(key, model, random),
            2 => self.operate_list(key, model, random),
            3 => self.operate_map(key, model, random),
            4 => self.operate_windows(key, model, random),
            5 => self.operate_sum(key, model, random),
            _ => self.operate_mean(key, model, random),
        }
    }

    fn operate_value(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        let new = random.next_u64() as i64;
        match random.below(8) {
            0..3 => {
                self.value.update(new).unwrap();
                model.value.insert(key.clone(), new);
            }
            3 => {
                self.value.clear().unwrap();
                model.value.remove(key);
            }
            4 => {
                let change = |v: &mut Option<i64>| {
                    *v = match *v {
                        Some(old) if old % 3 == 0 => None,
                        Some(old) => Some(old.wrapping_add(1)),
                        None => Some(new),
                    };
                    *v
                };
                let mut expected = model.value.remove(key);
                assert_eq!(self.value.modify(change).unwrap(), change(&mut expected));
                if let Some(v) = expected {
                    model.value.insert(key.clone(), v);
                }
            }
            5 => assert_eq!(
                self.value.value().unwrap(),
                model.value.get(key).copied().unwrap_or(-1)
            ),
            6 => assert_eq!(
                self.value.with(|v| v.copied()).unwrap(),
                model.value.get(key).copied()
            ),
            _ => assert_eq!(self.value.get().unwrap(), model.value.get(key).copied()),
        }
    }

    fn operate_text(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        let namespace = random.below(NAMESPACES) as i32;
        self.text.set_current_namespace(namespace).unwrap();
        let at = (key.clone(), namespace);
        match random.below(5) {
            0 | 1 => {
                let text = "é".repeat(random.below(5) as usize);
                self.text.update(text.clone()).unwrap();
                model.text.insert(at, text);
            }
            2 => {
                self.text.clear().unwrap();
                model.text.remove(&at);
            }
            3 => match model.text.get(&at) {
                Some(text) => assert_eq!(&self.text.value().unwrap(), text),
                None => assert!(self.text.value().is_err(), "it has no default"),
            },
            _ => assert_eq!(self.text.get().unwrap().as_ref(), model.text.get(&at)),
        }
    }

    fn operate_list(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        let some: Vec<i64> = (0..random.below(4)).map(|i| i as i64 - 1).collect();
        let expected = model.list.get(key).cloned().unwrap_or_default();
        match random.below(8) {
            0..3 => {
                self.list.add(7).unwrap();
                model.list.entry(key.clone()).or_default().push(7);
            }
            3 => {
                self.list.add_all(some.clone()).unwrap();
                if !some.is_empty() {
                    model.list.entry(key.clone()).or_default().extend(some);
                }
            }
            4 => {
                self.list.update(some.clone()).unwrap();
                model.list.remove(key);
                if !some.is_empty() {
                    model.list.insert(key.clone(), some);
                }
            }
            5 => {
                self.list.clear().unwrap();
                model.list.remove(key);
            }
            6 => assert_eq!(self.list.get().unwrap(), expected),
            _ => assert_eq!(self.list.is_empty().unwrap(), expected.is_empty()),
        }
    }

    fn operate_map(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        // Half of the keys have small maps, half large ones.
        let user_key = random.below(if key.key_group(2) == 0 { 6 } else { 60 }) as i64;
        let expected = model.map.get(key).cloned().unwrap_or_default();
        let map = model.map.entry(key.clone()).or_default();
        match random.below(9) {
            0..3 => {
                let text = "v".repeat(random.below(3) as usize);
                self.map.put(user_key, text.clone()).unwrap();
                map.insert(user_key, text);
            }
            3 => assert_eq!(self.map.remove(&user_key).unwrap(), map.remove(&user_key)),
            4 => {
                let change = |v: &mut Option<String>| {
                    *v = match v.take() {
                        Some(v) if v.len() > 4 => None,
                        Some(v) => Some(v + "m"),
                        None => Some("new".into()),
                    };
                };
                self.map.modify(user_key, change).unwrap();
                let mut value = map.remove(&user_key);
                change(&mut value);
                if let Some(value) = value {
                    map.insert(user_key, value);
                }
            }
            5 => assert_eq!(self.map.get(&user_key).unwrap().as_ref(), map.get(&user_key)),
            6 => assert_eq!(self.map.contains(&user_key).unwrap(), map.contains_key(&user_key)),
            7 if random.chance(1, 4) => {
                self.map.clear().unwrap();
                map.clear();
            }
            _ => {
                let mut entries = self.map.entries().unwrap();
                entries.sort();
                assert_eq!(entries, expected.into_iter().collect::<Vec<_>>());
                assert_eq!(self.map.is_empty().unwrap(), entries.is_empty());
            }
        }
        if map.is_empty() {
            model.map.remove(key);
        }
    }

    fn operate_windows(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        let window = window(random.below(NAMESPACES));
        self.windows.set_current_namespace(window.clone()).unwrap();
        let user_key = "k".repeat(random.below(4) as usize);
        let map = model.windows.entry((key.clone(), window.clone())).or_default();
        match random.below(6) {
            0..3 => {
                self.windows.put(user_key.clone(), 5).unwrap();
                map.insert(user_key, 5);
            }
            3 => assert_eq!(self.windows.remove(&user_key).unwrap(), map.remove(&user_key)),
            4 => {
                self.windows.clear().unwrap();
                map.clear();
            }
            _ => assert_eq!(self.windows.get(&user_key).unwrap(), map.get(&user_key).copied()),
        }
        if map.is_empty() {
            model.windows.remove(&(key.clone(), window));
        }
    }

    fn operate_sum(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        match random.below(5) {
            0..3 => {
                let x = random.below(100) as i64;
                self.sum.add(x).unwrap();
                *model.sum.entry(key.clone()).or_default() += x;
            }
            3 => {
                self.sum.clear().unwrap();
                model.sum.remove(key);
            }
            _ => assert_eq!(self.sum.get().unwrap(), model.sum.get(key).copied()),
        }
    }

    fn operate_mean(&self, key: &K, model: &mut Model<K>, random: &mut SeededRandom) {
        match random.below(6) {
            0..3 => {
                let x = random.below(100) as i64;
                self.mean.add(x).unwrap();
                let (sum, count) = model.mean.entry(key.clone()).or_default();
                (*sum, *count) = (*sum + x, *count + 1);
            }
            3 => {
                self.mean.merge((10, 2)).unwrap();
                let (sum, count) = model.mean.entry(key.clone()).or_default();
                (*sum, *count) = (*sum + 10, *count + 2);
            }
            4 => {
                self.mean.clear().unwrap();
                model.mean.remove(key);
            }
            _ => assert_eq!(
                self.mean.get().unwrap(),
                model.mean.get(key).map(|(sum, count)| sum / count)
            ),
        }
    }

    /// Adds to `seen` everything that the open states of this instance hold.
    pub fn collect(&self, seen: &mut Model<K>) {
        let b = &self.backend;
        let each = |name: &str, f: &mut dyn FnMut(K)| {
            for key in b.keys(name, &VoidNamespace).unwrap() {
                b.set_current_key(key.clone()).unwrap();
                f(key);
            }
        };
        let mut entries = 0;
        if self.open[0] {
            each("value", &mut |k| {
                seen.value.insert(k, self.value.value().unwrap());
                entries += 1;
            });
        }
        if self.open[2] {
            each("list", &mut |k| {
                seen.list.insert(k, self.list.get().unwrap());
                entries += 1;
            });
        }
        if self.open[3] {
            each("map", &mut |k| {
                seen.map
                    .insert(k, self.map.entries().unwrap().into_iter().collect());
                entries += 1;
            });
        }
        if self.open[5] {
            each("sum", &mut |k| {
                seen.sum.insert(k, self.sum.get().unwrap().unwrap());
                entries += 1;
            });
        }
        if self.open[6] {
            each("mean", &mut |k| {
                seen.mean.insert(k, self.mean.accumulator().unwrap().unwrap());
                entries += 1;
            });
        }
        for number in 0..NAMESPACES {
            if self.open[1] {
                self.text.set_current_namespace(number as i32).unwrap();
                for key in b.keys("text", &(number as i32)).unwrap() {
                    b.set_current_key(key.clone()).unwrap();
                    seen.text
                        .insert((key, number as i32), self.text.get().unwrap().unwrap());
                    entries += 1;
                }
            }
            if self.open[4] {
                self.windows.set_current_namespace(window(number)).unwrap();
                for key in b.keys("windows", &window(number)).unwrap() {
                    b.set_current_key(key.clone()).unwrap();
                    let map = self.windows.entries().unwrap().into_iter().collect();
                    seen.windows.insert((key, window(number)), map);
                    entries += 1;
                }
            }
        }
        assert_eq!(b.num_entries(), entries);
    }
}
