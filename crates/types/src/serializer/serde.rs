//! Types that only have serde: postcard behind a length, under a name that only Rust knows.
//!
//! It is never chosen by itself. Postcard describes nothing: a reader that expects other fields reads nonsense, or
//! fails. So a job names this serializer (in the registry, in a descriptor, with `#[state_type(serde)]` on a field),
//! and gives a changed type another [version](SerdeSerializer::version), which refuses what was stored before.

use super::{SharedSerializer, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Writes a value with serde and postcard: the length as `i32`, then postcard's bytes.
///
/// ```
/// use millpond_types::serializer::serde::SerdeSerializer;
/// use millpond_types::{DataInput, DataOutput, TypeSerializer};
/// use std::net::IpAddr;
///
/// let serializer = SerdeSerializer::<IpAddr>::new();
/// let mut out = DataOutput::new();
/// serializer.serialize(&IpAddr::from([127, 0, 0, 1]), &mut out)?;
/// assert_eq!(serializer.deserialize(&mut DataInput::new(out.as_slice()))?, IpAddr::from([127, 0, 0, 1]));
/// # Ok::<(), millpond_types::Error>(())
/// ```
pub struct SerdeSerializer<T> {
    name: String,
    version: i32,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + 'static> SerdeSerializer<T> {
    /// A serializer whose stored name is the path of the Rust type, in version 1.
    ///
    /// The path changes when the type moves to another module; give it a name of its own with
    /// [`SerdeSerializer::named`] where state outlives the code's layout.
    pub fn new() -> Self {
        Self::named(std::any::type_name::<T>())
    }

    /// A serializer with this stored name, in version 1.
    pub fn named(name: impl Into<String>) -> Self {
        SerdeSerializer {
            name: name.into(),
            version: 1,
            value: PhantomData,
        }
    }

    /// Another version of the type's fields. Values stored in a different version are refused, since postcard's bytes
    /// would be read wrongly without notice.
    #[must_use]
    pub fn version(self, version: i32) -> Self {
        SerdeSerializer { version, ..self }
    }

    /// The serializer, to be shared.
    pub fn shared() -> SharedSerializer<T> {
        Arc::new(Self::new())
    }

    fn class_name(&self) -> String {
        format!("{}{}", class::SERDE_PREFIX, self.name)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Default for SerdeSerializer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SerdeSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerdeSerializer({} version {})", self.name, self.version)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> TypeSerializer<T> for SerdeSerializer<T> {
    fn serialize(&self, value: &T, out: &mut DataOutput) -> Result<()> {
        let start = out.len();
        out.write_i32(0);
        postcard::serialize_with_flavor(value, Append(out)).map_err(|e| {
            Error::incompatible("write value", "serde cannot write it")
                .with("type", &self.name)
                .source(e)
        })?;
        let len = i32::try_from(out.len() - start - size_of::<i32>()).map_err(|e| {
            Error::incompatible("write value", "longer than 2 GiB")
                .with("type", &self.name)
                .source(e)
        })?;
        if let Some(slot) = out
            .as_mut_slice()
            .get_mut(start..)
            .and_then(|s| s.first_chunk_mut())
        {
            *slot = len.to_be_bytes();
        }
        Ok(())
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<T> {
        let offset = input.position();
        let len = input.read_count(1)?;
        let bytes = input.read_bytes(len)?;
        let corrupt = |message: &str| {
            Error::corrupt("read value", message)
                .with("type", &self.name)
                .with("offset", offset)
        };
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(corrupt("bytes are left after the value").with("left", rest.len())),
            Err(e) => Err(corrupt("serde cannot read it").source(e)),
        }
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot {
            version: self.version,
            ..SerializerSnapshot::simple(self.class_name())
        }
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if old.class_name != self.class_name() {
            return mismatch(old, &self.name);
        }
        if old.version != self.version {
            return Compatibility::Incompatible(format!(
                "{}: stored in version {}, the type is in version {}",
                self.name, old.version, self.version
            ));
        }
        Compatibility::AsIs
    }
}

/// Lets postcard append to the buffer that is there.
struct Append<'a>(&'a mut DataOutput);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.write_u8(data);
        Ok(())
    }
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.write_bytes(data);
        Ok(())
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
