//! The command behind `make flink-it`, and its parts one by one.

use clap::{Parser, Subcommand};
use millpond::core::Result;
use millpond_interop::matrix::{Flink, exchange, table};
use millpond_interop::{compare, job, matrix};
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
        /// How many tasks each operator runs as.
        #[arg(short, default_value_t = 1)]
        parallelism: u32,
    },
    /// Restore a savepoint and print all that it holds.
    Restore {
        /// The savepoint.
        savepoint: String,
        /// How many tasks each operator runs as.
        #[arg(short, default_value_t = 1)]
        parallelism: u32,
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
            let mut cells = Vec::new();
            for version in versions {
                let target = target.join(&version);
                cells.extend(exchange(&Flink { version, target }, &work)?);
            }
            print!("{}", table(&cells));
            let passed = cells.iter().filter(|c| c.passed()).count();
            println!("{passed} of {} exchanges passed", cells.len());
            Ok(passed == cells.len())
        }
        Command::Write { folder, parallelism } => {
            println!("{}", job::write(&folder, parallelism)?);
            Ok(true)
        }
        Command::Restore {
            savepoint,
            parallelism,
        } => {
            let mut lines: Vec<_> = job::restore(&savepoint, parallelism)?
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
            let states = compare::compare(
                &matrix::read_lines(&truth)?,
                &matrix::read_lines(&found)?,
                parallelism,
            );
            for ((operator, state), difference) in &states {
                println!("{operator} {state}: {}", difference.as_deref().unwrap_or("ok"));
            }
            Ok(states.values().all(Option::is_none))
        }
    }
}
