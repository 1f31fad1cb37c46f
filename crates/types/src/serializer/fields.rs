//! Fields by name, which structs and data-carrying enums have in common: how a changed set of fields is judged, and how
//! a field that is new gets its value.
//!
//! Rules (Flink's `PojoSerializerSnapshot`, with Rust's defaults in place of Java's):
//! - A field that only the stored format has is read over.
//! - A field that only the type has takes the value of its `#[state_type(default = "...")]` function, else of its
//!   type's `Default` (`None` for an option). Without either the change is incompatible.
//! - A field that both have is judged by its serializer.

use crate::snapshot::skip::can_skip;
use crate::snapshot::{Compatibility, SerializerSnapshot};
use millpond_core::{Error, Result};
use std::marker::PhantomData;

/// What a derive says about one field when a stored format is judged.
pub struct FieldCheck<'a> {
    /// The field's stored name.
    pub name: &'static str,
    /// Its Rust type, for messages.
    pub rust_type: &'static str,
    /// Whether a value can be made when the stored format lacks the field.
    pub has_default: bool,
    /// Its serializer's judgement.
    pub resolve: &'a dyn Fn(&SerializerSnapshot) -> Compatibility,
}

/// Judges stored fields against those of the type.
pub(super) fn resolve_fields<'s>(
    old: impl Iterator<Item = (&'s str, &'s SerializerSnapshot)> + Clone,
    new: &[FieldCheck<'_>],
) -> Compatibility {
    let same_order = old.clone().map(|(name, _)| name).eq(new.iter().map(|f| f.name));
    let mut answer = if same_order {
        Compatibility::AsIs
    } else {
        Compatibility::AfterMigration
    };
    for (name, snapshot) in old.clone() {
        answer = answer.and(match new.iter().find(|f| f.name == name) {
            Some(field) => match (field.resolve)(snapshot) {
                Compatibility::Incompatible(text) => {
                    Compatibility::Incompatible(format!("field `{name}` of type {}: {text}", field.rust_type))
                }
                other => other,
            },
            None if can_skip(snapshot) => Compatibility::AfterMigration,
            None => Compatibility::Incompatible(format!(
                "field `{name}` was removed, and values stored as {snapshot} cannot be skipped"
            )),
        });
    }
    for field in new {
        if !field.has_default && !old.clone().any(|(name, _)| name == field.name) {
            answer = answer.and(Compatibility::Incompatible(format!(
                "field `{}` is new, and its type {} has no Default (or #[state_type(default = ...)])",
                field.name, field.rust_type
            )));
        }
    }
    answer
}

/// The value of a field after migration: what was stored, else the default.
///
/// # Errors
/// Incompatible when there is neither.
pub fn stored_or_default<T>(
    stored: Option<T>,
    default: impl FnOnce() -> Option<T>,
    class: &str,
    field: &'static str,
) -> Result<T> {
    stored.or_else(default).ok_or_else(|| {
        Error::incompatible("migrate value", "a field is neither stored nor has it a default")
            .with("type", class)
            .with("field", field)
    })
}

/// Asks whether `T` has a `Default`, at a place where `T` is known: the inherent method wins where its bound holds, the
/// one of [`NoDefault`] is taken elsewhere.
pub struct DefaultProbe<T>(PhantomData<T>);

impl<T> DefaultProbe<T> {
    /// A question about `T`.
    #[expect(clippy::new_without_default, reason = "the type is a question, not a value")]
    pub fn new() -> Self {
        DefaultProbe(PhantomData)
    }
}

impl<T: Default> DefaultProbe<T> {
    /// `T`'s default.
    pub fn get(&self) -> Option<T> {
        Some(T::default())
    }
}

/// The answer for types without a `Default`.
pub trait NoDefault<T> {
    /// None.
    fn get(&self) -> Option<T> {
        None
    }
}

impl<T> NoDefault<T> for DefaultProbe<T> {}
