//! Opening states: names, kinds, serializers, and what was restored under a name.

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::expire::ColumnExpiry;
use super::key::{column_name, group_prefix};
use super::kinds::{
    ListColumn, MapColumn, RocksAggregating, RocksList, RocksMap, RocksReducing, RocksValue, ValueColumn,
};
use super::restore::RestoredColumn;
use super::state::{ColumnState, KeysOf, RegisteredState, StateParts};
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, SerializerSource, StateData, StateKind, ValueStateDescriptor,
};
use crate::hashmap::codec::{EntryCodec, KeyCodec, ListCodec, MapCodec, ValueCodec};
use crate::hashmap::register::{check, other_ttl, taken};
use crate::keyed::access::{AggregatingAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use crate::snapshot::meta_info::VALUE_SERIALIZER;
use crate::snapshot::{SnapshotableKeyGroupState, StateMetaInfoSnapshot};
use crate::ttl::{StateTtlConfig, TtlAwareSerializer, is_ttl};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, SharedSerializer, StateKey};
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// A state that was opened.
pub(super) struct Registered {
    pub(super) meta: StateMetaInfoSnapshot,
    ttl: StateTtlConfig,
    pub(super) column: String,
    /// What canonical snapshots leave out.
    pub(super) left_out: Option<Arc<ColumnExpiry>>,
    pub(super) state: Rc<dyn RegisteredState>,
    /// An `Rc<dyn KeysOf<K, N>>` of the state's key and namespace type.
    pub(super) keys: Box<dyn Any>,
    /// The `Rc<dyn …Access>` that handles are made from.
    access: Box<dyn Any>,
}

/// What a kind makes of its column family.
pub(super) struct Made<A: ?Sized, K, N> {
    pub(super) access: Rc<A>,
    pub(super) state: Rc<dyn RegisteredState>,
    pub(super) keys: Rc<dyn KeysOf<K, N>>,
}

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    pub(crate) fn value_state<V: StateData, N: Namespace>(
        &mut self,
        descriptor: ValueStateDescriptor<V>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ValueState<V, N>> {
        if descriptor.ttl.is_enabled() {
            return self.ttl_value_state(descriptor, namespace, first);
        }
        let ValueStateDescriptor {
            name,
            serializer,
            default_value,
            ttl,
        } = descriptor;
        let codec = ValueCodec(self.serializer_without_ttl(&name, &serializer)?);
        let for_errors = name.clone();
        let access = self.open_values(StateKind::Value, ttl, name, namespace, first, codec, |state| {
            let access: Rc<dyn ValueAccess<V, N>> = Rc::new(RocksValue {
                state,
                default_value,
                name: for_errors,
            });
            access
        })?;
        Ok(ValueState::from_access(access))
    }

    pub(crate) fn list_state<T: StateData, N: Namespace>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ListState<T, N>> {
        if descriptor.ttl.is_enabled() {
            return self.ttl_list_state(descriptor, namespace, first);
        }
        let codec = ListCodec(self.serializer_without_ttl(&descriptor.name, &descriptor.element)?);
        let access = self.open(
            StateKind::List,
            descriptor.ttl,
            descriptor.name,
            namespace,
            first,
            codec,
            |state, backend| {
                let state = Rc::new(ListColumn::new(state, backend.cache.share()));
                let access: Rc<dyn ListAccess<T, N>> = Rc::new(RocksList {
                    state: Rc::clone(&state),
                });
                Made {
                    access,
                    keys: state.clone(),
                    state,
                }
            },
        )?;
        Ok(ListState::from_access(access))
    }

    pub(crate) fn map_state<UK: MapKey, UV: StateData, N: Namespace>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<MapState<UK, UV, N>> {
        if descriptor.ttl.is_enabled() {
            return self.ttl_map_state(descriptor, namespace, first);
        }
        let codec = MapCodec {
            key: self.serializer(&descriptor.name, &descriptor.key)?,
            value: self.serializer_without_ttl(&descriptor.name, &descriptor.value)?,
        };
        let access = self.open(
            StateKind::Map,
            descriptor.ttl,
            descriptor.name,
            namespace,
            first,
            codec,
            |state, backend| {
                let state = Rc::new(MapColumn::new(state, backend.cache.share()));
                let access: Rc<dyn MapAccess<UK, UV, N>> = Rc::new(RocksMap {
                    state: Rc::clone(&state),
                });
                Made {
                    access,
                    keys: state.clone(),
                    state,
                }
            },
        )?;
        Ok(MapState::from_access(access))
    }

    pub(crate) fn reducing_state<T: StateData, R: ReduceFunction<T>, N: Namespace>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ReducingState<T, N>> {
        if descriptor.ttl.is_enabled() {
            return self.ttl_reducing_state(descriptor, namespace, first);
        }
        let ReducingStateDescriptor {
            name,
            serializer,
            reduce,
            ttl,
        } = descriptor;
        let codec = ValueCodec(self.serializer_without_ttl(&name, &serializer)?);
        let access = self.open_values(StateKind::Reducing, ttl, name, namespace, first, codec, |state| {
            let access: Rc<dyn ReducingAccess<T, N>> = Rc::new(RocksReducing { state, reduce });
            access
        })?;
        Ok(ReducingState::from_access(access))
    }

    pub(crate) fn aggregating_state<F: AggregateFunction, N: Namespace>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<AggregatingState<F, N>> {
        if descriptor.ttl.is_enabled() {
            return self.ttl_aggregating_state(descriptor, namespace, first);
        }
        let AggregatingStateDescriptor {
            name,
            serializer,
            function,
            ttl,
        } = descriptor;
        let codec = ValueCodec(self.serializer_without_ttl(&name, &serializer)?);
        let access = self.open_values(
            StateKind::Aggregating,
            ttl,
            name,
            namespace,
            first,
            codec,
            |state| {
                let access: Rc<dyn AggregatingAccess<F, N>> = Rc::new(RocksAggregating { state, function });
                access
            },
        )?;
        Ok(AggregatingState::from_access(access))
    }

    pub(crate) fn register_key_group_state(
        &mut self,
        state: Rc<dyn SnapshotableKeyGroupState>,
    ) -> Result<()> {
        let meta = state.meta_info();
        if self.states.iter().any(|s| s.meta.name == meta.name) || self.are_timers(&meta.name) {
            return Err(
                Error::config("register state", "another state has the name").with("state", meta.name)
            );
        }
        let named = |e: Error| e.with("state", &meta.name);
        for RestoredColumn { meta: stored, .. } in self.restored_under(&meta.name) {
            if stored.state_type != meta.state_type {
                return Err(named(Error::incompatible(
                    "restore state",
                    "it was stored as another sort of state",
                ))
                .with("stored", format!("{:?}", stored.state_type))
                .with("registered", format!("{:?}", meta.state_type)));
            }
            state.check_restored(stored).map_err(named)?;
        }
        if let Some(head_size) = self.timer_head_size
            && state.as_sorted().is_some()
        {
            let name = meta.name.clone();
            return self
                .register_timers(state, meta, head_size)
                .map_err(|e| e.with("state", name));
        }
        for restored in self.restored_under(&meta.name) {
            let stored = &restored.meta;
            let column = self.database.column(&restored.column)?;
            self.scan_restored(&column, |key_group, key, value| {
                state
                    .restore_entry(stored, key_group, DataInput::new(key), value)
                    .map_err(named)
            })?;
        }
        self.forget_restored(&meta.name, None);
        self.extras.push(state);
        Ok(())
    }

    /// What was restored under a name and not opened yet.
    pub(super) fn restored_under(&self, name: &str) -> impl Iterator<Item = &RestoredColumn> {
        self.restored.iter().filter(move |r| r.meta.name == name)
    }

    /// Whether timers have the name.
    fn are_timers(&self, name: &str) -> bool {
        self.timers.iter().any(|t| t.meta.name == name)
            || self.extras.iter().any(|s| s.meta_info().name == name)
    }

    /// Shows every entry of a restored column family: key group, the key behind it, value.
    fn scan_restored(
        &self,
        column: &Column,
        mut f: impl FnMut(u32, &[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        for key_group in self.parameters.key_group_range.iter() {
            let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
            column.scan(prefix.get(..length).unwrap_or_default(), |key, value| {
                f(key_group, key.get(length..).unwrap_or_default(), value)?;
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// Takes the restored column families of a state off the list; all but `kept` are dropped as soon as no snapshot
    /// reads them any more.
    pub(super) fn forget_restored(&mut self, state: &str, kept: Option<&str>) {
        let (gone, left) = std::mem::take(&mut self.restored)
            .into_iter()
            .partition(|r| r.meta.name == state);
        self.restored = left;
        self.retired.extend(
            gone.into_iter()
                .map(|r| r.column)
                .filter(|c| Some(c.as_str()) != kept),
        );
    }

    pub(super) fn serializer<T: 'static>(
        &self,
        state: &str,
        source: &SerializerSource<T>,
    ) -> Result<SharedSerializer<T>> {
        source.resolve(state, || self.parameters.serializers.get::<T>())
    }

    /// The serializer of a state without a time to live. What was restored may have had one.
    fn serializer_without_ttl<T: 'static>(
        &self,
        state: &str,
        source: &SerializerSource<T>,
    ) -> Result<SharedSerializer<T>> {
        let serializer = self.serializer(state, source)?;
        if self.restored_under(state).any(|r| is_ttl(&r.meta)) {
            return Ok(TtlAwareSerializer::shared(serializer));
        }
        Ok(serializer)
    }

    /// Opens a state that has one value for each key.
    #[expect(clippy::too_many_arguments, reason = "what a state is, and nothing else")]
    pub(super) fn open_values<N: Namespace, V: StateData, A: ?Sized + 'static>(
        &mut self,
        kind: StateKind,
        ttl: StateTtlConfig,
        name: String,
        namespace: SharedSerializer<N>,
        first: N,
        codec: ValueCodec<V>,
        access: impl FnOnce(Rc<ValueColumn<K, N, V>>) -> Rc<A>,
    ) -> Result<Rc<A>> {
        self.open(kind, ttl, name, namespace, first, codec, |state, backend| {
            let state = Rc::new(ValueColumn::new(state, backend.cache.share()));
            Made {
                access: access(Rc::clone(&state)),
                keys: state.clone(),
                state,
            }
        })
    }

    /// Opens a state under its name: the one that is already open, or a new one with what was restored.
    #[expect(clippy::too_many_arguments, reason = "what a state is, and nothing else")]
    pub(super) fn open<N, V, C, A>(
        &mut self,
        kind: StateKind,
        ttl: StateTtlConfig,
        name: String,
        namespace: SharedSerializer<N>,
        first: N,
        codec: C,
        make: impl FnOnce(ColumnState<K, N, V, C>, &Self) -> Made<A, K, N>,
    ) -> Result<Rc<A>>
    where
        N: Namespace,
        V: StateData,
        C: EntryCodec<V>,
        A: ?Sized + 'static,
    {
        let meta = StateMetaInfoSnapshot::key_value(&name, kind, namespace.snapshot(), codec.snapshot());
        if let Some(open) = self.states.iter().find(|s| s.meta.name == name) {
            return match open.access.downcast_ref::<Rc<A>>() {
                Some(access) if open.meta == meta && open.ttl == ttl => Ok(Rc::clone(access)),
                Some(_) if open.meta == meta => Err(other_ttl(&name, open.ttl, ttl)),
                _ => Err(taken(&open.meta, &meta)),
            };
        }
        if self.are_timers(&name) {
            return Err(Error::config("open state", "timers have the name").with("state", name));
        }
        if name.contains('\0') {
            return Err(
                Error::config("open state", "a state's name holds a NUL character").with("state", name),
            );
        }
        let column = self
            .take_over(&name, kind, &namespace, &codec, ttl.is_enabled())
            .map_err(|e| e.with("state", &name))?;
        let parts = StateParts {
            context: Rc::clone(&self.context),
            range: self.parameters.key_group_range,
            prefix_bytes: self.prefix_bytes,
            column: self.database.column(&column)?,
        };
        let key_codec = KeyCodec::new(self.parameters.key_serializer.clone(), namespace);
        let made = make(ColumnState::new(parts, first, key_codec, codec), self);
        let metrics = &self.database.options.metrics;
        metrics.register_state(&self.parameters.gauges, &self.database, &name, &column);
        self.states.push(Registered {
            meta,
            ttl,
            column,
            left_out: None,
            state: made.state,
            keys: Box::new(made.keys),
            access: Box::new(Rc::clone(&made.access)),
        });
        Ok(made.access)
    }

    /// Makes what was restored under `name` the contents of the state that is being opened, and names its column family.
    fn take_over<N: Namespace, V: StateData, C: EntryCodec<V>>(
        &mut self,
        name: &str,
        kind: StateKind,
        namespace: &SharedSerializer<N>,
        codec: &C,
        expires: bool,
    ) -> Result<String> {
        let restored: Vec<_> = self.restored_under(name).cloned().collect();
        for stored in &restored {
            check(namespace, codec, kind, &stored.meta)?;
        }
        let current = codec.snapshot();
        // Entries that are already as they are written now stay where they are.
        let mut kept = None;
        for stored in &restored {
            if *stored.meta.serializer(VALUE_SERIALIZER)? == current {
                kept = Some(stored.column.clone());
                break;
            }
        }
        let column = kept.unwrap_or_else(|| self.free_column_name(name));
        let target = self.database.column_of(&column, expires)?;
        for stored in restored.iter().filter(|r| r.column != column) {
            let reading = codec.reading(stored.meta.serializer(VALUE_SERIALIZER)?)?;
            let source = self.database.column(&stored.column)?;
            self.migrate(&source, &target, namespace, codec, &reading)?;
        }
        self.forget_restored(name, Some(&column));
        Ok(column)
    }

    /// A name for a column family of `state` that no other one has.
    pub(super) fn free_column_name(&self, state: &str) -> String {
        let taken =
            |name: &String| self.restored.iter().any(|r| r.column == *name) || self.retired.contains(name);
        let mut part = 0;
        loop {
            let name = column_name(state, part);
            if !taken(&name) {
                return name;
            }
            part += 1;
        }
    }
}
