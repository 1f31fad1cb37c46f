//! Streams, layout and reading back.

use crate::kit::{Kit, LARGE, content, full, incremental, job, metadata, read_all, shared_of, text, write};
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::ErrorKind;
use millpond_state::handle::{StatePath, StreamStateHandle};
use millpond_state::stream::CheckpointedStateScope::{Exclusive, Shared};
use std::collections::BTreeSet;
use std::io::Write;

#[test]
fn small_state_stays_in_its_handle_and_larger_state_becomes_a_file() {
    // Method: sizes around the threshold of 20 KiB and around the write buffer, which switches to parts.
    let kit = Kit::new();
    let location = kit.storage.new_checkpoint(1).unwrap();
    let factory = location.stream_factory();
    let reader = location.reader();
    for length in [
        0,
        1,
        20 << 10,
        (20 << 10) + 1,
        8 << 20,
        (8 << 20) + 1,
        (19 << 20) + 3,
    ] {
        let bytes = content(length as u64, length);
        let handle = write(&*factory, Exclusive, &bytes);
        assert_eq!(
            matches!(handle, StreamStateHandle::File(_)),
            length > 20 << 10,
            "{length}"
        );
        assert_eq!(handle.size(), length as u64);
        let mut read = Vec::new();
        reader.open(&handle).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{length} bytes differ");
        if length > 10 {
            assert_eq!(reader.read_range(&handle, 3..9).unwrap(), &bytes[3..9]);
        }
        let beyond = reader.read_range(&handle, 0..length as u64 + 1).unwrap_err();
        assert_eq!(beyond.kind(), ErrorKind::Corrupt, "{beyond}");
    }
}

#[test]
fn files_lie_where_flink_puts_them() {
    let kit = Kit::new();
    kit.incremental(3, &[]);
    let names = kit.files();
    let folders: BTreeSet<&str> = names
        .iter()
        .filter_map(|n| n.split_once('/'))
        .map(|(f, _)| f)
        .collect();
    assert_eq!(folders, BTreeSet::from(["chk-3", "shared"]), "{names:?}");
    assert_eq!(names.iter().filter(|n| n.starts_with("shared/")).count(), 1);
    let exclusive = names.iter().filter(|n| n.starts_with("chk-3/")).count();
    assert_eq!(
        exclusive, 3,
        "one private file, _metadata and _checksums: {names:?}"
    );
    assert!(kit.job_dir().join("taskowned").is_dir());
    assert!(names.contains("chk-3/_metadata") && names.contains("chk-3/_checksums"));
}

#[test]
fn exclusive_paths_are_relative_and_shared_ones_absolute() {
    // Goal: what Flink's FsCheckpointStreamFactory does, so that Flink finds the files.
    let kit = Kit::new();
    let location = kit.storage.new_checkpoint(1).unwrap();
    let factory = location.stream_factory();
    let path = |scope| match write(&*factory, scope, &content(1, LARGE)) {
        StreamStateHandle::File(f) => f.path,
        other => unreachable!("the state is large, and nothing is merged: {other:?}"),
    };
    assert!(matches!(path(Exclusive), StatePath::Relative(name) if !name.contains('/')));
    let folder = format!("file:{}/shared/", text(&kit.job_dir()));
    assert!(matches!(path(Shared), StatePath::Absolute(uri) if uri.starts_with(&folder)));
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing() {
    // Method: dropped while everything is still in memory, and dropped after parts went out.
    let kit = Kit::new();
    let location = kit.storage.new_checkpoint(1).unwrap();
    for length in [100, LARGE, 20 << 20] {
        for scope in [Exclusive, Shared] {
            let mut stream = location.stream_factory().create(scope).unwrap();
            stream.write_all(&content(1, length)).unwrap();
        }
    }
    assert_eq!(kit.files(), BTreeSet::new());
}

#[test]
fn what_was_committed_is_read_back_with_its_checksums_and_names() {
    let kit = Kit::new();
    let (written, state) = kit.incremental(7, &[]);
    let found = kit.storage.find_latest_intact().unwrap();
    let read = found.latest.unwrap();
    assert_eq!((found.next_checkpoint_id, read.checkpoint_id()), (8, 7));
    assert!(read.is_verified());
    assert_eq!(
        read.metadata(),
        written.metadata(),
        "handles carry checksums, the operator its uid"
    );
    assert_eq!(read.metadata().operators[0].subtasks[&0], state);
    let expected = [content(7, LARGE), content(107, LARGE), content(7, 50)];
    assert_eq!(read_all(read.location(), read.metadata()), expected);
}

#[test]
fn a_checkpoint_is_never_overwritten() {
    let kit = Kit::new();
    kit.checkpoint(1);
    assert_eq!(
        kit.storage.new_checkpoint(1).unwrap_err().kind(),
        ErrorKind::IllegalState
    );
    let location = kit.storage.new_checkpoint(2).unwrap();
    let state = full(&*location.stream_factory(), 2);
    location.commit(&metadata(2, state.clone())).unwrap();
    let before = std::fs::read(kit.job_dir().join("chk-2/_metadata")).unwrap();
    let error = location
        .commit(&metadata(2, incremental(&*location.stream_factory(), 9, &[])))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
    assert_eq!(
        std::fs::read(kit.job_dir().join("chk-2/_metadata")).unwrap(),
        before
    );
    assert!(kit.storage.find_latest_intact().unwrap().skipped.is_empty());
}

#[test]
fn a_storage_in_memory_works_the_same_until_it_is_dropped() {
    let storage = FileSystemCheckpointStorage::in_memory(job(), StorageOptions::default()).unwrap();
    assert!(!storage.survives_process());
    let location = storage.new_checkpoint(1).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&metadata(1, state)).unwrap();
    let found = storage.find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(read_all(found.location(), found.metadata())[0], content(1, LARGE));
}

/// Goal: JobManager storage with a folder writes one file a checkpoint, which a later process reads everything from. Method: full
/// and incremental state above the threshold for files, with merging and local copies on, which have nothing to do.
#[test]
fn state_can_stand_in_the_metadata_of_a_folder() {
    let options = StorageOptions {
        state_in_metadata: true,
        merged_file_bytes_max: Some(1 << 20),
        ..StorageOptions::default()
    };
    let kit = Kit::with(options.clone());
    let (_, first) = kit.incremental(1, &[]);
    kit.incremental(2, &shared_of(&first));
    let names = kit.files();
    let in_checkpoints = names.iter().filter(|name| name.starts_with("chk-"));
    let state_files: Vec<_> = in_checkpoints.filter(|name| !name.contains("/_")).collect();
    assert!(state_files.is_empty(), "{state_files:?}");
    assert!(!names.iter().any(|name| name.starts_with("shared/")), "{names:?}");

    let later = FileSystemCheckpointStorage::open(&text(kit.dir.path()), job(), options).unwrap();
    let found = later.find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(found.checkpoint_id(), 2);
    let read = read_all(found.location(), found.metadata());
    assert!(read.contains(&content(1, LARGE)), "of the first checkpoint");
    assert!(read.contains(&content(2, LARGE)), "of the second one");
}

/// Goal: state that is too large for that names the option and its bound. It goes to files again with a savepoint.
#[test]
fn state_in_the_metadata_has_a_bound() {
    let kit = Kit::with(StorageOptions {
        state_in_metadata: true,
        memory_state_bytes_max: 1000,
        ..StorageOptions::default()
    });
    let location = kit.storage.new_checkpoint(1).unwrap();
    let mut stream = location.stream_factory().create(Exclusive).unwrap();
    stream.write_all(&content(1, 1000)).unwrap();
    let refused = stream.write_all(b"x").unwrap_err().into_inner().unwrap();
    let refused = refused.downcast::<millpond_core::Error>().unwrap().report();
    for part in ["1001", "1000", "max-state-size", "execution.checkpointing.dir"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    let target = tempfile::tempdir().unwrap();
    let savepoint = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let handle = write(&*savepoint.stream_factory(), Exclusive, &content(1, LARGE));
    assert!(matches!(handle, StreamStateHandle::File(_)));
}

#[test]
fn checkpoints_can_be_taken_from_a_thread_that_drives_another_runtime() {
    // Goal: REST handlers may call the storage.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let kit = Kit::new();
        kit.checkpoint(1);
        assert!(kit.storage.find_latest_intact().unwrap().latest.is_some());
    });
}

/// Goal: a file becomes another name of itself, small state and a file of another length don't, and no name is left then.
#[test]
fn a_file_on_the_same_disk_is_linked() {
    let kit = Kit::new();
    let location = kit.storage.new_checkpoint(1).unwrap();
    let reader = location.reader();
    let bytes = content(3, LARGE);
    let handle = write(&*location.stream_factory(), Shared, &bytes);
    let name = kit.job_dir().join("linked");
    assert!(reader.link(&handle, &name));
    assert!(std::fs::read(&name).unwrap() == bytes);

    let name = kit.job_dir().join("not linked");
    let small = write(&*location.stream_factory(), Shared, b"small");
    assert!(!reader.link(&small, &name));
    let mut shorter = handle;
    let StreamStateHandle::File(file) = &mut shorter else {
        panic!("the state is large");
    };
    file.size -= 1;
    assert!(!reader.link(&shorter, &name));
    assert!(!name.exists());
}
