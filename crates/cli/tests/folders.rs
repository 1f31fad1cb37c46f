//! `checkpoints verify`, `orphans` and `gc`, and `savepoint -d`, as a person or a script runs them: without any job.
#![expect(clippy::unwrap_used, reason = "test code")]

use assert_cmd::Command;
use millpond_checkpoint::completed::RetentionPolicy;
use millpond_checkpoint::metadata::{
    CheckpointMetadata, CheckpointProperties, PostCheckpointAction, SavepointFormat,
};
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::JobId;
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with one checkpoint and a file that nobody names.
struct Folder {
    dir: TempDir,
    orphan: PathBuf,
    savepoint: PathBuf,
}

fn metadata(checkpoint_id: u64, properties: CheckpointProperties) -> CheckpointMetadata {
    CheckpointMetadata {
        checkpoint_id,
        operators: Vec::new(),
        properties: Some(properties),
    }
}

impl Folder {
    fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().display().to_string();
        let job = JobId::from_name("folders");
        let storage = FileSystemCheckpointStorage::open(&text, job, StorageOptions::default()).unwrap();
        let retained = RetentionPolicy::RetainOnCancellation.properties();
        let checkpoint = storage.new_checkpoint(1).unwrap();
        checkpoint.commit(&metadata(1, retained)).unwrap();
        let mine = CheckpointProperties::savepoint(PostCheckpointAction::None, SavepointFormat::Canonical);
        let savepoint = storage.new_savepoint(&format!("{text}/savepoints")).unwrap();
        savepoint.commit(&metadata(2, mine)).unwrap();
        let orphan = dir.path().join(job.to_string()).join("shared/0000");
        std::fs::write(&orphan, b"nobody's").unwrap();
        Folder {
            savepoint: savepoint.display().into(),
            dir,
            orphan,
        }
    }

    /// Runs the command with the folder as its last argument: exit code, standard output, standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::cargo_bin("millpond")
            .unwrap()
            .args(args)
            .arg(self.dir.path())
            .output()
            .unwrap();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[test]
fn verify_prints_each_checkpoint_and_its_exit_code_says_whether_one_is_damaged() {
    let folder = Folder::new();
    let (code, out, err) = folder.run(&["checkpoints", "verify"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("INTACT"), "{out}");
    let metadata = folder
        .orphan
        .parent()
        .unwrap()
        .with_file_name("chk-1")
        .join("_metadata");
    let mut bytes = std::fs::read(&metadata).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&metadata, bytes).unwrap();
    let (code, out, err) = folder.run(&["checkpoints", "verify", "--json"]);
    assert_eq!(code, 1, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report[0]["checkpoints"][0]["status"], "damaged");
    assert!(err.contains("some are damaged"), "{err}");
}

#[test]
fn orphans_are_listed_and_removed_only_on_request() {
    let folder = Folder::new();
    let (code, out, err) = folder.run(&["checkpoints", "orphans"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("shared/0000") && err.contains("1 files"),
        "{out}{err}"
    );
    let (_, out, _) = folder.run(&["checkpoints", "gc", "--dry-run", "--json"]);
    let done: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&done[0]["removed"], done[0]["orphans"].as_array().unwrap().len()),
        (&Value::Bool(false), 1)
    );
    assert!(folder.orphan.exists());
    let (code, _, err) = folder.run(&["checkpoints", "gc"]);
    assert_eq!(code, 0, "{err}");
    assert!(!folder.orphan.exists());
    assert_eq!(folder.run(&["checkpoints", "verify"]).0, 0);
}

#[test]
fn a_savepoint_is_deleted_by_its_path() {
    let folder = Folder::new();
    let dispose = || {
        let mut command = Command::cargo_bin("millpond").unwrap();
        command.args(["savepoint", "-d"]).arg(&folder.savepoint);
        command.output().unwrap()
    };
    assert!(dispose().status.success());
    assert!(!folder.savepoint.exists());
    let again = dispose();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing is there"));
}
