//! Printing: results on standard output, the rest on standard error, colours only for people.

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use millpond_core::{Error, ErrorKind, Result};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, IsTerminal, Write};

/// Prints a result.
///
/// # Errors
/// Io when standard output can't be written. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: impl Display) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() != IoKind::BrokenPipe => Err(Error::io("print", e)),
        _ => Ok(()),
    }
}

/// Prints a result for programs.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::new(ErrorKind::IllegalState, "print", "the answer is no JSON").source(e))?;
    print(text)
}

/// Says something to the person at the terminal.
pub(crate) fn complain(text: &str) {
    // With standard error closed, nobody is left to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Sends the library's warnings to standard error.
pub(crate) fn log_warnings() {
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}

/// An empty table with a header. On a terminal it fits its width; in a pipe every row is one line.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let colourless = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if io::stdout().is_terminal() && !colourless {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(header.iter().map(|h| Cell::new(h).add_attribute(Attribute::Bold)));
    // Columns are two spaces apart, and the first begins where the line does.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}
