//! The one error type of the project (decision D9).
//!
//! Its [`ErrorKind`]s are few and split by what the caller should do next, not by where the error arose.
//! Every error says which operation failed, on which objects (`key=value` pairs), why, and, where there is
//! one, the next step for the person who reads it. The shape follows opendal's `Error`.

use std::error::Error as StdError;
use std::fmt;

/// A result with Millpond's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is, by what the caller should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, an argument or a job's shape is wrong. Mend it and start again.
    Config,
    /// State or a type doesn't fit what a snapshot holds. Change the type or the mapping; nothing was lost.
    Incompatible,
    /// Stored bytes are damaged or not what they claim to be. Use an older checkpoint.
    Corrupt,
    /// Something that was named doesn't exist.
    NotFound,
    /// The world outside failed (disk, network, permissions). Trying again may help.
    Io,
    /// A record of the input could not be read as what it should be.
    BadRecord,
    /// A user function returned an error or panicked.
    UserFunction,
    /// The work was cancelled or its task is shutting down. Nothing to mend.
    Cancelled,
    /// The call makes no sense now (a state used before `open`, a job that already ended).
    IllegalState,
    /// Known to Flink or planned, but not available here.
    Unsupported,
    /// Another process has taken over the job. Stop: whatever this one writes doesn't count.
    Fenced,
}

impl ErrorKind {
    /// The kind's name as it stands in messages and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Config => "configuration",
            ErrorKind::Incompatible => "incompatible",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::NotFound => "not found",
            ErrorKind::Io => "i/o",
            ErrorKind::BadRecord => "bad record",
            ErrorKind::UserFunction => "user function",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::IllegalState => "illegal state",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Fenced => "fenced",
        }
    }
}

/// An error: operation, message, context, next step, source.
///
/// It is one pointer wide, so `Result<T>` on the record path stays small.
///
/// ```
/// use millpond_core::{Error, ErrorKind};
/// let e = Error::new(ErrorKind::Corrupt, "restore checkpoint", "checksum does not match")
///     .with("checkpoint", 7)
///     .with("path", "chk-7/_metadata")
///     .hint("the next older checkpoint is used");
/// assert_eq!(
///     e.to_string(),
///     "restore checkpoint: checksum does not match checkpoint=7 path=chk-7/_metadata (the next older checkpoint is used)"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` from `operation` ("restore checkpoint"), in lower case, without a final stop.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            source: None,
        }))
    }

    /// Adds a `key=value` pair that names an object the operation touched.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Says what the reader should do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one. Its text is shown by [`Error::report`], not repeated in the message.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller should do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The message alone, without operation, context and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The value of a context key, if the error carries it.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.0
            .context
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, v)| v.as_str())
    }

    /// Whether the same call could succeed later without anything being changed.
    pub fn is_temporary(&self) -> bool {
        self.0.kind == ErrorKind::Io
    }

    /// The message with every cause behind it, on one line: `a: b: c`.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(c) = cause {
            text.push_str(": ");
            text.push_str(&c.to_string());
            cause = c.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.message)?;
        for (k, v) in &self.0.context {
            write!(f, " {k}={v}")?;
        }
        if let Some(h) = &self.0.hint {
            write!(f, " ({h})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.0.kind.as_str(), self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

/// Short constructors for the common kinds.
impl Error {
    /// [`ErrorKind::Config`].
    pub fn config(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, operation, message)
    }
    /// [`ErrorKind::Corrupt`].
    pub fn corrupt(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, operation, message)
    }
    /// [`ErrorKind::Io`], with the error of the operating system as its source.
    pub fn io(operation: &'static str, source: std::io::Error) -> Self {
        let message = match source.kind() {
            std::io::ErrorKind::StorageFull => "the disk is full".to_string(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_string(),
            std::io::ErrorKind::NotFound => "no such file or folder".to_string(),
            other => other.to_string(),
        };
        Self::new(ErrorKind::Io, operation, message).source(source)
    }
    /// [`ErrorKind::Incompatible`].
    pub fn incompatible(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Incompatible, operation, message)
    }
    /// [`ErrorKind::IllegalState`].
    pub fn illegal_state(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::IllegalState, operation, message)
    }
    /// [`ErrorKind::Cancelled`].
    pub fn cancelled(operation: &'static str) -> Self {
        Self::new(ErrorKind::Cancelled, operation, "cancelled")
    }
    /// [`ErrorKind::UserFunction`]: what a job's own code returns when it cannot go on.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UserFunction, "user function", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_lists_every_cause_once() {
        let disk = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let inner = Error::io("write state file", disk).with("path", "a/b");
        let outer = Error::new(ErrorKind::Io, "checkpoint", "could not be stored").source(inner);
        let text = outer.report();
        assert_eq!(text.matches("write state file").count(), 1, "{text}");
        assert!(text.contains("path=a/b"), "{text}");
        assert!(outer.is_temporary());
    }

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}
