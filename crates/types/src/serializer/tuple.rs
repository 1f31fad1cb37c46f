//! Tuples as Flink's `Tuple1` to `Tuple8`: `TupleSerializer`, the fields one after the other with nothing between.

use super::{SharedSerializer, StateType, TypeSerializer, mismatch, parts, parts_to_migrate, read_as};
use crate::data::{DataInput, DataOutput};
use crate::key::JavaHash;
use crate::snapshot::{Compatibility, SerializerSnapshot, SnapshotBody, class};
use millpond_core::Result;
use std::sync::Arc;

/// Flink's `TupleSerializer`. `F` is the tuple of the fields' serializers.
#[derive(Clone, Debug)]
pub struct TupleSerializer<F> {
    fields: F,
}

const OUTER_VERSION: i32 = 2;

impl<F> TupleSerializer<F> {
    /// Tuples whose fields these serializers write, in order: `TupleSerializer::new((i64::serializer(), String::serializer()))`.
    pub fn new(fields: F) -> Self {
        TupleSerializer { fields }
    }
}

/// The tuple's class as the snapshot names it (`writeUTF`): a length in two bytes, then text that is all ASCII.
fn outer(arity: usize) -> Vec<u8> {
    let class = format!("org.apache.flink.api.java.tuple.Tuple{arity}");
    let mut bytes = (class.len() as u16).to_be_bytes().to_vec();
    bytes.extend(class.into_bytes());
    bytes
}

fn is_tuple(old: &SerializerSnapshot, arity: usize) -> bool {
    matches!(&old.body, SnapshotBody::Composite { outer: stored, .. } if *stored == outer(arity))
}

macro_rules! tuples {
    ($($arity:literal ($($T:ident $old:ident $f:tt),+);)*) => {$(
        impl<$($T: 'static),+> TypeSerializer<($($T,)+)> for TupleSerializer<($(SharedSerializer<$T>,)+)> {
            #[inline]
            fn serialize(&self, value: &($($T,)+), out: &mut DataOutput) -> Result<()> {
                $(self.fields.$f.serialize(&value.$f, out)?;)+
                Ok(())
            }
            #[inline]
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<($($T,)+)> {
                Ok(($(self.fields.$f.deserialize(input)?,)+))
            }
            fn snapshot(&self) -> SerializerSnapshot {
                let nested = vec![$(self.fields.$f.snapshot()),+];
                SerializerSnapshot::composite(class::TUPLE, OUTER_VERSION, outer($arity), nested)
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                match parts(old, class::TUPLE) {
                    Some([$($old),+]) if is_tuple(old, $arity) => Compatibility::AsIs
                        $(.and(self.fields.$f.resolve_compatibility($old).within(concat!("tuple field f", $f))))+,
                    _ => mismatch(old, self.snapshot()),
                }
            }
            fn deserialize_migrating(
                &self,
                old: &SerializerSnapshot,
                input: &mut DataInput<'_>,
            ) -> Result<($($T,)+)> {
                let [$($old),+] = parts_to_migrate(old, class::TUPLE)?;
                Ok(($(read_as(&*self.fields.$f, $old, input)?,)+))
            }
        }

        impl<$($T: StateType),+> StateType for ($($T,)+) {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new(TupleSerializer::new(($($T::serializer(),)+)))
            }
        }

        /// As Flink's `TupleN#hashCode`: 31 times the hash so far plus the field's, begun with the first field.
        impl<$($T: JavaHash),+> JavaHash for ($($T,)+) {
            #[inline]
            fn java_hash(&self) -> i32 {
                // Begun with 0, the first field's hash is what stands after the first step.
                let hash = 0i32;
                $(let hash = hash.wrapping_mul(31).wrapping_add(self.$f.java_hash());)+
                hash
            }
        }
    )*};
}

tuples! {
    1 (A oa 0);
    2 (A oa 0, B ob 1);
    3 (A oa 0, B ob 1, C oc 2);
    4 (A oa 0, B ob 1, C oc 2, D od 3);
    5 (A oa 0, B ob 1, C oc 2, D od 3, E oe 4);
    6 (A oa 0, B ob 1, C oc 2, D od 3, E oe 4, F of 5);
    7 (A oa 0, B ob 1, C oc 2, D od 3, E oe 4, F of 5, G og 6);
    8 (A oa 0, B ob 1, C oc 2, D od 3, E oe 4, F of 5, G og 6, H oh 7);
}
