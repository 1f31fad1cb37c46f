//! Timers against a plain model: register, delete, fire, snapshot while writing, restore and rescale; in memory and in a
//! store (`place`), and through the snapshots of every backend (`snapshots`).

mod place;
mod snapshots;

use super::*;
use millpond_core::host::SeededRandom;
use millpond_core::{ErrorKind, Result};
use millpond_types::key_group::{key_group_for_hash, key_group_range_for_operator};
use millpond_types::serializer::void::VoidNamespace;
use millpond_types::{DataInput, DataOutput, JavaHash, KeyGroupRange, SharedSerializer, StateType};
use place::Place;
use std::collections::BTreeSet;

const MAX_PARALLELISM: u32 = 16;
const DOMAINS: [TimeDomain; 2] = [TimeDomain::EventTime, TimeDomain::ProcessingTime];

type Service = InternalTimerService<String, i32>;
/// Timestamp, key group, serialized key and namespace, and the two themselves: sorted as timers must fire.
type Entry = (i64, u32, Vec<u8>, String, i32);
type Model = BTreeSet<Entry>;

/// A service with its timers in memory.
fn in_memory(parallelism: u32, index: u32) -> Service {
    let range = key_group_range_for_operator(MAX_PARALLELISM, parallelism, index);
    InternalTimerService::new(
        "test",
        String::serializer(),
        i32::serializer(),
        range,
        MAX_PARALLELISM,
    )
}

fn entry(key: &str, namespace: i32, timestamp: i64) -> Entry {
    let key_group = key_group_for_hash(key.to_string().java_hash(), MAX_PARALLELISM);
    let mut tail = DataOutput::new();
    String::serializer()
        .serialize(&key.to_string(), &mut tail)
        .unwrap();
    i32::serializer().serialize(&namespace, &mut tail).unwrap();
    (timestamp, key_group, tail.into_vec(), key.to_string(), namespace)
}

/// The serialized timers of a key group as the model has them.
fn model_bytes(model: &Model, key_group: u32) -> Vec<Vec<u8>> {
    let of_group = model.iter().filter(|e| e.1 == key_group);
    of_group
        .map(|e| [&(e.0 ^ i64::MIN).to_be_bytes()[..], &e.2].concat())
        .collect()
}

fn frozen_bytes(frozen: &FrozenTimers, key_group: u32) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let push = |bytes: &[u8]| -> Result<()> {
        all.push(bytes.to_vec());
        Ok(())
    };
    frozen.for_each_element(key_group, push).unwrap();
    all
}

/// The operator's instances with one model for both domains.
struct World {
    place: Place,
    random: SeededRandom,
    services: Vec<Service>,
    models: [Model; 2],
    time: [i64; 2],
    /// Snapshots taken, with what they must hold for ever.
    snapshots: Vec<(FrozenTimers, Model)>,
}

impl World {
    fn new(place: Place, seed: u64) -> Self {
        World {
            place,
            random: SeededRandom::new(seed),
            services: vec![place.service(1, 0)],
            models: Default::default(),
            time: [0; 2],
            snapshots: Vec::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn owner(&self, key_group: u32) -> usize {
        (key_group * self.services.len() as u32 / MAX_PARALLELISM) as usize
    }

    /// A timer near now; keys are few, so that some are registered twice, and some too long to be stored inline.
    fn random_timer(&mut self, domain: usize) -> Entry {
        let key = match self.below(40) {
            n if n < 4 => format!("a key too long to be stored inline {n}"),
            n => format!("k{n}"),
        };
        let namespace = self.below(3) as i32 - 1;
        let timestamp = self.time[domain] - 20 + self.below(200) as i64;
        entry(&key, namespace, timestamp)
    }

    fn register(&mut self, domain: usize, e: Entry) {
        let owner = self.owner(e.1);
        let service = &mut self.services[owner];
        let registered = match DOMAINS[domain] {
            TimeDomain::EventTime => service.register_event_time_timer(&e.3, &e.4, e.0),
            TimeDomain::ProcessingTime => service.register_processing_time_timer(&e.3, &e.4, e.0),
        };
        registered.unwrap();
        self.models[domain].insert(e);
    }

    fn delete(&mut self, domain: usize, e: &Entry) {
        let owner = self.owner(e.1);
        let service = &mut self.services[owner];
        let deleted = match DOMAINS[domain] {
            TimeDomain::EventTime => service.delete_event_time_timer(&e.3, &e.4, e.0),
            TimeDomain::ProcessingTime => service.delete_processing_time_timer(&e.3, &e.4, e.0),
        };
        deleted.unwrap();
        self.models[domain].remove(e);
    }

    /// Fires what is due. The callback registers timers, of the same timestamp too, and deletes others.
    fn advance(&mut self, domain: usize) {
        self.time[domain] += self.below(30) as i64;
        let time = self.time[domain];
        for index in 0..self.services.len() {
            loop {
                let service = &mut self.services[index];
                let fired = match DOMAINS[domain] {
                    TimeDomain::EventTime => service.poll_event_timer(time),
                    TimeDomain::ProcessingTime => service.poll_processing_timer(time),
                };
                let parallelism = self.services.len() as u32;
                let own = key_group_range_for_operator(MAX_PARALLELISM, parallelism, index as u32);
                let first = self.models[domain].iter().find(|e| own.contains(e.1)).cloned();
                let Some(timer) = fired.unwrap() else {
                    assert!(first.is_none_or(|e| e.0 > time));
                    break;
                };
                let (timestamp, key_group, _, key, namespace) = first.clone().unwrap();
                assert!(timestamp <= time);
                assert_eq!(
                    timer,
                    Timer {
                        timestamp,
                        key,
                        namespace,
                        key_group
                    }
                );
                self.models[domain].remove(&first.unwrap());
                match self.below(8) {
                    0 => {
                        let other = format!("k{}", self.below(40));
                        self.register(domain, entry(&other, namespace, timestamp));
                    }
                    1 | 2 => {
                        let e = self.random_timer(domain);
                        self.delete(domain, &e);
                    }
                    _ => {}
                }
            }
        }
    }

    fn snapshot(&mut self, domain: usize) {
        if self.snapshots.len() == 8 {
            self.check_snapshots();
            self.snapshots.clear();
        }
        let model = &self.models[domain];
        for service in &self.services {
            self.snapshots
                .push((service.freeze(DOMAINS[domain]).unwrap(), model.clone()));
        }
    }

    /// What a snapshot holds is what there was when it was taken.
    fn check_snapshots(&self) {
        for (frozen, model) in &self.snapshots {
            let own = frozen.timers.range();
            assert_eq!(frozen.len(), model.iter().filter(|e| own.contains(e.1)).count());
            for key_group in own.iter() {
                assert_eq!(frozen_bytes(frozen, key_group), model_bytes(model, key_group));
            }
        }
    }

    /// Every old instance's snapshot is offered to every new instance, which keeps what is its own.
    fn rescale(&mut self) {
        let parallelism = self.below(u64::from(MAX_PARALLELISM)) as u32 + 1;
        let old = std::mem::take(&mut self.services);
        self.services = (0..parallelism)
            .map(|index| self.place.service(parallelism, index))
            .collect();
        for (index, domain) in DOMAINS.into_iter().enumerate() {
            for from in &old {
                let frozen = from.freeze(domain).unwrap();
                for key_group in 0..MAX_PARALLELISM {
                    let elements = frozen_bytes(&frozen, key_group);
                    for to in &mut self.services {
                        restore(to, domain, &frozen, key_group, &elements.concat()).unwrap();
                    }
                }
            }
            let count = |s: &Service| match domain {
                TimeDomain::EventTime => s.num_event_time_timers().unwrap(),
                TimeDomain::ProcessingTime => s.num_processing_time_timers().unwrap(),
            };
            assert_eq!(
                self.services.iter().map(count).sum::<usize>(),
                self.models[index].len()
            );
        }
    }

    fn step(&mut self) {
        let domain = self.below(2) as usize;
        match self.below(1_000) {
            n if n < 550 => {
                let e = self.random_timer(domain);
                self.register(domain, e);
            }
            n if n < 800 => {
                let e = self.random_timer(domain);
                self.delete(domain, &e);
            }
            n if n < 980 => self.advance(domain),
            n if n < 996 => self.snapshot(domain),
            _ => self.rescale(),
        }
    }
}

fn restore(
    to: &mut Service,
    domain: TimeDomain,
    from: &FrozenTimers,
    key_group: u32,
    elements: &[u8],
) -> Result<()> {
    to.check_compatibility(from.serializer_snapshot())?;
    let mut input = DataInput::new(elements);
    while !input.is_empty() {
        to.restore_element(domain, key_group, &mut input)?;
    }
    Ok(())
}

/// Goal: timers behave as a sorted set, fire in order, and survive snapshots, restores and rescaling, wherever they are.
/// Method: seeded cases of random operations for each place, against a `BTreeSet`; `MILLPOND_SEED` replays one.
#[test]
fn timers_agree_with_a_sorted_set_through_snapshots_and_rescaling() {
    let given = std::env::var("MILLPOND_SEED").ok().and_then(|s| s.parse().ok());
    for place in Place::all() {
        let (cases, steps) = place.effort();
        let seeds = given.map_or(0..cases, |seed: u64| seed..seed + 1);
        for seed in seeds {
            let run = std::panic::catch_unwind(|| {
                let mut world = World::new(place, seed);
                (0..steps).for_each(|_| world.step());
                world.check_snapshots();
            });
            assert!(run.is_ok(), "{place:?} failed: replay with MILLPOND_SEED={seed}");
        }
    }
}

/// Goal: registering twice is registering once, and deleting what is not there is nothing, also where a timer is pushed out
/// of memory in between. Method: more timers than a head holds, each registered again and deleted twice.
#[test]
fn registering_and_deleting_again_change_nothing() {
    for place in Place::all() {
        let mut timers = place.service(1, 0);
        let key = "k".to_string();
        let count = |timers: &Service| timers.num_event_time_timers().unwrap();
        for round in 0..2 {
            for n in (0..500).rev() {
                timers.register_event_time_timer(&key, &0, n).unwrap();
            }
            assert_eq!(count(&timers), 500, "{place:?} round {round}");
        }
        for _ in 0..2 {
            for n in (0..500).filter(|n| n % 5 != 0) {
                timers.delete_event_time_timer(&key, &0, n).unwrap();
            }
            assert_eq!(count(&timers), 100, "{place:?}");
            assert_eq!(timers.next_event_time_timer(), Some(0));
        }
        let fired = std::iter::from_fn(|| timers.poll_event_timer(i64::MAX).unwrap().map(|t| t.timestamp));
        assert!(fired.eq((0..500).step_by(5)), "{place:?}");
        assert_eq!((count(&timers), timers.next_event_time_timer()), (0, None));
    }
}

/// Goal: a snapshot's synchronous part does not depend on how many timers there are. Method: the frozen sets share their
/// memory with the live ones until those are written to, and then all but what was touched.
#[test]
fn a_snapshot_copies_nothing_and_a_write_after_it_copies_little() {
    let mut timers = in_memory(1, 0);
    for n in 0..100_000 {
        timers.register_event_time_timer(&format!("k{n}"), &0, n).unwrap();
    }
    let shared = |frozen: &FrozenTimers, now: &FrozenTimers| frozen.timers.chunks_shared_with(&now.timers);
    let frozen = timers.freeze(TimeDomain::EventTime).unwrap();
    let (same, total) = shared(&frozen, &timers.freeze(TimeDomain::EventTime).unwrap());
    assert_eq!(same, total);
    timers
        .register_event_time_timer(&"one more".to_string(), &0, 5)
        .unwrap();
    let (same, total) = shared(&frozen, &timers.freeze(TimeDomain::EventTime).unwrap());
    assert!(total > 700 && same >= total - 1, "{same} of {total} chunks");
}

/// Goal: equal timestamps fire in an order that depends on the data alone, wherever timers are. Method: register in two
/// opposite orders in each place.
#[test]
fn ties_do_not_depend_on_the_order_of_registration() {
    let fire = |place: Place, keys: &mut dyn Iterator<Item = i64>| {
        let mut timers = place.service(1, 0);
        for n in keys {
            timers.register_event_time_timer(&format!("k{n}"), &0, 7).unwrap();
        }
        std::iter::from_fn(|| timers.poll_event_timer(7).unwrap().map(|t| t.key)).collect::<Vec<_>>()
    };
    let forward = fire(Place::Memory, &mut (0..500));
    assert_eq!(forward.len(), 500);
    for place in Place::all() {
        assert_eq!(forward, fire(place, &mut (0..500)), "{place:?}");
        assert_eq!(forward, fire(place, &mut (0..500).rev()), "{place:?}");
    }
}

/// Goal: the bytes are those of Flink's `TimerSerializer` and its snapshot. Method: written by hand from those classes.
#[test]
fn a_timer_and_its_serializer_are_written_as_flink_does() {
    let range = KeyGroupRange::new(0, 0).unwrap();
    let namespaces: SharedSerializer<VoidNamespace> = VoidNamespace::serializer();
    let mut timers = InternalTimerService::new("user-timers", i64::serializer(), namespaces, range, 1);
    timers
        .register_processing_time_timer(&3, &VoidNamespace, 1_000)
        .unwrap();
    timers
        .register_processing_time_timer(&3, &VoidNamespace, -1)
        .unwrap();
    let frozen = timers.freeze(TimeDomain::ProcessingTime).unwrap();
    assert_eq!(frozen.state_name(), "_timer_state/processing_user-timers");
    let mut wanted = Vec::new();
    for timestamp in [
        [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0x80, 0, 0, 0, 0, 0, 3, 0xe8],
    ] {
        wanted.push([&timestamp[..], &[0, 0, 0, 0, 0, 0, 0, 3, 0]].concat());
    }
    assert_eq!(frozen_bytes(&frozen, 0), wanted);
    let serializer = frozen.serializer_snapshot();
    assert_eq!(serializer.class_name, millpond_types::snapshot::class::TIMER);
    assert_eq!(
        serializer.nested,
        [
            i64::serializer().snapshot(),
            VoidNamespace::serializer().snapshot()
        ]
    );
    let mut out = DataOutput::new();
    serializer.write_versioned(&mut out).unwrap();
    let read = millpond_types::SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice()));
    assert_eq!(&read.unwrap(), serializer);
}

/// Goal: timers of another key type are refused by name. Method: a service of `i64` keys is offered those of `String` keys.
#[test]
fn timers_of_another_key_type_are_refused() {
    let strings = in_memory(1, 0);
    let range = KeyGroupRange::new(0, 0).unwrap();
    let numbers = InternalTimerService::new("test", i64::serializer(), i32::serializer(), range, 1);
    let stored = strings.freeze(TimeDomain::EventTime).unwrap();
    let e = numbers
        .check_compatibility(stored.serializer_snapshot())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    assert_eq!(e.context("part"), Some("key"));
    assert_eq!(e.context("state"), Some("_timer_state/event_test"));
}

/// Goal: damaged timers are errors, never panics, and nothing of another key group is taken. Method: every truncation, and a
/// timer under a wrong key group.
#[test]
fn damaged_timers_are_corrupt() {
    let mut timers = in_memory(1, 0);
    timers
        .register_event_time_timer(&"key".to_string(), &9, 5)
        .unwrap();
    let (_, key_group, ..) = entry("key", 9, 5);
    let bytes = frozen_bytes(&timers.freeze(TimeDomain::EventTime).unwrap(), key_group).concat();
    let try_restore = |key_group: u32, bytes: &[u8]| {
        let mut to = in_memory(1, 0);
        let result = to.restore_element(TimeDomain::EventTime, key_group, &mut DataInput::new(bytes));
        result.map(|()| to.num_event_time_timers().unwrap())
    };
    assert_eq!(try_restore(key_group, &bytes).unwrap(), 1);
    for len in 0..bytes.len() {
        assert_eq!(
            try_restore(key_group, &bytes[..len]).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
    assert_eq!(
        try_restore(key_group ^ 1, &bytes).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

/// Goal: what is wrong in a restored store is found when it is read, not believed. Method: a timer cut short, one with bytes
/// behind it, and one under another key group.
#[test]
fn damaged_timers_in_a_store_are_corrupt() {
    let (timestamp, key_group, tail, ..) = entry("key", 9, 5);
    let good = [&(timestamp ^ i64::MIN).to_be_bytes()[..], &tail].concat();
    let poll = |key_group: u32, element: &[u8]| {
        let mut timers = in_memory(1, 0);
        let store = place::PlainStore::default();
        store.0.borrow_mut().insert((key_group, element.to_vec()));
        let [state, _] = timers.key_group_states();
        state.as_sorted().unwrap().move_to(Box::new(store), 4)?;
        timers.poll_event_timer(i64::MAX)
    };
    assert_eq!(poll(key_group, &good).unwrap().unwrap().key, "key");
    for len in 0..good.len() {
        assert_eq!(
            poll(key_group, &good[..len]).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
    let longer = [&good[..], &[0]].concat();
    assert_eq!(poll(key_group, &longer).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(poll(key_group ^ 1, &good).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// Goal: a key of another instance is refused instead of lost. Method: a service that owns half of the key groups.
#[test]
fn a_key_of_another_instance_is_refused() {
    for place in Place::all() {
        let mut half = place.service(2, 0);
        let mut refused = 0;
        for n in 0..50 {
            let key = format!("k{n}");
            let ours = entry(&key, 0, 1).1 < MAX_PARALLELISM / 2;
            let result = half.register_event_time_timer(&key, &0, 1);
            assert_eq!(result.is_ok(), ours);
            refused += usize::from(!ours);
        }
        assert!(refused > 5);
    }
}

/// Goal: the user's view is about the current key and the engine's times. Method: register and delete through it.
#[test]
fn the_view_of_a_key_registers_and_deletes_its_timers() {
    let mut timers = in_memory(1, 0);
    timers.advance_watermark(40);
    timers.advance_watermark(30);
    let key = "k".to_string();
    let mut view = SimpleTimerService::new(&mut timers, &key, &0, 99);
    assert_eq!(
        (view.current_watermark(), view.current_processing_time()),
        (40, 99)
    );
    view.register_event_time_timer(50).unwrap();
    view.register_event_time_timer(50).unwrap();
    view.register_event_time_timer(60).unwrap();
    view.delete_event_time_timer(60).unwrap();
    view.register_processing_time_timer(70).unwrap();
    view.register_processing_time_timer(80).unwrap();
    view.delete_processing_time_timer(70).unwrap();
    assert_eq!(timers.num_event_time_timers().unwrap(), 1);
    assert_eq!(timers.next_event_time_timer(), Some(50));
    assert_eq!(timers.next_processing_time_timer(), Some(80));
}
