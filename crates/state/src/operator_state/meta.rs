//! The header of an operator state stream: Flink's `OperatorBackendSerializationProxy`, and what it says about a list state
//! and a broadcast state (`RegisteredOperatorStateBackendMetaInfo`, `RegisteredBroadcastStateBackendMetaInfo`).

use crate::handle::OperatorStateMode;
use crate::snapshot::header::{is_newer, of_newer_flink};
use crate::snapshot::{BackendStateType, StateMetaInfoSnapshot};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, SerializerSnapshot};

pub(super) use crate::snapshot::meta_info::VALUE_SERIALIZER;
/// What the serializer of a map's keys is stored under.
pub(super) const KEY_SERIALIZER: &str = "KEY_SERIALIZER";
/// The option that a state's mode is stored under.
const DISTRIBUTION_MODE: &str = "OPERATOR_STATE_DISTRIBUTION_MODE";
/// `OperatorBackendSerializationProxy.VERSION`.
const VERSION: i32 = 6;
/// The version before, which has no word about compression.
const VERSION_UNCOMPRESSED: i32 = 5;

/// The header: operator list states, then broadcast states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Whether the elements are compressed.
    pub(super) compressed: bool,
    pub(super) lists: Vec<StateMetaInfoSnapshot>,
    pub(super) broadcasts: Vec<StateMetaInfoSnapshot>,
}

/// What is said about a list state.
pub(super) fn list_meta(
    name: &str,
    mode: OperatorStateMode,
    value: SerializerSnapshot,
) -> StateMetaInfoSnapshot {
    StateMetaInfoSnapshot {
        name: name.to_string(),
        state_type: BackendStateType::Operator,
        options: vec![(DISTRIBUTION_MODE.to_string(), mode_name(mode).to_string())],
        serializers: vec![(VALUE_SERIALIZER.to_string(), value)],
    }
}

/// What is said about a broadcast state.
pub(super) fn broadcast_meta(
    name: &str,
    key: SerializerSnapshot,
    value: SerializerSnapshot,
) -> StateMetaInfoSnapshot {
    let mode = mode_name(OperatorStateMode::Broadcast);
    StateMetaInfoSnapshot {
        name: name.to_string(),
        state_type: BackendStateType::Broadcast,
        options: vec![(DISTRIBUTION_MODE.to_string(), mode.to_string())],
        // In the order in which Flink's hash map has the names.
        serializers: vec![
            (VALUE_SERIALIZER.to_string(), value),
            (KEY_SERIALIZER.to_string(), key),
        ],
    }
}

/// The name of a mode in Flink's `OperatorStateHandle.Mode`.
pub(super) fn mode_name(mode: OperatorStateMode) -> &'static str {
    match mode {
        OperatorStateMode::SplitDistribute => "SPLIT_DISTRIBUTE",
        OperatorStateMode::Union => "UNION",
        OperatorStateMode::Broadcast => "BROADCAST",
    }
}

/// How the state that `meta` describes is redistributed.
pub(super) fn mode_of(meta: &StateMetaInfoSnapshot) -> Result<OperatorStateMode> {
    let stored = meta.options.iter().find(|(key, _)| key == DISTRIBUTION_MODE);
    let stored = stored.map(|(_, mode)| mode.as_str()).unwrap_or_default();
    let possible: &[OperatorStateMode] = match meta.state_type {
        BackendStateType::Operator => &[OperatorStateMode::SplitDistribute, OperatorStateMode::Union],
        BackendStateType::Broadcast => &[OperatorStateMode::Broadcast],
        BackendStateType::KeyValue | BackendStateType::PriorityQueue => &[],
    };
    let found = possible.iter().find(|mode| mode_name(**mode) == stored);
    found.copied().ok_or_else(|| {
        Error::corrupt(
            "read operator state",
            "the state has a distribution mode that it cannot have",
        )
        .with("state", &meta.name)
        .with("sort", format!("{:?}", meta.state_type))
        .with("mode", stored)
    })
}

impl Header {
    /// Appends the header.
    pub(super) fn write(&self, out: &mut DataOutput) -> Result<()> {
        out.write_i32(VERSION);
        out.write_bool(self.compressed);
        for states in [&self.lists, &self.broadcasts] {
            let count = i16::try_from(states.len()).map_err(|e| {
                Error::incompatible("snapshot operator state", "more states than the format counts")
                    .with("states", states.len())
                    .source(e)
            })?;
            out.write_u16(count.unsigned_abs());
            states.iter().try_for_each(|state| state.write(out))?;
        }
        Ok(())
    }

    /// Reads the header from the front of `input`.
    pub(super) fn read(input: &mut DataInput<'_>) -> Result<Self> {
        let version = input.read_i32()?;
        if is_newer(version, VERSION) {
            return Err(of_newer_flink("read operator state", version, VERSION));
        }
        if version != VERSION && version != VERSION_UNCOMPRESSED {
            return Err(
                Error::incompatible("read operator state", "the stream has an unknown version")
                    .with("version", version)
                    .with("known", format!("{VERSION_UNCOMPRESSED}, {VERSION}"))
                    .hint("Flink 1.7 and later write streams that can be read"),
            );
        }
        let compressed = version == VERSION && input.read_bool()?;
        let mut states = || -> Result<Vec<_>> {
            let count = input.read_u16()?;
            (0..count)
                .map(|_| {
                    let meta = StateMetaInfoSnapshot::read(input)?;
                    meta.serializer(VALUE_SERIALIZER)?;
                    if meta.state_type == BackendStateType::Broadcast {
                        meta.serializer(KEY_SERIALIZER)?;
                    }
                    Ok(meta)
                })
                .collect()
        };
        Ok(Header {
            compressed,
            lists: states()?,
            broadcasts: states()?,
        })
    }
}
