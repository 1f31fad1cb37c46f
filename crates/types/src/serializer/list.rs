//! `Vec<T>` as Java's `List`: Flink's `ListSerializer`. (`Vec<u8>` is [`bytes`](super::bytes).)

use super::{
    SharedSerializer, StateType, TypeSerializer, capacity_for, mismatch, parts, parts_to_migrate, read_as,
    write_count,
};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::Result;
use std::sync::Arc;

/// Flink's `ListSerializer`: the size as `i32`, then the elements.
pub struct ListSerializer<T: 'static> {
    element: SharedSerializer<T>,
}
super::clone_and_debug!(ListSerializer<T> { element });

const OUTER_VERSION: i32 = 1;

impl<T: 'static> ListSerializer<T> {
    /// Lists of what `element` writes.
    pub fn new(element: SharedSerializer<T>) -> Self {
        ListSerializer { element }
    }

    /// The elements' serializer.
    pub fn element(&self) -> &SharedSerializer<T> {
        &self.element
    }
}

/// Reads a count, then each element with `read`.
pub(super) fn read_list<'a, T>(
    input: &mut DataInput<'a>,
    mut read: impl FnMut(&mut DataInput<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let len = input.read_count(1)?;
    let mut list = Vec::with_capacity(capacity_for::<T>(len, input));
    for _ in 0..len {
        list.push(read(input)?);
    }
    Ok(list)
}

impl<T: 'static> TypeSerializer<Vec<T>> for ListSerializer<T> {
    fn serialize(&self, value: &Vec<T>, out: &mut DataOutput) -> Result<()> {
        write_count(value.len(), out)?;
        value
            .iter()
            .try_for_each(|element| self.element.serialize(element, out))
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<Vec<T>> {
        read_list(input, |input| self.element.deserialize(input))
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::composite(
            class::LIST,
            OUTER_VERSION,
            Vec::new(),
            vec![self.element.snapshot()],
        )
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        match parts(old, class::LIST) {
            Some([element]) => self.element.resolve_compatibility(element).within("list element"),
            None => mismatch(old, self.snapshot()),
        }
    }
    fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<Vec<T>> {
        let [element] = parts_to_migrate(old, class::LIST)?;
        read_list(input, |input| read_as(&*self.element, element, input))
    }
}

impl<T: StateType> StateType for Vec<T> {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(ListSerializer::new(T::serializer()))
    }
}
