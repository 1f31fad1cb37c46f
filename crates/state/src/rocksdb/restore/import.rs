//! Taking over the files of several checkpoints as they are (what Flink does with `use-ingest-db-restore-mode`): those that overlap
//! with the wanted key groups become the files of one column family, each in its level.
//!
//! Within a level files must not overlap, and between levels the newer entry counts. So files of two databases may only come
//! together if no key lies in both: if each file holds nothing but key groups of the instance that wrote it. A file that was
//! clipped and not compacted since may hold more; then the entries are rewritten ([`super::rewrite`]).

use super::files::Fetched;
use super::{Restore, RestoredColumn, column_specs};
use crate::rocksdb::database::{ColumnSpec, Database, Db, db_error};
use crate::rocksdb::options::ColumnOptions;
use crate::ttl::is_ttl;
use millpond_core::Result;
use millpond_types::StateKey;
use rust_rocksdb::{ColumnFamilyDescriptor, LiveFile};
use std::path::Path;
use std::sync::Arc;

/// How many files are open while their levels are read.
const OPEN_FILES_MAX: i32 = 16;

/// A column family that is to be made of files of several databases.
struct Import {
    restored: RestoredColumn,
    files: Vec<LiveFile>,
}

impl<K: StateKey> Restore<'_, K> {
    /// A database of the files of `checkpoints`; `None` when their entries have to be rewritten.
    pub(super) fn import(
        &self,
        checkpoints: &[Fetched<'_>],
    ) -> Result<Option<(Arc<Database>, Vec<RestoredColumn>)>> {
        let mut imports: Vec<Import> = Vec::new();
        for checkpoint in checkpoints {
            let Some(files) = self.whole_files(checkpoint)? else {
                return Ok(None);
            };
            let manifest = &checkpoint.manifest;
            for (meta, column) in manifest.header.states.iter().zip(&manifest.columns) {
                if column.is_empty() {
                    continue;
                }
                let own = files.iter().filter(|file| file.column_family_name == *column);
                if let Some(import) = imports.iter_mut().find(|i| i.restored.meta == **meta) {
                    import.files.extend(own.cloned());
                    continue;
                }
                if imports.iter().any(|i| i.restored.column == *column) {
                    // Under one name lie two descriptions: rare, and rewriting knows what to do.
                    return Ok(None);
                }
                imports.push(Import {
                    restored: RestoredColumn {
                        meta: (**meta).clone(),
                        column: column.clone(),
                    },
                    files: own.cloned().collect(),
                });
            }
        }
        let database = self.create(&[])?;
        let mut restored = Vec::new();
        for Import {
            restored: column,
            files,
        } in imports
        {
            let expires = is_ttl(&column.meta);
            // Instances without entries have no files.
            if !files.is_empty() {
                database.import_column(&column.column, expires, &files)?;
            }
            let target = database.column_of(&column.column, expires)?;
            for checkpoint in checkpoints {
                self.clip(&target, checkpoint.handle.range)?;
            }
            restored.push(column);
        }
        Ok(Some((database, restored)))
    }

    /// The files of a checkpoint that overlap with the wanted key groups; `None` if one holds other instances' key groups.
    fn whole_files(&self, checkpoint: &Fetched<'_>) -> Result<Option<Vec<LiveFile>>> {
        let held = checkpoint.handle.range;
        let files = live_files(
            &checkpoint.folder.0,
            &column_specs(&checkpoint.manifest),
            &self.options,
        )?;
        let mut wanted = Vec::new();
        for file in files {
            let is_in = |range| is_within(&file, range, self.prefix_bytes);
            let outside = [
                (0, self.range().first()),
                (self.range().last() + 1, u32::from(u16::MAX) + 1),
            ];
            if outside.into_iter().any(is_in) {
                continue;
            }
            if !is_in((held.first(), held.last() + 1)) {
                return Ok(None);
            }
            wanted.push(file);
        }
        Ok(Some(wanted))
    }
}

/// Whether all keys of a file are of key groups from the first of `groups` to before the second.
fn is_within(file: &LiveFile, groups: (u32, u32), prefix_bytes: usize) -> bool {
    let group = |key: &Option<Vec<u8>>| {
        let prefix = key.as_deref()?.get(..prefix_bytes)?;
        Some(prefix.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    };
    let inside = |key| group(key).is_some_and(|group| (groups.0..groups.1).contains(&group));
    inside(&file.start_key) && inside(&file.end_key)
}

/// The files of the database in a folder, with their levels.
fn live_files(folder: &Path, columns: &[ColumnSpec], options: &ColumnOptions) -> Result<Vec<LiveFile>> {
    let failed = |e| db_error("open state database")(e).with("path", folder.display());
    let mut database = options.database();
    database.set_max_open_files(OPEN_FILES_MAX);
    let names = columns.iter().map(|column| column.name.as_str());
    let descriptors = names
        .chain([rust_rocksdb::DEFAULT_COLUMN_FAMILY_NAME])
        .map(|name| ColumnFamilyDescriptor::new(name, options.column(name)));
    let db = Db::open_cf_descriptors_read_only(&database, folder, descriptors, false).map_err(failed)?;
    db.live_files().map_err(failed)
}
