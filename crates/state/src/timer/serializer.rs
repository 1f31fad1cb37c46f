//! How a timer is written: Flink's `TimerSerializer` and its snapshot.

use super::element::TimerElement;
use millpond_core::{Error, Result};
use millpond_types::key_group::key_group_for_hash;
use millpond_types::snapshot::{SnapshotBody, class};
use millpond_types::{
    Compatibility, DataInput, DataOutput, KeyGroupRange, SerializerSnapshot, SharedSerializer, StateKey,
};

/// The version of the format of all composite snapshots (`CompositeTypeSerializerSnapshot`).
const VERSION: i32 = 3;
/// The version of what that class writes of its own, which is nothing (`TimerSerializerSnapshot.VERSION`).
const OUTER_VERSION: i32 = 2;

/// Writes timestamp, key and namespace of a timer (Flink's `TimerSerializer`), and knows whose key it is.
#[derive(Debug)]
pub(super) struct TimerSerializer<K, N> {
    pub(super) key: SharedSerializer<K>,
    pub(super) namespace: SharedSerializer<N>,
    /// The key groups of the operator instance.
    pub(super) range: KeyGroupRange,
    pub(super) max_parallelism: u32,
}

impl<K: StateKey, N: 'static> TimerSerializer<K, N> {
    /// The key group of `key`.
    pub(super) fn key_group(&self, key: &K) -> u32 {
        key_group_for_hash(key.java_hash(), self.max_parallelism)
    }

    /// What is stored beside the timers.
    pub(super) fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot {
            class_name: class::TIMER.to_string(),
            version: VERSION,
            body: SnapshotBody::Composite {
                version: OUTER_VERSION,
                outer: Vec::new(),
            },
            nested: vec![self.key.snapshot(), self.namespace.snapshot()],
        }
    }

    /// Whether timers written under `stored` can be taken over byte for byte. Nothing less will do: timers are kept in
    /// the order of their bytes, and a key that is written otherwise is another key.
    pub(super) fn check(&self, stored: &SerializerSnapshot) -> Result<()> {
        let [key, namespace] = stored.nested.as_slice() else {
            return Err(not_timers(stored));
        };
        if stored.class_name != class::TIMER {
            return Err(not_timers(stored));
        }
        same(
            "key",
            || self.key.snapshot(),
            key,
            self.key.resolve_compatibility(key),
        )?;
        same(
            "namespace",
            || self.namespace.snapshot(),
            namespace,
            self.namespace.resolve_compatibility(namespace),
        )
    }

    /// Appends what follows the timestamp.
    pub(super) fn write_tail(&self, key: &K, namespace: &N, out: &mut DataOutput) -> Result<()> {
        self.key.serialize(key, out)?;
        self.namespace.serialize(namespace, out)
    }

    /// Reads what follows the timestamp.
    pub(super) fn read_tail(&self, input: &mut DataInput<'_>) -> Result<(K, N)> {
        Ok((self.key.deserialize(input)?, self.namespace.deserialize(input)?))
    }

    /// Reads one timer from the front of `input`: checks that key and namespace are such, and keeps their bytes.
    pub(super) fn read(&self, input: &mut DataInput<'_>) -> Result<(K, TimerElement)> {
        let timestamp = TimerElement::read_timestamp(input)?;
        let start = input.rest();
        let (key, _) = self.read_tail(input)?;
        let len = start.len().saturating_sub(input.remaining());
        let tail = start.get(..len).unwrap_or_default();
        Ok((key, TimerElement::new(timestamp, tail)))
    }
}

fn not_timers(stored: &SerializerSnapshot) -> Error {
    Error::incompatible("restore timers", "the stored state does not hold timers").with("stored", stored)
}

fn same(
    part: &'static str,
    ours: impl FnOnce() -> SerializerSnapshot,
    stored: &SerializerSnapshot,
    answer: Compatibility,
) -> Result<()> {
    let reason = match answer {
        Compatibility::AsIs => return Ok(()),
        Compatibility::AfterMigration => "it would have to be migrated, and timers cannot be".to_string(),
        Compatibility::Incompatible(reason) => reason,
    };
    Err(Error::incompatible(
        "restore timers",
        format!("the {part} type does not read the stored timers: {reason}"),
    )
    .with("part", part)
    .with("stored", stored)
    .with("expected", ours())
    .hint("keep the type that the snapshot was taken with"))
}
