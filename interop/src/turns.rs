//! The job of [`crate::chain`] taken in turns: by Flink, by Millpond in a process of its own, by Flink again.

use crate::compare::compare;
use crate::flink::{Flink, read_lines};
use crate::job::Setup;
use crate::matrix::Cell;
use crate::windows;
use millpond::core::host::{sleep, spawn};
use millpond::core::{Error, Result};
use millpond_rest::client::{FoundJob, find};
use millpond_rest::registry::Registry;
use millpond_rest::wire::StopRequest;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Where one turn ends and the next begins: windows are open at both, and timers wait.
const TURNS: [i64; 4] = [0, 30, 60, 90];
/// How Millpond takes the turn in the middle.
const MIDDLE: [Setup; 2] = [
    Setup {
        backend: "hashmap",
        parallelism: 3,
    },
    Setup {
        backend: "rocksdb",
        parallelism: 1,
    },
];
/// How often a job is asked, and how long after each time.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);
/// How long a job may tell nothing before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets `flink` take all numbers, and then takes turns with it. Each cell compares what was told in turns with what Flink told alone.
///
/// # Errors
/// Io when a process can't be started or a file not be read; IllegalState when Millpond's doesn't do its turn.
pub fn take_turns(flink: &Flink, work: &Path) -> Result<Vec<Cell>> {
    let [start, first, second, end] = TURNS;
    let work = work.join(format!("turns-with-{}", flink.version));
    let out = |name: &str| work.join(format!("{name}.jsonl"));
    let answers = flink.run(
        &[
            command("hashmap", 2, "", start..end, "", &out("alone")),
            command(
                "rocksdb",
                2,
                "",
                start..first,
                &path(&work.join("first")),
                &out("first"),
            ),
        ],
        &work.join("first.log"),
    )?;
    let savepoint = match answers.into_iter().collect::<std::result::Result<Vec<_>, _>>() {
        Ok(answers) => answers.last().cloned().unwrap_or_default(),
        Err(why) => {
            return Err(Error::illegal_state("take turns", "Flink failed in the first").with("reason", why));
        }
    };
    let mut commands = Vec::new();
    for setup in MIDDLE {
        let turn = Turn {
            setup,
            savepoint: &savepoint,
            numbers: first..second,
            work: &work,
        };
        let savepoint = turn.run()?;
        let out = out(&format!("after-{}", setup.backend));
        commands.push(command("hashmap", 2, &savepoint, second..end, "", &out));
    }
    let answers = flink.run(&commands, &work.join("last.log"))?;
    let alone = read_lines(&out("alone"))?;
    let mut cells = Vec::new();
    for (setup, answer) in MIDDLE.iter().zip(answers) {
        let outcome = match answer {
            Err(why) => Err(why),
            Ok(_) => {
                let mut told = read_lines(&out("first"))?;
                told.extend(read_lines(&out(setup.backend))?);
                told.extend(read_lines(&out(&format!("after-{}", setup.backend)))?);
                Ok(compare(&alone, &told, 1))
            }
        };
        cells.push(Cell {
            writer: format!("Flink {} rocksdb p=2, then", flink.version),
            reader: format!("Millpond {} p={}, Flink", setup.backend, setup.parallelism),
            outcome,
        });
    }
    Ok(cells)
}

fn command(
    backend: &str,
    parallelism: u32,
    savepoint: &str,
    numbers: Range<i64>,
    folder: &str,
    out: &Path,
) -> String {
    let Range { start, end } = numbers;
    let out = out.display();
    format!("chain\t{backend}\t{parallelism}\t{savepoint}\t{start}\t{end}\t{folder}\t{out}")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Millpond's turn.
struct Turn<'a> {
    setup: Setup,
    savepoint: &'a str,
    numbers: Range<i64>,
    work: &'a Path,
}

impl Turn<'_> {
    /// Starts the job's program, stops it by its REST interface when it has taken its numbers, and returns the savepoint's path.
    fn run(&self) -> Result<String> {
        let name = self.setup.backend;
        let log = self.work.join(format!("{name}.log"));
        let mut process = self.start(&log)?;
        let (told, lines) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            spawn("lines of the job", move || {
                for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                    let _ = told.send(line);
                }
            })?;
        }
        let outcome = self.follow(&lines);
        if outcome.is_err() {
            let _ = process.kill();
        }
        let ended = process.wait().map_err(|e| Error::io("wait for the job", e))?;
        let (savepoint, text) = outcome.map_err(|e| e.with("log", log.display()))?;
        if !ended.success() {
            return Err(Error::illegal_state("take turns", "the job failed").with("log", log.display()));
        }
        let out = self.work.join(format!("{name}.jsonl"));
        fs::write(&out, text).map_err(|e| Error::io("write dump", e).with("path", out.display()))?;
        Ok(savepoint)
    }

    fn start(&self, log: &Path) -> Result<Child> {
        let io = |what: &'static str| move |e: std::io::Error| Error::io("start job", e).with("reason", what);
        let program = std::env::current_exe()
            .map_err(io("this program doesn't know where it is"))?
            .with_file_name("chain");
        Command::new(&program)
            .env("MILLPOND_HOME", self.home())
            .args(["-s", self.savepoint, "--allow-non-restored-state"])
            .args(["-p", &self.setup.parallelism.to_string()])
            .args(["-D", &format!("state.backend.type={}", self.setup.backend)])
            .args([
                "--first",
                &self.numbers.start.to_string(),
                "--end",
                &self.numbers.end.to_string(),
            ])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(log).map_err(io("the log can't be written"))?)
            .spawn()
            .map_err(|e| Error::io("start job", e).with("program", program.display()))
    }

    fn home(&self) -> PathBuf {
        self.work.join("home")
    }

    /// What the job tells until it has ended, and the savepoint that it was stopped with.
    fn follow(&self, lines: &mpsc::Receiver<String>) -> Result<(String, String)> {
        let mut left = self.numbers.clone().filter(|i| windows::is_element(*i)).count();
        let (mut text, mut savepoint) = (String::new(), None);
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let is_element = serde_json::from_str(&line)
                        .is_ok_and(|line: Value| line.get("state").is_some_and(|state| state == "element"));
                    left = left.saturating_sub(usize::from(is_element));
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(Error::illegal_state("take turns", "the job is stuck").with("left", left));
                }
            }
            if left == 0 && savepoint.is_none() {
                savepoint = Some(self.stop()?);
            }
        }
        let savepoint = savepoint
            .ok_or_else(|| Error::illegal_state("take turns", "the job ended early").with("left", left))?;
        Ok((savepoint, text))
    }

    fn stop(&self) -> Result<String> {
        let FoundJob { client, .. } = self.find()?;
        // Numbers may have been taken before the last task came up.
        for _ in 0..TRIES {
            if client.status()? == "RUNNING" {
                break;
            }
            sleep(PAUSE);
        }
        let trigger = client.trigger_stop(&StopRequest {
            target_directory: Some(path(&self.work.join(self.setup.backend))),
            ..StopRequest::default()
        })?;
        client.wait_for_savepoint(&trigger, |_| {})
    }

    /// The job may tell its first lines before it can be found.
    fn find(&self) -> Result<FoundJob> {
        let registry = Registry::at(self.home().join("jobs"));
        for _ in 0..TRIES {
            if let Ok(found) = find(&registry, "chain") {
                return Ok(found);
            }
            sleep(PAUSE);
        }
        find(&registry, "chain")
    }
}
