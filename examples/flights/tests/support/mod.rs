//! Runs the flights job as a process, as a person or a supervisor would: start, kill, look at what it committed.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]
#![expect(dead_code, reason = "each test file uses its part")]

pub mod kills;

use millpond::core::host::sleep;
use millpond_rest::client::JobClient;
use millpond_rest::registry::Entry;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// A place for one job: its output and its checkpoints.
pub struct Place {
    dir: tempfile::TempDir,
    /// Where checkpoints go if not beside the output: a URI.
    remote: Option<String>,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
            remote: None,
        }
    }
    /// With the output here and checkpoints at `uri`.
    pub fn with_checkpoints_at(uri: &str) -> Place {
        Place {
            remote: Some(uri.to_owned()),
            ..Place::new()
        }
    }
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
    pub fn output(&self) -> PathBuf {
        self.dir.path().join("findings")
    }
    pub fn checkpoints(&self) -> PathBuf {
        self.dir.path().join("checkpoints")
    }
    pub fn savepoints(&self) -> PathBuf {
        self.dir.path().join("savepoints")
    }

    /// The job with a checkpoint every 50 ms, three of them kept.
    pub fn job(&self, parallelism: u32) -> Command {
        let local = || self.checkpoints().display().to_string();
        let dir = self.remote.clone().unwrap_or_else(local);
        let mut job = Command::new(env!("CARGO_BIN_EXE_flights"));
        job.env("MILLPOND_HOME", self.dir.path().join("home"))
            .args(["-p", &parallelism.to_string()])
            .arg("--output")
            .arg(self.output())
            .args(["-D", "execution.checkpointing.interval=50 ms"])
            .args(["-D", "execution.checkpointing.num-retained=3"])
            .args(["-D", "pipeline.max-parallelism=128"])
            .arg("-D")
            .arg(format!("execution.checkpointing.dir={dir}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        job
    }

    /// Every committed line, sorted.
    pub fn committed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for part in ["chains", "carriers"] {
            let folder = self.output().join(part);
            for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
                let entry = entry.unwrap();
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    let text = std::fs::read_to_string(entry.path()).unwrap();
                    lines.extend(text.lines().map(|l| format!("{part} {l}")));
                }
            }
        }
        lines.sort();
        lines
    }

    /// The folders of complete checkpoints, newest first.
    pub fn complete_checkpoints(&self) -> Vec<PathBuf> {
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        for job in std::fs::read_dir(self.checkpoints())
            .into_iter()
            .flatten()
            .flatten()
        {
            for entry in std::fs::read_dir(job.path()).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let id = name.strip_prefix("chk-").and_then(|n| n.parse().ok());
                if let Some(id) = id.filter(|_| entry.path().join("_metadata").exists()) {
                    found.push((id, entry.path()));
                }
            }
        }
        found.sort();
        found.into_iter().rev().map(|(_, path)| path).collect()
    }
}

/// Runs a job to its end and expects it to be a good one.
pub fn finish(mut job: Command) -> Output {
    let output = job.output().unwrap();
    assert!(
        output.status.success(),
        "the job failed: {}",
        text(&output.stderr)
    );
    output
}

/// Starts a job and lets it run until it has completed a checkpoint.
pub fn run_until_checkpoint(place: &Place, job: &mut Command, at_least: usize) -> Child {
    let mut child = job.spawn().unwrap();
    let newest = |place: &Place| {
        let name = place
            .complete_checkpoints()
            .first()
            .and_then(|p| p.file_name()?.to_str()?.strip_prefix("chk-")?.parse().ok());
        name.unwrap_or(0usize)
    };
    let before = newest(place);
    for _ in 0..3000 {
        if newest(place) >= before + at_least {
            return child;
        }
        if let Some(status) = child.try_wait().unwrap() {
            let output = child.wait_with_output().unwrap();
            panic!(
                "the job ended before a checkpoint ({status}): {}",
                text(&output.stderr)
            );
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("no checkpoint within 30 seconds");
}

/// SIGKILL, and waits until the process is gone.
pub fn kill(mut child: Child) {
    child.kill().expect("the process takes a signal");
    child.wait().unwrap();
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What an undisturbed run commits: the same every time, so one run does for all tests of a process.
pub fn undisturbed() -> &'static [String] {
    static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let place = Place::new();
        finish(place.job(2));
        let lines = place.committed();
        assert!(
            lines.len() > 1000,
            "the job found hardly anything: {} lines",
            lines.len()
        );
        lines
    });
    &LINES
}

/// Says what differs, in few words.
pub fn assert_same(got: &[String], expected: &[String], what: &str) {
    if got == expected {
        return;
    }
    let only = |a: &[String], b: &[String]| {
        let b: std::collections::BTreeSet<_> = b.iter().collect();
        a.iter()
            .filter(|l| !b.contains(l))
            .take(3)
            .cloned()
            .collect::<Vec<_>>()
    };
    panic!(
        "{what}: {} lines instead of {}; only here: {:#?}; missing: {:#?}",
        got.len(),
        expected.len(),
        only(got, expected),
        only(expected, got)
    );
}

/// The REST client of the job that runs as `child`, once it can be found.
pub fn client(place: &Place, child: &mut Child) -> JobClient {
    let folder = place.path().join("home").join("jobs");
    for _ in 0..1000 {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(text) = std::fs::read(entry.path()) else {
                continue;
            };
            let Ok(found) = serde_json::from_slice::<Entry>(&text) else {
                continue;
            };
            if found.pid == child.id() {
                return JobClient::new(found.address.parse().unwrap(), found.job_id.parse().unwrap());
            }
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "the job ended before it could be found"
        );
        sleep(Duration::from_millis(10));
    }
    panic!("the job can't be found in {}", folder.display());
}
