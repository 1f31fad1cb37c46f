//! What the tests share: a folder with a storage in it, and small checkpoints of known content.

use millpond_checkpoint::completed::{CompletedCheckpointStore, RetentionPolicy};
use millpond_checkpoint::metadata::{
    CheckpointMetadata, CheckpointProperties, OperatorState, PostCheckpointAction, SavepointFormat,
};
use millpond_checkpoint::storage::{
    CheckpointLocation, CompletedCheckpoint, FileSystemCheckpointStorage, StorageOptions,
};
use millpond_core::{JobId, OperatorId};
use millpond_state::handle::{
    HandleAndLocalPath, IncrementalRemoteKeyedStateHandle, KeyGroupsStateHandle, KeyedStateHandle,
    OperatorSubtaskState, StreamStateHandle,
};
use millpond_state::stream::CheckpointedStateScope::{Exclusive, Shared};
use millpond_state::stream::{CheckpointStreamFactory, CheckpointedStateScope};
use millpond_types::KeyGroupRange;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Larger than the threshold below which state stands in `_metadata`.
pub const LARGE: usize = 30_000;

pub fn job() -> JobId {
    JobId::from_name("storage tests")
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

pub struct Kit {
    pub dir: TempDir,
    pub storage: Arc<FileSystemCheckpointStorage>,
}

impl Kit {
    pub fn new() -> Kit {
        let dir = tempfile::tempdir().unwrap();
        let storage = open(dir.path());
        Kit { dir, storage }
    }
    pub fn with(options: StorageOptions) -> Kit {
        let dir = tempfile::tempdir().unwrap();
        let storage = FileSystemCheckpointStorage::open(&text(dir.path()), job(), options).unwrap();
        Kit { dir, storage }
    }
    pub fn job_dir(&self) -> PathBuf {
        self.dir.path().join(job().to_string())
    }
    /// As after a restart of the process.
    pub fn reopen(&mut self) {
        self.storage.close();
        self.storage = open(self.dir.path());
    }
    pub fn store(&self, retained: usize) -> CompletedCheckpointStore {
        CompletedCheckpointStore::new(Arc::clone(&self.storage), retained).unwrap()
    }
    /// Writes and commits a checkpoint without shared files.
    pub fn checkpoint(&self, id: u64) -> CompletedCheckpoint {
        let location = self.storage.new_checkpoint(id).unwrap();
        let state = full(&*location.stream_factory(), id);
        location.commit(&metadata(id, state)).unwrap()
    }
    /// Writes and commits a checkpoint that names `kept` and one new shared file.
    pub fn incremental(
        &self,
        id: u64,
        kept: &[StreamStateHandle],
    ) -> (CompletedCheckpoint, OperatorSubtaskState) {
        let location = self.storage.new_checkpoint(id).unwrap();
        let state = incremental(&*location.stream_factory(), id, kept);
        (location.commit(&metadata(id, state.clone())).unwrap(), state)
    }
    /// Names in the job's folder, relative to it, folders left out.
    pub fn files(&self) -> BTreeSet<String> {
        files_under(&self.job_dir())
    }
}

pub fn open(dir: &Path) -> Arc<FileSystemCheckpointStorage> {
    FileSystemCheckpointStorage::open(&text(dir), job(), StorageOptions::default()).unwrap()
}

pub fn files_under(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(text(path.strip_prefix(root).unwrap()));
            }
        }
    }
    found
}

pub fn content(seed: u64, length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|i| (i.wrapping_mul(31).wrapping_add(seed * 7)) as u8)
        .collect()
}

pub fn write(
    factory: &dyn CheckpointStreamFactory,
    scope: CheckpointedStateScope,
    bytes: &[u8],
) -> StreamStateHandle {
    let mut stream = factory.create(scope).unwrap();
    for part in bytes.chunks(7_001) {
        stream.write_all(part).unwrap();
    }
    assert_eq!(stream.position(), bytes.len() as u64);
    stream.close_and_get_handle().unwrap()
}

/// One keyed state in an exclusive file.
pub fn full(factory: &dyn CheckpointStreamFactory, seed: u64) -> OperatorSubtaskState {
    let keyed = KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
        range: KeyGroupRange::new(0, 1).unwrap(),
        offsets: vec![0, 10],
        stream: write(factory, Exclusive, &content(seed, LARGE)),
        savepoint: false,
    });
    OperatorSubtaskState {
        managed_keyed: vec![keyed],
        ..OperatorSubtaskState::default()
    }
}

/// One keyed state that names `kept` and a new shared file, a private file and inline bytes.
pub fn incremental(
    factory: &dyn CheckpointStreamFactory,
    id: u64,
    kept: &[StreamStateHandle],
) -> OperatorSubtaskState {
    let named = |(i, stream): (usize, StreamStateHandle)| HandleAndLocalPath {
        local_path: format!("{i}.shard"),
        stream,
    };
    let shared = kept
        .iter()
        .cloned()
        .chain([write(factory, Shared, &content(id, LARGE))]);
    let keyed = KeyedStateHandle::Incremental(IncrementalRemoteKeyedStateHandle {
        backend_id: "00010203-0405-4607-8809-0a0b0c0d0e0f".to_string(),
        range: KeyGroupRange::new(0, 1).unwrap(),
        checkpoint_id: id,
        shared: shared.enumerate().map(named).collect(),
        private: vec![named((0, write(factory, Exclusive, &content(id + 100, LARGE))))],
        meta: write(factory, Exclusive, &content(id, 50)),
        checkpointed_size: 1,
    });
    OperatorSubtaskState {
        managed_keyed: vec![keyed],
        ..OperatorSubtaskState::default()
    }
}

pub fn shared_of(state: &OperatorSubtaskState) -> Vec<StreamStateHandle> {
    match &state.managed_keyed[0] {
        KeyedStateHandle::Incremental(h) => h.shared.iter().map(|f| f.stream.clone()).collect(),
        KeyedStateHandle::KeyGroups(_) => Vec::new(),
    }
}

pub fn with_properties(
    id: u64,
    state: OperatorSubtaskState,
    properties: CheckpointProperties,
) -> CheckpointMetadata {
    let mut operator = OperatorState::new(OperatorId::from_uid("op"), 1, 2);
    operator.uid = Some("op".to_string());
    operator.subtasks.insert(0, state);
    CheckpointMetadata {
        checkpoint_id: id,
        operators: vec![operator],
        properties: Some(properties),
    }
}

pub fn metadata(id: u64, state: OperatorSubtaskState) -> CheckpointMetadata {
    with_properties(id, state, RetentionPolicy::RetainOnCancellation.properties())
}

pub fn savepoint(id: u64, state: OperatorSubtaskState) -> CheckpointMetadata {
    let properties = CheckpointProperties::savepoint(PostCheckpointAction::None, SavepointFormat::Canonical);
    with_properties(id, state, properties)
}

/// Everything that the checkpoint's streams hold, one after the other.
pub fn read_all(location: &CheckpointLocation, metadata: &CheckpointMetadata) -> Vec<Vec<u8>> {
    let reader = location.reader();
    let read = |stream| {
        let mut bytes = Vec::new();
        reader.open(stream).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    metadata.streams().map(read).collect()
}

pub fn copy_folder(from: &Path, to: &Path) {
    for name in files_under(from) {
        let target = to.join(&name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(from.join(&name), target).unwrap();
    }
}
