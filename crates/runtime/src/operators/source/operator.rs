//! The reader of one instance with its state, its event time and its counters.

use super::super::meter::Meter;
use super::super::raw::refuse_raw_state;
use super::super::user_code::not_initialized;
use super::event_time::EventTime;
use super::splits::{Enumeration, SplitState};
use crate::operator::{ChainOutput, OperatorContext, SnapshotFuture};
use millpond_api::function::Counter;
use millpond_api::{
    InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SplitOutput, Watermark,
    WatermarkStrategy,
};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

/// What all instances of a source share.
pub(super) struct SharedSource<S: Source> {
    pub(super) source: S,
    pub(super) strategy: WatermarkStrategy<S::Out>,
    pub(super) enumeration: Enumeration<S::Split>,
}

/// What the reader emits, on its way to the operators behind.
struct Emit<'a, T> {
    event_time: &'a mut EventTime<T>,
    out: &'a mut dyn ChainOutput<T>,
    records: u64,
    failed_behind: bool,
}

impl<T: 'static> SplitOutput<T> for Emit<'_, T> {
    #[inline]
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        let timestamp = self.event_time.on_record(&value, timestamp, self.out)?;
        self.records += 1;
        let result = self.out.collect(value, timestamp);
        self.failed_behind |= result.is_err();
        result
    }
    fn select_split(&mut self, split_id: &str) {
        self.event_time.select_split(split_id);
    }
    fn release_split(&mut self, split_id: &str) {
        self.event_time.release_split(split_id);
    }
}

/// One instance of a source.
pub(super) struct SourceOperator<S: Source> {
    shared: Arc<SharedSource<S>>,
    opened: Option<Opened<S>>,
}

struct Opened<S: Source> {
    name: String,
    reader: S::Reader,
    event_time: EventTime<S::Out>,
    state: OperatorStateBackend,
    splits: SplitState<S::Split>,
    clock: Arc<dyn Clock>,
    meter: Meter,
    /// The reader's own counters with what they were published as.
    counters: Vec<(Counter, u64)>,
}

impl<S: Source> SourceOperator<S> {
    pub(super) fn new(shared: Arc<SharedSource<S>>) -> Self {
        SourceOperator { shared, opened: None }
    }

    fn opened(&mut self) -> Result<&mut Opened<S>> {
        self.opened.as_mut().ok_or_else(not_initialized)
    }

    pub(super) fn initialize(&mut self, ctx: &OperatorContext) -> Result<()> {
        refuse_raw_state(ctx)?;
        let shared = &self.shared;
        let mut state = ctx.operator_state()?;
        let named = |e: millpond_core::Error| e.with("operator", &ctx.operator_name);
        let (splits, own) =
            SplitState::open(&mut state, &shared.source, &shared.enumeration, &ctx.task).map_err(named)?;
        let mut reader = shared
            .source
            .create_reader(&SourceReaderContext {
                subtask_index: ctx.task.subtask_index,
                parallelism: ctx.task.parallelism,
                clock: Arc::clone(&ctx.clock),
            })
            .map_err(named)?;
        reader.add_splits(own).map_err(named)?;
        let counters = reader
            .counters()
            .into_iter()
            .map(|(name, _)| (ctx.metrics.user.counter(name), 0))
            .collect();
        self.opened = Some(Opened {
            name: ctx.operator_name.clone(),
            event_time: EventTime::new(&shared.strategy, ctx.clock.now_ms()),
            reader,
            state,
            splits,
            clock: Arc::clone(&ctx.clock),
            meter: Meter::of(ctx),
            counters,
        });
        Ok(())
    }

    /// Lets the reader emit some records, then the watermark that follows from them.
    pub(super) fn poll(&mut self, out: &mut dyn ChainOutput<S::Out>) -> Result<InputStatus> {
        let opened = self.opened()?;
        let mut emit = Emit {
            event_time: &mut opened.event_time,
            out: &mut *out,
            records: 0,
            failed_behind: false,
        };
        let status = opened.reader.poll_next(&mut SourceOutput::new(&mut emit));
        let (records, failed_behind) = (emit.records, emit.failed_behind);
        opened.meter.took(records);
        opened.meter.emitted(records);
        opened.publish_counters();
        // What the operators behind failed with is no failure of the source.
        let status = status.map_err(|e| {
            if failed_behind {
                e
            } else {
                e.with("operator", &opened.name)
            }
        })?;
        if opened.event_time.has_idle_timeout() {
            opened.event_time.note_activity(opened.clock.now_ms());
        }
        opened.event_time.emit_watermark(out)?;
        Ok(status)
    }

    pub(super) fn is_processing_backlog(&self) -> bool {
        self.opened
            .as_ref()
            .is_some_and(|o| o.reader.is_processing_backlog())
    }

    pub(super) fn pass_watermark(
        &mut self,
        watermark: Watermark,
        out: &mut dyn ChainOutput<S::Out>,
    ) -> Result<()> {
        self.opened()?.event_time.pass_watermark(watermark, out)
    }

    pub(super) fn snapshot(&mut self, barrier: &CheckpointBarrier) -> Result<SnapshotFuture> {
        let opened = self.opened()?;
        let unfinished = opened
            .reader
            .snapshot_state(barrier.checkpoint)
            .map_err(|e| e.with("operator", &opened.name))?;
        opened.splits.update(unfinished)?;
        let snapshot = opened.state.snapshot();
        let metrics = Arc::clone(opened.meter.metrics());
        Ok(Box::new(move |streams| {
            let state = OperatorSubtaskState {
                managed_operator: snapshot.write(streams)?.into_iter().collect(),
                ..OperatorSubtaskState::default()
            };
            metrics.set_state_size(state.state_size());
            Ok(state)
        }))
    }

    pub(super) fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened()?;
        opened
            .reader
            .notify_checkpoint_complete(checkpoint_id)
            .map_err(|e| e.with("operator", &opened.name))
    }

    pub(super) fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened()?;
        opened
            .reader
            .notify_checkpoint_aborted(checkpoint_id)
            .map_err(|e| e.with("operator", &opened.name))
    }

    /// When the source becomes idle if it emits nothing before.
    pub(super) fn next_processing_timer(&self) -> Option<i64> {
        self.opened.as_ref().and_then(|o| o.event_time.next_deadline())
    }

    pub(super) fn advance_processing_time(
        &mut self,
        now_ms: i64,
        out: &mut dyn ChainOutput<S::Out>,
    ) -> Result<()> {
        self.opened()?.event_time.check_idle(now_ms, out)
    }
}

impl<S: Source> Opened<S> {
    fn publish_counters(&mut self) {
        if self.counters.is_empty() {
            return;
        }
        for ((counter, published), (_, now)) in self.counters.iter_mut().zip(self.reader.counters()) {
            counter.inc_by(now.wrapping_sub(*published));
            *published = now;
        }
    }
}
