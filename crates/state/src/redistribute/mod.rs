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
