//! A rolling reduce as a keyed process function. Flink's `StreamGroupedReduceOperator`.

use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, Data};
use millpond_core::Result;
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use millpond_types::{StateKey, StateType};
use std::marker::PhantomData;
use std::sync::Arc;

/// The name of the state, as in Flink.
const STATE_NAME: &str = "_op_state";

/// Emits, for each record, what was reduced so far for its key.
pub(crate) struct ReduceFunctionAdapter<K, T, F> {
    reduce: Arc<F>,
    reduced: ValueState<T>,
    key: PhantomData<fn(K)>,
}

impl<K, T, F> ReduceFunctionAdapter<K, T, F> {
    pub(crate) fn new(reduce: Arc<F>) -> Self {
        ReduceFunctionAdapter {
            reduce,
            reduced: ValueState::default(),
            key: PhantomData,
        }
    }
}

impl<K, T, F> KeyedProcessFunction for ReduceFunctionAdapter<K, T, F>
where
    K: StateKey,
    T: Data + StateType,
    F: Fn(&mut T, T) + 'static,
{
    type Key = K;
    type In = T;
    type Out = T;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, K>) -> Result<()> {
        self.reduced = ctx.state(ValueStateDescriptor::new(STATE_NAME))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        value: T,
        _ctx: &mut KeyedContext<'_, K>,
        out: &mut Collector<'_, T>,
    ) -> Result<()> {
        let reduced = self.reduced.modify(|slot| match slot {
            Some(reduced) => {
                (self.reduce)(reduced, value);
                reduced.clone()
            }
            None => slot.insert(value).clone(),
        })?;
        out.collect(reduced);
        Ok(())
    }
}
