//! A value with the time of its last access, and how the two are stored: Flink's `TtlValue` and `TtlStateFactory.TtlSerializer`.

use super::aware::ttl_parts;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_types::serializer::read_as;
use millpond_types::snapshot::class;
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerializerSnapshot, SharedSerializer, SnapshotBody, StateType,
    TypeSerializer,
};
use std::fmt;
use std::sync::Arc;

/// A value of a state with a time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TtlValue<T> {
    /// When its life last began, in milliseconds of processing time.
    pub(crate) timestamp: i64,
    pub(crate) value: T,
}

/// The timestamp as a `long`, then the value.
///
/// It reads values that were stored without a timestamp, too: their life begins when they are read (Flink's
/// `TtlAwareSerializer`).
pub(crate) struct TtlSerializer<T> {
    value: SharedSerializer<T>,
    clock: Arc<dyn Clock>,
}

/// The version of what `TtlSerializerSnapshot` writes of its own, which is nothing.
const OUTER_VERSION: i32 = 2;
/// The version of every composite snapshot.
const COMPOSITE_VERSION: i32 = 3;

impl<T: 'static> TtlSerializer<T> {
    /// Values that `value` writes; `clock` says when those begin to live that were stored without a timestamp.
    pub(crate) fn shared(value: SharedSerializer<T>, clock: Arc<dyn Clock>) -> SharedSerializer<TtlValue<T>>
    where
        T: Send + Sync,
    {
        Arc::new(TtlSerializer { value, clock })
    }
}

impl<T> fmt::Debug for TtlSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TtlSerializer").field(&self.value).finish()
    }
}

impl<T: 'static> TypeSerializer<TtlValue<T>> for TtlSerializer<T> {
    fn serialize(&self, value: &TtlValue<T>, out: &mut DataOutput) -> Result<()> {
        out.write_i64(value.timestamp);
        self.value.serialize(&value.value, out)
    }

    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<TtlValue<T>> {
        Ok(TtlValue {
            timestamp: input.read_i64()?,
            value: self.value.deserialize(input)?,
        })
    }

    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot {
            class_name: class::TTL.to_owned(),
            version: COMPOSITE_VERSION,
            body: SnapshotBody::Composite {
                version: OUTER_VERSION,
                outer: Vec::new(),
            },
            nested: vec![i64::serializer().snapshot(), self.value.snapshot()],
        }
    }

    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        match ttl_parts(old) {
            Some([timestamp, value]) => i64::serializer()
                .resolve_compatibility(timestamp)
                .within("timestamp")
                .and(self.value.resolve_compatibility(value)),
            None => self
                .value
                .resolve_compatibility(old)
                .and(Compatibility::AfterMigration),
        }
    }

    fn deserialize_migrating(
        &self,
        old: &SerializerSnapshot,
        input: &mut DataInput<'_>,
    ) -> Result<TtlValue<T>> {
        match ttl_parts(old) {
            Some([_, value]) => Ok(TtlValue {
                timestamp: input.read_i64()?,
                value: read_as(&*self.value, value, input)?,
            }),
            None => Ok(TtlValue {
                timestamp: self.clock.now_ms(),
                value: read_as(&*self.value, old, input)?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::aware::TtlAwareSerializer;
    use super::*;
    use millpond_core::host::ManualClock;

    /// `TypeSerializerSnapshot.writeVersionedSnapshot` of a `TtlSerializer` of strings, as Flink 2.3.0 wrote it.
    const FLINK_SNAPSHOT: &str = "00486f72672e6170616368652e666c696e6b2e72756e74696d652e73746174652e74746c2e54746c5374617465466163\
        746f72792454746c53657269616c697a6572536e617073686f7400000003000de70400000002001457fd000000010000\
        000200506f72672e6170616368652e666c696e6b2e6170692e636f6d6d6f6e2e747970657574696c732e626173652e4c\
        6f6e6753657269616c697a6572244c6f6e6753657269616c697a6572536e617073686f740000000300546f72672e6170\
        616368652e666c696e6b2e6170692e636f6d6d6f6e2e747970657574696c732e626173652e537472696e675365726961\
        6c697a657224537472696e6753657269616c697a6572536e617073686f7400000003";
    /// `new TtlValue<>("ab", 1700000000123L)`, as Flink 2.3.0 wrote it.
    const FLINK_VALUE: &str = "0000018bcfe5687b036162";

    fn unhex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2).map(|d| std::str::from_utf8(d).unwrap());
        digits.map(|d| u8::from_str_radix(d, 16).unwrap()).collect()
    }

    fn serializer(now_ms: i64) -> SharedSerializer<TtlValue<String>> {
        TtlSerializer::shared(String::serializer(), ManualClock::new(now_ms))
    }

    #[test]
    fn values_and_snapshots_are_flinks_byte_by_byte() {
        // Goal: savepoints with times to live go both ways. Method: bytes that Flink wrote, written again and read.
        let s = serializer(0);
        let mut out = DataOutput::new();
        s.snapshot().write_versioned(&mut out).unwrap();
        assert_eq!(out.as_slice(), unhex(FLINK_SNAPSHOT));
        let stored = unhex(FLINK_SNAPSHOT);
        let stored = SerializerSnapshot::read_versioned(&mut DataInput::new(&stored)).unwrap();
        assert_eq!(s.resolve_compatibility(&stored), Compatibility::AsIs);
        let bytes = unhex(FLINK_VALUE);
        let value = s.deserialize(&mut DataInput::new(&bytes)).unwrap();
        assert_eq!((value.timestamp, value.value.as_str()), (1_700_000_000_123, "ab"));
        let mut out = DataOutput::new();
        s.serialize(&value, &mut out).unwrap();
        assert_eq!(out.as_slice(), bytes);
    }

    #[test]
    fn a_time_to_live_comes_and_goes_by_migration() {
        // Goal: Flink's `TtlAwareSerializer` both ways, and a refusal where the values themselves don't fit.
        // Method: each serializer reads what the other one wrote.
        let (timed, plain) = (serializer(77), TtlAwareSerializer::shared(String::serializer()));
        assert_eq!(
            timed.resolve_compatibility(&plain.snapshot()),
            Compatibility::AfterMigration
        );
        assert_eq!(
            plain.resolve_compatibility(&timed.snapshot()),
            Compatibility::AfterMigration
        );
        assert_eq!(
            plain.resolve_compatibility(&plain.snapshot()),
            Compatibility::AsIs
        );
        let mut out = DataOutput::new();
        plain.serialize(&"x".to_owned(), &mut out).unwrap();
        let read = timed.deserialize_migrating(&plain.snapshot(), &mut DataInput::new(out.as_slice()));
        assert_eq!(
            read.unwrap(),
            TtlValue {
                timestamp: 77,
                value: "x".to_owned()
            }
        );
        let bytes = unhex(FLINK_VALUE);
        let read = plain.deserialize_migrating(&timed.snapshot(), &mut DataInput::new(&bytes));
        assert_eq!(read.unwrap(), "ab");
        let cut = plain.deserialize_migrating(&timed.snapshot(), &mut DataInput::new(&[0; 7]));
        assert_eq!(cut.unwrap_err().kind(), millpond_core::ErrorKind::Corrupt);

        let numbers = TtlSerializer::shared(i64::serializer(), ManualClock::new(0));
        for stored in [timed.snapshot(), plain.snapshot()] {
            let answer = numbers.resolve_compatibility(&stored);
            assert!(matches!(answer, Compatibility::Incompatible(_)), "{answer:?}");
        }
    }

    #[test]
    fn a_value_that_evolves_keeps_its_timestamp() {
        // Goal: the evolution of the value works inside a time to live. Method: what was a string becomes an option of one.
        let (old, new) = (
            serializer(0),
            TtlSerializer::shared(Option::<String>::serializer(), ManualClock::new(5)),
        );
        assert_eq!(
            new.resolve_compatibility(&old.snapshot()),
            Compatibility::AfterMigration
        );
        let bytes = unhex(FLINK_VALUE);
        let read = new
            .deserialize_migrating(&old.snapshot(), &mut DataInput::new(&bytes))
            .unwrap();
        assert_eq!(
            read,
            TtlValue {
                timestamp: 1_700_000_000_123,
                value: Some("ab".to_owned())
            }
        );
    }
}
