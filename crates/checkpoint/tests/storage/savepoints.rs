//! Savepoints: self-contained, movable, and clearly refused when they are not what they should be.

use crate::kit::{
    Kit, LARGE, content, copy_folder, files_under, incremental, job, read_all, savepoint, text,
};
use millpond_checkpoint::savepoint::load_savepoint;
use millpond_core::ErrorKind;
use std::path::PathBuf;
use tempfile::TempDir;

/// A committed savepoint in a folder of its own.
fn take(kit: &Kit) -> (TempDir, PathBuf) {
    let target = tempfile::tempdir().unwrap();
    let location = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let state = incremental(&*location.stream_factory(), 1, &[]);
    location.commit(&savepoint(1, state)).unwrap();
    let folder = PathBuf::from(location.display());
    (target, folder)
}

#[test]
fn a_savepoint_is_named_as_flink_does_and_needs_nothing_outside_its_folder() {
    let kit = Kit::new();
    let (target, folder) = take(&kit);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let job: String = job().to_string().chars().take(6).collect();
    assert!(name.starts_with(&format!("savepoint-{job}-")), "{name}");
    assert_eq!(
        files_under(target.path()).len(),
        4,
        "metadata, checksums, two state files"
    );
    assert!(kit.files().is_empty(), "{:?}", kit.files());
}

#[test]
fn a_moved_savepoint_is_read_under_every_spelling_of_its_place() {
    let kit = Kit::new();
    let (target, folder) = take(&kit);
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("kept for ever #1 %20");
    copy_folder(&folder, &moved);
    drop(target);
    for path in [
        text(&moved),
        format!("file://{}", text(&moved)),
        text(&moved.join("_metadata")),
        format!("{}/", text(&moved)),
    ] {
        let read = load_savepoint(&path).unwrap();
        assert!(read.is_verified() && read.metadata().is_savepoint());
        let expected = [content(1, LARGE), content(101, LARGE), content(1, 50)];
        assert_eq!(read_all(read.location(), read.metadata()), expected, "{path}");
    }
}

#[test]
fn a_retained_checkpoint_can_be_started_from() {
    let kit = Kit::new();
    kit.incremental(5, &[]);
    let read = load_savepoint(&text(&kit.job_dir().join("chk-5"))).unwrap();
    assert_eq!((read.checkpoint_id(), read.metadata().is_savepoint()), (5, false));
    assert_eq!(read_all(read.location(), read.metadata())[0], content(5, LARGE));
}

#[test]
fn an_aborted_savepoint_leaves_nothing_and_a_committed_one_cannot_be_aborted() {
    let kit = Kit::new();
    let target = tempfile::tempdir().unwrap();
    let mut store = kit.store(1);
    let aborted = kit.storage.new_savepoint(&text(target.path())).unwrap();
    store.register_pending(1, &incremental(&*aborted.stream_factory(), 1, &[]));
    store.abort(1, &aborted);
    kit.storage.wait_for_deletions();
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
    let location = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let state = incremental(&*location.stream_factory(), 2, &[]);
    let committed = location.commit(&savepoint(2, state)).unwrap();
    store.abort(2, &location);
    store.abort(2, committed.location());
    store.abort(2, load_savepoint(&location.display()).unwrap().location());
    kit.storage.wait_for_deletions();
    assert_eq!(files_under(target.path()).len(), 4);
}

#[test]
fn every_damaged_file_of_a_savepoint_is_named() {
    let kit = Kit::new();
    let (_target, folder) = take(&kit);
    for name in files_under(&folder) {
        let path = folder.join(&name);
        let before = std::fs::read(&path).unwrap();
        let mut after = before.clone();
        after[before.len() / 3] ^= 4;
        std::fs::write(&path, after).unwrap();
        let error = load_savepoint(&text(&folder)).unwrap_err();
        std::fs::write(&path, before).unwrap();
        assert_eq!(
            (error.kind(), error.context("path")),
            (ErrorKind::Corrupt, Some(text(&path).as_str())),
            "{error}"
        );
    }
    load_savepoint(&text(&folder)).unwrap();
}

#[test]
fn what_is_no_savepoint_is_refused_with_what_to_do() {
    let kit = Kit::new();
    let (target, folder) = take(&kit);
    let name = folder.file_name().unwrap().to_str().unwrap().to_string();
    let mut typo = name.clone();
    typo.replace_range(12..13, "_");
    std::fs::create_dir(target.path().join("unrelated-and-much-longer-than-that")).unwrap();
    std::fs::create_dir(target.path().join("chk-3")).unwrap();
    std::fs::write(target.path().join("file"), b"x").unwrap();
    let cases = [
        (
            text(&target.path().join(typo)),
            ErrorKind::NotFound,
            format!("nearest in {}: {name}", text(target.path())),
        ),
        (
            text(target.path()),
            ErrorKind::Config,
            format!("name one of them: {name}"),
        ),
        (
            text(&target.path().join("chk-3")),
            ErrorKind::Config,
            "never completed".to_string(),
        ),
        (
            text(&target.path().join("file")),
            ErrorKind::Config,
            "_metadata".to_string(),
        ),
        (
            "gs://name/savepoint-1".to_string(),
            ErrorKind::Unsupported,
            "scheme=gs".to_string(),
        ),
    ];
    for (path, kind, says) in cases {
        let error = load_savepoint(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(&says),
            "{says:?} is missing in: {error}"
        );
    }
}
