//! The harness itself: one operator instance, driven by hand.

use super::inline::InlineStreams;
use super::recorder::{Element, Recorded, RecordedSide};
use crate::element::{Batch, RecordBatch};
use crate::operator::{ChainVisitor, OperatorContext, OperatorMetrics, StreamOperator};
use crate::task::{Interrupt, TaskChain};
use millpond_api::{InputStatus, NO_TIMESTAMP, OutputTag, Watermark};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind, SavepointFormat};
use millpond_core::host::{Clock, ManualClock};
use millpond_core::{Error, Result};
use millpond_state::handle::OperatorSubtaskState;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What harnesses of one and of two inputs have in common.
pub struct HarnessCore<Out> {
    chain: Box<dyn TaskChain>,
    recorded: Recorded<Out>,
    sides: Vec<RecordedSide>,
    clock: Arc<ManualClock>,
    metrics: Arc<OperatorMetrics>,
}

impl<Out> HarnessCore<Out> {
    pub(super) fn open(
        mut chain: Box<dyn TaskChain>,
        recorded: Recorded<Out>,
        sides: Vec<RecordedSide>,
        clock: Arc<ManualClock>,
        ctx: &OperatorContext,
    ) -> Result<Self> {
        each_operator(&mut *chain, |operator| operator.initialize(ctx.clone()))?;
        Ok(HarnessCore {
            chain,
            recorded,
            sides,
            clock,
            metrics: Arc::clone(&ctx.metrics),
        })
    }

    fn process<T: Send + 'static>(&mut self, input: usize, value: T, timestamp: i64) -> Result<()> {
        let mut batch = Batch::with_capacity(1);
        batch.push(value, timestamp);
        self.chain
            .process_records(input, RecordBatch::new(batch), Interrupt::never())
            .map(drop)
    }

    /// Moves event time to `timestamp`.
    ///
    /// # Errors
    /// Whatever a timer that it makes due fails with.
    pub fn process_watermark(&mut self, timestamp: i64) -> Result<()> {
        self.chain.process_watermark(Watermark::new(timestamp))?;
        each_operator(&mut *self.chain, |operator| {
            while operator.advance_event_time(Interrupt::never())? {}
            Ok(())
        })
    }

    /// Moves the clock to `now_ms` and fires the timers that are due. A clock that stands there already only fires.
    ///
    /// # Errors
    /// Whatever a timer that it makes due fails with.
    pub fn set_processing_time(&mut self, now_ms: i64) -> Result<()> {
        let ahead = u64::try_from(now_ms.saturating_sub(self.clock.now_ms())).unwrap_or(0);
        self.clock.advance(Duration::from_millis(ahead));
        each_operator(&mut *self.chain, |operator| {
            operator.advance_processing_time(now_ms)
        })
    }

    /// When the next processing-time timer is due.
    ///
    /// # Errors
    /// None of its own.
    pub fn next_processing_timer(&mut self) -> Result<Option<i64>> {
        let mut next: Option<i64> = None;
        each_operator(&mut *self.chain, |operator| {
            next = next.into_iter().chain(operator.next_processing_timer()).min();
            Ok(())
        })?;
        Ok(next)
    }

    /// Lets the operator do what it put off, as a task does that has no input: accesses to asynchronous state that wait are
    /// executed, until none waits.
    ///
    /// # Errors
    /// Whatever the operator fails with.
    pub fn process_idle(&mut self) -> Result<()> {
        let mut done = true;
        while done {
            done = false;
            each_operator(&mut *self.chain, |operator| {
                done |= operator.on_idle()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes a checkpoint.
    ///
    /// # Errors
    /// Whatever keeps the operator from taking part.
    pub fn snapshot(&mut self, checkpoint_id: u64) -> Result<OperatorSubtaskState> {
        self.snapshot_as(checkpoint_id, CheckpointKind::Checkpoint)
    }

    /// Takes a savepoint: the same in the canonical format.
    ///
    /// # Errors
    /// As [`HarnessCore::snapshot`].
    pub fn savepoint(&mut self, checkpoint_id: u64) -> Result<OperatorSubtaskState> {
        self.snapshot_as(
            checkpoint_id,
            CheckpointKind::Savepoint(SavepointFormat::Canonical),
        )
    }

    fn snapshot_as(&mut self, checkpoint_id: u64, kind: CheckpointKind) -> Result<OperatorSubtaskState> {
        let barrier = CheckpointBarrier::new(checkpoint_id, self.clock.now_ms(), kind);
        let mut state = None;
        each_operator(&mut *self.chain, |operator| {
            operator.prepare_snapshot_pre_barrier()
        })?;
        each_operator(&mut *self.chain, |operator| {
            state = Some(operator.snapshot_state(&barrier)?);
            Ok(())
        })?;
        let future = state.ok_or_else(|| Error::illegal_state("snapshot", "the chain has no operator"))?;
        future(&InlineStreams::default())
    }

    /// Says that a checkpoint is complete.
    ///
    /// # Errors
    /// Whatever the operator fails with.
    pub fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        each_operator(&mut *self.chain, |operator| {
            operator.notify_checkpoint_complete(checkpoint_id)
        })
    }

    /// Says that a checkpoint will never be complete.
    ///
    /// # Errors
    /// Whatever the operator fails with.
    pub fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        each_operator(&mut *self.chain, |operator| {
            operator.notify_checkpoint_aborted(checkpoint_id)
        })
    }

    /// Ends the input as a bounded job does: the last watermark, then the end.
    ///
    /// # Errors
    /// Whatever the operator fails with.
    pub fn end_input(&mut self) -> Result<()> {
        self.chain.process_watermark(Watermark::MAX)?;
        each_operator(&mut *self.chain, |operator| operator.end_input())
    }

    /// Closes the function.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn close(&mut self) -> Result<()> {
        each_operator(&mut *self.chain, |operator| operator.close())
    }

    /// The values of the records that came out since the last call.
    pub fn take_output(&mut self) -> Vec<Out> {
        let records = self.take_elements().into_iter().filter_map(Element::into_value);
        records.collect()
    }

    /// The values of the records that came out at a side output since the last call; the builder was told to keep them by
    /// [`super::HarnessBuilder::side_output`].
    pub fn take_side_output<T: 'static>(&mut self, tag: &OutputTag<T>) -> Vec<T> {
        let recorded = self.sides.iter().filter(|(id, _)| id == tag.id());
        recorded
            .filter_map(|(_, recorded)| recorded.downcast_ref::<Recorded<T>>())
            .flat_map(|recorded| std::mem::take(&mut *recorded.borrow_mut()))
            .filter_map(Element::into_value)
            .collect()
    }

    /// Everything that came out since the last call, in order.
    pub fn take_elements(&mut self) -> Vec<Element<Out>> {
        std::mem::take(&mut *self.recorded.borrow_mut())
    }

    /// How many records went in and came out so far, as the job's metrics show them.
    pub fn records_in_and_out(&self) -> (u64, u64) {
        (
            self.metrics.records_in.load(Ordering::Relaxed),
            self.metrics.records_out.load(Ordering::Relaxed),
        )
    }

    /// The function's own counters.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.metrics.user.values()
    }
}

/// One instance of an operator with one input. Flink's `OneInputStreamOperatorTestHarness`.
pub struct OneInputHarness<In, Out> {
    core: HarnessCore<Out>,
    input: PhantomData<fn(In)>,
}

impl<In: Send + 'static, Out> OneInputHarness<In, Out> {
    /// Feeds a record with a timestamp (milliseconds since the epoch).
    ///
    /// # Errors
    /// Whatever the function fails with.
    pub fn process_element(&mut self, value: In, timestamp: i64) -> Result<()> {
        self.core.process(0, value, timestamp)
    }
    /// Feeds a record without a timestamp.
    ///
    /// # Errors
    /// Whatever the function fails with.
    pub fn process_element_without_timestamp(&mut self, value: In) -> Result<()> {
        self.core.process(0, value, NO_TIMESTAMP)
    }
}

/// One instance of an operator with two inputs. Flink's `TwoInputStreamOperatorTestHarness`.
pub struct TwoInputHarness<In1, In2, Out> {
    core: HarnessCore<Out>,
    inputs: PhantomData<fn(In1, In2)>,
}

impl<In1: Send + 'static, In2: Send + 'static, Out> TwoInputHarness<In1, In2, Out> {
    /// Feeds a record of the first input.
    ///
    /// # Errors
    /// Whatever the function fails with.
    pub fn process_element1(&mut self, value: In1, timestamp: i64) -> Result<()> {
        self.core.process(0, value, timestamp)
    }
    /// Feeds a record of the second input: of the broadcast side, where there is one.
    ///
    /// # Errors
    /// Whatever the function fails with.
    pub fn process_element2(&mut self, value: In2, timestamp: i64) -> Result<()> {
        self.core.process(1, value, timestamp)
    }
}

/// One instance of a source. Flink's `SourceOperatorTestContext`.
pub struct SourceHarness<Out> {
    core: HarnessCore<Out>,
    inputs: PhantomData<fn()>,
}

impl<Out> SourceHarness<Out> {
    /// Lets the reader emit some records, and the watermark that follows from them.
    ///
    /// # Errors
    /// Whatever the reader fails with.
    pub fn poll(&mut self) -> Result<InputStatus> {
        self.core.chain.poll_source()
    }
}

/// A harness, as a builder makes it.
pub trait Harness: std::ops::DerefMut<Target = HarnessCore<Self::Out>> {
    /// The records that come out.
    type Out: 'static;
    /// Wraps the common part.
    fn of(core: HarnessCore<Self::Out>) -> Self;
}

macro_rules! harness {
    ($name:ident, [$($input:ident),*], $field:ident) => {
        impl<$($input,)* Out: 'static> Harness for $name<$($input,)* Out> {
            type Out = Out;
            fn of(core: HarnessCore<Out>) -> Self {
                $name { core, $field: PhantomData }
            }
        }
        impl<$($input,)* Out> std::ops::Deref for $name<$($input,)* Out> {
            type Target = HarnessCore<Out>;
            fn deref(&self) -> &HarnessCore<Out> {
                &self.core
            }
        }
        impl<$($input,)* Out> std::ops::DerefMut for $name<$($input,)* Out> {
            fn deref_mut(&mut self) -> &mut HarnessCore<Out> {
                &mut self.core
            }
        }
    };
}
harness!(SourceHarness, [], inputs);
harness!(OneInputHarness, [In], input);
harness!(TwoInputHarness, [In1, In2], inputs);

/// Does something with every operator of a chain.
fn each_operator(
    chain: &mut dyn TaskChain,
    mut action: impl FnMut(&mut dyn StreamOperator) -> Result<()>,
) -> Result<()> {
    struct Each<'a>(&'a mut dyn FnMut(&mut dyn StreamOperator) -> Result<()>);
    impl ChainVisitor for Each<'_> {
        fn operator(&mut self, operator: &mut dyn StreamOperator) -> Result<()> {
            (self.0)(operator)
        }
    }
    chain.visit(&mut Each(&mut action))
}
