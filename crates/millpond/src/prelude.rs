//! What most jobs use: `use millpond::prelude::*`.

pub use crate::{Configuration, Error, ErrorKind, JavaHash, Result, StateType};
pub use millpond_api::function::{
    AsyncCollector, AsyncKeyedCoProcessFunction, AsyncKeyedContext, AsyncKeyedProcessFunction,
    AsyncOnTimerContext, BroadcastContext, KeyedBroadcastProcessFunction, KeyedContext, KeyedProcessFunction,
    OnTimerContext, ProcessContext, ProcessFunction, ReadOnlyContext, RuntimeContext,
};
pub use millpond_api::window::{
    ContinuousEventTimeTrigger, CountTrigger, EventTimeSessionWindows, EventTimeTrigger, GlobalWindow,
    GlobalWindows, ProcessWindowContext, ProcessWindowFunction, ProcessingTimeSessionWindows,
    ProcessingTimeTrigger, PurgingTrigger, SlidingEventTimeWindows, SlidingProcessingTimeWindows, TimeWindow,
    TumblingEventTimeWindows, TumblingProcessingTimeWindows, WindowRuntimeContext,
};
pub use millpond_api::{Collector, OutputTag, Watermark, WatermarkStrategy};
pub use millpond_connectors::{
    CollectSink, CollectionSource, DataGeneratorSource, DiscardingSink, FileSink, FileSource, PrintSink,
};
pub use millpond_runtime::datastream::{DataStream, KeyedStream, StreamExecutionEnvironment};
pub use millpond_runtime::master::{JobExecutionResult, JobHandle};
pub use millpond_state::async_state::{
    AsyncAggregatingState, AsyncListState, AsyncMapState, AsyncReducingState, AsyncValueState,
};
pub use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
pub use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
pub use millpond_state::operator_state::BroadcastState;
pub use millpond_state::ttl::StateTtlConfig;
pub use std::time::Duration;
