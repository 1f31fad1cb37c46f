//! Cuts a stream of bytes into lines within bounded memory, and knows the offset of each.
//!
//! A line ends with `\n`; a `\r` before it is no part of its text. The reader keeps a record's bytes together in one buffer, so
//! that a record that goes over several lines can be looked at again from its first.

use std::io::{self, Read};

const CHUNK_BYTES: usize = 64 * 1024;

/// Reads lines from a stream.
pub(crate) struct LineReader {
    source: Box<dyn Read>,
    buf: Vec<u8>,
    /// Where the current record starts in `buf`.
    start: usize,
    /// How much of `buf` holds data.
    filled: usize,
    /// The offset of `start` in the stream.
    offset: u64,
    ended: bool,
    max_record_bytes: usize,
}

/// Where a line ends, counted from the start of the current record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It has a line end, which takes the last byte of these.
    Complete(usize),
    /// The stream ends without a line end after these bytes, of which there is at least one that is new.
    Last(usize),
    /// Nothing new comes.
    End,
    /// More bytes than a record may have, and no end to be seen.
    TooLong,
}

impl LineReader {
    /// Reads from `source`, which stands at `offset`.
    pub(crate) fn new(source: Box<dyn Read>, offset: u64, max_record_bytes: usize) -> Self {
        LineReader {
            source,
            buf: Vec::new(),
            start: 0,
            filled: 0,
            offset,
            ended: false,
            max_record_bytes,
        }
    }

    /// The offset of the current record.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The first `len` bytes of the current record.
    #[inline]
    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        self.buf
            .get(self.start..self.start.saturating_add(len).min(self.filled))
            .unwrap_or_default()
    }

    /// Looks for the end of the line that begins `from` bytes into the current record.
    #[inline]
    pub(crate) fn line(&mut self, from: usize) -> io::Result<Line> {
        let mut searched = from;
        loop {
            let rest = self
                .buf
                .get(self.start + searched..self.filled)
                .unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest) {
                let len = searched + at + 1;
                return Ok(if len > self.max_record_bytes {
                    Line::TooLong
                } else {
                    Line::Complete(len)
                });
            }
            searched = self.filled - self.start;
            if searched > self.max_record_bytes {
                return Ok(Line::TooLong);
            }
            if !self.fill()? {
                return Ok(if searched > from {
                    Line::Last(searched)
                } else {
                    Line::End
                });
            }
        }
    }

    /// Steps over `len` bytes: the next record starts behind them.
    #[inline]
    pub(crate) fn consume(&mut self, len: usize) {
        let len = len.min(self.filled - self.start);
        self.start += len;
        self.offset += len as u64;
    }

    /// Steps over the rest of the line, however long it is. Answers whether the line had an end.
    pub(crate) fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.buf.get(self.start..self.filled).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest) {
                self.consume(at + 1);
                return Ok(true);
            }
            self.consume(self.filled - self.start);
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Steps forward to `offset`. Answers false when the stream ends before it.
    pub(crate) fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        while self.offset < offset {
            let missing = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            self.consume(missing);
            if self.offset < offset && !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buf.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.buf.len() < self.filled + CHUNK_BYTES {
            let wanted = (self.filled + CHUNK_BYTES)
                .next_multiple_of(CHUNK_BYTES)
                .max(self.buf.len() * 2);
            self.buf.resize(wanted, 0);
        }
        loop {
            let free = self.buf.get_mut(self.filled..).unwrap_or_default();
            match self.source.read(free) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(n) => {
                    self.filled = (self.filled + n).min(self.buf.len());
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A line without its line end.
#[inline]
pub(crate) fn strip_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte a read: the worst case for whoever looks for ends across reads.
    struct Trickle(Vec<u8>, usize);
    impl Read for Trickle {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let Some(b) = self.0.get(self.1) else { return Ok(0) };
            buf[0] = *b;
            self.1 += 1;
            Ok(1)
        }
    }

    #[test]
    fn lines_and_offsets_come_out_the_same_however_the_bytes_arrive() {
        let text = b"ab\r\n\nlast";
        for source in [
            Box::new(Trickle(text.to_vec(), 0)) as Box<dyn Read>,
            Box::new(io::Cursor::new(text.to_vec())),
        ] {
            let mut r = LineReader::new(source, 100, 1000);
            assert_eq!(r.line(0).unwrap(), Line::Complete(4));
            assert_eq!(strip_line_end(r.bytes(4)), b"ab");
            assert_eq!(
                r.line(4).unwrap(),
                Line::Complete(5),
                "the next line of the same record"
            );
            r.consume(5);
            assert_eq!(r.offset(), 105);
            assert_eq!(r.line(0).unwrap(), Line::Last(4));
            assert_eq!(r.bytes(4), b"last");
            r.consume(4);
            assert_eq!(r.line(0).unwrap(), Line::End);
        }
    }

    #[test]
    fn a_line_without_end_is_refused_and_skipped_in_bounded_memory() {
        // 8 MiB of one byte behind a limit of 1 KiB: the buffer must stay small, and the line after it must be found.
        let source = io::repeat(b'x').take(8 << 20).chain(io::Cursor::new(b"\nnext\n"));
        let mut r = LineReader::new(Box::new(source), 0, 1024);
        assert_eq!(r.line(0).unwrap(), Line::TooLong);
        assert!(r.skip_line().unwrap());
        assert_eq!(r.offset(), (8 << 20) + 1);
        assert_eq!(r.line(0).unwrap(), Line::Complete(5));
        assert!(r.buf.len() <= 4 * CHUNK_BYTES, "{}", r.buf.len());
    }
}
