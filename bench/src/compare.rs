//! Ours against Flink's: reads what benches printed and sets it side by side.
//!
//! `millpond-bench compare --ours FILE.. --flink FILE..` takes lines `<suite> <operation> <number>` from both sides, any number of
//! files each, and prints the medians as `<suite> <operation> <ours> <flink> <ratio>`, then a `geomean <suite> <ratio>` for every
//! suite of more than one operation that is all rates. A row that Flink has and we don't shows `-`; what only we measure is left out. It stands apart
//! from running the benches (`scripts/bench-flink.sh`), so that the arithmetic is tested and results can be compared again later.

mod measurements;
mod table;

use measurements::Measurements;
use millpond_core::{Error, Result};

/// Compares the files that `args` name and prints the table.
///
/// # Errors
/// An argument that is no option and belongs to none, a side without files, a file that can't be read or a line that is no result.
pub fn run(args: &[String]) -> Result<()> {
    let (ours, flink) = sides(args)?;
    let table = table::compare(&Measurements::read(&ours)?, &Measurements::read(&flink)?);
    print!("{table}");
    Ok(())
}

/// The files of either side.
fn sides(args: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (mut ours, mut flink) = (Vec::new(), Vec::new());
    let mut to_flink = None;
    for arg in args {
        match (arg.as_str(), to_flink) {
            ("--ours", _) => to_flink = Some(false),
            ("--flink", _) => to_flink = Some(true),
            (file, Some(false)) => ours.push(file.to_owned()),
            (file, Some(true)) => flink.push(file.to_owned()),
            (other, None) => {
                return Err(usage("an argument before --ours and --flink").with("argument", other));
            }
        }
    }
    if ours.is_empty() || flink.is_empty() {
        return Err(usage("a side without files")
            .with("ours", ours.len())
            .with("flink", flink.len()));
    }
    Ok((ours, flink))
}

fn usage(message: &'static str) -> Error {
    Error::config("compare benchmarks", message)
        .hint("call it as: millpond-bench compare --ours FILE.. --flink FILE..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Goal: options may come in either order and take several files. Method: read two such command lines.
    #[test]
    fn files_belong_to_the_option_before_them() {
        let expected = (args("a b"), args("c d"));
        assert_eq!(sides(&args("--ours a b --flink c d")).unwrap(), expected);
        assert_eq!(sides(&args("--flink c --ours a b --flink d")).unwrap(), expected);
    }

    /// Goal: a mistaken call says how it is meant. Method: leave out what is needed, one thing at a time.
    #[test]
    fn a_side_without_files_is_refused() {
        for line in [
            "",
            "--ours a",
            "--flink a",
            "--ours --flink a",
            "a --ours b --flink c",
        ] {
            let error = sides(&args(line)).unwrap_err();
            assert!(
                error.report().contains("--ours FILE.."),
                "{line}: {}",
                error.report()
            );
        }
    }
}
