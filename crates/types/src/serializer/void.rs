//! Types with one value: `()` (Flink's `VoidSerializer`) and [`VoidNamespace`], the namespace of state outside windows.

use super::{SharedSerializer, StateType, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::key::JavaHash;
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::Result;
use std::sync::Arc;

/// The namespace of keyed state that isn't windowed: Flink's `VoidNamespace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoidNamespace;

impl JavaHash for VoidNamespace {
    #[inline]
    fn java_hash(&self) -> i32 {
        99
    }
}

macro_rules! one_value {
    ($(#[doc = $doc:expr])* $name:ident $t:ty, $class:path, $value:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl TypeSerializer<$t> for $name {
            #[inline]
            fn serialize(&self, _value: &$t, out: &mut DataOutput) -> Result<()> {
                out.write_u8(0);
                Ok(())
            }
            #[inline]
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<$t> {
                input.read_u8()?;
                Ok($value)
            }
            fn snapshot(&self) -> SerializerSnapshot {
                SerializerSnapshot::simple($class)
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                if old.class_name == $class { Compatibility::AsIs } else { mismatch(old, stringify!($t)) }
            }
        }

        impl StateType for $t {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new($name)
            }
        }
    };
}

one_value!(
    /// Flink's `VoidSerializer`: one byte that says nothing, since Java's streams cannot hold an empty value.
    VoidSerializer (), class::VOID, ());
one_value!(
    /// Flink's `VoidNamespaceSerializer`: one byte 0.
    VoidNamespaceSerializer VoidNamespace, class::VOID_NAMESPACE, VoidNamespace);
