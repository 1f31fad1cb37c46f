//! Descriptors: what a function says about a state when it opens it. Flink's `StateDescriptor` and its subclasses.
//!
//! A descriptor names the state and says how its values are written. It knows neither the key nor the backend.

mod aggregating;
mod list;
mod map;
mod reducing;
mod serializer;
mod value;

pub use aggregating::{AggregateFunction, AggregatingStateDescriptor};
pub use list::ListStateDescriptor;
pub use map::MapStateDescriptor;
pub use reducing::{ReduceFunction, ReducingStateDescriptor};
pub use serializer::SerializerSource;
pub use value::ValueStateDescriptor;

/// What a state can hold: a value that can be copied when a snapshot is taken, and moved to the thread that writes it.
pub trait StateData: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> StateData for T {}

/// The kind of a keyed state. Flink's `StateDescriptor.Type`; the names are what snapshots store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateKind {
    /// One value for each key.
    Value,
    /// A list for each key.
    List,
    /// One value for each key, to which others are added by a function.
    Reducing,
    /// One accumulator for each key.
    Aggregating,
    /// A map for each key.
    Map,
}

impl StateKind {
    /// The name under which snapshots store it.
    pub fn as_str(self) -> &'static str {
        match self {
            StateKind::Value => "VALUE",
            StateKind::List => "LIST",
            StateKind::Reducing => "REDUCING",
            StateKind::Aggregating => "AGGREGATING",
            StateKind::Map => "MAP",
        }
    }
}
