//! Jobs whose small states share files, or stand in the metadata file.

use super::{checkpoints, count_into, environment, expected_counts, numbers, occurrences};
use millpond_connectors::CollectSink;
use std::path::Path;

/// The names in the newest checkpoint's folder that aren't the protocol's.
fn state_files(dir: &Path) -> Vec<String> {
    let job = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    let id = |path: &Path| {
        path.file_name()?
            .to_str()?
            .strip_prefix("chk-")?
            .parse::<u64>()
            .ok()
    };
    let folders = std::fs::read_dir(job).unwrap().map(|entry| entry.unwrap().path());
    let newest = folders
        .filter(|path| path.join("_metadata").exists())
        .max_by_key(|path| id(path))
        .unwrap();
    let names = std::fs::read_dir(newest)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('_')).collect()
}

/// Runs a job that counts at three parallelisms, each going on from the last checkpoint of the one before, which has as many state files
/// as wanted.
fn goes_on_at_any_parallelism(options: &[(&str, &str)], state_files_wanted: usize) {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let parallelisms = [4, 3, 1];
    for (i, parallelism) in parallelisms.iter().enumerate() {
        let last = i + 1 == parallelisms.len();
        let env = environment(*parallelism);
        env.set_option("execution.checkpointing.dir", dir.path().display());
        for (key, value) in options {
            env.set_option(key, value);
        }
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        let rate = if last { 1_000_000 } else { 10_000 };
        count_into(&numbers(&env, Some(12_000), rate), &sink);
        let job = env.execute_async("small states").unwrap();
        if last {
            assert!(job.wait().unwrap().details.checkpoints.latest_restored.is_some());
        } else {
            checkpoints(&job, 3);
            job.cancel();
            job.wait().unwrap_err();
            let files = state_files(dir.path());
            assert_eq!(files.len(), state_files_wanted, "{files:?}");
        }
    }
    assert_eq!(occurrences(sink.collected()), expected_counts(12_000));
}

/// Goal: the states of all tasks of a checkpoint lie in one file, and jobs go on from it at any parallelism. Method: without merging, each
/// of the four counts would have a file of its own, and so would each source and sink.
#[test]
fn a_checkpoint_of_many_tasks_has_one_state_file_and_restores() {
    let merging = [
        ("execution.checkpointing.file-merging.enabled", "true"),
        ("execution.checkpointing.data-inline-threshold", "0"),
    ];
    goes_on_at_any_parallelism(&merging, 1);
}

/// Goal: with JobManager storage and a folder a checkpoint has no state file, whatever the threshold, and jobs of later processes go on
/// from it.
#[test]
fn a_checkpoint_of_job_manager_storage_restores_from_its_folder() {
    let job_manager = [
        ("execution.checkpointing.storage", "jobmanager"),
        ("execution.checkpointing.data-inline-threshold", "0"),
        ("execution.checkpointing.incremental", "true"),
    ];
    goes_on_at_any_parallelism(&job_manager, 0);
}
