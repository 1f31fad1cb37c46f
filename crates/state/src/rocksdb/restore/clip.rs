//! Deleting the key groups of other instances from what was taken over as it is.

use super::Restore;
use crate::rocksdb::database::{Column, db_error};
use crate::rocksdb::key::group_prefix;
use millpond_core::Result;
use millpond_types::{KeyGroupRange, StateKey};
use rust_rocksdb::WriteBatch;

impl<K: StateKey> Restore<'_, K> {
    /// Deletes the key groups of `held` that are not wanted.
    pub(super) fn clip(&self, column: &Column, held: KeyGroupRange) -> Result<()> {
        let wanted = self.range();
        if held.first() < wanted.first() {
            self.delete_groups(column, 0, wanted.first())?;
        }
        if held.last() > wanted.last() {
            self.delete_groups(column, wanted.last() + 1, self.parameters.max_parallelism)?;
        }
        Ok(())
    }

    /// Deletes the key groups from `from` to before `to`: whole files first, then by a range of keys.
    fn delete_groups(&self, column: &Column, from: u32, to: u32) -> Result<()> {
        let ((from, from_len), (to, to_len)) = (
            group_prefix(from, self.prefix_bytes),
            group_prefix(to, self.prefix_bytes),
        );
        let from = from.get(..from_len).unwrap_or_default();
        let to = to.get(..to_len).unwrap_or_default();
        let database = column.database();
        database
            .db()
            .delete_file_in_range_cf(column, from, to)
            .map_err(db_error("delete key groups"))?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(column, from, to);
        database.write(&mut batch)
    }
}
