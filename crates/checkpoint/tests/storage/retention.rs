//! What is kept and what is deleted: subsumption, shared files, aborted checkpoints, the end of the job, claimed snapshots.

use crate::kit::{
    Kit, LARGE, content, files_under, full, incremental, job, read_all, shared_of, text, write,
};
use millpond_checkpoint::completed::{ClaimMode, CompletedCheckpointStore, RetentionPolicy};
use millpond_checkpoint::result_store::{JobResult, JobStatus};
use millpond_checkpoint::savepoint::load_savepoint;
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::{ErrorKind, JobId};
use millpond_state::stream::CheckpointedStateScope::Exclusive;
use std::collections::BTreeSet;

fn ids(store: &CompletedCheckpointStore) -> Vec<u64> {
    store.checkpoints().map(|c| c.checkpoint_id()).collect()
}

fn result(status: JobStatus) -> JobResult {
    JobResult {
        job_id: job(),
        name: "test".to_string(),
        status,
        end_time_ms: 1_700_000_000_000,
        message: None,
    }
}

fn shared_files(kit: &Kit) -> BTreeSet<String> {
    files_under(&kit.job_dir().join("shared"))
}

#[test]
fn only_the_newest_are_retained() {
    let kit = Kit::new();
    let mut store = kit.store(2);
    assert_eq!(
        CompletedCheckpointStore::new(kit.storage.clone(), 0)
            .unwrap_err()
            .kind(),
        ErrorKind::Config
    );
    assert_eq!(store.add(kit.checkpoint(1)), [0; 0]);
    assert_eq!(store.add(kit.checkpoint(2)), [0; 0]);
    assert_eq!(store.add(kit.checkpoint(5)), [1]);
    assert_eq!(
        (ids(&store), store.latest().unwrap().checkpoint_id()),
        (vec![5, 2], 5)
    );
    kit.storage.wait_for_deletions();
    assert!(!kit.job_dir().join("chk-1").exists());
    assert!(kit.files().contains("chk-2/_metadata"));
}

/// Goal: the newest checkpoint is the one with the highest number. Method: two were under way at once, and the metadata of the later
/// one was stored first.
#[test]
fn a_checkpoint_that_completes_late_takes_no_newer_ones_place() {
    let kit = Kit::new();
    let mut store = kit.store(1);
    assert_eq!(store.add(kit.checkpoint(4)), [0; 0]);
    assert_eq!(store.add(kit.checkpoint(3)), [3]);
    assert_eq!(ids(&store), [4]);
    kit.storage.wait_for_deletions();
    assert!(kit.files().contains("chk-4/_metadata"));
    assert!(!kit.job_dir().join("chk-3").exists());
}

/// Goal: a process never goes back to a checkpoint that it gave up. Method: its metadata was stored, the answer lost; its files can't
/// be deleted before the restart looks.
#[test]
fn a_checkpoint_that_was_given_up_is_not_gone_back_to() {
    let kit = Kit::new();
    let mut store = kit.store(2);
    store.add(kit.checkpoint(1));
    kit.checkpoint(2);
    let place = kit.job_dir().join("chk-2");
    let aside = kit.job_dir().join("aside");
    std::fs::rename(&place, &aside).unwrap();
    store.abort(2, kit.storage.new_checkpoint(2).as_ref().unwrap());
    kit.storage.wait_for_deletions();
    std::fs::rename(&aside, &place).unwrap();
    let found = kit.storage.find_latest_intact().unwrap();
    assert_eq!(found.latest.unwrap().checkpoint_id(), 1);
    assert_eq!(found.incomplete, [2]);
}

#[test]
fn a_shared_file_lives_exactly_as_long_as_a_retained_checkpoint_names_it() {
    // Method: 1 writes a; 2 names a and writes b; 3 names b only and writes c; 4 starts afresh with d.
    let kit = Kit::new();
    let mut store = kit.store(1);
    let (first, a) = kit.incremental(1, &[]);
    store.add(first);
    let (second, ab) = kit.incremental(2, &shared_of(&a));
    store.add(second);
    kit.storage.wait_for_deletions();
    assert_eq!(shared_files(&kit).len(), 2, "2 still names the file of 1");
    let (third, bc) = kit.incremental(3, &shared_of(&ab)[1..]);
    store.add(third);
    kit.storage.wait_for_deletions();
    assert_eq!(
        shared_files(&kit).len(),
        2,
        "the file of 1 is gone, those of 2 and 3 are named"
    );
    let found = kit.storage.find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(
        read_all(found.location(), found.metadata())[..2],
        [content(2, LARGE), content(3, LARGE)]
    );
    store.add(kit.incremental(4, &[]).0);
    kit.storage.wait_for_deletions();
    assert_eq!(shared_files(&kit).len(), 1);
    drop(bc);
}

#[test]
fn an_aborted_checkpoint_leaves_nothing_and_takes_nothing() {
    // Method: 2 is given up after one task handed its state in; another task's state comes too late.
    let kit = Kit::new();
    let mut store = kit.store(1);
    let (first, a) = kit.incremental(1, &[]);
    store.add(first);
    let before = kit.files();
    let location = kit.storage.new_checkpoint(2).unwrap();
    let in_time = incremental(&*location.stream_factory(), 2, &shared_of(&a));
    store.register_pending(2, &in_time);
    store.abort(2, &location);
    let late = incremental(&*location.stream_factory(), 3, &shared_of(&a));
    store.discard_late(&location, &late);
    kit.storage.wait_for_deletions();
    assert_eq!(kit.files(), before);
    assert!(!kit.job_dir().join("chk-2").exists());
}

#[test]
fn a_restart_takes_over_what_was_retained() {
    // Method: three retained checkpoints that share a file, a restart, and one more checkpoint.
    let mut kit = Kit::new();
    let mut store = kit.store(3);
    let (first, a) = kit.incremental(1, &[]);
    store.add(first);
    store.add(kit.incremental(2, &shared_of(&a)).0);
    store.add(kit.incremental(3, &shared_of(&a)).0);
    drop(store);
    kit.reopen();
    let mut store = kit.store(3);
    let found = kit.storage.find_latest_intact().unwrap();
    store.recover(&found);
    assert_eq!(ids(&store), [3, 2, 1]);
    assert_eq!(store.add(kit.checkpoint(found.next_checkpoint_id)), [1]);
    kit.storage.wait_for_deletions();
    assert_eq!(shared_files(&kit).len(), 3, "2 and 3 still name the file of 1");
    assert_eq!(store.add(kit.checkpoint(5)), [2]);
    assert_eq!(store.add(kit.checkpoint(6)), [3]);
    kit.storage.wait_for_deletions();
    assert_eq!(shared_files(&kit).len(), 0);
}

#[test]
fn a_damaged_checkpoint_stays_until_a_newer_one_completes() {
    let kit = Kit::new();
    kit.checkpoint(1);
    kit.checkpoint(2);
    std::fs::write(kit.job_dir().join("chk-2/_metadata"), b"damage").unwrap();
    std::fs::write(kit.job_dir().join("shared/orphan"), b"perhaps named by 2").unwrap();
    let found = kit.storage.find_latest_intact().unwrap();
    let mut store = kit.store(1);
    store.recover(&found);
    kit.storage.wait_for_deletions();
    assert!(kit.job_dir().join("chk-2/_metadata").exists() && shared_files(&kit).contains("orphan"));
    store.add(kit.checkpoint(3));
    kit.storage.wait_for_deletions();
    assert!(!kit.job_dir().join("chk-2").exists() && !kit.job_dir().join("chk-1").exists());
    // The next start finds nothing damaged, and the orphan.
    kit.store(1).recover(&kit.storage.find_latest_intact().unwrap());
    kit.storage.wait_for_deletions();
    assert!(shared_files(&kit).is_empty());
}

/// Goal: what a process that was killed within an upload left in `shared/` goes at the next start, though the object store hides
/// files that are not finished, and also when no checkpoint had completed yet. Method: such files by hand, with and without a
/// checkpoint.
#[test]
fn uploads_that_were_cut_off_are_swept_away() {
    for completed in [false, true] {
        let mut kit = Kit::new();
        let named = completed.then(|| kit.incremental(1, &[]));
        let before = shared_files(&kit);
        for left in ["unfinished#1", "unfinished#12", "finished"] {
            std::fs::write(kit.job_dir().join("shared").join(left), b"left").unwrap();
        }
        // A new process; the writer of these files is gone.
        kit.reopen();
        let recovered = kit.storage.find_latest_intact().unwrap();
        assert_eq!(recovered.latest.is_some(), named.is_some());
        let mut store = kit.store(1);
        store.recover(&recovered);
        if !completed {
            store.start_without_snapshot();
        }
        kit.storage.wait_for_deletions();
        assert_eq!(shared_files(&kit), before, "completed={completed}");
    }
}

#[test]
fn the_end_of_the_job_keeps_or_deletes_by_policy() {
    use JobStatus::{Canceled, Failed, Finished, Suspended};
    use RetentionPolicy::{DeleteOnCancellation, NoExternalized, RetainOnCancellation};
    for (policy, status, kept) in [
        (RetainOnCancellation, Finished, false),
        (RetainOnCancellation, Canceled, true),
        (RetainOnCancellation, Failed, true),
        (DeleteOnCancellation, Canceled, false),
        (DeleteOnCancellation, Failed, true),
        (NoExternalized, Finished, false),
        (NoExternalized, Canceled, false),
        (NoExternalized, Failed, false),
        (NoExternalized, Suspended, true),
    ] {
        let kit = Kit::new();
        let mut store = kit.store(1);
        store.add(kit.incremental(1, &[]).0);
        let before = kit.files();
        store.shutdown(&result(status), policy).unwrap();
        let expected = match (kept, status) {
            (true, _) => before,
            (false, Finished) => BTreeSet::from(["job-result.json".to_string()]),
            (false, _) => BTreeSet::new(),
        };
        assert_eq!(kit.files(), expected, "{policy:?} {status:?}");
        assert_eq!(
            kit.job_dir().exists(),
            kept || status == Finished,
            "{policy:?} {status:?}"
        );
    }
}

#[test]
fn a_finished_job_is_known_to_have_finished() {
    let mut kit = Kit::new();
    assert_eq!(kit.storage.read_job_result().unwrap(), None);
    kit.store(1)
        .shutdown(&result(JobStatus::Finished), RetentionPolicy::default())
        .unwrap();
    kit.reopen();
    assert_eq!(
        kit.storage.read_job_result().unwrap(),
        Some(result(JobStatus::Finished))
    );
    let path = kit.job_dir().join("job-result.json");
    let json = std::fs::read_to_string(&path).unwrap();
    assert!(
        json.contains("\"status\": \"FINISHED\"") && json.contains(&job().to_string()),
        "{json}"
    );
    std::fs::write(&path, json.replace("FINISHED", "DANCING")).unwrap();
    let error = kit.storage.read_job_result().unwrap_err();
    assert_eq!(
        (error.kind(), error.context("path")),
        (ErrorKind::Corrupt, Some(text(&path).as_str())),
        "{error}"
    );
    let other = JobResult {
        job_id: JobId::from_name("other"),
        ..result(JobStatus::Finished)
    };
    kit.storage.clear_job_result().unwrap();
    kit.storage.write_job_result(&other).unwrap();
    assert_eq!(
        kit.storage.read_job_result().unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    kit.storage.clear_job_result().unwrap();
    assert_eq!(kit.storage.read_job_result().unwrap(), None);
}

/// Another job's retained checkpoint, and the storage of the job that is started from it.
fn two_jobs() -> (Kit, std::sync::Arc<FileSystemCheckpointStorage>, String) {
    let kit = Kit::new();
    kit.incremental(7, &[]);
    let directory = text(kit.dir.path());
    let heir =
        FileSystemCheckpointStorage::open(&directory, JobId::from_name("heir"), StorageOptions::default());
    let checkpoint = text(&kit.job_dir().join("chk-7"));
    (kit, heir.unwrap(), checkpoint)
}

fn next(heir: &FileSystemCheckpointStorage, id: u64) -> millpond_checkpoint::storage::CompletedCheckpoint {
    let location = heir.new_checkpoint(id).unwrap();
    let state = full(&*location.stream_factory(), id);
    location.commit(&crate::kit::metadata(id, state)).unwrap()
}

#[test]
fn a_snapshot_that_is_not_claimed_is_never_touched() {
    let (kit, heir, path) = two_jobs();
    let before = kit.files();
    let mut store = CompletedCheckpointStore::new(heir.clone(), 1).unwrap();
    store.adopt_restored(load_savepoint(&path).unwrap(), ClaimMode::NoClaim);
    assert_eq!(
        store.latest().unwrap().checkpoint_id(),
        7,
        "a failure before the first checkpoint goes back to it"
    );
    assert_eq!(store.add(next(&heir, 8)), [7]);
    store
        .shutdown(&result(JobStatus::Canceled), RetentionPolicy::NoExternalized)
        .unwrap();
    assert_eq!(kit.files(), before);
}

#[test]
fn a_claimed_snapshot_is_deleted_when_it_is_subsumed() {
    // Method: a file that the snapshot doesn't name lies in its folder and in shared/; both stay.
    let (kit, heir, path) = two_jobs();
    std::fs::write(kit.job_dir().join("chk-7/note.txt"), b"mine").unwrap();
    std::fs::write(kit.job_dir().join("shared/other"), b"of another checkpoint").unwrap();
    let mut store = CompletedCheckpointStore::new(heir.clone(), 1).unwrap();
    store.adopt_restored(load_savepoint(&path).unwrap(), ClaimMode::Claim);
    heir.wait_for_deletions();
    assert!(kit.files().contains("chk-7/_metadata"));
    assert_eq!(store.add(next(&heir, 8)), [7]);
    heir.wait_for_deletions();
    let left = ["chk-7/note.txt", "shared/other"].map(String::from);
    assert_eq!(kit.files(), BTreeSet::from(left));
}

#[test]
fn a_savepoint_is_never_added_nor_deleted() {
    let kit = Kit::new();
    let target = tempfile::tempdir().unwrap();
    let location = kit.storage.new_savepoint(&text(target.path())).unwrap();
    let stream = write(&*location.stream_factory(), Exclusive, &content(1, LARGE));
    let mut state = full(&*location.stream_factory(), 3);
    if let millpond_state::handle::KeyedStateHandle::KeyGroups(h) = &mut state.managed_keyed[0] {
        h.stream = stream;
    }
    let savepoint = location.commit(&crate::kit::savepoint(3, state)).unwrap();
    let before = files_under(target.path());
    let mut store = kit.store(1);
    store.add(savepoint);
    assert!(store.latest().is_none());
    store.add(kit.checkpoint(4));
    store.add(kit.checkpoint(5));
    store
        .shutdown(&result(JobStatus::Finished), RetentionPolicy::NoExternalized)
        .unwrap();
    assert_eq!(files_under(target.path()), before);
}
