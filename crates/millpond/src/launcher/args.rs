//! The options that every job binary takes: those of `flink run`.

use super::logging::LogFormat;
use clap::{Args, ValueEnum};
use millpond_core::config::options;
use millpond_core::{Configuration, Error, Result};
use std::path::PathBuf;

/// The options of a run, as `flink run` spells them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Run options")]
pub struct RunArgs {
    /// Start from this savepoint or checkpoint: its folder or its `_metadata` file.
    #[arg(
        short = 's',
        long = "from-savepoint",
        value_name = "PATH",
        overrides_with = "from_savepoint"
    )]
    pub from_savepoint: Option<String>,

    /// How many tasks each operator runs as, unless it says otherwise itself.
    #[arg(
        short = 'p',
        long = "parallelism",
        value_name = "N",
        overrides_with = "parallelism"
    )]
    pub parallelism: Option<String>,

    /// Set an option: `-D execution.checkpointing.interval=10s`. May be given many times; wins over the file.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    pub define: Vec<String>,

    /// Read options from a Flink `config.yaml`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Who owns the snapshot given with -s.
    #[arg(long = "claim-mode", value_name = "MODE", ignore_case = true)]
    pub claim_mode: Option<ClaimModeArg>,

    /// Leave state of the snapshot behind that belongs to no operator of this job.
    #[arg(short = 'n', long = "allow-non-restored-state")]
    pub allow_non_restored_state: bool,

    /// How log lines are written.
    #[arg(long = "log-format", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// List every option that -D and --config take, with its default, and exit.
    #[arg(long = "list-options")]
    pub list_options: bool,
}

/// `--claim-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClaimModeArg {
    /// The job owns it, and deletes it when no longer needed.
    Claim,
    /// You keep it; the job never touches it.
    #[value(alias = "no_claim")]
    NoClaim,
}

impl RunArgs {
    /// The job's options: the file, then `-D`, then the options with letters of their own.
    ///
    /// # Errors
    /// Config, naming the key, the text and the nearest known key; Io when the file can't be read.
    pub fn configuration(&self) -> Result<Configuration> {
        let mut c = match &self.config {
            Some(path) => Configuration::from_yaml_file(path)?,
            None => Configuration::new(),
        };
        for definition in &self.define {
            let (key, value) = definition.split_once('=').ok_or_else(|| {
                Error::config("read option", "expected KEY=VALUE")
                    .with("text", definition)
                    .hint("write -D key=value")
            })?;
            c.set_known(key.trim(), value.trim())?;
        }
        if let Some(parallelism) = &self.parallelism {
            c.set_known(options::PARALLELISM_DEFAULT.key, parallelism)?;
        }
        if let Some(path) = &self.from_savepoint {
            c.set_known(options::RECOVERY_PATH.key, path)?;
        }
        if let Some(mode) = self.claim_mode {
            c.set(
                options::CLAIM_MODE.key,
                if mode == ClaimModeArg::Claim {
                    "CLAIM"
                } else {
                    "NO_CLAIM"
                },
            );
        }
        if self.allow_non_restored_state {
            c.set(options::IGNORE_UNCLAIMED_STATE.key, true);
        }
        Ok(c)
    }
}

/// Every option with its default and meaning, for `--list-options`.
pub fn describe_options() -> String {
    let mut text = String::new();
    for o in options::known().filter(|o| !o.key.starts_with('$')) {
        let default = o.default.map_or("unset".to_string(), |d| format!("default {d}"));
        text.push_str(&format!("{}\n    {} ({default})\n", o.key, o.doc));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        run: RunArgs,
    }

    fn parse(args: &[&str]) -> Result<Configuration> {
        Cli::try_parse_from(std::iter::once("job").chain(args.iter().copied()))
            .unwrap()
            .run
            .configuration()
    }

    #[test]
    fn letters_win_over_definitions_and_definitions_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(
            &file,
            "parallelism.default: 1\nexecution.checkpointing.interval: 1 s\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let c = parse(&[
            "--config",
            file,
            "-D",
            "parallelism.default=2",
            "-D",
            "execution.checkpointing.interval=5s",
            "-p",
            "3",
        ])
        .unwrap();
        assert_eq!(c.require(&options::PARALLELISM_DEFAULT).unwrap(), 3);
        assert_eq!(c.checkpoint_interval().unwrap().unwrap().as_secs(), 5);
        let c = parse(&["-s", "/sp", "--claim-mode", "claim", "-n"]).unwrap();
        assert_eq!(
            c.require(&options::CLAIM_MODE).unwrap(),
            options::ClaimMode::Claim
        );
        assert_eq!(c.require(&options::RECOVERY_PATH).unwrap(), "/sp");
        assert!(c.require(&options::IGNORE_UNCLAIMED_STATE).unwrap());
    }

    #[test]
    fn wrong_options_are_named() {
        assert!(
            parse(&["-p", "0"])
                .unwrap_err()
                .to_string()
                .contains("parallelism.default")
        );
        assert!(
            parse(&["-D", "novalue"])
                .unwrap_err()
                .to_string()
                .contains("KEY=VALUE")
        );
        let e = parse(&["-D", "execution.checkpointing.intervall=1s"]).unwrap_err();
        assert!(
            e.to_string()
                .contains("did you mean execution.checkpointing.interval?"),
            "{e}"
        );
    }

    #[test]
    fn the_listing_names_every_option_once() {
        let text = describe_options();
        assert!(text.contains("execution.checkpointing.interval\n"), "{text}");
        assert!(!text.contains("$internal"), "{text}");
    }
}
