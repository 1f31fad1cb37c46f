//! State with a time to live: what a descriptor says about it ([`StateTtlConfig`]), how it is stored (`TtlValue`), and the
//! wrappers that make a state of stored values a state of user values (Flink's `org.apache.flink.runtime.state.ttl`).
//!
//! The wrappers know no backend: they stand on the access traits of [`crate::keyed::access`], so every backend uses the same
//! ones. Values, reduced values and accumulators are all wrapped around a value state, lists and maps around theirs. What a
//! backend adds is how it cleans up in the background (`TtlCleanup`). Time comes from the clock that the backend was given,
//! and is read once for each access.

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/state-ttl.md")]
mod guide {}

mod aggregating;
mod aware;
mod config;
mod context;
mod list;
mod map;
mod reducing;
mod serializer;
mod value;

pub use config::{
    CleanupStrategies, IncrementalCleanupStrategy, RocksdbCompactFilterCleanupStrategy, StateTtlConfig,
    StateTtlConfigBuilder, StateVisibility, TtlTimeCharacteristic, UpdateType,
};

pub(crate) use aggregating::TtlAggregatingState;
pub(crate) use aware::{TtlAwareSerializer, is_ttl};
pub(crate) use context::{Expiry, TtlCleanup, TtlContext};
pub(crate) use list::TtlListState;
pub(crate) use map::TtlMapState;
pub(crate) use reducing::TtlReducingState;
pub(crate) use serializer::{TtlSerializer, TtlValue};
pub(crate) use value::TtlValueState;
