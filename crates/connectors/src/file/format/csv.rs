//! CSV (RFC 4180): rows by serde, or raw.
//!
//! A line without a quote is cut at its delimiters; only lines with quotes go through the state machine of `csv-core`.
//! The `csv` crate's deserializer makes a row of the fields. Buffers are reused from row to row.

use super::{Decoded, FileFormat, RecordDecoder, excerpt};
use crate::file::lines::strip_line_end;
use csv::{DeserializeErrorKind, ErrorKind, StringRecord};
use csv_core::{ReadRecordResult, ReaderBuilder, Terminator};
use millpond_api::Data;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// How a CSV file is written. The default is what RFC 4180 says: commas, `"` quotes, a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dialect {
    delimiter: u8,
    quote: u8,
    header: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            delimiter: b',',
            quote: b'"',
            header: true,
        }
    }
}

macro_rules! dialect_options {
    () => {
        /// The byte between fields. Default: a comma.
        #[must_use]
        pub fn delimiter(mut self, delimiter: u8) -> Self {
            self.dialect.delimiter = delimiter;
            self
        }
        /// The byte around fields that hold delimiters or line ends. Default: `"`.
        #[must_use]
        pub fn quote(mut self, quote: u8) -> Self {
            self.dialect.quote = quote;
            self
        }
        /// The files have no header: the first line is a row, and rows are read by position.
        #[must_use]
        pub fn without_header(mut self) -> Self {
            self.dialect.header = false;
            self
        }
    };
}

/// CSV whose rows serde makes a `T` of: by the header's names, or by position where there is no header.
/// Flink's `CsvReaderFormat`.
pub struct CsvFormat<T> {
    dialect: Dialect,
    row: PhantomData<fn() -> T>,
}

impl<T> CsvFormat<T> {
    /// Commas, `"` quotes, a header.
    pub fn new() -> Self {
        CsvFormat {
            dialect: Dialect::default(),
            row: PhantomData,
        }
    }
    dialect_options!();
}

impl<T> Default for CsvFormat<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// CSV whose rows stay as they are: fields by position.
#[derive(Clone, Copy, Debug, Default)]
pub struct CsvRecordFormat {
    dialect: Dialect,
}

impl CsvRecordFormat {
    /// Commas, `"` quotes, a header (which is passed over, and whose width every row must have).
    pub fn new() -> Self {
        Self::default()
    }
    dialect_options!();
}

impl<T: DeserializeOwned + Data> FileFormat for CsvFormat<T> {
    type Out = T;
    type Decoder = CsvDecoder<T>;
    fn has_header(&self) -> bool {
        self.dialect.header
    }
    fn decoder(&self) -> Self::Decoder {
        CsvDecoder {
            fields: FieldReader::new(self.dialect),
            headers: None,
            row: PhantomData,
        }
    }
}

impl FileFormat for CsvRecordFormat {
    type Out = StringRecord;
    type Decoder = CsvRecordDecoder;
    fn has_header(&self) -> bool {
        self.dialect.header
    }
    fn decoder(&self) -> Self::Decoder {
        CsvRecordDecoder {
            fields: FieldReader::new(self.dialect),
            width: None,
        }
    }
}

/// Decodes rows by serde.
pub struct CsvDecoder<T> {
    fields: FieldReader,
    headers: Option<StringRecord>,
    row: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + 'static> RecordDecoder for CsvDecoder<T> {
    type Out = T;

    fn header(&mut self, record: &[u8], seen: usize) -> Decoded<()> {
        let decoded = self.fields.read(record, seen);
        if let Decoded::Record(()) = decoded {
            self.headers = Some(self.fields.record.clone());
        }
        decoded
    }

    fn decode(&mut self, record: &[u8], seen: usize) -> Decoded<T> {
        match self.fields.read(record, seen) {
            Decoded::Record(()) => {}
            Decoded::Blank => return Decoded::Blank,
            Decoded::Unfinished => return Decoded::Unfinished,
            Decoded::Malformed(why) => return Decoded::Malformed(why),
        }
        let row = &self.fields.record;
        if let Some(why) = wrong_width(row, self.headers.as_ref().map(StringRecord::len)) {
            return Decoded::Malformed(why);
        }
        match row.deserialize(self.headers.as_ref()) {
            Ok(value) => Decoded::Record(value),
            Err(e) => Decoded::Malformed(reason(&e, row, self.headers.as_ref())),
        }
    }
}

/// Hands rows out raw.
pub struct CsvRecordDecoder {
    fields: FieldReader,
    width: Option<usize>,
}

impl RecordDecoder for CsvRecordDecoder {
    type Out = StringRecord;

    fn header(&mut self, record: &[u8], seen: usize) -> Decoded<()> {
        let decoded = self.fields.read(record, seen);
        if let Decoded::Record(()) = decoded {
            self.width = Some(self.fields.record.len());
        }
        decoded
    }

    fn decode(&mut self, record: &[u8], seen: usize) -> Decoded<StringRecord> {
        match self.fields.read(record, seen) {
            Decoded::Record(()) => match wrong_width(&self.fields.record, self.width) {
                Some(why) => Decoded::Malformed(why),
                None => Decoded::Record(self.fields.record.clone()),
            },
            Decoded::Blank => Decoded::Blank,
            Decoded::Unfinished => Decoded::Unfinished,
            Decoded::Malformed(why) => Decoded::Malformed(why),
        }
    }
}

fn wrong_width(row: &StringRecord, wanted: Option<usize>) -> Option<String> {
    let wanted = wanted?;
    (row.len() != wanted).then(|| format!("{} fields where the header has {wanted}", row.len()))
}

/// What was wrong, with the column's name and the text that stood there.
fn reason(e: &csv::Error, row: &StringRecord, headers: Option<&StringRecord>) -> String {
    let ErrorKind::Deserialize { err, .. } = e.kind() else {
        return e.to_string();
    };
    let what = match err.kind() {
        DeserializeErrorKind::Message(m) | DeserializeErrorKind::Unsupported(m) => m.clone(),
        other => other.to_string(),
    };
    let Some(field) = err.field().and_then(|f| usize::try_from(f).ok()) else {
        return what;
    };
    let text = excerpt(row.get(field).unwrap_or_default());
    match headers.and_then(|h| h.get(field)) {
        Some(name) => format!("column {name}: {what}: \"{text}\""),
        None => format!("field {}: {what}: \"{text}\"", field + 1),
    }
}

/// Cuts lines into fields.
struct FieldReader {
    dialect: Dialect,
    core: csv_core::Reader,
    record: StringRecord,
    /// Unquoted fields end to end, and where each ends: what `csv-core` writes.
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
}

impl FieldReader {
    fn new(dialect: Dialect) -> Self {
        FieldReader {
            dialect,
            core: ReaderBuilder::new()
                .delimiter(dialect.delimiter)
                .quote(dialect.quote)
                .terminator(Terminator::Any(b'\n'))
                .build(),
            record: StringRecord::new(),
            text: Vec::new(),
            text_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
        }
    }

    /// Reads a row into `self.record`.
    #[inline]
    fn read(&mut self, record: &[u8], seen: usize) -> Decoded<()> {
        if seen == 0 {
            let line = strip_line_end(record);
            if line.is_empty() {
                return Decoded::Blank;
            }
            if memchr::memchr(self.dialect.quote, line).is_none() {
                return self.read_unquoted(line);
            }
            self.core.reset();
            (self.text_len, self.ends_len) = (0, 0);
        }
        self.read_quoted(record.get(seen..).unwrap_or_default())
    }

    #[inline]
    fn read_unquoted(&mut self, line: &[u8]) -> Decoded<()> {
        let line = match std::str::from_utf8(line) {
            Ok(line) => line,
            Err(e) => return Decoded::Malformed(not_utf8(e.valid_up_to())),
        };
        self.record.clear();
        let mut start = 0;
        for at in memchr::memchr_iter(self.dialect.delimiter, line.as_bytes()) {
            self.record.push_field(line.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        self.record.push_field(line.get(start..).unwrap_or_default());
        Decoded::Record(())
    }

    fn read_quoted(&mut self, piece: &[u8]) -> Decoded<()> {
        let closed = self.feed(piece) || (!piece.ends_with(b"\n") && self.feed(b"\n"));
        if !closed {
            return Decoded::Unfinished;
        }
        if piece.ends_with(b"\r\n") {
            // It stood outside the quotes, or the line end would not have ended the row.
            self.text_len = self.text_len.saturating_sub(1);
            if let Some(end) = self
                .ends_len
                .checked_sub(1)
                .and_then(|last| self.ends.get_mut(last))
            {
                *end = (*end).min(self.text_len);
            }
        }
        self.take_fields()
    }

    /// Runs the state machine over `input`. Answers whether the row ended, which only a line end outside quotes does.
    fn feed(&mut self, mut input: &[u8]) -> bool {
        loop {
            let room = self.text_len + input.len() + 1;
            if self.text.len() < room {
                self.text.resize(room.next_power_of_two(), 0);
            }
            let (result, read, written, ended) = self.core.read_record(
                input,
                self.text.get_mut(self.text_len..).unwrap_or_default(),
                self.ends.get_mut(self.ends_len..).unwrap_or_default(),
            );
            input = input.get(read..).unwrap_or_default();
            self.text_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::Record => return true,
                ReadRecordResult::OutputFull => {}
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return false,
            }
        }
    }

    fn take_fields(&mut self) -> Decoded<()> {
        self.record.clear();
        let mut start = 0;
        for end in self.ends.iter().take(self.ends_len) {
            let field = self.text.get(start..*end).unwrap_or_default();
            match std::str::from_utf8(field) {
                Ok(field) => self.record.push_field(field),
                Err(e) => return Decoded::Malformed(not_utf8(start + e.valid_up_to())),
            }
            start = *end;
        }
        Decoded::Record(())
    }
}

fn not_utf8(at: usize) -> String {
    format!("not UTF-8 at byte {at} of the row")
}
