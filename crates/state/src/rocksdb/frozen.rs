//! What a snapshot is of, and each state at its moment, as the writer of canonical snapshots wants it: pairs by key group, in bytes as they
//! stand in the database.

use super::database::OwnedSnapshot;
use super::expire::{ColumnExpiry, Left};
use super::in_flight::Writes;
use super::key::group_prefix;
use super::unwritten::ColumnUnwritten;
use crate::snapshot::{FrozenState, PairWriter, SnapshotSource, StateMetaInfoSnapshot};
use crate::ttl::Expiry;
use millpond_core::Result;
use millpond_types::KeyGroupRange;
use std::sync::Arc;

/// What a snapshot is of, apart from the moment.
pub(super) struct ColumnSource {
    pub(super) columns: Vec<SourceColumn>,
    pub(super) prefix_bytes: usize,
    /// What is stored beside the column families, and what is said of all.
    pub(super) extras: SnapshotSource,
}

/// A column family that belongs to a snapshot.
pub(super) struct SourceColumn {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
    /// What the canonical format leaves out: what was over at a moment.
    pub(super) left_out: Option<(Arc<ColumnExpiry>, Expiry)>,
}

impl ColumnSource {
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.extras.states.is_empty()
    }

    /// The states with the names of their column families, and what is stored beside them.
    pub(super) fn described(self) -> (Vec<(StateMetaInfoSnapshot, String)>, SnapshotSource) {
        let columns = self.columns.into_iter().map(|c| (c.meta, c.column));
        (columns.collect(), self.extras)
    }

    /// Everything as it was at a moment, with what was not in the database, to be written in the canonical format.
    pub(super) fn at(self, snapshot: OwnedSnapshot, unwritten: &[ColumnUnwritten]) -> Result<SnapshotSource> {
        let snapshot = Arc::new(snapshot);
        let (range, prefix_bytes) = (self.extras.range, self.prefix_bytes);
        let mut states: Vec<Box<dyn FrozenState>> = Vec::new();
        for source in self.columns {
            let unwritten = unwritten.iter().find(|u| u.column == source.column);
            states.push(Box::new(FrozenColumn {
                unwritten: unwritten.map(ColumnUnwritten::sorted).transpose()?,
                source,
                snapshot: Arc::clone(&snapshot),
                range,
                prefix_bytes,
            }));
        }
        states.extend(self.extras.states);
        Ok(SnapshotSource {
            states,
            ..self.extras
        })
    }
}

/// A column family in a snapshot of the database.
struct FrozenColumn {
    source: SourceColumn,
    /// What the database lacked, in the order of the keys.
    unwritten: Option<Writes>,
    snapshot: Arc<OwnedSnapshot>,
    range: KeyGroupRange,
    prefix_bytes: usize,
}

impl FrozenState for FrozenColumn {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.source.meta
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
        self.snapshot.scan(
            &self.source.column,
            prefix,
            self.unwritten.as_ref(),
            &mut |key, value| {
                let left = match &self.source.left_out {
                    Some((expiry, moment)) => expiry.judge(*moment, value, &mut rest)?.left,
                    None => Left::All,
                };
                match left {
                    Left::All => out.raw_pair(key, value)?,
                    Left::Some => out.raw_pair(key, &rest)?,
                    Left::Nothing => {}
                }
                Ok(true)
            },
        )
    }
}
