//! Options of state, whatever keeps it: which backend does, and what is measured of it.

use super::parsers::{one_of, positive};
use crate::config::parse_bool;

options! {
    STATE_BACKEND: StateBackendKind = "state.backend.type" or "state.backend", Some("hashmap"), state_backend,
        "where keyed state lives: hashmap, or rocksdb in a build with the feature of that name";
    LATENCY_TRACK_ENABLED: bool = "state.latency-track.keyed-state-enabled" or "state.backend.latency-track.keyed-state-enabled", Some("false"), parse_bool,
        "whether accesses to keyed state are timed; it costs each access a little, and those that are timed more";
    LATENCY_TRACK_SAMPLE_INTERVAL: u32 = "state.latency-track.sample-interval" or "state.backend.latency-track.sample-interval", Some("100"), positive,
        "of so many accesses of a kind to a state one is timed";
    LATENCY_TRACK_HISTORY_SIZE: u32 = "state.latency-track.history-size" or "state.backend.latency-track.history-size", Some("128"), positive,
        "from how many of the last timed accesses percentiles are computed";
    LATENCY_TRACK_STATE_NAME_AS_VARIABLE: bool = "state.latency-track.state-name-as-variable" or "state.backend.latency-track.state-name-as-variable", Some("true"), parse_bool,
        "whether metrics of a state are called state_name.NAME.METRIC instead of NAME.METRIC";
    SIZE_TRACK_ENABLED: bool = "state.size-track.keyed-state-enabled", Some("false"), parse_bool,
        "whether keys and values are measured that accesses to keyed state see, and, for state in memory, the number of keys is shown as the last snapshot found it; it costs each access a little, and those that are measured more";
    SIZE_TRACK_SAMPLE_INTERVAL: u32 = "state.size-track.sample-interval", Some("100"), positive,
        "of so many accesses of a kind to a state one is measured";
    SIZE_TRACK_HISTORY_SIZE: u32 = "state.size-track.history-size", Some("128"), positive,
        "from how many of the last measured accesses percentiles are computed";
    SIZE_TRACK_STATE_NAME_AS_VARIABLE: bool = "state.size-track.state-name-as-variable", Some("true"), parse_bool,
        "whether sizes of a state are called state_name.NAME.METRIC instead of NAME.METRIC";
}

/// `state.backend.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateBackendKind {
    /// State as objects in memory. Flink's `HashMapStateBackend`.
    HashMap,
    /// State on local disks in RocksDB. Flink's `EmbeddedRocksDBStateBackend`.
    RocksDB,
}

fn state_backend(text: &str) -> std::result::Result<StateBackendKind, String> {
    one_of(
        text,
        &[
            ("hashmap", StateBackendKind::HashMap),
            ("rocksdb", StateBackendKind::RocksDB),
        ],
    )
}
