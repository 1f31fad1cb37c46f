//! A frozen table: what the asynchronous part of a snapshot writes.

use super::codec::{EntryCodec, KeyCodec};
use super::expire::{Kept, SnapshotFilter};
use super::group::Epoch;
use super::table::FrozenGroups;
use crate::descriptor::StateData;
use crate::keyed::Namespace;
use crate::snapshot::{FrozenState, PairWriter, StateMetaInfoSnapshot};
use crate::ttl::Expiry;
use millpond_core::Result;
use millpond_types::{DataOutput, StateKey};

/// A table at the moment of a snapshot.
pub(super) struct FrozenTable<K, N, V, C> {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) groups: FrozenGroups<K, N, V>,
    pub(super) key_codec: KeyCodec<K, N>,
    pub(super) codec: C,
    /// What is left out, judged at the moment of the snapshot.
    pub(super) filter: Option<(SnapshotFilter<V>, Expiry)>,
}

impl<K: StateKey, N: Namespace, V: StateData, C: EntryCodec<V>> FrozenState for FrozenTable<K, N, V, C> {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }

    fn shard_count(&self, group: usize) -> usize {
        self.groups.get(group).map_or(0, Vec::len)
    }

    fn since(&self, group: usize, shard: usize) -> Option<Epoch> {
        Some(self.groups.get(group)?.get(shard)?.since)
    }

    fn write_shard(&self, group: usize, shard: usize, out: &mut PairWriter<'_>) -> Result<()> {
        let Some(shard) = self.groups.get(group).and_then(|g| g.get(shard)) else {
            return Ok(());
        };
        let mut prefix = DataOutput::new();
        for entry in shard.shard.entries() {
            let kept = match self.filter {
                Some((filter, moment)) => filter(&entry.value, moment),
                None => Kept::All,
            };
            let value = match &kept {
                Kept::All => &entry.value,
                Kept::Some(kept) => kept,
                Kept::Nothing => continue,
            };
            prefix.clear();
            self.key_codec.write(&entry.key, &entry.namespace, &mut prefix)?;
            self.codec.write(prefix.as_slice(), value, out)?;
        }
        Ok(())
    }
}
