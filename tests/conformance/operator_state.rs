//! State that belongs to an operator instance and to no key. It is the same beside every keyed backend.

use crate::configuration::Configuration;
use millpond_core::ErrorKind;
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor};
use millpond_state::handle::OperatorStateHandle;
use millpond_state::operator_state::{BroadcastWritePermit, OperatorStateBackend};
use millpond_state::redistribute::redistribute_operator_state;
use millpond_state::stream::memory::MemoryStreams;

fn offsets() -> ListStateDescriptor<i64> {
    ListStateDescriptor::new("offsets")
}

fn rules() -> MapStateDescriptor<String, i64> {
    MapStateDescriptor::new("rules")
}

/// The handles of one instance's snapshot.
fn snapshot(b: &OperatorStateBackend, streams: &MemoryStreams) -> Vec<OperatorStateHandle> {
    b.snapshot().write(streams).unwrap().into_iter().collect()
}

fn restore(handles: &[OperatorStateHandle], streams: &MemoryStreams) -> OperatorStateBackend {
    OperatorStateBackend::restore(handles, streams).unwrap()
}

/// Snapshots of instances that hold these elements.
fn instances(elements: &[&[i64]], union: bool, streams: &MemoryStreams) -> Vec<Vec<OperatorStateHandle>> {
    let instance = |elements: &&[i64]| {
        let mut b = OperatorStateBackend::new();
        let list = if union {
            b.union_list_state(&offsets())
        } else {
            b.list_state(&offsets())
        };
        list.unwrap().add_all(elements.iter().copied()).unwrap();
        snapshot(&b, streams)
    };
    elements.iter().map(instance).collect()
}

/// What the new instances hold.
fn redistributed(
    old: &[Vec<OperatorStateHandle>],
    to: usize,
    union: bool,
    streams: &MemoryStreams,
) -> Vec<Vec<i64>> {
    let assigned = redistribute_operator_state(old, to);
    let elements = |handles: &Vec<OperatorStateHandle>| {
        let mut b = restore(handles, streams);
        let list = if union {
            b.union_list_state(&offsets())
        } else {
            b.list_state(&offsets())
        };
        list.unwrap().get().unwrap()
    };
    assigned.iter().map(elements).collect()
}

fn lists_are_restored_in_their_order(_: &Configuration) {
    let (mut b, streams) = (OperatorStateBackend::new(), MemoryStreams::default());
    let list = b.list_state(&offsets()).unwrap();
    assert!(list.is_empty().unwrap());
    list.add_all([3, 1, 2]).unwrap();
    list.add(1).unwrap();
    let mut b = restore(&snapshot(&b, &streams), &streams);
    assert_eq!(b.list_state(&offsets()).unwrap().get().unwrap(), [3, 1, 2, 1]);
}

fn updates_and_clears_replace_a_list(_: &Configuration) {
    let mut b = OperatorStateBackend::new();
    let list = b.list_state(&offsets()).unwrap();
    list.update(vec![1, 2]).unwrap();
    list.update(vec![3]).unwrap();
    assert_eq!(list.get().unwrap(), [3]);
    list.clear().unwrap();
    assert!(list.is_empty().unwrap());
}

fn split_lists_are_shared_out(_: &Configuration) {
    let streams = MemoryStreams::default();
    let old = instances(&[&[1, 2, 3], &[4, 5]], false, &streams);
    assert_eq!(
        redistributed(&old, 2, false, &streams),
        [vec![1, 2, 3], vec![4, 5]]
    );
    assert_eq!(redistributed(&old, 1, false, &streams), [vec![1, 2, 3, 4, 5]]);
    assert_eq!(
        redistributed(&old, 3, false, &streams),
        [vec![1, 2], vec![3, 4], vec![5]]
    );
    assert_eq!(redistributed(&old, 7, false, &streams).concat(), [1, 2, 3, 4, 5]);
}

fn union_lists_go_to_everyone(_: &Configuration) {
    let streams = MemoryStreams::default();
    let old = instances(&[&[1, 2], &[3]], true, &streams);
    for parallelism in 1..4 {
        for elements in redistributed(&old, parallelism, true, &streams) {
            assert_eq!(elements, [1, 2, 3]);
        }
    }
}

fn broadcast_state_goes_to_everyone(_: &Configuration) {
    let streams = MemoryStreams::default();
    let permit = BroadcastWritePermit::for_broadcast_element();
    let old: Vec<_> = (0..2)
        .map(|_| {
            let mut b = OperatorStateBackend::new();
            let rules = b.broadcast_state(&rules()).unwrap();
            rules.put(&permit, "a".into(), 1).unwrap();
            rules.put(&permit, "b".into(), 2).unwrap();
            rules.remove(&permit, &"b".into()).unwrap();
            snapshot(&b, &streams)
        })
        .collect();
    for handles in [1, 2, 3]
        .into_iter()
        .flat_map(|p| redistribute_operator_state(&old, p))
    {
        let mut b = restore(&handles, &streams);
        let rules = b.broadcast_state(&rules()).unwrap();
        assert_eq!(
            (rules.get(&"a".into()).unwrap(), rules.len().unwrap()),
            (Some(1), 1)
        );
    }
}

fn a_snapshot_is_of_its_moment(_: &Configuration) {
    let (mut b, streams) = (OperatorStateBackend::new(), MemoryStreams::default());
    let list = b.list_state(&offsets()).unwrap();
    list.add(1).unwrap();
    let frozen = b.snapshot();
    list.add(2).unwrap();
    let handle = frozen.write(&streams).unwrap().unwrap();
    let mut b = restore(&[handle], &streams);
    assert_eq!(b.list_state(&offsets()).unwrap().get().unwrap(), [1]);
}

fn an_operator_without_state_has_no_snapshot(_: &Configuration) {
    assert!(snapshot(&OperatorStateBackend::new(), &MemoryStreams::default()).is_empty());
}

fn unopened_operator_state_survives(_: &Configuration) {
    let (mut b, streams) = (OperatorStateBackend::new(), MemoryStreams::default());
    b.list_state(&offsets()).unwrap().add(1).unwrap();
    let b = restore(&snapshot(&b, &streams), &streams);
    let mut b = restore(&snapshot(&b, &streams), &streams);
    assert_eq!(b.unopened_state_names().collect::<Vec<_>>(), ["offsets"]);
    assert_eq!(b.list_state(&offsets()).unwrap().get().unwrap(), [1]);
}

fn operator_state_of_another_sort_is_refused(_: &Configuration) {
    let (mut b, streams) = (OperatorStateBackend::new(), MemoryStreams::default());
    b.list_state(&offsets()).unwrap().add(1).unwrap();
    let e = b.union_list_state(&offsets()).map(drop).unwrap_err();
    assert_eq!(
        (e.kind(), e.context("state")),
        (ErrorKind::IllegalState, Some("offsets"))
    );
    let mut b = restore(&snapshot(&b, &streams), &streams);
    let texts = ListStateDescriptor::<String>::new("offsets");
    let e = b.list_state(&texts).map(drop).unwrap_err();
    assert_eq!(
        (e.kind(), e.context("state")),
        (ErrorKind::Incompatible, Some("offsets"))
    );
}

fn operator_state_evolves(_: &Configuration) {
    let (mut b, streams) = (OperatorStateBackend::new(), MemoryStreams::default());
    let narrow = ListStateDescriptor::<i32>::new("offsets");
    b.list_state(&narrow).unwrap().add_all([1, -1]).unwrap();
    let mut b = restore(&snapshot(&b, &streams), &streams);
    let list = b.list_state(&offsets()).unwrap();
    list.add(1 << 40).unwrap();
    assert_eq!(list.get().unwrap(), [1, -1, 1 << 40]);
}

crate::behaviours![
    lists_are_restored_in_their_order,
    updates_and_clears_replace_a_list,
    split_lists_are_shared_out,
    union_lists_go_to_everyone,
    broadcast_state_goes_to_everyone,
    a_snapshot_is_of_its_moment,
    an_operator_without_state_has_no_snapshot,
    unopened_operator_state_survives,
    operator_state_of_another_sort_is_refused,
    operator_state_evolves,
];
