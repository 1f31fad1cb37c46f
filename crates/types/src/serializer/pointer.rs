//! `Box<T>` and `Arc<T>`: stored as the `T` that they point to.
//!
//! A backend that hands out copies of its values copies an `Arc` for the price of a counter, which is why a job may want
//! large values in one.

use super::{SharedSerializer, StateType, TypeSerializer};
use crate::data::{DataInput, DataOutput};
use crate::key::JavaHash;
use crate::snapshot::{Compatibility, SerializerSnapshot};
use millpond_core::Result;
use std::sync::Arc;

/// Writes what is pointed to as its own serializer does; the snapshot, too, is that serializer's.
pub struct PointerSerializer<T: 'static> {
    target: SharedSerializer<T>,
}
super::clone_and_debug!(PointerSerializer<T> { target });

impl<T: 'static> PointerSerializer<T> {
    /// Pointers to what `target` writes.
    pub fn new(target: SharedSerializer<T>) -> Self {
        PointerSerializer { target }
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<T: 'static> TypeSerializer<$pointer<T>> for PointerSerializer<T> {
            #[inline]
            fn serialize(&self, value: &$pointer<T>, out: &mut DataOutput) -> Result<()> {
                self.target.serialize(value, out)
            }
            #[inline]
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<$pointer<T>> {
                self.target.deserialize(input).map($pointer::new)
            }
            fn snapshot(&self) -> SerializerSnapshot {
                self.target.snapshot()
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                self.target.resolve_compatibility(old)
            }
            fn deserialize_migrating(
                &self,
                old: &SerializerSnapshot,
                input: &mut DataInput<'_>,
            ) -> Result<$pointer<T>> {
                self.target.deserialize_migrating(old, input).map($pointer::new)
            }
        }

        impl<T: StateType> StateType for $pointer<T> {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new(PointerSerializer::new(T::serializer()))
            }
        }

        impl<T: JavaHash> JavaHash for $pointer<T> {
            #[inline]
            fn java_hash(&self) -> i32 {
                T::java_hash(self)
            }
        }
    )*};
}

pointers!(Box, Arc);
