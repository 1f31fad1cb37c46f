//! Sets as Java's `Set`: Flink's `SetSerializer` (since Flink 2.0).
//!
//! Each element has a null flag, unlike a list's; a null element is refused. An element that comes twice, which only
//! damaged data can hold, counts once.

use super::list::read_list;
use super::map::refuse_null;
use super::{
    SharedSerializer, StateType, TypeSerializer, mismatch, parts, parts_to_migrate, read_as, write_count,
};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::Result;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// Flink's `SetSerializer`: the size as `i32`, then for each element a null flag and the element.
pub struct SetSerializer<T: 'static> {
    element: SharedSerializer<T>,
}
super::clone_and_debug!(SetSerializer<T> { element });

const OUTER_VERSION: i32 = 1;

impl<T: 'static> SetSerializer<T> {
    /// Sets of what `element` writes.
    pub fn new(element: SharedSerializer<T>) -> Self {
        SetSerializer { element }
    }

    fn write<'a>(&self, elements: impl ExactSizeIterator<Item = &'a T>, out: &mut DataOutput) -> Result<()> {
        write_count(elements.len(), out)?;
        for element in elements {
            out.write_bool(false);
            self.element.serialize(element, out)?;
        }
        Ok(())
    }
}

macro_rules! sets {
    ($($set:ty, [$($bounds:tt)*], [$($type_bounds:tt)*];)*) => {$(
        impl<$($bounds)*> TypeSerializer<$set> for SetSerializer<T> {
            fn serialize(&self, value: &$set, out: &mut DataOutput) -> Result<()> {
                self.write(value.iter(), out)
            }
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<$set> {
                let elements = read_list(input, |input| {
                    refuse_null(input)?;
                    self.element.deserialize(input)
                });
                Ok(elements?.into_iter().collect())
            }
            fn snapshot(&self) -> SerializerSnapshot {
                SerializerSnapshot::composite(class::SET, OUTER_VERSION, Vec::new(), vec![self.element.snapshot()])
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                match parts(old, class::SET) {
                    Some([element]) => self.element.resolve_compatibility(element).within("set element"),
                    None => mismatch(old, <Self as TypeSerializer<$set>>::snapshot(self)),
                }
            }
            fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<$set> {
                let [element] = parts_to_migrate(old, class::SET)?;
                let elements = read_list(input, |input| {
                    refuse_null(input)?;
                    read_as(&*self.element, element, input)
                });
                Ok(elements?.into_iter().collect())
            }
        }

        impl<$($type_bounds)*> StateType for $set {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new(SetSerializer::new(T::serializer()))
            }
        }
    )*};
}

sets! {
    HashSet<T, S>, [T: Hash + Eq + 'static, S: BuildHasher + Default + 'static],
        [T: StateType + Hash + Eq, S: BuildHasher + Default + Clone + Send + Sync + 'static];
    BTreeSet<T>, [T: Ord + 'static], [T: StateType + Ord];
}
