//! A release of Flink, run in a Java process of its own: takes commands, answers each with a line.

use millpond::core::{Error, Result};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// What a command came to, the path of a savepoint say; or why it failed.
pub type Answer = std::result::Result<String, String>;

/// A release of Flink to exchange savepoints with, and where the jobs for it were compiled to.
#[derive(Clone, Debug)]
pub struct Flink {
    /// Its version.
    pub version: String,
    /// The folder that Maven built into: `classes` and `classpath`.
    pub target: PathBuf,
}

impl Flink {
    /// Runs commands (see `Main.java`) in one Java process.
    ///
    /// # Errors
    /// Io when Java can't be started or the log not be written.
    pub fn run(&self, commands: &[String], log: &Path) -> Result<Vec<Answer>> {
        let io = |what: &'static str| move |e: std::io::Error| Error::io("run Flink", e).with("reason", what);
        fs::create_dir_all(log.parent().unwrap_or(Path::new("."))).map_err(io("the folder can't be made"))?;
        let jars =
            fs::read_to_string(self.target.join("classpath")).map_err(io("the class path can't be read"))?;
        let mut java = Command::new("java");
        java.arg("-Xmx1g");
        for package in OPENED {
            java.arg(format!("--add-opens={package}=ALL-UNNAMED"));
        }
        java.arg("-cp")
            .arg(format!(
                "{}:{}",
                self.target.join("classes").display(),
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
