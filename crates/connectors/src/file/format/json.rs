//! JSON lines: one JSON value a line.

use super::{Decoded, FileFormat, RecordDecoder};
use millpond_api::Data;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;

/// Each line is a JSON value that serde makes a `T` of; blank lines are passed over. Flink's `JsonFormat`.
pub struct JsonLinesFormat<T>(PhantomData<fn() -> T>);

impl<T> JsonLinesFormat<T> {
    /// The format; it has no options.
    pub fn new() -> Self {
        JsonLinesFormat(PhantomData)
    }
}

impl<T> Default for JsonLinesFormat<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for JsonLinesFormat<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JsonLinesFormat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonLinesFormat")
    }
}

impl<T: DeserializeOwned + Data> FileFormat for JsonLinesFormat<T> {
    type Out = T;
    type Decoder = Self;
    fn decoder(&self) -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned + 'static> RecordDecoder for JsonLinesFormat<T> {
    type Out = T;
    fn decode(&mut self, record: &[u8], _seen: usize) -> Decoded<T> {
        if record.iter().all(u8::is_ascii_whitespace) {
            return Decoded::Blank;
        }
        match serde_json::from_slice(record) {
            Ok(value) => Decoded::Record(value),
            Err(e) => Decoded::Malformed(reason(&e)),
        }
    }
}

/// serde_json's message with its "at line 1 column 7" turned round: the line is another one in the file.
fn reason(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let bare = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(head, _)| head);
    format!("{bare} at column {}", e.column())
}
