//! What all keyed operators have: backend, timers, operator state, and how they are opened, driven and snapshotted.

use super::super::meter::Meter;
use super::super::raw::{RawOutputs, raw_inputs, refuse_unclaimed};
use super::super::user_code::{finish_call, runtime_info, user_error};
use super::timers::{KeyTimers, USER_TIMERS};
use crate::operator::{ChainOutput, OperatorContext, SnapshotFuture};
use crate::task::Firing;
use millpond_api::function::{
    KeyedContext, OnTimerContext, RuntimeContext, StateSnapshotContext, TimeDomain,
};
use millpond_api::{Collector, SideOutputs};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind, SavepointFormat};
use millpond_core::config::options::{self, StateBackendKind};
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Error, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::keyed::{KeyContext, PreparedKey};
use millpond_state::metrics::{LatencyTracking, SizeTracking};
use millpond_state::operator_state::OperatorStateBackend;
use millpond_state::query::{QueryAnswer, QueryKey};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::timer::InternalTimerService;
use millpond_types::key_group::key_group_range_for_operator;
use millpond_types::{StateKey, StateType, VoidNamespace};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// The keyed part of an operator instance, whose timers are by key and namespace.
pub(in crate::operators) struct KeyedCore<K, N = VoidNamespace> {
    backend: KeyedStateBackend<K>,
    pub(in crate::operators) keys: Rc<KeyContext<K>>,
    /// Keys of the records that come next, in their order.
    expected: VecDeque<PreparedKey<K>>,
    pub(in crate::operators) timers: InternalTimerService<K, N>,
    operator_state: OperatorStateBackend,
    pub(in crate::operators) clock: Arc<dyn Clock>,
    pub(in crate::operators) name: String,
    pub(in crate::operators) meter: Meter,
    pub(in crate::operators) side_outputs: SideOutputs,
}

impl<K: StateKey, N: StateType> KeyedCore<K, N> {
    /// Restores state and timers, and lets `open` open what the function wants.
    pub(in crate::operators) fn open_with_timers(
        ctx: &OperatorContext,
        side_outputs: SideOutputs,
        timers: &str,
        open: impl FnOnce(&mut RuntimeContext<'_, K>) -> Result<()>,
    ) -> Result<Self> {
        let named = |e: Error| e.with("operator", &ctx.operator_name);
        let restored = ctx.restored.clone().unwrap_or_default().state;
        let mut backend = create_backend::<K>(ctx, &restored).map_err(named)?;
        let timers = InternalTimerService::new(
            timers,
            ctx.serializers.get_or_default::<K>(),
            N::serializer(),
            backend.key_group_range(),
            ctx.task.max_parallelism,
        );
        for state in timers.key_group_states() {
            backend.register_key_group_state(state).map_err(named)?;
        }
        let mut operator_state = ctx.operator_state().map_err(named)?;
        let info = runtime_info(ctx);
        let raw = raw_inputs(ctx, Some(backend.key_group_range())).map_err(named)?;
        let mut runtime = RuntimeContext::new(
            &info,
            Some(&mut backend),
            &mut operator_state,
            &ctx.metrics.user,
            ctx.restored.is_some(),
        )
        .with_raw_state(&raw);
        open(&mut runtime).map_err(|e| user_error(&ctx.operator_name, e))?;
        refuse_unclaimed(&raw, &ctx.operator_name)?;
        Ok(KeyedCore {
            keys: Rc::clone(backend.key_context()),
            backend,
            expected: VecDeque::new(),
            timers,
            operator_state,
            clock: Arc::clone(&ctx.clock),
            name: ctx.operator_name.clone(),
            meter: Meter::of(ctx),
            side_outputs,
        })
    }

    /// When the next processing-time timer is due.
    pub(in crate::operators) fn next_processing_timer(&self) -> Option<i64> {
        self.timers.next_processing_time_timer()
    }

    /// Lets `function` take its part, then freezes keyed state, timers and operator state.
    pub(in crate::operators) fn snapshot(
        &mut self,
        barrier: &CheckpointBarrier,
        function: impl FnOnce(&mut StateSnapshotContext<'_>) -> Result<()>,
    ) -> Result<SnapshotFuture> {
        // No record is being processed: there is no current key, as for a broadcast element.
        self.keys.clear_current_key()?;
        let raw = RawOutputs::of(
            barrier,
            Some(self.backend.key_group_range()),
            &self.name,
            function,
        )?;
        let kind = match barrier.kind {
            CheckpointKind::Checkpoint => SnapshotKind::Checkpoint,
            CheckpointKind::Savepoint(format) | CheckpointKind::Stop { format, .. } => match format {
                SavepointFormat::Canonical => SnapshotKind::Savepoint,
                // It must stand alone: files of checkpoints are the job's to delete.
                SavepointFormat::Native => SnapshotKind::FullCheckpoint,
            },
        };
        let keyed = self.backend.snapshot(barrier.checkpoint, kind)?;
        let operator = self.operator_state.snapshot();
        let metrics = Arc::clone(self.meter.metrics());
        Ok(Box::new(move |streams| {
            let mut state = OperatorSubtaskState {
                managed_keyed: keyed.run(streams)?.handle.into_iter().collect(),
                managed_operator: operator.write(streams)?.into_iter().collect(),
                ..OperatorSubtaskState::default()
            };
            raw.write(streams, &mut state)?;
            metrics.set_state_size(state.state_size());
            Ok(state)
        }))
    }

    /// What a key has in a state, for somebody outside.
    pub(in crate::operators) fn query(&self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        self.backend
            .query(state, key)
            .map_err(|e| e.with("operator", &self.name))
    }

    /// Tells the state that a checkpoint is complete, then `function`, with no current key.
    pub(in crate::operators) fn notify_checkpoint_complete(
        &mut self,
        checkpoint_id: u64,
        function: impl FnOnce(CheckpointId) -> Result<()>,
    ) -> Result<()> {
        self.backend.notify_checkpoint_complete(checkpoint_id);
        self.keys.clear_current_key()?;
        function(checkpoint_id).map_err(|e| user_error(&self.name, e))
    }

    /// Tells the state that a checkpoint will never complete, then `function`, with no current key.
    pub(in crate::operators) fn notify_checkpoint_aborted(
        &mut self,
        checkpoint_id: u64,
        function: impl FnOnce(CheckpointId) -> Result<()>,
    ) -> Result<()> {
        self.backend.notify_checkpoint_aborted(checkpoint_id);
        self.keys.clear_current_key()?;
        function(checkpoint_id).map_err(|e| user_error(&self.name, e))
    }
}

impl<K: StateKey> KeyedCore<K> {
    /// Restores state and timers, and lets `open` open what the function wants.
    pub(in crate::operators) fn open(
        ctx: &OperatorContext,
        side_outputs: &SideOutputs,
        open: impl FnOnce(&mut RuntimeContext<'_, K>) -> Result<()>,
    ) -> Result<Self> {
        KeyedCore::open_with_timers(ctx, side_outputs.clone(), USER_TIMERS, open)
    }

    /// Asks for the memory of what the state has for the keys that come next.
    #[inline]
    pub(super) fn expect(&mut self, keys: impl Iterator<Item = K>) {
        self.expected.clear();
        self.expected.extend(keys.map(|key| self.keys.prepare(key)));
        self.backend.prefetch(self.expected.make_contiguous());
    }

    /// The next key: the first of those expected, else what `select` says.
    #[inline]
    pub(super) fn next_key(&mut self, select: impl FnOnce() -> K) -> PreparedKey<K> {
        match self.expected.pop_front() {
            Some(key) => key,
            None => self.keys.prepare(select()),
        }
    }

    /// Lets `call` process an element of `key`.
    pub(super) fn process<T>(
        &mut self,
        key: K,
        timestamp: i64,
        out: &mut dyn ChainOutput<T>,
        call: impl FnOnce(&mut KeyedContext<'_, K>, &mut Collector<'_, T>) -> Result<()>,
    ) -> Result<()> {
        let key = self.keys.prepare(key);
        self.process_prepared(key, timestamp, out, call)
    }

    /// The same for a key of which everything is known.
    #[inline]
    pub(super) fn process_prepared<T>(
        &mut self,
        key: PreparedKey<K>,
        timestamp: i64,
        out: &mut dyn ChainOutput<T>,
        call: impl FnOnce(&mut KeyedContext<'_, K>, &mut Collector<'_, T>) -> Result<()>,
    ) -> Result<()> {
        self.meter.took_one();
        self.keys.set_prepared_key(key)?;
        let current = self.keys.current_key()?;
        let key: &K = &current;
        let mut timers = KeyTimers {
            service: &mut self.timers,
            key,
            clock: &*self.clock,
        };
        let mut ctx = KeyedContext::new(key, timestamp, &mut timers).with_side_outputs(&self.side_outputs);
        let mut collector = Collector::new(out, timestamp);
        let result = call(&mut ctx, &mut collector);
        finish_call(result, collector, &self.side_outputs, &mut self.meter, &self.name)
    }

    /// Lets `call` process a record that belongs to no key: it is shown the whole keyed state, the watermark and the clock.
    pub(super) fn process_unkeyed<T>(
        &mut self,
        timestamp: i64,
        out: &mut dyn ChainOutput<T>,
        call: impl FnOnce(
            &mut KeyedStateBackend<K>,
            i64,
            &dyn Clock,
            &SideOutputs,
            &mut Collector<'_, T>,
        ) -> Result<()>,
    ) -> Result<()> {
        self.meter.took_one();
        self.keys.clear_current_key()?;
        let mut collector = Collector::new(out, timestamp);
        let result = call(
            &mut self.backend,
            self.timers.current_watermark(),
            &*self.clock,
            &self.side_outputs,
            &mut collector,
        );
        finish_call(result, collector, &self.side_outputs, &mut self.meter, &self.name)
    }

    /// Fires what is due in `domain` at `time`, one timer after the other, since each may register and delete others. Returns
    /// whether that was all, as far as `firing` let it.
    pub(super) fn fire<T>(
        &mut self,
        domain: TimeDomain,
        time: i64,
        firing: Firing<'_>,
        out: &mut dyn ChainOutput<T>,
        mut on_timer: impl FnMut(i64, &mut OnTimerContext<'_, K>, &mut Collector<'_, T>) -> Result<()>,
    ) -> Result<bool> {
        for fired in 0.. {
            if firing.ends_after(fired) {
                return Ok(false);
            }
            let due = match domain {
                TimeDomain::EventTime => self.timers.poll_event_timer(time)?,
                TimeDomain::ProcessingTime => self.timers.poll_processing_timer(time)?,
            };
            let Some(timer) = due else { break };
            self.keys.set_current_key(timer.key)?;
            let current = self.keys.current_key()?;
            let key: &K = &current;
            let mut timers = KeyTimers {
                service: &mut self.timers,
                key,
                clock: &*self.clock,
            };
            let mut ctx = OnTimerContext::new(key, timer.timestamp, domain, &mut timers)
                .with_side_outputs(&self.side_outputs);
            // What a processing-time timer causes has no event time. Flink erases the timestamp there too.
            let timestamp = match domain {
                TimeDomain::EventTime => timer.timestamp,
                TimeDomain::ProcessingTime => millpond_api::NO_TIMESTAMP,
            };
            let mut collector = Collector::new(out, timestamp);
            let result = on_timer(timer.timestamp, &mut ctx, &mut collector);
            finish_call(result, collector, &self.side_outputs, &mut self.meter, &self.name)?;
        }
        Ok(true)
    }
}

fn create_backend<K: StateKey>(
    ctx: &OperatorContext,
    restored: &OperatorSubtaskState,
) -> Result<KeyedStateBackend<K>> {
    let range = key_group_range_for_operator(
        ctx.task.max_parallelism,
        ctx.task.parallelism,
        ctx.task.subtask_index,
    );
    let mut parameters = KeyedStateBackendParameters::new(range, ctx.task.max_parallelism)
        .slot(ctx.task.subtask_index)
        .incremental(ctx.config.get(&options::INCREMENTAL)?.unwrap_or(false))
        .compressed(ctx.compresses_snapshots()?)
        .ttl_clock(Arc::clone(&ctx.clock))
        .gauges(ctx.metrics.gauges.clone());
    let shown = &ctx.metrics.keyed_state;
    parameters.latency_tracking = LatencyTracking::from_config(&ctx.config, shown, &ctx.clock)?.map(Arc::new);
    parameters.size_tracking = SizeTracking::from_config(&ctx.config, shown)?.map(Arc::new);
    parameters.key_counts = parameters.size_tracking.as_ref().map(|_| shown.clone());
    parameters.key_serializer = ctx.serializers.get_or_default::<K>();
    parameters.serializers = Arc::clone(&ctx.serializers);
    match ctx.config.get(&options::STATE_BACKEND)? {
        None | Some(StateBackendKind::HashMap) => {
            KeyedStateBackend::hashmap(parameters, &restored.managed_keyed, &*ctx.state_reader)
        }
        Some(StateBackendKind::RocksDB) => KeyedStateBackend::rocksdb(
            parameters,
            &ctx.config,
            &restored.managed_keyed,
            &*ctx.state_reader,
        ),
    }
}
