//! Damaged checkpoints: a flipped byte in any file of the newest one is noticed and named, the one before is used, and the output
//! is the same. With every checkpoint damaged the job refuses to start.
#![expect(clippy::unwrap_used, reason = "test code")]

mod support;

use std::path::{Path, PathBuf};
use support::{Place, assert_same, finish, kill, run_until_checkpoint, text, undisturbed};

/// A place where the job was killed in the middle, with at least two complete checkpoints.
fn killed_in_the_middle() -> Place {
    let place = Place::new();
    let mut job = place.job(2);
    // So fast that little is left for each of the runs that go on from here.
    job.args(["--throttle", "50000"]);
    kill(run_until_checkpoint(&place, &mut job, 4));
    assert!(place.complete_checkpoints().len() >= 2);
    place
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
}

fn flip_a_byte(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).unwrap() ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_in_any_file_of_the_newest_checkpoint_costs_nothing_but_that_checkpoint() {
    let expected = undisturbed();
    let original = killed_in_the_middle();
    let newest = original.complete_checkpoints().remove(0);
    let names: Vec<_> = files(&newest)
        .iter()
        .map(|f| f.file_name().unwrap().to_owned())
        // Whose the folder is, not what is in it; and what a writer that was killed at the end of its work left behind.
        .filter(|name| name != "_epoch" && !name.to_string_lossy().contains('#'))
        .collect();
    assert!(names.len() >= 3, "metadata, checksums and state: {names:?}");
    for name in names {
        let place = Place::new();
        copy(original.path(), place.path());
        let damaged = place.complete_checkpoints().remove(0);
        flip_a_byte(&damaged.join(&name));

        let output = finish(place.job(2));

        let log = text(&output.stderr);
        let warnings: Vec<_> = log
            .lines()
            .filter(|l| l.contains("damaged checkpoint skipped"))
            .collect();
        let chk = damaged.file_name().unwrap().to_str().unwrap();
        assert_eq!(warnings.len(), 1, "one warning for {name:?}: {log}");
        assert!(
            warnings[0].contains(chk) && warnings[0].contains(name.to_str().unwrap()),
            "{}",
            warnings[0]
        );
        assert_same(&place.committed(), expected, &format!("after damage to {name:?}"));
    }
}

#[test]
fn with_every_checkpoint_damaged_the_job_refuses_to_start() {
    let place = killed_in_the_middle();
    let committed = place.committed();
    for checkpoint in place.complete_checkpoints() {
        flip_a_byte(&checkpoint.join("_metadata"));
    }

    let output = place.job(2).output().unwrap();

    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(
        log.contains("every checkpoint of the job is damaged") && log.contains("-s"),
        "{log}"
    );
    assert_eq!(place.committed(), committed, "nothing was written");
}
