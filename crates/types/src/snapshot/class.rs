//! The names of the snapshot classes that can be read and written, and the layout that each has.

/// `BooleanSerializer`.
pub const BOOLEAN: &str =
    "org.apache.flink.api.common.typeutils.base.BooleanSerializer$BooleanSerializerSnapshot";
/// `ByteSerializer`.
pub const BYTE: &str = "org.apache.flink.api.common.typeutils.base.ByteSerializer$ByteSerializerSnapshot";
/// `ShortSerializer`.
pub const SHORT: &str = "org.apache.flink.api.common.typeutils.base.ShortSerializer$ShortSerializerSnapshot";
/// `IntSerializer`.
pub const INT: &str = "org.apache.flink.api.common.typeutils.base.IntSerializer$IntSerializerSnapshot";
/// `LongSerializer`.
pub const LONG: &str = "org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot";
/// `FloatSerializer`.
pub const FLOAT: &str = "org.apache.flink.api.common.typeutils.base.FloatSerializer$FloatSerializerSnapshot";
/// `DoubleSerializer`.
pub const DOUBLE: &str =
    "org.apache.flink.api.common.typeutils.base.DoubleSerializer$DoubleSerializerSnapshot";
/// `StringSerializer`.
pub const STRING: &str =
    "org.apache.flink.api.common.typeutils.base.StringSerializer$StringSerializerSnapshot";
/// `VoidSerializer`.
pub const VOID: &str = "org.apache.flink.api.common.typeutils.base.VoidSerializer$VoidSerializerSnapshot";
/// `VoidNamespaceSerializer`.
pub const VOID_NAMESPACE: &str =
    "org.apache.flink.runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot";
/// `BytePrimitiveArraySerializer`.
pub const BYTES: &str = "org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer$BytePrimitiveArraySerializerSnapshot";
/// `ListSerializer`.
pub const LIST: &str = "org.apache.flink.api.common.typeutils.base.ListSerializerSnapshot";
/// `MapSerializer`.
pub const MAP: &str = "org.apache.flink.api.common.typeutils.base.MapSerializerSnapshot";
/// `SetSerializer`.
pub const SET: &str = "org.apache.flink.api.common.typeutils.base.SetSerializerSnapshot";
/// `NullableSerializer`.
pub const NULLABLE: &str =
    "org.apache.flink.api.java.typeutils.runtime.NullableSerializer$NullableSerializerSnapshot";
/// `TupleSerializer`.
pub const TUPLE: &str = "org.apache.flink.api.java.typeutils.runtime.TupleSerializerSnapshot";
/// `PojoSerializer`.
pub const POJO: &str = "org.apache.flink.api.java.typeutils.runtime.PojoSerializerSnapshot";
/// `EnumSerializer`.
pub const ENUM: &str = "org.apache.flink.api.common.typeutils.base.EnumSerializer$EnumSerializerSnapshot";
/// `TimerSerializer`.
pub const TIMER: &str = "org.apache.flink.streaming.api.operators.TimerSerializerSnapshot";

/// What the name of every class that only Millpond knows begins with. No Java class can be called so.
pub const OWN_PREFIX: &str = "millpond:";
/// `u16`.
pub const U16: &str = "millpond:u16";
/// `u32`.
pub const U32: &str = "millpond:u32";
/// `u64`.
pub const U64: &str = "millpond:u64";
/// An enum whose variants carry data.
pub const TAGGED: &str = "millpond:enum";

/// What the names of serde's serializers begin with; the type's name follows.
pub const SERDE_PREFIX: &str = "millpond:serde/";

/// How the rest of a snapshot is laid out after its class name and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Flink's `SimpleTypeSerializerSnapshot`: nothing.
    Simple,
    /// Flink's `CompositeTypeSerializerSnapshot` with this much of its own between version and parts.
    Composite(Outer),
    /// Flink's `EnumSerializerSnapshot`.
    Enum,
    /// Flink's `PojoSerializerSnapshot`.
    Pojo,
    /// Millpond's own: a body with its length before it, then the parts with their count before them.
    Own,
}

/// What a composite snapshot's class writes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outer {
    Nothing,
    /// A string (`writeUTF`).
    Text,
    /// An `i32`.
    Int,
}

impl Layout {
    /// The layout of a class by its name; none when the class is unknown.
    pub(super) fn of(class_name: &str) -> Option<Layout> {
        Some(match class_name {
            BOOLEAN | BYTE | SHORT | INT | LONG | FLOAT | DOUBLE | STRING | VOID | VOID_NAMESPACE | BYTES => {
                Layout::Simple
            }
            LIST | MAP | SET | TIMER => Layout::Composite(Outer::Nothing),
            TUPLE => Layout::Composite(Outer::Text),
            NULLABLE => Layout::Composite(Outer::Int),
            ENUM => Layout::Enum,
            POJO => Layout::Pojo,
            own if own.starts_with(OWN_PREFIX) => Layout::Own,
            _ => return None,
        })
    }
}
