//! Which write buffers have become files, as RocksDB tells.

use rust_rocksdb::event_listener::{EventListener, FlushJobInfo, MemTableInfo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a database has told of its write buffers since it was opened.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// By the names of column families.
    columns: Mutex<BTreeMap<Vec<u8>, Progress>>,
}

/// Every entry has a number that grows with each write; buffers are written in the order in which they were sealed.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The first entry of the buffer that was sealed last.
    sealed: u64,
    /// The last entry that came to a file.
    written: u64,
}

impl Flushes {
    /// The first entry of the buffer of a column family that was sealed last, 0 when none was yet.
    pub(super) fn sealed(&self, column: &str) -> u64 {
        self.progress(column).sealed
    }

    /// Whether the buffer that begins with the entry `first` has become a file, and so all that were sealed before it.
    pub(super) fn is_written(&self, column: &str, first: u64) -> bool {
        self.progress(column).written >= first
    }

    fn progress(&self, column: &str) -> Progress {
        let columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        columns.get(column.as_bytes()).copied().unwrap_or_default()
    }

    fn note(&self, column: Option<Vec<u8>>, change: impl FnOnce(&mut Progress)) {
        let Some(column) = column else { return };
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        change(columns.entry(column).or_default());
    }
}

/// What RocksDB calls.
pub(super) struct FlushListener(pub(super) Arc<Flushes>);

impl EventListener for FlushListener {
    fn on_memtable_sealed(&self, info: &MemTableInfo) {
        let first = info.first_seqno();
        self.0.note(info.cf_name(), |p| p.sealed = p.sealed.max(first));
    }

    fn on_flush_completed(&self, info: &FlushJobInfo) {
        let last = info.largest_seqno();
        self.0.note(info.cf_name(), |p| p.written = p.written.max(last));
    }
}
