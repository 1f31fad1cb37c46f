//! Opening states: names, kinds, serializers, and what was restored under a name.

use super::HashMapKeyedStateBackend;
use super::codec::{EntryCodec, KeyCodec, ListCodec, MapCodec, ValueCodec};
use super::kinds::{HashMapAggregating, HashMapList, HashMapMap, HashMapReducing, HashMapValue};
use super::state::{KeysOf, RegisteredState, TableState};
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, SerializerSource, StateData, StateKind, ValueStateDescriptor,
};
use crate::keyed::access::{AggregatingAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use crate::snapshot::meta_info::{NAMESPACE_SERIALIZER, VALUE_SERIALIZER};
use crate::snapshot::restored::RestoredState;
use crate::snapshot::{SnapshotableKeyGroupState, StateMetaInfoSnapshot};
use crate::ttl::{StateTtlConfig, TtlAwareSerializer, is_ttl};
use millpond_core::{Error, Result};
use millpond_types::{Compatibility, SharedSerializer, StateKey};
use std::any::Any;
use std::rc::Rc;

/// A state that was opened.
pub(super) struct Registered<K> {
    pub(super) meta: StateMetaInfoSnapshot,
    ttl: StateTtlConfig,
    pub(super) state: Rc<dyn RegisteredState<K>>,
    /// An `Rc<dyn KeysOf<K, N>>` of the state's namespace type.
    pub(super) keys: Box<dyn Any>,
    /// The `Rc<dyn …Access>` that handles are made from.
    access: Box<dyn Any>,
}

impl<K: StateKey> HashMapKeyedStateBackend<K> {
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
        let access = self.open(StateKind::Value, ttl, name, namespace, first, codec, |state| {
            let access: Rc<dyn ValueAccess<V, N>> = Rc::new(HashMapValue {
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
            |state| {
                let access: Rc<dyn ListAccess<T, N>> = Rc::new(HashMapList { state });
                access
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
            |state| {
                let access: Rc<dyn MapAccess<UK, UV, N>> = Rc::new(HashMapMap { state });
                access
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
        let access = self.open(StateKind::Reducing, ttl, name, namespace, first, codec, |state| {
            let access: Rc<dyn ReducingAccess<T, N>> = Rc::new(HashMapReducing { state, reduce });
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
        let access = self.open(
            StateKind::Aggregating,
            ttl,
            name,
            namespace,
            first,
            codec,
            |state| {
                let access: Rc<dyn AggregatingAccess<F, N>> = Rc::new(HashMapAggregating { state, function });
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
        let taken = self.states.iter().any(|s| s.meta.name == meta.name)
            || self.extras.iter().any(|s| s.meta_info().name == meta.name);
        if taken {
            return Err(
                Error::config("register state", "another state has the name").with("state", meta.name)
            );
        }
        if let Some(restored) = self.restored.get(&meta.name) {
            let named = |e: Error| e.with("state", &meta.name);
            for stored in restored.descriptions() {
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
            restored.for_each_pair(|_, stored, key_group, key, value| {
                state.restore_entry(stored, key_group, key, value).map_err(named)
            })?;
        }
        self.restored.remove(&meta.name);
        self.extras.push(state);
        Ok(())
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
        let restored = self.restored.get(state);
        if restored.is_some_and(|r| r.descriptions().any(is_ttl)) {
            return Ok(TtlAwareSerializer::shared(serializer));
        }
        Ok(serializer)
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
        access: impl FnOnce(Rc<TableState<K, N, V, C>>) -> Rc<A>,
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
        if self.extras.iter().any(|s| s.meta_info().name == name) {
            return Err(Error::config("open state", "timers have the name").with("state", name));
        }
        let key_codec = KeyCodec::new(self.parameters.key_serializer.clone(), namespace);
        let state = Rc::new(TableState::new(
            Rc::clone(&self.context),
            self.parameters.key_group_range,
            first,
            key_codec,
            codec,
        ));
        if let Some(restored) = self.restored.get(&name) {
            fill(&state, kind, restored).map_err(|e| e.with("state", &name))?;
        }
        self.restored.remove(&name);
        let access = access(Rc::clone(&state));
        let keys: Rc<dyn KeysOf<K, N>> = state.clone();
        self.states.push(Registered {
            meta,
            ttl,
            state,
            keys: Box::new(keys),
            access: Box::new(Rc::clone(&access)),
        });
        Ok(access)
    }
}

/// Decodes what was restored into the table.
fn fill<K: StateKey, N: Namespace, V: StateData, C: EntryCodec<V>>(
    state: &TableState<K, N, V, C>,
    kind: StateKind,
    restored: &RestoredState,
) -> Result<()> {
    let mut readings = Vec::new();
    for stored in restored.descriptions() {
        check(state.key_codec().namespace(), state.codec(), kind, stored)?;
        readings.push(state.codec().reading(stored.serializer(VALUE_SERIALIZER)?)?);
    }
    restored.for_each_pair(|part, _, key_group, mut key, value| {
        let Some(reading) = readings.get(part) else {
            return Err(Error::corrupt("restore state", "entries without a description"));
        };
        let (k, n) = state.key_codec().read(&mut key)?;
        let mut value = millpond_types::DataInput::new(value);
        state.restore(key_group, k, n, |slot| {
            state.codec().read(reading, &mut key, &mut value, slot)
        })?;
        if key.is_empty() && value.is_empty() {
            return Ok(());
        }
        Err(
            Error::corrupt("restore state", "an entry is longer than its key and value")
                .with("key_group", key_group)
                .with("bytes_left", key.remaining() + value.remaining()),
        )
    })
}

/// Whether what was stored can become the state that is being opened.
pub(crate) fn check<N: Namespace, V: StateData, C: EntryCodec<V>>(
    namespace: &SharedSerializer<N>,
    codec: &C,
    kind: StateKind,
    stored: &StateMetaInfoSnapshot,
) -> Result<()> {
    if stored.kind() != Some(kind.as_str()) {
        return Err(
            Error::incompatible("restore state", "it was stored as another kind of state")
                .with("stored", stored.kind().unwrap_or("not a keyed state"))
                .with("opened", kind.as_str()),
        );
    }
    let stored_namespace = stored.serializer(NAMESPACE_SERIALIZER)?;
    match namespace.resolve_compatibility(stored_namespace) {
        Compatibility::AsIs => {}
        other => {
            return Err(
                incompatible("the type of the namespace changed", other).with("stored", stored_namespace)
            );
        }
    }
    let stored_value = stored.serializer(VALUE_SERIALIZER)?;
    match codec.resolve(stored_value) {
        Compatibility::AsIs | Compatibility::AfterMigration => Ok(()),
        other => Err(
            incompatible("the type of the state cannot be read from what was stored", other)
                .with("stored", stored_value)
                .with("opened", codec.snapshot())
                .hint("open the state with a type that the stored one can be read as, or under another name"),
        ),
    }
}

fn incompatible(message: &'static str, why: Compatibility) -> Error {
    let error = Error::incompatible("restore state", message);
    match why {
        Compatibility::Incompatible(why) => error.with("why", why),
        Compatibility::AsIs | Compatibility::AfterMigration => {
            error.with("why", "keys and namespaces cannot be migrated")
        }
    }
}

/// The error of a name that another open state has.
pub(crate) fn taken(open: &StateMetaInfoSnapshot, wanted: &StateMetaInfoSnapshot) -> Error {
    let describe = |meta: &StateMetaInfoSnapshot| {
        let types: Vec<_> = meta.serializers.iter().map(|(_, s)| s.to_string()).collect();
        format!("{} of {}", meta.kind().unwrap_or("timers"), types.join(" by "))
    };
    Error::config(
        "open state",
        "the name is taken by a state of another kind or type",
    )
    .with("state", &open.name)
    .with("open", describe(open))
    .with("wanted", describe(wanted))
    .hint("give one of the two another name")
}

/// The error of a state that is open with another time to live.
pub(crate) fn other_ttl(name: &str, open: StateTtlConfig, wanted: StateTtlConfig) -> Error {
    Error::config(
        "open state",
        "the state is open with another time to live or another cleanup",
    )
    .with("state", name)
    .with("open", format!("{open:?}"))
    .with("wanted", format!("{wanted:?}"))
    .hint("open the state once, or with the same descriptor each time")
}
