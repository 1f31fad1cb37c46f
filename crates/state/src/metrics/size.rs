//! States whose keys and values are measured now and then: the bytes that they take serialized. Flink's `MetricsTrackingValueState` and
//! its kin, with their names.

use super::{Histogram, SizeTracking};
use crate::descriptor::{AggregateFunction, StateData};
use crate::keyed::access::{
    AggregatingAccess, EntryVisitor, KeyedAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess,
};
use crate::keyed::{
    AggregatingState, Entry, ListState, Loading, MapKey, MapState, Namespace, ReducingState, ValueState,
};
use millpond_core::Result;
use millpond_types::{DataOutput, SharedSerializer};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What a timestamp takes that a time to live puts before a value.
const TTL_BYTES: u64 = 8;

/// Writes the current key.
pub(crate) type KeyWriter = Rc<dyn Fn(&mut DataOutput) -> Result<()>>;

/// What is measured of one state besides its values.
pub(crate) struct SizeScope<N> {
    pub(crate) state: String,
    /// Whether values have a time to live: a timestamp is stored with each.
    pub(crate) ttl: bool,
    pub(crate) key: KeyWriter,
    pub(crate) namespace: SharedSerializer<N>,
    /// The namespace that is current at first.
    pub(crate) first: N,
}

/// Measures the accesses of one state.
pub(super) struct Scale<N> {
    tracking: SizeTracking,
    prefix: String,
    ttl_bytes: u64,
    key: KeyWriter,
    namespace_serializer: SharedSerializer<N>,
    namespace: RefCell<N>,
    buffer: RefCell<DataOutput>,
}

/// One kind of access: which are measured, and where that goes. Its histograms appear with the first.
#[derive(Default)]
struct Operation {
    until_next: Cell<u32>,
    keys: OnceCell<Arc<Histogram>>,
    values: OnceCell<Arc<Histogram>>,
}

impl<N: Namespace> Scale<N> {
    pub(super) fn new(tracking: SizeTracking, prefix: String, scope: SizeScope<N>) -> Self {
        Scale {
            tracking,
            prefix,
            ttl_bytes: if scope.ttl { TTL_BYTES } else { 0 },
            key: scope.key,
            namespace_serializer: scope.namespace,
            namespace: RefCell::new(scope.first),
            buffer: RefCell::default(),
        }
    }

    /// Whether it is this access's turn.
    fn is_due(&self, operation: &Operation) -> bool {
        let until_next = operation.until_next.get();
        let next = until_next.checked_sub(1);
        operation
            .until_next
            .set(next.unwrap_or(self.tracking.sample_interval.saturating_sub(1)));
        until_next == 0
    }

    /// The bytes that `write` writes.
    fn size(&self, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<u64> {
        let mut buffer = self.buffer.borrow_mut();
        buffer.clear();
        write(&mut buffer)?;
        Ok(buffer.len() as u64)
    }

    fn size_of<T: 'static>(&self, serializer: &SharedSerializer<T>, value: &T) -> Result<u64> {
        Ok(self.ttl_bytes + self.size(|out| serializer.serialize(value, out))?)
    }

    fn histogram<'a>(&self, slot: &'a OnceCell<Arc<Histogram>>, name: &str, what: &str) -> &'a Histogram {
        slot.get_or_init(|| {
            let name = format!("{}.{name}{what}", self.prefix);
            self.tracking.metrics.histogram(name, self.tracking.history_size)
        })
    }

    /// Measures the current key and namespace, and what `more` writes behind them.
    fn note_key(
        &self,
        operation: &Operation,
        name: &str,
        more: impl FnOnce(&mut DataOutput) -> Result<()>,
    ) -> Result<()> {
        let size = self.size(|out| {
            (self.key)(out)?;
            self.namespace_serializer
                .serialize(&self.namespace.borrow(), out)?;
            more(out)
        })?;
        self.histogram(&operation.keys, name, "KeySize").update(size);
        Ok(())
    }

    fn note_value(&self, operation: &Operation, name: &str, size: u64) {
        self.histogram(&operation.values, name, "ValueSize").update(size);
    }
}

/// A state with what measures it. `Z` are the serializers of what it holds. Which of the operations a kind has, its accesses say.
pub(super) struct Measured<S, N, Z> {
    inner: S,
    scale: Scale<N>,
    serializers: Z,
    get: Operation,
    update: Operation,
    add: Operation,
    add_all: Operation,
    put: Operation,
    remove: Operation,
    contains: Operation,
    is_empty: Operation,
    entries: Operation,
}

impl<S, N: Namespace, Z> Measured<S, N, Z> {
    pub(super) fn new(inner: S, scale: Scale<N>, serializers: Z) -> Self {
        Measured {
            inner,
            scale,
            serializers,
            get: Operation::default(),
            update: Operation::default(),
            add: Operation::default(),
            add_all: Operation::default(),
            put: Operation::default(),
            remove: Operation::default(),
            contains: Operation::default(),
            is_empty: Operation::default(),
            entries: Operation::default(),
        }
    }

    /// Runs `access`, which says what the value took that it saw, and notes that with the key if it is its turn.
    fn measure<R>(
        &self,
        operation: &Operation,
        name: &str,
        access: impl FnOnce(Option<&Scale<N>>) -> Result<(R, u64)>,
    ) -> Result<R> {
        if !self.scale.is_due(operation) {
            return access(None).map(|(result, _)| result);
        }
        let (result, size) = access(Some(&self.scale))?;
        self.scale.note_key(operation, name, |_| Ok(()))?;
        self.scale.note_value(operation, name, size);
        Ok(result)
    }

    /// Notes the key, and what `more` writes behind it, if it is the access's turn.
    fn measure_key(
        &self,
        operation: &Operation,
        name: &str,
        more: impl FnOnce(&mut DataOutput) -> Result<()>,
    ) -> Result<()> {
        if self.scale.is_due(operation) {
            self.scale.note_key(operation, name, more)?;
        }
        Ok(())
    }
}

/// What is the same for every kind.
macro_rules! keyed_access {
    ($($state:ty, $serializers:ty, [$($bounds:tt)*];)*) => {$(
        impl<$($bounds)*, N: Namespace> KeyedAccess<N> for Measured<$state, N, $serializers> {
            fn set_current_namespace(&self, namespace: N) -> Result<()> {
                self.inner.set_current_namespace(namespace.clone())?;
                *self.scale.namespace.borrow_mut() = namespace;
                Ok(())
            }
            fn clear(&self) -> Result<()> {
                self.inner.clear()
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
    ValueState<V, N>, SharedSerializer<V>, [V: StateData];
    ListState<T, N>, SharedSerializer<T>, [T: StateData];
    MapState<UK, UV, N>, (SharedSerializer<UK>, SharedSerializer<UV>), [UK: MapKey, UV: StateData];
    ReducingState<T, N>, SharedSerializer<T>, [T: StateData];
    AggregatingState<F, N>, (), [F: AggregateFunction];
}

/// What an optional value takes: nothing where there is none.
fn optional<T: 'static, N: Namespace>(
    scale: Option<&Scale<N>>,
    serializer: &SharedSerializer<T>,
    value: Option<&T>,
) -> Result<u64> {
    match (scale, value) {
        (Some(scale), Some(value)) => scale.size_of(serializer, value),
        _ => Ok(0),
    }
}

/// What some values take together.
fn all<T: 'static, N: Namespace>(
    scale: Option<&Scale<N>>,
    serializer: &SharedSerializer<T>,
    values: &[T],
) -> Result<u64> {
    let sizes = values
        .iter()
        .map(|value| optional(scale, serializer, Some(value)));
    match scale {
        Some(_) => sizes.sum(),
        None => Ok(0),
    }
}

impl<V: StateData, N: Namespace> ValueAccess<V, N> for Measured<ValueState<V, N>, N, SharedSerializer<V>> {
    fn value(&self) -> Result<V> {
        self.measure(&self.get, "valueStateGet", |scale| {
            let value = self.inner.value()?;
            let size = optional(scale, &self.serializers, Some(&value))?;
            Ok((value, size))
        })
    }
    fn get(&self) -> Result<Option<V>> {
        self.measure(&self.get, "valueStateGet", |scale| {
            let value = self.inner.get()?;
            let size = optional(scale, &self.serializers, value.as_ref())?;
            Ok((value, size))
        })
    }
    fn update(&self, value: V) -> Result<()> {
        self.measure(&self.update, "valueStateUpdate", |scale| {
            let size = optional(scale, &self.serializers, Some(&value))?;
            self.inner.update(value)?;
            Ok(((), size))
        })
    }
    fn with(&self, f: &mut dyn FnMut(Option<&V>)) -> Result<()> {
        self.measure(&self.get, "valueStateGet", |scale| {
            let mut size = Ok(0);
            self.inner.with(|value| {
                size = optional(scale, &self.serializers, value);
                f(value);
            })?;
            Ok(((), size?))
        })
    }
    fn modify(&self, f: &mut dyn FnMut(&mut Option<V>)) -> Result<()> {
        self.measure(&self.update, "valueStateUpdate", |scale| {
            let mut size = Ok(0);
            self.inner.modify(|value| {
                f(value);
                size = optional(scale, &self.serializers, value.as_ref());
            })?;
            Ok(((), size?))
        })
    }
}

impl<T: StateData, N: Namespace> ListAccess<T, N> for Measured<ListState<T, N>, N, SharedSerializer<T>> {
    fn add(&self, value: T) -> Result<()> {
        self.measure(&self.add, "listStateAdd", |scale| {
            let size = optional(scale, &self.serializers, Some(&value))?;
            self.inner.add(value)?;
            Ok(((), size))
        })
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        self.measure(&self.add_all, "listStateAddAll", |scale| {
            let size = all(scale, &self.serializers, &values)?;
            self.inner.add_all(values)?;
            Ok(((), size))
        })
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        self.measure(&self.update, "listStateUpdate", |scale| {
            let size = all(scale, &self.serializers, &values)?;
            self.inner.update(values)?;
            Ok(((), size))
        })
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        self.measure(&self.get, "listStateGet", |scale| {
            let mut size = Ok(0);
            self.inner.with(|values| {
                size = all(scale, &self.serializers, values);
                f(values);
            })?;
            Ok(((), size?))
        })
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.inner.merge_namespaces(target, sources)?;
        *self.scale.namespace.borrow_mut() = target.clone();
        Ok(())
    }
}

/// The serializers of a map.
type MapSerializers<UK, UV> = (SharedSerializer<UK>, SharedSerializer<UV>);

impl<UK: MapKey, UV: StateData, N: Namespace> Measured<MapState<UK, UV, N>, N, MapSerializers<UK, UV>> {
    /// Notes an entry: the user key counts as key.
    fn note_entry(&self, operation: &Operation, name: &str, key: &UK, size: u64) -> Result<()> {
        self.scale
            .note_key(operation, name, |out| self.serializers.0.serialize(key, out))?;
        self.scale.note_value(operation, name, size);
        Ok(())
    }

    fn size_of(&self, value: Option<&UV>) -> Result<u64> {
        optional(Some(&self.scale), &self.serializers.1, value)
    }
}

impl<UK: MapKey, UV: StateData, N: Namespace> MapAccess<UK, UV, N>
    for Measured<MapState<UK, UV, N>, N, MapSerializers<UK, UV>>
{
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        let value = self.inner.get(key)?;
        if self.scale.is_due(&self.get) {
            let size = self.size_of(value.as_ref())?;
            self.note_entry(&self.get, "mapStateGet", key, size)?;
        }
        Ok(value)
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        if !self.scale.is_due(&self.get) {
            return self.inner.with(key, f);
        }
        let mut size = Ok(0);
        self.inner.with(key, |value| {
            size = self.size_of(value);
            f(value);
        })?;
        self.note_entry(&self.get, "mapStateGet", key, size?)
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        if self.scale.is_due(&self.put) {
            let size = self.size_of(Some(&value))?;
            self.note_entry(&self.put, "mapStatePut", &key, size)?;
        }
        self.inner.put(key, value)
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        if !self.scale.is_due(&self.put) {
            return self.inner.modify(key, f);
        }
        let mut size = Ok(0);
        self.inner.modify(key.clone(), |value| {
            f(value);
            size = self.size_of(value.as_ref());
        })?;
        self.note_entry(&self.put, "mapStatePut", &key, size?)
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        self.measure_key(&self.remove, "mapStateRemove", |out| {
            self.serializers.0.serialize(key, out)
        })?;
        self.inner.remove(key)
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        self.measure_key(&self.contains, "mapStateContains", |out| {
            self.serializers.0.serialize(key, out)
        })?;
        self.inner.contains(key)
    }
    fn entry_count(&self) -> Result<usize> {
        self.measure_key(&self.is_empty, "mapStateIsEmpty", |_| Ok(()))?;
        self.inner.len()
    }
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        if !self.scale.is_due(&self.entries) {
            return self.inner.visit(visitor);
        }
        let mut noted = Ok(());
        self.inner.for_each(|key, value| {
            if noted.is_ok() {
                let size = self.size_of(Some(value));
                noted = size.and_then(|size| self.note_entry(&self.entries, "mapStateIterator", key, size));
            }
            visitor.entry(key, value);
        })?;
        noted
    }
    fn is_entry_at_hand(&self, key: &UK) -> Result<bool> {
        Entry::of(&self.inner, key).is_at_hand()
    }
    fn want_entry(&self, key: &UK) -> Result<()> {
        Entry::of(&self.inner, key).want()
    }
}

impl<T: StateData, N: Namespace> ReducingAccess<T, N>
    for Measured<ReducingState<T, N>, N, SharedSerializer<T>>
{
    fn add(&self, value: T) -> Result<()> {
        self.measure(&self.add, "reducingStateAdd", |scale| {
            let size = optional(scale, &self.serializers, Some(&value))?;
            self.inner.add(value)?;
            Ok(((), size))
        })
    }
    fn get(&self) -> Result<Option<T>> {
        self.measure(&self.get, "reducingStateGet", |scale| {
            let value = self.inner.get()?;
            let size = optional(scale, &self.serializers, value.as_ref())?;
            Ok((value, size))
        })
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.inner.merge_namespaces(target, sources)?;
        *self.scale.namespace.borrow_mut() = target.clone();
        Ok(())
    }
}

/// Only keys: what goes in and comes out has no serializer, as in Flink.
impl<F: AggregateFunction, N: Namespace> AggregatingAccess<F, N> for Measured<AggregatingState<F, N>, N, ()> {
    fn add(&self, value: F::In) -> Result<()> {
        self.measure_key(&self.add, "aggregatingStateAdd", |_| Ok(()))?;
        self.inner.add(value)
    }
    fn get(&self) -> Result<Option<F::Out>> {
        self.measure_key(&self.get, "aggregatingStateGet", |_| Ok(()))?;
        self.inner.get()
    }
    fn accumulator(&self) -> Result<Option<F::Acc>> {
        self.inner.accumulator()
    }
    fn merge(&self, accumulator: F::Acc) -> Result<()> {
        self.inner.merge(accumulator)
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.inner.merge_namespaces(target, sources)?;
        *self.scale.namespace.borrow_mut() = target.clone();
        Ok(())
    }
}
