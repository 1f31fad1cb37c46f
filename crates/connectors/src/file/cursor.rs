//! One open split: finds where its records start, decodes them one after another, and knows the position of the next.

use super::compression::Compression;
use super::format::{Decoded, FileFormat, RecordDecoder};
use super::lines::{Line, LineReader};
use super::malformed::{MalformedLog, MalformedRows, Place};
use super::split::FileSplit;
use millpond_core::{Error, ErrorKind, Result};
use std::io::{Read, Seek, SeekFrom};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a split is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadOptions {
    pub compression: Option<Compression>,
    pub malformed: MalformedRows,
    pub max_record_bytes: usize,
}

/// What came next.
pub(crate) enum Step<T> {
    Record(T),
    /// Something that is no record was passed over.
    Nothing,
    /// A malformed row was skipped.
    Skipped,
    /// The split is finished.
    End,
}

/// An open split.
pub(crate) struct SplitCursor<D> {
    split: FileSplit,
    options: ReadOptions,
    compression: Compression,
    lines: LineReader,
    decoder: D,
    /// Where the range ends in the decoded bytes.
    end: u64,
    /// The line of the next record, from 1; 0 where it isn't known.
    line: u64,
    log: MalformedLog,
    records: u64,
}

impl<D: RecordDecoder> SplitCursor<D> {
    /// Opens a split where it stands.
    ///
    /// # Errors
    /// NotFound, Corrupt or Io as [`FileSplit::open_verified`]; BadRecord for a header that can't be read.
    pub(crate) fn open<F>(split: FileSplit, format: &F, options: ReadOptions) -> Result<Self>
    where
        F: FileFormat<Decoder = D>,
    {
        let file = split.open_verified()?;
        let again = file
            .try_clone()
            .map_err(|e| Error::io("open file", e).with("path", &split.path))?;
        let compression = options
            .compression
            .unwrap_or_else(|| Compression::of_path(split.path.as_ref()));
        let mut cursor = SplitCursor {
            compression,
            lines: LineReader::new(compression.decode(file), 0, options.max_record_bytes),
            decoder: format.decoder(),
            end: u64::try_from(split.range_end).unwrap_or(u64::MAX),
            line: 1,
            log: MalformedLog::default(),
            records: 0,
            split,
            options,
        };
        cursor.skip_byte_order_mark()?;
        if format.has_header() {
            cursor.read_header()?;
        }
        cursor.go_to_position(again)?;
        Ok(cursor)
    }

    /// The split as it stands now; `None` if it is known to be finished.
    pub(crate) fn split(&self) -> Option<FileSplit> {
        if self.lines.offset() >= self.end {
            return None;
        }
        Some(FileSplit {
            position: i64::try_from(self.lines.offset()).unwrap_or(i64::MAX),
            line: i64::try_from(self.line).unwrap_or(0),
            ..self.split.clone()
        })
    }

    /// The next record or what stands in its place.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Step<D::Out>> {
        if self.lines.offset() >= self.end {
            return Ok(self.finish());
        }
        let (mut seen, mut lines_read) = (0, 0);
        loop {
            let line = match self.lines.line(seen) {
                Ok(line) => line,
                Err(e) => return Err(self.read_error(e)),
            };
            let (len, last) = match line {
                Line::Complete(len) => (len, false),
                Line::Last(len) => (len, true),
                Line::End if seen == 0 => return self.at_end_of_file(),
                Line::End => return self.skip_first_line("a quoted field is still open where the file ends"),
                Line::TooLong => return self.too_long(),
            };
            lines_read += 1;
            match self.decoder.decode(self.lines.bytes(len), seen) {
                Decoded::Record(value) => {
                    self.step_over(len, lines_read);
                    self.records += 1;
                    return Ok(Step::Record(value));
                }
                Decoded::Blank => {
                    self.step_over(len, lines_read);
                    return Ok(Step::Nothing);
                }
                Decoded::Unfinished if self.split.is_part() => {
                    return self.skip_first_line(
                        "a quoted field goes on in the next line, but the file is read in ranges, which whole_files() turns off",
                    );
                }
                Decoded::Unfinished if last => {
                    return self.skip_first_line("a quoted field is still open where the file ends");
                }
                Decoded::Unfinished => seen = len,
                Decoded::Malformed(why) => return self.skip_first_line(&why),
            }
        }
    }

    fn step_over(&mut self, len: usize, lines: u64) {
        self.lines.consume(len);
        if self.line > 0 {
            self.line += lines;
        }
    }

    /// A malformed record counts as its first line alone: were it a stray quote, the lines after it are good.
    #[cold]
    fn skip_first_line(&mut self, why: &str) -> Result<Step<D::Out>> {
        let place = Place {
            path: &self.split.path,
            line: self.line,
            offset: self.lines.offset(),
        };
        self.log.report(self.options.malformed, place, why)?;
        self.lines.skip_line().map_err(|e| self.read_error(e))?;
        self.line += u64::from(self.line > 0);
        Ok(Step::Skipped)
    }

    #[cold]
    fn too_long(&mut self) -> Result<Step<D::Out>> {
        let why = format!(
            "longer than the {} bytes that a record may have",
            self.options.max_record_bytes
        );
        self.skip_first_line(&why)
    }

    fn at_end_of_file(&self) -> Result<Step<D::Out>> {
        if self.compression == Compression::None && self.lines.offset() < self.end {
            return Err(self
                .split
                .changed("the file ends before the range does")
                .with("offset", self.lines.offset()));
        }
        Ok(self.finish())
    }

    fn finish(&self) -> Step<D::Out> {
        // After a restore nobody knows what was read before it.
        let from_start = self.split.position < 0;
        self.log
            .finish(&self.split.path, from_start.then_some(self.records));
        Step::End
    }

    fn skip_byte_order_mark(&mut self) -> Result<()> {
        if let Line::Complete(len) | Line::Last(len) = self.lines.line(0).map_err(|e| self.read_error(e))?
            && self.lines.bytes(len).starts_with(BYTE_ORDER_MARK)
        {
            self.lines.consume(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<()> {
        let (mut seen, mut lines_read) = (0, 0);
        loop {
            let (len, last) = match self.lines.line(seen).map_err(|e| self.read_error(e))? {
                Line::Complete(len) => (len, false),
                Line::Last(len) => (len, true),
                Line::End if seen == 0 => return Ok(()),
                Line::End => return Err(self.bad_header("a quoted field is still open where the file ends")),
                Line::TooLong => return Err(self.bad_header("longer than a record may be")),
            };
            lines_read += 1;
            match self.decoder.header(self.lines.bytes(len), seen) {
                Decoded::Record(()) => {
                    self.step_over(len, lines_read);
                    return Ok(());
                }
                Decoded::Blank => {
                    self.step_over(len, lines_read);
                    (seen, lines_read) = (0, 0);
                }
                Decoded::Unfinished if last => {
                    return Err(self.bad_header("a quoted field is still open where the file ends"));
                }
                Decoded::Unfinished if self.split.is_part() => {
                    return Err(self
                        .bad_header("it goes over several lines, but the file is read in ranges")
                        .hint("use whole_files()"));
                }
                Decoded::Unfinished => seen = len,
                Decoded::Malformed(why) => return Err(self.bad_header(&why)),
            }
        }
    }

    fn bad_header(&self, why: &str) -> Error {
        Error::new(ErrorKind::BadRecord, "read header", why)
            .with("path", &self.split.path)
            .with("line", self.line)
    }

    /// From behind the header to where the split's next record starts.
    fn go_to_position(&mut self, mut file: std::fs::File) -> Result<()> {
        if let Ok(position) = u64::try_from(self.split.position) {
            self.line = self.split.line.unsigned_abs();
            if self.compression != Compression::None {
                let there = self.lines.skip_to(position).map_err(|e| self.read_error(e))?;
                return if there {
                    Ok(())
                } else {
                    Err(self
                        .split
                        .changed("the file ends before the position")
                        .with("position", position))
                };
            }
            return self.seek(&mut file, position);
        }
        let start = self.split.range_start.unsigned_abs();
        if start > self.lines.offset() {
            // The record that starts at `start` belongs here: it does when the byte before ends a line.
            self.seek(&mut file, start - 1)?;
            self.lines.skip_line().map_err(|e| self.read_error(e))?;
            self.line = 0;
        }
        Ok(())
    }

    fn seek(&mut self, file: &mut std::fs::File, offset: u64) -> Result<()> {
        file.seek(SeekFrom::Start(offset))
            .map_err(|e| self.read_error(e))?;
        let file = file.try_clone().map_err(|e| self.read_error(e))?;
        let source: Box<dyn Read> = self.compression.decode(file);
        self.lines = LineReader::new(source, offset, self.options.max_record_bytes);
        Ok(())
    }

    #[cold]
    fn read_error(&self, e: std::io::Error) -> Error {
        self.compression
            .read_error(&self.split.path, self.lines.offset(), e)
    }
}
