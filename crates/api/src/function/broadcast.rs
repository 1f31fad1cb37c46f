//! A function over a keyed stream and a broadcast one: the broadcast pattern.

use super::checkpointed::StateSnapshotContext;
use super::context::{KeyedContext, OnTimerContext};
use super::runtime_context::RuntimeContext;
use crate::side_output::{OutputTag, SideOutputs};
use crate::{Collector, Data, NO_TIMESTAMP};
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateDescriptor};
use millpond_state::operator_state::BroadcastWritePermit;
use millpond_types::{StateKey, StateType, VoidNamespace};

/// What a [`KeyedBroadcastProcessFunction`] is handed with an element of the keyed side. Broadcast state can only be read
/// there: its write methods ask for a permit that this context doesn't have. Flink's `ReadOnlyContext`.
pub type ReadOnlyContext<'a, K> = KeyedContext<'a, K>;

/// Processes a keyed stream beside a broadcast one, whose elements reach every parallel instance.
/// Flink's `KeyedBroadcastProcessFunction`.
///
/// # Contract
/// Every instance holds the same broadcast state only if `process_broadcast_element` does the same in all of them: it must
/// depend on nothing but the element and the broadcast state (trusted). There is no current key there, so keyed state
/// is refused, but for [`BroadcastContext::apply_to_keyed_state`].
///
/// ```
/// use millpond_api::Collector;
/// use millpond_api::function::{BroadcastContext, KeyedBroadcastProcessFunction, ReadOnlyContext, RuntimeContext};
/// use millpond_core::Result;
/// use millpond_state::descriptor::MapStateDescriptor;
/// use millpond_state::operator_state::BroadcastState;
///
/// /// Puts names in place of codes.
/// #[derive(Default)]
/// struct Name {
///     names: BroadcastState<String, String>,
/// }
///
/// impl KeyedBroadcastProcessFunction for Name {
///     type Key = String;
///     type In = String;
///     type Broadcast = (String, String);
///     type Out = String;
///
///     fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
///         self.names = ctx.broadcast_state(MapStateDescriptor::new("names"))?;
///         Ok(())
///     }
///
///     fn process_element(&mut self, code: String, _: &mut ReadOnlyContext<'_, String>, out: &mut Collector<'_, String>) -> Result<()> {
///         out.collect(self.names.get(&code)?.unwrap_or(code));
///         Ok(())
///     }
///
///     fn process_broadcast_element(
///         &mut self,
///         (code, name): (String, String),
///         ctx: &mut BroadcastContext<'_, String>,
///         _: &mut Collector<'_, String>,
///     ) -> Result<()> {
///         self.names.put(ctx.permit(), code, name)
///     }
/// }
/// ```
pub trait KeyedBroadcastProcessFunction: 'static {
    /// The key that the keyed side is keyed by.
    type Key: StateKey;
    /// The elements of the keyed side.
    type In: Data;
    /// The elements of the broadcast side.
    type Broadcast: Data;
    /// The results.
    type Out: Data;

    /// Opens states and counters: once, before the first element.
    ///
    /// # Errors
    /// Whatever keeps the function from working; the job restarts by its restart strategy.
    fn open(&mut self, _ctx: &mut RuntimeContext<'_, Self::Key>) -> Result<()> {
        Ok(())
    }

    /// Takes an element of the keyed side. It may read broadcast state.
    ///
    /// # Errors
    /// As [`KeyedBroadcastProcessFunction::open`].
    fn process_element(
        &mut self,
        value: Self::In,
        ctx: &mut ReadOnlyContext<'_, Self::Key>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// Takes an element of the broadcast side. It may change broadcast state, by [`BroadcastContext::permit`].
    ///
    /// # Errors
    /// As [`KeyedBroadcastProcessFunction::open`].
    fn process_broadcast_element(
        &mut self,
        value: Self::Broadcast,
        ctx: &mut BroadcastContext<'_, Self::Key>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// A timer of the keyed side is due.
    ///
    /// # Errors
    /// As [`KeyedBroadcastProcessFunction::open`].
    fn on_timer(
        &mut self,
        _timestamp: i64,
        _ctx: &mut OnTimerContext<'_, Self::Key>,
        _out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        Ok(())
    }

    /// A snapshot is taken, between two records: write raw state, or bring operator state up to date. Flink's
    /// `CheckpointedFunction#snapshotState`; what `initializeState` does there, `open` does here.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint: what the function put aside for this one is in none.
    fn snapshot_state(&mut self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is complete: what came before it won't be processed again, so effects that waited for it may show. Not told of
    /// savepoints, but for the one that the job stops with. The notice is missing where the job fails first; the next one covers
    /// the checkpoints before it. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete. What waits for it goes with the next one. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The end, also after a failure.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a function is handed with a broadcast element. Flink's `KeyedBroadcastProcessFunction.Context`.
pub struct BroadcastContext<'a, K> {
    permit: &'a BroadcastWritePermit,
    keyed: &'a mut KeyedStateBackend<K>,
    timestamp: i64,
    watermark: i64,
    clock: &'a dyn Clock,
    side_outputs: Option<&'a SideOutputs>,
}

impl<'a, K: StateKey> BroadcastContext<'a, K> {
    /// For engines: the context of one broadcast element. `keyed` is the state of the keyed side.
    pub fn new(
        permit: &'a BroadcastWritePermit,
        keyed: &'a mut KeyedStateBackend<K>,
        timestamp: i64,
        watermark: i64,
        clock: &'a dyn Clock,
    ) -> Self {
        BroadcastContext {
            permit,
            keyed,
            timestamp,
            watermark,
            clock,
            side_outputs: None,
        }
    }
    /// For engines: where records of side outputs go. Without, they are dropped.
    #[must_use]
    pub fn with_side_outputs(mut self, side_outputs: &'a SideOutputs) -> Self {
        self.side_outputs = Some(side_outputs);
        self
    }
    /// Emits a record to a side output, with the timestamp of the element. What nobody reads is dropped.
    pub fn output<T: 'static>(&mut self, tag: &OutputTag<T>, value: T) {
        if let Some(side_outputs) = self.side_outputs {
            side_outputs.emit(tag, value, self.timestamp);
        }
    }
    /// The permission to change broadcast state, for the time of this call.
    pub fn permit(&self) -> &'a BroadcastWritePermit {
        self.permit
    }
    /// Lets `f` look at and change what each key of this instance has in the keyed state of `descriptor`: keys that have
    /// nothing there are left out. While `f` runs, the key at hand is the current one of every keyed state; afterwards there
    /// is none again. It takes as long as there are keys.
    ///
    /// A rule of the broadcast side that lowers what every key may have left:
    ///
    /// ```
    /// use millpond_api::function::BroadcastContext;
    /// use millpond_core::Result;
    /// use millpond_state::descriptor::ValueStateDescriptor;
    ///
    /// fn lower(limit: i64, ctx: &mut BroadcastContext<'_, String>) -> Result<()> {
    ///     let left = ValueStateDescriptor::<i64>::new("left");
    ///     ctx.apply_to_keyed_state(&left, |_key, left| {
    ///         left.modify(|left| *left = left.map(|left| left.min(limit)))
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`RuntimeContext::state`] when the descriptor is another one than the state was opened with; the first error of
    /// `f`, after which no other key is shown.
    pub fn apply_to_keyed_state<D: KeyedStateDescriptor<VoidNamespace>>(
        &mut self,
        descriptor: &D,
        f: impl FnMut(&K, &D::State) -> Result<()>,
    ) -> Result<()> {
        self.keyed
            .apply_to_all_keys(&VoidNamespace, VoidNamespace::serializer(), descriptor, f)
    }
    /// The element's event time in milliseconds, if it has one.
    pub fn timestamp(&self) -> Option<i64> {
        (self.timestamp != NO_TIMESTAMP).then_some(self.timestamp)
    }
    /// The watermark over both sides; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.watermark
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
}
