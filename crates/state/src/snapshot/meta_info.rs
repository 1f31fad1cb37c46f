//! What a snapshot says about a state beside its entries: name, kind, serializers.

use crate::descriptor::StateKind;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, SerializerSnapshot};

/// Option under which the kind of a keyed state is stored.
pub const KEYED_STATE_TYPE: &str = "KEYED_STATE_TYPE";
/// Name of the serializer snapshot of a state's values.
pub const VALUE_SERIALIZER: &str = "VALUE_SERIALIZER";
/// Name of the serializer snapshot of a state's namespaces.
pub const NAMESPACE_SERIALIZER: &str = "NAMESPACE_SERIALIZER";

/// What sort of state it is. Flink's `StateMetaInfoSnapshot.BackendStateType`, whose ordinals are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendStateType {
    /// A keyed state.
    KeyValue,
    /// An operator list state.
    Operator,
    /// A broadcast state.
    Broadcast,
    /// A queue of timers.
    PriorityQueue,
}

/// The description of one state. Flink's `StateMetaInfoSnapshot`, written as version 7 of
/// `StateMetaInfoSnapshotReadersWriters` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMetaInfoSnapshot {
    /// The state's name.
    pub name: String,
    /// What sort of state it is.
    pub state_type: BackendStateType,
    /// Options, in the order in which they are stored.
    pub options: Vec<(String, String)>,
    /// Serializer snapshots by what they are for, in the order in which they are stored.
    pub serializers: Vec<(String, SerializerSnapshot)>,
}

impl StateMetaInfoSnapshot {
    /// The description of a keyed state.
    pub fn key_value(
        name: impl Into<String>,
        kind: StateKind,
        namespace: SerializerSnapshot,
        value: SerializerSnapshot,
    ) -> Self {
        StateMetaInfoSnapshot {
            name: name.into(),
            state_type: BackendStateType::KeyValue,
            options: vec![(KEYED_STATE_TYPE.into(), kind.as_str().into())],
            // The order in which Java's HashMap iterates over these two names.
            serializers: vec![
                (VALUE_SERIALIZER.into(), value),
                (NAMESPACE_SERIALIZER.into(), namespace),
            ],
        }
    }

    /// The description of a queue of timers, whose elements `element` writes.
    pub fn priority_queue(name: impl Into<String>, element: SerializerSnapshot) -> Self {
        StateMetaInfoSnapshot {
            name: name.into(),
            state_type: BackendStateType::PriorityQueue,
            options: Vec::new(),
            serializers: vec![(VALUE_SERIALIZER.into(), element)],
        }
    }

    /// The serializer snapshot stored for `what`.
    ///
    /// # Errors
    /// Corrupt when there is none.
    pub fn serializer(&self, what: &str) -> Result<&SerializerSnapshot> {
        let found = self.serializers.iter().find(|(name, _)| name == what);
        found.map(|(_, s)| s).ok_or_else(|| {
            Error::corrupt("read state description", "a serializer is missing")
                .with("state", &self.name)
                .with("serializer", what)
        })
    }

    /// The kind of a keyed state as it is stored, `None` for other states.
    pub fn kind(&self) -> Option<&str> {
        let found = self.options.iter().find(|(name, _)| name == KEYED_STATE_TYPE);
        found.map(|(_, kind)| kind.as_str())
    }

    /// Appends the description.
    ///
    /// # Errors
    /// Incompatible when a name is longer than the format allows.
    pub fn write(&self, out: &mut DataOutput) -> Result<()> {
        out.write_utf(&self.name)?;
        out.write_i32(match self.state_type {
            BackendStateType::KeyValue => 0,
            BackendStateType::Operator => 1,
            BackendStateType::Broadcast => 2,
            BackendStateType::PriorityQueue => 3,
        });
        out.write_i32(self.options.len() as i32);
        for (key, value) in &self.options {
            out.write_utf(key)?;
            out.write_utf(value)?;
        }
        out.write_i32(self.serializers.len() as i32);
        for (key, snapshot) in &self.serializers {
            out.write_utf(key)?;
            write_serializer(snapshot, out)?;
        }
        Ok(())
    }

    /// Reads a description.
    ///
    /// # Errors
    /// Corrupt when the bytes are not one.
    pub fn read(input: &mut DataInput<'_>) -> Result<Self> {
        let name = input.read_utf()?;
        let state_type = match input.read_i32()? {
            0 => BackendStateType::KeyValue,
            1 => BackendStateType::Operator,
            2 => BackendStateType::Broadcast,
            3 => BackendStateType::PriorityQueue,
            other => {
                return Err(Error::corrupt("read state description", "unknown sort of state")
                    .with("state", name)
                    .with("ordinal", other));
            }
        };
        let mut options = Vec::new();
        for _ in 0..input.read_count(4)? {
            options.push((input.read_utf()?, input.read_utf()?));
        }
        let mut serializers = Vec::new();
        for _ in 0..input.read_count(2)? {
            serializers.push((input.read_utf()?, read_serializer(input)?));
        }
        Ok(StateMetaInfoSnapshot {
            name,
            state_type,
            options,
            serializers,
        })
    }
}

/// The version of the frame around a serializer snapshot (`TypeSerializerSnapshotSerializationUtil`).
const SERIALIZER_FRAME_VERSION: i32 = 2;

/// Appends a serializer snapshot in its frame.
pub(crate) fn write_serializer(snapshot: &SerializerSnapshot, out: &mut DataOutput) -> Result<()> {
    out.write_i32(SERIALIZER_FRAME_VERSION);
    snapshot.write_versioned(out)
}

/// Reads a serializer snapshot in its frame.
pub(crate) fn read_serializer(input: &mut DataInput<'_>) -> Result<SerializerSnapshot> {
    match input.read_i32()? {
        SERIALIZER_FRAME_VERSION => SerializerSnapshot::read_versioned(input),
        version => Err(
            Error::corrupt("read serializer snapshot", "unknown version of its frame")
                .with("version", version),
        ),
    }
}
