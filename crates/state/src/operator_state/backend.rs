//! The operator state of one operator instance: what is open, what a restored snapshot holds, and their snapshot.

use super::broadcast::{BroadcastCell, BroadcastState};
use super::frozen::{FrozenState, OperatorStateSnapshot};
use super::list::{ListCell, OperatorListState};
use super::meta::mode_name;
use super::restored::{self, RestoredState};
use crate::descriptor::{ListStateDescriptor, MapStateDescriptor, StateData};
use crate::handle::{OperatorStateHandle, OperatorStateMode};
use crate::stream::StateHandleReader;
use crate::ttl::StateTtlConfig;
use millpond_core::{Error, Result};
use millpond_types::serializer::SerializerRegistry;
use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

/// A state that a function has opened.
pub(super) trait OpenState {
    /// How it is redistributed.
    fn mode(&self) -> OperatorStateMode;
    /// What it holds now. Takes a reference count.
    fn freeze(&self) -> Box<dyn FrozenState>;
    /// For finding its type again.
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
    /// The type of its elements.
    fn type_name(&self) -> &'static str;
}

/// The state of an operator instance that belongs to no key. Flink's `OperatorStateStore` and `DefaultOperatorStateBackend`.
///
/// # Contract
/// - A state is known by its name, list and broadcast states together; opening it again gives another handle onto the same.
/// - `list_state`: when the job is restored with another parallelism, the elements of all instances are split evenly among the
///   new ones. `union_list_state`: every new instance gets the elements of all. `broadcast_state`: every instance holds
///   the same, and each new one gets a copy.
/// - What a restored snapshot holds and nobody opens is kept, and is in the next snapshot again.
#[derive(Default)]
pub struct OperatorStateBackend {
    open: BTreeMap<String, Rc<dyn OpenState>>,
    restored: BTreeMap<String, RestoredState>,
    serializers: Arc<SerializerRegistry>,
    compressed: bool,
}

impl OperatorStateBackend {
    /// A backend without any state.
    pub fn new() -> Self {
        Self::default()
    }

    /// A backend that holds what `handles` name.
    ///
    /// # Errors
    /// As `reader`; Corrupt when a stream is not one of operator state; Incompatible when it has a version, or a state in it
    /// a serializer, that is unknown here.
    pub fn restore(handles: &[OperatorStateHandle], reader: &dyn StateHandleReader) -> Result<Self> {
        Ok(OperatorStateBackend {
            open: BTreeMap::new(),
            restored: restored::read_all(handles, reader)?,
            serializers: Arc::default(),
            compressed: false,
        })
    }

    /// The same with the serializers that the job registered, for descriptors that ask for those.
    #[must_use]
    pub fn with_serializers(mut self, serializers: Arc<SerializerRegistry>) -> Self {
        self.serializers = serializers;
        self
    }

    /// The same with snapshots compressed or not: Flink's `execution.checkpointing.snapshot-compression`. Each element is compressed
    /// by itself, so that little is gained where they are small.
    #[must_use]
    pub fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// Opens a list state whose elements are split among the instances.
    ///
    /// # Errors
    /// Incompatible when a restored snapshot holds something of this name that cannot be read as this; IllegalState
    /// when the name is open as another type or kind; Config when the type's serializer was not registered.
    pub fn list_state<T: StateData>(
        &mut self,
        descriptor: &ListStateDescriptor<T>,
    ) -> Result<OperatorListState<T>> {
        self.list(descriptor, OperatorStateMode::SplitDistribute)
    }

    /// Opens a list state of which every instance gets the elements of all when the job is restored.
    ///
    /// # Errors
    /// As [`OperatorStateBackend::list_state`].
    pub fn union_list_state<T: StateData>(
        &mut self,
        descriptor: &ListStateDescriptor<T>,
    ) -> Result<OperatorListState<T>> {
        self.list(descriptor, OperatorStateMode::Union)
    }

    /// Opens a map that every instance holds alike.
    ///
    /// # Errors
    /// As [`OperatorStateBackend::list_state`].
    pub fn broadcast_state<K: StateData + Hash + Eq, V: StateData>(
        &mut self,
        descriptor: &MapStateDescriptor<K, V>,
    ) -> Result<BroadcastState<K, V>> {
        let name = descriptor.name();
        refuse_ttl(name, descriptor.ttl)?;
        if let Some(open) = self.opened::<BroadcastCell<K, V>, (K, V)>(name, OperatorStateMode::Broadcast)? {
            return Ok(BroadcastState::opened(open));
        }
        let key = descriptor.key.resolve(name, || self.serializers.get())?;
        let value = descriptor.value.resolve(name, || self.serializers.get())?;
        let cell = Rc::new(BroadcastCell::open(name, key, value, self.restored.get(name))?);
        self.register(name, cell.clone());
        Ok(BroadcastState::opened(cell))
    }

    /// The names of the states that were opened.
    pub fn registered_state_names(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }

    /// The names of the states that were restored and not opened.
    pub fn unopened_state_names(&self) -> impl Iterator<Item = &str> {
        self.restored.values().map(RestoredState::name)
    }

    /// All states as they are now. It takes a reference count a state, however much they hold; the first write to a
    /// state afterwards copies it.
    pub fn snapshot(&self) -> OperatorStateSnapshot {
        let unopened = self
            .restored
            .values()
            .map(|s| Box::new(s.clone()) as Box<dyn FrozenState>);
        OperatorStateSnapshot {
            states: self.open.values().map(|s| s.freeze()).chain(unopened).collect(),
            compressed: self.compressed,
        }
    }

    fn list<T: StateData>(
        &mut self,
        descriptor: &ListStateDescriptor<T>,
        mode: OperatorStateMode,
    ) -> Result<OperatorListState<T>> {
        let name = descriptor.name();
        refuse_ttl(name, descriptor.ttl)?;
        if let Some(open) = self.opened::<ListCell<T>, T>(name, mode)? {
            return Ok(OperatorListState::opened(open));
        }
        let serializer = descriptor.element.resolve(name, || self.serializers.get())?;
        let cell = Rc::new(ListCell::open(name, mode, serializer, self.restored.get(name))?);
        self.register(name, cell.clone());
        Ok(OperatorListState::opened(cell))
    }

    /// The state that is open under `name`, if one is, as a `C` of elements `T`.
    fn opened<C: 'static, T>(&self, name: &str, mode: OperatorStateMode) -> Result<Option<Rc<C>>> {
        let Some(open) = self.open.get(name) else {
            return Ok(None);
        };
        match Rc::clone(open).as_any().downcast::<C>() {
            Ok(cell) if open.mode() == mode => Ok(Some(cell)),
            _ => Err(
                Error::illegal_state("open operator state", "the name is open as something else")
                    .with("state", name)
                    .with(
                        "open_as",
                        format!("{} of {}", mode_name(open.mode()), open.type_name()),
                    )
                    .with(
                        "asked_for",
                        format!("{} of {}", mode_name(mode), type_name::<T>()),
                    )
                    .hint("give the two states different names"),
            ),
        }
    }

    fn register(&mut self, name: &str, state: Rc<dyn OpenState>) {
        self.restored.remove(name);
        self.open.insert(name.to_string(), state);
    }
}

impl fmt::Debug for OperatorStateBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorStateBackend")
            .field("open", &self.open.keys())
            .field("unopened", &self.restored.keys())
            .finish()
    }
}

/// Only keyed state can expire: operator state has no access that would pay for the cleanup, and broadcast state has to be the
/// same on every instance, whose clocks differ.
fn refuse_ttl(name: &str, ttl: StateTtlConfig) -> Result<()> {
    if !ttl.is_enabled() {
        return Ok(());
    }
    Err(
        Error::config("open operator state", "operator state has no time to live")
            .with("state", name)
            .with("time_to_live", format!("{:?}", ttl.time_to_live()))
            .hint("remove enable_time_to_live from the descriptor, or keep the values in keyed state"),
    )
}
