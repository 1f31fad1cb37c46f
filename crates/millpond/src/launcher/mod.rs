//! What makes a job a program: options, logging, REST interface, the line that shows how it goes.

mod args;
mod display;
mod logging;

pub use args::{ClaimModeArg, RunArgs};
pub use logging::LogFormat;

use args::describe_options;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use display::Display;
use millpond_core::config::options;
use millpond_core::{Error, ErrorKind, Result};
use millpond_rest::metrics::{PrometheusListener, PrometheusReporter};
use millpond_rest::server::{RestListener, RestServer};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobExecutionResult, JobHandle};
use std::process::ExitCode;

/// A job binary under construction: see [`job`].
pub struct JobBinary<A: Args> {
    name: &'static str,
    about: Option<&'static str>,
    after: Option<After<A>>,
}

type After<A> = Box<dyn FnOnce(&A, &JobExecutionResult) -> Result<()>>;

/// Options of a job that has none of its own.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct NoArgs;

/// A job binary for the job `name`.
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     millpond::job("wordcount").about("Counts words").run(|env| {
///         // env.from_source(...)
///         # let _ = env;
///         Ok(())
///     })
/// }
/// ```
pub fn job(name: &'static str) -> JobBinary<NoArgs> {
    JobBinary {
        name,
        about: None,
        after: None,
    }
}

#[derive(Parser)]
struct Cli<A: Args> {
    #[command(flatten)]
    job: A,
    #[command(flatten)]
    run: RunArgs,
}

impl JobBinary<NoArgs> {
    /// Gives the job options of its own.
    pub fn args<A: Args>(self) -> JobBinary<A> {
        JobBinary {
            name: self.name,
            about: self.about,
            after: None,
        }
    }

    /// Parses the command line, builds the job and runs it to its end.
    pub fn run(self, build: impl FnOnce(&StreamExecutionEnvironment) -> Result<()>) -> ExitCode {
        self.run_with(|env, _| build(env))
    }
}

impl<A: Args> JobBinary<A> {
    /// What the job does: the first line of `--help`.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = Some(about);
        self
    }

    /// What to do when the job has come to a good end: print a report, say. Also called when an earlier run had finished the
    /// job and nothing was left to do.
    pub fn then(mut self, after: impl FnOnce(&A, &JobExecutionResult) -> Result<()> + 'static) -> Self {
        self.after = Some(Box::new(after));
        self
    }

    /// As [`JobBinary::run`], with the job's own options.
    ///
    /// The exit code is 0 when the job finished or was stopped or cancelled, 1 when it failed, and 2 when it could not start
    /// because an option, an argument or the snapshot to start from is wrong.
    pub fn run_with(self, build: impl FnOnce(&StreamExecutionEnvironment, &A) -> Result<()>) -> ExitCode {
        let mut command = Cli::<A>::command()
            .name(self.name)
            .version(env!("CARGO_PKG_VERSION"));
        if let Some(about) = self.about {
            command = command.about(about);
        }
        let cli = match Cli::<A>::from_arg_matches(&command.get_matches()) {
            Ok(cli) => cli,
            Err(e) => e.exit(),
        };
        if cli.run.list_options {
            print!("{}", describe_options());
            return ExitCode::SUCCESS;
        }
        let display = Display::new();
        logging::init(&display, cli.run.log_format);
        let (handle, servers) = match start(self.name, &cli, build) {
            Ok(started) => started,
            Err(e) => return complain(&display, &e, 2),
        };
        let outcome = display.follow(&handle);
        drop(servers);
        match outcome {
            Ok(result) => {
                if let Some(note) = &result.already_finished {
                    display.say(note);
                }
                if let Some(path) = &result.savepoint {
                    display.say(&format!("stopped with the savepoint {path}"));
                }
                match self.after.map_or(Ok(()), |after| after(&cli.job, &result)) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(e) => complain(&display, &e, 1),
                }
            }
            Err(e) if e.kind() == ErrorKind::Cancelled => {
                display.say("the job was cancelled");
                ExitCode::SUCCESS
            }
            Err(e) => complain(&display, &e, 1),
        }
    }
}

fn start<A: Args>(
    name: &str,
    cli: &Cli<A>,
    build: impl FnOnce(&StreamExecutionEnvironment, &A) -> Result<()>,
) -> Result<(JobHandle, Servers)> {
    let config = cli.run.configuration()?;
    let address = config.require(&options::REST_BIND_ADDRESS)?;
    let port = config.require(&options::REST_PORT)?;
    let prometheus = PrometheusListener::bind(&config)?;
    let env = StreamExecutionEnvironment::new(config);
    build(&env, &cli.job)?;
    let listener = RestListener::bind(&address, port)?;
    let handle = env.execute_async(name)?;
    let servers = Servers {
        _rest: listener.serve(handle.clone())?,
        _prometheus: prometheus.map(|p| p.serve(handle.clone())).transpose()?,
    };
    Ok((handle, servers))
}

/// What answers for the job while it runs.
struct Servers {
    _rest: RestServer,
    _prometheus: Option<PrometheusReporter>,
}

fn complain(display: &Display, error: &Error, code: u8) -> ExitCode {
    display.say(&format!("error: {}", error.report()));
    ExitCode::from(code)
}
