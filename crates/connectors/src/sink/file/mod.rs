//! Files, exactly once: in progress, pending, finished. Flink's `FileSink` with `OnCheckpointRollingPolicy`.
//!
//! # Life cycle
//! Records go to a hidden in-progress file. At a checkpoint's barrier the file is closed, made durable, renamed to a hidden
//! pending name that carries the checkpoint, and becomes a committable. When the checkpoint is complete, the file gets
//! its finished name, which is the commit. The folder is synced after each of the renames.
//!
//! | crash | afterwards |
//! |---|---|
//! | before the barrier | the in-progress file is removed; its records come again |
//! | after the barrier, checkpoint incomplete | the pending file is in no restored state and is removed |
//! | checkpoint complete, not or only partly committed | the restored state names the files; they are finished |
//! | after the commit | the finished files are there; nothing to do |
//! | a completed checkpoint turns out damaged, an older one is used | finished files of later checkpoints are removed: their records come again |
//!
//! `names` has the file names, `writer` the first phase, `pending` the second, `recovery` what is removed after a crash. What is
//! assumed of the file system: a rename within a folder is atomic, and durable after the folder was synced.

pub(crate) mod encoder;
pub(crate) mod folder;
pub(crate) mod names;
pub(crate) mod part;
pub mod pending;
pub(crate) mod recovery;
#[cfg(test)]
mod tests;
pub mod writer;

pub use encoder::{Encoder, JsonLinesEncoder};
pub use pending::PendingFile;
pub use writer::FileSinkWriter;

use folder::Folder;
use millpond_api::sink::{Committer, CommitterInitContext};
use millpond_api::{Data, Sink, WriterInitContext};
use millpond_core::{Error, Result};
use pending::FileCommitter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::PartOptions;

/// Writes records to part files in a folder, each visible exactly once.
///
/// A new file begins with every checkpoint, and, if asked, when one is full. Readers of the folder must leave hidden files
/// alone (names beginning with a dot); every other file is complete and never changes, though a recovery that has to go back
/// behind a damaged checkpoint takes files away whose records it will write again.
///
/// Without checkpoints the files become visible when the input ends, and a job that restarts after some of its instances had
/// ended writes their records twice.
///
/// A job started without a snapshot never overwrites what an earlier start of it left finished: it adds to it.
///
/// ```
/// use millpond_connectors::FileSink;
/// let words = FileSink::for_row_format("out", |word: &String| word.to_uppercase()).suffix(".txt");
/// let pairs = FileSink::json_lines::<(String, i64)>("out");
/// ```
pub struct FileSink<T = (), E = JsonLinesEncoder> {
    folder: PathBuf,
    encoder: Arc<E>,
    prefix: String,
    suffix: String,
    part_bytes_max: Option<u64>,
    record: std::marker::PhantomData<fn(T)>,
}

impl FileSink {
    /// Writes each record through `encoder`: a function from record to line, or an [`Encoder`].
    /// Flink's `FileSink.forRowFormat`.
    pub fn for_row_format<T, E: Encoder<T>>(folder: impl AsRef<Path>, encoder: E) -> FileSink<T, E> {
        FileSink {
            folder: folder.as_ref().to_path_buf(),
            encoder: Arc::new(encoder),
            prefix: "part".to_string(),
            suffix: String::new(),
            part_bytes_max: None,
            record: std::marker::PhantomData,
        }
    }

    /// Writes each record as a line of JSON, in files ending in `.jsonl`.
    pub fn json_lines<T: serde::Serialize>(folder: impl AsRef<Path>) -> FileSink<T, JsonLinesEncoder> {
        FileSink::for_row_format(folder, JsonLinesEncoder).suffix(".jsonl")
    }
}

impl<T, E> FileSink<T, E> {
    /// What file names begin with. Default `part`. Changed between a crash and the recovery, files under the old names are
    /// no longer taken back or cleaned up. (So it is with the suffix.)
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What file names end with, such as `.csv`. Default: nothing, and `.jsonl` for JSON lines.
    #[must_use]
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Begins a new file when one has this many bytes, beside those that checkpoints begin. Default: no limit.
    #[must_use]
    pub fn part_bytes_max(mut self, bytes: u64) -> Self {
        self.part_bytes_max = Some(bytes);
        self
    }
}

impl<T: Data, E: Encoder<T>> Sink for FileSink<T, E> {
    type In = T;
    type Writer = FileSinkWriter<T, E>;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<Self::Writer> {
        for (option, text) in [("prefix", &self.prefix), ("suffix", &self.suffix)] {
            let hidden = option == "prefix" && (text.is_empty() || text.starts_with('.'));
            if text.contains(['/', '\\', '\0']) || hidden {
                return Err(
                    Error::config("create file sink", "not a part of a visible file name")
                        .with("option", option)
                        .with("value", text),
                );
            }
        }
        let options = PartOptions {
            folder: &self.folder,
            prefix: &self.prefix,
            suffix: &self.suffix,
            part_bytes_max: self.part_bytes_max,
        };
        FileSinkWriter::create(self.encoder.clone(), &options, ctx)
    }

    fn create_committer(
        &self,
        ctx: &CommitterInitContext<'_>,
    ) -> Result<Option<Box<dyn Committer<PendingFile>>>> {
        Ok(Some(Box::new(FileCommitter {
            folder: Folder::open(&self.folder)?,
            by_hand: ctx.restored_checkpoint_id.is_none(),
        })))
    }
}
