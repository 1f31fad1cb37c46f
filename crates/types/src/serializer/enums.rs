//! Enums without data as Java enums: the format of Flink's `EnumSerializer`, for the code that `#[derive(StateType)]`
//! writes.
//!
//! A value is the ordinal of its constant as `i32`. Constants are known by name: new ones at the end change nothing,
//! another order needs a migration, a removed one is incompatible.

use super::mismatch;
use crate::data::DataInput;
use crate::snapshot::{Compatibility, SerializerSnapshot, SnapshotBody, class};
use millpond_core::{Error, Result};

/// `EnumSerializerSnapshot.CURRENT_VERSION`.
const VERSION: i32 = 3;

/// The snapshot of an enum with these constants.
pub fn snapshot(class: &str, constants: &[&str]) -> SerializerSnapshot {
    SerializerSnapshot {
        class_name: class::ENUM.to_owned(),
        version: VERSION,
        body: SnapshotBody::Enum {
            class: class.to_owned(),
            constants: constants.iter().map(|c| (*c).to_owned()).collect(),
        },
        nested: Vec::new(),
    }
}

/// Judges a stored format. `classes` are the enum's class and the names it had before.
pub fn resolve(classes: &[&str], constants: &[&str], old: &SerializerSnapshot) -> Compatibility {
    let class = classes.first().copied().unwrap_or_default();
    let SnapshotBody::Enum {
        class: stored,
        constants: old_constants,
    } = &old.body
    else {
        return mismatch(old, class);
    };
    if !classes.contains(&stored.as_str()) {
        return mismatch(old, class);
    }
    if let Some(gone) = old_constants.iter().find(|c| !constants.contains(&c.as_str())) {
        return Compatibility::Incompatible(format!("{class}: variant `{gone}` was removed"));
    }
    let begins_alike = constants.iter().zip(old_constants).all(|(new, old)| new == old);
    if begins_alike {
        Compatibility::AsIs
    } else {
        Compatibility::AfterMigration
    }
}

/// Reads the name of a stored constant.
///
/// # Errors
/// Corrupt when no constant has the stored ordinal; Incompatible when the stored format is no enum.
pub fn read_constant<'s>(old: &'s SerializerSnapshot, input: &mut DataInput<'_>) -> Result<&'s str> {
    let SnapshotBody::Enum { class, constants } = &old.body else {
        return Err(Error::incompatible("migrate value", "the stored format is no enum").with("stored", old));
    };
    let ordinal = input.read_i32()?;
    let constant = usize::try_from(ordinal).ok().and_then(|o| constants.get(o));
    constant
        .map(String::as_str)
        .ok_or_else(|| unknown_ordinal(class, ordinal))
}

/// The error for an ordinal that no variant has.
#[cold]
pub fn unknown_ordinal(class: &str, ordinal: i32) -> Error {
    Error::corrupt("read enum", "no variant has this number")
        .with("type", class)
        .with("number", ordinal)
}

/// The error for a stored variant that the enum no longer has.
#[cold]
pub fn removed_variant(class: &str, variant: &str) -> Error {
    Error::incompatible("migrate value", "the stored variant was removed")
        .with("type", class)
        .with("variant", variant)
}
