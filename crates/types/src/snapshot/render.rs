//! Stored values for people: bytes and the serializer snapshot that they were written under become a tree that prints as
//! JSON. Nothing of it needs the Rust type, so whoever looks at state from outside (a query of a running job, an
//! inspector of snapshots) can show it.
//!
//! What comes out is bounded in size, and how deep it goes is bounded too: the bytes may come from anywhere.

use super::class::{self, Extent};
use super::skip::{Subclass, pojo_subclass, skip_value};
use super::{SerializerSnapshot, SnapshotBody};
use crate::data::DataInput;
use crate::serializer::{enums, option, string, tagged};
use millpond_core::{Error, Result};
use std::fmt::{self, Write};

/// How deep values may nest: what the reader of serializer snapshots allows, too.
const DEPTH_MAX: usize = 64;
/// What every node costs of a renderer's budget beside its text: about what it takes in memory.
const NODE_BYTES: usize = 16;

/// A stored value as a tree. Its `Display` is JSON on one line.
///
/// | stored as | JSON |
/// |---|---|
/// | numbers, booleans, strings | the same; NaN and the infinities as strings |
/// | bytes, and types whose layout only their serializer knows the meaning of | a string of hexadecimal digits after `0x` |
/// | null, the absent value of an option | `null` |
/// | tuples, lists, sets | arrays |
/// | maps with keys that print as one word | objects |
/// | other maps | arrays of `{"key": ..., "value": ...}` |
/// | structs (POJOs) | objects by field name |
/// | enums | the variant's name, or an object with the variant's name and its fields |
/// | a value with a time to live | `{"lastAccess": ms, "value": ...}` |
/// | what went beyond the limit | `"..."` |
#[derive(Clone, Debug, PartialEq)]
pub enum Rendered {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// A string, or the name of an enum's constant.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Rendered>),
    /// Keys with their values.
    Map(Vec<(Rendered, Rendered)>),
    /// Fields by name.
    Object(Vec<(String, Rendered)>),
    /// Stands for what would have gone beyond the limit.
    Cut,
}

/// Turns stored values into trees until its budget is spent.
///
/// ```
/// use millpond_types::snapshot::render::Renderer;
/// use millpond_types::{DataInput, DataOutput, StateType};
/// let serializer = <(String, Vec<i64>)>::serializer();
/// let mut out = DataOutput::new();
/// serializer.serialize(&("a".to_owned(), vec![1, 2]), &mut out)?;
/// let value = Renderer::new(1024).render(&serializer.snapshot(), &mut DataInput::new(out.as_slice()))?;
/// assert_eq!(value.to_string(), r#"["a",[1,2]]"#);
/// # Ok::<(), millpond_types::Error>(())
/// ```
#[derive(Debug)]
pub struct Renderer {
    left: usize,
    cut: bool,
}

impl Renderer {
    /// A renderer whose trees take about `bytes_max` bytes all together.
    pub fn new(bytes_max: usize) -> Self {
        Renderer {
            left: bytes_max,
            cut: false,
        }
    }

    /// Whether the budget was not enough. The trees hold [`Rendered::Cut`] then, and the inputs were not read to their end.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The value that was written under `snapshot`.
    ///
    /// # Errors
    /// Corrupt when the input is not such a value; Incompatible when only the serializer that wrote it knows its layout.
    pub fn render(&mut self, snapshot: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<Rendered> {
        self.value(snapshot, input, 0)
    }

    /// Takes `bytes` and a node out of the budget.
    fn fits(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes.saturating_add(NODE_BYTES)) {
            Some(left) if !self.cut => self.left = left,
            _ => self.cut = true,
        }
        !self.cut
    }

    fn value(
        &mut self,
        snapshot: &SerializerSnapshot,
        input: &mut DataInput<'_>,
        depth: usize,
    ) -> Result<Rendered> {
        if depth > DEPTH_MAX {
            return Err(Error::corrupt("render value", "it nests too deep").with("depth_max", DEPTH_MAX));
        }
        if !self.fits(0) {
            return Ok(Rendered::Cut);
        }
        if let Some(scalar) = self.scalar(snapshot, input)? {
            return Ok(scalar);
        }
        let depth = depth + 1;
        match (snapshot.class_name.as_str(), snapshot.nested.as_slice()) {
            (class::LIST | class::ARRAY_LIST, [element]) => {
                self.list(input, |r, input| r.value(element, input, depth))
            }
            (class::SET, [element]) => self.list(input, |r, input| r.nullable(element, input, depth)),
            // The flag of an array's element says that it is there, the other way round than elsewhere.
            (class::OBJECT_ARRAY, [element]) => self.list(input, |r, input| match input.read_bool()? {
                true => r.value(element, input, depth),
                false => Ok(Rendered::Null),
            }),
            (class::MAP, [key, value]) => self.map(key, value, input, depth),
            (class::TUPLE, parts @ [_, ..]) => {
                let mut list = Vec::new();
                for part in parts.iter() {
                    if self.cut {
                        break;
                    }
                    list.push(self.value(part, input, depth)?);
                }
                Ok(Rendered::List(list))
            }
            (class::TTL, [time, value]) => {
                let time = self.value(time, input, depth)?;
                let value = self.value(value, input, depth)?;
                Ok(object([("lastAccess", time), ("value", value)]))
            }
            (class::TIMER, [key, namespace]) => {
                let timestamp = Rendered::Int(input.read_i64()? ^ i64::MIN);
                let key = self.value(key, input, depth)?;
                let namespace = self.value(namespace, input, depth)?;
                Ok(object([
                    ("timestamp", timestamp),
                    ("key", key),
                    ("namespace", namespace),
                ]))
            }
            (class::NULLABLE, [inner]) => {
                if input.read_bool()? {
                    input.read_bytes(option::padding(snapshot)?)?;
                    return Ok(Rendered::Null);
                }
                self.value(inner, input, depth)
            }
            (class::POJO, fields) => self.pojo(snapshot, fields, input, depth),
            (class::TAGGED, _) => self.tagged(snapshot, input, depth),
            // Postcard and Flink's types without a counterpart: their bytes. `skip_value` refuses what has no known length.
            _ => {
                let start = *input;
                skip_value(snapshot, input)?;
                let bytes = start.rest().get(..start.remaining() - input.remaining());
                Ok(self.bytes(bytes.unwrap_or_default()))
            }
        }
    }

    /// A value without parts; `None` when it is not one of those that are known by name.
    fn scalar(
        &mut self,
        snapshot: &SerializerSnapshot,
        input: &mut DataInput<'_>,
    ) -> Result<Option<Rendered>> {
        Ok(Some(match snapshot.class_name.as_str() {
            class::BOOLEAN => Rendered::Bool(input.read_bool()?),
            class::BYTE => Rendered::Int(i64::from(input.read_i8()?)),
            class::SHORT => Rendered::Int(i64::from(input.read_i16()?)),
            class::INT => Rendered::Int(i64::from(input.read_i32()?)),
            class::LONG => Rendered::Int(input.read_i64()?),
            class::U16 => Rendered::UInt(u64::from(input.read_u16()?)),
            class::U32 => Rendered::UInt(u64::from(input.read_u32()?)),
            class::U64 => Rendered::UInt(input.read_u64()?),
            class::FLOAT => {
                // By its shortest decimal form: 0.1 and not 0.10000000149011612.
                let value = input.read_f32()?;
                Rendered::Float(value.to_string().parse().unwrap_or(f64::from(value)))
            }
            class::DOUBLE => Rendered::Float(input.read_f64()?),
            class::STRING => match string::read_nullable_string(input)? {
                Some(text) => self.text(text),
                None => Rendered::Null,
            },
            class::BYTES => {
                let len = input.read_count(1)?;
                let bytes = input.read_bytes(len)?;
                self.bytes(bytes)
            }
            class::VOID | class::VOID_NAMESPACE => {
                input.read_u8()?;
                Rendered::Null
            }
            class::GLOBAL_WINDOW => {
                input.read_u8()?;
                Rendered::Text("GlobalWindow".to_owned())
            }
            class::TIME_WINDOW => {
                let start = Rendered::Int(input.read_i64()?);
                let end = Rendered::Int(input.read_i64()?);
                object([("start", start), ("end", end)])
            }
            class::ENUM => {
                let constant = enums::read_constant(snapshot, input)?;
                self.text(constant.to_owned())
            }
            other if let Some(Extent::Texts) = Extent::of(other) => {
                self.list(input, |r, input| match string::read_nullable_string(input)? {
                    Some(text) => Ok(r.text(text)),
                    None => Ok(Rendered::Null),
                })?
            }
            _ => return Ok(None),
        }))
    }

    fn text(&mut self, mut text: String) -> Rendered {
        if text.len() > self.left {
            let end = (0..=self.left).rev().find(|i| text.is_char_boundary(*i));
            text.truncate(end.unwrap_or(0));
            text.push_str("...");
            self.cut = true;
        }
        self.left = self.left.saturating_sub(text.len());
        Rendered::Text(text)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Rendered {
        // Two digits each.
        if !self.fits(bytes.len().saturating_mul(2)) {
            return Rendered::Cut;
        }
        Rendered::Bytes(bytes.to_vec())
    }

    fn list(
        &mut self,
        input: &mut DataInput<'_>,
        mut element: impl FnMut(&mut Self, &mut DataInput<'_>) -> Result<Rendered>,
    ) -> Result<Rendered> {
        let mut list = Vec::new();
        for _ in 0..input.read_count(1)? {
            if self.cut {
                break;
            }
            let element = element(self, input)?;
            list.push(element);
        }
        Ok(Rendered::List(list))
    }

    fn nullable(
        &mut self,
        snapshot: &SerializerSnapshot,
        input: &mut DataInput<'_>,
        depth: usize,
    ) -> Result<Rendered> {
        match input.read_bool()? {
            true => Ok(Rendered::Null),
            false => self.value(snapshot, input, depth),
        }
    }

    fn map(
        &mut self,
        key: &SerializerSnapshot,
        value: &SerializerSnapshot,
        input: &mut DataInput<'_>,
        depth: usize,
    ) -> Result<Rendered> {
        let mut entries = Vec::new();
        for _ in 0..input.read_count(2)? {
            if self.cut {
                break;
            }
            let key = self.value(key, input, depth)?;
            if self.cut {
                break;
            }
            entries.push((key, self.nullable(value, input, depth)?));
        }
        Ok(Rendered::Map(entries))
    }

    fn pojo(
        &mut self,
        snapshot: &SerializerSnapshot,
        fields: &[SerializerSnapshot],
        input: &mut DataInput<'_>,
        depth: usize,
    ) -> Result<Rendered> {
        let SnapshotBody::Pojo(pojo) = &snapshot.body else {
            return Err(
                Error::corrupt("render value", "the snapshot names no fields").with("stored", snapshot)
            );
        };
        match pojo_subclass(snapshot, pojo, input)? {
            Subclass::Null => Ok(Rendered::Null),
            Subclass::Of(subclass) => self.value(subclass, input, depth),
            Subclass::None => {
                let mut object = Vec::new();
                for (field, part) in pojo.fields.iter().zip(fields) {
                    if self.cut || !self.fits(field.name.len()) {
                        break;
                    }
                    object.push((field.name.clone(), self.nullable(part, input, depth)?));
                }
                Ok(Rendered::Object(object))
            }
        }
    }

    fn tagged(
        &mut self,
        snapshot: &SerializerSnapshot,
        input: &mut DataInput<'_>,
        depth: usize,
    ) -> Result<Rendered> {
        let (variant, parts) = tagged::read_variant(snapshot, input)?;
        if parts.is_empty() {
            return Ok(self.text(variant.to_owned()));
        }
        let mut fields = Vec::new();
        for (name, part) in parts {
            if self.cut || !self.fits(name.len()) {
                break;
            }
            fields.push((name.to_owned(), self.value(part, input, depth)?));
        }
        Ok(object([(variant, Rendered::Object(fields))]))
    }
}

/// An object with these fields.
pub fn object<const N: usize>(fields: [(&str, Rendered); N]) -> Rendered {
    Rendered::Object(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rendered::Null => f.write_str("null"),
            Rendered::Bool(value) => write!(f, "{value}"),
            Rendered::Int(value) => write!(f, "{value}"),
            Rendered::UInt(value) => write!(f, "{value}"),
            Rendered::Float(value) if value.is_finite() => write!(f, "{value:?}"),
            Rendered::Float(value) if value.is_nan() => f.write_str("\"NaN\""),
            Rendered::Float(value) => f.write_str(if *value > 0.0 {
                "\"Infinity\""
            } else {
                "\"-Infinity\""
            }),
            Rendered::Text(text) => quoted(f, text),
            Rendered::Bytes(bytes) => {
                f.write_str("\"0x")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
                f.write_char('"')
            }
            Rendered::List(list) => separated(f, ['[', ']'], list, |f, value| value.fmt(f)),
            Rendered::Object(fields) => separated(f, ['{', '}'], fields, |f, (name, value)| {
                quoted(f, name)?;
                write!(f, ":{value}")
            }),
            Rendered::Map(entries) if entries.iter().all(|(key, _)| key.word().is_some()) => {
                separated(f, ['{', '}'], entries, |f, (key, value)| {
                    quoted(f, &key.word().unwrap_or_default())?;
                    write!(f, ":{value}")
                })
            }
            Rendered::Map(entries) => separated(f, ['[', ']'], entries, |f, (key, value)| {
                write!(f, "{{\"key\":{key},\"value\":{value}}}")
            }),
            Rendered::Cut => f.write_str("\"...\""),
        }
    }
}

impl Rendered {
    /// The value as the name of a JSON object's member, if it is one word.
    fn word(&self) -> Option<String> {
        match self {
            Rendered::Text(text) => Some(text.clone()),
            Rendered::Bool(_) | Rendered::Int(_) | Rendered::UInt(_) => Some(self.to_string()),
            _ => None,
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    [open, close]: [char; 2],
    items: &[T],
    mut item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (i, each) in items.iter().enumerate() {
        if i > 0 {
            f.write_char(',')?;
        }
        item(f, each)?;
    }
    f.write_char(close)
}

/// A JSON string.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
