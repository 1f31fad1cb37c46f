//! The little of Java's object serialization stream that `CheckpointProperties` needs: plain objects with boolean, string,
//! enum and object fields.
//!
//! Reading builds a tree of values and knows no class; it takes nothing on trust: depth is bounded, and every length is
//! checked against the input by [`DataInput`]. The grammar is chapter 6 of the Java Object Serialization Specification.

use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput};
use std::sync::Arc;

pub(super) const STREAM_MAGIC: u32 = 0xaced_0005;
pub(super) const TC_NULL: u8 = 0x70;
pub(super) const TC_REFERENCE: u8 = 0x71;
pub(super) const TC_CLASSDESC: u8 = 0x72;
pub(super) const TC_OBJECT: u8 = 0x73;
pub(super) const TC_STRING: u8 = 0x74;
pub(super) const TC_ENDBLOCKDATA: u8 = 0x78;
pub(super) const TC_ENUM: u8 = 0x7e;
pub(super) const BASE_HANDLE: u32 = 0x007e_0000;
/// The class is `Serializable` and writes its fields in the default way.
pub(super) const SC_SERIALIZABLE: u8 = 0x02;
/// As an enum's class is flagged.
pub(super) const SC_ENUM: u8 = 0x12;
const DEPTH_MAX: u32 = 16;

/// A value of the stream.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Text(String),
    Enum(String),
    Object(Arc<Object>),
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) class: String,
    pub(super) fields: Vec<(String, Value)>,
}

impl Object {
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

#[derive(Debug)]
struct Class {
    name: String,
    flags: u8,
    fields: Vec<(u8, String)>,
    parent: Option<Arc<Class>>,
}

enum Handle {
    /// An object whose fields are being read: nothing may refer to it yet.
    Open,
    Class(Arc<Class>),
    Value(Value),
}

struct Reader<'a, 'b> {
    input: &'b mut DataInput<'a>,
    handles: Vec<Handle>,
    depth: u32,
}

/// Reads one stream with one object.
pub(super) fn read_object(input: &mut DataInput<'_>) -> Result<Arc<Object>> {
    if input.read_u32()? != STREAM_MAGIC {
        return Err(bad("not a Java object stream"));
    }
    let mut reader = Reader {
        input,
        handles: Vec::new(),
        depth: 0,
    };
    match reader.value()? {
        Value::Object(object) => Ok(object),
        _ => Err(bad("not an object")),
    }
}

impl Reader<'_, '_> {
    fn value(&mut self) -> Result<Value> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(bad("nested too deep"));
        }
        let value = match self.input.read_u8()? {
            TC_NULL => Value::Null,
            TC_STRING => {
                let value = Value::Text(self.input.read_utf()?);
                self.handles.push(Handle::Value(value.clone()));
                value
            }
            TC_REFERENCE => match self.reference()? {
                Handle::Value(value) => value.clone(),
                _ => return Err(bad("a reference to something else than a value")),
            },
            TC_ENUM => self.enum_value()?,
            TC_OBJECT => self.object()?,
            other => return Err(bad("an element that is not expected here").with("element", other)),
        };
        self.depth -= 1;
        Ok(value)
    }

    fn enum_value(&mut self) -> Result<Value> {
        self.class()?.ok_or_else(|| bad("an enum without a class"))?;
        let slot = self.open();
        match self.value()? {
            Value::Text(name) => Ok(self.close(slot, Value::Enum(name))),
            _ => Err(bad("an enum constant without a name")),
        }
    }

    fn object(&mut self) -> Result<Value> {
        let class = self.class()?.ok_or_else(|| bad("an object without a class"))?;
        let slot = self.open();
        let mut line = Vec::new();
        let mut next = Some(&class);
        while let Some(c) = next {
            line.push(Arc::clone(c));
            next = c.parent.as_ref();
        }
        let mut fields = Vec::new();
        // The fields of the uppermost class come first.
        for c in line.iter().rev() {
            if c.flags != SC_SERIALIZABLE {
                return Err(bad("a class that writes itself in its own way").with("class", &c.name));
            }
            for (kind, name) in &c.fields {
                let value = match kind {
                    b'Z' => Value::Bool(self.input.read_bool()?),
                    b'L' => self.value()?,
                    _ => return Err(bad("a field of a type that is not expected here").with("field", name)),
                };
                fields.push((name.clone(), value));
            }
        }
        let object = Object {
            class: class.name.clone(),
            fields,
        };
        Ok(self.close(slot, Value::Object(Arc::new(object))))
    }

    fn class(&mut self) -> Result<Option<Arc<Class>>> {
        match self.input.read_u8()? {
            TC_NULL => return Ok(None),
            TC_REFERENCE => {
                return match self.reference()? {
                    Handle::Class(class) => Ok(Some(Arc::clone(class))),
                    _ => Err(bad("a reference to something else than a class")),
                };
            }
            TC_CLASSDESC => {}
            other => return Err(bad("not a class").with("element", other)),
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(bad("nested too deep"));
        }
        let name = self.input.read_utf()?;
        self.input.read_i64()?; // serialVersionUID: names decide.
        let slot = self.open();
        let flags = self.input.read_u8()?;
        let mut fields = Vec::new();
        for _ in 0..self.input.read_u16()? {
            let kind = self.input.read_u8()?;
            let field = self.input.read_utf()?;
            if matches!(kind, b'L' | b'[') {
                self.value()?; // The field's type; its name decides.
            }
            fields.push((kind, field));
        }
        if self.input.read_u8()? != TC_ENDBLOCKDATA {
            return Err(bad("a class with annotations").with("class", name));
        }
        let parent = self.class()?;
        self.depth -= 1;
        let class = Arc::new(Class {
            name,
            flags,
            fields,
            parent,
        });
        if let Some(handle) = self.handles.get_mut(slot) {
            *handle = Handle::Class(Arc::clone(&class));
        }
        Ok(Some(class))
    }

    fn open(&mut self) -> usize {
        self.handles.push(Handle::Open);
        self.handles.len() - 1
    }

    fn close(&mut self, slot: usize, value: Value) -> Value {
        if let Some(handle) = self.handles.get_mut(slot) {
            *handle = Handle::Value(value.clone());
        }
        value
    }

    fn reference(&mut self) -> Result<&Handle> {
        let number = self.input.read_u32()?;
        number
            .checked_sub(BASE_HANDLE)
            .and_then(|n| self.handles.get(n as usize))
            .ok_or_else(|| bad("a reference to nothing"))
    }
}

/// Opens a class descriptor: name, serial version and flags; its fields follow.
pub(super) fn write_class(
    out: &mut DataOutput,
    name: &str,
    serial_version: u64,
    flags: u8,
    fields: u16,
) -> Result<()> {
    out.write_u8(TC_CLASSDESC);
    out.write_utf(name)?;
    out.write_u64(serial_version);
    out.write_u8(flags);
    out.write_u16(fields);
    Ok(())
}

pub(super) fn write_string(out: &mut DataOutput, text: &str) -> Result<()> {
    out.write_u8(TC_STRING);
    out.write_utf(text)
}

/// Ends a class descriptor whose parent is no serializable class.
pub(super) fn end_class(out: &mut DataOutput) {
    out.write_u8(TC_ENDBLOCKDATA);
    out.write_u8(TC_NULL);
}

fn bad(why: &str) -> Error {
    Error::corrupt("read snapshot properties", why)
}
