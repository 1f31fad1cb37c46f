//! The `millpond` command: runs jobs, lists them, takes savepoints, stops and cancels them, with Flink's verbs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | [`run`] | `run`: becomes the job |
//! | [`control`] | `savepoint`, `checkpoint`, `stop`, `cancel` |
//! | [`folders`] | `checkpoints verify`, `orphans` and `gc`, `savepoint -d`: files, without a job |
//! | [`show`] | `list` and `checkpoints`: tables and JSON |
//! | [`output`], [`units`] | how things are printed |
//!
//! Everything that it knows about running jobs it learns through `millpond_rest::client`.

mod args;
mod control;
mod folders;
mod output;
mod progress;
mod run;
mod show;
mod units;

use args::{Cli, Command, StateCommand};
use clap::Parser;
use millpond_core::Result;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::log_warnings();
    match carry_out(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            output::complain(&format!("error: {}", e.report()));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => Err(run::run(&args)),
        Command::List(args) => show::list(&args),
        Command::Checkpoints(args) => show::checkpoints(&args),
        Command::State(StateCommand::Get(args)) => show::state(&args),
        Command::Savepoint(args) => control::savepoint(&args),
        Command::Checkpoint(args) => control::checkpoint(&args),
        Command::Stop(args) => control::stop(&args),
        Command::Cancel(args) => control::cancel(&args),
    }
}
