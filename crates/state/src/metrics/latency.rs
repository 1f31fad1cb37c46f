//! States whose accesses are timed now and then. Flink's `MetricsTrackingValueState` and its kin, with their names.

use super::{Histogram, LatencyTracking};
use crate::descriptor::{AggregateFunction, StateData};
use crate::keyed::access::{
    AggregatingAccess, EntryVisitor, KeyedAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess,
};
use crate::keyed::{
    AggregatingState, Entry, ListState, Loading, MapKey, MapState, Namespace, ReducingState, ValueState,
};
use millpond_core::Result;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

/// Times accesses of one state.
pub(super) struct Tracker {
    tracking: LatencyTracking,
    prefix: String,
}

/// One kind of access: which are timed, and where that goes. Its histogram appears with the first.
#[derive(Default)]
struct Operation {
    until_next: Cell<u32>,
    histogram: OnceCell<Arc<Histogram>>,
}

impl Tracker {
    pub(super) fn new(tracking: LatencyTracking, prefix: String) -> Self {
        Tracker { tracking, prefix }
    }

    /// Runs `access`, and times it if it is its turn.
    fn time<R>(&self, operation: &Operation, name: &str, access: impl FnOnce() -> R) -> R {
        let until_next = operation.until_next.get();
        if until_next > 0 {
            operation.until_next.set(until_next - 1);
            return access();
        }
        operation
            .until_next
            .set(self.tracking.sample_interval.saturating_sub(1));
        let start = self.tracking.clock.monotonic_nanos();
        let result = access();
        let taken = self.tracking.clock.monotonic_nanos().saturating_sub(start);
        let histogram = operation.histogram.get_or_init(|| {
            let tracking = &self.tracking;
            let name = format!("{}.{name}", self.prefix);
            tracking.metrics.histogram(name, tracking.history_size)
        });
        histogram.update(taken);
        result
    }
}

/// A state with what times it. Which of the operations a kind has, its accesses say.
pub(super) struct Tracked<S> {
    inner: S,
    tracker: Rc<Tracker>,
    clear: Operation,
    get: Operation,
    update: Operation,
    add: Operation,
    add_all: Operation,
    put: Operation,
    remove: Operation,
    contains: Operation,
    is_empty: Operation,
    entries: Operation,
    merge: Operation,
}

impl<S> Tracked<S> {
    pub(super) fn new(inner: S, tracker: Rc<Tracker>) -> Self {
        Tracked {
            inner,
            tracker,
            clear: Operation::default(),
            get: Operation::default(),
            update: Operation::default(),
            add: Operation::default(),
            add_all: Operation::default(),
            put: Operation::default(),
            remove: Operation::default(),
            contains: Operation::default(),
            is_empty: Operation::default(),
            entries: Operation::default(),
            merge: Operation::default(),
        }
    }
}

/// What is the same for every kind.
macro_rules! keyed_access {
    ($($state:ty, [$($bounds:tt)*];)*) => {$(
        impl<$($bounds)*, N: Namespace> KeyedAccess<N> for Tracked<$state> {
            fn set_current_namespace(&self, namespace: N) -> Result<()> {
                self.inner.set_current_namespace(namespace)
            }
            fn clear(&self) -> Result<()> {
                self.tracker.time(&self.clear, "stateClearLatency", || self.inner.clear())
            }
            fn is_at_hand(&self) -> Result<bool> {
                self.inner.is_at_hand()
            }
            fn want(&self) -> Result<()> {
                self.inner.want()
            }
            fn load_wanted(&self) -> Result<()> {
                self.inner.load_wanted()
            }
            fn forget_loaded(&self) {
                self.inner.forget_loaded();
            }
        }
    )*};
}
keyed_access! {
    ValueState<V, N>, [V: StateData];
    ListState<T, N>, [T: StateData];
    MapState<UK, UV, N>, [UK: MapKey, UV: StateData];
    ReducingState<T, N>, [T: StateData];
    AggregatingState<F, N>, [F: AggregateFunction];
}

impl<V: StateData, N: Namespace> ValueAccess<V, N> for Tracked<ValueState<V, N>> {
    fn value(&self) -> Result<V> {
        self.tracker
            .time(&self.get, "valueStateGetLatency", || self.inner.value())
    }
    fn get(&self) -> Result<Option<V>> {
        self.tracker
            .time(&self.get, "valueStateGetLatency", || self.inner.get())
    }
    fn update(&self, value: V) -> Result<()> {
        self.tracker.time(&self.update, "valueStateUpdateLatency", || {
            self.inner.update(value)
        })
    }
    fn with(&self, f: &mut dyn FnMut(Option<&V>)) -> Result<()> {
        self.tracker
            .time(&self.get, "valueStateGetLatency", || self.inner.with(f))
    }
    fn modify(&self, f: &mut dyn FnMut(&mut Option<V>)) -> Result<()> {
        self.tracker
            .time(&self.update, "valueStateUpdateLatency", || self.inner.modify(f))
    }
}

impl<T: StateData, N: Namespace> ListAccess<T, N> for Tracked<ListState<T, N>> {
    fn add(&self, value: T) -> Result<()> {
        self.tracker
            .time(&self.add, "listStateAddLatency", || self.inner.add(value))
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        self.tracker.time(&self.add_all, "listStateAddAllLatency", || {
            self.inner.add_all(values)
        })
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        self.tracker.time(&self.update, "listStateUpdateLatency", || {
            self.inner.update(values)
        })
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        self.tracker
            .time(&self.get, "listStateGetLatency", || self.inner.with(f))
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.tracker
            .time(&self.merge, "listStateMergeNamespacesLatency", || {
                self.inner.merge_namespaces(target, sources)
            })
    }
}

impl<UK: MapKey, UV: StateData, N: Namespace> MapAccess<UK, UV, N> for Tracked<MapState<UK, UV, N>> {
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        self.tracker
            .time(&self.get, "mapStateGetLatency", || self.inner.get(key))
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        self.tracker
            .time(&self.get, "mapStateGetLatency", || self.inner.with(key, f))
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        self.tracker
            .time(&self.put, "mapStatePutLatency", || self.inner.put(key, value))
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        self.tracker
            .time(&self.put, "mapStatePutLatency", || self.inner.modify(key, f))
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        self.tracker
            .time(&self.remove, "mapStateRemoveLatency", || self.inner.remove(key))
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        self.tracker.time(&self.contains, "mapStateContainsLatency", || {
            self.inner.contains(key)
        })
    }
    fn entry_count(&self) -> Result<usize> {
        self.tracker
            .time(&self.is_empty, "mapStateIsEmptyLatency", || self.inner.len())
    }
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        self.tracker
            .time(&self.entries, "mapStateEntriesInitLatency", || {
                self.inner.visit(visitor)
            })
    }
    fn is_entry_at_hand(&self, key: &UK) -> Result<bool> {
        Entry::of(&self.inner, key).is_at_hand()
    }
    fn want_entry(&self, key: &UK) -> Result<()> {
        Entry::of(&self.inner, key).want()
    }
}

impl<T: StateData, N: Namespace> ReducingAccess<T, N> for Tracked<ReducingState<T, N>> {
    fn add(&self, value: T) -> Result<()> {
        self.tracker
            .time(&self.add, "reducingStateAddLatency", || self.inner.add(value))
    }
    fn get(&self) -> Result<Option<T>> {
        self.tracker
            .time(&self.get, "reducingStateGetLatency", || self.inner.get())
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.tracker
            .time(&self.merge, "reducingStateMergeNamespacesLatency", || {
                self.inner.merge_namespaces(target, sources)
            })
    }
}

impl<F: AggregateFunction, N: Namespace> AggregatingAccess<F, N> for Tracked<AggregatingState<F, N>> {
    fn add(&self, value: F::In) -> Result<()> {
        self.tracker
            .time(&self.add, "aggregatingStateAddLatency", || self.inner.add(value))
    }
    fn get(&self) -> Result<Option<F::Out>> {
        self.tracker
            .time(&self.get, "aggregatingStateGetLatency", || self.inner.get())
    }
    fn accumulator(&self) -> Result<Option<F::Acc>> {
        self.inner.accumulator()
    }
    fn merge(&self, accumulator: F::Acc) -> Result<()> {
        self.inner.merge(accumulator)
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.tracker
            .time(&self.merge, "aggregatingStateMergeNamespacesLatency", || {
                self.inner.merge_namespaces(target, sources)
            })
    }
}
