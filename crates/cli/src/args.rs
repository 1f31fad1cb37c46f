//! The command line. Flink's `CliFrontend`: its verbs and the long and short spellings of its options.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

const ABOUT: &str = "Runs and controls streaming jobs on this machine";

const EXAMPLES: &str = "Examples:
  millpond run -p 4 ./flights --data nycflights13
  millpond list
  millpond savepoint flights /var/savepoints
  millpond stop --savepointPath /var/savepoints flights
  millpond run -s /var/savepoints/savepoint-0a1b2c-d3e4f5 ./flights --data nycflights13

A JOB is a job id, the beginning of one, a name, or the address:port where the job listens.
Running jobs are found through $MILLPOND_HOME, or $XDG_RUNTIME_DIR, or the temporary folder.";

#[derive(Parser)]
#[command(name = "millpond", version, about = ABOUT, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a job
    Run(RunArgs),
    /// List the jobs that run
    List(ListArgs),
    /// Take a savepoint of a job and print its path, or delete one
    Savepoint(SavepointArgs),
    /// Stop a job with a savepoint and print its path
    Stop(StopArgs),
    /// Cancel a job, without a savepoint
    Cancel(CancelArgs),
    /// Take a checkpoint of a job now
    Checkpoint(CheckpointArgs),
    /// Show the checkpoints of a job, or look after the folders that they lie in
    Checkpoints(CheckpointsArgs),
    /// Look at the state of a running job
    #[command(subcommand)]
    State(StateCommand),
}

const RUN_EXAMPLES: &str = "Examples:
  millpond run ./wordcount
  millpond run -p 4 -D execution.checkpointing.interval=10s ./wordcount --input big.txt
  millpond run -s /var/savepoints/savepoint-0a1b2c-d3e4f5 ./wordcount

Options before BINARY are for the run; everything after it goes to the job as it is.
The exit code is the job's own.";

/// The options go to the job's binary, which checks them: they are its own.
#[derive(Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// Start from this savepoint or checkpoint: its folder or its `_metadata` file
    #[arg(
        short = 's',
        long = "fromSavepoint",
        alias = "from-savepoint",
        value_name = "PATH"
    )]
    pub(crate) from_savepoint: Option<PathBuf>,

    /// How many tasks each operator runs as
    #[arg(short = 'p', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallelism: Option<u32>,

    /// Set an option; may be given many times, and wins over --config
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = definition)]
    pub(crate) define: Vec<String>,

    /// Who owns the snapshot given with -s: claim (the job) or no-claim (you)
    #[arg(long = "claimMode", alias = "claim-mode", value_name = "MODE", value_parser = claim_mode)]
    pub(crate) claim_mode: Option<String>,

    /// Leave state of the snapshot behind that belongs to no operator of this job
    #[arg(
        short = 'n',
        long = "allowNonRestoredState",
        alias = "allow-non-restored-state"
    )]
    pub(crate) allow_non_restored_state: bool,

    /// Read options from a Flink config.yaml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The job, a program built with Millpond, and its own arguments
    // One list, so that nothing after the program is taken for an option of ours.
    #[arg(value_names = ["BINARY", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) program: Vec<OsString>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  millpond list\n  millpond list --json | jq -r '.[].jid'")]
pub(crate) struct ListArgs {
    /// Also jobs that are over or don't answer
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  millpond savepoint flights /var/savepoints\n  millpond savepoint -d /var/savepoints/savepoint-0a1b2c-d3e4f5"
)]
pub(crate) struct SavepointArgs {
    /// The job: id, beginning of an id, name, or address:port
    #[arg(required_unless_present = "dispose")]
    pub(crate) job: Option<String>,
    /// The folder to put it in; without one, the job's execution.checkpointing.savepoint-dir
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// The format: canonical (any state backend restores it) or native (that of the job's backend, quicker)
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "canonical", value_parser = savepoint_type)]
    pub(crate) format: String,
    /// Delete this savepoint instead of taking one
    #[arg(short = 'd', long, value_name = "PATH", conflicts_with_all = ["job", "directory"])]
    pub(crate) dispose: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// How the store is reached.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// Set an option of the store, as s3.endpoint; may be given many times
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = definition)]
    pub(crate) define: Vec<String>,
}

#[derive(Args)]
#[command(after_help = "Example:\n  millpond stop --savepointPath /var/savepoints flights")]
pub(crate) struct StopArgs {
    /// The job: id, beginning of an id, name, or address:port
    pub(crate) job: String,
    /// The folder to put the savepoint in; without one, the job's execution.checkpointing.savepoint-dir
    #[arg(
        short = 'p',
        long = "savepointPath",
        alias = "savepoint-path",
        value_name = "DIR"
    )]
    pub(crate) directory: Option<PathBuf>,
    /// The format: canonical (any state backend restores it) or native (that of the job's backend, quicker)
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "canonical", value_parser = savepoint_type)]
    pub(crate) format: String,
    /// Let all timers fire before: the end of the job's work, not a place to go on from
    #[arg(short, long)]
    pub(crate) drain: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  millpond cancel flights")]
pub(crate) struct CancelArgs {
    /// The job: id, beginning of an id, name, or address:port
    pub(crate) job: String,
}

#[derive(Args)]
#[command(after_help = "Example:\n  millpond checkpoint flights")]
pub(crate) struct CheckpointArgs {
    /// The job: id, beginning of an id, name, or address:port
    pub(crate) job: String,
}

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  millpond checkpoints flights\n  millpond checkpoints --json flights | jq .counts\n  millpond checkpoints verify /var/checkpoints\n  millpond checkpoints gc --dry-run s3://bucket/checkpoints"
)]
pub(crate) struct CheckpointsArgs {
    /// Look at folders instead of a running job
    #[command(subcommand)]
    pub(crate) folders: Option<FoldersCommand>,
    /// The job: id, beginning of an id, name, or address:port
    #[arg(required = true)]
    pub(crate) job: Option<String>,
    /// Print JSON instead of a table: the answer of /jobs/:jobid/checkpoints
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be done with the folders that checkpoints lie in.
#[derive(Subcommand)]
pub(crate) enum FoldersCommand {
    /// Read every file that checkpoints name: is it there, with its length and checksum?
    Verify(FolderArgs),
    /// List files that no checkpoint names
    Orphans(FolderArgs),
    /// Remove files that no checkpoint names
    Gc(GcArgs),
}

#[derive(Args)]
pub(crate) struct FolderArgs {
    /// execution.checkpointing.dir, or the folder of a job in it: a path or URI; for verify also one checkpoint or savepoint
    #[arg(value_name = "DIR")]
    pub(crate) directory: String,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct GcArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Also when a process on another machine may run the job; if it does, it is fenced off and ends
    #[arg(long)]
    pub(crate) force: bool,
}

/// What can be done with state.
#[derive(Subcommand)]
pub(crate) enum StateCommand {
    /// Print what a key has, as JSON
    Get(StateGetArgs),
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  millpond state get flights --uid aircraft --state last-seen --key N14228\n  millpond state get flights --uid routes --state count --key '[\"JFK\",\"LAX\"]' | jq .value"
)]
pub(crate) struct StateGetArgs {
    /// The job: id, beginning of an id, name, or address:port
    pub(crate) job: String,
    /// The operator's uid, or its name where it has none
    #[arg(long)]
    pub(crate) uid: String,
    /// The state's name
    #[arg(long)]
    pub(crate) state: String,
    /// The key: text, a number, or JSON for tuples and structs
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) key: String,
}

fn definition(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_string()),
        _ => Err("expected KEY=VALUE".to_string()),
    }
}

fn savepoint_type(text: &str) -> Result<String, String> {
    match text.to_ascii_uppercase().as_str() {
        format @ ("CANONICAL" | "NATIVE") => Ok(format.to_string()),
        _ => Err("expected canonical or native".to_string()),
    }
}

fn claim_mode(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().replace('_', "-").as_str() {
        mode @ ("claim" | "no-claim") => Ok(mode.to_string()),
        _ => Err("expected claim or no-claim".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// What stands after the binary is the job's, even when it looks like an option of ours.
    #[test]
    fn everything_after_the_binary_is_the_jobs() {
        let cli = Cli::try_parse_from([
            "millpond", "run", "-p", "2", "./job", "-p", "x", "--help", "--", "-D",
        ])
        .unwrap();
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.parallelism, Some(2));
        assert_eq!(run.program, ["./job", "-p", "x", "--help", "--", "-D"]);
    }

    #[test]
    fn flinks_spellings_are_taken() {
        for line in [
            "millpond run --fromSavepoint a --allowNonRestoredState --claimMode NO_CLAIM job",
            "millpond run --from-savepoint a --allow-non-restored-state --claim-mode no-claim job",
            "millpond stop -p dir -d job",
            "millpond stop --savepointPath dir --drain job",
            "millpond stop --type native job",
            "millpond list -a",
            "millpond savepoint -d path",
            "millpond savepoint --type NATIVE job dir",
            "millpond savepoint -t canonical job",
            "millpond savepoint --dispose s3://b/path -D s3.endpoint=x",
            "millpond checkpoints job --json",
            "millpond checkpoints verify dir --json",
            "millpond checkpoints gc --dry-run --force dir",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "millpond run -p 0 job",
            "millpond run -D x job",
            "millpond run",
            "millpond stop",
            "millpond stop --type other job",
            "millpond savepoint",
            "millpond savepoint job -d path",
            "millpond checkpoints",
            "millpond checkpoints verify",
            "millpond x",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
