//! Incremental snapshots: the database's files are linked when the sealed write buffers have become some ([`links`]), and the files that no completed checkpoint holds are uploaded (Flink's `RocksIncrementalSnapshotStrategy`).
//!
//! The base is always a checkpoint that this backend instance was told is complete: only its files are sure to exist. A file
//! of RocksDB never changes, so its name says whether the base holds it.

mod links;
mod meta;

pub(super) use links::{Links, Seal};
pub(super) use meta::{Manifest, database_files, unwritten_file};

use super::folder::TemporaryFolder;
use super::unwritten::{ColumnUnwritten, write_file};
use crate::handle::{
    HandleAndLocalPath, IncrementalRemoteKeyedStateHandle, KeyedStateHandle, StreamStateHandle,
};
use crate::snapshot::{SnapshotResult, SnapshotSource, StateMetaInfoSnapshot, full, io_error};
use crate::stream::{CheckpointStreamFactory, CheckpointedStateScope};
use meta::{TIMERS, UNWRITTEN, write_manifest};
use millpond_core::{CheckpointId, Error, Result, host};
use millpond_types::DataOutput;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Files of a checkpoint by their names in the database.
type Files = BTreeMap<String, StreamStateHandle>;

/// What a backend knows of its incremental checkpoints.
pub(super) struct IncrementalSnapshots {
    backend_id: String,
    transfer_threads: usize,
    base: Option<(CheckpointId, Arc<Files>)>,
    pending: Arc<Mutex<BTreeMap<CheckpointId, Arc<Files>>>>,
}

/// The asynchronous part of one incremental snapshot.
pub(super) struct IncrementalSnapshot {
    backend_id: String,
    transfer_threads: usize,
    checkpoint: CheckpointId,
    base: Arc<Files>,
    pending: Arc<Mutex<BTreeMap<CheckpointId, Arc<Files>>>>,
}

impl IncrementalSnapshots {
    pub(super) fn new(backend_id: String, transfer_threads: usize) -> Self {
        IncrementalSnapshots {
            backend_id,
            transfer_threads,
            base: None,
            pending: Arc::default(),
        }
    }

    /// The synchronous part: notes what `checkpoint` builds on. With `whole`, no file of an older checkpoint is named.
    pub(super) fn begin(&self, checkpoint: CheckpointId, whole: bool) -> IncrementalSnapshot {
        let base = self.base.as_ref().filter(|_| !whole);
        IncrementalSnapshot {
            backend_id: self.backend_id.clone(),
            transfer_threads: self.transfer_threads,
            checkpoint,
            base: base.map(|(_, files)| Arc::clone(files)).unwrap_or_default(),
            pending: Arc::clone(&self.pending),
        }
    }

    /// Makes `checkpoint` the base of later ones, unless a younger one is. A checkpoint that was not incremental, or not
    /// ours, changes nothing.
    pub(super) fn completed(&mut self, checkpoint: CheckpointId) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let younger = pending.split_off(&checkpoint.saturating_add(1));
        let files = pending.remove(&checkpoint);
        *pending = younger;
        if let Some(files) = files
            && self.base.as_ref().is_none_or(|(id, _)| *id < checkpoint)
        {
            self.base = Some((checkpoint, files));
        }
    }

    /// Forgets `checkpoint`.
    pub(super) fn aborted(&mut self, checkpoint: CheckpointId) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&checkpoint);
    }
}

impl IncrementalSnapshot {
    /// Uploads what is new of `links`, and what the database lacked. `columns` are the states with the names of their column families;
    /// `extras` are stored with them, always as a whole.
    pub(super) fn write(
        self,
        links: &TemporaryFolder,
        columns: Vec<(StateMetaInfoSnapshot, String)>,
        extras: SnapshotSource,
        unwritten: &[ColumnUnwritten],
        streams: &dyn CheckpointStreamFactory,
    ) -> Result<SnapshotResult> {
        let (tables, others) = files(&links.0)?;
        let upload = |name: &String, scope| upload(&links.0.join(name), streams, scope);
        let (old, new): (Vec<_>, Vec<_>) = tables.into_iter().partition(|n| self.base.contains_key(n));
        let uploaded = host::parallel(self.transfer_threads, new, |name| {
            let stream = upload(&name, CheckpointedStateScope::Shared)?;
            Ok((name, stream))
        })?;
        let mut private = Vec::new();
        for name in others {
            let stream = upload(&name, CheckpointedStateScope::Exclusive)?;
            private.push(HandleAndLocalPath {
                local_path: name,
                stream,
            });
        }
        let mut added: u64 = uploaded.iter().map(|(_, s)| s.size()).sum();
        let mut files: Files = uploaded.into_iter().collect();
        for name in old {
            if let Some(stream) = self.base.get(&name) {
                files.insert(name, stream.clone());
            }
        }
        let state_id = |column: &str| columns.iter().position(|(_, name)| name == column);
        let unwritten = write_file(unwritten, state_id, streams)?;
        let unwritten_bytes = unwritten.as_ref().map_or(0, StreamStateHandle::size);
        private.extend(unwritten.map(|stream| HandleAndLocalPath {
            local_path: UNWRITTEN.into(),
            stream,
        }));
        let timers = full::write(&extras, streams, false)?;
        let mut offsets = Vec::new();
        if let Some(KeyedStateHandle::KeyGroups(handle)) = timers.handle {
            offsets = handle.offsets;
            private.push(HandleAndLocalPath {
                local_path: TIMERS.into(),
                stream: handle.stream,
            });
        }
        let range = extras.range;
        let mut manifest = DataOutput::new();
        write_manifest(columns, extras, &offsets, unwritten_bytes, &mut manifest)?;
        let mut stream = streams.create(CheckpointedStateScope::Exclusive)?;
        stream.write_all(manifest.as_slice()).map_err(io_error)?;
        let meta = stream.close_and_get_handle()?;
        added += meta.size() + private.iter().map(|f| f.stream.size()).sum::<u64>();
        let shared: Vec<_> = files
            .iter()
            .map(|(name, stream)| HandleAndLocalPath {
                local_path: name.clone(),
                stream: stream.clone(),
            })
            .collect();
        let state_size = shared
            .iter()
            .chain(&private)
            .map(|f| f.stream.size())
            .sum::<u64>()
            + meta.size();
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.checkpoint, Arc::new(files));
        Ok(SnapshotResult {
            // Files are copied; nobody counts what is in them.
            entries_written: timers.entries_written,
            state_size,
            handle: Some(KeyedStateHandle::Incremental(IncrementalRemoteKeyedStateHandle {
                backend_id: self.backend_id.clone(),
                range,
                checkpoint_id: self.checkpoint,
                shared,
                private,
                meta,
                checkpointed_size: added,
            })),
        })
    }
}

/// The names of the linked files in a folder: tables, and the few that say how they fit together.
fn files(folder: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let failed = |e: io::Error| Error::io("take snapshot", e).with("folder", folder.display());
    let (mut tables, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sst") {
            tables.push(name);
        } else if !name.ends_with(".log") {
            // The log is off; an empty one may lie there.
            others.push(name);
        }
    }
    tables.sort();
    others.sort();
    Ok((tables, others))
}

fn upload(
    path: &Path,
    streams: &dyn CheckpointStreamFactory,
    scope: CheckpointedStateScope,
) -> Result<StreamStateHandle> {
    let failed = |e: io::Error| Error::io("upload state", e).with("file", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let mut stream = streams.create(scope)?;
    io::copy(&mut file, &mut stream).map_err(failed)?;
    stream.close_and_get_handle()
}
