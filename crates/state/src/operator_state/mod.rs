//! Operator state: lists and maps that belong to an operator instance and not to a key. Flink's
//! `DefaultOperatorStateBackend`.
//!
//! [`OperatorStateBackend`] opens, snapshots and restores it. A function holds an [`OperatorListState`] or a
//! [`BroadcastState`]. How a restored job hands the elements out is in [`crate::redistribute`].

mod backend;
mod broadcast;
mod frozen;
mod list;
mod meta;
mod restored;
#[cfg(test)]
mod tests;

use backend::OpenState;
pub use backend::OperatorStateBackend;
pub use broadcast::{BroadcastState, BroadcastWritePermit};
pub use frozen::OperatorStateSnapshot;
pub use list::OperatorListState;
