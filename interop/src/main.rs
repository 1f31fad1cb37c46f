//! The command behind `make flink-it`, and its parts one by one.

use clap::{Args, Parser, Subcommand};
use millpond::core::{Error, ErrorKind, Result};
use millpond_interop::flink::{Flink, read_lines};
use millpond_interop::job::Setup;
use millpond_interop::matrix::{exchange, key_groups, table};
use millpond_interop::turns::take_turns;
use millpond_interop::{compare, job};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exchanges savepoints between Millpond and Flink.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fill every cell of the exchange with releases of Flink and print the table.
    All {
        /// Where Maven built the jobs: a folder for each release.
        #[arg(long, default_value = "flink-it/target")]
        target: PathBuf,
        /// Where savepoints, dumps and logs go.
        #[arg(long, default_value = "flink-it/target/exchange")]
        work: PathBuf,
        /// Flink's releases.
        #[arg(required = true)]
        versions: Vec<String>,
    },
    /// Fill state, stop with a savepoint, and print its path.
    Write {
        /// Where the savepoint goes.
        folder: PathBuf,
        #[command(flatten)]
        setup: SetupArgs,
    },
    /// Restore a savepoint and print all that it holds.
    Restore {
        /// The savepoint.
        savepoint: String,
        #[command(flatten)]
        setup: SetupArgs,
    },
    /// Compare a dump with the truth.
    Compare {
        /// The dump that is right.
        truth: PathBuf,
        /// The dump that may be wrong.
        found: PathBuf,
        /// How many tasks each operator had where it was found.
        #[arg(short, default_value_t = 1)]
        parallelism: u32,
    },
}

/// What a job runs with.
#[derive(Args, Clone, Copy)]
struct SetupArgs {
    /// Millpond's state backend.
    #[arg(short, long, default_value = "hashmap", value_parser = backend)]
    backend: &'static str,
    /// How many tasks each operator runs as.
    #[arg(short, long, default_value_t = 1)]
    parallelism: u32,
}

fn backend(text: &str) -> std::result::Result<&'static str, String> {
    let known = job::BACKENDS.iter().find(|b| **b == text).copied();
    known.ok_or_else(|| format!("this program was built with {}", job::BACKENDS.join(" and ")))
}

impl From<SetupArgs> for Setup {
    fn from(args: SetupArgs) -> Self {
        Setup {
            backend: args.backend,
            parallelism: args.parallelism,
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {}", e.report());
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<bool> {
    match command {
        Command::All {
            target,
            work,
            versions,
        } => {
            if !cfg!(feature = "rocksdb") {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "exchange savepoints",
                    "this program was built without RocksDB",
                )
                .hint("run `make flink-it`, which builds it with the feature `rocksdb`"));
            }
            let mut cells = Vec::new();
            for version in versions {
                let target = target.join(&version);
                let flink = Flink { version, target };
                cells.push(key_groups(&flink, &work)?);
                cells.extend(exchange(&flink, &work)?);
                cells.extend(take_turns(&flink, &work)?);
            }
            print!("{}", table(&cells));
            let passed = cells.iter().filter(|c| c.passed()).count();
            println!("{passed} of {} exchanges passed", cells.len());
            Ok(passed == cells.len())
        }
        Command::Write { folder, setup } => {
            println!("{}", job::write(&folder, setup.into())?);
            Ok(true)
        }
        Command::Restore { savepoint, setup } => {
            let mut lines: Vec<_> = job::restore(&savepoint, setup.into())?
                .iter()
                .map(ToString::to_string)
                .collect();
            lines.sort();
            lines.iter().for_each(|line| println!("{line}"));
            Ok(true)
        }
        Command::Compare {
            truth,
            found,
            parallelism,
        } => {
            let states = compare::compare(&read_lines(&truth)?, &read_lines(&found)?, parallelism);
            for ((operator, state), difference) in &states {
                println!("{operator} {state}: {}", difference.as_deref().unwrap_or("ok"));
            }
            Ok(states.values().all(Option::is_none))
        }
    }
}
