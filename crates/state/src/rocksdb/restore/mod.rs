//! How a backend comes to its database: a new one, the files of a checkpoint opened as they are, or several snapshots put
//! together when a job is rescaled.
//!
//! Where several instances' checkpoints come together, their files are taken over as they are ([`import`]). If that can't be, the one
//! with most of the wanted key groups is opened, and what the others hold is written to files in the order of its keys and
//! ingested ([`rewrite`]). Key groups of others are deleted by range, whole files at once where that is possible ([`clip`]).
//! What a checkpoint holds beside its database is written to it ([`unwritten`]), before a state is opened and perhaps rewritten.
//! Entries of canonical snapshots are written in batches ([`canonical`]).

mod canonical;
mod clip;
mod files;
mod import;
mod rewrite;
mod unwritten;

use super::RocksDBOptions;
use super::database::{Column, ColumnSpec, Database};
use super::folder::InstanceFolder;
use super::incremental::Manifest;
use super::key::column_name;
use super::options::ColumnOptions;
use crate::backend::KeyedStateBackendParameters;
use crate::handle::{IncrementalRemoteKeyedStateHandle, KeyedStateHandle};
use crate::snapshot::pairs::key_group_prefix_bytes;
use crate::snapshot::{StateMetaInfoSnapshot, incremental};
use crate::stream::StateHandleReader;
use crate::ttl::is_ttl;
use files::{Fetched, download_failed};
use millpond_core::{Error, Result};
use millpond_types::{KeyGroupRange, StateKey};
use std::fs;
use std::sync::Arc;

/// A column family that holds what was restored of a state, in bytes: nobody has opened the state yet.
#[derive(Clone, Debug)]
pub(super) struct RestoredColumn {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
}

/// A restore under way.
struct Restore<'a, K> {
    parameters: &'a KeyedStateBackendParameters<K>,
    reader: &'a dyn StateHandleReader,
    options: Arc<ColumnOptions>,
    transfer_threads: usize,
    write_batch_bytes: usize,
    folder: Arc<InstanceFolder>,
    prefix_bytes: usize,
}

/// A database with what `handles` hold of the wanted key groups.
pub(super) fn restore<K: StateKey>(
    parameters: &KeyedStateBackendParameters<K>,
    options: &RocksDBOptions,
    handles: &[KeyedStateHandle],
    reader: &dyn StateHandleReader,
) -> Result<(Arc<Database>, Vec<RestoredColumn>)> {
    let range = parameters.key_group_range;
    let restore = Restore {
        parameters,
        reader,
        options: ColumnOptions::new(options, parameters.slot),
        transfer_threads: options.transfer_threads,
        write_batch_bytes: options.write_batch_bytes,
        folder: Arc::new(instance_folder(options, &parameters.backend_id)?),
        prefix_bytes: key_group_prefix_bytes(parameters.max_parallelism),
    };
    let mut checkpoints = Vec::new();
    let mut others = Vec::new();
    for handle in handles
        .iter()
        .filter(|h| h.range().intersection(&range).is_some())
    {
        match handle {
            KeyedStateHandle::Incremental(h) if h.is_of_rocksdb() => checkpoints.push(h),
            other => others.push(other),
        }
    }
    let (database, mut restored) = restore.databases(&checkpoints)?;
    for handle in others {
        match handle {
            KeyedStateHandle::KeyGroups(h) => restore.add_canonical(&database, &mut restored, h)?,
            KeyedStateHandle::Incremental(h) => {
                let mut runs = Vec::new();
                let header = incremental::read(h, reader, range, |state, group, bytes| {
                    runs.push((state, group, bytes));
                })?;
                restore.add_runs(&database, &mut restored, &header, runs)?;
            }
        }
    }
    Ok((database, restored))
}

/// The folder of a backend under one of the local folders, which its id chooses.
fn instance_folder(options: &RocksDBOptions, backend_id: &str) -> Result<InstanceFolder> {
    let count = options.local_dirs.len().max(1) as u64;
    let number = millpond_core::hash::fixed_hash(backend_id) % count;
    let Some(parent) = options.local_dirs.get(number as usize) else {
        return Err(Error::config("create state backend", "no local folder is given")
            .with("option", "state.backend.rocksdb.localdir"));
    };
    InstanceFolder::create(parent, backend_id)
}

impl<K: StateKey> Restore<'_, K> {
    fn range(&self) -> KeyGroupRange {
        self.parameters.key_group_range
    }

    /// A database with what checkpoints of this backend hold of the wanted key groups.
    fn databases(
        &self,
        checkpoints: &[&IncrementalRemoteKeyedStateHandle],
    ) -> Result<(Arc<Database>, Vec<RestoredColumn>)> {
        let mut fetched = checkpoints
            .iter()
            .map(|handle| self.fetch(handle))
            .collect::<Result<Vec<_>>>()?;
        let imported = match fetched.len() {
            0 | 1 => None,
            _ => self.import(&fetched)?,
        };
        let (database, mut restored) = match imported {
            Some(imported) => imported,
            None => {
                // The first of equals, so that a restore is the same each time.
                fetched.sort_by_key(|f| {
                    std::cmp::Reverse(f.handle.range.intersection(&self.range()).map(|r| r.count()))
                });
                let mut fetched = fetched.iter();
                let (database, mut restored) = match fetched.next() {
                    Some(base) => self.open_base(base)?,
                    None => (self.create(&[])?, Vec::new()),
                };
                for other in fetched {
                    self.rewrite(&database, &mut restored, other)?;
                }
                (database, restored)
            }
        };
        for fetched in &fetched {
            self.add_unwritten(&database, &mut restored, fetched)?;
            if let Some(timers) = fetched.manifest.timers(fetched.handle) {
                self.add_canonical(&database, &mut restored, &timers)?;
            }
        }
        Ok((database, restored))
    }

    fn create(&self, columns: &[ColumnSpec]) -> Result<Arc<Database>> {
        Database::open(
            &self.folder.join("db"),
            columns,
            Arc::clone(&self.options),
            Some(Arc::clone(&self.folder)),
        )
    }

    /// Opens a checkpoint's files as the database, and deletes what belongs to other instances.
    fn open_base(&self, base: &Fetched<'_>) -> Result<(Arc<Database>, Vec<RestoredColumn>)> {
        let folder = self.folder.join("db");
        fs::rename(&base.folder.0, &folder).map_err(|e| download_failed(&folder, e))?;
        let manifest = &base.manifest;
        let database = self.create(&column_specs(manifest))?;
        let mut restored = Vec::new();
        for (meta, column) in manifest.header.states.iter().zip(&manifest.columns) {
            if !column.is_empty() {
                restored.push(RestoredColumn {
                    meta: (**meta).clone(),
                    column: column.clone(),
                });
                self.clip(&database.column(column)?, base.handle.range)?;
            }
        }
        Ok((database, restored))
    }
}

/// The column families of a checkpoint's database.
fn column_specs(manifest: &Manifest) -> Vec<ColumnSpec> {
    let states = manifest.header.states.iter().zip(&manifest.columns);
    states
        .filter(|(_, column)| !column.is_empty())
        .map(|(meta, column)| ColumnSpec {
            name: column.clone(),
            expires: is_ttl(meta),
        })
        .collect()
}

/// The column family for entries under this description, made when there is none yet.
fn target_column(
    database: &Arc<Database>,
    restored: &mut Vec<RestoredColumn>,
    meta: &StateMetaInfoSnapshot,
) -> Result<Column> {
    if let Some(found) = restored.iter().find(|r| r.meta == *meta) {
        return database.column(&found.column);
    }
    if meta.name.contains('\0') {
        return Err(Error::corrupt(
            "restore state",
            "a state's name holds a NUL character",
        ));
    }
    let mut part = 0;
    let column = loop {
        let name = column_name(&meta.name, part);
        if !restored.iter().any(|r| r.column == name) {
            break name;
        }
        part += 1;
    };
    let made = database.column_of(&column, is_ttl(meta))?;
    restored.push(RestoredColumn {
        meta: meta.clone(),
        column,
    });
    Ok(made)
}
