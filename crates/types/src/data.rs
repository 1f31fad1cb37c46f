//! Byte cursors with the encodings of Java's `DataOutput` and `DataInput`: big-endian numbers, modified UTF-8.
//!
//! [`DataOutput`] appends to a buffer that its owner reuses; [`DataInput`] reads from a slice and checks every length
//! against what is left before it believes it. Both are Flink's `DataOutputSerializer` and `DataInputDeserializer`.

use millpond_core::{Error, Result};

/// A growing buffer of big-endian data.
#[derive(Clone, Debug, Default)]
pub struct DataOutput {
    bytes: Vec<u8>,
}

/// A cursor over big-endian data that came from outside.
#[derive(Clone, Copy, Debug)]
pub struct DataInput<'a> {
    rest: &'a [u8],
    len_total: usize,
}

macro_rules! numbers {
    ($($write:ident $read:ident $t:ty),*) => {
        impl DataOutput {
            $(
                #[doc = concat!("Appends a big-endian `", stringify!($t), "`.")]
                #[inline]
                pub fn $write(&mut self, v: $t) {
                    self.bytes.extend_from_slice(&v.to_be_bytes());
                }
            )*
        }
        impl DataInput<'_> {
            $(
                #[doc = concat!("Reads a big-endian `", stringify!($t), "`.\n\n# Errors\nCorrupt when the input ends first.")]
                #[inline]
                pub fn $read(&mut self) -> Result<$t> {
                    let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.ended(size_of::<$t>()))?;
                    self.rest = rest;
                    Ok(<$t>::from_be_bytes(*head))
                }
            )*
        }
    };
}
numbers!(write_u8 read_u8 u8, write_i8 read_i8 i8, write_u16 read_u16 u16, write_i16 read_i16 i16, write_i32 read_i32 i32,
    write_u32 read_u32 u32, write_i64 read_i64 i64, write_u64 read_u64 u64, write_f32 read_f32 f32, write_f64 read_f64 f64);

impl DataOutput {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        DataOutput {
            bytes: Vec::with_capacity(capacity),
        }
    }
    /// Appends raw bytes.
    #[inline]
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// Appends 1 or 0.
    #[inline]
    pub fn write_bool(&mut self, v: bool) {
        self.bytes.push(u8::from(v));
    }
    /// What was written so far.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }
    /// What was written so far, to be changed in place (a flag bit, a length known later).
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
    /// How many bytes were written.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// Forgets what was written and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
    /// Forgets what was written after the first `len` bytes.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
    /// The bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
    /// Appends a string as Java's `DataOutput#writeUTF`: two bytes of length, then modified UTF-8.
    ///
    /// # Errors
    /// Incompatible when the encoded string is longer than 65,535 bytes.
    pub fn write_utf(&mut self, text: &str) -> Result<()> {
        let start = self.bytes.len();
        self.write_u16(0);
        for unit in text.encode_utf16() {
            match unit {
                1..=0x7f => self.bytes.push(unit as u8),
                0 | 0x80..=0x7ff => {
                    self.bytes
                        .extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
                }
                _ => self.bytes.extend([
                    0xe0 | (unit >> 12) as u8,
                    0x80 | ((unit >> 6) & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]),
            }
        }
        let len = u16::try_from(self.bytes.len() - start - 2).map_err(|_| {
            Error::incompatible(
                "write string",
                "longer than the 65535 bytes that the format allows",
            )
            .with("length", text.len())
        })?;
        if let Some(slot) = self.bytes.get_mut(start..start + 2) {
            slot.copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }
}

impl<'a> DataInput<'a> {
    /// Reads from the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        DataInput {
            rest: bytes,
            len_total: bytes.len(),
        }
    }
    /// What is left to read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.len_total - self.rest.len()
    }
    /// Whether all was read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// Corrupt when fewer are left.
    #[inline]
    pub fn read_bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.ended(len))?;
        self.rest = rest;
        Ok(head)
    }
    /// Reads a byte that must be 0 or 1.
    ///
    /// # Errors
    /// Corrupt when the input ends first. As in Java, any byte but 0 is true.
    #[inline]
    pub fn read_bool(&mut self) -> Result<bool> {
        Ok(self.read_u8()? != 0)
    }
    /// Reads a count of things of which each takes at least `min_bytes_each`, and checks that so many can be left:
    /// what is read here may be allocated.
    ///
    /// # Errors
    /// Corrupt when the count is negative or more than the rest of the input can hold.
    pub fn read_count(&mut self, min_bytes_each: usize) -> Result<usize> {
        let count = self.read_i32()?;
        let limit = self.rest.len() / min_bytes_each.max(1);
        usize::try_from(count)
            .ok()
            .filter(|c| *c <= limit)
            .ok_or_else(|| {
                Error::corrupt("read data", "a count is larger than what follows can hold")
                    .with("count", count)
                    .with("offset", self.position())
            })
    }
    /// Reads a string that Java's `DataOutput#writeUTF` wrote.
    ///
    /// # Errors
    /// Corrupt when the bytes are not modified UTF-8.
    pub fn read_utf(&mut self) -> Result<String> {
        let offset = self.position();
        let len = usize::from(self.read_u16()?);
        let mut bytes = self.read_bytes(len)?.iter().copied();
        let mut units = Vec::with_capacity(len);
        let bad = || Error::corrupt("read string", "not modified UTF-8").with("offset", offset);
        while let Some(b) = bytes.next() {
            let mut tail = || {
                bytes
                    .next()
                    .filter(|t| t & 0xc0 == 0x80)
                    .map(|t| u16::from(t & 0x3f))
                    .ok_or_else(bad)
            };
            units.push(match b {
                0..=0x7f => u16::from(b),
                0xc0..=0xdf => u16::from(b & 0x1f) << 6 | tail()?,
                0xe0..=0xef => u16::from(b & 0x0f) << 12 | tail()? << 6 | tail()?,
                _ => return Err(bad()),
            });
        }
        String::from_utf16(&units).map_err(|e| bad().source(e))
    }
    fn ended(&self, wanted: usize) -> Error {
        Error::corrupt("read data", "the input ends too early")
            .with("wanted", wanted)
            .with("left", self.rest.len())
            .with("offset", self.position())
    }
}
