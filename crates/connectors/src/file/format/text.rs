//! Plain lines.

use super::{Decoded, FileFormat, RecordDecoder};
use crate::file::lines::strip_line_end;

/// Each line is a record, empty ones too. Flink's `TextLineInputFormat`. The text must be UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextLineFormat;

impl FileFormat for TextLineFormat {
    type Out = String;
    type Decoder = TextLineFormat;
    fn decoder(&self) -> Self::Decoder {
        TextLineFormat
    }
}

impl RecordDecoder for TextLineFormat {
    type Out = String;
    fn decode(&mut self, record: &[u8], _seen: usize) -> Decoded<String> {
        match std::str::from_utf8(strip_line_end(record)) {
            Ok(text) => Decoded::Record(text.to_string()),
            Err(e) => Decoded::Malformed(format!("not UTF-8 at byte {} of the line", e.valid_up_to())),
        }
    }
}
