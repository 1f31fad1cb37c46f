//! A process that sleeps too long: another takes its place, and when it wakes up it may write nothing that counts.
//!
//! The first process is stopped by SIGSTOP at some moment of its checkpoints, a second goes on from the newest one and completes two
//! of its own, the first is woken up by SIGCONT. It has to end by itself and say why; what is left has to be whole; a
//! third process goes on to the end, and the output is that of an undisturbed run.

use crate::{command, job, left, process};
use millpond_core::host::sleep;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How many moments are tried.
pub const PAUSES: u64 = 3;
/// Names no failpoint: the process goes slowly and isn't killed.
const SLOWLY: &str = "none:1";

pub fn survives_a_pause(backend: &str, pause: u64) {
    let place = tempfile::tempdir().unwrap();
    let first = command(place.path(), backend, Some(SLOWLY), None)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The moment is the machine's: the steps of a checkpoint take less than one of these.
    while newest_checkpoint(place.path()) < 3 + 2 * pause {
        sleep(Duration::from_micros(300 + 170 * pause));
    }
    signal("STOP", &first);
    let status = process(place.path(), backend, None, Some(2));
    assert!(status.success(), "the second process ended with {status}");
    let second = newest_checkpoint(place.path());
    signal("CONT", &first);

    let ended = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "the first process went on to its end");
    assert!(
        said.contains("[fenced]") && said.contains("another process has taken over"),
        "{said}"
    );
    assert_eq!(
        newest_checkpoint(place.path()),
        second,
        "the first process completed a checkpoint"
    );

    let status = process(place.path(), backend, None, Some(2));
    assert!(status.success(), "the third process ended with {status}");
    left::check(place.path());
    let status = process(place.path(), backend, None, None);
    assert!(status.success(), "the last process ended with {status}");
    assert_eq!(job::output(place.path()), job::expected_output());
}

fn signal(name: &str, process: &Child) {
    let status = Command::new("kill")
        .args([format!("-{name}"), process.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name}: {status}");
}

/// The number of the newest complete checkpoint; 0 if there is none.
fn newest_checkpoint(place: &Path) -> u64 {
    let jobs = std::fs::read_dir(job::checkpoints(place))
        .into_iter()
        .flatten()
        .flatten();
    jobs.flat_map(|job| std::fs::read_dir(job.path()).into_iter().flatten().flatten())
        .filter(|folder| folder.path().join("_metadata").exists())
        .filter_map(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .strip_prefix("chk-")?
                .parse()
                .ok()
        })
        .max()
        .unwrap_or(0)
}
