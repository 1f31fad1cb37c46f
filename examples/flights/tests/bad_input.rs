//! What people get wrong, and what the job tells them: each message names the thing and the next step.
#![expect(clippy::unwrap_used, reason = "test code")]

mod support;

use millpond_rest::wire::StopRequest;
use std::path::{Path, PathBuf};
use support::{Place, client, finish, run_until_checkpoint, text};

const HEADER: &str = "dep_time,dep_delay,arr_delay,carrier,flight,tailnum,origin,dest,minute,time_hour";

/// A small data set with one row that can't be read, in line 3.
fn data_with_a_bad_row(place: &Place) -> PathBuf {
    let data = place.path().join("data");
    std::fs::create_dir_all(data.join("flights")).unwrap();
    for table in ["airlines.csv", "planes.csv"] {
        std::fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(table),
            data.join(table),
        )
        .unwrap();
    }
    let rows = [
        HEADER,
        "517,2,11,UA,1545,N14228,EWR,IAH,15,2013-01-01T10:00:00Z",
        "533,four,20,UA,1714,N24211,LGA,IAH,29,2013-01-01T10:00:00Z",
        "542,2,33,AA,1141,N619AA,JFK,MIA,40,2013-01-01T10:00:00Z",
    ];
    std::fs::write(data.join("flights").join("some.csv"), rows.join("\n") + "\n").unwrap();
    data
}

/// Runs the job with `args` and gives its exit code and what it says.
fn failing(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let mut job = place.job(2);
    // Beside the job's own log lines, as a person at a terminal sees it.
    job.env("MILLPOND_LOG", "error").args(args);
    let output = job.output().unwrap();
    assert!(!output.status.success());
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_malformed_row_is_skipped_counted_and_named_by_file_and_line() {
    let place = Place::new();
    let mut job = place.job(1);
    job.arg("--data").arg(data_with_a_bad_row(&place));
    let output = finish(job);
    let log = text(&output.stderr);
    assert!(log.contains("some.csv") && log.contains("line=3"), "{log}");
    assert!(log.contains("1 malformed row"), "{log}");
    assert!(
        text(&output.stdout).contains("Flights counted: 2 (NOT the whole data set)"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_malformed_row_fails_the_job_when_asked_to() {
    let place = Place::new();
    let data = data_with_a_bad_row(&place);
    let (code, log) = failing(
        &place,
        &[
            "--data",
            data.to_str().unwrap(),
            "--fail-on-malformed",
            "-D",
            "restart-strategy.type=none",
        ],
    );
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("some.csv") && log.contains("line=3") && log.contains("four"),
        "{log}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    let (code, log) = failing(
        &place,
        &["--data", "/no/such/folder", "-D", "restart-strategy.type=none"],
    );
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("/no/such/folder"), "{log}");
}

#[test]
fn an_unknown_option_is_answered_with_the_nearest_known_one() {
    let (code, log) = failing(&Place::new(), &["-D", "execution.checkpointing.intervall=1s"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(
        log.contains("did you mean execution.checkpointing.interval?"),
        "{log}"
    );
}

#[test]
fn parallelism_above_max_parallelism_is_refused() {
    let (code, log) = failing(&Place::new(), &["-p", "200"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("200") && log.contains("128"), "{log}");
}

#[test]
fn a_checkpoint_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    let (code, log) = failing(
        &place,
        &["-D", "execution.checkpointing.dir=/dev/null/checkpoints"],
    );
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("/dev/null"), "{log}");
}

#[test]
fn a_savepoint_that_is_not_there_is_answered_with_the_nearest_names() {
    let place = Place::new();
    std::fs::create_dir_all(place.savepoints().join("savepoint-abcdef-123456789012")).unwrap();
    let path = place.savepoints().join("savepoint-abcdef-123456789013");
    let (code, log) = failing(&place, &["-s", path.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("savepoint-abcdef-123456789012"), "{log}");
}

#[test]
fn a_savepoint_with_another_max_parallelism_tells_which_to_set() {
    let place = Place::new();
    let mut job = place.job(2);
    job.args(["--throttle", "20000"]);
    let mut child = run_until_checkpoint(&place, &mut job, 2);
    let client = client(&place, &mut child);
    let target_directory = Some(place.savepoints().display().to_string());
    let stop = StopRequest {
        target_directory,
        ..StopRequest::default()
    };
    let path = client
        .wait_for_savepoint(&client.trigger_stop(&stop).unwrap(), |_| ())
        .unwrap();
    child.wait().unwrap();
    let (code, log) = failing(&place, &["-s", &path, "-D", "pipeline.max-parallelism=64"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("set pipeline.max-parallelism to 128"), "{log}");
}
