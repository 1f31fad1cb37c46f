//! A shard against a plain map, with good hashes and with bad ones.

use super::*;
use millpond_core::hash::fixed_hash;
use millpond_core::host::SeededRandom;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

type Pair = (u64, Rc<u64>);

/// Random operations under a hash function, each checked by a lookup and now and then by the whole contents.
fn behaves_as_a_map(keys: u64, hash: impl Fn(u64) -> u64 + Copy) {
    let hasher = |e: &Pair| hash(e.0);
    let mut random = SeededRandom::new(5);
    let (mut shard, mut model) = (Shard::<Pair>::default(), BTreeMap::new());
    for step in 0..40_000u64 {
        let key = random.below(keys);
        let found = shard.seek(hash(key), |e| e.0 == key);
        assert_eq!(found.is_some(), model.contains_key(&key));
        match (found, random.below(8)) {
            (Some(found), 0) => assert_eq!(shard.remove(found, hasher).map(|e| *e.1), model.remove(&key)),
            (Some(found), 1) => {
                assert!(!shard.replace(hash(key), found, hasher, |_| None));
                model.remove(&key);
            }
            (Some(found), 2..5) => {
                assert!(shard.replace(hash(key), found, hasher, |e| Some((e.0, Rc::new(step)))));
                model.insert(key, step);
            }
            (Some(_), 5) => {
                let position = random.below(shard.len() as u64) as usize;
                let gone = shard.remove(position, hasher).unwrap();
                assert_eq!(model.remove(&gone.0), Some(*gone.1));
            }
            (Some(found), _) => {
                shard.entry_mut(found).unwrap().1 = Rc::new(step);
                model.insert(key, step);
            }
            (None, _) => {
                shard.insert_unique(hash(key), (key, Rc::new(step)), hasher);
                model.insert(key, step);
            }
        }
        shard.prefetch_index(hash(key));
        let likely = shard.likely(hash(key));
        assert!(likely.is_none_or(|(at, e)| shard.entry(at as usize) == Some(e)));
        let found = shard.seek(hash(key), |e| e.0 == key);
        assert_eq!(
            found.and_then(|at| shard.entry(at)).map(|e| *e.1),
            model.get(&key).copied()
        );
        if step % 500 == 0 {
            let other = shard.split(hasher, |hash| hash >> 63 == 0);
            assert!(other.entries().all(|e| hash(e.0) >> 63 == 0));
            for entry in other.entries() {
                shard.insert_unique(hash(entry.0), entry.clone(), hasher);
            }
            let contents: BTreeMap<u64, u64> = shard.entries().map(|e| (e.0, *e.1)).collect();
            assert_eq!(contents, model);
        }
    }
    assert!(shard.entries().all(|e| Rc::strong_count(&e.1) == 1));
}

#[test]
fn behaves_as_a_map_under_a_good_hash() {
    behaves_as_a_map(900, |key| fixed_hash(&key));
}

/// All keys begin in one of three slots, so that probing wraps around and removals move long chains up.
#[test]
fn behaves_as_a_map_when_many_keys_collide() {
    behaves_as_a_map(60, |key| (key % 3).wrapping_sub(1));
}

#[test]
fn behaves_as_a_map_when_all_keys_have_one_hash() {
    behaves_as_a_map(40, |_| u64::MAX);
}

/// A user function may panic while it has the entry; nothing is dropped twice, and every other entry is still there.
#[test]
fn a_panic_while_an_entry_is_out_loses_that_entry_alone() {
    let hasher = |e: &Pair| fixed_hash(&e.0);
    let mut shard = Shard::<Pair>::default();
    let kept: Vec<Rc<u64>> = (0..100).map(Rc::new).collect();
    for (key, value) in (0..).zip(&kept) {
        shard.insert_unique(fixed_hash(&key), (key, Rc::clone(value)), hasher);
    }
    let hash = fixed_hash(&7u64);
    let found = shard.seek(hash, |e| e.0 == 7).unwrap();
    let panicking = AssertUnwindSafe(|| shard.replace(hash, found, hasher, |_| panic!("a user function")));
    assert!(catch_unwind(panicking).is_err());
    let mut there: Vec<u64> = shard.entries().map(|e| e.0).collect();
    there.sort_unstable();
    assert_eq!(there, (0..100).filter(|key| *key != 7).collect::<Vec<_>>());
    assert_eq!(Rc::strong_count(&kept[7]), 1);
    drop(shard);
    assert!(kept.iter().all(|value| Rc::strong_count(value) == 1));
}
