//! Reading the wanted key groups out of a checkpoint's database, and writing them to files in the order of their keys, which
//! become files of another.

use super::files::Fetched;
use super::{Restore, RestoredColumn, column_specs, target_column};
use crate::rocksdb::database::{Column, Database, db_error, scan};
use crate::rocksdb::key::group_prefix;
use millpond_core::Result;
use millpond_types::{KeyGroupRange, StateKey};
use rust_rocksdb::{IngestExternalFileOptions, ReadOptions, SstFileWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl<K: StateKey> Restore<'_, K> {
    /// Adds what a checkpoint's database holds of the wanted key groups.
    pub(super) fn rewrite(
        &self,
        target: &Arc<Database>,
        restored: &mut Vec<RestoredColumn>,
        fetched: &Fetched<'_>,
    ) -> Result<()> {
        let Some(wanted) = fetched.handle.range.intersection(&self.range()) else {
            return Ok(());
        };
        let manifest = &fetched.manifest;
        let columns = column_specs(manifest);
        let source = Database::open(&fetched.folder.0, &columns, Arc::clone(&self.options), None)?;
        for (meta, column) in manifest.header.states.iter().zip(&manifest.columns) {
            if !column.is_empty() {
                let to = target_column(target, restored, meta)?;
                self.ingest(&source.column(column)?, &to, wanted, &fetched.folder.0)?;
            }
        }
        Ok(())
    }

    /// Writes the key groups `wanted` of one column family to a file and makes that a file of another.
    fn ingest(&self, from: &Column, to: &Column, wanted: KeyGroupRange, folder: &Path) -> Result<()> {
        let path: PathBuf = folder.join("ingest.sst");
        let options = self.options.column("ingest");
        let mut writer = SstFileWriter::create(&options);
        let mut entries = 0u64;
        for key_group in wanted.iter() {
            let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
            let prefix = prefix.get(..length).unwrap_or_default();
            let mut read = ReadOptions::default();
            read.set_iterate_range(rust_rocksdb::PrefixRange(prefix));
            read.fill_cache(false);
            let iterator = from.database().db().raw_iterator_cf_opt(from, read);
            scan(iterator, prefix, &mut |key, value| {
                if entries == 0 {
                    writer.open(&path).map_err(db_error("write state file"))?;
                }
                entries += 1;
                writer.put(key, value).map_err(db_error("write state file"))?;
                Ok(true)
            })?;
        }
        if entries == 0 {
            return Ok(());
        }
        writer.finish().map_err(db_error("write state file"))?;
        drop(writer);
        let mut how = IngestExternalFileOptions::default();
        how.set_move_files(true);
        to.database()
            .db()
            .ingest_external_file_cf_opts(to, &how, vec![&path])
            .map_err(db_error("ingest state file"))
    }
}
