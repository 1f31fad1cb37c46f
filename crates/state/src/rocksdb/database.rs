//! One RocksDB database with what has to outlive it, its column families, and its errors as ours.

use super::folder::InstanceFolder;
use super::options::ColumnOptions;
use millpond_core::{Error, ErrorKind, Result};
use rust_rocksdb::ffi_raw::rocksdb_column_family_handle_t;
use rust_rocksdb::{
    AsColumnFamilyRef, ColumnFamilyDescriptor, DBPinnableSlice, DBRawIteratorWithThreadMode,
    DBWithThreadMode, MultiThreaded, ReadOptions, SnapshotWithThreadMode, WriteBatch, WriteOptions,
};
use std::path::Path;
use std::sync::Arc;

pub(super) type Db = DBWithThreadMode<MultiThreaded>;
/// Takes a key and its value; says whether to go on.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;
pub(super) type RawIterator<'a> = DBRawIteratorWithThreadMode<'a, Db>;

/// A database, open. Fields are dropped in order: the folder goes after the database is closed.
pub(super) struct Database {
    db: Db,
    /// Without a log: checkpoints are the durability.
    write: WriteOptions,
    pub(super) options: Arc<ColumnOptions>,
    pub(super) folder: Option<Arc<InstanceFolder>>,
}

/// A column family of a database, ready for use without a lookup by its name.
pub(super) struct Column {
    /// Valid as long as `database` lives and the column family was not dropped, which only [`Database::drop_column`] does,
    /// for columns that no state uses.
    raw: *mut rocksdb_column_family_handle_t,
    database: Arc<Database>,
}

impl AsColumnFamilyRef for Column {
    #[inline]
    fn inner(&self) -> *mut rocksdb_column_family_handle_t {
        self.raw
    }
}

/// An error of RocksDB.
pub(super) fn db_error(operation: &'static str) -> impl FnOnce(rust_rocksdb::Error) -> Error {
    move |e| {
        let kind = match e.kind() {
            rust_rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
            _ => ErrorKind::Io,
        };
        Error::new(kind, operation, "rocksdb refused").source(e)
    }
}

impl Database {
    /// Opens or creates the database at `path` with the column families `columns`.
    pub(super) fn open(
        path: &Path,
        columns: &[String],
        options: Arc<ColumnOptions>,
        folder: Option<Arc<InstanceFolder>>,
    ) -> Result<Arc<Self>> {
        let descriptors = columns
            .iter()
            .map(String::as_str)
            .chain([rust_rocksdb::DEFAULT_COLUMN_FAMILY_NAME])
            .map(|name| ColumnFamilyDescriptor::new(name, options.column(name)));
        let db = Db::open_cf_descriptors(&options.database(), path, descriptors)
            .map_err(|e| db_error("open state database")(e).with("path", path.display()))?;
        let mut write = WriteOptions::default();
        write.disable_wal(true);
        Ok(Arc::new(Database {
            db,
            write,
            options,
            folder,
        }))
    }

    /// The column family `name`, created when it isn't there.
    pub(super) fn column(self: &Arc<Self>, name: &str) -> Result<Column> {
        if self.db.cf_handle(name).is_none() {
            self.db
                .create_cf(name, &self.options.column(name))
                .map_err(db_error("create column family"))?;
        }
        let handle = self.db.cf_handle(name).ok_or_else(|| {
            Error::illegal_state("create column family", "it is not there after it was made")
                .with("name", name)
        })?;
        Ok(Column {
            raw: handle.inner(),
            database: Arc::clone(self),
        })
    }

    /// Drops a column family that no [`Column`] and no iterator is on.
    pub(super) fn drop_column(&self, name: &str) -> Result<()> {
        self.db.drop_cf(name).map_err(db_error("drop column family"))
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Writes a batch and empties it.
    pub(super) fn write(&self, batch: &mut WriteBatch) -> Result<()> {
        self.db
            .write_opt(batch, &self.write)
            .map_err(db_error("write state"))?;
        batch.clear();
        Ok(())
    }
}

impl Column {
    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>> {
        self.database
            .db
            .get_pinned_cf(self, key)
            .map_err(db_error("read state"))
    }

    #[inline]
    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.database
            .db
            .put_cf_opt(self, key, value, &self.database.write)
            .map_err(db_error("write state"))
    }

    #[inline]
    pub(super) fn merge(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.database
            .db
            .merge_cf_opt(self, key, value, &self.database.write)
            .map_err(db_error("write state"))
    }

    #[inline]
    pub(super) fn delete(&self, key: &[u8]) -> Result<()> {
        self.database
            .db
            .delete_cf_opt(self, key, &self.database.write)
            .map_err(db_error("write state"))
    }

    /// Shows every entry whose key starts with `prefix`, in the order of their bytes, until `f` says false.
    pub(super) fn scan(&self, prefix: &[u8], f: impl FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        self.scan_from(prefix, prefix, f)
    }

    /// The same from the key `from` on, which starts with `prefix`.
    pub(super) fn scan_from(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut f: impl FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let iterator = self.database.db.raw_iterator_cf_opt(self, prefix_options(prefix));
        scan(iterator, from, &mut f)
    }
}

/// Bounds of a scan over the keys that start with `prefix`.
pub(super) fn prefix_options(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_range(rust_rocksdb::PrefixRange(prefix));
    options
}

/// Runs `iterator`, which has bounds ([`prefix_options`]), from the key `from` on.
pub(super) fn scan(mut iterator: RawIterator<'_>, from: &[u8], f: &mut Visit<'_>) -> Result<()> {
    iterator.seek(from);
    while let Some((key, value)) = iterator.item() {
        if !f(key, value)? {
            return Ok(());
        }
        iterator.next();
    }
    iterator.status().map_err(db_error("read state"))
}

/// A moment of a database that keeps it open and may go to another thread.
pub(super) struct OwnedSnapshot {
    /// Declared before the database, so that it is released first.
    snapshot: SnapshotWithThreadMode<'static, Db>,
    database: Arc<Database>,
}

impl OwnedSnapshot {
    pub(super) fn new(database: &Arc<Database>) -> Self {
        let database = Arc::clone(database);
        #[expect(unsafe_code, reason = "the snapshot borrows the database that it lies beside")]
        // SAFETY: the reference points into the `Arc` that this value holds. The `Arc`'s contents don't move, and the field
        // order drops the snapshot before the `Arc`; nothing hands the `'static` out.
        let db: &'static Db = unsafe { &*std::ptr::from_ref(&database.db) };
        OwnedSnapshot {
            snapshot: SnapshotWithThreadMode::new(db),
            database,
        }
    }

    /// Shows every entry of a column family whose key starts with `prefix`.
    pub(super) fn scan(&self, column: &str, prefix: &[u8], f: &mut Visit<'_>) -> Result<()> {
        let Some(handle) = self.database.db.cf_handle(column) else {
            return Err(
                Error::illegal_state("write snapshot", "a column family was dropped too early")
                    .with("name", column),
            );
        };
        // What a snapshot reads once would push out what the job reads often.
        let mut options = prefix_options(prefix);
        options.fill_cache(false);
        scan(self.snapshot.raw_iterator_cf_opt(&handle, options), prefix, f)
    }
}
