//! What has to hold on every store.

use crate::Server;
use crate::kit::{
    LARGE, content, full, incremental, job, metadata, read_all, savepoint, shared_of, text, write,
};
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::inspect::{CheckpointStatus, gc, orphans, verify};
use millpond_checkpoint::savepoint::{dispose_savepoint, load_savepoint_with};
use millpond_checkpoint::storage::FileSystemCheckpointStorage;
use millpond_core::ErrorKind;
use millpond_state::handle::StreamStateHandle;
use millpond_state::stream::CheckpointedStateScope::{Exclusive, Shared};
use std::sync::Arc;

fn open(server: &Server) -> Arc<FileSystemCheckpointStorage> {
    FileSystemCheckpointStorage::open(&server.base, job(), server.options.clone()).unwrap()
}

pub fn checkpoints_are_committed_found_read_and_subsumed(server: &Server) {
    let storage = open(server);
    storage.acquire().unwrap();
    let mut store = CompletedCheckpointStore::new(Arc::clone(&storage), 1).unwrap();
    store.recover(&storage.find_latest_intact().unwrap());
    let mut kept = Vec::new();
    for id in 1..=3 {
        let location = storage.new_checkpoint(id).unwrap();
        let state = incremental(&*location.stream_factory(), id, &kept);
        store.register_pending(id, &state);
        // The newest shared file alone is kept: the others go with their checkpoints.
        kept = shared_of(&state).split_off(kept.len());
        store.add(location.commit(&metadata(id, state)).unwrap());
    }
    let aborted = storage.new_checkpoint(4).unwrap();
    full(&*aborted.stream_factory(), 4);
    store.abort(4, &aborted);
    storage.wait_for_deletions();
    storage.close();

    let again = open(server);
    let found = again.find_latest_intact().unwrap();
    let latest = found.latest.unwrap();
    assert_eq!((latest.checkpoint_id(), found.next_checkpoint_id), (3, 5));
    assert!(latest.is_verified() && found.older.is_empty() && found.skipped.is_empty());
    let expected = [
        content(2, LARGE),
        content(3, LARGE),
        content(103, LARGE),
        content(3, 50),
    ];
    assert_eq!(read_all(latest.location(), latest.metadata()), expected);
    let left = orphans(&server.base, &server.options).unwrap();
    assert!(left[0].orphans.is_empty(), "{left:#?}");
}

pub fn large_files_go_up_in_parts_and_a_dropped_stream_leaves_nothing(server: &Server) {
    let storage = open(server);
    let location = storage.new_checkpoint(1).unwrap();
    let bytes = content(7, 23 << 20);
    let handle = write(&*location.stream_factory(), Exclusive, &bytes);
    let StreamStateHandle::File(file) = &handle else {
        panic!("{handle:?}")
    };
    assert_eq!(file.size, bytes.len() as u64);
    let mut read = Vec::new();
    location
        .reader()
        .open(&handle)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap();
    assert!(read == bytes);
    let part = location
        .reader()
        .read_range(&handle, 6_000_000..6_000_100)
        .unwrap();
    assert_eq!(part, bytes[6_000_000..6_000_100]);

    let other = storage.new_checkpoint(2).unwrap();
    let mut stream = other.stream_factory().create(Exclusive).unwrap();
    stream.write_all(&bytes).unwrap();
    drop(stream);
    let found = orphans(&server.base, &server.options).unwrap();
    assert_eq!(
        found[0].orphans.len(),
        1,
        "only the first, whole file: {found:#?}"
    );
}

pub fn metadata_are_never_overwritten(server: &Server) {
    let storage = open(server);
    let location = storage.new_checkpoint(1).unwrap();
    let state = full(&*location.stream_factory(), 1);
    location.commit(&metadata(1, state.clone())).unwrap();
    for error in [
        location.commit(&metadata(1, state)).unwrap_err(),
        storage.new_checkpoint(1).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
    }
}

pub fn an_owner_is_fenced_off_by_the_next(server: &Server) {
    let (first, second) = (open(server), open(server));
    first.acquire().unwrap();
    first.find_latest_intact().unwrap();
    let location = first.new_checkpoint(1).unwrap();
    let state = full(&*location.stream_factory(), 1);
    second.acquire().unwrap();
    let found = second.find_latest_intact().unwrap();
    assert_eq!((found.latest.is_none(), found.next_checkpoint_id), (true, 2));
    let error = location.commit(&metadata(1, state)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(first.new_checkpoint(5).unwrap_err().kind(), ErrorKind::Fenced);
    let location = second.new_checkpoint(2).unwrap();
    let state = full(&*location.stream_factory(), 2);
    location.commit(&metadata(2, state)).unwrap();
}

pub fn damage_orphans_and_their_removal(server: &Server) {
    let storage = open(server);
    let location = storage.new_checkpoint(1).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&metadata(1, state)).unwrap();
    write(&*location.stream_factory(), Shared, &content(9, LARGE));
    let unfinished = storage.new_checkpoint(2).unwrap();
    full(&*unfinished.stream_factory(), 2);
    let status = |n: usize| verify(&server.base, &server.options).unwrap()[0].checkpoints[n].status;
    assert_eq!(
        (status(0), status(1)),
        (CheckpointStatus::Intact, CheckpointStatus::Incomplete)
    );
    assert_eq!(
        orphans(&server.base, &server.options).unwrap()[0].orphans.len(),
        2
    );
    assert!(gc(&server.base, &server.options, false, false).unwrap()[0].removed);
    assert!(
        orphans(&server.base, &server.options).unwrap()[0]
            .orphans
            .is_empty()
    );
    assert_eq!(status(0), CheckpointStatus::Intact);
}

pub fn savepoints_go_to_and_come_from_another_file_system(server: &Server) {
    let local = tempfile::tempdir().unwrap();
    let here = crate::kit::open(local.path());
    let there = open(server);
    let target = format!("{}/savepoints", server.base);
    for (storage, target) in [(&there, text(local.path())), (&there, target)] {
        let location = storage.new_savepoint(&target).unwrap();
        let state = incremental(&*location.stream_factory(), 1, &[]);
        location.commit(&savepoint(1, state)).unwrap();
        let read = load_savepoint_with(location.uri(), &server.options).unwrap();
        assert!(read.is_verified() && read.metadata().is_savepoint());
        let by_file = load_savepoint_with(&format!("{}/_metadata", location.uri()), &server.options).unwrap();
        assert_eq!(by_file.metadata(), read.metadata());
        dispose_savepoint(location.uri(), &server.options).unwrap();
        let gone = load_savepoint_with(location.uri(), &server.options).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
    }
    here.close();
}

pub fn a_moved_job_folder_still_opens(server: &Server) {
    // Method: an incremental checkpoint names shared files by their full path; the folder is written again elsewhere, file by
    // file, and the first one deleted.
    let local = tempfile::tempdir().unwrap();
    let here = crate::kit::open(local.path());
    let location = here.new_checkpoint(1).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&metadata(1, state)).unwrap();
    let before = read_all(
        &location,
        here.find_latest_intact().unwrap().latest.unwrap().metadata(),
    );
    let copy = crate::failures::RawStore::of(server);
    copy.upload(local.path());
    drop(local);
    let found = open(server).find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(read_all(found.location(), found.metadata()), before);
    let path = found.location().uri().to_string();
    assert!(load_savepoint_with(&path, &server.options).unwrap().is_verified());
}

pub fn names_with_odd_characters_work(server: &Server) {
    let odd = Server {
        base: format!("{}/a b/%20+ü", server.base),
        options: server.options.clone(),
    };
    let storage = open(&odd);
    let location = storage.new_checkpoint(1).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&metadata(1, state)).unwrap();
    let found = open(&odd).find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(found.checkpoint_id(), 1);
    assert!(
        load_savepoint_with(found.location().uri(), &odd.options)
            .unwrap()
            .is_verified()
    );
}
