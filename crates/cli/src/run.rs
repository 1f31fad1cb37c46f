//! `run`: this process becomes the job. So its signals, its exit code and its terminal are the job's own.

use crate::args::RunArgs;
use millpond_core::{Error, ErrorKind};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const RUN: &str = "run job";

/// Becomes the job. Returns only when that fails.
pub(crate) fn run(args: &RunArgs) -> Error {
    let Some((binary, own)) = args.program.split_first() else {
        return Error::config(RUN, "no program given");
    };
    let binary = locate(Path::new(binary));
    if let Some(error) = unfit(&binary) {
        return error;
    }
    let error = Command::new(&binary).args(options(args)).args(own).exec();
    let named = |e: Error| e.with("binary", binary.display());
    match error.kind() {
        io::ErrorKind::NotFound if binary.is_file() => named(
            Error::config(RUN, "what the program needs to start is missing").hint(
                "the interpreter in its first line, or its dynamic linker: was it built for this machine?",
            ),
        ),
        io::ErrorKind::NotFound => {
            named(Error::new(ErrorKind::NotFound, RUN, "no such program").hint(
                "give its path; for a cargo project: cargo build --release, then target/release/<name>",
            ))
        }
        _ => named(Error::io(RUN, error)),
    }
}

/// A file in this folder needs no `./` in front: a job is hardly ever on the search path.
fn locate(binary: &Path) -> PathBuf {
    let plain = binary.components().count() == 1;
    match plain && binary.is_file() {
        true => Path::new(".").join(binary),
        false => binary.to_path_buf(),
    }
}

fn unfit(binary: &Path) -> Option<Error> {
    // What isn't there may be on the search path.
    let meta = binary.metadata().ok()?;
    let error = |message: &str, hint: String| {
        Some(
            Error::config(RUN, message)
                .with("binary", binary.display())
                .hint(hint),
        )
    };
    if meta.is_dir() {
        return error("that is a folder", "give the job's program".to_string());
    }
    if binary.extension().is_some_and(|e| e == "jar") {
        let hint = "jobs for Millpond are programs built with the millpond crate".to_string();
        return error("a jar runs in Flink, not here", hint);
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return error(
            "the file is not executable",
            format!("chmod +x {}", binary.display()),
        );
    }
    None
}

/// The run's options as the job's binary takes them.
fn options(args: &RunArgs) -> Vec<OsString> {
    let mut options: Vec<OsString> = Vec::new();
    let mut add = |name: &str, value: OsString| options.extend([OsString::from(name), value]);
    if let Some(path) = &args.from_savepoint {
        add("-s", path.into());
    }
    if let Some(parallelism) = args.parallelism {
        add("-p", parallelism.to_string().into());
    }
    for definition in &args.define {
        add("-D", definition.into());
    }
    if let Some(file) = &args.config {
        add("--config", file.into());
    }
    if let Some(mode) = &args.claim_mode {
        add("--claim-mode", mode.into());
    }
    if args.allow_non_restored_state {
        options.push("--allow-non-restored-state".into());
    }
    options
}
