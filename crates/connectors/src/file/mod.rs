//! Files as a source: CSV, JSON lines, plain lines; as they are or compressed; in splits with positions that can be
//! replayed. Flink's `FileSource`.
//!
//! `enumerate` turns paths into [`FileSplit`]s, `cursor` reads one split, `reader` works off those of one instance.
//! `format` knows what a record is made of, `lines` where one ends, `compression` what the bytes are packed in.

pub mod compression;
pub(crate) mod cursor;
pub(crate) mod enumerate;
pub mod format;
pub(crate) mod lines;
pub(crate) mod malformed;
pub mod reader;
pub mod split;
#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use csv::StringRecord;
pub use format::csv::{CsvFormat, CsvRecordFormat};
pub use format::json::JsonLinesFormat;
pub use format::text::TextLineFormat;
pub use format::{Decoded, FileFormat, RecordDecoder};
pub use malformed::MalformedRows;
pub use reader::FileSourceReader;
pub use split::FileSplit;

use cursor::ReadOptions;
use enumerate::Cutting;
use millpond_api::{Boundedness, Source, SourceReaderContext};
use millpond_core::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DEFAULT_SPLIT_BYTES_MAX: u64 = 64 << 20;
const DEFAULT_RECORD_BYTES_MAX: usize = 16 << 20;

/// Reads files record by record, to their end. Flink's `FileSource`.
///
/// A path is a file, or a folder: then every file right inside it, by name, but not those whose name starts with `.` or
/// `_`. Files ending in `.gz` and `.zst` are decoded on the way.
///
/// Large plain files are cut into ranges that instances read side by side; a range's records are those that start in it. A
/// CSV file with line ends inside quoted fields cannot be cut so: use [`FileSource::whole_files`] for such files. (Where
/// such a field is met in a range, its row is malformed.) Compressed files are never cut.
///
/// Positions in checkpoints are byte offsets. A file must stay as it is while a job reads it: one whose length, beginning
/// or end changed is refused after a restore, by name.
///
/// ```
/// use millpond_connectors::{FileSource, MalformedRows};
/// # #[derive(Clone, serde::Deserialize)]
/// # struct Flight { carrier: String }
/// let flights = FileSource::csv::<Flight>("data/flights").malformed_rows(MalformedRows::Fail);
/// let clicks = FileSource::json_lines::<serde_json::Value>("clicks.jsonl.zst").and_path("clicks-2.jsonl.zst");
/// ```
pub struct FileSource<F = ()> {
    format: Arc<F>,
    paths: Vec<PathBuf>,
    range_bytes_max: Option<u64>,
    compression: Option<Compression>,
    malformed: MalformedRows,
    max_record_bytes: usize,
}

impl FileSource<()> {
    /// Reads CSV with a header into rows by serde: [`CsvFormat`] with its defaults.
    pub fn csv<T>(path: impl AsRef<Path>) -> FileSource<CsvFormat<T>> {
        FileSource::for_record_format(CsvFormat::new(), path)
    }

    /// Reads CSV into raw rows: [`CsvRecordFormat`] with its defaults.
    pub fn csv_records(path: impl AsRef<Path>) -> FileSource<CsvRecordFormat> {
        FileSource::for_record_format(CsvRecordFormat::new(), path)
    }

    /// Reads JSON lines into values by serde.
    pub fn json_lines<T>(path: impl AsRef<Path>) -> FileSource<JsonLinesFormat<T>> {
        FileSource::for_record_format(JsonLinesFormat::new(), path)
    }

    /// Reads lines as they are.
    pub fn text_lines(path: impl AsRef<Path>) -> FileSource<TextLineFormat> {
        FileSource::for_record_format(TextLineFormat, path)
    }

    /// Reads any format. Flink's `FileSource.forRecordStreamFormat`.
    pub fn for_record_format<F>(format: F, path: impl AsRef<Path>) -> FileSource<F> {
        FileSource {
            format: Arc::new(format),
            paths: vec![path.as_ref().to_path_buf()],
            range_bytes_max: Some(DEFAULT_SPLIT_BYTES_MAX),
            compression: None,
            malformed: MalformedRows::default(),
            max_record_bytes: DEFAULT_RECORD_BYTES_MAX,
        }
    }
}

impl<F> FileSource<F> {
    /// One more file or folder, read after those before it.
    #[must_use]
    pub fn and_path(mut self, path: impl AsRef<Path>) -> Self {
        self.paths.push(path.as_ref().to_path_buf());
        self
    }

    /// Cuts plain files longer than this many bytes into ranges no longer than it. Default 64 MiB. Smaller ranges spread
    /// better over many instances; each costs an open and, for CSV, reading the header again.
    #[must_use]
    pub fn split_bytes_max(mut self, bytes: u64) -> Self {
        self.range_bytes_max = Some(bytes);
        self
    }

    /// Doesn't cut files: needed for CSV with line ends inside quoted fields. One file is then read by one instance.
    #[must_use]
    pub fn whole_files(mut self) -> Self {
        self.range_bytes_max = None;
        self
    }

    /// How the files are packed, in place of what their extensions say.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// What to do with rows that cannot be read. Default: skip, count, and warn.
    #[must_use]
    pub fn malformed_rows(mut self, policy: MalformedRows) -> Self {
        self.malformed = policy;
        self
    }

    /// The longest record, in bytes; a longer one is malformed. Default 16 MiB. A reader holds one record in memory.
    #[must_use]
    pub fn record_bytes_max(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }
}

impl<F: FileFormat> Source for FileSource<F> {
    type Out = F::Out;
    type Split = FileSplit;
    type Reader = FileSourceReader<F>;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn create_splits(&self, _parallelism: u32) -> Result<Vec<FileSplit>> {
        if self.range_bytes_max == Some(0) || self.max_record_bytes == 0 {
            return Err(Error::config(
                "enumerate files",
                "the longest range and the longest record must be above 0",
            )
            .with("split_bytes_max", self.range_bytes_max.unwrap_or_default())
            .with("record_bytes_max", self.max_record_bytes));
        }
        let cutting = Cutting {
            range_bytes_max: self.range_bytes_max,
            compression: self.compression,
        };
        enumerate::cut_files(&enumerate::list_files(&self.paths)?, cutting)
    }

    fn create_reader(&self, _ctx: &SourceReaderContext) -> Result<Self::Reader> {
        let options = ReadOptions {
            compression: self.compression,
            malformed: self.malformed,
            max_record_bytes: self.max_record_bytes,
        };
        Ok(FileSourceReader::new(self.format.clone(), options))
    }
}
