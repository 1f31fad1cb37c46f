//! Structs as Java POJOs: the format of Flink's `PojoSerializer`, for the code that `#[derive(StateType)]` writes.
//!
//! A value is a byte of flags (2: an object of exactly the class), then for each field, sorted by name as Flink sorts
//! them, a null flag and the field's value. A field of type `Option<T>` is the nullable field of `T`'s type.

use super::fields::{FieldCheck, resolve_fields};
use super::{TypeSerializer, mismatch, read_as};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, PojoBody, PojoField, SerializerSnapshot, SnapshotBody, class, skip};
use millpond_core::{Error, Result};

const IS_NULL: u8 = 1;
const NO_SUBCLASS: u8 = 2;
const IS_SUBCLASS: u8 = 4;
const IS_TAGGED_SUBCLASS: u8 = 8;
/// `PojoSerializerSnapshot.VERSION`.
const VERSION: i32 = 2;

/// Appends the flags that begin a value.
#[inline]
pub fn write_flags(out: &mut DataOutput) {
    out.write_u8(NO_SUBCLASS);
}

/// Reads the flags that begin a value.
///
/// # Errors
/// Incompatible when the value is null or of a subclass; Corrupt when the flags are none of Flink's.
#[inline]
pub fn read_flags(input: &mut DataInput<'_>, class: &str) -> Result<()> {
    match input.read_u8()? {
        NO_SUBCLASS => Ok(()),
        flags => Err(unexpected_flags(flags, class, input.position())),
    }
}

#[cold]
fn unexpected_flags(flags: u8, class: &str, end: usize) -> Error {
    let e = match flags {
        IS_NULL => Error::incompatible("read object", "the stored object is null")
            .hint("read it as Option of the type"),
        IS_SUBCLASS | IS_TAGGED_SUBCLASS => Error::incompatible(
            "read object",
            "the stored object is of a subclass, which a Rust struct cannot be",
        ),
        _ => Error::corrupt("read object", "not the flags of an object"),
    };
    e.with("type", class).with("flags", flags).with("offset", end - 1)
}

/// Reads the null flag of a field whose type has no place for null.
///
/// # Errors
/// Incompatible when the field is null.
#[inline]
pub fn read_present(input: &mut DataInput<'_>, class: &str, field: &'static str) -> Result<()> {
    if input.read_bool()? {
        return Err(null_field(class, field, input.position()));
    }
    Ok(())
}

#[cold]
fn null_field(class: &str, field: &'static str, end: usize) -> Error {
    Error::incompatible("read object", "the stored field is null")
        .with("type", class)
        .with("field", field)
        .with("offset", end - 1)
        .hint("make the field an Option")
}

/// Appends a nullable field.
///
/// # Errors
/// As the serializer.
#[inline]
pub fn write_nullable<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    value: &Option<T>,
    out: &mut DataOutput,
) -> Result<()> {
    out.write_bool(value.is_none());
    value
        .as_ref()
        .map_or(Ok(()), |value| serializer.serialize(value, out))
}

/// Reads a nullable field.
///
/// # Errors
/// As the serializer.
#[inline]
pub fn read_nullable<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    input: &mut DataInput<'_>,
) -> Result<Option<T>> {
    if input.read_bool()? {
        Ok(None)
    } else {
        serializer.deserialize(input).map(Some)
    }
}

/// The snapshot of a struct with these fields, in their stored order.
pub fn snapshot(class: &str, fields: Vec<(&'static str, SerializerSnapshot)>) -> SerializerSnapshot {
    let (names, nested): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .map(|(name, snapshot)| {
            (
                PojoField {
                    name: name.to_owned(),
                    declaring_class: Some(class.to_owned()),
                },
                snapshot,
            )
        })
        .unzip();
    SerializerSnapshot {
        class_name: class::POJO.to_owned(),
        version: VERSION,
        body: SnapshotBody::Pojo(PojoBody {
            class: class.to_owned(),
            fields: names,
            ..PojoBody::default()
        }),
        nested,
    }
}

fn stored_fields(
    old: &SerializerSnapshot,
) -> Option<(&str, impl Iterator<Item = (&str, &SerializerSnapshot)> + Clone)> {
    let SnapshotBody::Pojo(pojo) = &old.body else {
        return None;
    };
    let fields = pojo.fields.iter().map(|f| f.name.as_str()).zip(&old.nested);
    Some((&pojo.class, fields))
}

/// Judges a stored format. `classes` are the struct's class and the names it had before.
pub fn resolve(classes: &[&str], fields: &[FieldCheck<'_>], old: &SerializerSnapshot) -> Compatibility {
    let class = classes.first().copied().unwrap_or_default();
    match stored_fields(old) {
        Some((stored, old_fields)) if classes.contains(&stored) => {
            resolve_fields(old_fields, fields).within(class)
        }
        _ => mismatch(old, class),
    }
}

/// Reads a stored object field by field: `read` takes the fields that it knows and says whether it did.
///
/// # Errors
/// As [`read_flags`] and `read`; Incompatible when an unknown field cannot be skipped.
pub fn migrate(
    old: &SerializerSnapshot,
    input: &mut DataInput<'_>,
    class: &str,
    mut read: impl FnMut(&str, &SerializerSnapshot, &mut DataInput<'_>) -> Result<bool>,
) -> Result<()> {
    let Some((_, fields)) = stored_fields(old) else {
        return Err(
            Error::incompatible("migrate value", "the stored format is no object")
                .with("stored", old)
                .with("wanted", class),
        );
    };
    read_flags(input, class)?;
    for (name, snapshot) in fields {
        if !read(name, snapshot, input)? {
            skip::skip_nullable(snapshot, input)?;
        }
    }
    Ok(())
}

/// Reads a field that isn't nullable, from a stored format.
///
/// # Errors
/// As [`read_present`] and [`read_as`].
pub fn migrate_field<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    old: &SerializerSnapshot,
    input: &mut DataInput<'_>,
    class: &str,
    field: &'static str,
) -> Result<T> {
    read_present(input, class, field)?;
    read_as(serializer, old, input)
}

/// Reads a nullable field from a stored format.
///
/// # Errors
/// As [`read_as`].
pub fn migrate_nullable<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    old: &SerializerSnapshot,
    input: &mut DataInput<'_>,
) -> Result<Option<T>> {
    if input.read_bool()? {
        Ok(None)
    } else {
        read_as(serializer, old, input).map(Some)
    }
}
