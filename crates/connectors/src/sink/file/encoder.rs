//! How a record becomes bytes of a row-wise file. Flink's `Encoder`.

use millpond_core::{Error, ErrorKind, Result};
use serde::Serialize;

/// Appends a record's bytes to a file. For a format with one line a record, with the line's end.
///
/// A function from a record to a `String` is an encoder: the text is written as a line (Flink's `SimpleStringEncoder`).
pub trait Encoder<T>: Send + Sync + 'static {
    /// Appends `value` to `out`, which holds records before it: append only.
    ///
    /// # Errors
    /// When the value cannot be written in this format; the task fails.
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<()>;
}

impl<T, F: Fn(&T) -> String + Send + Sync + 'static> Encoder<T> for F {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self(value).as_bytes());
        out.push(b'\n');
        Ok(())
    }
}

/// One JSON value a line, by serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLinesEncoder;

impl<T: Serialize> Encoder<T> for JsonLinesEncoder {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, value).map_err(|e| {
            Error::new(
                ErrorKind::UserFunction,
                "encode record",
                "the record cannot be written as JSON",
            )
            .source(e)
        })?;
        out.push(b'\n');
        Ok(())
    }
}
