//! The files of a checkpoint, linked into a folder without the task waiting for a write buffer to be written.
//!
//! The thread of the snapshot only *seals* the write buffers before the task goes on writing: RocksDB puts empty ones in their place,
//! and writes the sealed ones on threads of its own. The thread waits for these, whatever was sealed after them, and then links the files
//! that are there. They are the state at the moment of the seal, unless a buffer that was begun afterwards has come to a file as well;
//! every entry has a number that grows with each write, so the files themselves tell ([`Links::Overtaken`]). That takes a task that fills
//! a buffer, and has it written, before the sealed one is linked: the checkpoint is then written from a snapshot of the database, as a
//! whole.

use crate::rocksdb::database::Database;
use crate::rocksdb::folder::TemporaryFolder;
use millpond_core::{CheckpointId, Error, Result, host};
use rust_rocksdb::FlushOptions;
use rust_rocksdb::checkpoint::Checkpoint;
use std::sync::Arc;
use std::time::Duration;

/// How often a sealed buffer is looked after.
const POLL: Duration = Duration::from_millis(1);
const OPERATION: &str = "take snapshot";
const UNWRITTEN_BUFFERS: &str = "rocksdb.num-immutable-mem-table";
const BACKGROUND_ERRORS: &str = "rocksdb.background-errors";

/// What became of the links of a checkpoint.
pub(in crate::rocksdb) enum Links {
    /// The files of the database at the moment of the seal.
    Made(TemporaryFolder),
    /// The files hold later changes too.
    Overtaken,
}

/// Sealed write buffers whose files are not linked yet.
pub(in crate::rocksdb) struct Seal {
    database: Arc<Database>,
    /// With the first entry of the buffer of each that was sealed last.
    columns: Vec<(String, u64)>,
    /// The number of the last entry before the seal.
    last_entry: u64,
    errors_before: u64,
    links: TemporaryFolder,
    checkpoint: CheckpointId,
}

impl Seal {
    /// Seals the write buffers of `columns`; what is linked later goes to the folder `links` inside the database's. The caller
    /// has a snapshot of the database of this moment and holds it until the links are made.
    pub(in crate::rocksdb) fn new(
        database: &Arc<Database>,
        columns: Vec<String>,
        links: &str,
        checkpoint: CheckpointId,
    ) -> Result<Self> {
        let Some(folder) = &database.folder else {
            return Err(Error::illegal_state(
                OPERATION,
                "the database has no folder of its own",
            ));
        };
        let mut seal = Seal {
            last_entry: database.db().latest_sequence_number(),
            errors_before: 0,
            database: Arc::clone(database),
            columns: columns.into_iter().map(|column| (column, 0)).collect(),
            links: TemporaryFolder(folder.join(links)),
            checkpoint,
        };
        seal.errors_before = seal.errors()?;
        seal.seal(false)?;
        for (column, first) in &mut seal.columns {
            *first = database.flushes.sealed(column);
        }
        Ok(seal)
    }

    /// Puts empty buffers in the place of those that hold something, and waits until these are written or doesn't.
    fn seal(&self, wait: bool) -> Result<()> {
        let mut options = options_for_seal();
        for (column, _) in &self.columns {
            let column = self.database.column(column)?;
            options.set_wait(wait);
            self.database
                .change(OPERATION, |db| match db.flush_cf_opt(&column, &options) {
                    // So many are on their way that writes are stopped, and only who waits may add another.
                    Err(e) if e.kind() == rust_rocksdb::ErrorKind::TryAgain => {
                        let mut options = options_for_seal();
                        options.set_wait(true);
                        db.flush_cf_opt(&column, &options)
                    }
                    sealed => sealed,
                })?;
        }
        Ok(())
    }

    /// Waits until the sealed buffers are files, and links those.
    pub(in crate::rocksdb) fn link(self) -> Result<Links> {
        for (column, first) in &self.columns {
            // Where none is left there was none, or RocksDB has written them and found nothing worth a file.
            while !self.database.flushes.is_written(column, *first)
                && self.number(column, UNWRITTEN_BUFFERS)? > 0
            {
                if self.errors()? > self.errors_before {
                    // Says what is wrong, if it still is.
                    self.seal(true)?;
                }
                host::sleep(POLL);
            }
        }
        // No log is left to be copied, and no buffer to be written.
        Checkpoint::new(self.database.db())
            .and_then(|c| c.create_checkpoint_with_log_size(&self.links.0, u64::MAX))
            .map_err(|e| self.failed(e))?;
        // What came to a file stays in one, under its number: the snapshot that the caller holds keeps RocksDB from dropping it.
        let files = self.database.db().live_files().map_err(|e| self.failed(e))?;
        let overtaken = files.iter().any(|file| file.largest_seqno > self.last_entry);
        Ok(if overtaken {
            Links::Overtaken
        } else {
            Links::Made(self.links)
        })
    }

    fn number(&self, column: &str, property: &str) -> Result<u64> {
        let column = self.database.column(column)?;
        let number = self.database.db().property_int_value_cf(&column, property);
        Ok(number.map_err(|e| self.failed(e))?.unwrap_or_default())
    }

    fn errors(&self) -> Result<u64> {
        let number = self.database.db().property_int_value(BACKGROUND_ERRORS);
        Ok(number.map_err(|e| self.failed(e))?.unwrap_or_default())
    }

    fn failed(&self, error: rust_rocksdb::Error) -> Error {
        self.database
            .failed(OPERATION, error)
            .with("checkpoint", self.checkpoint)
    }
}

fn options_for_seal() -> FlushOptions {
    let mut options = FlushOptions::default();
    // Not held up by other buffers on their way, though the next writes may be.
    options.set_allow_write_stall(true);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rocksdb::RocksDBOptions;
    use crate::rocksdb::database::{Column, ColumnSpec, OwnedSnapshot};
    use crate::rocksdb::folder::InstanceFolder;
    use crate::rocksdb::options::ColumnOptions;

    /// A database with one entry under `old`, sealed, and the snapshot that whoever seals holds.
    fn sealed(folder: &tempfile::TempDir) -> (Seal, Column, OwnedSnapshot) {
        sealed_with(folder, &RocksDBOptions::default())
    }

    fn sealed_with(folder: &tempfile::TempDir, options: &RocksDBOptions) -> (Seal, Column, OwnedSnapshot) {
        let folder = Arc::new(InstanceFolder::create(folder.path(), "links").unwrap());
        let options = ColumnOptions::new(options, 0);
        let database = Database::open(&folder.join("db"), &[], options, Some(folder)).unwrap();
        let column = database.column("s").unwrap();
        column.put(b"old", b"1").unwrap();
        let snapshot = OwnedSnapshot::new(&database);
        let seal = Seal::new(&database, vec!["s".into()], "chk-1", 1).unwrap();
        (seal, column, snapshot)
    }

    /// Goal: the links are of the moment of the seal. Method: write after it, link, and open what was linked.
    #[test]
    fn what_is_written_after_the_seal_is_not_linked() {
        let folder = tempfile::tempdir().unwrap();
        let (seal, column, _snapshot) = sealed(&folder);
        column.put(b"old", b"2").unwrap();
        column.put(b"new", b"2").unwrap();
        let Links::Made(links) = seal.link().unwrap() else {
            panic!("nothing else came to a file");
        };
        let options = ColumnOptions::new(&RocksDBOptions::default(), 0);
        let columns = [ColumnSpec {
            name: "s".into(),
            expires: false,
        }];
        let linked = Database::open(&links.0, &columns, options, None).unwrap();
        let linked = linked.column("s").unwrap();
        assert_eq!(linked.get(b"old").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(linked.get(b"new").unwrap().as_deref(), None);
    }

    /// Goal: a buffer that was filled after the seal is not waited for. Method: it waits itself, for others to be merged with.
    #[test]
    fn later_buffers_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut given = RocksDBOptions::default();
        given.given.write_buffer_size = Some(64 << 10);
        given.given.min_write_buffers_to_merge = Some(3);
        let (seal, column, _snapshot) = sealed_with(&folder, &given);
        while seal.number("s", UNWRITTEN_BUFFERS).unwrap() > 0 {
            host::sleep(POLL);
        }
        let mut key = 0u32;
        while seal.number("s", UNWRITTEN_BUFFERS).unwrap() == 0 {
            column.put(&key.to_be_bytes(), &[0; 1 << 10]).unwrap();
            key += 1;
        }
        assert!(matches!(seal.link().unwrap(), Links::Made(_)));
    }

    /// Goal: files with later changes never pass for a checkpoint. Method: have a later change written to a file before the
    /// links are made, also one that a compaction has mixed with the rest.
    #[test]
    fn files_with_later_changes_are_told_apart() {
        for compacted in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (seal, column, _snapshot) = sealed(&folder);
            column.put(b"old", b"2").unwrap();
            let db = column.database().db();
            db.flush_cf(&column).unwrap();
            if compacted {
                db.compact_range_cf(&column, None::<&[u8]>, None::<&[u8]>);
            }
            assert!(matches!(seal.link().unwrap(), Links::Overtaken), "{compacted}");
        }
    }
}
