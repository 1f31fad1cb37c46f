//! Faults of the world: missing and changed files, folders that can't be written, full disks, failing encoders.

use super::{job, names, sink, visible};
use crate::sink::file::FileSink;
use crate::sink::testing::{SinkJob, Start};
use crate::testing::logged;
use millpond_core::{Error, ErrorKind};
use tempfile::tempdir;

/// Goal: records that would be lost stop the recovery, by name. Method: remove or change a pending file between the
/// checkpoint and the recovery.
#[test]
fn a_pending_file_that_is_gone_or_changed_stops_the_recovery() {
    for content in [None, Some("7")] {
        let dir = tempdir().unwrap();
        let mut job = job(dir.path());
        job.start(Start::Fresh, 1).unwrap();
        job.write(0, 1).unwrap();
        let id = job.prepare().unwrap();
        let name = names(dir.path()).remove(0);
        match content {
            None => std::fs::remove_file(dir.path().join(&name)).unwrap(),
            Some(text) => std::fs::write(dir.path().join(&name), text).unwrap(),
        }
        let e = job.start(Start::Recover(id), 1).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
        assert_eq!(e.context("pending"), Some(name.as_str()));
        assert!(e.to_string().contains("start from an older"), "{e}");
    }
}

/// Goal: an old savepoint can be used after its output was taken away; that is said, and not an error.
#[test]
fn output_taken_away_since_the_savepoint_is_only_warned_about() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    let savepoint = job.checkpoint().unwrap();
    std::fs::remove_file(dir.path().join(&names(dir.path())[0])).unwrap();
    let (result, log) = logged(|| job.start(Start::Savepoint(savepoint), 1));
    result.unwrap();
    assert!(log.contains("WARN") && log.contains("taken away"), "{log}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_the_next_step() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "").unwrap();
    let e = SinkJob::new(sink(&path)).start(Start::Fresh, 1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    assert_eq!(e.context("path"), path.to_str());
    assert!(e.to_string().contains("another folder"), "{e}");
}

/// Goal: after a failed write the writer refuses, it doesn't guess. Method: take the folder away under it, so that the
/// rename at the checkpoint fails.
#[test]
fn after_a_failure_the_writer_takes_nothing_more() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("out");
    let mut job = job(&out);
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    let e = job.prepare().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    std::fs::create_dir(&out).unwrap();
    for e in [job.write(0, 2).unwrap_err(), job.prepare().unwrap_err()] {
        assert_eq!(e.kind(), ErrorKind::IllegalState);
        assert!(
            e.context("cause").is_some_and(|c| c.contains("seal part file")),
            "{e}"
        );
    }
    assert!(visible(&out).is_empty());
}

/// Goal: a full disk is an error that says so. Method: Linux' `/dev/full` in place of the part file.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_to_be_full() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    job.checkpoint().unwrap();
    // The name that the next part file will have leads to the device.
    let finished = names(dir.path()).remove(0);
    let in_progress = format!(".{}-1.inprogress", finished.strip_suffix("-1-0.txt").unwrap());
    std::os::unix::fs::symlink("/dev/full", dir.path().join(in_progress)).unwrap();
    job.write(0, 2).unwrap();
    let e = job.prepare().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io);
    let text = e.to_string();
    assert!(
        text.contains("the disk is full") && text.contains("free space"),
        "{text}"
    );
    assert_eq!(visible(dir.path()), [1]);
}

#[test]
fn a_record_that_cannot_be_encoded_fails_the_task_by_its_own_error() {
    struct Odd;
    impl crate::sink::file::Encoder<u64> for Odd {
        fn encode(&self, value: &u64, out: &mut Vec<u8>) -> millpond_core::Result<()> {
            out.extend_from_slice(b"half a rec");
            if value.is_multiple_of(2) {
                Err(Error::user("even"))
            } else {
                Ok(())
            }
        }
    }
    let dir = tempdir().unwrap();
    let mut job = SinkJob::new(FileSink::for_row_format(dir.path(), Odd));
    job.start(Start::Fresh, 1).unwrap();
    let e = job.write(0, 2).unwrap_err();
    assert_eq!((e.kind(), e.message()), (ErrorKind::UserFunction, "even"));
}

/// Goal: many recoveries in a row, at changing parallelism and with notices that reached only some, add up.
#[test]
fn repeated_recoveries_add_up() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 4).unwrap();
    for round in 0..10u64 {
        for i in 0..4 {
            job.write(i, round * 4 + i as u64).unwrap();
        }
        let id = job.prepare().unwrap();
        // Every other instance heard of the completion before the crash.
        for i in [0, 2] {
            job.instances[i].complete(id).unwrap();
        }
        job.write(1, 999).unwrap();
        job.start(Start::Recover(id), 4 - (round % 2) as u32 * 2).unwrap();
        if job.instances.len() < 4 {
            job.start(Start::Recover(id), 4).unwrap();
        }
        assert_eq!(visible(dir.path()), (0..(round + 1) * 4).collect::<Vec<_>>());
    }
}
