//! Without faults: what is visible when, under which name.

use super::{hidden, job, names, sink, visible};
use crate::sink::file::FileSink;
use crate::sink::testing::{SinkJob, Start};
use millpond_core::ErrorKind;
use tempfile::tempdir;

#[test]
fn records_are_visible_when_their_checkpoint_is_complete_and_not_before() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("made/by/the/sink");
    let mut job = job(&out);
    job.start(Start::Fresh, 2).unwrap();
    job.write(0, 1).unwrap();
    job.write(1, 2).unwrap();
    assert!(visible(&out).is_empty());
    let first = job.prepare().unwrap();
    assert!(visible(&out).is_empty());
    job.write(0, 3).unwrap();
    job.complete(first).unwrap();
    assert_eq!(visible(&out), [1, 2]);
    job.complete(first).unwrap();
    job.checkpoint().unwrap();
    assert_eq!(visible(&out), [1, 2, 3]);
    assert_eq!(hidden(&out), 0);
}

#[test]
fn an_aborted_checkpoint_leaves_its_files_to_the_next() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    job.prepare().unwrap();
    job.write(0, 2).unwrap();
    let next = job.prepare().unwrap();
    // The restored state names both files: the abort forgot nothing.
    job.start(Start::Recover(next), 1).unwrap();
    assert_eq!(visible(dir.path()), [1, 2]);
}

#[test]
fn names_say_whose_a_file_is() {
    let dir = tempdir().unwrap();
    let mut job = SinkJob::new(sink(dir.path()).prefix("out"));
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    job.checkpoint().unwrap();
    let [name] = &names(dir.path())[..] else {
        panic!("one file")
    };
    let job_digits = &job.job_id.to_string()[..8];
    assert!(
        name.starts_with(&format!("out-{job_digits}-")) && name.ends_with("-1-0-1-0.txt"),
        "{name}"
    );
}

#[test]
fn empty_files_are_not_published() {
    let dir = tempdir().unwrap();
    let mut job = SinkJob::new(FileSink::for_row_format(dir.path(), Nothing));
    job.start(Start::Fresh, 1).unwrap();
    job.checkpoint().unwrap();
    job.write(0, 1).unwrap();
    job.checkpoint().unwrap();
    assert!(names(dir.path()).is_empty());
}

struct Nothing;
impl crate::sink::file::Encoder<u64> for Nothing {
    fn encode(&self, _value: &u64, _out: &mut Vec<u8>) -> millpond_core::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_file_is_followed_by_another() {
    let dir = tempdir().unwrap();
    let mut job = SinkJob::new(sink(dir.path()).part_bytes_max(20));
    job.start(Start::Fresh, 1).unwrap();
    for n in 100..120 {
        job.write(0, n).unwrap();
    }
    assert!(visible(dir.path()).is_empty());
    job.checkpoint().unwrap();
    assert_eq!(visible(dir.path()), (100..120).collect::<Vec<_>>());
    assert_eq!(names(dir.path()).len(), 4);
    assert_eq!(hidden(dir.path()), 0);
}

#[test]
fn large_output_goes_through_the_buffer_unchanged() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 1).unwrap();
    for n in 0..100_000 {
        job.write(0, n).unwrap();
    }
    job.checkpoint().unwrap();
    assert_eq!(visible(dir.path()), (0..100_000).collect::<Vec<_>>());
}

#[test]
fn without_checkpoints_the_end_of_the_input_commits() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.checkpointing = false;
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    assert!(visible(dir.path()).is_empty());
    job.end_input(0).unwrap();
    assert_eq!(visible(dir.path()), [1]);
}

#[test]
fn with_checkpoints_the_end_of_the_input_waits_for_the_last_one() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, 1).unwrap();
    job.end_input(0).unwrap();
    assert!(visible(dir.path()).is_empty());
    job.checkpoint().unwrap();
    assert_eq!(visible(dir.path()), [1]);
}

#[test]
fn json_lines_are_what_serde_writes() {
    let dir = tempdir().unwrap();
    let mut job = SinkJob::new(FileSink::json_lines::<(String, Option<i64>)>(dir.path()));
    job.start(Start::Fresh, 1).unwrap();
    job.write(0, ("a\n\"b\"".to_string(), None)).unwrap();
    job.write(0, ("c".to_string(), Some(7))).unwrap();
    job.checkpoint().unwrap();
    let [name] = &names(dir.path())[..] else {
        panic!("one file")
    };
    assert!(name.ends_with(".jsonl"));
    let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(text, "[\"a\\n\\\"b\\\"\",null]\n[\"c\",7]\n");
}

#[test]
fn a_prefix_that_is_no_part_of_a_visible_name_is_refused() {
    let dir = tempdir().unwrap();
    for prefix in ["", ".hidden", "a/b"] {
        let mut job = SinkJob::new(sink(dir.path()).prefix(prefix));
        assert_eq!(job.start(Start::Fresh, 1).unwrap_err().kind(), ErrorKind::Config);
    }
}
