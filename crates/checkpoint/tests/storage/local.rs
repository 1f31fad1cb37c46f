//! Local copies of state: a restart reads them instead of the checkpoint's files, and never instead of the truth.

use crate::kit::{LARGE, content, files_under, incremental, job, metadata, read_all, shared_of, text};
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, LocalBackupOptions, StorageOptions};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

struct Disks {
    remote: TempDir,
    local: TempDir,
}

impl Disks {
    fn new() -> Disks {
        Disks {
            remote: tempfile::tempdir().unwrap(),
            local: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self, write: bool, read: bool) -> Arc<FileSystemCheckpointStorage> {
        let dirs = vec![self.local.path().join("a"), self.local.path().join("b")];
        let options = StorageOptions {
            local_backup: LocalBackupOptions { dirs, write, read },
            ..StorageOptions::default()
        };
        FileSystemCheckpointStorage::open(&text(self.remote.path()), job(), options).unwrap()
    }

    /// Overwrites every state file, length unchanged.
    fn spoil(&self, root: &Path) {
        for name in files_under(root) {
            let path = root.join(&name);
            let length = std::fs::metadata(&path).unwrap().len() as usize;
            if length == LARGE {
                std::fs::write(path, vec![0xee; length]).unwrap();
            }
        }
    }
}

fn two_checkpoints(storage: &Arc<FileSystemCheckpointStorage>) {
    let mut store = CompletedCheckpointStore::new(Arc::clone(storage), 1).unwrap();
    let mut kept = Vec::new();
    for id in 1..=2 {
        let location = storage.new_checkpoint(id).unwrap();
        let state = incremental(&*location.stream_factory(), id, &kept);
        store.register_pending(id, &state);
        kept = shared_of(&state);
        store.add(location.commit(&metadata(id, state)).unwrap());
    }
    storage.wait_for_deletions();
}

/// What the newest checkpoint holds, as a restart reads it; `None` if it is damaged.
fn restored(storage: &FileSystemCheckpointStorage) -> Option<Vec<Vec<u8>>> {
    let latest = storage.find_latest_intact().ok()?.latest?;
    Some(read_all(latest.location(), latest.metadata()))
}

fn expected() -> Vec<Vec<u8>> {
    vec![
        content(1, LARGE),
        content(2, LARGE),
        content(102, LARGE),
        content(2, 50),
    ]
}

#[test]
fn a_restart_reads_the_copies_and_needs_nothing_else_of_the_state() {
    // Method: the checkpoint's own state files are spoilt, so that whoever reads them fails.
    let disks = Disks::new();
    two_checkpoints(&disks.open(true, true));
    disks.spoil(disks.remote.path());
    assert_eq!(restored(&disks.open(true, true)), Some(expected()));
    assert_eq!(
        restored(&disks.open(true, false)),
        None,
        "copies are read only if that is asked for"
    );
}

#[test]
fn a_copy_is_linked_in_place_of_the_file() {
    // Method: as above. A restore verifies what it finds and links it then: both have to be the copy.
    let disks = Disks::new();
    two_checkpoints(&disks.open(true, true));
    disks.spoil(disks.remote.path());
    let latest = disks
        .open(true, true)
        .find_latest_intact()
        .unwrap()
        .latest
        .unwrap();
    let mut linked = Vec::new();
    for (number, stream) in latest.metadata().streams().enumerate() {
        let path = disks.local.path().join(format!("linked-{number}"));
        if latest.location().reader().link(stream, &path) {
            linked.push(std::fs::read(path).unwrap());
        }
    }
    assert!(!linked.is_empty() && linked.iter().all(|bytes| expected().contains(bytes)));
}

#[test]
fn damaged_and_missing_copies_are_made_good_by_the_checkpoint() {
    let disks = Disks::new();
    two_checkpoints(&disks.open(true, true));
    disks.spoil(disks.local.path());
    assert_eq!(restored(&disks.open(true, true)), Some(expected()));
    assert!(
        files_under(disks.local.path()).is_empty(),
        "damaged copies are deleted"
    );
    assert_eq!(restored(&disks.open(true, true)), Some(expected()));
}

#[test]
fn only_what_the_newest_checkpoint_names_is_kept() {
    let disks = Disks::new();
    let storage = disks.open(true, true);
    two_checkpoints(&storage);
    // What the first one wrote for itself alone is gone; another two checkpoints make that of the second go.
    assert_eq!(
        files_under(disks.local.path()).len(),
        3,
        "two shared, one private"
    );
    let unfinished = storage.new_checkpoint(3).unwrap();
    drop(
        unfinished
            .stream_factory()
            .create(millpond_state::stream::CheckpointedStateScope::Exclusive),
    );
    assert_eq!(
        files_under(disks.local.path()).len(),
        3,
        "a dropped stream leaves no copy"
    );
}

#[test]
fn a_disk_that_takes_no_copies_fails_no_checkpoint() {
    let disks = Disks::new();
    std::fs::write(disks.local.path().join("a"), b"a file is in the way").unwrap();
    std::fs::write(disks.local.path().join("b"), b"here too").unwrap();
    two_checkpoints(&disks.open(true, true));
    assert_eq!(restored(&disks.open(true, true)), Some(expected()));
}
