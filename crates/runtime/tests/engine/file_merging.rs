//! Jobs whose small states share files.

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

/// Goal: the states of all tasks of a checkpoint lie in one file, and jobs go on from it at any parallelism. Method: without merging, each
/// of the four counts would have a file of its own, and so would each source and sink.
#[test]
fn a_checkpoint_of_many_tasks_has_one_state_file_and_restores() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let parallelisms = [4, 3, 1];
    for (i, parallelism) in parallelisms.iter().enumerate() {
        let last = i + 1 == parallelisms.len();
        let env = environment(*parallelism);
        env.set_option("execution.checkpointing.dir", dir.path().display());
        env.set_option("execution.checkpointing.file-merging.enabled", true);
        env.set_option("execution.checkpointing.data-inline-threshold", "0");
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        let rate = if last { 1_000_000 } else { 10_000 };
        count_into(&numbers(&env, Some(12_000), rate), &sink);
        let job = env.execute_async("merging").unwrap();
        if last {
            assert!(job.wait().unwrap().details.checkpoints.latest_restored.is_some());
        } else {
            checkpoints(&job, 3);
            job.cancel();
            job.wait().unwrap_err();
            let files = state_files(dir.path());
            assert_eq!(files.len(), 1, "{files:?}");
        }
    }
    assert_eq!(occurrences(sink.collected()), expected_counts(12_000));
}
