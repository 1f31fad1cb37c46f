//! A local disk that runs full. `make test-full-disk` runs this: it mounts a small file system, which needs the rights to, or a mount
//! namespace of its own.

use super::files::open;
use millpond_core::{Error, ErrorKind, host};
use millpond_state::backend::KeyedStateBackend;
use millpond_state::descriptor::{ListStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::{ListState, ValueState};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{StateType, VoidNamespace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DISK_BYTES: usize = 192 << 20;
/// What fills the disk beside the state, and is removed later.
const OTHERS_BYTES: usize = 128 << 20;
const VALUE_BYTES: usize = 4_000;
/// RocksDB looks for space every five seconds.
const LOOK: Duration = Duration::from_millis(500);
const LOOKS_MAX: usize = 60;

/// A small disk, there until this is dropped.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(
            mounted.status.success(),
            "can't mount a small file system: {} Run `make test-full-disk`, as root or where user namespaces are allowed",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Disk { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn others(&self) -> PathBuf {
        self.path().join("others")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn states(backend: &mut KeyedStateBackend<i64>) -> (ValueState<String>, ListState<i64>) {
    let namespace = VoidNamespace::serializer;
    let value = backend.value_state(ValueStateDescriptor::new("v"), namespace(), VoidNamespace);
    let list = backend.list_state(ListStateDescriptor::new("l"), namespace(), VoidNamespace);
    (value.unwrap(), list.unwrap())
}

fn value(round: i64, key: i64) -> String {
    // Not worth compressing.
    let mut seed = (round * 1_000_003 + key) as u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + (seed >> 58) as u8)
    };
    (0..VALUE_BYTES).map(|_| next()).collect()
}

fn is_of_full_disk(e: &Error, disk: &Disk) {
    let report = e.report();
    assert_eq!(e.kind(), ErrorKind::Io, "{report}");
    let folder = disk.path().display().to_string();
    assert!(
        e.context("folder").is_some_and(|f| f.starts_with(&folder)),
        "{report}"
    );
    assert!(report.contains("state.backend.rocksdb.localdir"), "{report}");
}

/// Goal: a full disk is reported with its folder and what to do; nothing that was accepted is lost or appended twice; and when there is
/// space again, the same backend goes on, and so does one restored from its next checkpoint. Method: fill a disk of 192 MB,
/// two thirds of which others have, through backends with and without a cache; take snapshots while it is full; free it.
#[test]
#[ignore = "mounts a file system: `make test-full-disk`"]
fn a_full_disk_loses_nothing() {
    let disk = Disk::mount();
    let streams = MemoryStreams::default();
    fs::write(disk.others(), vec![1; OTHERS_BYTES]).unwrap();
    let mut backend = open(disk.path(), (0, 15), &[], &streams);
    let (values, list) = states(&mut backend);
    let mut model: BTreeMap<i64, String> = BTreeMap::new();
    let mut appended: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut refused = None;
    let mut key = 0;
    while refused.is_none() {
        assert!(key < 1 << 20, "the disk doesn't run full");
        backend.set_current_key(key).unwrap();
        // What was refused may count or not; what was accepted has to.
        let text = value(0, key);
        model.insert(key, text.clone());
        refused = values.update(text).err();
        if refused.is_none() {
            appended.entry(key % 50).or_default().push(key);
            backend.set_current_key(key % 50).unwrap();
            refused = list.add(key).err();
        }
        key += 1;
    }
    is_of_full_disk(&refused.unwrap(), &disk);
    let last = key - 1;
    for id in 1..3 {
        let snapshot = backend.snapshot(id, SnapshotKind::Checkpoint);
        let taken = snapshot.and_then(|snapshot| snapshot.run(&streams));
        is_of_full_disk(&taken.unwrap_err(), &disk);
    }
    // What is there can be read all the while.
    check(&backend, (&values, &list), &model, &appended, last);

    fs::remove_file(disk.others()).unwrap();
    let mut again = backend.snapshot(3, SnapshotKind::Checkpoint);
    for _ in 0..LOOKS_MAX {
        if again.is_ok() {
            break;
        }
        host::sleep(LOOK);
        again = backend.snapshot(3, SnapshotKind::Checkpoint);
    }
    again.unwrap().run(&streams).unwrap();
    for key in 0..100 {
        backend.set_current_key(key).unwrap();
        values.update(value(1, key)).unwrap();
        model.insert(key, value(1, key));
    }
    backend.set_current_key(7).unwrap();
    list.add(-1).unwrap();
    appended.entry(7).or_default().push(-1);
    let handle = backend
        .snapshot(4, SnapshotKind::Checkpoint)
        .unwrap()
        .run(&streams)
        .unwrap()
        .handle;
    check(&backend, (&values, &list), &model, &appended, last);
    drop((values, list, backend));

    let mut restored = open(disk.path(), (0, 15), handle.as_slice(), &streams);
    let (values, list) = states(&mut restored);
    check(&restored, (&values, &list), &model, &appended, last);
    drop((values, list, restored));
}

/// Compares everything but what was refused under the key `last`.
fn check(
    backend: &KeyedStateBackend<i64>,
    (values, list): (&ValueState<String>, &ListState<i64>),
    model: &BTreeMap<i64, String>,
    appended: &BTreeMap<i64, Vec<i64>>,
    last: i64,
) {
    for (key, expected) in model {
        backend.set_current_key(*key).unwrap();
        let found = values.get().unwrap();
        assert!(
            found.as_ref() == Some(expected) || *key == last,
            "value of key {key}"
        );
    }
    for (key, expected) in appended {
        backend.set_current_key(*key).unwrap();
        let mut found = list.get().unwrap();
        let mut expected = expected.clone();
        for all in [&mut found, &mut expected] {
            all.retain(|element| *element != last);
        }
        assert_eq!(found, expected, "list of key {key}");
    }
}
