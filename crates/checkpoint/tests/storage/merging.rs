//! Small states that share files: written with the checkpoint, read, verified, moved and deleted with it.

use crate::kit::{
    Kit, content, copy_folder, full, incremental, job, metadata, read_all, savepoint, text, write,
};
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::inspect::{CheckpointStatus, orphans, verify};
use millpond_checkpoint::metadata::CheckpointMetadata;
use millpond_checkpoint::savepoint::load_savepoint;
use millpond_checkpoint::storage::{CheckpointLocation, FileSystemCheckpointStorage, StorageOptions};
use millpond_core::ErrorKind;
use millpond_state::handle::{KeyGroupsStateHandle, KeyedStateHandle, StreamStateHandle};
use millpond_state::stream::CheckpointedStateScope::Exclusive;
use millpond_types::KeyGroupRange;
use std::collections::BTreeSet;

/// Two of the kit's states fit into one file, three don't.
const FILE_BYTES_MAX: usize = 70_000;
/// What is larger has a file of its own.
const WRITE_BUFFER_BYTES: usize = 50_000;

fn merging() -> Kit {
    let kit = Kit::new();
    let options = StorageOptions {
        merged_file_bytes_max: Some(FILE_BYTES_MAX),
        write_buffer_bytes: WRITE_BUFFER_BYTES,
        ..StorageOptions::default()
    };
    let storage = FileSystemCheckpointStorage::open(&text(kit.dir.path()), job(), options).unwrap();
    Kit { storage, ..kit }
}

/// The state of as many subtasks as there are lengths.
fn of_subtasks(location: &CheckpointLocation, lengths: &[usize]) -> CheckpointMetadata {
    let factory = location.stream_factory();
    let mut all = metadata(1, full(&*factory, 0));
    let operator = &mut all.operators[0];
    operator.parallelism = u32::try_from(lengths.len()).unwrap();
    operator.max_parallelism = 128;
    operator.subtasks.clear();
    for (subtask, length) in (0..).zip(lengths) {
        let keyed = KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
            range: KeyGroupRange::new(0, 1).unwrap(),
            offsets: vec![0, 10],
            stream: write(&*factory, Exclusive, &content(u64::from(subtask), *length)),
            savepoint: false,
        });
        let state = operator.subtasks.entry(subtask).or_default();
        state.managed_keyed.push(keyed);
    }
    all
}

fn state_files(kit: &Kit) -> BTreeSet<String> {
    let of_the_protocol = ["_metadata", "_checksums", "_epoch"];
    let mut files = kit.files();
    files.retain(|name| {
        !of_the_protocol.iter().any(|own| name.ends_with(own)) && !name.starts_with("epochs/")
    });
    files
}

/// Goal: small states share files of the size that is set, a large one has its own, tiny ones stand in `_metadata`; and all are read back,
/// from the handles that the commit gave and from those of `_metadata`, whole and in part.
#[test]
fn small_states_share_files_and_are_read_back() {
    let kit = merging();
    let lengths = [30_000, 30_001, 60_000, 30_002, 100, 30_003, 30_004];
    let location = kit.storage.new_checkpoint(1).unwrap();
    let metadata = of_subtasks(&location, &lengths);
    assert_eq!(
        state_files(&kit).len(),
        1,
        "before the commit only the large one is written"
    );
    let committed = location.commit(&metadata).unwrap();
    assert_eq!(
        state_files(&kit).len(),
        1 + 3,
        "of five small ones, two share a file"
    );

    let expected: Vec<_> = (0..).zip(lengths).map(|(i, length)| content(i, length)).collect();
    let read = load_savepoint(&text(&kit.job_dir().join("chk-1"))).unwrap();
    assert!(read.is_verified());
    for checkpoint in [&committed, &read] {
        assert_eq!(read_all(checkpoint.location(), checkpoint.metadata()), expected);
        let reader = checkpoint.location().reader();
        for (stream, bytes) in checkpoint.metadata().streams().zip(&expected) {
            assert_eq!(reader.read_range(stream, 10..90).unwrap(), bytes[10..90]);
            let beyond = reader.read_range(stream, 90..bytes.len() as u64 + 1).unwrap_err();
            assert_eq!(beyond.kind(), ErrorKind::Corrupt);
        }
    }
    assert_eq!(committed.metadata(), read.metadata());
    let segments = committed.metadata().streams();
    assert_eq!(
        segments
            .filter(|s| matches!(s, StreamStateHandle::Segment(_)))
            .count(),
        5
    );
}

#[test]
fn a_stream_that_is_named_twice_is_written_once() {
    let kit = merging();
    let location = kit.storage.new_checkpoint(1).unwrap();
    let mut metadata = of_subtasks(&location, &[30_000, 30_000]);
    let subtasks = &mut metadata.operators[0].subtasks;
    let first = subtasks[&0].clone();
    subtasks.insert(1, first);
    let committed = location.commit(&metadata).unwrap();
    let files = state_files(&kit);
    assert_eq!(files.len(), 1);
    let path = kit.job_dir().join(files.first().unwrap());
    assert_eq!(std::fs::metadata(path).unwrap().len(), 30_000);
    let read = read_all(committed.location(), committed.metadata());
    assert_eq!(read, [content(0, 30_000), content(0, 30_000)]);
}

/// Goal: damage of a merged file is found, and the file named, once.
#[test]
fn damage_of_a_merged_file_is_found() {
    let kit = merging();
    let location = kit.storage.new_checkpoint(1).unwrap();
    location
        .commit(&of_subtasks(&location, &[30_000, 30_000]))
        .unwrap();
    let name = state_files(&kit).pop_first().unwrap();
    let path = kit.job_dir().join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[45_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = load_savepoint(&text(&kit.job_dir().join("chk-1"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let reports = verify(&text(kit.dir.path()), &StorageOptions::default()).unwrap();
    let checkpoint = &reports[0].checkpoints[0];
    assert_eq!(checkpoint.status, CheckpointStatus::Damaged);
    assert_eq!(checkpoint.problems.len(), 1);
    assert!(
        checkpoint.problems[0].path.ends_with(&name),
        "{:?}",
        checkpoint.problems
    );
}

/// Goal: a merged file is nobody's orphan while its checkpoint is there, moves with it, and goes with it.
#[test]
fn merged_files_live_and_move_with_their_checkpoint() {
    let kit = merging();
    let mut store: CompletedCheckpointStore = kit.store(1);
    let location = kit.storage.new_checkpoint(1).unwrap();
    store.add(
        location
            .commit(&of_subtasks(&location, &[30_000, 30_000]))
            .unwrap(),
    );
    let first = state_files(&kit);
    assert!(first.iter().all(|f| f.starts_with("chk-1/")), "{first:?}");
    let found = orphans(&text(kit.dir.path()), &StorageOptions::default()).unwrap();
    assert!(found.iter().all(|f| f.orphans.is_empty()), "{found:?}");

    let elsewhere = tempfile::tempdir().unwrap();
    copy_folder(&kit.job_dir(), elsewhere.path());
    let moved = load_savepoint(&text(&elsewhere.path().join("chk-1"))).unwrap();
    let read = read_all(moved.location(), moved.metadata());
    assert_eq!(read, [content(0, 30_000), content(1, 30_000)]);

    let location = kit.storage.new_checkpoint(2).unwrap();
    let mut second = of_subtasks(&location, &[30_000]);
    second.checkpoint_id = 2;
    store.add(location.commit(&second).unwrap());
    kit.storage.close();
    let left = state_files(&kit);
    assert!(left.is_disjoint(&first) && left.len() == 1, "{left:?}");
}

/// Goal: what others read or share isn't merged: files of `shared/`, and savepoints.
#[test]
fn shared_files_and_savepoints_are_not_merged() {
    let kit = merging();
    let location = kit.storage.new_checkpoint(1).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&metadata(1, state)).unwrap();
    let files = state_files(&kit);
    let (shared, own): (Vec<_>, Vec<_>) = files.iter().partition(|f| f.starts_with("shared/"));
    assert_eq!((shared.len(), own.len()), (1, 1), "{files:?}");

    let target = tempfile::tempdir().unwrap();
    let location = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let state = full(&*location.stream_factory(), 2);
    let saved = location.commit(&savepoint(2, state)).unwrap();
    let mut streams = saved.metadata().streams();
    assert!(streams.all(|s| matches!(s, StreamStateHandle::File(_))));
}
