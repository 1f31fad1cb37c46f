//! The life of an operator around a [`KeyedCore`](super::KeyedCore) and a user function: the same for one input and for two.

/// Everything of `ChainedOperator` but the type. The operator has the fields `function`, `core` and
/// `side_outputs`, and a method `fire`.
macro_rules! keyed_lifecycle {
    () => {
        fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
            self.side_outputs = side_outputs;
        }
        fn initialize(
            &mut self,
            ctx: crate::operator::OperatorContext,
            _out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<()> {
            self.core = Some(KeyedCore::open(&ctx, &self.side_outputs, |runtime| {
                self.function.open(runtime)
            })?);
            Ok(())
        }
        fn process_watermark(
            &mut self,
            watermark: millpond_api::Watermark,
            out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<()> {
            self.fire_event_timers(watermark, crate::task::Firing::Whole, out)?;
            out.emit_watermark(watermark)
        }
        fn has_interruptible_timers(&self) -> bool {
            true
        }
        fn fire_event_timers(
            &mut self,
            watermark: millpond_api::Watermark,
            firing: crate::task::Firing<'_>,
            out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<bool> {
            self.fire(TimeDomain::EventTime, watermark.timestamp, firing, out)
        }
        fn snapshot_state(
            &mut self,
            barrier: &millpond_checkpoint::barrier::CheckpointBarrier,
        ) -> Result<Option<crate::operator::SnapshotFuture>> {
            let core = self.core.as_mut().ok_or_else(not_initialized)?;
            let function = &mut self.function;
            core.snapshot(barrier, |ctx| function.snapshot_state(ctx))
                .map(Some)
        }
        fn query_state(
            &mut self,
            state: &str,
            key: &millpond_state::query::QueryKey,
        ) -> Result<millpond_state::query::QueryAnswer> {
            let core = self.core.as_ref().ok_or_else(not_initialized)?;
            core.query(state, key)
        }
        fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
            let core = self.core.as_mut().ok_or_else(not_initialized)?;
            let function = &mut self.function;
            core.notify_checkpoint_complete(checkpoint_id, |id| function.notify_checkpoint_complete(id))
        }
        fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
            let core = self.core.as_mut().ok_or_else(not_initialized)?;
            let function = &mut self.function;
            core.notify_checkpoint_aborted(checkpoint_id, |id| function.notify_checkpoint_aborted(id))
        }
        fn next_processing_timer(&self) -> Option<i64> {
            self.core
                .as_ref()
                .and_then(KeyedCore::next_processing_timer)
        }
        fn advance_processing_time(
            &mut self,
            now_ms: i64,
            out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<()> {
            self.fire(
                TimeDomain::ProcessingTime,
                now_ms,
                crate::task::Firing::Whole,
                out,
            )
            .map(drop)
        }
        fn close(&mut self) -> Result<()> {
            self.function.close()
        }
    };
}

pub(super) use keyed_lifecycle;
