//! Entries of canonical snapshots, and of others that are read pair by pair: written in batches.

use super::{Restore, RestoredColumn, target_column};
use crate::handle::KeyGroupsStateHandle;
use crate::rocksdb::database::Database;
use crate::rocksdb::key::group_prefix;
use crate::snapshot::full;
use crate::snapshot::header::Header;
use crate::snapshot::pairs::{META_DATA_FOLLOWS, read_pair};
use crate::snapshot::restored::check_key;
use bytes::Bytes;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, KeyGroupRange, StateKey};
use rust_rocksdb::WriteBatch;
use std::sync::Arc;

/// How much of a canonical snapshot is in memory at once, unless a single key group takes more.
const CHUNK_BYTES: u64 = 32 << 20;

impl<K: StateKey> Restore<'_, K> {
    /// Adds what a canonical snapshot holds of the wanted key groups, some of them at a time.
    pub(super) fn add_canonical(
        &self,
        database: &Arc<Database>,
        restored: &mut Vec<RestoredColumn>,
        handle: &KeyGroupsStateHandle,
    ) -> Result<()> {
        let Some(wanted) = handle.range.intersection(&self.range()) else {
            return Ok(());
        };
        for chunk in chunks(handle, wanted)? {
            let mut runs = Vec::new();
            let header = full::read(handle, self.reader, chunk, |state, group, bytes| {
                runs.push((state, group, bytes));
            })?;
            self.add_runs(database, restored, &header, runs)?;
        }
        Ok(())
    }

    /// Writes pairs by state and key group.
    pub(super) fn add_runs(
        &self,
        database: &Arc<Database>,
        restored: &mut Vec<RestoredColumn>,
        header: &Header,
        runs: Vec<(usize, u32, Bytes)>,
    ) -> Result<()> {
        check_key(header, &*self.parameters.key_serializer)?;
        let mut columns = Vec::new();
        for meta in &header.states {
            columns.push(target_column(database, restored, meta)?);
        }
        let mut batch = WriteBatch::default();
        let mut key_buffer = Vec::new();
        for (state, key_group, bytes) in runs {
            let Some(column) = columns.get(state) else {
                return Err(Error::corrupt("restore state", "entries of an unknown state"));
            };
            let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
            let prefix = prefix.get(..length).unwrap_or_default();
            let mut input = DataInput::new(&bytes);
            while !input.is_empty() {
                let (key, value) = read_pair(&mut input)?;
                key_buffer.clear();
                key_buffer.extend_from_slice(key);
                // Set on the last key of a state.
                if let Some(first) = key_buffer.first_mut() {
                    *first &= !META_DATA_FOLLOWS;
                }
                if !key_buffer.starts_with(prefix) {
                    return Err(
                        Error::corrupt("restore state", "an entry lies in another key group")
                            .with("key_group", key_group),
                    );
                }
                batch.put_cf(column, &key_buffer, value);
                if batch.size_in_bytes() >= self.write_batch_bytes {
                    database.write(&mut batch)?;
                }
            }
        }
        database.write(&mut batch)
    }
}

/// Parts of `wanted` that take about [`CHUNK_BYTES`] each.
fn chunks(handle: &KeyGroupsStateHandle, wanted: KeyGroupRange) -> Result<Vec<KeyGroupRange>> {
    let mut starts: Vec<u64> = handle.offsets.iter().copied().filter(|o| *o != 0).collect();
    starts.sort_unstable();
    let size_of_group = |start: u64| {
        let next = starts.partition_point(|s| *s <= start);
        let end = starts.get(next).copied().unwrap_or(handle.stream.size());
        end.saturating_sub(start)
    };
    let mut chunks = Vec::new();
    let mut first = wanted.first();
    let mut bytes = 0u64;
    for key_group in wanted.iter() {
        let offset = handle.offsets.get((key_group - handle.range.first()) as usize);
        let size = offset
            .filter(|o| **o != 0)
            .map_or(0, |start| size_of_group(*start));
        if bytes > 0 && bytes.saturating_add(size) > CHUNK_BYTES {
            chunks.push(KeyGroupRange::new(first, key_group - 1)?);
            (first, bytes) = (key_group, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    chunks.push(KeyGroupRange::new(first, wanted.last())?);
    Ok(chunks)
}
