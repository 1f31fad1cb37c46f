//! Sources and sinks of a job, each with its own state.
//!
//! Sources: [`FileSource`] (CSV, JSON lines, text; plain, gzip or zstd), [`DataGeneratorSource`], [`CollectionSource`].
//! Sinks: [`FileSink`] (exactly once), [`PrintSink`], [`DiscardingSink`], [`CollectSink`].
//!
//! This layer knows the contracts of `millpond-api`, the operator state of `millpond-state` and the files it reads and
//! writes. It never knows the coordinator, tasks or channels.

pub mod collection;
pub mod datagen;
pub mod file;
#[cfg(test)]
mod formats;
pub mod sink;
#[cfg(test)]
mod testing;

pub use collection::{CollectionSource, CollectionSplit};
pub use datagen::{DataGeneratorSource, GeneratorSplit};
pub use file::{
    Compression, CsvFormat, CsvRecordFormat, FileFormat, FileSource, FileSplit, JsonLinesFormat,
    MalformedRows, StringRecord, TextLineFormat,
};
pub use sink::collect::CollectSink;
pub use sink::discard::DiscardingSink;
pub use sink::file::{Encoder, FileSink, JsonLinesEncoder};
pub use sink::print::PrintSink;
