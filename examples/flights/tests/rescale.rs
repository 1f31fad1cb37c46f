//! Savepoints: stopped at one parallelism, the job goes on at another, and at another again; the output is that of an
//! undisturbed run.
#![expect(clippy::unwrap_used, reason = "test code")]

mod support;

use millpond_rest::wire::StopRequest;
use support::{Place, assert_same, client, finish, run_until_checkpoint, text, undisturbed};

/// Starts the job at `parallelism`, from `from` if given, stops it in the middle, and says where the savepoint is.
fn run_and_stop(place: &Place, parallelism: u32, from: Option<&str>) -> String {
    let mut job = place.job(parallelism);
    job.args(["--throttle", "20000"])
        .args(from.map(|path| ["-s", path]).into_iter().flatten());
    let mut child = run_until_checkpoint(place, &mut job, 3);
    let client = client(place, &mut child);
    let target_directory = Some(place.savepoints().display().to_string());
    let stop = StopRequest {
        target_directory,
        ..StopRequest::default()
    };
    let path = client
        .wait_for_savepoint(&client.trigger_stop(&stop).unwrap(), |_| ())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("stopped with the savepoint"),
        "{}",
        text(&output.stderr)
    );
    assert!(
        output.stdout.is_empty(),
        "no report in the middle: {}",
        text(&output.stdout)
    );
    path
}

#[test]
fn stopped_at_2_continued_at_3_stopped_and_continued_at_1() {
    let place = Place::new();
    let first = run_and_stop(&place, 2, None);
    let second = run_and_stop(&place, 3, Some(&first));
    let mut job = place.job(1);
    job.args(["-s", &second]);
    let output = finish(job);
    assert!(
        text(&output.stdout).contains("336,776 (all of them)"),
        "{}",
        text(&output.stdout)
    );
    assert_same(&place.committed(), undisturbed(), "2, then 3, then 1");
}
