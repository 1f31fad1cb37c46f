//! Operators over keyed streams: state, timers and the key that both are about.

mod broadcast;
mod co_process;
mod core;
mod lifecycle;
mod process;
mod reduce;
mod timers;

pub(super) use self::core::KeyedCore;
pub(crate) use broadcast::KeyedBroadcastOperator;
pub(crate) use co_process::KeyedCoProcessOperator;
pub(crate) use process::KeyedProcessOperator;
pub(crate) use reduce::ReduceFunctionAdapter;
