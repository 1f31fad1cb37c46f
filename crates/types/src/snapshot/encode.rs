//! The other way round than [`render`](super::render): a value that a person wrote down becomes the bytes that a
//! serializer with the given snapshot would write. So a key can be looked up without its Rust type.

use super::render::Rendered;
use super::{PojoBody, SerializerSnapshot, SnapshotBody, class};
use crate::data::DataOutput;
use crate::serializer::{option, string, tagged};
use millpond_core::{Error, ErrorKind, Result};

/// How deep values may nest.
const DEPTH_MAX: usize = 64;

/// Appends `value` as a serializer with this snapshot writes it. Texts stand for numbers, booleans and an enum's constants,
/// too; a struct's missing fields are null.
///
/// # Errors
/// Config when the value doesn't fit the type, saying what would; Unsupported for types whose layout only their own
/// serializer knows.
///
/// ```
/// use millpond_types::snapshot::encode::encode;
/// use millpond_types::snapshot::render::Rendered;
/// use millpond_types::{DataOutput, StateType};
/// let mut out = DataOutput::new();
/// encode(&i64::serializer().snapshot(), &Rendered::Text("7".to_owned()), &mut out)?;
/// assert_eq!(out.as_slice(), 7i64.to_be_bytes());
/// # Ok::<(), millpond_types::Error>(())
/// ```
pub fn encode(snapshot: &SerializerSnapshot, value: &Rendered, out: &mut DataOutput) -> Result<()> {
    encode_at(snapshot, value, out, 0)
}

/// Whether values of this type are written down as one word rather than as JSON: strings, numbers, booleans, enums
/// without data.
pub fn is_word(snapshot: &SerializerSnapshot) -> bool {
    match snapshot.class_name.as_str() {
        class::NULLABLE => snapshot.nested.iter().all(is_word),
        class::STRING
        | class::BOOLEAN
        | class::BYTE
        | class::SHORT
        | class::INT
        | class::LONG
        | class::U16
        | class::U32
        | class::U64
        | class::FLOAT
        | class::DOUBLE
        | class::ENUM => true,
        _ => false,
    }
}

fn encode_at(
    snapshot: &SerializerSnapshot,
    value: &Rendered,
    out: &mut DataOutput,
    depth: usize,
) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::config("encode value", "the value nests too deep").with("depth_max", DEPTH_MAX));
    }
    let fits = |wanted: &'static str| unfit(snapshot, value, wanted);
    let depth = depth + 1;
    match (snapshot.class_name.as_str(), snapshot.nested.as_slice()) {
        (class::BOOLEAN, _) => out.write_bool(boolean(value).ok_or_else(|| fits("true or false"))?),
        (class::BYTE, _) => out.write_i8(integer(value).ok_or_else(|| fits("an integer from -128 to 127"))?),
        (class::SHORT, _) => out.write_i16(integer(value).ok_or_else(|| fits("an integer of 16 bits"))?),
        (class::INT, _) => out.write_i32(integer(value).ok_or_else(|| fits("an integer of 32 bits"))?),
        (class::LONG, _) => out.write_i64(integer(value).ok_or_else(|| fits("an integer of 64 bits"))?),
        (class::U16, _) => out.write_u16(integer(value).ok_or_else(|| fits("an integer from 0 to 65535"))?),
        (class::U32, _) => out.write_u32(integer(value).ok_or_else(|| fits("an integer of 32 bits from 0"))?),
        (class::U64, _) => out.write_u64(integer(value).ok_or_else(|| fits("an integer of 64 bits from 0"))?),
        (class::FLOAT, _) => out.write_f32(number(value).ok_or_else(|| fits("a number"))?),
        (class::DOUBLE, _) => out.write_f64(number(value).ok_or_else(|| fits("a number"))?),
        (class::STRING, _) => match value {
            Rendered::Text(text) => string::write_string(text, out)?,
            _ => return Err(fits("a string")),
        },
        (class::VOID | class::VOID_NAMESPACE, _) => out.write_u8(0),
        (class::ENUM, _) => out.write_i32(constant(snapshot, value)?),
        (class::TUPLE, parts) => match value {
            Rendered::List(list) if list.len() == parts.len() => {
                for (part, value) in parts.iter().zip(list) {
                    encode_at(part, value, out, depth)?;
                }
            }
            _ => return Err(fits("an array with one element for each field of the tuple")),
        },
        (class::LIST, [element]) => match value {
            Rendered::List(list) => {
                out.write_i32(count(list.len())?);
                for value in list {
                    encode_at(element, value, out, depth)?;
                }
            }
            _ => return Err(fits("an array")),
        },
        (class::NULLABLE, [inner]) => {
            let is_null = matches!(value, Rendered::Null);
            out.write_bool(is_null);
            if is_null {
                out.write_bytes(&vec![0; option::padding(snapshot)?.min(1024)]);
            } else {
                encode_at(inner, value, out, depth)?;
            }
        }
        (class::POJO, fields) => match (&snapshot.body, value) {
            (SnapshotBody::Pojo(pojo), Rendered::Object(given)) => object(pojo, fields, given, out, depth)?,
            _ => return Err(fits("an object with the struct's fields")),
        },
        (class::TAGGED, _) => variant(snapshot, value, out, depth)?,
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "encode value",
                "values of this type cannot be written down",
            )
            .with("type", snapshot)
            .hint("strings, numbers, booleans, enums, tuples, lists, options and structs of those can"));
        }
    }
    Ok(())
}

fn object(
    pojo: &PojoBody,
    parts: &[SerializerSnapshot],
    given: &[(String, Rendered)],
    out: &mut DataOutput,
    depth: usize,
) -> Result<()> {
    if let Some((unknown, _)) = given
        .iter()
        .find(|(name, _)| pojo.fields.iter().all(|f| f.name != *name))
    {
        let names: Vec<_> = pojo.fields.iter().map(|f| f.name.as_str()).collect();
        return Err(Error::config("encode value", "the struct has no such field")
            .with("struct", &pojo.class)
            .with("field", unknown)
            .hint(format!("its fields are {}", names.join(", "))));
    }
    // An object of exactly the class.
    out.write_u8(2);
    for (field, part) in pojo.fields.iter().zip(parts) {
        match given.iter().find(|(name, _)| *name == field.name) {
            Some((_, Rendered::Null)) | None => out.write_bool(true),
            Some((_, value)) => {
                out.write_bool(false);
                encode_at(part, value, out, depth)
                    .map_err(|e| e.with("struct", &pojo.class).with("field", &field.name))?;
            }
        }
    }
    Ok(())
}

fn variant(
    snapshot: &SerializerSnapshot,
    value: &Rendered,
    out: &mut DataOutput,
    depth: usize,
) -> Result<()> {
    let variants = tagged::variants(snapshot)?;
    let (wanted, given) = match value {
        Rendered::Text(name) => (name, &[][..]),
        Rendered::Object(members) => match members.as_slice() {
            [(name, Rendered::Object(fields))] => (name, fields.as_slice()),
            _ => return Err(unfit(snapshot, value, r#"{"Variant": {"field": ...}}"#)),
        },
        _ => {
            return Err(unfit(
                snapshot,
                value,
                r#"the name of a variant, or {"Variant": {"field": ...}}"#,
            ));
        }
    };
    let found = (0..).zip(&variants).find(|(_, (name, _))| name == wanted);
    let Some((number, (_, fields))) = found else {
        let names: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
        return Err(
            unfit(snapshot, value, "the name of a variant").hint(format!("there are {}", names.join(", ")))
        );
    };
    out.write_i32(number);
    for (name, part) in fields {
        let Some((_, value)) = given.iter().find(|(given, _)| given == name) else {
            return Err(Error::config("encode value", "a field of the variant is missing")
                .with("variant", wanted)
                .with("field", name));
        };
        encode_at(part, value, out, depth)?;
    }
    Ok(())
}

fn constant(snapshot: &SerializerSnapshot, value: &Rendered) -> Result<i32> {
    let SnapshotBody::Enum { constants, .. } = &snapshot.body else {
        return Err(
            Error::corrupt("encode value", "the snapshot names no constants").with("stored", snapshot)
        );
    };
    let found = match value {
        Rendered::Text(text) => (0..).zip(constants).find(|(_, c)| *c == text),
        _ => None,
    };
    found.map(|(ordinal, _)| ordinal).ok_or_else(|| {
        unfit(snapshot, value, "the name of a constant").hint(format!("there are {}", constants.join(", ")))
    })
}

fn boolean(value: &Rendered) -> Option<bool> {
    match value {
        Rendered::Bool(value) => Some(*value),
        Rendered::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn integer<T: TryFrom<i64> + TryFrom<u64> + std::str::FromStr>(value: &Rendered) -> Option<T> {
    match value {
        Rendered::Int(value) => T::try_from(*value).ok(),
        Rendered::UInt(value) => T::try_from(*value).ok(),
        Rendered::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(value: &Rendered) -> Option<T> {
    match value {
        Rendered::Int(_) | Rendered::UInt(_) | Rendered::Float(_) => {
            value.to_string().trim_matches('"').parse().ok()
        }
        Rendered::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn count(len: usize) -> Result<i32> {
    i32::try_from(len)
        .map_err(|_| Error::config("encode value", "the list is too long").with("elements", len))
}

fn unfit(snapshot: &SerializerSnapshot, value: &Rendered, wanted: &'static str) -> Error {
    let given: String = value.to_string().chars().take(80).collect();
    Error::config("encode value", "the value doesn't fit the type")
        .with("type", snapshot)
        .with("given", given)
        .with("wanted", wanted)
}
