//! User functions: what a job's author writes, and what a function is handed while it runs.
//!
//! A function is made by a factory on the thread that runs it and stays there, so it may hold state handles and need not be
//! `Send`. Its life: `open` once, then elements and timers one at a time, then `close`. Everything it knows of the world
//! comes through the contexts here, none of which names the engine (decision D3).

mod async_co_process;
mod async_context;
mod async_keyed;
mod async_runtime_context;
mod broadcast;
mod checkpointed;
mod co_process;
mod context;
mod keyed;
mod metric;
mod process;
mod runtime_context;

pub use async_co_process::AsyncKeyedCoProcessFunction;
pub use async_context::{
    AsyncCollector, AsyncContextParts, AsyncEffects, AsyncKeyedContext, AsyncOnTimerContext,
    AsyncTimerService, TimerRequest,
};
pub use async_keyed::AsyncKeyedProcessFunction;
pub use broadcast::{BroadcastContext, KeyedBroadcastProcessFunction, ReadOnlyContext};
pub use checkpointed::{RawStateInputs, StateSnapshotContext};
pub use co_process::{CoProcessFunction, KeyedCoProcessFunction};
pub use context::{KeyedContext, OnTimerContext, ProcessContext};
pub use keyed::KeyedProcessFunction;
pub use metric::{Counter, MetricGroup};
pub use process::ProcessFunction;
pub use runtime_context::{NotKeyed, RuntimeContext, RuntimeInfo};

pub use millpond_state::timer::{TimeDomain, TimerService};
