//! What asynchronous access asks of a handle before it uses it: whether a read would wait, and to load what many will read.

use super::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState, opened};
use crate::descriptor::{AggregateFunction, StateData};
use millpond_core::Result;

/// Something that is read under the current key. See [`super::access::KeyedAccess::is_at_hand`] and what follows it.
pub(crate) trait Loading {
    /// Whether a read would not wait for storage.
    fn is_at_hand(&self) -> Result<bool>;
    /// Notes that it will be read.
    fn want(&self) -> Result<()>;
    /// Loads what was noted.
    fn load_wanted(&self) -> Result<()>;
    /// Lets go of what was loaded.
    fn forget_loaded(&self);
}

/// One entry of a map state.
pub(crate) struct Entry<UK, UV, N> {
    pub(crate) map: MapState<UK, UV, N>,
    pub(crate) key: UK,
}

impl<UK: Clone, UV, N> Entry<UK, UV, N> {
    /// The entry of `key` in `map`.
    pub(crate) fn of(map: &MapState<UK, UV, N>, key: &UK) -> Self {
        Entry {
            map: map.clone(),
            key: key.clone(),
        }
    }
}

macro_rules! loading {
    ($($state:ty, [$($bounds:tt)*];)*) => {$(
        impl<$($bounds)*, N: Namespace> Loading for $state {
            #[inline]
            fn is_at_hand(&self) -> Result<bool> {
                opened(&self.0)?.is_at_hand()
            }
            fn want(&self) -> Result<()> {
                opened(&self.0)?.want()
            }
            fn load_wanted(&self) -> Result<()> {
                opened(&self.0)?.load_wanted()
            }
            fn forget_loaded(&self) {
                if let Some(access) = &self.0 {
                    access.forget_loaded();
                }
            }
        }
    )*};
}
loading! {
    ValueState<V, N>, [V: StateData];
    ListState<T, N>, [T: StateData];
    MapState<UK, UV, N>, [UK: MapKey, UV: StateData];
    ReducingState<T, N>, [T: StateData];
    AggregatingState<F, N>, [F: AggregateFunction];
}

impl<UK: MapKey, UV: StateData, N: Namespace> Loading for Entry<UK, UV, N> {
    #[inline]
    fn is_at_hand(&self) -> Result<bool> {
        opened(&self.map.0)?.is_entry_at_hand(&self.key)
    }
    fn want(&self) -> Result<()> {
        opened(&self.map.0)?.want_entry(&self.key)
    }
    fn load_wanted(&self) -> Result<()> {
        self.map.load_wanted()
    }
    fn forget_loaded(&self) {
        self.map.forget_loaded();
    }
}
