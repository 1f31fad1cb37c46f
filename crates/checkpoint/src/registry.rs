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
///
/// Files with a relative path are not among them: they lie in one checkpoint's folder and go with it, as in a savepoint.
pub fn shared_files(state: &OperatorSubtaskState) -> impl Iterator<Item = &FileStateHandle> {
    state.managed_keyed.iter().flat_map(|handle| {
        let shared = match handle {
            KeyedStateHandle::Incremental(h) => h.shared.as_slice(),
            KeyedStateHandle::KeyGroups(_) => &[],
        };
        shared.iter().filter_map(|f| match &f.stream {
            StreamStateHandle::File(file) if matches!(file.path, StatePath::Absolute(_)) => Some(file),
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::hash::HashSet;
    use millpond_state::handle::{
        ByteStreamStateHandle, HandleAndLocalPath, IncrementalRemoteKeyedStateHandle,
    };
    use millpond_types::KeyGroupRange;
    use proptest::prelude::*;

    fn path(file: u8) -> StatePath {
        StatePath::Absolute(format!("file:/shared/{file}"))
    }

    fn state(files: &[u8]) -> OperatorSubtaskState {
        let inline = StreamStateHandle::ByteStream(ByteStreamStateHandle {
            name: "meta".to_string(),
            data: Default::default(),
        });
        let named = |path: StatePath| HandleAndLocalPath {
            local_path: String::new(),
            stream: StreamStateHandle::File(FileStateHandle {
                path,
                size: 1,
                crc32c: None,
            }),
        };
        let mut shared: Vec<_> = files.iter().map(|f| named(path(*f))).collect();
        shared.push(named(StatePath::Relative("of a savepoint".to_string())));
        let handle = IncrementalRemoteKeyedStateHandle {
            backend_id: String::new(),
            range: KeyGroupRange::new(0, 0).unwrap(),
            checkpoint_id: 1,
            shared,
            private: vec![named(StatePath::Absolute("file:/private".to_string()))],
            meta: inline,
            checkpointed_size: 0,
        };
        let managed_keyed = vec![KeyedStateHandle::Incremental(handle)];
        OperatorSubtaskState {
            managed_keyed,
            ..OperatorSubtaskState::default()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Register(u64, Vec<u8>),
        Unregister(u64),
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Goal: a file is given up exactly when the last checkpoint that names it goes. Method: random steps against a
        /// plain map from checkpoint to files, recomputed from scratch each time.
        #[test]
        fn a_file_is_given_up_exactly_when_nobody_names_it(
            steps in proptest::collection::vec(
                prop_oneof![
                    (0..5u64, proptest::collection::vec(0..8u8, 0..4)).prop_map(|(id, files)| Step::Register(id, files)),
                    (0..5u64).prop_map(Step::Unregister),
                ],
                0..60,
            )
        ) {
            let mut registry = SharedFileRegistry::new();
            let mut model: BTreeMap<u64, BTreeSet<u8>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Register(id, files) => {
                        registry.register(id, &state(&files));
                        model.entry(id).or_default().extend(files);
                    }
                    Step::Unregister(id) => {
                        let gone = model.remove(&id).unwrap_or_default();
                        let left: BTreeSet<u8> = model.values().flatten().copied().collect();
                        let expected: HashSet<StatePath> = gone.difference(&left).map(|f| path(*f)).collect();
                        let orphans = registry.unregister(id);
                        prop_assert_eq!(orphans.len(), expected.len(), "each is given up once");
                        prop_assert_eq!(orphans.into_iter().map(|f| f.path).collect::<HashSet<_>>(), expected);
                    }
                }
                let named: BTreeSet<u8> = model.values().flatten().copied().collect();
                prop_assert_eq!(registry.len(), named.len());
                let all: Vec<u8> = (0..8).collect();
                let unnamed: Vec<StatePath> = registry.unnamed(&state(&all)).into_iter().map(|f| f.path).collect();
                let expected: Vec<StatePath> = all.iter().filter(|f| !named.contains(f)).map(|f| path(*f)).collect();
                prop_assert_eq!(unnamed, expected);
            }
        }
    }
}
