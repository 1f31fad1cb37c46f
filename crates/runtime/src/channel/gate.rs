//! The reading end of all channels of one task, and its mailbox.

use super::sender::ChannelSender;
use super::shared::GateShared;
use super::signal::{SendMode, TaskSignal};
use crate::element::{RecordBatch, StreamElement};
use crate::task::TaskControl;
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::host::{Clock, Wake};
use millpond_core::{CheckpointId, Error, Result};
use std::fmt;
use std::sync::Arc;

/// The shape of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// For each channel, which input of the task it belongs to (0, or 1 for the second stream of a connected pair).
    /// Empty for a source.
    pub inputs: Vec<usize>,
    /// How many batches or events a channel holds before its sender has to wait; at least 1, default 8. With batches of
    /// 1,024 records more smooths over bursts, and costs memory and time to align a checkpoint.
    pub capacity: usize,
    /// How many batches a channel may hold beyond that, for a sender that is in the midst of a step. So a task gets to a
    /// barrier that doesn't wait, instead of waiting itself for room.
    pub overdraft: usize,
    /// Whether barriers may overtake the records in the channels.
    pub overtaking: bool,
    /// Whether this task, when it writes, may block.
    pub mode: SendMode,
}

impl GateConfig {
    /// Channels of these inputs, with defaults for the rest.
    pub fn new(inputs: Vec<usize>) -> Self {
        GateConfig {
            inputs,
            capacity: 8,
            overdraft: 5,
            overtaking: false,
            mode: SendMode::Blocking,
        }
    }
}

/// All that comes to one task: its channels and its mailbox. Flink's `InputGate`, with the task's mailbox in it.
///
/// Every task has one, a source one without channels. Dropping it closes it.
pub struct InputGate {
    shared: Arc<GateShared>,
    inputs: Vec<usize>,
    blocked: Vec<bool>,
    /// The channel to look at first: each gets its turn.
    next: usize,
}

/// What a gate holds for its task now.
pub enum GateItem {
    /// A message of the master.
    Mail(TaskControl),
    /// A barrier that entered a channel and may overtake what is before it there.
    Announced {
        /// The channel.
        channel: usize,
        /// What entered it.
        barrier: CheckpointBarrier,
    },
    /// An element of a channel.
    Element {
        /// The channel.
        channel: usize,
        /// What it delivered.
        element: StreamElement,
        /// Whether it has to become channel state before it is processed.
        persist: bool,
    },
}

impl InputGate {
    /// A gate without senders.
    pub fn new(config: GateConfig, clock: Arc<dyn Clock>) -> Self {
        let channels = config.inputs.len();
        let signal = TaskSignal::new(config.mode, clock);
        InputGate {
            shared: GateShared::new(
                channels,
                config.capacity,
                config.overdraft,
                config.overtaking,
                signal,
            ),
            inputs: config.inputs,
            blocked: vec![false; channels],
            next: 0,
        }
    }

    /// The sender into `channel` for the task that owns the gate `producer`.
    ///
    /// # Errors
    /// IllegalState when there is no such channel or it has its sender already: the job was wired wrongly.
    pub fn connect(&self, channel: usize, producer: &InputGate) -> Result<ChannelSender> {
        let signal = producer.shared.signal.clone();
        let flags = self
            .shared
            .lock()
            .channels
            .get_mut(channel)
            .and_then(|c| c.connect(signal.clone()))
            .ok_or_else(|| {
                Error::illegal_state("connect channel", "no such channel, or it has its sender already")
                    .with("channel", channel)
            })?;
        Ok(ChannelSender::new(self.shared.clone(), channel, flags, signal))
    }

    /// The mailbox of the task, for the master.
    pub fn mailbox(&self) -> TaskMailbox {
        TaskMailbox {
            shared: self.shared.clone(),
        }
    }

    /// What the task sleeps on.
    pub fn signal(&self) -> &Arc<TaskSignal> {
        &self.shared.signal
    }

    /// How many channels it has.
    pub fn channels(&self) -> usize {
        self.inputs.len()
    }

    /// Which input of the task `channel` belongs to.
    pub fn input_of(&self, channel: usize) -> usize {
        self.inputs.get(channel).copied().unwrap_or(0)
    }

    /// The next message or, if there is none, the next announcement: both overtake whatever is in the channels.
    pub fn next_notice(&mut self) -> Option<GateItem> {
        let mut queues = self.shared.lock();
        if let Some(mail) = queues.mail.pop_front() {
            return Some(GateItem::Mail(mail));
        }
        let (channel, barrier) = queues.announcements.pop_front()?;
        Some(GateItem::Announced { channel, barrier })
    }

    /// The next message or, if there is none, the next element of a channel that isn't blocked, in turn.
    pub fn next_item(&mut self) -> Option<GateItem> {
        let mut queues = self.shared.lock();
        if let Some(mail) = queues.mail.pop_front() {
            return Some(GateItem::Mail(mail));
        }
        let (capacity, overdraft) = (self.shared.capacity, self.shared.overdraft);
        let (first, last) = (self.next..self.inputs.len(), 0..self.next);
        for index in first.chain(last) {
            if self.blocked.get(index).copied().unwrap_or(true) {
                continue;
            }
            let Some(channel) = queues.channels.get_mut(index) else {
                continue;
            };
            let Some((element, persist)) = channel.pop() else {
                continue;
            };
            let waiting = channel.released(capacity, overdraft);
            drop(queues);
            self.next = if index + 1 < self.inputs.len() {
                index + 1
            } else {
                0
            };
            if let Some(producer) = waiting {
                producer.wake();
            }
            return Some(GateItem::Element {
                channel: index,
                element,
                persist,
            });
        }
        None
    }

    /// Leaves `channel` unread from now on: it fills up to its bound, then its sender waits.
    pub fn block(&mut self, channel: usize) {
        if let Some(blocked) = self.blocked.get_mut(channel) {
            *blocked = true;
        }
    }

    /// Reads every channel again.
    pub fn unblock_all(&mut self) {
        self.blocked.fill(false);
    }

    /// Puts the rest of a batch that `channel` delivered last before all else in it.
    pub fn put_back(&mut self, channel: usize, rest: RecordBatch) {
        let (capacity, overdraft) = (self.shared.capacity, self.shared.overdraft);
        if let Some(channel) = self.shared.lock().channels.get_mut(channel) {
            channel.put_first(vec![StreamElement::Records(rest)], capacity, overdraft);
            // Where it had to become channel state, it did so as a whole.
            channel.persisted += usize::from(channel.persisting);
        }
    }

    /// Puts what was in flight when a snapshot was taken before all that comes through `channel`.
    pub fn restore(&mut self, channel: usize, elements: Vec<StreamElement>) {
        let (capacity, overdraft) = (self.shared.capacity, self.shared.overdraft);
        if let Some(channel) = self.shared.lock().channels.get_mut(channel) {
            channel.put_first(elements, capacity, overdraft);
        }
    }

    /// Shows `each` what `channel` holds before the barrier of `checkpoint`, which may be there although it wasn't announced
    /// yet. From here on the gate says of each element that it delivers whether that has to become channel state, until
    /// [`InputGate::overtake`] or [`InputGate::stop_persisting`].
    pub fn persist(&mut self, channel: usize, checkpoint: CheckpointId, each: impl FnMut(&StreamElement)) {
        if let Some(channel) = self.shared.lock().channels.get_mut(channel) {
            let before = channel.barrier_at(checkpoint).unwrap_or(channel.len());
            channel.queue().take(before).for_each(each);
            channel.persisted = before;
            channel.persisting = true;
        }
    }

    /// Takes the barrier of `checkpoint` out of `channel` and shows `each` what is before it and isn't channel state yet.
    pub fn overtake(&mut self, channel: usize, checkpoint: CheckpointId, each: impl FnMut(&StreamElement)) {
        if let Some(channel) = self.shared.lock().channels.get_mut(channel) {
            let before = channel.take_barrier(checkpoint).unwrap_or(0);
            channel
                .queue()
                .take(before)
                .skip(channel.persisted)
                .for_each(each);
            channel.stop_persisting();
        }
    }

    /// What `channel` delivers is no channel state any more.
    pub fn stop_persisting(&mut self, channel: usize) {
        if let Some(channel) = self.shared.lock().channels.get_mut(channel) {
            channel.stop_persisting();
        }
    }

    /// How many elements wait in all channels. For metrics and tests.
    pub fn queued(&self) -> usize {
        self.shared
            .lock()
            .channels
            .iter()
            .map(super::shared::Channel::len)
            .sum()
    }

    /// Drops what is queued and lets waiting senders go; later records are refused.
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl Drop for InputGate {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for InputGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputGate")
            .field("inputs", &self.inputs)
            .field("blocked", &self.blocked)
            .finish_non_exhaustive()
    }
}

/// Where the master leaves its messages for a task.
#[derive(Clone)]
pub struct TaskMailbox {
    shared: Arc<GateShared>,
}

impl TaskMailbox {
    /// Leaves a message. It overtakes records, not earlier messages; [`TaskControl::Cancel`] also reaches a task that is
    /// blocked while it writes. A message for a task that is over is dropped.
    pub fn send(&self, control: TaskControl) {
        let cancel = matches!(control, TaskControl::Cancel);
        let mut queues = self.shared.lock();
        if !queues.closed {
            queues.mail.push_back(control);
        }
        drop(queues);
        if cancel {
            self.shared.signal.cancel();
        } else {
            self.shared.signal.urge();
        }
    }
}

impl fmt::Debug for TaskMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskMailbox")
    }
}
