//! The job of [`millpond_interop::chain`] as a program: starts from a savepoint with `-s`, prints what it tells on standard output,
//! and is stopped with a savepoint from outside, as any job is.

use clap::Args;
use millpond_interop::chain;
use millpond_interop::lines::Lines;
use std::process::ExitCode;

/// Which numbers it takes.
#[derive(Args)]
struct Turn {
    /// The first number.
    #[arg(long)]
    first: i64,
    /// The number behind the last.
    #[arg(long)]
    end: i64,
    /// Whether the job ends with its numbers; else it waits to be stopped.
    #[arg(long)]
    last_turn: bool,
}

fn main() -> ExitCode {
    millpond::job("chain").args::<Turn>().run_with(|env, turn| {
        env.set_max_parallelism(128);
        chain::build(env, turn.first..turn.end, !turn.last_turn, &Lines::printed());
        Ok(())
    })
}
