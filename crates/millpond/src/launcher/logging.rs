//! Logging of a job binary: lines on standard error, above the progress line where there is one.
//!
//! The level comes from `MILLPOND_LOG` (as in `info,millpond_checkpoint=debug`); without it, warnings on a terminal, where the
//! progress line tells the rest, and information in a pipe.

use super::display::Display;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable that names the level.
const VARIABLE: &str = "MILLPOND_LOG";

/// Sends log lines to standard error. Does nothing when the program has set up logging itself.
pub(super) fn init(display: &Display) {
    let default = if display.is_terminal() { "warn" } else { "info" };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(display.is_terminal())
        .with_target(false)
        .with_writer(AboveProgress(display.clone()))
        .try_init();
}

struct AboveProgress(Display);

struct Line {
    display: Display,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for AboveProgress {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line {
            display: self.0.clone(),
            bytes: Vec::new(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.display.say(String::from_utf8_lossy(&self.bytes).trim_end());
    }
}
