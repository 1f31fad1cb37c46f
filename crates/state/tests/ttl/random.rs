//! Random lives of every kind of state under every configuration, through snapshots and restores, against the model.

use super::model::{Model, Rules};
use super::support::{Backend, Kind, State, TTL_MS, World, on_every_backend, ttl};
use millpond_core::host::{SeededRandom, entropy};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::keyed::{ListState, MapState};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::ttl::{StateTtlConfig, StateVisibility, UpdateType};
use std::time::Duration;

const OPERATIONS: usize = 1500;
const CASES: u64 = 4;
const KEYS: u64 = 12;
const USER_KEYS: u64 = 6;

/// What a case can go back to.
struct Snapshot {
    handle: Option<KeyedStateHandle>,
    model: Model,
    timed: bool,
}

/// One job of one state.
struct Case {
    world: World,
    random: SeededRandom,
    kind: Kind,
    rules: Rules,
    filter: bool,
    state: State,
    model: Model,
    snapshots: Vec<Snapshot>,
    next_value: i64,
    restores: u64,
}

impl Case {
    fn new(backend: Backend, kind: Kind, rules: Rules, seed: u64) -> Self {
        let mut random = SeededRandom::new(seed);
        let incremental = random.chance(1, 2);
        // An incremental snapshot names what an older one wrote, which may have expired since.
        let filter = !incremental && random.chance(1, 2);
        let mut world = World::new(backend, incremental);
        let state = world.open(kind, config(&rules, filter, &mut random));
        Case {
            world,
            random,
            kind,
            rules,
            filter,
            state,
            model: Model::default(),
            snapshots: Vec::new(),
            next_value: 0,
            restores: 0,
        }
    }

    fn now(&self) -> i64 {
        use millpond_core::host::Clock;
        self.world.clock.now_ms()
    }

    fn value(&mut self) -> i64 {
        self.next_value += 1;
        self.next_value
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0 => self.snapshot(),
            1 if !self.snapshots.is_empty() => self.restore(),
            2 => self.world.advance(TTL_MS.unsigned_abs()),
            3..12 => {
                let ms = self.random.below(TTL_MS.unsigned_abs() / 4);
                self.world.advance(ms);
            }
            _ => self.access(),
        }
    }

    fn access(&mut self) {
        let key = self.random.below(KEYS) as i64;
        self.world.key(key);
        match self.kind {
            Kind::Value => self.access_value(key),
            Kind::List => self.access_list(key),
            Kind::Map => self.access_map(key),
            Kind::Reducing | Kind::Aggregating => self.access_sum(key),
        }
    }

    fn access_value(&mut self, key: i64) {
        let (now, rules, value) = (self.now(), self.rules, self.value());
        let op = self.random.below(7);
        let State::Value(state) = &self.state else { return };
        match op {
            0 | 1 => {
                state.update(value).unwrap();
                self.model.set(now, key, 0, Some(value));
            }
            2 => {
                let seen = state.get().unwrap();
                self.model.read(&rules, now, key, 0, seen);
            }
            3 => {
                let seen = state.value().unwrap();
                self.model.read(&rules, now, key, 0, (seen != -1).then_some(seen));
            }
            4 => {
                let seen = state.with(|v| v.copied()).unwrap();
                self.model.read(&rules, now, key, 0, seen);
            }
            5 => {
                let new = (value % 3 != 0).then_some(value);
                let seen = state.modify(|slot| std::mem::replace(slot, new)).unwrap();
                self.model.check(&rules, now, key, 0, seen);
                self.model.set(now, key, 0, new);
            }
            _ => {
                state.clear().unwrap();
                self.model.clear(key);
            }
        }
    }

    fn access_list(&mut self, key: i64) {
        let (now, rules, value, other) = (self.now(), self.rules, self.value(), self.value());
        let op = self.random.below(9);
        let State::List(state) = &self.state else { return };
        let state: &ListState<i64> = state;
        match op {
            0..3 => {
                state.add(value).unwrap();
                self.model.append(now, key, &[value]);
            }
            3 => {
                state.add_all([value, other]).unwrap();
                self.model.append(now, key, &[value, other]);
            }
            4 => {
                state.update(vec![value, other]).unwrap();
                self.model.clear(key);
                self.model.append(now, key, &[value, other]);
            }
            5 if value % 4 == 0 => {
                state.clear().unwrap();
                self.model.clear(key);
            }
            _ => {
                let seen = state.get().unwrap();
                self.model.read_list(&rules, now, key, &seen);
            }
        }
    }

    fn access_map(&mut self, key: i64) {
        let (now, rules, value) = (self.now(), self.rules, self.value());
        let user_key = self.random.below(USER_KEYS) as i64;
        let op = self.random.below(11);
        let State::Map(state) = &self.state else { return };
        let state: &MapState<i64, i64> = state;
        match op {
            0..3 => {
                state.put(user_key, value).unwrap();
                self.model.set(now, key, user_key, Some(value));
            }
            3 | 4 => {
                let seen = state.get(&user_key).unwrap();
                self.model.read(&rules, now, key, user_key, seen);
            }
            5 => {
                let seen = state.contains(&user_key).unwrap();
                let value = self.model.get(key, user_key).map(|i| i.value);
                assert!(value.is_some() || !seen);
                self.model
                    .read(&rules, now, key, user_key, value.filter(|_| seen));
            }
            6 => {
                let new = (value % 3 != 0).then_some(value);
                let seen = state
                    .modify(user_key, |slot| std::mem::replace(slot, new))
                    .unwrap();
                self.model.check(&rules, now, key, user_key, seen);
                self.model.set(now, key, user_key, new);
            }
            7 => {
                let seen = state.remove(&user_key).unwrap();
                self.model.check(&rules, now, key, user_key, seen);
                self.model.set(now, key, user_key, None);
            }
            8 => {
                let seen = state.entries().unwrap();
                let count = seen.len();
                let seen = seen.into_iter().collect();
                self.model.read_map(&rules, now, key, &seen);
                assert_eq!(count, seen.len(), "an entry was shown twice");
            }
            9 => {
                let seen = state.len().unwrap();
                self.model.check_count(&rules, now, key, seen);
            }
            _ if value % 4 == 0 => {
                state.clear().unwrap();
                self.model.clear(key);
            }
            _ => {}
        }
    }

    /// Reducing and aggregating: both sum up.
    fn access_sum(&mut self, key: i64) {
        let (now, rules, value) = (self.now(), self.rules, self.value());
        let op = self.random.below(6);
        let get = |state: &State| match state {
            State::Reducing(s) => s.get().unwrap(),
            State::Aggregating(s) if value % 2 == 0 => s.accumulator().unwrap(),
            State::Aggregating(s) => s.get().unwrap().map(|sum| sum.parse().unwrap()),
            _ => None,
        };
        match (op, &self.state) {
            (0..3, state) => {
                match state {
                    State::Reducing(s) => s.add(value).unwrap(),
                    State::Aggregating(s) if op == 0 => s.merge(value).unwrap(),
                    State::Aggregating(s) => s.add(value).unwrap(),
                    _ => {}
                }
                // It was written now, so this read changes nothing.
                let sum = get(state).unwrap();
                let before = (sum != value).then_some(sum - value);
                self.model.check(&rules, now, key, 0, before);
                self.model.set(now, key, 0, Some(sum));
            }
            (3, State::Reducing(s)) if value % 4 == 0 => {
                s.clear().unwrap();
                self.model.clear(key);
            }
            (3, State::Aggregating(s)) if value % 4 == 0 => {
                s.clear().unwrap();
                self.model.clear(key);
            }
            (_, state) => {
                let seen = get(state);
                self.model.read(&rules, now, key, 0, seen);
            }
        }
    }

    fn snapshot(&mut self) {
        let kinds = [
            SnapshotKind::Checkpoint,
            SnapshotKind::FullCheckpoint,
            SnapshotKind::Savepoint,
        ];
        let kind = kinds[self.random.below(3) as usize];
        let handle = self.world.snapshot(kind).handle;
        let model = self.model.clone();
        let filtered = self.filter && self.rules.time_to_live.is_some();
        let now = self.now();
        self.snapshots.push(Snapshot {
            handle,
            model: if filtered {
                model.without_expired(&self.rules, now)
            } else {
                model
            },
            timed: self.rules.time_to_live.is_some(),
        });
    }

    fn restore(&mut self) {
        let chosen = self.random.below(self.snapshots.len() as u64) as usize;
        let snapshot = &self.snapshots[chosen];
        self.model = snapshot.model.clone();
        self.world.restore(snapshot.handle.as_ref());
        // What the background has removed would come to light under another time to live.
        if !self.rules.background {
            self.rules.time_to_live = match self.random.below(6) {
                0 => None,
                1 => Some(TTL_MS / 2),
                2 => Some(TTL_MS * 2),
                3 => Some(TTL_MS),
                _ => self.rules.time_to_live,
            };
        }
        let now = self.now();
        if !snapshot.timed && self.rules.time_to_live.is_some() {
            self.model.begin_anew(now);
        }
        if self.world.incremental {
            // The checkpoints of another backend instance are no base for this one's; all remain readable.
            self.snapshots.truncate(chosen + 1);
        }
        let config = config(&self.rules, self.filter, &mut self.random);
        self.state = self.world.open(self.kind, config);
        self.restores += 1;
    }

    /// Reads everything once more.
    fn finish(&mut self) {
        let keys = self.model.keys();
        for key in keys {
            self.world.key(key);
            for _ in 0..10 {
                match self.kind {
                    Kind::Value => self.access_value(key),
                    Kind::List => self.access_list(key),
                    Kind::Map => self.access_map(key),
                    Kind::Reducing | Kind::Aggregating => self.access_sum(key),
                }
            }
        }
    }
}

fn config(rules: &Rules, filter: bool, random: &mut SeededRandom) -> StateTtlConfig {
    let Some(time_to_live) = rules.time_to_live else {
        return StateTtlConfig::DISABLED;
    };
    let mut builder = ttl()
        .time_to_live(Duration::from_millis(time_to_live.unsigned_abs()))
        .update_type(if rules.on_read {
            UpdateType::OnReadAndWrite
        } else {
            UpdateType::OnCreateAndWrite
        })
        .state_visibility(if rules.return_expired {
            StateVisibility::ReturnExpiredIfNotCleanedUp
        } else {
            StateVisibility::NeverReturnExpired
        })
        .disable_cleanup_in_background();
    if rules.background {
        builder = builder
            .cleanup_incrementally(1 + random.below(8) as usize, random.chance(1, 2))
            .cleanup_in_rocksdb_compact_filter(random.below(3));
    }
    if filter {
        builder = builder.cleanup_full_snapshot();
    }
    builder.build().unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Names the case when it fails.
struct Announce(u64, Backend, Kind, Rules);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Announce(seed, backend, kind, rules) = self;
            eprintln!(
                "{kind:?} on {backend:?} under {rules:?} failed with MILLPOND_TEST_SEED={seed} MILLPOND_TEST_CASES=1"
            );
        }
    }
}

fn run(backend: Backend, kind: Kind) {
    let seed = number("MILLPOND_TEST_SEED").unwrap_or_else(entropy);
    println!("MILLPOND_TEST_SEED={seed}");
    // Each restore opens a database.
    let cases = if backend == Backend::HashMap { CASES } else { 1 };
    let cases = number("MILLPOND_TEST_CASES").unwrap_or(cases);
    let mut restores = 0;
    for bits in 0..8 {
        let rules = Rules {
            time_to_live: Some(TTL_MS),
            on_read: bits & 1 != 0,
            return_expired: bits & 2 != 0,
            background: bits & 4 != 0,
        };
        for case in 0..cases {
            let seed = seed.wrapping_add(case);
            let announce = Announce(seed, backend, kind, rules);
            let mut case = Case::new(backend, kind, rules, seed);
            for _ in 0..OPERATIONS {
                case.step();
            }
            case.finish();
            restores += case.restores;
            drop(announce);
        }
    }
    assert!(
        restores >= 8 * cases,
        "the test restored too rarely to mean anything"
    );
}

fn values_behave_like_the_model(backend: Backend) {
    run(backend, Kind::Value);
}

fn lists_behave_like_the_model(backend: Backend) {
    run(backend, Kind::List);
}

fn maps_behave_like_the_model(backend: Backend) {
    run(backend, Kind::Map);
}

fn reduced_values_behave_like_the_model(backend: Backend) {
    run(backend, Kind::Reducing);
}

fn accumulators_behave_like_the_model(backend: Backend) {
    run(backend, Kind::Aggregating);
}

on_every_backend!(
    values_behave_like_the_model,
    lists_behave_like_the_model,
    maps_behave_like_the_model,
    reduced_values_behave_like_the_model,
    accumulators_behave_like_the_model,
);
