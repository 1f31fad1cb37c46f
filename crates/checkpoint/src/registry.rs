//! Which checkpoints name which shared file: Flink's `SharedStateRegistry` as a plain data structure.
//!
//! It does no I/O. Whoever drops a checkpoint gets back the files that nobody names any more, and deletes them. A checkpoint
//! counts from the moment its first task hands handles in, so that the files of a pending checkpoint are safe and those of an
//! aborted one are found.

use millpond_core::CheckpointId;
use millpond_core::hash::HashMap;
use millpond_state::handle::{
    FileStateHandle, KeyedStateHandle, OperatorSubtaskState, StatePath, StreamStateHandle,
};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct SharedFileRegistry {
    users: HashMap<StatePath, Entry>,
    files_of: BTreeMap<CheckpointId, BTreeSet<StatePath>>,
}

#[derive(Clone, Debug)]
struct Entry {
    file: FileStateHandle,
    checkpoints: BTreeSet<CheckpointId>,
}

/// The shared files that a subtask's state names.
pub fn shared_files(state: &OperatorSubtaskState) -> impl Iterator<Item = &FileStateHandle> {
    state.managed_keyed.iter().flat_map(|handle| {
        let shared = match handle {
            KeyedStateHandle::Incremental(h) => h.shared.as_slice(),
            KeyedStateHandle::KeyGroups(_) => &[],
        };
        shared.iter().filter_map(|f| match &f.stream {
            StreamStateHandle::File(file) => Some(file),
            StreamStateHandle::ByteStream(_) => None,
        })
    })
}

impl SharedFileRegistry {
    /// No checkpoint yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that checkpoint `id`, pending or complete, names the shared files of `state`.
    pub fn register(&mut self, id: CheckpointId, state: &OperatorSubtaskState) {
        for file in shared_files(state) {
            let entry = self.users.entry(file.path.clone()).or_insert_with(|| Entry {
                file: file.clone(),
                checkpoints: BTreeSet::new(),
            });
            entry.checkpoints.insert(id);
            self.files_of.entry(id).or_default().insert(file.path.clone());
        }
    }

    /// Forgets checkpoint `id`: it was aborted, or newer ones have taken its place. Returns the files that nobody names now.
    #[must_use = "the files that nobody names any more are to be deleted"]
    pub fn unregister(&mut self, id: CheckpointId) -> Vec<FileStateHandle> {
        let mut orphans = Vec::new();
        for path in self.files_of.remove(&id).unwrap_or_default() {
            if let Some(entry) = self.users.get_mut(&path) {
                entry.checkpoints.remove(&id);
                if entry.checkpoints.is_empty() {
                    orphans.extend(self.users.remove(&path).map(|e| e.file));
                }
            }
        }
        orphans
    }

    /// Forgets checkpoint `id` and leaves its files alone: they belong to somebody else from now on.
    pub fn release(&mut self, id: CheckpointId) {
        // The files are still on disk because nobody deletes them, not because they are counted.
        drop(self.unregister(id));
    }

    /// The shared files of `state` that no checkpoint names: what to delete when a task hands in its state for a checkpoint
    /// that was given up in the meantime.
    pub fn unnamed(&self, state: &OperatorSubtaskState) -> Vec<FileStateHandle> {
        let mut files: Vec<_> = shared_files(state)
            .filter(|f| !self.users.contains_key(&f.path))
            .cloned()
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        files
    }

    /// Whether any checkpoint names the file.
    pub fn is_named(&self, path: &StatePath) -> bool {
        self.users.contains_key(path)
    }

    /// How many files are named.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether no file is named.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}
