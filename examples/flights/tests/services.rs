//! The flights job with its checkpoints on real servers, S3 and HDFS, started by `make test-services`, which says where they are:
//! killed at 25 random moments each, it ends with the same output. Not built otherwise.
#![expect(clippy::panic, reason = "test code")]

mod support;

use millpond::core::host::entropy;
use support::kills::{Lives, Survived, kill_until_the_end};
use support::{Place, assert_same, undisturbed};

/// Long enough for a checkpoint: on a loaded machine one takes a second on HDFS.
const LIVES: Lives = Lives {
    millis: 300..4_000,
    throttle: 2_500,
};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this by `make test-services`"))
}

/// Goal: kills lose and double nothing when checkpoints lie on a server. Method: as with checkpoints on a local disk; and the last
/// life has to have gone on from a checkpoint there.
fn survives_kills(base: &str, options: &[&str]) {
    let checkpoints = format!("{}/flights/{:016x}", base.trim_end_matches('/'), entropy());
    let place = Place::with_checkpoints_at(&checkpoints);
    let Survived { run, log } = kill_until_the_end(&place, 2, &LIVES, options);
    assert_same(&place.committed(), undisturbed(), &run);
    let went_on = log.lines().find(|line| line.contains("goes on from a snapshot"));
    assert!(
        went_on.is_some_and(|line| line.contains(&checkpoints)),
        "{run}: {log}"
    );
}

#[test]
fn output_is_the_same_after_kills_with_checkpoints_on_s3() {
    let bucket = format!("s3://{}", variable("MILLPOND_S3_BUCKET"));
    let endpoint = format!("s3.endpoint={}", variable("MILLPOND_S3_ENDPOINT"));
    survives_kills(&bucket, &["-D", &endpoint, "-D", "s3.path.style.access=true"]);
}

#[test]
fn output_is_the_same_after_kills_with_checkpoints_on_hdfs() {
    survives_kills(&variable("MILLPOND_HDFS_URI"), &[]);
}

#[test]
fn output_is_the_same_after_kills_with_merged_files_on_hdfs() {
    let merging = [
        "-D",
        "execution.checkpointing.file-merging.enabled=true",
        "-D",
        "execution.checkpointing.data-inline-threshold=0",
    ];
    survives_kills(&variable("MILLPOND_HDFS_URI"), &merging);
}
