//! Shards against a plain map, with snapshots held and dropped in between.

use super::*;
use millpond_core::hash::fixed_hash;
use millpond_core::host::SeededRandom;
use std::collections::BTreeMap;

type Pair = (u64, u64);
/// A snapshot and what it must hold.
type Held = (Vec<FrozenShard<Pair>>, BTreeMap<u64, u64>);

fn put(group: &mut Group<Pair>, key: u64, value: u64) {
    group.upsert(
        fixed_hash(&key),
        value,
        |e| e.0 == key,
        |e, v| e.1 = v,
        |v| (key, v),
        |e| fixed_hash(&e.0),
    );
}

fn take(group: &mut Group<Pair>, key: u64) -> Option<u64> {
    group.change(
        fixed_hash(&key),
        |e| e.0 == key,
        |e| (e.1, true),
        |e| fixed_hash(&e.0),
    )
}

fn contents(shards: &[FrozenShard<Pair>]) -> BTreeMap<u64, u64> {
    shards
        .iter()
        .flat_map(|s| s.shard.entries().iter().copied())
        .collect()
}

/// Random puts and removals with small shards, so that they split all the time; every few steps a snapshot is taken and one
/// of the held ones is checked against the copy of the model that was made with it.
#[test]
fn snapshots_stay_as_they_were_while_writing_goes_on() {
    let mut random = SeededRandom::new(3);
    let (mut group, mut model) = (Group::new(8), BTreeMap::new());
    let mut held: Vec<Held> = Vec::new();
    let mut checked = 0;
    for step in 1..60_000u64 {
        let key = random.below(2_000);
        match random.below(50) {
            0 => held.push((group.freeze(step), model.clone())),
            1 if !held.is_empty() => {
                let (shards, expected) = held.swap_remove(random.below(held.len() as u64) as usize);
                assert_eq!(contents(&shards), expected);
                checked += 1;
            }
            2..20 => assert_eq!(take(&mut group, key), model.remove(&key)),
            _ => {
                put(&mut group, key, step);
                model.insert(key, step);
            }
        }
        assert_eq!(group.len(), model.len());
        let found = group.find(fixed_hash(&key), |e| e.0 == key).map(|e| e.1);
        assert_eq!(found, model.get(&key).copied());
    }
    assert!(checked > 500);
    assert_eq!(group.iter().copied().collect::<BTreeMap<_, _>>(), model);
}

/// Grows a group far and looks at the sizes of its shards: linear hashing keeps each under twice the average plus noise.
#[test]
fn a_large_group_has_many_small_shards() {
    let mut group = Group::new(100);
    (0..50_000).for_each(|key| put(&mut group, key, key));
    let shards = group.freeze(1);
    let largest = shards.iter().map(|s| s.shard.len()).max().unwrap();
    assert_eq!(shards.len(), 500);
    assert!(largest < 300, "the largest shard has {largest} entries");
}

/// Freezes twice with one write in between: only the written shard is younger.
#[test]
fn a_frozen_shard_remembers_since_when() {
    let mut group = Group::new(10);
    (0..1_000).for_each(|key| put(&mut group, key, key));
    drop(group.freeze(1));
    put(&mut group, 5, 0);
    // A removal of what isn't there and a lookup change nothing.
    assert_eq!(take(&mut group, 5_000), None);
    assert!(group.find(fixed_hash(&6u64), |e| e.0 == 6).is_some());
    let shards = group.freeze(2);
    let young: Vec<_> = shards.iter().filter(|s| s.since == 2).collect();
    assert_eq!(young.len(), 1);
    assert!(young[0].shard.entries().iter().any(|e| e.0 == 5));
    assert!(shards.iter().all(|s| s.since == 1 || s.since == 2));
}

/// A write to a frozen shard copies it only while a snapshot holds it.
#[test]
fn a_shard_that_no_snapshot_holds_is_taken_back_without_a_copy() {
    let mut group = Group::new(1_000);
    (0..100).for_each(|key| put(&mut group, key, key));
    let address = |group: &Group<Pair>| std::ptr::from_ref(group.iter().next().unwrap()) as usize;
    let before = address(&group);
    drop(group.freeze(1));
    put(&mut group, 3, 4);
    assert_eq!(address(&group), before);
    let held = group.freeze(2);
    put(&mut group, 3, 5);
    assert_ne!(address(&group), before);
    assert_eq!(contents(&held)[&3], 4);
}
