//! Passing over a stored value of which only the serializer snapshot is known: what happens to a field that the type no
//! longer has.

use super::class::{self, Extent};
use super::{PojoBody, SerializerSnapshot, SnapshotBody};
use crate::data::DataInput;
use crate::serializer::{string, tagged};
use millpond_core::{Error, Result};

/// The flags of a POJO that begin its value; see `PojoSerializer`.
const POJO_NULL: u8 = 1;
const POJO_NO_SUBCLASS: u8 = 2;
const POJO_SUBCLASS: u8 = 4;
const POJO_TAGGED_SUBCLASS: u8 = 8;

/// Whether [`skip_value`] knows the layout: all of Flink's formats that can be read here, and Millpond's own but those
/// of serializers that a user wrote.
pub fn can_skip(snapshot: &SerializerSnapshot) -> bool {
    let known = match &snapshot.body {
        SnapshotBody::Empty | SnapshotBody::Own(_) => {
            Extent::of(&snapshot.class_name).is_some()
                || snapshot.class_name == class::TAGGED
                || snapshot.class_name.starts_with(class::SERDE_PREFIX)
        }
        _ => true,
    };
    known && snapshot.nested.iter().all(can_skip)
}

/// Reads over one value that was written under `snapshot`.
///
/// # Errors
/// Corrupt when the input is not such a value; Incompatible when the layout is one that only the user's own serializer
/// knows.
pub fn skip_value(snapshot: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<()> {
    if let Some(extent) = Extent::of(&snapshot.class_name) {
        return skip_extent(extent, input);
    }
    match (snapshot.class_name.as_str(), snapshot.nested.as_slice()) {
        (class::ENUM, _) => input.read_i32().map(drop),
        (class::LIST | class::ARRAY_LIST, [element]) => {
            (0..input.read_count(1)?).try_for_each(|_| skip_value(element, input))
        }
        (class::SET, [element]) => (0..input.read_count(1)?).try_for_each(|_| skip_nullable(element, input)),
        // The flag of an array's element says that it is there, the other way round than elsewhere.
        (class::OBJECT_ARRAY, [element]) => (0..input.read_count(1)?).try_for_each(|_| {
            if input.read_bool()? {
                skip_value(element, input)
            } else {
                Ok(())
            }
        }),
        (class::MAP, [key, value]) => (0..input.read_count(2)?).try_for_each(|_| {
            skip_value(key, input)?;
            skip_nullable(value, input)
        }),
        // No tuple is without fields: every value takes a byte, which a list's count relies on.
        (class::TUPLE | class::TTL, parts @ [_, ..]) => {
            parts.iter().try_for_each(|part| skip_value(part, input))
        }
        (class::TIMER, [key, namespace]) => {
            input.read_i64()?;
            skip_value(key, input)?;
            skip_value(namespace, input)
        }
        (class::NULLABLE, [inner]) => {
            if input.read_bool()? {
                return input
                    .read_bytes(crate::serializer::option::padding(snapshot)?)
                    .map(drop);
            }
            skip_value(inner, input)
        }
        (class::POJO, fields) => skip_pojo(snapshot, fields, input),
        (class::TAGGED, _) => {
            let (_, fields) = tagged::read_variant(snapshot, input)?;
            fields.iter().try_for_each(|(_, field)| skip_value(field, input))
        }
        (own, _) if own.starts_with(class::SERDE_PREFIX) => skip_extent(Extent::Array(1), input),
        _ => Err(Error::incompatible(
            "skip value",
            "only the serializer that wrote the value knows its length",
        )
        .with("stored", snapshot)),
    }
}

fn skip_extent(extent: Extent, input: &mut DataInput<'_>) -> Result<()> {
    match extent {
        Extent::Fixed(len) => input.read_bytes(len).map(drop),
        Extent::Array(bytes_each) => {
            // The count was checked against what is left, so the product is no longer than that.
            let len = input.read_count(bytes_each)? * bytes_each;
            input.read_bytes(len).map(drop)
        }
        Extent::Text => string::skip_string(input),
        Extent::Texts => (0..input.read_count(1)?).try_for_each(|_| skip_extent(Extent::Text, input)),
        Extent::BigInteger => skip_big_integer(input).map(drop),
        Extent::BigDecimal => {
            let is_null = skip_big_integer(input)?;
            input
                .read_bytes(if is_null { 0 } else { size_of::<i32>() })
                .map(drop)
        }
    }
}

/// Reads over a `BigInteger`, and says whether it is null.
fn skip_big_integer(input: &mut DataInput<'_>) -> Result<bool> {
    let offset = input.position();
    let len = input.read_i32()?;
    let bytes = usize::try_from(len).map_err(|_| {
        Error::corrupt("skip value", "the length is negative")
            .with("length", len)
            .with("offset", offset)
    })?;
    input.read_bytes(bytes.saturating_sub(4))?;
    Ok(len == 0)
}

/// Reads over a null flag and, where it is 0, a value.
pub(crate) fn skip_nullable(snapshot: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<()> {
    if input.read_bool()? {
        Ok(())
    } else {
        skip_value(snapshot, input)
    }
}

fn skip_pojo(
    snapshot: &SerializerSnapshot,
    fields: &[SerializerSnapshot],
    input: &mut DataInput<'_>,
) -> Result<()> {
    let SnapshotBody::Pojo(pojo) = &snapshot.body else {
        return Err(Error::corrupt("skip value", "the snapshot names no fields").with("stored", snapshot));
    };
    match pojo_subclass(snapshot, pojo, input)? {
        Subclass::Null => Ok(()),
        Subclass::None => fields.iter().try_for_each(|field| skip_nullable(field, input)),
        Subclass::Of(subclass) => skip_value(subclass, input),
    }
}

/// What the flags of a stored object say of its class.
pub(super) enum Subclass<'s> {
    /// There is no object.
    Null,
    /// It is of the class itself: its fields follow.
    None,
    /// It is of a subclass: its value follows.
    Of(&'s SerializerSnapshot),
}

/// Reads the flags that begin a stored object, and its subclass if it is of one.
///
/// # Errors
/// Corrupt when they are none of Flink's, or the subclass is not in the snapshot.
pub(super) fn pojo_subclass<'s>(
    snapshot: &SerializerSnapshot,
    pojo: &'s PojoBody,
    input: &mut DataInput<'_>,
) -> Result<Subclass<'s>> {
    let subclass = match input.read_u8()? {
        flags if flags & POJO_NULL != 0 => return Ok(Subclass::Null),
        POJO_NO_SUBCLASS => return Ok(Subclass::None),
        POJO_SUBCLASS => {
            let name = input.read_utf()?;
            pojo.unregistered_subclasses
                .iter()
                .find(|(class, _)| *class == name)
        }
        POJO_TAGGED_SUBCLASS => {
            let tag = input.read_u8()?;
            pojo.registered_subclasses.get(usize::from(tag))
        }
        flags => {
            return Err(Error::corrupt("read object", "not the flags of an object")
                .with("stored", snapshot)
                .with("flags", flags));
        }
    };
    match subclass {
        Some((_, Some(subclass))) => Ok(Subclass::Of(subclass)),
        _ => Err(
            Error::corrupt("read object", "the object's subclass is not in the snapshot")
                .with("stored", snapshot),
        ),
    }
}
