//! Keyed operators whose functions await their state: records of other keys are processed while one waits. The design is in
//! `docs/async-state.md`.

mod controller;
mod operator;
mod two_inputs;
mod waker;

pub(crate) use operator::AsyncKeyedProcessOperator;
pub(crate) use two_inputs::AsyncKeyedCoProcessOperator;
