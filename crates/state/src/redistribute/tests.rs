//! Redistribution loses nothing and doubles nothing, and is fair.

use super::*;
use crate::handle::*;
use bytes::Bytes;
use millpond_types::KeyGroupRange;
use millpond_types::key_group::key_group_range_for_operator;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn stream(name: &str) -> StreamStateHandle {
    StreamStateHandle::ByteStream(ByteStreamStateHandle {
        name: name.to_string(),
        data: Bytes::new(),
    })
}

fn stream_name(handle: &StreamStateHandle) -> String {
    match handle {
        StreamStateHandle::ByteStream(b) => b.name.clone(),
        other => format!("{:?}", other.file()),
    }
}

/// For each instance a list of handles; for each handle the number of elements of each state.
type Counts = Vec<Vec<Vec<usize>>>;

const MODES: [(&str, OperatorStateMode); 4] = [
    ("a-split", OperatorStateMode::SplitDistribute),
    ("b-split", OperatorStateMode::SplitDistribute),
    ("c-union", OperatorStateMode::Union),
    ("d-broadcast", OperatorStateMode::Broadcast),
];

/// Old handles in which each offset is unique: `instance * 1e6 + handle * 1e4 + state * 1e3 + element`.
fn old_state(counts: &Counts) -> Vec<Vec<OperatorStateHandle>> {
    let handle = |i: usize, h: usize, counts: &[usize]| OperatorStateHandle {
        states: MODES
            .iter()
            .zip(counts)
            .enumerate()
            // Every instance holds the broadcast state, in its first handle.
            .filter(|(s, _)| *s != 3 || h == 0)
            .map(|(s, ((name, mode), count))| {
                let count = if *mode == OperatorStateMode::Broadcast {
                    1
                } else {
                    *count
                };
                let base = (i * 1_000_000 + h * 10_000 + s * 1_000) as u64;
                let offsets = (0..count as u64).map(|n| base + n).collect();
                (name.to_string(), OperatorStateMeta { offsets, mode: *mode })
            })
            .collect(),
        stream: stream(&format!("{i}/{h}")),
    };
    counts
        .iter()
        .enumerate()
        .map(|(i, handles)| handles.iter().enumerate().map(|(h, c)| handle(i, h, c)).collect())
        .collect()
}

/// The elements of a state as (stream, offset), in the order in which they would be read.
fn elements(handles: &[OperatorStateHandle], state: &str) -> Vec<(String, u64)> {
    handles
        .iter()
        .filter_map(|h| Some((h, h.states.get(state)?)))
        .flat_map(|(h, meta)| meta.offsets.iter().map(|o| (stream_name(&h.stream), *o)))
        .collect()
}

fn counts() -> impl Strategy<Value = Counts> {
    let handle = prop::collection::vec(0usize..20, 4);
    prop::collection::vec(prop::collection::vec(handle, 1..3), 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Goal: whatever the parallelisms, split elements go to exactly one instance, union elements to all, broadcast state to
    /// each once; shares of split state differ by one at the most, for all states together as well. Method: random old states
    /// with unique offsets, redistributed and gathered again.
    #[test]
    fn nothing_is_lost_and_nothing_doubled(counts in counts(), new_parallelism in 1usize..12) {
        let old = old_state(&counts);
        let all_old: Vec<_> = old.iter().flatten().cloned().collect();
        let new = redistribute_operator_state(&old, new_parallelism);
        prop_assert_eq!(new.len(), new_parallelism);
        let mut per_instance = vec![0usize; new_parallelism];
        for state in ["a-split", "b-split"] {
            let wanted = elements(&all_old, state);
            let mut got: Vec<_> = new.iter().flat_map(|handles| elements(handles, state)).collect();
            got.sort_unstable();
            let mut sorted = wanted.clone();
            sorted.sort_unstable();
            prop_assert_eq!(got, sorted);
            if new_parallelism != old.len() {
                let shares: Vec<_> = new.iter().map(|handles| elements(handles, state).len()).collect();
                prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
                per_instance.iter_mut().zip(&shares).for_each(|(sum, share)| *sum += share);
            }
        }
        prop_assert!(per_instance.iter().max().unwrap() - per_instance.iter().min().unwrap() <= 1);
        for handles in &new {
            prop_assert_eq!(elements(handles, "c-union"), elements(&all_old, "c-union"));
            prop_assert_eq!(elements(handles, "d-broadcast").len(), 1);
            let streams: BTreeSet<_> = handles.iter().map(|h| stream_name(&h.stream)).collect();
            prop_assert_eq!(streams.len(), handles.len(), "one handle a stream");
        }
    }

    /// Goal: with unchanged parallelism list state stays where it was. Method: as above, each instance compared with itself.
    #[test]
    fn unchanged_parallelism_leaves_list_and_broadcast_state_in_place(counts in counts()) {
        let old = old_state(&counts);
        let new = redistribute_operator_state(&old, old.len());
        for (before, after) in old.iter().zip(&new) {
            for state in ["a-split", "b-split", "d-broadcast"] {
                prop_assert_eq!(elements(before, state), elements(after, state));
            }
        }
    }

    /// Goal: every key group comes to its owner, from exactly the handle that held it, and nobody gets a handle in vain.
    /// Method: random parallelisms; a savepoint's handles, one an old instance, are redistributed and their key groups counted.
    #[test]
    fn every_key_group_finds_its_owner(max in 1u32..300, old_p in 1u32..300, new_p in 1u32..300) {
        let (old_p, new_p) = (old_p.min(max), new_p.min(max));
        let handle = |index: u32| {
            let range: KeyGroupRange = key_group_range_for_operator(max, old_p, index);
            vec![KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
                range,
                offsets: vec![0; range.count()],
                stream: stream(&index.to_string()),
                savepoint: true,
            })]
        };
        let old: Vec<_> = (0..old_p).map(handle).collect();
        let new = redistribute_keyed_state(&old, new_p, max);
        prop_assert_eq!(new.len(), new_p as usize);
        let mut seen = BTreeMap::new();
        for (index, handles) in new.iter().enumerate() {
            let own = key_group_range_for_operator(max, new_p, index as u32);
            for handle in handles {
                let both = handle.range().intersection(&own);
                prop_assert!(both.is_some(), "a handle without any key group of the instance's own");
                for key_group in both.unwrap().iter() {
                    prop_assert_eq!(seen.insert(key_group, index), None, "key group given twice");
                }
            }
        }
        prop_assert_eq!(seen.into_keys().collect::<Vec<_>>(), (0..max).collect::<Vec<_>>());
    }
}

/// Goal: the result is Flink's, element by element. Method: a case worked by hand from the rules of
/// `RoundRobinOperatorStateRepartitioner`: two states of 5 elements from 3 instances for 4 new ones.
#[test]
fn runs_are_handed_out_as_flink_does() {
    let old = old_state(&vec![
        vec![vec![2, 1, 0, 0]],
        vec![vec![0, 3, 0, 0]],
        vec![vec![3, 1, 0, 0]],
    ]);
    let new = redistribute_operator_state(&old, 4);
    let offsets = |state: &str| -> Vec<Vec<u64>> {
        new.iter()
            .map(|handles| elements(handles, state).into_iter().map(|e| e.1).collect())
            .collect()
    };
    // 5 = 2 + 1 + 1 + 1; the next state begins with instance 1.
    assert_eq!(
        offsets("a-split"),
        [vec![0, 1], vec![2_000_000], vec![2_000_001], vec![2_000_002]]
    );
    // 5 = 2 + 1 + 1 + 1, from instance 1 on.
    assert_eq!(
        offsets("b-split"),
        [
            vec![2_001_000],
            vec![1_000, 1_001_000],
            vec![1_001_001],
            vec![1_001_002]
        ]
    );
}

/// Goal: an instance that had finished, and so reported nothing, gets broadcast state from another. Method: unchanged
/// parallelism with one empty instance.
#[test]
fn an_instance_without_broadcast_state_gets_anothers() {
    let mut old = old_state(&vec![vec![vec![1, 1, 1, 1]], vec![vec![1, 1, 1, 1]]]);
    old[1].clear();
    let new = redistribute_operator_state(&old, 2);
    assert_eq!(elements(&new[1], "d-broadcast"), elements(&old[0], "d-broadcast"));
    assert_eq!(elements(&new[1], "c-union"), elements(&old[0], "c-union"));
    assert!(elements(&new[1], "a-split").is_empty());
}
