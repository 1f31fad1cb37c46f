//! Operator state: split, copied to all, or one copy each.

use crate::handle::{OperatorStateHandle, OperatorStateMeta, OperatorStateMode};
use std::collections::{BTreeMap, BTreeSet};

/// Where a handle stands in the old instances' lists: old instance, position.
type Source = (usize, usize);
/// What each new instance gets, by the handle that it comes from.
type Assigned = Vec<BTreeMap<Source, OperatorStateHandle>>;

/// One state in one old handle.
struct Located<'a> {
    source: Source,
    handle: &'a OperatorStateHandle,
    meta: &'a OperatorStateMeta,
}

/// The operator state of each of `new_parallelism` instances, from the handles of all old instances.
///
/// - Split: the elements of a state, in the order of the old instances, are cut into runs whose lengths differ by one at the most.
///   Where one state's longer runs end, the next state's begin, so that no instance gets the longer run of every state.
///   With unchanged parallelism every instance keeps its own elements.
/// - Union: every instance gets the elements of all, in the order of the old instances.
/// - Broadcast: every instance gets one copy. With unchanged parallelism it is its own, if it has one (an instance that had finished
///   has not).
pub fn redistribute_operator_state(
    old: &[Vec<OperatorStateHandle>],
    new_parallelism: usize,
) -> Vec<Vec<OperatorStateHandle>> {
    let mut assigned: Assigned = vec![BTreeMap::new(); new_parallelism];
    if new_parallelism == old.len() {
        keep_in_place(old, &mut assigned);
    } else {
        split(&locate(old, OperatorStateMode::SplitDistribute), &mut assigned);
        for (name, parts) in &locate(old, OperatorStateMode::Broadcast) {
            for (index, instance) in assigned.iter_mut().enumerate() {
                one_copy(name, parts, index, instance);
            }
        }
    }
    for (name, parts) in &locate(old, OperatorStateMode::Union) {
        for instance in &mut assigned {
            for part in parts {
                assign(name, part, part.meta.offsets.clone(), instance);
            }
        }
    }
    assigned
        .into_iter()
        .map(|instance| instance.into_values().collect())
        .collect()
}

/// The states of one mode by name, in the order of the old instances.
fn locate(old: &[Vec<OperatorStateHandle>], mode: OperatorStateMode) -> BTreeMap<&str, Vec<Located<'_>>> {
    let mut by_name: BTreeMap<&str, Vec<Located<'_>>> = BTreeMap::new();
    for (instance, handles) in old.iter().enumerate() {
        for (position, handle) in handles.iter().enumerate() {
            for (name, meta) in handle.states.iter().filter(|(_, meta)| meta.mode == mode) {
                by_name.entry(name).or_default().push(Located {
                    source: (instance, position),
                    handle,
                    meta,
                });
            }
        }
    }
    by_name
}

/// Unchanged parallelism: everything but union state stays; broadcast state that an instance lacks comes from another.
fn keep_in_place(old: &[Vec<OperatorStateHandle>], assigned: &mut Assigned) {
    for (instance, (handles, to)) in old.iter().zip(assigned.iter_mut()).enumerate() {
        for (position, handle) in handles.iter().enumerate() {
            let mut kept = handle.clone();
            kept.states
                .retain(|_, meta| meta.mode != OperatorStateMode::Union);
            let only_union = kept.states.is_empty() && !handle.states.is_empty();
            if !only_union {
                to.insert((instance, position), kept);
            }
        }
    }
    for (name, parts) in &locate(old, OperatorStateMode::Broadcast) {
        let have: BTreeSet<usize> = parts.iter().map(|part| part.source.0).collect();
        for (index, instance) in assigned.iter_mut().enumerate() {
            if !have.contains(&index) {
                one_copy(name, parts, index, instance);
            }
        }
    }
}

fn one_copy(
    name: &str,
    parts: &[Located<'_>],
    index: usize,
    instance: &mut BTreeMap<Source, OperatorStateHandle>,
) {
    // Taken in turns, so that not all read the same file.
    if let Some(part) = parts.get(index % parts.len().max(1)) {
        assign(name, part, part.meta.offsets.clone(), instance);
    }
}

fn split(states: &BTreeMap<&str, Vec<Located<'_>>>, assigned: &mut Assigned) {
    let instances = assigned.len();
    if instances == 0 {
        return;
    }
    let mut first = 0;
    for (name, parts) in states {
        let total: usize = parts.iter().map(|part| part.meta.offsets.len()).sum();
        let (share, longer) = (total / instances, total % instances);
        let mut elements = parts
            .iter()
            .flat_map(|part| part.meta.offsets.iter().map(move |offset| (part, *offset)))
            .peekable();
        for turn in 0..instances {
            let mut left = share + usize::from(turn < longer);
            let Some(instance) = assigned.get_mut((first + turn) % instances) else {
                continue;
            };
            while left > 0
                && let Some((part, offset)) = elements.next()
            {
                let mut run = vec![offset];
                left -= 1;
                while left > 0
                    && let Some((_, offset)) = elements.next_if(|(next, _)| next.source == part.source)
                {
                    run.push(offset);
                    left -= 1;
                }
                assign(name, part, run, instance);
            }
        }
        first = (first + longer) % instances;
    }
}

fn assign(
    name: &str,
    part: &Located<'_>,
    offsets: Vec<u64>,
    instance: &mut BTreeMap<Source, OperatorStateHandle>,
) {
    let mode = part.meta.mode;
    instance
        .entry(part.source)
        .or_insert_with(|| OperatorStateHandle {
            states: BTreeMap::new(),
            stream: part.handle.stream.clone(),
        })
        .states
        .insert(name.to_string(), OperatorStateMeta { offsets, mode });
}
