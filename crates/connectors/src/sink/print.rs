//! Records to the standard output or error, one a line. Flink's `PrintSink`.

use millpond_api::{Data, Sink, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::{Error, Result};
use std::fmt::{Debug, Display};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

type Format<T> = Arc<dyn Fn(&T) -> String + Send + Sync>;

/// Where lines go.
#[derive(Clone)]
enum Target {
    Stdout,
    Stderr,
    Other(Arc<Mutex<dyn Write + Send>>),
}

/// Prints each record. At once and at least once: after a recovery some records are printed again.
///
/// With several instances a line begins with the number of the one that printed it, from 1: `2> record`; with a prefix,
/// `name:2> record`, and `name> record` where there is one instance.
///
/// ```
/// use millpond_connectors::PrintSink;
/// let totals = PrintSink::<u64>::new().with_prefix("total");
/// ```
pub struct PrintSink<T> {
    format: Format<T>,
    prefix: String,
    target: Target,
}

impl<T: 'static> PrintSink<T> {
    /// Prints by `Display` to the standard output.
    pub fn new() -> Self
    where
        T: Display,
    {
        Self::with_format(|value: &T| value.to_string())
    }

    /// Prints by `Debug` to the standard output.
    pub fn debug() -> Self
    where
        T: Debug,
    {
        Self::with_format(|value: &T| format!("{value:?}"))
    }

    /// Prints what `format` makes of a record.
    pub fn with_format(format: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        PrintSink {
            format: Arc::new(format),
            prefix: String::new(),
            target: Target::Stdout,
        }
    }

    /// A name at the beginning of each line. Flink's `sinkIdentifier`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Prints to the standard error.
    #[must_use]
    pub fn to_stderr(mut self) -> Self {
        self.target = Target::Stderr;
        self
    }

    /// Prints to anything that can be written to.
    #[must_use]
    pub fn to_writer(mut self, writer: Arc<Mutex<dyn Write + Send>>) -> Self {
        self.target = Target::Other(writer);
        self
    }
}

impl<T: Display + 'static> Default for PrintSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Data> Sink for PrintSink<T> {
    type In = T;
    type Writer = PrintWriter<T>;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<PrintWriter<T>> {
        let number = ctx.subtask_index + 1;
        let prefix = match (self.prefix.is_empty(), ctx.parallelism > 1) {
            (true, false) => String::new(),
            (true, true) => format!("{number}> "),
            (false, false) => format!("{}> ", self.prefix),
            (false, true) => format!("{}:{number}> ", self.prefix),
        };
        Ok(PrintWriter {
            format: self.format.clone(),
            prefix,
            target: self.target.clone(),
        })
    }
}

/// The writer of [`PrintSink`].
pub struct PrintWriter<T> {
    format: Format<T>,
    prefix: String,
    target: Target,
}

impl<T: 'static> SinkWriter for PrintWriter<T> {
    type In = T;
    type Committable = ();

    fn write(&mut self, value: T, _ctx: &SinkContext) -> Result<()> {
        let line = format!("{}{}\n", self.prefix, (self.format)(&value));
        // One write a line, under the stream's lock: lines of several instances don't mix.
        let written = match &self.target {
            Target::Stdout => std::io::stdout().lock().write_all(line.as_bytes()),
            Target::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
            Target::Other(w) => w
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(line.as_bytes()),
        };
        written.map_err(|e| Error::io("print record", e).hint("whoever read the output has gone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{SinkJob, Start};

    fn printed(sink: PrintSink<i64>, parallelism: u32) -> String {
        let text = Arc::new(Mutex::new(Vec::new()));
        let mut job = SinkJob::new(sink.to_writer(text.clone()));
        job.start(Start::Fresh, parallelism).unwrap();
        job.write(parallelism as usize - 1, 7).unwrap();
        let bytes = text.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_begin_as_flinks_do() {
        assert_eq!(printed(PrintSink::new(), 1), "7\n");
        assert_eq!(printed(PrintSink::new(), 2), "2> 7\n");
        assert_eq!(printed(PrintSink::new().with_prefix("n"), 1), "n> 7\n");
        assert_eq!(printed(PrintSink::new().with_prefix("n"), 3), "n:3> 7\n");
        assert_eq!(printed(PrintSink::with_format(|n| format!("<{n}>")), 1), "<7>\n");
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error_and_no_panic() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut job = SinkJob::new(PrintSink::<i64>::debug().to_writer(Arc::new(Mutex::new(Gone))));
        job.start(Start::Fresh, 1).unwrap();
        assert_eq!(job.write(0, 1).unwrap_err().kind(), millpond_core::ErrorKind::Io);
    }
}
