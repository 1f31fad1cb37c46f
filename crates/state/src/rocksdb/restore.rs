//! How a backend comes to its database: a new one, the files of a checkpoint opened as they are, or several snapshots put
//! together when a job is rescaled.
//!
//! Rescaling takes the checkpoint that holds most of the wanted key groups as its base and opens its files as they are; key
//! groups of others are deleted from it by range, whole files at once where that is possible. What other checkpoints hold
//! of the wanted key groups is written to files in the order of its keys and ingested. Entries of canonical snapshots are
//! written in batches.

use super::RocksDBOptions;
use super::database::{Column, ColumnSpec, Database, db_error, scan};
use super::folder::{InstanceFolder, TemporaryFolder};
use super::incremental::{Manifest, database_files};
use super::key::{column_name, group_prefix};
use super::options::ColumnOptions;
use crate::backend::KeyedStateBackendParameters;
use crate::handle::{IncrementalRemoteKeyedStateHandle, KeyGroupsStateHandle, KeyedStateHandle};
use crate::snapshot::header::Header;
use crate::snapshot::pairs::{META_DATA_FOLLOWS, key_group_prefix_bytes, read_pair};
use crate::snapshot::restored::check_key;
use crate::snapshot::{StateMetaInfoSnapshot, full, incremental};
use crate::stream::StateHandleReader;
use crate::ttl::is_ttl;
use bytes::Bytes;
use millpond_core::{Error, Result, host};
use millpond_types::{DataInput, KeyGroupRange, StateKey};
use rust_rocksdb::{IngestExternalFileOptions, ReadOptions, SstFileWriter, WriteBatch};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A column family that holds what was restored of a state, in bytes: nobody has opened the state yet.
#[derive(Clone, Debug)]
pub(super) struct RestoredColumn {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
}

/// How much of a canonical snapshot is in memory at once, unless a single key group takes more.
const CHUNK_BYTES: u64 = 32 << 20;

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
        options: ColumnOptions::new(options),
        transfer_threads: options.transfer_threads,
        write_batch_bytes: options.write_batch_bytes,
        folder: Arc::new(instance_folder(options, &parameters.backend_id)?),
        prefix_bytes: key_group_prefix_bytes(parameters.max_parallelism),
    };
    let mut handles: Vec<_> = handles
        .iter()
        .filter(|h| h.range().intersection(&range).is_some())
        .collect();
    let base = restore.choose_base(&handles);
    let (database, mut restored) = match base.and_then(|at| (at < handles.len()).then(|| handles.remove(at)))
    {
        Some(KeyedStateHandle::Incremental(base)) => restore.open_base(base)?,
        _ => (restore.create(&[])?, Vec::new()),
    };
    for handle in handles {
        match handle {
            KeyedStateHandle::KeyGroups(h) => restore.add_canonical(&database, &mut restored, h)?,
            KeyedStateHandle::Incremental(h) if h.is_of_rocksdb() => {
                restore.add_database(&database, &mut restored, h)?;
            }
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

    /// The position of the checkpoint whose files become the database: that with most of the wanted key groups.
    fn choose_base(&self, handles: &[&KeyedStateHandle]) -> Option<usize> {
        let shared = |handle: &KeyedStateHandle| match handle {
            KeyedStateHandle::Incremental(h) if h.is_of_rocksdb() => {
                h.range.intersection(&self.range()).map(|r| r.count())
            }
            _ => None,
        };
        let candidates = handles
            .iter()
            .enumerate()
            .filter_map(|(i, h)| Some((shared(h)?, i)));
        // The first of equals, so that a restore is the same each time.
        candidates
            .max_by_key(|(count, i)| (*count, std::cmp::Reverse(*i)))
            .map(|(_, i)| i)
    }

    fn create(&self, columns: &[ColumnSpec]) -> Result<Arc<Database>> {
        Database::open(
            &self.folder.join("db"),
            columns,
            Arc::clone(&self.options),
            Some(Arc::clone(&self.folder)),
        )
    }

    /// Reads a checkpoint's metadata.
    fn manifest(&self, handle: &IncrementalRemoteKeyedStateHandle) -> Result<Manifest> {
        let bytes = self.reader.read_range(&handle.meta, 0..handle.meta.size())?;
        let manifest = Manifest::read(&bytes)?;
        check_key(&manifest.header, &*self.parameters.key_serializer)?;
        Ok(manifest)
    }

    /// Downloads the files of a checkpoint's database into `folder`.
    fn download(&self, handle: &IncrementalRemoteKeyedStateHandle, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(|e| download_failed(folder, e))?;
        let files = database_files(handle).collect();
        host::parallel(self.transfer_threads, files, |file| {
            let path = folder.join(plain_name(&file.local_path)?);
            let mut from = self.reader.open(&file.stream)?;
            let mut to = File::create(&path).map_err(|e| download_failed(&path, e))?;
            io::copy(&mut from, &mut to).map_err(|e| read_failed(&path, e))?;
            Ok(())
        })?;
        Ok(())
    }

    /// Opens a checkpoint's files as the database, and deletes what belongs to other instances.
    fn open_base(
        &self,
        handle: &IncrementalRemoteKeyedStateHandle,
    ) -> Result<(Arc<Database>, Vec<RestoredColumn>)> {
        let manifest = self.manifest(handle)?;
        self.download(handle, &self.folder.join("db"))?;
        let columns = column_specs(&manifest);
        let database = self.create(&columns)?;
        let mut restored = Vec::new();
        for (meta, column) in manifest.header.states.iter().zip(&manifest.columns) {
            if !column.is_empty() {
                restored.push(RestoredColumn {
                    meta: (**meta).clone(),
                    column: column.clone(),
                });
                self.clip(&database.column(column)?, handle.range)?;
            }
        }
        if let Some(timers) = manifest.timers(handle) {
            self.add_canonical(&database, &mut restored, &timers)?;
        }
        Ok((database, restored))
    }

    /// Deletes the key groups of `held` that are not wanted.
    fn clip(&self, column: &Column, held: KeyGroupRange) -> Result<()> {
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

    /// Adds what another checkpoint's database holds of the wanted key groups.
    fn add_database(
        &self,
        target: &Arc<Database>,
        restored: &mut Vec<RestoredColumn>,
        handle: &IncrementalRemoteKeyedStateHandle,
    ) -> Result<()> {
        let Some(wanted) = handle.range.intersection(&self.range()) else {
            return Ok(());
        };
        let manifest = self.manifest(handle)?;
        let folder = TemporaryFolder(self.folder.join(&format!("restore-{}", handle.range.first())));
        self.download(handle, &folder.0)?;
        let columns = column_specs(&manifest);
        {
            let source = Database::open(&folder.0, &columns, Arc::clone(&self.options), None)?;
            for (meta, column) in manifest.header.states.iter().zip(&manifest.columns) {
                if !column.is_empty() {
                    let to = target_column(target, restored, meta)?;
                    self.ingest(&source.column(column)?, &to, wanted, &folder.0)?;
                }
            }
        }
        if let Some(timers) = manifest.timers(handle) {
            self.add_canonical(target, restored, &timers)?;
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

    /// Adds what a canonical snapshot holds of the wanted key groups, some of them at a time.
    fn add_canonical(
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
    fn add_runs(
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

/// A name that a handle gives for a file, if it stays inside its folder.
fn plain_name(name: &str) -> Result<&str> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    if plain {
        return Ok(name);
    }
    Err(Error::corrupt("restore state", "a file's name is not a plain one").with("name", name))
}

fn download_failed(path: &Path, source: io::Error) -> Error {
    Error::io("download state", source)
        .with("file", path.display())
        .hint("see that the local disk has space for the state: `state.backend.rocksdb.localdir` says where it goes")
}

/// A reader reports damage as an I/O error.
fn read_failed(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::InvalidData {
        return Error::corrupt("download state", "a file of the checkpoint is damaged")
            .with("file", path.display())
            .source(source);
    }
    download_failed(path, source)
}
