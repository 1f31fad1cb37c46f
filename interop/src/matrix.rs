//! Every cell of the exchange with one release of Flink: who writes, who restores, on which backend, at which parallelism.

use crate::compare::{Comparison, compare};
use crate::job;
use millpond::core::{Error, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The parallelisms that are written and read at.
const PARALLELISMS: [u32; 3] = [1, 2, 3];
/// Flink's backends.
const FLINK_BACKENDS: [&str; 2] = ["hashmap", "rocksdb"];
/// What Flink needs opened of the JDK; as its own `bin/config.sh` does, as far as these jobs go.
const OPENED: [&str; 7] = [
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
];

/// A release of Flink to exchange savepoints with, and where the jobs for it were compiled to.
#[derive(Clone, Debug)]
pub struct Flink {
    /// Its version.
    pub version: String,
    /// The folder that Maven built into: `classes` and `classpath`.
    pub target: PathBuf,
}

/// One savepoint restored by one program.
#[derive(Debug)]
pub struct Cell {
    /// Who wrote it.
    pub writer: String,
    /// Who restored it.
    pub reader: String,
    /// What came of it; or why nothing did.
    pub outcome: std::result::Result<Comparison, String>,
}

/// A savepoint and what it is.
struct Savepoint {
    writer: String,
    parallelism: u32,
    path: String,
}

impl Cell {
    /// Whether everything that was written was found, and nothing else.
    pub fn passed(&self) -> bool {
        matches!(&self.outcome, Ok(states) if !states.is_empty() && states.values().all(Option::is_none))
    }
}

/// Fills every cell for `flink`. `work` is a folder that savepoints and dumps are left in.
///
/// # Errors
/// Io when Java can't be started or a file not be written; IllegalState when a writer fails, since nothing can be compared then.
pub fn exchange(flink: &Flink, work: &Path) -> Result<Vec<Cell>> {
    let by_flink = flink_writes(flink, work)?;
    let mut by_millpond = Vec::new();
    for parallelism in PARALLELISMS {
        by_millpond.push(Savepoint {
            writer: format!("Millpond hashmap p={parallelism}"),
            parallelism,
            path: job::write(&work.join("millpond"), parallelism)?,
        });
    }
    let mut cells = Vec::new();
    let (truths, others) = flink_restores(flink, work, &by_flink, &by_millpond)?;
    cells.extend(others);
    for savepoint in &by_flink {
        for parallelism in PARALLELISMS {
            let found = job::restore(&savepoint.path, parallelism).map_err(|e| e.report().to_string());
            cells.push(cell(
                savepoint,
                format!("Millpond hashmap p={parallelism}"),
                parallelism,
                &truths,
                found,
            ));
        }
    }
    Ok(cells)
}

/// What savepoints written at a parallelism hold, as Flink finds it in its own.
type Truths = BTreeMap<u32, Vec<Value>>;

fn cell(
    savepoint: &Savepoint,
    reader: String,
    parallelism: u32,
    truths: &Truths,
    found: std::result::Result<Vec<Value>, String>,
) -> Cell {
    let outcome = match truths.get(&savepoint.parallelism) {
        Some(truth) => found.map(|found| compare(truth, &found, parallelism)),
        None => Err("Flink did not restore its own savepoint".to_owned()),
    };
    Cell {
        writer: savepoint.writer.clone(),
        reader,
        outcome,
    }
}

fn flink_writes(flink: &Flink, work: &Path) -> Result<Vec<Savepoint>> {
    let mut commands = Vec::new();
    let mut savepoints = Vec::new();
    for backend in FLINK_BACKENDS {
        for parallelism in PARALLELISMS {
            let folder = work.join(format!("flink-{}-{backend}-{parallelism}", flink.version));
            commands.push(format!("write\t{backend}\t{parallelism}\t{}", folder.display()));
            savepoints.push((
                format!("Flink {} {backend} p={parallelism}", flink.version),
                parallelism,
            ));
        }
    }
    let answers = run_flink(
        flink,
        &commands,
        &work.join(format!("flink-{}-writes.log", flink.version)),
    )?;
    savepoints
        .into_iter()
        .zip(answers)
        .map(|((writer, parallelism), answer)| {
            let path = answer.map_err(|why| {
                Error::illegal_state("write savepoint", "Flink failed")
                    .with("writer", &writer)
                    .with("reason", why)
            })?;
            Ok(Savepoint {
                writer,
                parallelism,
                path,
            })
        })
        .collect()
}

/// Lets Flink restore its own savepoints, which tells what is in them, and Millpond's.
fn flink_restores(
    flink: &Flink,
    work: &Path,
    own: &[Savepoint],
    millponds: &[Savepoint],
) -> Result<(Truths, Vec<Cell>)> {
    let mut restores = Vec::new();
    for savepoint in own.iter().take(PARALLELISMS.len()) {
        restores.push((savepoint, "hashmap", savepoint.parallelism));
    }
    for savepoint in millponds {
        for backend in FLINK_BACKENDS {
            restores.extend(PARALLELISMS.map(|p| (savepoint, backend, p)));
        }
    }
    let out = |number: usize| work.join(format!("flink-{}-restored-{number}.jsonl", flink.version));
    let commands: Vec<_> = restores
        .iter()
        .enumerate()
        .map(|(n, (savepoint, backend, p))| {
            format!(
                "restore\t{backend}\t{p}\t{}\t{}",
                savepoint.path,
                out(n).display()
            )
        })
        .collect();
    let log = work.join(format!("flink-{}-restores.log", flink.version));
    let answers = run_flink(flink, &commands, &log)?;
    let (mut truths, mut cells) = (Truths::new(), Vec::new());
    for (n, ((savepoint, backend, parallelism), answer)) in restores.into_iter().zip(answers).enumerate() {
        let found = match answer {
            Ok(_) => Ok(read_lines(&out(n))?),
            Err(why) => Err(why),
        };
        if n < PARALLELISMS.len() {
            truths.extend(found.map(|lines| (parallelism, lines)));
        } else {
            let reader = format!("Flink {} {backend} p={parallelism}", flink.version);
            cells.push(cell(savepoint, reader, parallelism, &truths, found));
        }
    }
    Ok((truths, cells))
}

/// Runs commands in one Java process; for each its answer, or why it failed.
fn run_flink(
    flink: &Flink,
    commands: &[String],
    log: &Path,
) -> Result<Vec<std::result::Result<String, String>>> {
    let io = |what: &'static str| move |e: std::io::Error| Error::io("run Flink", e).with("reason", what);
    fs::create_dir_all(log.parent().unwrap_or(Path::new("."))).map_err(io("the folder can't be made"))?;
    let jars =
        fs::read_to_string(flink.target.join("classpath")).map_err(io("the class path can't be read"))?;
    let mut java = Command::new("java");
    java.arg("-Xmx1g");
    for package in OPENED {
        java.arg(format!("--add-opens={package}=ALL-UNNAMED"));
    }
    java.arg("-cp")
        .arg(format!(
            "{}:{}",
            flink.target.join("classes").display(),
            jars.trim()
        ))
        .arg("org.millpond.it.Main")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(log).map_err(io("the log can't be written"))?);
    let mut process = java.spawn().map_err(io("java can't be started"))?;
    if let Some(mut stdin) = process.stdin.take() {
        stdin
            .write_all(commands.join("\n").as_bytes())
            .map_err(io("java takes no commands"))?;
    }
    let output = process.wait_with_output().map_err(io("java gave no answer"))?;
    let mut answers: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| match line.split_once('\t') {
            Some(("ok", path)) => Some(Ok(path.to_owned())),
            Some(("failed", why)) => Some(Err(why.to_owned())),
            _ => None,
        })
        .collect();
    answers.resize(
        commands.len(),
        Err(format!("java ended early; see {}", log.display())),
    );
    Ok(answers)
}

/// Reads a dump.
///
/// # Errors
/// Io when the file can't be read; Corrupt when it isn't lines of JSON.
pub fn read_lines(path: &Path) -> Result<Vec<Value>> {
    let text =
        fs::read_to_string(path).map_err(|e| Error::io("read dump", e).with("path", path.display()))?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|e| {
                Error::corrupt("read dump", "a line is no JSON")
                    .with("path", path.display())
                    .source(e)
            })
        })
        .collect()
}

/// The cells as a table: a row for each, a column for each state, over all operators that have one of the name.
pub fn table(cells: &[Cell]) -> String {
    let columns: BTreeSet<&str> = cells
        .iter()
        .filter_map(|c| c.outcome.as_ref().ok())
        .flat_map(|states| states.keys().map(|(_, state)| state.as_str()))
        .collect();
    let mut text = format!("{:<26} {:<26}", "written by", "restored by");
    for column in &columns {
        text.push_str(&format!(" {column}"));
    }
    text.push('\n');
    for cell in cells {
        text.push_str(&format!("{:<26} {:<26}", cell.writer, cell.reader));
        match &cell.outcome {
            Err(why) => text.push_str(&format!(" FAILED: {why}")),
            Ok(states) => {
                for column in &columns {
                    let mut of_column = states.iter().filter(|((_, state), _)| state == column);
                    let mark = if of_column.any(|(_, difference)| difference.is_some()) {
                        "FAIL"
                    } else {
                        "ok"
                    };
                    text.push_str(&format!(" {mark:<width$}", width = column.chars().count()));
                }
                for ((operator, state), difference) in states {
                    if let Some(difference) = difference {
                        text.push_str(&format!("\n    {operator} {state}: {difference}"));
                    }
                }
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
