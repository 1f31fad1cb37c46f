//! Logging of a job binary: lines on standard error, above the progress line where there is one. `docs/logging.md` says what is logged.
//!
//! The level comes from `MILLPOND_LOG` or else `RUST_LOG` (as in `info,millpond_checkpoint=debug`); without them, warnings on a terminal,
//! where the progress line tells the rest, and information in a pipe.

use super::display::Display;
use clap::ValueEnum;
use std::io::{self, Write};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// The variables that name the level, the first that is set counts.
const VARIABLES: [&str; 2] = ["MILLPOND_LOG", "RUST_LOG"];

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: a line an event.
    #[default]
    Text,
    /// For machines: a JSON object an event, one on a line.
    Json,
}

/// Sends log lines to standard error. Does nothing when the program has set up logging itself.
pub(super) fn init(display: &Display, format: LogFormat) {
    let default = if display.is_terminal() && format == LogFormat::Text {
        "warn"
    } else {
        "info"
    };
    let named = VARIABLES
        .iter()
        .find_map(|name| EnvFilter::try_from_env(name).ok());
    let filter = named.unwrap_or_else(|| EnvFilter::new(default));
    let writer = AboveProgress(display.clone());
    let _ = subscriber(format, filter, display.is_terminal(), writer).try_init();
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match format {
        LogFormat::Text => Box::new(lines.with_ansi(colours).with_target(false).finish()),
        // The span that counts is the innermost: what a thread works on.
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_api::WatermarkStrategy;
    use millpond_connectors::{DataGeneratorSource, DiscardingSink};
    use millpond_core::{Configuration, Error};
    use millpond_runtime::datastream::StreamExecutionEnvironment;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Goal: what happens to a job is in the log, each event with the fields that say where. Method: a job that fails once and restarts,
    /// its events as JSON; a function's own event tells its task.
    #[test]
    fn the_events_of_a_job_are_logged_with_their_fields() {
        let kept = Kept::default();
        let writer = kept.clone();
        let filter = EnvFilter::new("info");
        subscriber(LogFormat::Json, filter, false, move || writer.clone())
            .try_init()
            .unwrap();
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.enable_checkpointing(Duration::from_millis(20));
        env.set_option("restart-strategy.type", "fixed-delay");
        env.set_option("restart-strategy.fixed-delay.delay", "2 ms");
        let failed = AtomicBool::new(false);
        let source = DataGeneratorSource::new(|i| i, Some(1_000)).rate_per_second(5_000);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
            .try_map(move |n| {
                if n == 800 && !failed.swap(true, Ordering::SeqCst) {
                    tracing::info!(n, "about to fail");
                    return Err(Error::user("bad luck"));
                }
                Ok(n)
            })
            .name("unlucky")
            .sink_to(DiscardingSink::new());
        let result = env.execute("logged").unwrap();
        assert_eq!(result.details.restarts, 1);

        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let job = result.job_id.to_string();
        let find = |message: &str, parts: &[&str]| {
            let wanted = format!("\"message\":\"{message}\"");
            let mut lines = text.lines().filter(|l| l.contains(&wanted));
            let found = lines.find(|l| parts.iter().all(|part| l.contains(part)));
            let line = found.unwrap_or_else(|| panic!("{message} with {parts:?} is not in\n{text}"));
            assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
            assert!(line.contains(&job), "{line}");
        };
        find(
            "job status",
            &[
                "\"from\":\"INITIALIZING\"",
                "\"to\":\"CREATED\"",
                "\"name\":\"logged\"",
            ],
        );
        find("the job starts without a snapshot", &[]);
        find(
            "checkpoint triggered",
            &["\"checkpoint\":1", "\"kind\":\"checkpoint\""],
        );
        find(
            "checkpoint complete",
            &["\"checkpoint\":1", "\"duration_ms\":", "\"bytes\":"],
        );
        find(
            "tasks failed and will be restarted",
            &["\"delay\":\"2ms\"", "\"tasks\":1", "\"of\":1", "bad luck"],
        );
        find("tasks restart from a checkpoint", &["\"checkpoint\":"]);
        find(
            "about to fail",
            &[
                "\"n\":800",
                "\"name\":\"task\"",
                "unlucky",
                "\"subtask\":0",
                "\"attempt\":0",
            ],
        );
        find("job status", &["\"from\":\"RESTARTING\""]);
        find("job status", &["\"to\":\"FINISHED\""]);
    }
}
