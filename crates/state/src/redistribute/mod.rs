//! Who gets which state when a job is restored: pure functions over handles.
//!
//! Operator state goes by the rules of Flink's `RoundRobinOperatorStateRepartitioner`, keyed state by those of its
//! `StateAssignmentOperation`. Only handles are moved; no stream is opened.

mod keyed;
mod operator;
#[cfg(test)]
mod tests;

pub use keyed::redistribute_keyed_state;
pub use operator::redistribute_operator_state;

use crate::handle::{KeyedStateHandle, OperatorStateHandle, OperatorSubtaskState};

/// The state of each of `new_parallelism` instances, from that of all old instances: managed and raw state by the rules of
/// [`redistribute_keyed_state`] and [`redistribute_operator_state`]. Channel state isn't in it: who gets that depends on the
/// job's edges, which the engine knows.
pub fn redistribute_state(
    old: &[OperatorSubtaskState],
    new_parallelism: u32,
    max_parallelism: u32,
) -> Vec<OperatorSubtaskState> {
    let keyed = |handles: fn(&OperatorSubtaskState) -> &Vec<KeyedStateHandle>| {
        let old: Vec<_> = old.iter().map(|state| handles(state).clone()).collect();
        redistribute_keyed_state(&old, new_parallelism, max_parallelism)
    };
    let operator = |handles: fn(&OperatorSubtaskState) -> &Vec<OperatorStateHandle>| {
        let old: Vec<_> = old.iter().map(|state| handles(state).clone()).collect();
        redistribute_operator_state(&old, new_parallelism as usize)
    };
    let managed = keyed(|s| &s.managed_keyed)
        .into_iter()
        .zip(operator(|s| &s.managed_operator));
    let raw = keyed(|s| &s.raw_keyed)
        .into_iter()
        .zip(operator(|s| &s.raw_operator));
    managed
        .zip(raw)
        .map(|(managed, raw)| OperatorSubtaskState {
            managed_keyed: managed.0,
            managed_operator: managed.1,
            raw_keyed: raw.0,
            raw_operator: raw.1,
            ..OperatorSubtaskState::default()
        })
        .collect()
}
