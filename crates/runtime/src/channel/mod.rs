//! Channels between tasks: bounded queues of batches and events, with backpressure.
//!
//! | part | what it is |
//! |---|---|
//! | [`InputGate`] | the reading end of all channels of one task, with its mailbox |
//! | [`ChannelSender`] | the writing end of one channel |
//! | [`RecordWriter`] | all channels of one edge: partitions records, collects batches |
//! | [`TaskSignal`] | what a task sleeps on, whatever it waits for |
//!
//! Nothing is serialized and nothing is paid for each record beyond its move into a batch: locks, atomics and wake-ups
//! come once for each batch or event. Batches and events of one channel stay in order.

mod gate;
mod partition;
mod sender;
mod shared;
mod signal;
#[cfg(test)]
mod tests;
mod writer;

pub use gate::{GateConfig, GateItem, InputGate, TaskMailbox};
pub use partition::{KeyGroupFunction, Partitioner};
pub use sender::ChannelSender;
pub use signal::{SendMode, TaskSignal};
pub use writer::{RECORDS_PER_BATCH, RecordWriter};
