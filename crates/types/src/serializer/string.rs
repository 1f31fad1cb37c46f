//! Strings as Flink's `StringSerializer` (`StringValue.writeString`) writes them.
//!
//! A string is its UTF-16 units: first their count plus one (0 stands for Java's `null`), then every unit, each number
//! in groups of seven bits with the lowest first and the top bit set on all groups but the last. ASCII text therefore
//! is one length and then its own bytes, which is the path that is fast here.

use super::{SharedSerializer, StateType, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::{Error, Result};
use std::sync::Arc;

/// Flink's `StringSerializer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StringSerializer;

/// Appends `value` in Flink's string encoding.
///
/// # Errors
/// Incompatible when it has more UTF-16 units than Java can count.
#[inline]
pub fn write_string(value: &str, out: &mut DataOutput) -> Result<()> {
    let bytes = value.as_bytes();
    if value.is_ascii() {
        write_length(bytes.len(), out)?;
        out.write_bytes(bytes);
        return Ok(());
    }
    write_length(value.encode_utf16().count(), out)?;
    for unit in value.encode_utf16() {
        write_var(u32::from(unit), out);
    }
    Ok(())
}

/// Reads a string in Flink's encoding, or `None` where Java wrote `null`.
///
/// # Errors
/// Corrupt when the input is no such string; Incompatible when it is one that Rust cannot hold, because a surrogate in
/// it has no partner.
#[inline]
pub fn read_nullable_string(input: &mut DataInput<'_>) -> Result<Option<String>> {
    let offset = input.position();
    let Some(len) = read_var(input)?.checked_sub(1) else {
        return Ok(None);
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    // Every unit takes a byte at least, so a length that passes here may be allocated.
    let Some(head) = input.rest().get(..len) else {
        return Err(Error::corrupt("read string", "it is longer than what follows")
            .with("units", len)
            .with("left", input.remaining())
            .with("offset", offset));
    };
    if head.is_ascii() {
        let text =
            std::str::from_utf8(head).map_err(|e| Error::corrupt("read string", "not text").source(e))?;
        input.read_bytes(len)?;
        return Ok(Some(text.to_owned()));
    }
    let mut units = Vec::with_capacity(len);
    for _ in 0..len {
        let unit = read_var(input)?;
        units.push(u16::try_from(unit).map_err(|_| {
            Error::corrupt("read string", "not a UTF-16 unit")
                .with("unit", unit)
                .with("offset", offset)
        })?);
    }
    String::from_utf16(&units).map(Some).map_err(|e| {
        Error::incompatible(
            "read string",
            "it holds half of a surrogate pair, which Rust's strings cannot",
        )
        .with("offset", offset)
        .source(e)
    })
}

/// Reads a string in Flink's encoding.
///
/// # Errors
/// As [`read_nullable_string`]; Incompatible where Java wrote `null`.
#[inline]
pub fn read_string(input: &mut DataInput<'_>) -> Result<String> {
    let offset = input.position();
    read_nullable_string(input)?
        .ok_or_else(|| Error::incompatible("read string", "the stored string is null").with("offset", offset))
}

/// Reads over a string, null or not, and one that Rust could not hold too.
///
/// # Errors
/// Corrupt when the input ends first.
pub(crate) fn skip_string(input: &mut DataInput<'_>) -> Result<()> {
    let units = read_var(input)?.saturating_sub(1);
    (0..units).try_for_each(|_| read_var(input).map(drop))
}

#[inline]
fn write_length(units: usize, out: &mut DataOutput) -> Result<()> {
    let len = u32::try_from(units)
        .ok()
        .filter(|n| *n < i32::MAX as u32)
        .ok_or_else(|| {
            Error::incompatible("write string", "longer than a Java string can be").with("units", units)
        })?;
    write_var(len + 1, out);
    Ok(())
}

#[inline]
fn write_var(mut v: u32, out: &mut DataOutput) {
    while v >= 0x80 {
        out.write_u8((v as u8) | 0x80);
        v >>= 7;
    }
    out.write_u8(v as u8);
}

#[inline]
fn read_var(input: &mut DataInput<'_>) -> Result<u32> {
    let first = input.read_u8()?;
    if first < 0x80 {
        return Ok(u32::from(first));
    }
    let mut v = u32::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let b = input.read_u8()?;
        v |= u32::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Ok(v);
        }
    }
    Err(Error::corrupt("read string", "a number runs over five bytes").with("offset", input.position()))
}

impl TypeSerializer<String> for StringSerializer {
    #[inline]
    fn serialize(&self, value: &String, out: &mut DataOutput) -> Result<()> {
        write_string(value, out)
    }
    #[inline]
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<String> {
        read_string(input)
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::simple(class::STRING)
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if old.class_name == class::STRING {
            Compatibility::AsIs
        } else {
            mismatch(old, "String")
        }
    }
}

impl StateType for String {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(StringSerializer)
    }
}
