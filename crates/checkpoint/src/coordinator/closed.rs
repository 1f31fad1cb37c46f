//! Which checkpoints a late acknowledgement must not destroy.
//!
//! State that arrives for an aborted checkpoint is deleted, or it would lie around for ever. State that arrives again
//! for a *completed* one is part of it and must stay (Flink deletes it there, too, and relies on its RPC never
//! delivering twice). Memory is bounded: what is too old to be sure of is left alone.

use millpond_core::CheckpointId;
use std::collections::BTreeSet;

/// How many completed checkpoints are remembered.
const REMEMBERED_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct Closed {
    completed: BTreeSet<CheckpointId>,
    /// Nothing is known of checkpoints before this one.
    known_from: CheckpointId,
}

impl Closed {
    pub(super) fn new(first: CheckpointId) -> Self {
        Closed {
            completed: BTreeSet::new(),
            known_from: first,
        }
    }
    pub(super) fn completed(&mut self, checkpoint: CheckpointId) {
        self.completed.insert(checkpoint);
        while self.completed.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.completed.pop_first() {
                self.known_from = self.known_from.max(oldest.saturating_add(1));
            }
        }
    }
    /// Whether `checkpoint`, known not to be under way, certainly ended without completing.
    pub(super) fn is_aborted(&self, checkpoint: CheckpointId, next: CheckpointId) -> bool {
        (self.known_from..next).contains(&checkpoint) && !self.completed.contains(&checkpoint)
    }
}
