//! The sets that alignment counts with: channels that are open, channels that delivered, checkpoints given up early.
//!
//! Small and total: an unknown channel is never a member and can't become one.

use millpond_core::CheckpointId;
use std::collections::BTreeMap;

/// A set of channel numbers below a fixed count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChannelSet {
    members: Vec<bool>,
    len: usize,
}

impl ChannelSet {
    pub(super) fn none(channels: usize) -> Self {
        ChannelSet {
            members: vec![false; channels],
            len: 0,
        }
    }
    pub(super) fn all(channels: usize) -> Self {
        ChannelSet {
            members: vec![true; channels],
            len: channels,
        }
    }
    pub(super) fn contains(&self, channel: usize) -> bool {
        self.members.get(channel).copied().unwrap_or(false)
    }
    /// How many channels there are, members or not.
    pub(super) fn capacity(&self) -> usize {
        self.members.len()
    }
    pub(super) fn len(&self) -> usize {
        self.len
    }
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Whether the channel was not a member and now is.
    pub(super) fn insert(&mut self, channel: usize) -> bool {
        match self.members.get_mut(channel) {
            Some(member) if !*member => {
                *member = true;
                self.len += 1;
                true
            }
            _ => false,
        }
    }
    /// Whether the channel was a member and now isn't.
    pub(super) fn remove(&mut self, channel: usize) -> bool {
        match self.members.get_mut(channel) {
            Some(member) if *member => {
                *member = false;
                self.len -= 1;
                true
            }
            _ => false,
        }
    }
}

/// Checkpoints known to be given up though barriers of theirs may still come. Flink keeps the same set in
/// `SubtaskCheckpointCoordinatorImpl.abortedCheckpointIds`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AbortedAhead {
    /// With each, whether downstream tasks were told.
    ids: BTreeMap<CheckpointId, bool>,
}

/// How many are remembered. A forgotten one costs an alignment that nobody needs, nothing worse.
const REMEMBERED_MAX: usize = 128;

impl AbortedAhead {
    pub(super) fn insert(&mut self, checkpoint: CheckpointId) {
        self.ids.entry(checkpoint).or_insert(false);
        while self.ids.len() > REMEMBERED_MAX {
            self.ids.pop_first();
        }
    }
    pub(super) fn contains(&self, checkpoint: CheckpointId) -> bool {
        self.ids.contains_key(&checkpoint)
    }
    /// Whether downstream tasks haven't been told of `checkpoint` yet; they count as told from now on.
    pub(super) fn forward_once(&mut self, checkpoint: CheckpointId) -> bool {
        self.ids
            .get_mut(&checkpoint)
            .is_some_and(|told| !std::mem::replace(told, true))
    }
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
    /// Forgets `checkpoint` and all before it, whose barriers are stale from now on.
    pub(super) fn forget_through(&mut self, checkpoint: CheckpointId) {
        self.ids.retain(|id, _| *id > checkpoint);
    }
}
