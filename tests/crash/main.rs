//! A process killed at every failpoint around snapshot, upload, registry and deletion, and what is left on the disk.
//!
//! Each test goes through four processes, which are this binary again:
//! 1. one that dies while it writes, so that the next has something to recover and to sweep;
//! 2. one that dies at the failpoint, the how-manieth time it gets there;
//! 3. one that completes two checkpoints and is cancelled. Then every retained checkpoint verifies, file by file, and nothing
//!    else is left in the job's folder;
//! 4. one that goes on from there to the end, whose output is that of an undisturbed run.
//!
//! Others ([`fencing`]) put a process to sleep and start another in its place.
//!
//! The failpoints are those of [`Failpoint::ALL`]: a new one is tested without anybody thinking of it, and one that the job
//! never reaches fails its test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod fencing;
mod job;
mod left;

use libtest_mimic::{Arguments, Trial};
use millpond_core::failpoint::{Failpoint, VARIABLE};
use std::path::Path;
use std::process::{Command, ExitStatus};

/// How often a failpoint is reached before the process dies: once at the very beginning, once while checkpoints are subsumed
/// and deleted.
const HITS: [u64; 2] = [1, 7];

/// Where state is kept.
const BACKENDS: &[&str] = if cfg!(feature = "rocksdb") {
    &["hashmap", "rocksdb"]
} else {
    &["hashmap"]
};

fn main() {
    if let Some(role) = job::Role::of_this_process() {
        return job::run(&role);
    }
    let mut trials = Vec::new();
    for &backend in BACKENDS {
        for &failpoint in Failpoint::ALL {
            for hit in HITS.into_iter().filter(|hit| *hit <= hits_of(failpoint)) {
                let name = format!("{backend}::{}::{hit}", failpoint.name());
                trials.push(Trial::test(name, move || {
                    survives(backend, failpoint, hit);
                    Ok(())
                }));
            }
        }
    }
    for &backend in BACKENDS {
        for pause in 0..fencing::PAUSES {
            let name = format!("{backend}::taken-over-while-asleep::{pause}");
            trials.push(Trial::test(name, move || {
                fencing::survives_a_pause(backend, pause);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// How often a process reaches a failpoint, at the most that a test may ask for.
fn hits_of(failpoint: Failpoint) -> u64 {
    match failpoint {
        Failpoint::RecoveryBegins | Failpoint::RecoverySwept => 1,
        _ => u64::MAX,
    }
}

fn survives(backend: &str, failpoint: Failpoint, hit: u64) {
    let place = tempfile::tempdir().unwrap();
    let first = format!("{}:6", Failpoint::UploadEnds.name());
    assert_killed(process(place.path(), backend, Some(&first), None), &first);
    let second = format!("{}:{hit}", failpoint.name());
    assert_killed(process(place.path(), backend, Some(&second), None), &second);

    let status = process(place.path(), backend, None, Some(2));
    assert!(status.success(), "after the crashes the job ended with {status}");
    left::check(place.path());

    let status = process(place.path(), backend, None, None);
    assert!(status.success(), "the last process ended with {status}");
    assert_eq!(job::output(place.path()), job::expected_output());
}

/// Runs the job in a process of its own: until the failpoint kills it, until so many checkpoints have completed, or to the end.
fn process(place: &Path, backend: &str, failpoint: Option<&str>, checkpoints: Option<u64>) -> ExitStatus {
    command(place, backend, failpoint, checkpoints).status().unwrap()
}

fn command(place: &Path, backend: &str, failpoint: Option<&str>, checkpoints: Option<u64>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.envs(job::Role::variables(place, backend, checkpoints));
    match failpoint {
        Some(failpoint) => command.env(VARIABLE, failpoint),
        None => command.env_remove(VARIABLE),
    };
    command
}

fn assert_killed(status: ExitStatus, failpoint: &str) {
    assert!(
        status.code().is_none(),
        "the process never came to {failpoint}: it ended with {status}"
    );
}
