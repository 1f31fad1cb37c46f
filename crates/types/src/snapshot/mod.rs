//! What is stored about a serializer beside the data it wrote, and what a later serializer makes of it.

pub mod class;
mod codec;
pub mod encode;
pub mod render;
pub mod skip;

use crate::data::{DataInput, DataOutput};
use crate::serializer::tagged;
use millpond_core::Result;
use std::fmt;

/// A serializer's description: Flink's `TypeSerializerSnapshot`, as data.
///
/// In a savepoint it is written as `TypeSerializerSnapshot#writeVersionedSnapshot` does: the class name of the snapshot
/// (`writeUTF`), its version (`i32`), then what that class writes. Composite serializers hold their parts' snapshots in
/// `nested`; `body` is what the class itself says besides.
///
/// ```
/// use millpond_types::{DataInput, DataOutput, SerializerSnapshot, StateType};
/// let snapshot = Vec::<i64>::serializer().snapshot();
/// let mut out = DataOutput::new();
/// snapshot.write_versioned(&mut out)?;
/// assert_eq!(SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice()))?, snapshot);
/// # Ok::<(), millpond_types::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializerSnapshot {
    /// The snapshot class's name: a Java class that Flink has, or a name of Millpond's own for a type that only Rust knows.
    pub class_name: String,
    /// The version of the snapshot's own format.
    pub version: i32,
    /// What this class of snapshot says besides its parts.
    pub body: SnapshotBody,
    /// The parts' snapshots, in their order.
    pub nested: Vec<SerializerSnapshot>,
}

/// What a snapshot says besides its parts' snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotBody {
    /// Nothing: a type with nothing to configure.
    Empty,
    /// A composite serializer (list, map, tuple, option).
    Composite {
        /// The version of what the composite's class writes of its own.
        version: i32,
        /// What it writes: a tuple's class, an option's padding.
        outer: Vec<u8>,
    },
    /// A Java enum.
    Enum {
        /// The enum's class.
        class: String,
        /// Its constants in the order of their ordinals.
        constants: Vec<String>,
    },
    /// A Java POJO; its fields' snapshots are the `nested` ones, in the order of the fields.
    Pojo(PojoBody),
    /// A serializer of Millpond's own, in its own encoding.
    Own(Vec<u8>),
}

/// What the snapshot of a POJO says besides the snapshots of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PojoBody {
    /// The POJO's class.
    pub class: String,
    /// The fields, in the order in which they are written.
    pub fields: Vec<PojoField>,
    /// Subclasses that the Java job registered, in the order of their tags.
    pub registered_subclasses: Vec<(String, Option<SerializerSnapshot>)>,
    /// Subclasses that the Java job met without having registered them.
    pub unregistered_subclasses: Vec<(String, Option<SerializerSnapshot>)>,
}

/// A field of a POJO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PojoField {
    /// The field's name.
    pub name: String,
    /// The class that declares it: the POJO's, or one that it extends. None where the class had lost the field when the
    /// snapshot was written.
    pub declaring_class: Option<String>,
}

/// A serializer's answer to data written under an older snapshot. Flink's `TypeSerializerSchemaCompatibility`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// The bytes can be read as they are.
    AsIs,
    /// The bytes can be read with the old layout and are written in the new one from then on.
    AfterMigration,
    /// They cannot be read; the text names the part that doesn't fit (the field, old and new type).
    Incompatible(String),
}

impl Compatibility {
    /// The answer for a whole whose parts answered `self` and `other`: the worse one.
    #[must_use]
    pub fn and(self, other: Compatibility) -> Compatibility {
        match (self, other) {
            (no @ Compatibility::Incompatible(_), _) | (_, no @ Compatibility::Incompatible(_)) => no,
            (Compatibility::AsIs, Compatibility::AsIs) => Compatibility::AsIs,
            _ => Compatibility::AfterMigration,
        }
    }

    /// The same answer, with `part` named in front where it is a refusal.
    #[must_use]
    pub fn within(self, part: impl fmt::Display) -> Compatibility {
        match self {
            Compatibility::Incompatible(text) => Compatibility::Incompatible(format!("{part}: {text}")),
            other => other,
        }
    }
}

impl SerializerSnapshot {
    /// The description of a serializer with nothing to configure (Flink's `SimpleTypeSerializerSnapshot`). `class_name`
    /// is one of [`class`]'s, or any that begins with [`class::OWN_PREFIX`].
    pub fn simple(class_name: impl Into<String>) -> Self {
        SerializerSnapshot {
            class_name: class_name.into(),
            version: 3,
            body: SnapshotBody::Empty,
            nested: Vec::new(),
        }
    }

    /// The description of a serializer that only Rust knows. `name` gets [`class::OWN_PREFIX`] in front, so that every
    /// reader can tell how the rest is laid out, and Flink refuses the snapshot by this name. Begin it with something
    /// of your own (a crate's name): Millpond's own types have the names in [`class`].
    pub fn own(
        name: impl fmt::Display,
        version: i32,
        body: Vec<u8>,
        nested: Vec<SerializerSnapshot>,
    ) -> Self {
        SerializerSnapshot {
            class_name: format!("{}{name}", class::OWN_PREFIX),
            version,
            body: if body.is_empty() && nested.is_empty() {
                SnapshotBody::Empty
            } else {
                SnapshotBody::Own(body)
            },
            nested,
        }
    }

    /// The description of a composite serializer (Flink's `CompositeTypeSerializerSnapshot`).
    pub(crate) fn composite(
        class_name: &str,
        outer_version: i32,
        outer: Vec<u8>,
        nested: Vec<SerializerSnapshot>,
    ) -> Self {
        SerializerSnapshot {
            class_name: class_name.to_owned(),
            version: 3,
            body: SnapshotBody::Composite {
                version: outer_version,
                outer,
            },
            nested,
        }
    }

    /// Appends the snapshot in Flink's versioned layout.
    ///
    /// # Errors
    /// As [`DataOutput::write_utf`].
    pub fn write_versioned(&self, out: &mut DataOutput) -> Result<()> {
        codec::write(self, out)
    }

    /// Reads a snapshot in Flink's versioned layout.
    ///
    /// # Errors
    /// Corrupt when the bytes are not a snapshot; Incompatible when its class is unknown, by name.
    pub fn read_versioned(input: &mut DataInput<'_>) -> Result<Self> {
        codec::read(input, 0)
    }
}

/// The short name of the serializer (for a POJO or enum: of its class) and, in angle brackets, its parts.
impl fmt::Display for SerializerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |name: &'_ str| -> String {
            name.rsplit(['.', '$'])
                .next()
                .unwrap_or(name)
                .trim_end_matches("Snapshot")
                .to_owned()
        };
        let named =
            |f: &mut fmt::Formatter<'_>, class: &str| write!(f, "{} {class}", short(&self.class_name));
        match &self.body {
            SnapshotBody::Pojo(pojo) => return named(f, &pojo.class),
            SnapshotBody::Enum { class, .. } => return named(f, class),
            _ if let Some(class) = tagged::class_of(self) => return named(f, class),
            _ => f.write_str(&short(&self.class_name))?,
        }
        if let Some((first, rest)) = self.nested.split_first() {
            write!(f, "<{first}")?;
            rest.iter().try_for_each(|n| write!(f, ", {n}"))?;
            f.write_str(">")?;
        }
        Ok(())
    }
}
