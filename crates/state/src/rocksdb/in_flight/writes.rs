//! Writes that are held back from a column family: gathered in bytes, put into the order of their keys, written in batches. A
//! memtable takes sorted keys about twice as fast as shuffled ones, for each finds its place beside the one before.

use crate::rocksdb::database::Column;
use millpond_core::{Error, Result};
use millpond_types::DataOutput;
use rust_rocksdb::WriteBatch;

/// How much is handed to the database at once.
const BATCH_BYTES: usize = 256 << 10;

/// What is to become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rocksdb) enum Change {
    Put,
    /// Appends to what the key has.
    Merge,
    Delete,
}

/// One write: where its key begins, how long key and value are.
struct Write {
    /// The first bytes of the key, as they sort.
    start: u64,
    /// Grows from write to write.
    at: usize,
    key_len: u32,
    value_len: u32,
    change: Change,
}

/// Writes to one column family. Of several to one key the last one counts, and none of them may append.
#[derive(Default)]
pub(in crate::rocksdb) struct Writes {
    data: DataOutput,
    writes: Vec<Write>,
}

/// Serializes a part.
type Part<'a> = &'a dyn Fn(&mut DataOutput) -> Result<()>;

impl Writes {
    /// No writes, with room for `bytes` of keys and values.
    pub(in crate::rocksdb) fn with_capacity(bytes: usize) -> Self {
        Writes {
            data: DataOutput::with_capacity(bytes),
            writes: Vec::new(),
        }
    }

    /// What it takes.
    pub(in crate::rocksdb) fn bytes(&self) -> usize {
        self.data.len() + self.writes.len() * size_of::<Write>()
    }

    pub(in crate::rocksdb) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Forgets everything.
    pub(in crate::rocksdb) fn clear(&mut self) {
        self.data.clear();
        self.writes.clear();
    }

    /// Sets the value of a key.
    pub(in crate::rocksdb) fn put(&mut self, key: Part<'_>, value: Part<'_>) -> Result<()> {
        self.add(Change::Put, key, value)
    }

    /// Appends to the value of a key.
    pub(in crate::rocksdb) fn merge(&mut self, key: Part<'_>, value: Part<'_>) -> Result<()> {
        self.add(Change::Merge, key, value)
    }

    /// Forgets a key.
    pub(in crate::rocksdb) fn delete(&mut self, key: Part<'_>) -> Result<()> {
        self.add(Change::Delete, key, &|_| Ok(()))
    }

    /// The same of a key and a value in bytes; no value: forgets the key.
    pub(in crate::rocksdb) fn add_raw(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let change = value.map_or(Change::Delete, |_| Change::Put);
        let write = |bytes: &[u8], out: &mut DataOutput| {
            out.write_bytes(bytes);
            Ok(())
        };
        self.add(change, &|out| write(key, out), &|out| {
            write(value.unwrap_or_default(), out)
        })
    }

    #[inline]
    fn add(&mut self, change: Change, key: Part<'_>, value: Part<'_>) -> Result<()> {
        let at = self.data.len();
        key(&mut self.data)?;
        let key_end = self.data.len();
        value(&mut self.data)?;
        let value_len = self.data.len() - key_end;
        if key_end + value_len == at {
            // Takes no byte by itself; the next write has to lie behind it.
            self.data.write_u8(0);
        }
        self.writes.push(Write {
            start: start_of(self.data.as_slice().get(at..key_end).unwrap_or_default()),
            change,
            at,
            key_len: u32::try_from(key_end - at).map_err(|_| too_large())?,
            value_len: u32::try_from(value_len).map_err(|_| too_large())?,
        });
        Ok(())
    }

    /// Puts the writes into the order of their keys, and forgets those that later ones undo.
    pub(in crate::rocksdb) fn sort(&mut self) {
        let data = self.data.as_slice();
        let key = |w: &Write| data.get(w.at..w.at + w.key_len as usize).unwrap_or_default();
        self.writes.sort_unstable_by(|a, b| {
            let by_key = a.start.cmp(&b.start).then_with(|| key(a).cmp(key(b)));
            by_key.then(b.at.cmp(&a.at))
        });
        self.writes
            .dedup_by(|later, first| later.start == first.start && key(later) == key(first));
    }

    fn key(&self, write: &Write) -> &[u8] {
        let key = self
            .data
            .as_slice()
            .get(write.at..write.at + write.key_len as usize);
        key.unwrap_or_default()
    }

    fn value(&self, write: &Write) -> &[u8] {
        let from = write.at + write.key_len as usize;
        let value = self.data.as_slice().get(from..from + write.value_len as usize);
        value.unwrap_or_default()
    }

    /// The writes from `key` on, of sorted ones: key, what becomes of it, value.
    pub(super) fn range(&self, key: &[u8]) -> impl Iterator<Item = (&[u8], Change, &[u8])> {
        let start = start_of(key);
        let first = self
            .writes
            .partition_point(|w| w.start.cmp(&start).then_with(|| self.key(w).cmp(key)).is_lt());
        let writes = self.writes.get(first..).unwrap_or_default();
        writes.iter().map(|w| (self.key(w), w.change, self.value(w)))
    }

    /// The write to `key`, of sorted ones.
    pub(super) fn find(&self, key: &[u8]) -> Option<(Change, &[u8])> {
        let (found, change, value) = self.range(key).next()?;
        (found == key).then_some((change, value))
    }

    /// Writes sorted writes to `column`, from number `next` on, which tells how far it came.
    pub(super) fn apply(&self, column: &Column, next: &mut usize) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (number, write) in self.writes.iter().enumerate().skip(*next) {
            let key = self.key(write);
            match write.change {
                Change::Put => column.put_in(&mut batch, key, self.value(write))?,
                Change::Merge => column.merge_in(&mut batch, key, self.value(write))?,
                Change::Delete => column.delete_in(&mut batch, key),
            }
            if batch.size_in_bytes() >= BATCH_BYTES {
                column.database().write_now(&mut batch)?;
                *next = number + 1;
            }
        }
        if !batch.is_empty() {
            column.database().write_now(&mut batch)?;
        }
        *next = self.writes.len();
        Ok(())
    }
}

#[cold]
fn too_large() -> Error {
    Error::illegal_state("write state", "a key or a value takes 4 GB or more")
}

/// The first eight bytes of a key; they sort as it does.
fn start_of(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(start) => u64::from_be_bytes(*start),
        None => key.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)) << (64 - 8 * key.len().max(1)),
    }
}
