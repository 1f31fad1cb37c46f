//! What becomes of rows that cannot be read: skipped, counted and named, or the end of the job.

use millpond_core::{Error, ErrorKind, Result};

/// How many malformed rows of one split are named in the log.
const ROWS_NAMED_MAX: u64 = 5;

/// What to do with a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MalformedRows {
    /// Skip it, count it (`malformed_rows`), and warn with file and line: of each split the first five, then
    /// one sum at its end.
    #[default]
    Skip,
    /// Fail the job with an error that names file and line.
    Fail,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub path: &'a str,
    /// From 1; 0 where it isn't known.
    pub line: u64,
    /// Offset of the row's first byte in the decoded bytes.
    pub offset: u64,
}

/// Counts and reports the malformed rows of one split.
#[derive(Debug, Default)]
pub(crate) struct MalformedLog {
    count: u64,
}

impl MalformedLog {
    /// A row was malformed.
    pub(crate) fn report(&mut self, policy: MalformedRows, place: Place<'_>, reason: &str) -> Result<()> {
        if policy == MalformedRows::Fail {
            let e = Error::new(ErrorKind::BadRecord, "read row", reason).with("path", place.path);
            let e = if place.line > 0 {
                e.with("line", place.line)
            } else {
                e.with("byte_offset", place.offset)
            };
            return Err(e.hint("mend the row, or let the source skip malformed rows"));
        }
        self.count += 1;
        if self.count <= ROWS_NAMED_MAX {
            if place.line > 0 {
                tracing::warn!(
                    path = place.path,
                    line = place.line,
                    reason,
                    "skipped a malformed row"
                );
            } else {
                tracing::warn!(
                    path = place.path,
                    byte_offset = place.offset,
                    reason,
                    "skipped a malformed row"
                );
            }
        }
        Ok(())
    }

    /// The split is at its end. `records`: how many good ones it had, if that is known.
    pub(crate) fn finish(&self, path: &str, records: Option<u64>) {
        if self.count > 0 && records == Some(0) {
            tracing::warn!(
                path,
                malformed_rows = self.count,
                "not one row could be read; is it the right format?"
            );
        } else if self.count > ROWS_NAMED_MAX {
            tracing::warn!(
                path,
                malformed_rows = self.count,
                records,
                "skipped more malformed rows than were named"
            );
        }
    }
}
