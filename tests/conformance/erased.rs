//! States of any type of value that are one Rust type underneath.
//!
//! Each type that a state is opened with costs a copy of every backend's code. Here a value is an [`Erased`] one, whose
//! serializer ([`ErasedSerializer`]) is the type's own; [`Value`], [`List`], [`Map`], [`Reducing`] and [`Aggregating`] put the
//! type back on. The backends see the bytes, snapshots and judgements of the real type, and are compiled once.

use millpond_core::Result;
use millpond_state::descriptor::{AggregateFunction, ReduceFunction, StateData};
use millpond_state::keyed::{
    AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState,
};
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerializerSnapshot, SharedSerializer, StateType, TypeSerializer,
    VoidNamespace,
};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

/// A value of some type.
pub type Erased = Arc<dyn Any + Send + Sync>;

/// Hides the type of a value.
pub fn erase<T: StateData>(value: T) -> Erased {
    Arc::new(value)
}

/// The value, of the type that it was made from.
pub fn reveal<T: StateData>(value: &Erased) -> T {
    value.downcast_ref::<T>().unwrap().clone()
}

/// Writes values of `T` by the serializer of `T`.
pub struct ErasedSerializer<T: 'static>(pub SharedSerializer<T>);

impl<T> fmt::Debug for ErasedSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: StateData + StateType> ErasedSerializer<T> {
    pub fn shared() -> SharedSerializer<Erased> {
        Arc::new(ErasedSerializer(T::serializer()))
    }
}

impl<T: StateData> TypeSerializer<Erased> for ErasedSerializer<T> {
    fn serialize(&self, value: &Erased, out: &mut DataOutput) -> Result<()> {
        self.0.serialize(value.downcast_ref().unwrap(), out)
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<Erased> {
        self.0.deserialize(input).map(erase)
    }
    fn snapshot(&self) -> SerializerSnapshot {
        self.0.snapshot()
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        self.0.resolve_compatibility(old)
    }
    fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<Erased> {
        self.0.deserialize_migrating(old, input).map(erase)
    }
}

/// Shows a slot of erased values as one of `T`.
fn lend<T: StateData, R>(slot: &mut Option<Erased>, f: impl FnOnce(&mut Option<T>) -> R) -> R {
    let mut typed = slot.as_ref().map(reveal);
    let out = f(&mut typed);
    *slot = typed.map(erase);
    out
}

/// A value state of `V`.
#[derive(Clone, Debug)]
pub struct Value<V, N: 'static = VoidNamespace>(ValueState<Erased, N>, PhantomData<V>);

impl<V: StateData, N: Namespace> Value<V, N> {
    pub fn new(state: ValueState<Erased, N>) -> Self {
        Value(state, PhantomData)
    }
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.0.set_current_namespace(namespace)
    }
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }
    pub fn value(&self) -> Result<V> {
        self.0.value().map(|v| reveal(&v))
    }
    pub fn get(&self) -> Result<Option<V>> {
        Ok(self.0.get()?.as_ref().map(reveal))
    }
    pub fn update(&self, value: V) -> Result<()> {
        self.0.update(erase(value))
    }
    pub fn with<R>(&self, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        self.0.with(|v| f(v.and_then(|v| v.downcast_ref())))
    }
    pub fn modify<R>(&self, f: impl FnOnce(&mut Option<V>) -> R) -> Result<R> {
        self.0.modify(|slot| lend(slot, f))
    }
}

/// A list state of `T`.
#[derive(Clone, Debug)]
pub struct List<T, N: 'static = VoidNamespace>(ListState<Erased, N>, PhantomData<T>);

impl<T: StateData, N: Namespace> List<T, N> {
    pub fn new(state: ListState<Erased, N>) -> Self {
        List(state, PhantomData)
    }
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.0.set_current_namespace(namespace)
    }
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }
    pub fn add(&self, value: T) -> Result<()> {
        self.0.add(erase(value))
    }
    pub fn add_all(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        self.0.add_all(values.into_iter().map(erase))
    }
    pub fn update(&self, values: Vec<T>) -> Result<()> {
        self.0.update(values.into_iter().map(erase).collect())
    }
    pub fn get(&self) -> Result<Vec<T>> {
        Ok(self.0.get()?.iter().map(reveal).collect())
    }
    pub fn with<R>(&self, f: impl FnOnce(&[T]) -> R) -> Result<R> {
        self.0
            .with(|list| f(&list.iter().map(reveal).collect::<Vec<_>>()))
    }
    pub fn for_each(&self, mut f: impl FnMut(&T)) -> Result<()> {
        self.0.for_each(|value| f(&reveal(value)))
    }
    pub fn is_empty(&self) -> Result<bool> {
        self.0.is_empty()
    }
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.0.merge_namespaces(target, sources)
    }
}

/// A map state of `UK` and `UV`.
#[derive(Clone, Debug)]
pub struct Map<UK, UV, N: 'static = VoidNamespace>(MapState<UK, Erased, N>, PhantomData<UV>);

impl<UK: MapKey, UV: StateData, N: Namespace> Map<UK, UV, N> {
    pub fn new(state: MapState<UK, Erased, N>) -> Self {
        Map(state, PhantomData)
    }
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.0.set_current_namespace(namespace)
    }
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }
    pub fn get(&self, key: &UK) -> Result<Option<UV>> {
        Ok(self.0.get(key)?.as_ref().map(reveal))
    }
    pub fn with<R>(&self, key: &UK, f: impl FnOnce(Option<&UV>) -> R) -> Result<R> {
        self.0.with(key, |v| f(v.and_then(|v| v.downcast_ref())))
    }
    pub fn put(&self, key: UK, value: UV) -> Result<()> {
        self.0.put(key, erase(value))
    }
    pub fn put_all(&self, entries: impl IntoIterator<Item = (UK, UV)>) -> Result<()> {
        self.0.put_all(entries.into_iter().map(|(k, v)| (k, erase(v))))
    }
    pub fn modify<R>(&self, key: UK, f: impl FnOnce(&mut Option<UV>) -> R) -> Result<R> {
        self.0.modify(key, |slot| lend(slot, f))
    }
    pub fn remove(&self, key: &UK) -> Result<Option<UV>> {
        Ok(self.0.remove(key)?.as_ref().map(reveal))
    }
    pub fn contains(&self, key: &UK) -> Result<bool> {
        self.0.contains(key)
    }
    pub fn len(&self) -> Result<usize> {
        self.0.len()
    }
    pub fn is_empty(&self) -> Result<bool> {
        self.0.is_empty()
    }
    pub fn for_each(&self, mut f: impl FnMut(&UK, &UV)) -> Result<()> {
        self.0.for_each(|k, v| f(k, &reveal(v)))
    }
    pub fn entries(&self) -> Result<Vec<(UK, UV)>> {
        Ok(self
            .0
            .entries()?
            .into_iter()
            .map(|(k, v)| (k, reveal(&v)))
            .collect())
    }
    pub fn keys(&self) -> Result<Vec<UK>> {
        self.0.keys()
    }
    pub fn values(&self) -> Result<Vec<UV>> {
        Ok(self.0.values()?.iter().map(reveal).collect())
    }
}

type ReduceErased = dyn Fn(&mut Erased, Erased);

/// A function that reduces erased values.
#[derive(Clone)]
pub struct ErasedReduce(Rc<ReduceErased>);

impl ErasedReduce {
    pub fn new<T: StateData>(reduce: impl Fn(&mut T, T) + 'static) -> Self {
        ErasedReduce(Rc::new(move |reduced, value| {
            let mut typed = reveal(reduced);
            reduce(&mut typed, reveal(&value));
            *reduced = erase(typed);
        }))
    }
}

impl ReduceFunction<Erased> for ErasedReduce {
    fn reduce(&self, reduced: &mut Erased, value: Erased) {
        (self.0)(reduced, value);
    }
}

/// A reducing state of `T`.
#[derive(Clone, Debug)]
pub struct Reducing<T, N: 'static = VoidNamespace>(ReducingState<Erased, N>, PhantomData<T>);

impl<T: StateData, N: Namespace> Reducing<T, N> {
    pub fn new(state: ReducingState<Erased, N>) -> Self {
        Reducing(state, PhantomData)
    }
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.0.set_current_namespace(namespace)
    }
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }
    pub fn add(&self, value: T) -> Result<()> {
        self.0.add(erase(value))
    }
    pub fn get(&self) -> Result<Option<T>> {
        Ok(self.0.get()?.as_ref().map(reveal))
    }
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.0.merge_namespaces(target, sources)
    }
}

type ErasedFunction = dyn AggregateFunction<In = Erased, Acc = Erased, Out = Erased>;

/// A function that aggregates erased values.
#[derive(Clone)]
pub struct ErasedAggregate(Rc<ErasedFunction>);

impl ErasedAggregate {
    pub fn new<F: AggregateFunction<In: StateData, Out: StateData>>(function: F) -> Self {
        ErasedAggregate(Rc::new(Hidden(function)))
    }
}

/// `F` on erased values.
struct Hidden<F>(F);

impl<F: AggregateFunction<In: StateData, Out: StateData>> AggregateFunction for Hidden<F> {
    type In = Erased;
    type Acc = Erased;
    type Out = Erased;
    fn create_accumulator(&self) -> Erased {
        erase(self.0.create_accumulator())
    }
    fn add(&self, value: Erased, accumulator: &mut Erased) {
        let mut typed = reveal(accumulator);
        self.0.add(reveal(&value), &mut typed);
        *accumulator = erase(typed);
    }
    fn get_result(&self, accumulator: &Erased) -> Erased {
        erase(self.0.get_result(&reveal(accumulator)))
    }
    fn merge(&self, accumulator: &mut Erased, other: Erased) {
        let mut typed = reveal(accumulator);
        self.0.merge(&mut typed, reveal(&other));
        *accumulator = erase(typed);
    }
}

impl AggregateFunction for ErasedAggregate {
    type In = Erased;
    type Acc = Erased;
    type Out = Erased;
    fn create_accumulator(&self) -> Erased {
        self.0.create_accumulator()
    }
    fn add(&self, value: Erased, accumulator: &mut Erased) {
        self.0.add(value, accumulator);
    }
    fn get_result(&self, accumulator: &Erased) -> Erased {
        self.0.get_result(accumulator)
    }
    fn merge(&self, accumulator: &mut Erased, other: Erased) {
        self.0.merge(accumulator, other);
    }
}

/// An aggregating state of `F`.
#[derive(Clone, Debug)]
pub struct Aggregating<F, N: 'static = VoidNamespace>(AggregatingState<ErasedAggregate, N>, PhantomData<F>);

impl<F: AggregateFunction<In: StateData, Out: StateData>, N: Namespace> Aggregating<F, N> {
    pub fn new(state: AggregatingState<ErasedAggregate, N>) -> Self {
        Aggregating(state, PhantomData)
    }
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.0.set_current_namespace(namespace)
    }
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }
    pub fn add(&self, value: F::In) -> Result<()> {
        self.0.add(erase(value))
    }
    pub fn get(&self) -> Result<Option<F::Out>> {
        Ok(self.0.get()?.as_ref().map(reveal))
    }
    pub fn accumulator(&self) -> Result<Option<F::Acc>> {
        Ok(self.0.accumulator()?.as_ref().map(reveal))
    }
    pub fn merge(&self, accumulator: F::Acc) -> Result<()> {
        self.0.merge(erase(accumulator))
    }
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.0.merge_namespaces(target, sources)
    }
}
