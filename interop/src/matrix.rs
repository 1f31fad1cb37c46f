//! Every cell of the exchange with one release of Flink: who writes, who restores, on which backend, at which parallelism.

use crate::compare::{Comparison, compare};
use crate::flink::{Flink, read_lines};
use crate::job::{self, BACKENDS, Setup};
use millpond::core::{Error, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The parallelisms that are written and read at.
const PARALLELISMS: [u32; 3] = [1, 2, 3];
/// For each parallelism that is written at, how far in [`PARALLELISMS`] those are that it is read at. Each pair of backends leaves
/// out one of the three, and they take turns in which, so that all nine changes of parallelism are tried in each direction.
const SHIFTS: [[usize; 2]; 4] = [[0, 1], [1, 2], [2, 0], [0, 1]];
/// Flink's backends.
const FLINK_BACKENDS: [&str; 2] = ["hashmap", "rocksdb"];
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
    let by_millpond = millpond_writes(&work.join(format!("millpond-for-{}", flink.version)))?;
    let (truths, mut cells) = flink_restores(flink, work, &by_flink, &by_millpond)?;
    for (savepoint, backend, parallelism) in restores(&by_flink, BACKENDS) {
        let setup = Setup { backend, parallelism };
        let found = job::restore(&savepoint.path, setup).map_err(|e| e.report().to_string());
        let reader = format!("Millpond {backend} p={parallelism}");
        cells.push(cell(savepoint, reader, parallelism, &truths, found));
    }
    Ok(cells)
}

/// What Flink said once of the key groups of many keys, which the tests of `millpond-types` hold Millpond to.
const KEY_GROUPS: &str = include_str!("../../crates/types/tests/golden/key_groups.txt");

/// Whether `flink` says of the key groups of many keys of each type what is checked in.
///
/// # Errors
/// As [`exchange`].
pub fn key_groups(flink: &Flink, work: &Path) -> Result<Cell> {
    let out = work.join(format!("flink-{}-key-groups", flink.version));
    let log = out.with_extension("log");
    let answers = flink.run(&[format!("keygroups\t{}", out.display())], &log)?;
    let outcome = answers.into_iter().collect::<std::result::Result<Vec<_>, _>>();
    let outcome = match outcome {
        Err(why) => Err(why),
        Ok(_) => {
            let found = fs::read_to_string(&out)
                .map_err(|e| Error::io("read key groups", e).with("path", out.display()))?;
            let difference = (found != KEY_GROUPS).then(|| format!("{} differs", out.display()));
            let name = ("100,000 keys of each type".to_owned(), "key-groups".to_owned());
            Ok(Comparison::from([(name, difference)]))
        }
    };
    Ok(Cell {
        writer: format!("Flink {}", flink.version),
        reader: "Millpond".to_owned(),
        outcome,
    })
}

/// Which savepoint is restored on which of the `readers`' backends, at which parallelism.
fn restores<'a>(
    savepoints: &'a [Savepoint],
    readers: &[&'static str],
) -> Vec<(&'a Savepoint, &'static str, u32)> {
    let mut all = Vec::new();
    for (n, savepoint) in savepoints.iter().enumerate() {
        let (writer, written_at) = (n / PARALLELISMS.len(), n % PARALLELISMS.len());
        for (reader, backend) in readers.iter().enumerate() {
            let shifts = SHIFTS.iter().cycle().nth(writer * readers.len() + reader);
            for shift in shifts.into_iter().flatten() {
                let read_at = PARALLELISMS.iter().cycle().nth(written_at + shift);
                all.extend(read_at.map(|p| (savepoint, *backend, *p)));
            }
        }
    }
    all
}

fn millpond_writes(work: &Path) -> Result<Vec<Savepoint>> {
    let mut savepoints = Vec::new();
    for &backend in BACKENDS {
        for parallelism in PARALLELISMS {
            savepoints.push(Savepoint {
                writer: format!("Millpond {backend} p={parallelism}"),
                parallelism,
                path: job::write(work, Setup { backend, parallelism })?,
            });
        }
    }
    Ok(savepoints)
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
    let log = work.join(format!("flink-{}-writes.log", flink.version));
    let answers = flink.run(&commands, &log)?;
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
/// On one of its backends and each parallelism, for what the savepoints of one parallelism hold must be the same.
fn flink_restores(
    flink: &Flink,
    work: &Path,
    own: &[Savepoint],
    millponds: &[Savepoint],
) -> Result<(Truths, Vec<Cell>)> {
    let own = own.iter().take(PARALLELISMS.len());
    let mut restores: Vec<_> = own.map(|s| (s, "hashmap", s.parallelism)).collect();
    restores.extend(self::restores(millponds, &FLINK_BACKENDS));
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
    let answers = flink.run(&commands, &log)?;
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
                    let mut of_column = states.iter().filter(|((_, state), _)| state == column).peekable();
                    let mark = if of_column.peek().is_none() {
                        "-"
                    } else if of_column.any(|(_, difference)| difference.is_some()) {
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
