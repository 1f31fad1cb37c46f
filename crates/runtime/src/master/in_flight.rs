//! Which task gets which records in flight of a snapshot. Flink's `TaskStateAssignment` with its `SubtaskStateMapper`s.
//!
//! Pure, as [`super::assign`]. A channel leads from one instance to another; when either side has another number of instances
//! now, its records go to a channel of the same edge: on an edge by key to whoever owns a record's key group now (`RANGE`,
//! and the reader keeps what is its own), on a rebalanced edge in turns (`ROUND_ROBIN`).

use crate::graph::{Exchange, JobEdge, JobGraph};
use crate::in_flight::{ChannelPart, RestoredChannel};
use millpond_checkpoint::coordinator::TaskId;
use millpond_checkpoint::metadata::{CheckpointMetadata, OperatorState};
use millpond_core::hash::HashMap;
use millpond_core::{Error, OperatorId, Result};
use millpond_state::handle::ChannelStateHandle;
use millpond_types::KeyGroupRange;
use millpond_types::key_group::key_group_range_for_operator;
use std::collections::BTreeMap;

/// The records in flight of each task that has any.
pub(super) type InFlight = HashMap<TaskId, Vec<RestoredChannel>>;

/// A channel of the snapshot: an edge of the job as it is now, and the instances that it led from and to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct OldChannel {
    edge: usize,
    target: u32,
    source: u32,
}

/// How many channels an edge gives each task of its target.
pub(super) fn fan_in(graph: &JobGraph, edge: &JobEdge) -> usize {
    match edge.exchange {
        Exchange::Forward => 1,
        _ => parallelism(graph, edge.source) as usize,
    }
}

/// Hands the records in flight in `snapshot` to the tasks of `graph`.
///
/// # Errors
/// Incompatible when the job's edges aren't those that the records were on; Config when their type has no serializer.
pub(super) fn assign(snapshot: &CheckpointMetadata, graph: &JobGraph) -> Result<InFlight> {
    let mut assigned = InFlight::default();
    for (channel, parts) in channels_of(snapshot, graph)? {
        let edge = edge_at(graph, channel.edge)?;
        if graph.codec(edge).is_none() {
            return Err(without_serializer(graph, edge));
        }
        let first: usize = graph
            .edges
            .iter()
            .take(channel.edge)
            .filter(|e| e.target == edge.target)
            .map(|e| fan_in(graph, e))
            .sum();
        let sources = parallelism(graph, edge.source);
        let old = |vertex: usize| operator_of(snapshot, graph, vertex);
        let unchanged =
            |vertex: usize| old(vertex).map(|o| o.parallelism) == Some(parallelism(graph, vertex));
        let watermarks = unchanged(edge.source) && unchanged(edge.target);
        for (subtask, key_groups) in owners(graph, edge, channel.target, old(edge.target)) {
            let id = TaskId {
                vertex: edge.target as u32,
                subtask,
            };
            assigned.entry(id).or_default().push(RestoredChannel {
                channel: first + (channel.source % sources) as usize,
                parts: parts.clone(),
                key_groups,
                watermarks,
            });
        }
    }
    Ok(assigned)
}

/// The channels that had records, each with its parts in their order: what the receiver had comes before what the sender had.
fn channels_of(
    snapshot: &CheckpointMetadata,
    graph: &JobGraph,
) -> Result<BTreeMap<OldChannel, Vec<ChannelPart>>> {
    let mut channels = BTreeMap::<_, Vec<_>>::new();
    let mut add = |channel, parts: Vec<ChannelPart>| channels.entry(channel).or_default().extend(parts);
    let vertices: HashMap<OperatorId, (usize, usize)> = graph
        .vertices
        .iter()
        .enumerate()
        .flat_map(|(v, vertex)| {
            vertex
                .operators
                .iter()
                .enumerate()
                .map(move |(place, o)| (o.id, (v, place)))
        })
        .collect();
    let known = || {
        snapshot
            .operators
            .iter()
            .filter_map(|o| Some((o, *vertices.get(&o.operator_id)?)))
    };
    for (operator, (vertex, place)) in known() {
        for (subtask, handle) in all_of(operator, |s| &s.input_channel) {
            let edge = nth_edge(graph, handle.info.gate, |e| e.target == vertex).filter(|_| place == 0);
            let edge =
                edge.ok_or_else(|| changed(operator, "they came in by an edge that the job does not have"))?;
            let channel = OldChannel {
                edge,
                target: subtask,
                source: handle.info.channel,
            };
            add(channel, parts_of(handle));
        }
    }
    for (operator, (vertex, _)) in known() {
        for (subtask, handle) in all_of(operator, |s| &s.result_subpartition) {
            let edge = nth_edge(graph, handle.info.partition, |e| e.source == vertex);
            let edge =
                edge.ok_or_else(|| changed(operator, "they went out by an edge that the job does not have"))?;
            let channel = OldChannel {
                edge,
                target: handle.info.subpartition,
                source: subtask,
            };
            add(channel, parts_of(handle));
        }
    }
    for channel in channels.keys() {
        let edge = edge_at(graph, channel.edge)?;
        if !edge.supports_unaligned_checkpoints() {
            return Err(wrong_exchange(graph, edge));
        }
        let parallelism = operator_of(snapshot, graph, edge.target).map(|o| o.parallelism);
        if parallelism.is_none_or(|parallelism| channel.target >= parallelism) {
            let why = "records in flight lead to an instance that the snapshot does not have";
            return Err(Error::corrupt("restore job", why)
                .with("to", name(graph, edge.target))
                .with("subtask", channel.target));
        }
    }
    Ok(channels)
}

fn all_of<I: 'static>(
    operator: &OperatorState,
    of: fn(&millpond_state::handle::OperatorSubtaskState) -> &Vec<ChannelStateHandle<I>>,
) -> impl Iterator<Item = (u32, &ChannelStateHandle<I>)> {
    operator
        .subtasks
        .iter()
        .flat_map(move |(subtask, state)| of(state).iter().map(|handle| (*subtask, handle)))
}

fn parts_of<I>(handle: &ChannelStateHandle<I>) -> Vec<ChannelPart> {
    let part = |offset: &u64| ChannelPart {
        stream: handle.stream.clone(),
        offset: *offset,
    };
    handle.offsets.iter().map(part).collect()
}

/// The instances of the edge's target that get the records of old instance `old_subtask`, with the key groups that each keeps.
fn owners(
    graph: &JobGraph,
    edge: &JobEdge,
    old_subtask: u32,
    old: Option<&OperatorState>,
) -> Vec<(u32, Option<KeyGroupRange>)> {
    let parallelism = parallelism(graph, edge.target);
    let max_parallelism = graph.max_parallelism(edge.target);
    let is_same = old.is_some_and(|o| o.parallelism == parallelism && o.max_parallelism == max_parallelism);
    if is_same {
        return vec![(old_subtask, None)];
    }
    if edge.exchange != Exchange::Hash {
        return vec![(old_subtask % parallelism, None)];
    }
    // Where the ranges of old and new instances can be compared, only those that overlap can own a record.
    let old_range = old
        .filter(|o| o.max_parallelism == max_parallelism)
        .map(|o| key_group_range_for_operator(max_parallelism, o.parallelism, old_subtask));
    (0..parallelism)
        .filter_map(|subtask| {
            let range = key_group_range_for_operator(max_parallelism, parallelism, subtask);
            let overlaps = old_range.is_none_or(|old| old.intersection(&range).is_some());
            overlaps.then_some((subtask, Some(range)))
        })
        .collect()
}

/// Any operator of a vertex that the snapshot knows: all of a vertex had the same parallelism.
fn operator_of<'a>(
    snapshot: &'a CheckpointMetadata,
    graph: &JobGraph,
    vertex: usize,
) -> Option<&'a OperatorState> {
    let operators = &graph.vertices.get(vertex)?.operators;
    operators.iter().find_map(|o| snapshot.operator(o.id))
}

/// The number among all edges of the `nth` for which `is_one` holds.
fn nth_edge(graph: &JobGraph, nth: u32, is_one: impl Fn(&JobEdge) -> bool) -> Option<usize> {
    let ones = graph.edges.iter().enumerate().filter(|(_, e)| is_one(e));
    ones.map(|(number, _)| number).nth(nth as usize)
}

fn edge_at(graph: &JobGraph, edge: usize) -> Result<&JobEdge> {
    graph
        .edges
        .get(edge)
        .ok_or_else(|| Error::illegal_state("restore records in flight", "no such edge").with("edge", edge))
}

fn parallelism(graph: &JobGraph, vertex: usize) -> u32 {
    graph.vertices.get(vertex).map_or(1, |v| v.parallelism.max(1))
}

fn name(graph: &JobGraph, vertex: usize) -> &str {
    graph.vertices.get(vertex).map_or("?", |v| v.name.as_str())
}

const TAKE_A_SAVEPOINT: &str = "start the job as it was when the checkpoint was taken, take a savepoint (which has no records in \
                                flight), and start the changed job from that";

fn changed(operator: &OperatorState, why: &str) -> Error {
    let why = format!("the snapshot holds records in flight, and {why}");
    Error::incompatible("restore job", why)
        .with("operator", operator.operator_id)
        .hint(TAKE_A_SAVEPOINT)
}

fn wrong_exchange(graph: &JobGraph, edge: &JobEdge) -> Error {
    let why = "the snapshot holds records in flight on an edge that is pointwise or broadcast now";
    Error::incompatible("restore job", why)
        .with("from", name(graph, edge.source))
        .with("to", name(graph, edge.target))
        .hint(TAKE_A_SAVEPOINT)
}

/// Checks that every edge whose records barriers are to overtake has a serializer for them.
///
/// # Errors
/// Config naming the first that has none.
pub(super) fn check_serializers(graph: &JobGraph) -> Result<()> {
    let overtaken = |e: &&JobEdge| graph.supports_unaligned_checkpoints(e.target);
    let missing = graph
        .edges
        .iter()
        .filter(overtaken)
        .find(|e| graph.codec(e).is_none());
    missing.map_or(Ok(()), |edge| Err(without_serializer(graph, edge)))
}

fn without_serializer(graph: &JobGraph, edge: &JobEdge) -> Error {
    let why = "records of this type can be in flight in a checkpoint, and the type has no serializer";
    Error::config("store records in flight", why)
        .with("record_type", edge.record_type)
        .with("from", name(graph, edge.source))
        .with("to", name(graph, edge.target))
        .hint(
            "register it (env.register_serializers(|r| r.register_type::<T>()), or register_serde), or set \
             execution.checkpointing.unaligned.enabled to false",
        )
}
