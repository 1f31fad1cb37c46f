//! Which task gets which state of a snapshot. Flink's `StateAssignmentOperation`.
//!
//! Pure: a snapshot's metadata and a job graph go in, a state for each operator of each task comes out, or an error that says what
//! of the snapshot doesn't fit the job. Nothing is read.

use crate::graph::{JobGraph, JobVertex};
use crate::operator::RestoredState;
use millpond_checkpoint::coordinator::TaskId;
use millpond_checkpoint::metadata::{CheckpointMetadata, OperatorState};
use millpond_core::hash::{HashMap, HashSet};
use millpond_core::{Error, OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::redistribute::redistribute_state;

/// The restored state of each task: one entry for each operator of its vertex, in their order.
pub(super) type Assignment = HashMap<TaskId, Vec<RestoredState>>;

/// Gives each vertex whose max parallelism the job doesn't name the one that its keyed state in `snapshot` has, as
/// `StateAssignmentOperation.checkParallelismPreconditions` does. Where that can't be, nothing changes, and [`assign`] says why.
pub(super) fn take_over_max_parallelism(snapshot: &CheckpointMetadata, graph: &mut JobGraph) {
    for vertex in graph.vertices.iter_mut().filter(|v| !v.max_parallelism_is_set) {
        let with_keys = |o: &&OperatorState| o.subtasks.values().any(OperatorSubtaskState::has_keyed_state);
        let mut of_vertex = vertex.operators.iter().filter_map(|o| snapshot.operator(o.id));
        let stored = of_vertex.find(with_keys).map(|o| o.max_parallelism);
        if let Some(stored) = stored.filter(|s| vertex.parallelism <= *s && *s != vertex.max_parallelism) {
            tracing::info!(
                operator = %vertex.name,
                max_parallelism = stored,
                "the max parallelism is the snapshot's, since the job doesn't name one"
            );
            vertex.max_parallelism = stored;
        }
    }
}

/// Hands the state in `snapshot` to the tasks of `graph`. State of operators that the job doesn't have is left behind if
/// `allow_non_restored`, and refused otherwise.
///
/// # Errors
/// Incompatible: state without an operator (each is named, with what to do), or another number of key groups.
pub(super) fn assign(
    snapshot: &CheckpointMetadata,
    graph: &JobGraph,
    allow_non_restored: bool,
) -> Result<Assignment> {
    refuse_unclaimed(snapshot, graph, allow_non_restored)?;
    let mut assignment = Assignment::default();
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let mut states = Vec::with_capacity(vertex.operators.len());
        for operator in &vertex.operators {
            states.push(match snapshot.operator(operator.id) {
                Some(old) => of_operator(old, vertex)?,
                None => vec![OperatorSubtaskState::default(); vertex.parallelism as usize],
            });
        }
        let mut states: Vec<_> = states.into_iter().map(Vec::into_iter).collect();
        for subtask in 0..vertex.parallelism {
            let of_task = states
                .iter_mut()
                .map(|s| RestoredState {
                    state: s.next().unwrap_or_default(),
                })
                .collect();
            assignment.insert(
                TaskId {
                    vertex: number as u32,
                    subtask,
                },
                of_task,
            );
        }
    }
    Ok(assignment)
}

/// The state of each new instance of one operator.
fn of_operator(old: &OperatorState, vertex: &JobVertex) -> Result<Vec<OperatorSubtaskState>> {
    let old_subtasks = |index: u32| old.subtasks.get(&index);
    let indices = 0..old
        .parallelism
        .max(old.subtasks.keys().next_back().map_or(0, |last| last + 1));
    let states: Vec<_> = indices
        .map(|i| old_subtasks(i).cloned().unwrap_or_default())
        .collect();
    let has_keys = states.iter().any(OperatorSubtaskState::has_keyed_state);
    if has_keys && old.max_parallelism != vertex.max_parallelism {
        return Err(other_key_groups(old, vertex));
    }
    Ok(redistribute_state(
        &states,
        vertex.parallelism,
        vertex.max_parallelism,
    ))
}

fn other_key_groups(old: &OperatorState, vertex: &JobVertex) -> Error {
    let stored = old.max_parallelism;
    let (why, hint) = if vertex.parallelism > stored {
        (
            "the parallelism is above the max parallelism that the state was stored with",
            format!(
                "lower the parallelism to {stored}: keys are spread over that many key groups, and their number can't change"
            ),
        )
    } else {
        (
            "the state was stored with another max parallelism",
            format!(
                "set pipeline.max-parallelism to {stored}, or leave it unset: keys are spread over that many key groups, and \
                 their number can't change"
            ),
        )
    };
    let operator = old.uid.as_ref().or(old.name.as_ref()).unwrap_or(&vertex.name);
    Error::incompatible("restore job", why)
        .with("operator", operator)
        .with("stored", stored)
        .with("parallelism", vertex.parallelism)
        .with("job", vertex.max_parallelism)
        .hint(hint)
}

fn refuse_unclaimed(snapshot: &CheckpointMetadata, graph: &JobGraph, allow: bool) -> Result<()> {
    let known: HashSet<OperatorId> = graph
        .vertices
        .iter()
        .flat_map(|v| &v.operators)
        .map(|o| o.id)
        .collect();
    let unclaimed: Vec<_> = snapshot
        .operators
        .iter()
        .filter(|o| o.has_state() && !known.contains(&o.operator_id))
        .collect();
    if unclaimed.is_empty() {
        return Ok(());
    }
    let names = unclaimed
        .iter()
        .map(|o| describe(o))
        .collect::<Vec<_>>()
        .join(", ");
    if allow {
        tracing::warn!(operators = %names, "state of operators that the job does not have is left behind");
        return Ok(());
    }
    let without_state = graph
        .vertices
        .iter()
        .flat_map(|v| &v.operators)
        .filter(|o| snapshot.operator(o.id).is_none())
        .map(|o| {
            format!(
                "{} ({})",
                o.name,
                o.uid
                    .as_deref()
                    .map_or("no uid".to_string(), |u| format!("uid {u}"))
            )
        })
        .collect::<Vec<_>>()
        .join(", ");
    Err(Error::incompatible("restore job", "the snapshot holds state of operators that this job does not have")
        .with("operators", names)
        .with("operators_without_state", if without_state.is_empty() { "none".to_string() } else { without_state })
        .hint(
            "is it a savepoint of this job? give an operator the uid that it had when the snapshot was taken, or leave its state \
             behind with --allow-non-restored-state",
        ))
}

fn describe(operator: &OperatorState) -> String {
    match operator.uid.as_ref().or(operator.name.as_ref()) {
        Some(name) => format!("{} ({name}, {} bytes)", operator.operator_id, size(operator)),
        None => format!("{} ({} bytes)", operator.operator_id, size(operator)),
    }
}

fn size(operator: &OperatorState) -> u64 {
    operator
        .subtasks
        .values()
        .map(OperatorSubtaskState::state_size)
        .sum()
}
