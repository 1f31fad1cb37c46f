//! One RocksDB database with what has to outlive it, its column families, and its errors as ours.

use super::expire::{ColumnExpiry, CompactionFilterSlot, Left};
use super::flushes::{FlushListener, Flushes};
use super::folder::InstanceFolder;
use super::in_flight::{Gate, Writes, scan_over};
use super::loading::{Loaded, Stored};
use super::options::ColumnOptions;
use millpond_core::{Error, ErrorKind, Result};
use rust_rocksdb::ffi_raw::rocksdb_column_family_handle_t;
use rust_rocksdb::statistics::Ticker;
use rust_rocksdb::{
    AsColumnFamilyRef, ColumnFamilyDescriptor, DBRawIteratorWithThreadMode, DBWithThreadMode,
    ExportImportFilesMetaData, ImportColumnFamilyOptions, LiveFile, MultiThreaded, Options, ReadOptions,
    SnapshotWithThreadMode, WriteBatch, WriteOptions,
};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) type Db = DBWithThreadMode<MultiThreaded>;
/// Takes a key and its value; says whether to go on.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;
pub(super) type RawIterator<'a> = DBRawIteratorWithThreadMode<'a, Db>;

/// A database, open. Fields are dropped in order: the folder goes after the database is closed.
pub(super) struct Database {
    /// Before `db`, from which it borrows.
    gate: Gate,
    db: Db,
    /// Without a log: checkpoints are the durability.
    write: WriteOptions,
    /// Holds RocksDB's counters, where it counts.
    counters: Options,
    pub(super) options: Arc<ColumnOptions>,
    pub(super) flushes: Arc<Flushes>,
    /// Those of the column families whose values have a time to live.
    filters: Mutex<Filters>,
    /// Where it lies, for errors.
    path: PathBuf,
    pub(super) folder: Option<Arc<InstanceFolder>>,
}

/// Compaction filters by column family.
type Filters = BTreeMap<String, CompactionFilterSlot>;

/// A column family that a database is opened with.
pub(super) struct ColumnSpec {
    pub(super) name: String,
    /// Whether its values have a time to live.
    pub(super) expires: bool,
}

/// A column family of a database, ready for use without a lookup by its name.
#[derive(Clone)]
pub(super) struct Column {
    name: Rc<str>,
    /// Valid as long as `database` lives and the column family was not dropped, which only [`Database::drop_column`] does,
    /// for columns that no state uses.
    raw: *mut rocksdb_column_family_handle_t,
    database: Arc<Database>,
    /// What is not worth writing any more when it was held back.
    expiry: OnceCell<Arc<ColumnExpiry>>,
    loaded: Rc<Loaded>,
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
        let refused = |kind| Error::new(kind, operation, "rocksdb refused");
        match e.kind() {
            rust_rocksdb::ErrorKind::Corruption => refused(ErrorKind::Corrupt).source(e),
            // What a full disk and a folder that is gone or can't be written come as.
            rust_rocksdb::ErrorKind::IOError => refused(ErrorKind::Io).source(e).hint(
                "see that the folders of `state.backend.rocksdb.localdir` are there, writable, and on a disk with space",
            ),
            _ => refused(ErrorKind::Io).source(e),
        }
    }
}

impl Database {
    /// Opens or creates the database at `path` with the column families `columns`. Others that it has are dropped: a checkpoint's
    /// files may have some that were made or given up while it was taken.
    pub(super) fn open(
        path: &Path,
        columns: &[ColumnSpec],
        options: Arc<ColumnOptions>,
        folder: Option<Arc<InstanceFolder>>,
    ) -> Result<Arc<Self>> {
        let mut filters = Filters::new();
        let others = other_columns(path, columns, &options)?;
        let names = others.iter().map(String::as_str);
        let names = names.chain([rust_rocksdb::DEFAULT_COLUMN_FAMILY_NAME]);
        let descriptors: Vec<_> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.expires))
            .chain(names.map(|name| (name, false)))
            .map(|(name, expires)| {
                let options = column_options(&options, &mut filters, name, expires);
                ColumnFamilyDescriptor::new(name, options)
            })
            .collect();
        let mut counters = options.database();
        let flushes = Arc::new(Flushes::default());
        counters.add_event_listener(FlushListener(Arc::clone(&flushes)));
        let db = Db::open_cf_descriptors(&counters, path, descriptors)
            .map_err(|e| db_error("open state database")(e).with("path", path.display()))?;
        for other in &others {
            db.drop_cf(other).map_err(db_error("drop column family"))?;
        }
        let mut write = WriteOptions::default();
        write.disable_wal(true);
        Ok(Arc::new(Database {
            gate: Gate::default(),
            db,
            write,
            counters,
            options,
            flushes,
            filters: Mutex::new(filters),
            path: path.to_owned(),
            folder,
        }))
    }

    /// The column family `name`, created when it isn't there.
    pub(super) fn column(self: &Arc<Self>, name: &str) -> Result<Column> {
        self.column_of(name, false)
    }

    /// The same; one that is created is for values with a time to live if it `expires`.
    pub(super) fn column_of(self: &Arc<Self>, name: &str, expires: bool) -> Result<Column> {
        if self.db.cf_handle(name).is_none() {
            let options = column_options(&self.options, &mut self.lock_filters(), name, expires);
            self.db
                .create_cf(name, &options)
                .map_err(db_error("create column family"))?;
        }
        let handle = self.db.cf_handle(name).ok_or_else(|| {
            Error::illegal_state("create column family", "it is not there after it was made")
                .with("name", name)
        })?;
        Ok(Column {
            name: name.into(),
            raw: handle.inner(),
            database: Arc::clone(self),
            expiry: OnceCell::new(),
            loaded: Rc::default(),
        })
    }

    /// Makes the column family `name` of files of other databases, which it may take away.
    pub(super) fn import_column(&self, name: &str, expires: bool, files: &[LiveFile]) -> Result<()> {
        let failed = |e| db_error("import state files")(e).with("name", name);
        let options = column_options(&self.options, &mut self.lock_filters(), name, expires);
        let mut import = ImportColumnFamilyOptions::default();
        import.set_move_files(true);
        let mut metadata = ExportImportFilesMetaData::default();
        // The default one, which every column family has.
        metadata.set_db_comparator_name("leveldb.BytewiseComparator");
        metadata.set_files(files).map_err(failed)?;
        self.db
            .create_column_family_with_import(&options, name, &import, &metadata)
            .map_err(failed)
    }

    /// Drops a column family that no [`Column`] and no iterator is on.
    pub(super) fn drop_column(&self, name: &str) -> Result<()> {
        self.lock_filters().remove(name);
        self.db.drop_cf(name).map_err(db_error("drop column family"))
    }

    /// The compaction filter of a column family, if its values have a time to live.
    pub(super) fn compaction_filter(&self, column: &str) -> Option<CompactionFilterSlot> {
        self.lock_filters().get(column).cloned()
    }

    fn lock_filters(&self) -> std::sync::MutexGuard<'_, Filters> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// One of RocksDB's counters.
    pub(super) fn counter(&self, ticker: Ticker) -> u64 {
        self.counters.get_ticker_count(ticker)
    }

    /// A number that RocksDB tells of a column family; 0 when it doesn't.
    pub(super) fn property(&self, column: &str, property: &str) -> u64 {
        let Some(handle) = self.db.cf_handle(column) else {
            return 0;
        };
        let value = self.db.property_int_value_cf(&handle, property);
        value.ok().flatten().unwrap_or_default()
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Writes a batch and empties it, when nothing is in flight any more.
    pub(super) fn write(self: &Arc<Self>, batch: &mut WriteBatch) -> Result<()> {
        self.land()?;
        self.write_now(batch)
    }

    /// Writes a batch and empties it: for what is in flight itself, and what waited for it.
    pub(super) fn write_now(&self, batch: &mut WriteBatch) -> Result<()> {
        self.options.before_write(batch.size_in_bytes());
        self.change("write state", |db| db.write_opt(batch, &self.write))?;
        batch.clear();
        Ok(())
    }

    /// Changes the database.
    #[inline]
    pub(super) fn change(
        &self,
        operation: &'static str,
        change: impl FnOnce(&Db) -> std::result::Result<(), rust_rocksdb::Error>,
    ) -> Result<()> {
        change(&self.db).map_err(|e| self.failed(operation, e))
    }

    /// An error of this database.
    #[cold]
    pub(super) fn failed(&self, operation: &'static str, error: rust_rocksdb::Error) -> Error {
        db_error(operation)(error).with("folder", self.path.display())
    }
}

/// The options of a column family, with a compaction filter where it needs one.
fn column_options(options: &ColumnOptions, filters: &mut Filters, name: &str, expires: bool) -> Options {
    let mut options = options.column(name);
    if expires {
        let slot = CompactionFilterSlot::default();
        options.set_compaction_filter_factory(slot.clone());
        filters.insert(name.to_owned(), slot);
    }
    options
}

/// The column families of the database at `path`, if there is one, beside `columns` and the one that each has.
fn other_columns(path: &Path, columns: &[ColumnSpec], options: &ColumnOptions) -> Result<Vec<String>> {
    if !path.join("CURRENT").exists() {
        return Ok(Vec::new());
    }
    let mut all = Db::list_cf(&options.database(), path)
        .map_err(|e| db_error("open state database")(e).with("path", path.display()))?;
    all.retain(|name| {
        name != rust_rocksdb::DEFAULT_COLUMN_FAMILY_NAME && columns.iter().all(|c| c.name != *name)
    });
    Ok(all)
}

impl Column {
    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// Makes RocksDB compact files that are older, also when nothing else asks for it; zero: it doesn't.
    pub(super) fn compact_after(&self, age: Duration) -> Result<()> {
        let seconds = age.as_secs().to_string();
        self.database
            .db
            .set_options_cf(self, &[("periodic_compaction_seconds", &seconds)])
            .map_err(db_error("configure column family"))
    }

    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Stored<'_>>> {
        if let Some(value) = self.loaded.take(key) {
            return Ok(value.map(Stored::Ahead));
        }
        if let Some(value) = self.get_in_flight(key)? {
            return Ok(value.map(Stored::Ahead));
        }
        let value = self.database.db.get_pinned_cf(self, key);
        Ok(value
            .map_err(|e| self.database.failed("read state", e))?
            .map(Stored::Read))
    }

    /// What was read ahead.
    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Tells the column family from the others of the database.
    pub(super) fn id(&self) -> usize {
        self.raw.addr()
    }

    /// What is not worth writing any more when it was held back.
    pub(super) fn expiry(&self) -> Option<&Arc<ColumnExpiry>> {
        self.expiry.get()
    }

    /// From now on, what was held back and is over is not written.
    pub(super) fn write_nothing_over(&self, expiry: &Arc<ColumnExpiry>) {
        self.expiry.get_or_init(|| Arc::clone(expiry));
    }

    /// Adds to a batch what was held back: that `key` has `value`.
    #[inline]
    pub(super) fn put_in(&self, batch: &mut WriteBatch, key: &[u8], value: &[u8]) -> Result<()> {
        self.loaded.forget(key);
        if let Some(expiry) = self.expiry.get() {
            let mut rest = Vec::new();
            match expiry.judge(expiry.now(), value, &mut rest)?.left {
                Left::All => {}
                Left::Some => {
                    batch.put_cf(self, key, rest);
                    return Ok(());
                }
                Left::Nothing => {
                    // What the database has is older.
                    batch.delete_cf(self, key);
                    return Ok(());
                }
            }
        }
        batch.put_cf(self, key, value);
        Ok(())
    }

    /// Adds to a batch what was held back: that `value` is appended to what `key` has.
    #[inline]
    pub(super) fn merge_in(&self, batch: &mut WriteBatch, key: &[u8], value: &[u8]) -> Result<()> {
        self.loaded.forget(key);
        if let Some(expiry) = self.expiry.get() {
            let mut rest = Vec::new();
            match expiry.judge(expiry.now(), value, &mut rest)?.left {
                Left::All => {}
                Left::Some => {
                    batch.merge_cf(self, key, rest);
                    return Ok(());
                }
                Left::Nothing => return Ok(()),
            }
        }
        batch.merge_cf(self, key, value);
        Ok(())
    }

    /// Adds to a batch that `key` has nothing.
    #[inline]
    pub(super) fn delete_in(&self, batch: &mut WriteBatch, key: &[u8]) {
        self.loaded.forget(key);
        batch.delete_cf(self, key);
    }

    #[inline]
    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.loaded.forget(key);
        self.database.land()?;
        let database = &self.database;
        database.options.before_write(key.len() + value.len());
        database.change("write state", |db| {
            db.put_cf_opt(self, key, value, &database.write)
        })
    }

    #[inline]
    pub(super) fn merge(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.loaded.forget(key);
        self.database.land()?;
        let database = &self.database;
        database.options.before_write(key.len() + value.len());
        database.change("write state", |db| {
            db.merge_cf_opt(self, key, value, &database.write)
        })
    }

    #[inline]
    pub(super) fn delete(&self, key: &[u8]) -> Result<()> {
        self.loaded.forget(key);
        self.database.land()?;
        let database = &self.database;
        database.options.before_write(key.len());
        database.change("write state", |db| db.delete_cf_opt(self, key, &database.write))
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
        if self.scan_in_flight(prefix, from, &mut f)? {
            return Ok(());
        }
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

/// A moment of a database that lies in the database itself.
pub(super) struct Moment(SnapshotWithThreadMode<'static, Db>);

impl Moment {
    /// The database as it is now.
    ///
    /// # Contract
    /// Whoever holds it holds the database too, or lies in its `gate`, and drops it first (trusted).
    pub(super) fn new(database: &Arc<Database>) -> Self {
        #[expect(unsafe_code, reason = "the snapshot borrows the database that it lies beside")]
        // SAFETY: the reference points into the contents of an `Arc`, which don't move; by the contract they are there for
        // longer than this value. Nothing hands the `'static` out.
        let db: &'static Db = unsafe { &*std::ptr::from_ref(&database.db) };
        Moment(SnapshotWithThreadMode::new(db))
    }

    pub(super) fn get(&self, column: &Column, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get_cf(column, key).map_err(db_error("read state"))
    }

    pub(super) fn iterator(&self, column: &impl AsColumnFamilyRef, options: ReadOptions) -> RawIterator<'_> {
        self.0.raw_iterator_cf_opt(column, options)
    }
}

/// A moment of a database that keeps it open and may go to another thread.
pub(super) struct OwnedSnapshot {
    /// Declared before the database, so that it is released first.
    moment: Moment,
    database: Arc<Database>,
}

impl OwnedSnapshot {
    pub(super) fn new(database: &Arc<Database>) -> Self {
        OwnedSnapshot {
            moment: Moment::new(database),
            database: Arc::clone(database),
        }
    }

    /// Shows every entry of a column family whose key starts with `prefix`, with sorted writes laid over them.
    pub(super) fn scan(
        &self,
        column: &str,
        prefix: &[u8],
        over: Option<&Writes>,
        f: &mut Visit<'_>,
    ) -> Result<()> {
        let Some(handle) = self.database.db.cf_handle(column) else {
            return Err(
                Error::illegal_state("write snapshot", "a column family was dropped too early")
                    .with("name", column),
            );
        };
        // What a snapshot reads once would push out what the job reads often.
        let mut options = prefix_options(prefix);
        options.fill_cache(false);
        scan_over(self.moment.iterator(&handle, options), over, prefix, prefix, f)
    }
}
