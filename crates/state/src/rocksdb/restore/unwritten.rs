//! What a checkpoint's database lacked, because it stayed in the caches: written over what the database has.

use super::files::Fetched;
use super::{Restore, RestoredColumn, target_column};
use crate::rocksdb::database::Database;
use crate::rocksdb::in_flight::Writes;
use crate::rocksdb::incremental::unwritten_file;
use crate::rocksdb::unwritten::UnwrittenFile;
use millpond_core::{Error, Result};
use millpond_types::StateKey;
use std::sync::Arc;

/// How much is sorted, and then written, at once.
const SORTED_BYTES: usize = 16 << 20;

impl<K: StateKey> Restore<'_, K> {
    /// Adds the entries of the wanted key groups that a checkpoint's database lacked.
    pub(super) fn add_unwritten(
        &self,
        database: &Arc<Database>,
        restored: &mut Vec<RestoredColumn>,
        fetched: &Fetched<'_>,
    ) -> Result<()> {
        let manifest = &fetched.manifest;
        let Some(stream) = unwritten_file(manifest, fetched.handle)? else {
            return Ok(());
        };
        let held = fetched.handle.range;
        let mut file = UnwrittenFile::open(self.reader.open(stream)?)?;
        let mut writes = Writes::default();
        while let Some(state) = file.next_state()? {
            let (meta, name) = manifest
                .header
                .states
                .get(state)
                .zip(manifest.columns.get(state))
                .filter(|(_, name)| !name.is_empty())
                .ok_or_else(|| {
                    corrupt("unwritten entries are of an unknown state").with("state_id", state)
                })?;
            let column = target_column(database, restored, meta)?;
            while let Some((key, value)) = file.next_entry()? {
                let group = self.group_of(key).filter(|group| held.contains(*group));
                let group = group.ok_or_else(|| {
                    corrupt("an unwritten entry lies in another key group").with("column", name)
                })?;
                if !self.range().contains(group) {
                    continue;
                }
                writes.add_raw(key, value)?;
                if writes.bytes() >= SORTED_BYTES {
                    column.write(&mut writes)?;
                }
            }
            column.write(&mut writes)?;
        }
        Ok(())
    }

    /// The key group that a key of the database starts with.
    fn group_of(&self, key: &[u8]) -> Option<u32> {
        let prefix = key.get(..self.prefix_bytes)?;
        Some(prefix.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    }
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("restore state", message)
}
