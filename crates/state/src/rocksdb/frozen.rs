//! A state at the moment of a snapshot, as the writer of canonical snapshots wants it: pairs by key group, in bytes as they
//! stand in the database.

use super::database::OwnedSnapshot;
use super::expire::{ColumnExpiry, Left};
use super::key::group_prefix;
use crate::snapshot::{FrozenState, PairWriter, StateMetaInfoSnapshot};
use crate::ttl::Expiry;
use millpond_core::Result;
use millpond_types::KeyGroupRange;
use std::sync::Arc;

/// A column family in a snapshot of the database.
pub(super) struct FrozenColumn {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
    pub(super) snapshot: Arc<OwnedSnapshot>,
    pub(super) range: KeyGroupRange,
    pub(super) prefix_bytes: usize,
    /// What the snapshot leaves out: what was over at a moment.
    pub(super) left_out: Option<(Arc<ColumnExpiry>, Expiry)>,
}

impl FrozenState for FrozenColumn {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn shard_count(&self, group: usize) -> usize {
        usize::from(group < self.range.count())
    }
    fn since(&self, _group: usize, _shard: usize) -> Option<u64> {
        // Nothing is known of changes to a key group; incremental snapshots of this backend work with its files.
        None
    }
    fn write_shard(&self, group: usize, _shard: usize, out: &mut PairWriter<'_>) -> Result<()> {
        let (prefix, length) = group_prefix(self.range.first() + group as u32, self.prefix_bytes);
        let prefix = prefix.get(..length).unwrap_or_default();
        let mut rest = Vec::new();
        self.snapshot.scan(&self.column, prefix, &mut |key, value| {
            let left = match &self.left_out {
                Some((expiry, moment)) => expiry.judge(*moment, value, &mut rest)?.left,
                None => Left::All,
            };
            match left {
                Left::All => out.raw_pair(key, value)?,
                Left::Some => out.raw_pair(key, &rest)?,
                Left::Nothing => {}
            }
            Ok(true)
        })
    }
}
