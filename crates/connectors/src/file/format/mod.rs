//! What a record is made of: CSV, JSON lines, plain lines. Knows bytes of one record, never files or positions.

pub mod csv;
pub mod json;
pub mod text;

use millpond_api::Data;

/// A file format whose records are lines (or, for CSV in whole files, runs of lines).
/// Flink's `StreamFormat`, reduced to what can be cut at line ends.
pub trait FileFormat: Send + Sync + 'static {
    /// The type of the records.
    type Out: Data;
    /// What decodes them; one for each open split.
    type Decoder: RecordDecoder<Out = Self::Out>;

    /// Whether each file begins with a header record.
    fn has_header(&self) -> bool {
        false
    }

    /// A new decoder.
    fn decoder(&self) -> Self::Decoder;
}

/// Decodes the records of one file.
pub trait RecordDecoder: 'static {
    /// The type of the records.
    type Out;

    /// Takes the file's header record, if the format has one. [`Decoded::Unfinished`] asks for another line, as
    /// [`RecordDecoder::decode`] does; otherwise what is in the record doesn't matter.
    fn header(&mut self, _record: &[u8], _seen: usize) -> Decoded<()> {
        Decoded::Record(())
    }

    /// Decodes one record: a line with its line end (the last one of a file may lack it). After [`Decoded::Unfinished`]
    /// it is called again with one line more; the first `seen` bytes are what it was called with before. The caller may
    /// give up instead, and go on with another record from `seen = 0`.
    fn decode(&mut self, record: &[u8], seen: usize) -> Decoded<Self::Out>;
}

/// What a line turned out to be.
#[derive(Debug, PartialEq)]
pub enum Decoded<T> {
    /// A record.
    Record(T),
    /// Nothing: an empty line between records.
    Blank,
    /// The record goes on in the next line.
    Unfinished,
    /// Not a record; the text says why.
    Malformed(String),
}

/// A piece of the input as it may stand in a message: not long, and without control characters.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut shown: String = text
        .chars()
        .take(CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
