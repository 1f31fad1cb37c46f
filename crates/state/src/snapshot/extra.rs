//! States beside the backend's tables, seen as frozen states: one shard for each key group, always written anew.

use super::{FrozenState, KeyGroupSnapshot, PairWriter, SnapshotableKeyGroupState, StateMetaInfoSnapshot};
use millpond_core::Result;
use millpond_types::KeyGroupRange;

/// A frozen [`SnapshotableKeyGroupState`].
pub(crate) struct FrozenExtra {
    meta: StateMetaInfoSnapshot,
    frozen: Box<dyn KeyGroupSnapshot>,
    epoch: u64,
    range: KeyGroupRange,
}

impl FrozenExtra {
    /// Freezes `state` for the snapshot `epoch`.
    pub(crate) fn new(
        state: &dyn SnapshotableKeyGroupState,
        epoch: u64,
        range: KeyGroupRange,
    ) -> Result<Self> {
        Ok(FrozenExtra {
            meta: state.meta_info(),
            frozen: state.freeze()?,
            epoch,
            range,
        })
    }
}

impl FrozenState for FrozenExtra {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn shard_count(&self, group: usize) -> usize {
        usize::from(group < self.range.count())
    }
    fn since(&self, _group: usize, _shard: usize) -> Option<u64> {
        Some(self.epoch)
    }
    fn write_shard(&self, group: usize, _shard: usize, out: &mut PairWriter<'_>) -> Result<()> {
        self.frozen
            .write_key_group(self.range.first() + group as u32, out)
    }
}
