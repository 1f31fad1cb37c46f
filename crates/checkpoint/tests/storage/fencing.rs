//! One job, one writer: whoever takes over fences off whoever was there, wherever that one was in its work.

use crate::kit::{full, incremental, job, metadata, open, shared_of, text};
use bytes::Bytes;
use millpond_checkpoint::completed::{CompletedCheckpointStore, RetentionPolicy};
use millpond_checkpoint::result_store::{JobResult, JobStatus};
use millpond_checkpoint::storage::{CheckpointLocation, FileSystemCheckpointStorage};
use millpond_core::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// A process that runs the job in `dir`: its storage and its checkpoints.
struct Process {
    storage: Arc<FileSystemCheckpointStorage>,
    store: CompletedCheckpointStore,
    restored: Option<u64>,
    next: u64,
}

fn start(dir: &Path) -> Process {
    let storage = open(dir);
    storage.acquire().unwrap();
    let found = storage.find_latest_intact().unwrap();
    let mut store = CompletedCheckpointStore::new(Arc::clone(&storage), 1).unwrap();
    store.recover(&found);
    storage.wait_for_deletions();
    Process {
        restored: found.latest.map(|c| c.checkpoint_id()),
        next: found.next_checkpoint_id,
        storage,
        store,
    }
}

impl Process {
    fn begin(&mut self) -> (u64, CheckpointLocation) {
        let id = self.next;
        self.next += 1;
        (id, self.storage.new_checkpoint(id).unwrap())
    }
    fn complete(&mut self) -> u64 {
        let (id, location) = self.begin();
        let state = full(&*location.stream_factory(), id);
        let checkpoint = location.commit(&metadata(id, state)).unwrap();
        self.store.add(checkpoint);
        self.storage.wait_for_deletions();
        id
    }
}

fn finished(message: &str) -> JobResult {
    JobResult {
        job_id: job(),
        name: "job".to_string(),
        status: JobStatus::Finished,
        end_time_ms: 1,
        message: Some(message.to_string()),
    }
}

fn message(storage: &FileSystemCheckpointStorage) -> Option<String> {
    storage.read_job_result().unwrap().and_then(|r| r.message)
}

#[test]
fn whoever_was_taken_over_can_neither_commit_nor_begin_nor_end_the_job_nor_delete() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    first.complete();
    let (pending, location) = first.begin();
    let state = full(&*location.stream_factory(), pending);
    let mut second = start(dir.path());
    assert_eq!((second.restored, second.next), (Some(1), pending + 1));

    let error = location.commit(&metadata(pending, state)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("owner=process") && said.contains("nothing is lost"),
        "{said}"
    );
    let begin = first.storage.new_checkpoint(first.next + 1).unwrap_err();
    assert_eq!(begin.kind(), ErrorKind::Fenced, "{begin}");
    let result = finished("first");
    let end = first
        .store
        .shutdown(&result, RetentionPolicy::NoExternalized)
        .unwrap_err();
    assert_eq!(end.kind(), ErrorKind::Fenced, "{end}");
    let result = JobResult {
        status: JobStatus::Canceled,
        ..result
    };
    first
        .store
        .shutdown(&result, RetentionPolicy::NoExternalized)
        .unwrap();

    let last = second.complete();
    let third = start(dir.path());
    assert_eq!(third.restored, Some(last));
    assert!(third.storage.read_job_result().unwrap().is_none());
}

#[test]
fn a_checkpoint_that_a_process_completes_after_it_was_taken_over_does_not_count() {
    // Method: what a process that slept inside its last write leaves: the metadata land after another has taken over.
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    first.complete();
    let (pending, location) = first.begin();
    let state = full(&*location.stream_factory(), pending);
    let second = start(dir.path());
    let late = metadata(pending, state).encode().unwrap();
    std::fs::create_dir_all(location.display()).unwrap();
    std::fs::write(format!("{}/_metadata", location.display()), late).unwrap();
    drop(second);
    let third = start(dir.path());
    assert_eq!(third.restored, Some(1));
    assert!(third.next > pending, "its number is taken nevertheless");
}

#[test]
fn numbers_are_never_given_out_twice_though_nothing_of_the_first_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    first.complete();
    let mut last = 0;
    for _ in 0..3 {
        let (id, location) = first.begin();
        drop(full(&*location.stream_factory(), id));
        first.store.abort(id, &location);
        last = id;
    }
    first.storage.wait_for_deletions();
    assert!(start(dir.path()).next > last);
}

#[test]
fn after_a_write_of_unknown_outcome_nothing_is_deleted_that_another_could_have_found() {
    // Method: the metadata can't be written since something of that name is in the way; the checkpoint is aborted. Whoever takes
    // over must not go on from it, even if the write is carried out later.
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    first.complete();
    let (id, location) = first.begin();
    let (_, sibling) = first.begin();
    let state = full(&*location.stream_factory(), id);
    std::fs::create_dir_all(format!("{}/_metadata", location.display())).unwrap();
    let error = location.commit(&metadata(id, state.clone())).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Fenced, "{error}");
    std::fs::remove_dir(format!("{}/_metadata", location.display())).unwrap();
    first.store.abort(id, &location);
    first.storage.wait_for_deletions();
    // One that was begun before belongs to the epoch that was given up.
    let error = sibling.commit(&metadata(id + 1, state.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let late = metadata(id, state).encode().unwrap();
    std::fs::write(format!("{}/_metadata", location.display()), late).unwrap();
    let next = first.complete();
    assert_eq!(start(dir.path()).restored, Some(next));
}

#[test]
fn shared_files_of_the_new_owner_survive_whatever_the_old_one_still_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    let (id, location) = first.begin();
    let state = incremental(&*location.stream_factory(), id, &[]);
    let kept = shared_of(&state);
    first.store.register_pending(id, &state);
    first.store.add(location.commit(&metadata(id, state)).unwrap());
    let (pending, unfinished) = first.begin();
    let state = incremental(&*unfinished.stream_factory(), pending, &kept);
    first.store.register_pending(pending, &state);

    let mut second = start(dir.path());
    let (next, location) = second.begin();
    let own = incremental(&*location.stream_factory(), next, &kept);
    second.store.register_pending(next, &own);
    second.store.add(location.commit(&metadata(next, own)).unwrap());
    second.storage.wait_for_deletions();

    first.store.abort(pending, &unfinished);
    first.storage.wait_for_deletions();
    assert_eq!(
        start(dir.path()).restored,
        Some(next),
        "every file of it is verified"
    );
}

#[test]
fn two_that_start_at_once_end_with_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let storages: Vec<_> = (0..4).map(|_| open(dir.path())).collect();
    std::thread::scope(|scope| {
        for storage in &storages {
            scope.spawn(move || storage.acquire().unwrap());
        }
    });
    let owners = storages.iter().filter(|s| s.check_owner().is_ok()).count();
    assert_eq!(owners, 1);
}

#[test]
fn damaged_takeovers_stop_the_start_and_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path()).complete();
    let epochs = dir.path().join(job().to_string()).join("epochs");
    let starts: Vec<_> = std::fs::read_dir(&epochs)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| text(p).ends_with(".start"))
        .collect();
    assert_eq!(starts.len(), 1);
    std::fs::write(&starts[0], Bytes::from_static(b"{")).unwrap();
    let error = open(dir.path()).find_latest_intact().unwrap_err();
    assert_eq!(
        (error.kind(), error.context("path")),
        (ErrorKind::Corrupt, Some(text(&starts[0]).as_str()))
    );
}

#[test]
fn a_process_that_sleeps_through_the_end_of_its_job_stays_fenced_off() {
    // Method: while it sleeps another one ends the job, and the request of a third to take the job over, given up long ago, is
    // carried out: it took the sleeper's own epoch.
    let dir = tempfile::tempdir().unwrap();
    let sleeper = start(dir.path());
    let epochs = dir.path().join(job().to_string()).join("epochs");
    let names = std::fs::read_dir(&epochs).unwrap();
    let names: Vec<_> = names
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let owner = names.iter().find(|n| !n.ends_with(".start")).unwrap();
    let mut second = start(dir.path());
    let policy = RetentionPolicy::NoExternalized;
    second.store.shutdown(&finished("well"), policy).unwrap();
    std::fs::write(epochs.join(owner), "a late one").unwrap();
    let error = sleeper.storage.new_checkpoint(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}

#[test]
fn a_result_replaces_one_that_does_not_count_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let owner = start(dir.path());
    let file = dir.path().join(job().to_string()).join("job-result.json");
    let earlier = serde_json::json!({
        "job-id": job().to_string(), "name": "job", "status": "FINISHED", "end-time-ms": 1, "epoch": 1,
    });
    std::fs::write(&file, earlier.to_string()).unwrap();
    assert_eq!(owner.storage.read_job_result().unwrap(), None);
    owner.storage.write_job_result(&finished("first")).unwrap();
    assert_eq!(message(&owner.storage).as_deref(), Some("first"));
    owner.storage.write_job_result(&finished("second")).unwrap();
    assert_eq!(message(&owner.storage).as_deref(), Some("first"));
}

#[test]
fn the_number_of_an_aborted_checkpoint_is_not_given_out_by_the_next_process() {
    // Deletions of the aborted one may still be on their way when it starts.
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    first.complete();
    let (aborted, location) = first.begin();
    first.store.abort(aborted, &location);
    let suspended = JobResult {
        status: JobStatus::Suspended,
        ..finished("")
    };
    first
        .store
        .shutdown(&suspended, RetentionPolicy::NoExternalized)
        .unwrap();
    assert_eq!(start(dir.path()).next, aborted + 1);
}

#[test]
fn a_result_that_somebody_went_by_stays_valid_whoever_else_had_taken_the_job_over() {
    // Method: the owner's result is carried out late, when another process has taken over and sleeps before it begins; a third one
    // finds the result, and then the second wakes up.
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path());
    let epochs = dir.path().join(job().to_string()).join("epochs");
    let names = std::fs::read_dir(&epochs).unwrap();
    let epoch = names
        .filter_map(|e| e.unwrap().file_name().to_str()?.parse::<u64>().ok())
        .next();
    let sleeper = open(dir.path());
    sleeper.acquire().unwrap();
    drop(first);
    let late = serde_json::json!({
        "job-id": job().to_string(), "name": "job", "status": "FINISHED", "end-time-ms": 1, "epoch": epoch.unwrap(),
    });
    let file = dir.path().join(job().to_string()).join("job-result.json");
    std::fs::write(file, late.to_string()).unwrap();
    assert!(open(dir.path()).uphold_job_result().unwrap().is_some());
    let error = sleeper.find_latest_intact().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert!(open(dir.path()).read_job_result().unwrap().is_some());
}

#[test]
fn a_process_that_slept_before_it_swept_deletes_no_shared_file_of_a_later_owner() {
    let dir = tempfile::tempdir().unwrap();
    let sleeper = open(dir.path());
    sleeper.acquire().unwrap();
    sleeper.find_latest_intact().unwrap();
    let mut second = start(dir.path());
    let (id, location) = second.begin();
    let state = incremental(&*location.stream_factory(), id, &[]);
    location.commit(&metadata(id, state)).unwrap();
    let store = CompletedCheckpointStore::new(Arc::clone(&sleeper), 1).unwrap();
    store.start_without_snapshot();
    sleeper.wait_for_deletions();
    assert_eq!(start(dir.path()).restored, Some(id));
}

/// Goal: a folder that is away, as with a disk that is not mounted, is no takeover: checkpoints fail while it is, and go on when it is
/// back.
#[test]
fn an_owner_whose_folder_is_away_for_a_while_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = start(dir.path());
    process.complete();
    let epochs = dir.path().join(job().to_string()).join("epochs");
    let aside = dir.path().join("aside");
    std::fs::rename(&epochs, &aside).unwrap();
    let refused = process.storage.check_owner().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io, "{}", refused.report());
    assert!(refused.report().contains("epochs"), "{}", refused.report());
    let begun = process.storage.new_checkpoint(process.next).map(drop);
    process.next += 1;
    assert_eq!(begun.unwrap_err().kind(), ErrorKind::Io);
    std::fs::rename(&aside, &epochs).unwrap();
    process.complete();

    // The other one's epoch is there, whatever became of this one's.
    let _other = start(dir.path());
    assert_eq!(
        process.storage.check_owner().unwrap_err().kind(),
        ErrorKind::Fenced
    );
}
