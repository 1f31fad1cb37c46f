//! Operators that apply a closure to each record: map, filter, flat map.
//!
//! The closure is shared by all instances and called without indirection; its results keep the record's timestamp.

use super::meter::Meter;
use super::user_code::{finish_call, user_error};
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext};
use millpond_api::{Collector, SideOutputs};
use millpond_core::Result;
use std::marker::PhantomData;
use std::sync::Arc;

/// Flink's `StreamMap`.
pub(crate) struct MapOperator<F, T, U> {
    function: Arc<F>,
    meter: Meter,
    types: PhantomData<fn(T) -> U>,
}

impl<F, T, U> MapOperator<F, T, U> {
    pub(crate) fn new(function: Arc<F>) -> Self {
        MapOperator {
            function,
            meter: Meter::default(),
            types: PhantomData,
        }
    }
}

impl<F: Fn(T) -> U + 'static, T: Send + 'static, U: 'static> ChainedOperator for MapOperator<F, T, U> {
    type Out = U;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter = Meter::of(&ctx);
        Ok(())
    }
}

impl<F: Fn(T) -> U + 'static, T: Send + 'static, U: 'static> OneInputOperator for MapOperator<F, T, U> {
    type In = T;

    #[inline]
    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter.took_one();
        self.meter.emitted(1);
        out.collect((self.function)(value), timestamp)
    }
}

/// A map whose closure can fail.
pub(crate) struct TryMapOperator<F, T, U> {
    function: Arc<F>,
    name: String,
    meter: Meter,
    types: PhantomData<fn(T) -> U>,
}

impl<F, T, U> TryMapOperator<F, T, U> {
    pub(crate) fn new(function: Arc<F>) -> Self {
        TryMapOperator {
            function,
            name: String::new(),
            meter: Meter::default(),
            types: PhantomData,
        }
    }
}

impl<F: Fn(T) -> Result<U> + 'static, T: Send + 'static, U: 'static> ChainedOperator
    for TryMapOperator<F, T, U>
{
    type Out = U;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter = Meter::of(&ctx);
        self.name = ctx.operator_name;
        Ok(())
    }
}

impl<F: Fn(T) -> Result<U> + 'static, T: Send + 'static, U: 'static> OneInputOperator
    for TryMapOperator<F, T, U>
{
    type In = T;

    #[inline]
    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter.took_one();
        match (self.function)(value) {
            Ok(result) => {
                self.meter.emitted(1);
                out.collect(result, timestamp)
            }
            Err(e) => Err(user_error(&self.name, e)),
        }
    }
}

/// Flink's `StreamFilter`.
pub(crate) struct FilterOperator<F, T> {
    predicate: Arc<F>,
    meter: Meter,
    types: PhantomData<fn(T)>,
}

impl<F, T> FilterOperator<F, T> {
    pub(crate) fn new(predicate: Arc<F>) -> Self {
        FilterOperator {
            predicate,
            meter: Meter::default(),
            types: PhantomData,
        }
    }
}

impl<F: Fn(&T) -> bool + 'static, T: Send + 'static> ChainedOperator for FilterOperator<F, T> {
    type Out = T;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<T>) -> Result<()> {
        self.meter = Meter::of(&ctx);
        Ok(())
    }
}

impl<F: Fn(&T) -> bool + 'static, T: Send + 'static> OneInputOperator for FilterOperator<F, T> {
    type In = T;

    #[inline]
    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<T>) -> Result<()> {
        self.meter.took_one();
        if !(self.predicate)(&value) {
            return Ok(());
        }
        self.meter.emitted(1);
        out.collect(value, timestamp)
    }
}

/// Flink's `StreamFlatMap`.
pub(crate) struct FlatMapOperator<F, T, U> {
    function: Arc<F>,
    name: String,
    meter: Meter,
    types: PhantomData<fn(T) -> U>,
}

impl<F, T, U> FlatMapOperator<F, T, U> {
    pub(crate) fn new(function: Arc<F>) -> Self {
        FlatMapOperator {
            function,
            name: String::new(),
            meter: Meter::default(),
            types: PhantomData,
        }
    }
}

impl<F, T, U> ChainedOperator for FlatMapOperator<F, T, U>
where
    F: Fn(T, &mut Collector<'_, U>) -> Result<()> + 'static,
    T: Send + 'static,
    U: 'static,
{
    type Out = U;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter = Meter::of(&ctx);
        self.name = ctx.operator_name;
        Ok(())
    }
}

impl<F, T, U> OneInputOperator for FlatMapOperator<F, T, U>
where
    F: Fn(T, &mut Collector<'_, U>) -> Result<()> + 'static,
    T: Send + 'static,
    U: 'static,
{
    type In = T;

    #[inline]
    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<U>) -> Result<()> {
        self.meter.took_one();
        let mut collector = Collector::new(out, timestamp);
        let result = (self.function)(value, &mut collector);
        finish_call(
            result,
            collector,
            &SideOutputs::default(),
            &mut self.meter,
            &self.name,
        )
    }
}
