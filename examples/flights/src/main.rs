//! A year of flights from New York: which delays knock on, and which carriers are late.
//!
//! The main example of Millpond: two keyed streams, a broadcast one, event-time timers, value, map and aggregating state,
//! exactly-once files. Killed at any moment and started again, it ends with the same output.

mod carriers;
mod job;
mod knock_on;
mod model;
mod report;

use job::FlightsArgs;
use millpond::prelude::*;
use report::Findings;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    millpond::job("flights")
        .about("Finds knock-on delays in a year of flights from New York, exactly once.")
        .args::<FlightsArgs>()
        .then(|args, result| match &result.savepoint {
            // Stopped in the middle: the report comes when the job goes on to its end.
            Some(_) => Ok(()),
            None => print_report(args),
        })
        .run_with(job::build)
}

fn print_report(args: &FlightsArgs) -> Result<()> {
    let findings = Findings::read(&args.output)?;
    let table = findings.table(&airline_names(&args.data.join("airlines.csv"))?);
    // Somebody may have closed the pipe; the findings are in their files anyway.
    let _ = std::io::stdout().write_all(table.as_bytes());
    Ok(())
}

fn airline_names(path: &Path) -> Result<BTreeMap<String, String>> {
    let failed = |e: csv::Error| {
        Error::corrupt("read airlines", "not a table")
            .with("path", path.display())
            .source(e)
    };
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    reader
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)
}
