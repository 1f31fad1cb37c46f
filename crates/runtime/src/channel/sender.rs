//! The writing end of one channel.

use super::shared::{ChannelFlags, GateShared};
use super::signal::{SendMode, TaskSignal};
use crate::element::{RecordBatch, StreamElement};
use millpond_core::host::Wake;
use millpond_core::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// The writing end of a channel from one task to another. Made by [`super::InputGate::connect`].
///
/// Dropped without [`StreamElement::EndOfPartition`], it sends that itself: the receiver never waits for a dead sender.
pub struct ChannelSender {
    gate: Arc<GateShared>,
    channel: usize,
    flags: Arc<ChannelFlags>,
    producer: Arc<TaskSignal>,
    ended: bool,
}

impl ChannelSender {
    pub(super) fn new(
        gate: Arc<GateShared>,
        channel: usize,
        flags: Arc<ChannelFlags>,
        producer: Arc<TaskSignal>,
    ) -> Self {
        ChannelSender {
            gate,
            channel,
            flags,
            producer,
            ended: false,
        }
    }

    /// Sends records. A task looks for room before it takes input, so that what it sends for that input may go over the
    /// bound; only when the overdraft is used up as well does it wait here, if the sending task may block.
    ///
    /// # Errors
    /// Cancelled when the sending task was told to give up, or the receiver is gone. Nothing to mend: the job master
    /// knows why.
    pub fn send_records(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.flags.is_exhausted() && self.producer.mode() == SendMode::Blocking {
            self.wait_for_room()?;
        }
        self.send_records_at_once(batch)
    }

    /// Sends records without waiting, whatever the bound: what has to be before a barrier.
    ///
    /// # Errors
    /// Cancelled when the receiver is gone.
    pub fn send_records_at_once(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let records = batch.len() as u64;
        if !self.push(StreamElement::Records(batch)) {
            return Err(Error::cancelled("send records"));
        }
        self.producer.metrics().add_records_out(records);
        Ok(())
    }

    /// Sends an event. It never waits and may go over the bound: a barrier must not wait for itself to be read. An event
    /// for a receiver that is gone is dropped, since a task may end before those that feed it.
    ///
    /// # Errors
    /// Cancelled when the sending task was told to give up; as [`ChannelSender::send_records`] for records.
    pub fn send(&mut self, element: StreamElement) -> Result<()> {
        if let StreamElement::Records(batch) = element {
            return self.send_records(batch);
        }
        if self.producer.is_cancelled() {
            return Err(Error::cancelled("send event"));
        }
        self.ended |= matches!(element, StreamElement::EndOfPartition);
        self.push(element);
        Ok(())
    }

    /// Whether the channel has room.
    pub fn is_available(&self) -> bool {
        !self.flags.is_full()
    }

    /// The channel's number among the inputs of the receiving task.
    pub fn channel(&self) -> usize {
        self.channel
    }

    fn push(&self, element: StreamElement) -> bool {
        let announced = match &element {
            StreamElement::Barrier(b) if self.gate.overtaking && b.overtakes_from_ms().is_some() => Some(*b),
            _ => None,
        };
        let mut queues = self.gate.lock();
        if queues.closed {
            return false;
        }
        if let Some(channel) = queues.channels.get_mut(self.channel) {
            channel.push(element, self.gate.capacity, self.gate.overdraft);
        }
        if let Some(barrier) = announced {
            queues.announcements.push_back((self.channel, barrier));
        }
        drop(queues);
        match announced {
            Some(_) => self.gate.signal.urge(),
            None => self.gate.signal.wake(),
        }
        true
    }

    #[cold]
    fn wait_for_room(&self) -> Result<()> {
        let clock = self.producer.clock();
        let started = clock.monotonic_nanos();
        while self.flags.is_exhausted() && !self.producer.is_cancelled() {
            self.producer.wait(None);
        }
        let waited = clock.monotonic_nanos().saturating_sub(started);
        self.producer.metrics().add_backpressured_nanos(waited);
        if self.producer.is_cancelled() {
            return Err(Error::cancelled("send records"));
        }
        Ok(())
    }
}

impl Drop for ChannelSender {
    fn drop(&mut self) {
        if !self.ended {
            self.push(StreamElement::EndOfPartition);
        }
    }
}

impl fmt::Debug for ChannelSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSender")
            .field("channel", &self.channel)
            .field("full", &self.flags.is_full())
            .finish_non_exhaustive()
    }
}
