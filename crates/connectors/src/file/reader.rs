//! The reader of one parallel instance: works off its splits in order, one open at a time.

use super::cursor::{ReadOptions, SplitCursor, Step};
use super::format::FileFormat;
use super::split::FileSplit;
use millpond_api::{InputStatus, SourceOutput, SourceReader};
use millpond_core::Result;
use millpond_core::hash::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many records one poll emits at most.
const RECORDS_PER_POLL: usize = 512;

/// Reads file splits. Made by [`super::FileSource`].
pub struct FileSourceReader<F: FileFormat> {
    format: Arc<F>,
    options: ReadOptions,
    waiting: VecDeque<FileSplit>,
    open: Option<SplitCursor<F::Decoder>>,
    records: u64,
    malformed_rows: u64,
    splits_finished: u64,
}

impl<F: FileFormat> FileSourceReader<F> {
    pub(crate) fn new(format: Arc<F>, options: ReadOptions) -> Self {
        FileSourceReader {
            format,
            options,
            waiting: VecDeque::new(),
            open: None,
            records: 0,
            malformed_rows: 0,
            splits_finished: 0,
        }
    }
}

impl<F: FileFormat> SourceReader for FileSourceReader<F> {
    type Out = F::Out;
    type Split = FileSplit;

    fn add_splits(&mut self, splits: Vec<FileSplit>) -> Result<()> {
        let mut checked = HashSet::default();
        for split in &splits {
            if checked.insert(split.path.as_str()) {
                split.check_length()?;
            }
        }
        self.waiting.extend(splits);
        self.waiting.make_contiguous().sort_by_key(|s| s.ordinal);
        Ok(())
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, F::Out>) -> Result<InputStatus> {
        for _ in 0..RECORDS_PER_POLL {
            let Some(cursor) = &mut self.open else {
                let Some(split) = self.waiting.front() else {
                    return Ok(InputStatus::EndOfInput);
                };
                // Popped after it was opened: a split whose file can't be opened stays in the reader's state.
                self.open = Some(SplitCursor::open(split.clone(), &*self.format, self.options)?);
                self.waiting.pop_front();
                continue;
            };
            match cursor.next()? {
                Step::Record(value) => {
                    self.records += 1;
                    out.collect(value)?;
                }
                Step::Nothing => {}
                Step::Skipped => self.malformed_rows += 1,
                Step::End => {
                    self.open = None;
                    self.splits_finished += 1;
                }
            }
        }
        Ok(InputStatus::MoreAvailable)
    }

    fn snapshot_state(&mut self, _checkpoint_id: u64) -> Result<Vec<FileSplit>> {
        Ok(self
            .open
            .iter()
            .filter_map(SplitCursor::split)
            .chain(self.waiting.iter().cloned())
            .collect())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("records", self.records),
            ("malformed_rows", self.malformed_rows),
            ("splits_finished", self.splits_finished),
        ]
    }
}
