//! Looking at a job's folder from outside: what is damaged, what is orphaned, what may be removed.

use crate::kit::{Kit, content, files_under, full, job, shared_of, text, write};
use millpond_checkpoint::inspect::{CheckpointStatus, gc, orphans, verify};
use millpond_checkpoint::savepoint::{dispose_savepoint, load_savepoint};
use millpond_checkpoint::storage::StorageOptions;
use millpond_core::ErrorKind;
use millpond_state::stream::CheckpointedStateScope::Shared;

fn options() -> StorageOptions {
    StorageOptions::default()
}

/// Two checkpoints that share a file, an unfinished one, a file in `shared/` and one in a checkpoint that nobody names.
fn littered() -> (Kit, usize) {
    let kit = Kit::new();
    let (_, first) = kit.incremental(1, &[]);
    kit.incremental(2, &shared_of(&first));
    let location = kit.storage.new_checkpoint(3).unwrap();
    full(&*location.stream_factory(), 3);
    let second = kit.storage.new_checkpoint(4).unwrap();
    write(&*second.stream_factory(), Shared, &content(9, 30_000));
    std::fs::write(kit.job_dir().join("chk-2/stray"), b"x").unwrap();
    std::fs::write(kit.job_dir().join("shared/half#1"), b"x").unwrap();
    (kit, 4)
}

#[test]
fn every_damaged_file_is_named_and_the_others_are_checked_all_the_same() {
    let kit = Kit::new();
    let (_, first) = kit.incremental(1, &[]);
    kit.incremental(2, &shared_of(&first));
    let dir = text(kit.dir.path());
    let reports = verify(&dir, &options()).unwrap();
    assert_eq!(reports.len(), 1);
    let statuses: Vec<_> = reports[0].checkpoints.iter().map(|c| c.status).collect();
    assert_eq!(statuses, [CheckpointStatus::Intact, CheckpointStatus::Intact]);
    assert_eq!(
        reports[0].checkpoints[1].files, 4,
        "two shared, one private, the metadata"
    );

    let shared: Vec<_> = kit
        .files()
        .into_iter()
        .filter(|f| f.starts_with("shared/"))
        .collect();
    let mut bytes = std::fs::read(kit.job_dir().join(&shared[0])).unwrap();
    bytes[77] ^= 1;
    std::fs::write(kit.job_dir().join(&shared[0]), bytes).unwrap();
    std::fs::remove_file(kit.job_dir().join(&shared[1])).unwrap();
    for path in [dir, text(&kit.job_dir()), text(&kit.job_dir().join("chk-2"))] {
        let reports = verify(&path, &options()).unwrap();
        let last = reports[0].checkpoints.last().unwrap();
        assert_eq!(
            (last.checkpoint, last.status),
            (Some(2), CheckpointStatus::Damaged)
        );
        let problems: Vec<_> = last.problems.iter().map(|p| p.problem.as_str()).collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("checksum")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("missing")), "{problems:?}");
    }
}

#[test]
fn orphans_are_listed_and_only_gc_removes_them() {
    let (kit, count) = littered();
    let dir = text(kit.dir.path());
    let before = files_under(kit.dir.path());
    let found = orphans(&dir, &options()).unwrap();
    assert_eq!(found[0].orphans.len(), count, "{found:#?}");
    let dry = gc(&dir, &options(), true, false).unwrap();
    assert_eq!((dry[0].found.orphans.len(), dry[0].removed), (count, false));
    assert_eq!(files_under(kit.dir.path()), before);

    let done = gc(&dir, &options(), false, false).unwrap();
    assert_eq!((done[0].found.orphans.len(), done[0].removed), (count, true));
    assert!(orphans(&dir, &options()).unwrap()[0].orphans.is_empty());
    let reports = verify(&dir, &options()).unwrap();
    let left: Vec<_> = reports[0]
        .checkpoints
        .iter()
        .map(|c| (c.checkpoint, c.status))
        .collect();
    assert_eq!(
        left,
        [
            (Some(1), CheckpointStatus::Intact),
            (Some(2), CheckpointStatus::Intact)
        ]
    );
}

#[test]
fn gc_refuses_while_a_process_has_the_job() {
    let (kit, count) = littered();
    let dir = text(kit.dir.path());
    kit.storage.acquire().unwrap();
    let error = gc(&dir, &options(), false, true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
    assert!(error.to_string().contains("end process"), "{error}");
    assert_eq!(orphans(&dir, &options()).unwrap()[0].orphans.len(), count);
}

#[test]
fn a_process_that_was_overlooked_is_fenced_off_by_gc() {
    // Method: the owner's file says another machine, as if the folder were on a network.
    let (kit, _) = littered();
    let dir = text(kit.dir.path());
    kit.storage.acquire().unwrap();
    let epochs = kit.job_dir().join("epochs");
    let owner = std::fs::read_dir(&epochs)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let elsewhere = std::fs::read_to_string(&owner)
        .unwrap()
        .replace("\"machine\":\"", "\"machine\":\"other ");
    std::fs::write(&owner, elsewhere).unwrap();
    let error = gc(&dir, &options(), false, false).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    gc(&dir, &options(), false, true).unwrap();
    assert_eq!(kit.storage.check_owner().unwrap_err().kind(), ErrorKind::Fenced);
}

#[test]
fn shared_files_stay_while_metadata_cannot_be_read() {
    let (kit, _) = littered();
    let metadata = kit.job_dir().join("chk-1/_metadata");
    std::fs::write(&metadata, b"x").unwrap();
    let found = &orphans(&text(kit.dir.path()), &options()).unwrap()[0];
    assert!(found.unreadable.as_ref().unwrap().ends_with("chk-1"));
    assert!(
        found
            .orphans
            .iter()
            .all(|o| !o.path.contains("/shared/") || o.path.ends_with('1')),
        "{found:#?}"
    );
}

#[test]
fn a_folder_without_checkpoints_is_told_from_an_empty_job() {
    let dir = tempfile::tempdir().unwrap();
    let error = orphans(&text(dir.path()), &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let kit = Kit::new();
    assert!(
        orphans(&text(&kit.job_dir()), &options()).unwrap()[0]
            .orphans
            .is_empty()
    );
    assert_eq!(job().to_string().len(), 32);
}

#[test]
fn a_savepoint_is_disposed_of_and_a_checkpoint_is_not() {
    let kit = Kit::new();
    kit.checkpoint(1);
    let target = tempfile::tempdir().unwrap();
    let location = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let state = crate::kit::incremental(&*location.stream_factory(), 2, &[]);
    location.commit(&crate::kit::savepoint(2, state)).unwrap();
    dispose_savepoint(location.uri(), &options()).unwrap();
    assert!(files_under(target.path()).is_empty());
    assert_eq!(
        load_savepoint(location.uri()).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let error = dispose_savepoint(&text(&kit.job_dir().join("chk-1")), &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(load_savepoint(&text(&kit.job_dir().join("chk-1"))).is_ok());
}
