//! Passing over a stored value of which only the serializer snapshot is known: what happens to a field that the type no
//! longer has.

use super::{SerializerSnapshot, SnapshotBody, class};
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
            snapshot.class_name.starts_with(class::SERDE_PREFIX)
                || fixed_len(&snapshot.class_name).is_some()
                || matches!(
                    snapshot.class_name.as_str(),
                    class::STRING | class::BYTES | class::TAGGED
                )
        }
        _ => true,
    };
    known && snapshot.nested.iter().all(can_skip)
}

fn fixed_len(class_name: &str) -> Option<usize> {
    Some(match class_name {
        class::BOOLEAN | class::BYTE | class::VOID | class::VOID_NAMESPACE => 1,
        class::SHORT | class::U16 => 2,
        class::INT | class::FLOAT | class::U32 => 4,
        class::LONG | class::DOUBLE | class::U64 => 8,
        _ => return None,
    })
}

/// Reads over one value that was written under `snapshot`.
///
/// # Errors
/// Corrupt when the input is not such a value; Incompatible when the layout is one that only the user's own serializer
/// knows.
pub fn skip_value(snapshot: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<()> {
    if let Some(len) = fixed_len(&snapshot.class_name) {
        return input.read_bytes(len).map(drop);
    }
    match (snapshot.class_name.as_str(), snapshot.nested.as_slice()) {
        (class::STRING, _) => string::read_nullable_string(input).map(drop),
        (class::BYTES, _) => skip_bytes(input),
        (class::ENUM, _) => input.read_i32().map(drop),
        (class::SET, [element]) => (0..input.read_count(2)?).try_for_each(|_| skip_nullable(element, input)),
        (class::LIST, [element]) => (0..input.read_count(1)?).try_for_each(|_| skip_value(element, input)),
        (class::MAP, [key, value]) => (0..input.read_count(2)?).try_for_each(|_| {
            skip_value(key, input)?;
            skip_nullable(value, input)
        }),
        // No tuple is without fields: every value takes a byte, which a list's count relies on.
        (class::TUPLE, fields @ [_, ..]) => fields.iter().try_for_each(|field| skip_value(field, input)),
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
        (own, _) if own.starts_with(class::SERDE_PREFIX) => skip_bytes(input),
        _ => Err(Error::incompatible(
            "skip value",
            "only the serializer that wrote the value knows its length",
        )
        .with("stored", snapshot)),
    }
}

fn skip_bytes(input: &mut DataInput<'_>) -> Result<()> {
    let len = input.read_count(1)?;
    input.read_bytes(len).map(drop)
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
    let subclass = match input.read_u8()? {
        flags if flags & POJO_NULL != 0 => return Ok(()),
        POJO_NO_SUBCLASS => return fields.iter().try_for_each(|field| skip_nullable(field, input)),
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
            return Err(Error::corrupt("skip value", "not the flags of an object")
                .with("stored", snapshot)
                .with("flags", flags));
        }
    };
    match subclass {
        Some((_, Some(subclass))) => skip_value(subclass, input),
        _ => Err(
            Error::corrupt("skip value", "the object's subclass is not in the snapshot")
                .with("stored", snapshot),
        ),
    }
}
