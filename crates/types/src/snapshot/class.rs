//! The names of the snapshot classes that can be read and written, and the layout that each has.
//!
//! Besides the classes of serializers that stand here there are those of Flink's other formats that carry no
//! configuration beyond their parts. Their values cannot be read as Rust types, but a savepoint that holds them can be
//! listed, and a field that had such a type can be passed over.

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
/// `ArrayListSerializer`: as a list, for state that is kept in memory.
pub const ARRAY_LIST: &str = "org.apache.flink.runtime.state.ArrayListSerializerSnapshot";
/// `GenericArraySerializer`.
pub const OBJECT_ARRAY: &str = "org.apache.flink.api.common.typeutils.base.GenericArraySerializerSnapshot";
/// `TtlSerializer`: a value with the time of its last access before it.
pub const TTL: &str = "org.apache.flink.runtime.state.ttl.TtlStateFactory$TtlSerializerSnapshot";
/// `TimeWindow.Serializer`.
pub const TIME_WINDOW: &str =
    "org.apache.flink.streaming.api.windowing.windows.TimeWindow$Serializer$TimeWindowSerializerSnapshot";
/// `GlobalWindow.Serializer`.
pub const GLOBAL_WINDOW: &str =
    "org.apache.flink.streaming.api.windowing.windows.GlobalWindow$Serializer$GlobalWindowSerializerSnapshot";
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

/// What a value takes whose serializer has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// This many bytes.
    Fixed(usize),
    /// An `i32` count of elements of so many bytes each.
    Array(usize),
    /// A string in Flink's encoding.
    Text,
    /// An `i32` count of such strings.
    Texts,
    /// A `BigInteger`: an `i32` that is 0 for null, 1 to 3 for usual numbers, else the length plus 4, then the bytes.
    BigInteger,
    /// A `BigInteger` and, unless it is null, an `i32` of scale.
    BigDecimal,
}

impl Extent {
    /// By the snapshot class's name; none when the class has parts or is unknown.
    pub(super) fn of(class_name: &str) -> Option<Extent> {
        Some(match class_name {
            BOOLEAN | BYTE | VOID | VOID_NAMESPACE | GLOBAL_WINDOW => Extent::Fixed(1),
            SHORT | U16 => Extent::Fixed(2),
            INT | FLOAT | U32 => Extent::Fixed(4),
            LONG | DOUBLE | U64 => Extent::Fixed(8),
            TIME_WINDOW => Extent::Fixed(16),
            STRING => Extent::Text,
            BYTES => Extent::Array(1),
            _ => Self::of_flinks_other_classes(class_name)?,
        })
    }

    fn of_flinks_other_classes(class_name: &str) -> Option<Extent> {
        // The others are called `<package>.<Name>Serializer$<Name>SerializerSnapshot`.
        let in_package = class_name.strip_prefix("org.apache.flink.api.common.typeutils.base.")?;
        let (serializer, snapshot) = in_package.split_once('$')?;
        let name = serializer.strip_suffix("Serializer")?;
        if snapshot.strip_suffix("SerializerSnapshot")? != name.trim_start_matches("array.") {
            return None;
        }
        Some(match name {
            "Char" => Extent::Fixed(2),
            "Date" | "SqlDate" | "SqlTime" => Extent::Fixed(8),
            "SqlTimestamp" | "Instant" => Extent::Fixed(12),
            "LocalDate" => Extent::Fixed(6),
            "LocalTime" => Extent::Fixed(7),
            "LocalDateTime" => Extent::Fixed(13),
            "BigInt" => Extent::BigInteger,
            "BigDec" => Extent::BigDecimal,
            "array.BooleanPrimitiveArray" => Extent::Array(1),
            "array.ShortPrimitiveArray" | "array.CharPrimitiveArray" => Extent::Array(2),
            "array.IntPrimitiveArray" | "array.FloatPrimitiveArray" => Extent::Array(4),
            "array.LongPrimitiveArray" | "array.DoublePrimitiveArray" => Extent::Array(8),
            "array.StringArray" => Extent::Texts,
            _ => return None,
        })
    }
}

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
            LIST | ARRAY_LIST | MAP | SET | TIMER | TTL => Layout::Composite(Outer::Nothing),
            TUPLE | OBJECT_ARRAY => Layout::Composite(Outer::Text),
            NULLABLE => Layout::Composite(Outer::Int),
            ENUM => Layout::Enum,
            POJO => Layout::Pojo,
            own if own.starts_with(OWN_PREFIX) => Layout::Own,
            other => Extent::of(other).map(|_| Layout::Simple)?,
        })
    }
}
