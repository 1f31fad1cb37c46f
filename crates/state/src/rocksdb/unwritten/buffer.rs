//! Entries one behind the other: each key with its length in front, then 0 for a key that has nothing any more, or the length of its value
//! plus one and the value. A length takes seven bits of a byte, the lowest first; the eighth says that more follow (LEB128).

use millpond_core::{Error, Result};
use millpond_types::DataOutput;
use std::io::{self, Read};

/// In the bits of a length: another byte follows.
const MORE: u8 = 0x80;
/// How many bytes a length has at most: keys and values are shorter than 4 GB.
const LENGTH_BYTES_MAX: usize = 5;

/// Entries in bytes, in any order, at most one for each key.
#[derive(Default)]
pub(in crate::rocksdb) struct Unwritten {
    data: DataOutput,
}

impl Unwritten {
    /// No entries, with room for `bytes`.
    pub(in crate::rocksdb) fn with_capacity(bytes: usize) -> Self {
        Unwritten {
            data: DataOutput::with_capacity(bytes),
        }
    }

    /// What the entries take.
    pub(in crate::rocksdb) fn bytes(&self) -> usize {
        self.data.len()
    }

    pub(in crate::rocksdb) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub(in crate::rocksdb) fn as_slice(&self) -> &[u8] {
        self.data.as_slice()
    }

    /// Forgets everything, and keeps the memory.
    pub(in crate::rocksdb) fn clear(&mut self) {
        self.data.clear();
    }

    /// Adds that a key has a value. After an error nothing was added.
    #[inline]
    pub(in crate::rocksdb) fn put(
        &mut self,
        key: impl FnOnce(&mut DataOutput) -> Result<()>,
        value: impl FnOnce(&mut DataOutput) -> Result<()>,
    ) -> Result<()> {
        self.add(key, |data| write_sized(data, 1, value))
    }

    /// Adds that a key has nothing. After an error nothing was added.
    #[inline]
    pub(in crate::rocksdb) fn delete(
        &mut self,
        key: impl FnOnce(&mut DataOutput) -> Result<()>,
    ) -> Result<()> {
        self.add(key, |data| {
            data.write_u8(0);
            Ok(())
        })
    }

    #[inline]
    fn add(
        &mut self,
        key: impl FnOnce(&mut DataOutput) -> Result<()>,
        rest: impl FnOnce(&mut DataOutput) -> Result<()>,
    ) -> Result<()> {
        let start = self.data.len();
        let added = write_sized(&mut self.data, 0, key).and_then(|()| rest(&mut self.data));
        if added.is_err() {
            self.data.truncate(start);
        }
        added
    }

    /// Shows each key with its value; `None`: it has nothing.
    pub(super) fn for_each(&self, mut f: impl FnMut(&[u8], Option<&[u8]>) -> Result<()>) -> Result<()> {
        let mut entry = Entry::default();
        let mut input = self.data.as_slice();
        while entry.read(&mut input)? {
            f(&entry.key, entry.value())?;
        }
        Ok(())
    }
}

/// Writes bytes behind their length, to which `plus` is added.
#[inline]
fn write_sized(
    data: &mut DataOutput,
    plus: usize,
    write: impl FnOnce(&mut DataOutput) -> Result<()>,
) -> Result<()> {
    let start = data.len();
    data.write_u8(0);
    write(data)?;
    let length = data.len() - start - 1 + plus;
    if length < usize::from(MORE) {
        // Nearly always.
        if let Some(first) = data.as_mut_slice().get_mut(start) {
            *first = length as u8;
        }
        return Ok(());
    }
    make_room(data, start, length)
}

/// Moves bytes that stand behind one byte for their length, for it takes more.
#[cold]
fn make_room(data: &mut DataOutput, start: usize, length: usize) -> Result<()> {
    let mut rest = u32::try_from(length)
        .map_err(|_| Error::illegal_state("take snapshot", "a key or a value takes 4 GB or more"))?;
    let (mut bytes, mut count) = ([0; LENGTH_BYTES_MAX], 0);
    for byte in &mut bytes {
        *byte = rest as u8 & !MORE;
        rest >>= 7;
        count += 1;
        if rest == 0 {
            break;
        }
        *byte |= MORE;
    }
    let end = data.len();
    data.write_bytes(bytes.get(1..count).unwrap_or_default());
    let all = data.as_mut_slice();
    all.copy_within(start + 1..end, start + count);
    if let (Some(to), Some(length)) = (all.get_mut(start..start + count), bytes.get(..count)) {
        to.copy_from_slice(length);
    }
    Ok(())
}

/// An entry that was read, and the memory of those before it.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) key: Vec<u8>,
    value: Vec<u8>,
    is_deleted: bool,
}

impl Entry {
    /// What the key has.
    pub(super) fn value(&self) -> Option<&[u8]> {
        (!self.is_deleted).then_some(self.value.as_slice())
    }

    /// Reads the next entry, if there is one.
    pub(super) fn read(&mut self, input: &mut impl Read) -> Result<bool> {
        let Some(key_len) = read_length(input)? else {
            return Ok(false);
        };
        read_into(&mut self.key, input, key_len)?;
        let value_len = read_length(input)?.ok_or_else(|| cut_off(None))?;
        self.is_deleted = value_len == 0;
        read_into(&mut self.value, input, value_len.saturating_sub(1))?;
        Ok(true)
    }
}

/// Reads a length; `None` at the end.
fn read_length(input: &mut impl Read) -> Result<Option<u32>> {
    let mut length = 0u64;
    for position in 0..LENGTH_BYTES_MAX {
        let mut byte = [0];
        if let Err(e) = input.read_exact(&mut byte) {
            let ends_here = position == 0 && e.kind() == io::ErrorKind::UnexpectedEof;
            return if ends_here { Ok(None) } else { Err(read_failed(e)) };
        }
        let [byte] = byte;
        length |= u64::from(byte & !MORE) << (7 * position);
        if byte & MORE == 0 {
            return u32::try_from(length).map(Some).map_err(|_| too_long());
        }
    }
    Err(too_long())
}

/// Reads so many bytes. Memory grows with what is there, not with what is announced.
fn read_into(buffer: &mut Vec<u8>, input: &mut impl Read, length: u32) -> Result<()> {
    buffer.clear();
    let read = input.take(u64::from(length)).read_to_end(buffer);
    match read {
        Ok(read) if read as u64 == u64::from(length) => Ok(()),
        Ok(_) => Err(cut_off(None)),
        Err(e) => Err(read_failed(e)),
    }
}

/// A reader reports damage as an I/O error.
pub(super) fn read_failed(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => cut_off(Some(source)),
        _ => Error::io("read unwritten entries", source),
    }
}

fn cut_off(source: Option<io::Error>) -> Error {
    let error = Error::corrupt(
        "read unwritten entries",
        "the file is damaged, or ends inside of an entry",
    );
    match source {
        Some(source) => error.source(source),
        None => error,
    }
}

fn too_long() -> Error {
    Error::corrupt("read unwritten entries", "a length is out of range")
}
