//! Shards against a plain map, with snapshots held and dropped in between.

use super::*;
use millpond_core::hash::fixed_hash;
use millpond_core::host::SeededRandom;
use std::collections::BTreeMap;
use std::rc::Rc;

type Pair = (u64, u64);
/// A snapshot and what it must hold.
type Kept<V> = (Vec<FrozenShard<(u64, V)>>, BTreeMap<u64, u64>);

/// A value, of a type with memory of its own or without.
trait Value: Clone + From<u64> {
    fn number(&self) -> u64;
}

impl Value for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

impl Value for Rc<u64> {
    fn number(&self) -> u64 {
        **self
    }
}

fn put<V: Value>(group: &mut Group<(u64, V)>, key: u64, value: u64) {
    upsert(group, None, key, V::from(value), Held::Copied);
}

fn set<V: Clone>(group: &mut Group<(u64, V)>, key: u64, value: V) {
    upsert(group, None, key, value, Held::Replaced);
}

fn upsert<V: Clone>(group: &mut Group<(u64, V)>, seen: Option<Spot>, key: u64, value: V, held: Held) {
    let write = |entry: Option<&mut (u64, V)>| match entry {
        Some(entry) => {
            entry.1 = value;
            None
        }
        None => Some((key, value)),
    };
    group.upsert(
        fixed_hash(&key),
        seen,
        held,
        |e| e.0 == key,
        write,
        |e| fixed_hash(&e.0),
    );
}

fn find<V>(group: &Group<(u64, V)>, seen: Option<Spot>, key: u64) -> Option<&V> {
    let found = group.find(fixed_hash(&key), seen, |e| e.0 == key);
    found.map(|e| &e.1)
}

fn take<V: Value>(group: &mut Group<(u64, V)>, seen: Option<Spot>, key: u64) -> Option<u64> {
    group.change(
        fixed_hash(&key),
        seen,
        |e| e.0 == key,
        |e| (e.1.number(), true),
        |e| fixed_hash(&e.0),
    )
}

/// Turns the value of `key` into another by way of the entry itself.
fn exchange<V: Value>(group: &mut Group<(u64, V)>, seen: Option<Spot>, key: u64, value: u64) {
    let change = |e: Option<(u64, V)>| e.map(|e| (e.0, V::from(value)));
    group.replace(
        fixed_hash(&key),
        seen,
        |e| e.0 == key,
        change,
        |e| fixed_hash(&e.0),
    );
}

fn contents<V: Value>(shards: &[FrozenShard<(u64, V)>]) -> BTreeMap<u64, u64> {
    shards
        .iter()
        .flat_map(|s| s.shard.entries().map(|e| (e.0, e.1.number())))
        .collect()
}

/// Random puts and removals with small shards, so that they split all the time; every few steps a snapshot is taken and one
/// of the held ones is checked against the copy of the model that was made with it. Where a key was seen the last time says by then
/// where another one is, or nothing, as often as not.
fn snapshots_stay_as_they_were<V: Value>() -> Group<(u64, V)> {
    let mut random = SeededRandom::new(3);
    let (mut group, mut model) = (Group::<(u64, V)>::new(8), BTreeMap::new());
    let mut held: Vec<Kept<V>> = Vec::new();
    let mut spots = BTreeMap::new();
    let mut right = 0;
    let mut checked = 0;
    for step in 1..60_000u64 {
        let key = random.below(2_000);
        let seen = spots.get(&key).copied();
        match random.below(50) {
            0 => held.push((group.freeze(step), model.clone())),
            1 if !held.is_empty() => {
                let (shards, expected) = held.swap_remove(random.below(held.len() as u64) as usize);
                assert_eq!(contents(&shards), expected);
                checked += 1;
            }
            2..20 => assert_eq!(take(&mut group, seen, key), model.remove(&key)),
            25..30 => {
                upsert(&mut group, seen, key, V::from(step), Held::Replaced);
                model.insert(key, step);
            }
            20..25 => {
                exchange(&mut group, seen, key, step);
                model.entry(key).and_modify(|value| *value = step);
            }
            _ => {
                upsert(&mut group, seen, key, V::from(step), Held::Copied);
                model.insert(key, step);
            }
        }
        assert_eq!(group.len(), model.len());
        let found = find(&group, seen, key).map(V::number);
        assert_eq!(found, model.get(&key).copied());
        let (shard, position) = group.seek(fixed_hash(&key), seen, |e| e.0 == key);
        if let Some(position) = position {
            let spot = Spot {
                shard: shard as u32,
                position: position as u32,
            };
            right += u32::from(seen == Some(spot));
            spots.insert(key, spot);
        }
    }
    assert!(checked > 500);
    assert!((5_000..30_000).contains(&right), "{right}");
    let there: BTreeMap<u64, u64> = group.iter().map(|e| (e.0, e.1.number())).collect();
    assert_eq!(there, model);
    group
}

#[test]
fn snapshots_stay_as_they_were_while_writing_goes_on() {
    snapshots_stay_as_they_were::<u64>();
}

/// Entries are lent then, by shards that lend from others themselves. In the end each value is there once.
#[test]
fn snapshots_of_values_with_memory_stay_as_they_were_and_nothing_is_kept_or_dropped_twice() {
    let mut group = snapshots_stay_as_they_were::<Rc<u64>>();
    drop(group.freeze(u64::MAX));
    // A write to each shard takes over what was still lent.
    let keys: Vec<u64> = group.iter().map(|e| e.0).collect();
    keys.iter().for_each(|key| put(&mut group, *key, 0));
    assert!(group.iter().all(|e| Rc::strong_count(&e.1) == 1));
    let last: Vec<Rc<u64>> = group.iter().map(|e| Rc::clone(&e.1)).collect();
    drop(group);
    assert!(last.iter().all(|value| Rc::strong_count(value) == 1));
}

/// Writes one value of a held shard whose values have memory: that value alone is copied, and when the snapshot is gone, the next
/// write takes over the others where they are.
#[test]
fn a_write_copies_one_value_of_a_held_shard() {
    let mut group = Group::<(u64, Rc<u64>)>::new(1_000);
    (0..100).for_each(|key| put(&mut group, key, key));
    let value = |group: &Group<(u64, Rc<u64>)>, key: u64| Rc::clone(find(group, None, key).unwrap());
    let (third, fourth) = (value(&group, 3), value(&group, 4));
    let held = group.freeze(1);
    put(&mut group, 3, 30);
    assert!(!Rc::ptr_eq(&third, &value(&group, 3)));
    // The snapshot's, ours, and no copy.
    assert!(Rc::ptr_eq(&fourth, &value(&group, 4)));
    assert_eq!(Rc::strong_count(&fourth), 2);
    assert_eq!((contents(&held)[&3], *value(&group, 3)), (3, 30));
    drop(held);
    // What was replaced goes with the writes that come then.
    put(&mut group, 5, 50);
    put(&mut group, 5, 51);
    assert_eq!((Rc::strong_count(&third), Rc::strong_count(&fourth)), (1, 2));
    assert!(Rc::ptr_eq(&fourth, &value(&group, 4)));
}

/// Grows a group far and looks at the sizes of its shards: linear hashing keeps each under twice the average plus noise.
#[test]
fn a_large_group_has_many_small_shards() {
    let mut group = Group::<Pair>::new(100);
    (0..50_000).for_each(|key| put(&mut group, key, key));
    let shards = group.freeze(1);
    let largest = shards.iter().map(|s| s.shard.len()).max().unwrap();
    assert_eq!(shards.len(), 500);
    assert!(largest < 300, "the largest shard has {largest} entries");
}

/// Freezes twice with one write in between: only the written shard is younger.
#[test]
fn a_frozen_shard_remembers_since_when() {
    let mut group = Group::<Pair>::new(10);
    (0..1_000).for_each(|key| put(&mut group, key, key));
    drop(group.freeze(1));
    put(&mut group, 5, 0);
    // A removal of what isn't there and a lookup change nothing.
    assert_eq!(take(&mut group, None, 5_000), None);
    assert!(find(&group, None, 6).is_some());
    let shards = group.freeze(2);
    let young: Vec<_> = shards.iter().filter(|s| s.since == 2).collect();
    assert_eq!(young.len(), 1);
    assert!(young[0].shard.entries().any(|e| e.0 == 5));
    assert!(shards.iter().all(|s| s.since == 1 || s.since == 2));
}

/// A write to a frozen shard copies it only while a snapshot holds it.
#[test]
fn a_shard_that_no_snapshot_holds_is_taken_back_without_a_copy() {
    let mut group = Group::<Pair>::new(1_000);
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

/// Has something to drop, as memory of its own would be, and cannot be copied.
struct Uncopied(u64);

impl Clone for Uncopied {
    fn clone(&self) -> Self {
        panic!("copied {}", self.0)
    }
}

impl Drop for Uncopied {
    fn drop(&mut self) {}
}

/// Sets values of a held shard, whatever they were.
#[test]
fn a_value_that_is_replaced_as_a_whole_is_never_copied() {
    let mut group = Group::<(u64, Uncopied)>::new(1_000);
    (0..100).for_each(|key| set(&mut group, key, Uncopied(key)));
    let held = group.freeze(1);
    set(&mut group, 3, Uncopied(30));
    set(&mut group, 3, Uncopied(31));
    let number = |e: &(u64, Uncopied)| (e.0, e.1.0);
    assert_eq!(group.iter().map(number).find(|e| e.0 == 3), Some((3, 31)));
    assert!(held.iter().flat_map(|s| s.shard.entries()).all(|e| e.0 == e.1.0));
}

/// Replaces all values of a held shard: when the snapshot is gone, a write drops a few of the old ones and not all.
#[test]
fn what_was_replaced_is_dropped_a_few_at_a_time() {
    let mut group = Group::<(u64, Rc<u64>)>::new(1_000);
    let shared = Rc::new(0);
    (0..100).for_each(|key| set(&mut group, key, Rc::clone(&shared)));
    let held = group.freeze(1);
    (0..99).for_each(|key| put(&mut group, key, 1));
    drop(held);
    let mut kept = vec![Rc::strong_count(&shared)];
    while kept.last().is_some_and(|count| *count > 2) {
        put(&mut group, 0, 2);
        kept.push(Rc::strong_count(&shared));
    }
    assert!(kept.len() > 10, "{kept:?}");
    assert!(kept.windows(2).all(|two| two[0] - two[1] <= 10), "{kept:?}");
}
