//! Enums whose variants carry data: a format of Millpond's own, since Java has no such type, for the code that
//! `#[derive(StateType)]` writes.
//!
//! A value is the number of its variant as `i32`, then the variant's fields in declared order, each as its type's
//! serializer writes it. The snapshot, of class `millpond:enum`, lists the variants and their fields by name; its
//! nested snapshots are those of all fields, one variant after the other. Variants are matched by name, fields as
//! those of structs are ([`fields`](super::fields)).

use super::fields::{FieldCheck, resolve_fields};
use super::{enums, mismatch, read_as};
use crate::data::{DataInput, DataOutput};
use crate::serializer::TypeSerializer;
use crate::snapshot::{Compatibility, SerializerSnapshot, SnapshotBody, class, skip};
use millpond_core::{Error, Result};

const VERSION: i32 = 1;

/// One variant's name, and its fields' names and snapshots in order.
pub type VariantSnapshot = (&'static str, Vec<(&'static str, SerializerSnapshot)>);

/// What a derive says about one variant when a stored format is judged.
pub struct VariantCheck<'a> {
    /// The variant's stored name.
    pub name: &'static str,
    /// Its fields, in declared order.
    pub fields: &'a [FieldCheck<'a>],
}

/// The snapshot of an enum with these variants.
pub fn snapshot(class: &str, variants: Vec<VariantSnapshot>) -> SerializerSnapshot {
    let mut body = DataOutput::new();
    let mut nested = Vec::new();
    write_text(class, &mut body);
    body.write_u32(variants.len() as u32);
    for (name, fields) in variants {
        write_text(name, &mut body);
        body.write_u32(fields.len() as u32);
        for (name, snapshot) in fields {
            write_text(name, &mut body);
            nested.push(snapshot);
        }
    }
    SerializerSnapshot {
        class_name: class::TAGGED.to_owned(),
        version: VERSION,
        body: SnapshotBody::Own(body.into_vec()),
        nested,
    }
}

/// A name in the body: four bytes of length, then UTF-8. Unlike `writeUTF` it cannot fail.
fn write_text(text: &str, out: &mut DataOutput) {
    out.write_u32(text.len() as u32);
    out.write_bytes(text.as_bytes());
}

fn read_text<'a>(input: &mut DataInput<'a>) -> Result<&'a str> {
    let len = input.read_count(1)?;
    std::str::from_utf8(input.read_bytes(len)?)
        .map_err(|e| Error::corrupt("read serializer snapshot", "a name is no text").source(e))
}

type Fields<'s> = Vec<(&'s str, &'s SerializerSnapshot)>;

/// The stored enum's class and variants. An enum without data is one whose variants have no fields.
fn stored(old: &SerializerSnapshot) -> Result<(&str, Vec<(&str, Fields<'_>)>)> {
    match &old.body {
        SnapshotBody::Enum { class, constants } => Ok((
            class,
            constants.iter().map(|c| (c.as_str(), Vec::new())).collect(),
        )),
        SnapshotBody::Own(body) if old.class_name == class::TAGGED => {
            let mut input = DataInput::new(body);
            let mut nested = old.nested.iter();
            let class = read_text(&mut input)?;
            let mut variants = Vec::new();
            for _ in 0..input.read_count(8)? {
                let variant = read_text(&mut input)?;
                let mut fields = Vec::new();
                for _ in 0..input.read_count(4)? {
                    let name = read_text(&mut input)?;
                    let snapshot = nested.next().ok_or_else(|| {
                        Error::corrupt("read serializer snapshot", "a field has no serializer snapshot")
                            .with("variant", variant)
                            .with("field", name)
                    })?;
                    fields.push((name, snapshot));
                }
                variants.push((variant, fields));
            }
            Ok((class, variants))
        }
        _ => Err(Error::incompatible("migrate value", "the stored format is no enum").with("stored", old)),
    }
}

/// The variants by name, each with its fields.
pub(crate) fn variants(snapshot: &SerializerSnapshot) -> Result<Vec<(&str, Fields<'_>)>> {
    stored(snapshot).map(|(_, variants)| variants)
}

/// The class of the enum that a snapshot of this kind describes.
pub(crate) fn class_of(snapshot: &SerializerSnapshot) -> Option<&str> {
    match &snapshot.body {
        SnapshotBody::Own(body) if snapshot.class_name == class::TAGGED => {
            read_text(&mut DataInput::new(body)).ok()
        }
        _ => None,
    }
}

/// Judges a stored format. `classes` are the enum's class and the names it had before.
pub fn resolve(classes: &[&str], variants: &[VariantCheck<'_>], old: &SerializerSnapshot) -> Compatibility {
    let class = classes.first().copied().unwrap_or_default();
    let (stored_class, old_variants) = match stored(old) {
        Ok(stored) => stored,
        Err(e) if e.kind() == millpond_core::ErrorKind::Incompatible => return mismatch(old, class),
        Err(e) => return Compatibility::Incompatible(format!("{class}: {e}")),
    };
    if !classes.contains(&stored_class) {
        return mismatch(old, class);
    }
    let begins_alike = old_variants.len() <= variants.len()
        && variants
            .iter()
            .zip(&old_variants)
            .all(|(new, (old, _))| new.name == *old);
    let mut answer = if begins_alike {
        Compatibility::AsIs
    } else {
        Compatibility::AfterMigration
    };
    for (name, fields) in &old_variants {
        let Some(variant) = variants.iter().find(|v| v.name == *name) else {
            return Compatibility::Incompatible(format!("{class}: variant `{name}` was removed"));
        };
        let fields = resolve_fields(fields.iter().copied(), variant.fields);
        answer = answer.and(fields.within(format_args!("{class}: variant `{name}`")));
    }
    answer
}

/// Reads the name of a stored variant, and says which fields follow.
///
/// # Errors
/// Corrupt when no variant has the stored number; Incompatible when the stored format is no enum.
pub fn read_variant<'s>(
    old: &'s SerializerSnapshot,
    input: &mut DataInput<'_>,
) -> Result<(&'s str, Fields<'s>)> {
    let (class, variants) = stored(old)?;
    let number = input.read_i32()?;
    let variant = usize::try_from(number)
        .ok()
        .and_then(|n| variants.into_iter().nth(n));
    variant.ok_or_else(|| enums::unknown_ordinal(class, number))
}

/// Reads a field of a variant from a stored format.
///
/// # Errors
/// As [`read_as`].
pub fn migrate_field<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    old: &SerializerSnapshot,
    input: &mut DataInput<'_>,
) -> Result<T> {
    read_as(serializer, old, input)
}

/// Reads over a field that the variant no longer has.
///
/// # Errors
/// As [`skip::skip_value`].
pub fn skip_field(old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<()> {
    skip::skip_value(old, input)
}
