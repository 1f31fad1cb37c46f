//! The identities of operators: from their uids, or from their place in the graph by the rules of Flink's
//! `StreamGraphHasherV2`.

use super::stream_graph::StreamNode;
use super::translate::Resolved;
use millpond_core::hash::{HashSet, murmur3_x64_128};
use millpond_core::{Error, OperatorId, Result};
use std::collections::VecDeque;

/// The id of each node.
///
/// An operator without a uid is hashed from its number in a walk of the graph, breadth first from the sources, from how many
/// operators are chained behind it, and from the ids of its inputs. So the id stays the same while the job stays
/// the same, and changes when operators are added before it: state that should outlive that needs a uid.
///
/// # Errors
/// Config when two operators have the same uid.
pub(super) fn operator_ids(resolved: &Resolved<'_>) -> Result<Vec<OperatorId>> {
    check_uids(&resolved.graph.nodes)?;
    let nodes = &resolved.graph.nodes;
    let outputs = resolved.graph.outputs();
    let mut ids: Vec<Option<OperatorId>> = vec![None; nodes.len()];
    let mut known: u32 = 0;
    let mut visited: Vec<bool> = nodes.iter().map(StreamNode::is_source).collect();
    let mut remaining: VecDeque<usize> = (0..nodes.len())
        .filter(|n| visited.get(*n) == Some(&true))
        .collect();
    while let Some(number) = remaining.pop_front() {
        let Some(node) = nodes.get(number) else { continue };
        let behind = outputs.get(number).map_or(&[][..], Vec::as_slice);
        let id = match &node.uid {
            Some(uid) => OperatorId::from_uid(uid),
            None => {
                let inputs: Option<Vec<OperatorId>> = node
                    .inputs
                    .iter()
                    .map(|edge| ids.get(edge.source).copied().flatten())
                    .collect();
                let Some(inputs) = inputs else {
                    // An input isn't known yet: the walk comes here again from that input.
                    mark(&mut visited, number, false);
                    continue;
                };
                let chained = behind
                    .iter()
                    .filter(|(target, edge)| {
                        let target_node = nodes.get(*target);
                        target_node
                            .and_then(|n| n.inputs.get(*edge))
                            .is_some_and(|edge| resolved.is_chainable(edge, *target))
                    })
                    .count();
                id_by_place(known, chained, &inputs)
            }
        };
        if let Some(slot) = ids.get_mut(number) {
            *slot = Some(id);
        }
        known += 1;
        for (target, _) in behind {
            if visited.get(*target) == Some(&false) {
                mark(&mut visited, *target, true);
                remaining.push_back(*target);
            }
        }
    }
    ids.into_iter()
        .map(|id| id.ok_or_else(super::translate::missing_node))
        .collect()
}

fn mark(visited: &mut [bool], node: usize, value: bool) {
    if let Some(slot) = visited.get_mut(node) {
        *slot = value;
    }
}

/// Flink's `generateDeterministicHash`.
fn id_by_place(number: u32, chained_behind: usize, inputs: &[OperatorId]) -> OperatorId {
    let text: Vec<u8> = std::iter::repeat_n(number.to_le_bytes(), 1 + chained_behind)
        .flatten()
        .collect();
    let (h1, h2) = murmur3_x64_128(&text);
    let mut hash = (u128::from(h1) | (u128::from(h2) << 64)).to_le_bytes();
    for input in inputs {
        for (byte, other) in hash.iter_mut().zip(input.as_bytes()) {
            *byte = byte.wrapping_mul(37) ^ other;
        }
    }
    OperatorId::from_bytes(hash)
}

fn check_uids(nodes: &[StreamNode]) -> Result<()> {
    let mut seen = HashSet::default();
    for uid in nodes.iter().filter_map(|n| n.uid.as_ref()) {
        if !seen.insert(uid) {
            return Err(Error::config("build job", "two operators have the same uid")
                .with("uid", uid)
                .hint("state is found again by uid: give every operator one of its own"));
        }
    }
    Ok(())
}
