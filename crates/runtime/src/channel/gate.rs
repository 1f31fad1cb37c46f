//! The reading end of all channels of one task, and its mailbox.

use super::sender::ChannelSender;
use super::shared::GateShared;
use super::signal::{SendMode, TaskSignal};
use crate::element::StreamElement;
use crate::task::TaskControl;
use millpond_core::host::{Clock, Wake};
use millpond_core::{Error, Result};
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
    /// Whether this task, when it writes, may block.
    pub mode: SendMode,
}

impl GateConfig {
    /// Channels of these inputs, with defaults for the rest.
    pub fn new(inputs: Vec<usize>) -> Self {
        GateConfig {
            inputs,
            capacity: 8,
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
    /// An element of a channel.
    Element {
        /// The channel.
        channel: usize,
        /// What it delivered.
        element: StreamElement,
    },
}

impl InputGate {
    /// A gate without senders.
    pub fn new(config: GateConfig, clock: Arc<dyn Clock>) -> Self {
        let channels = config.inputs.len();
        let signal = TaskSignal::new(config.mode, clock);
        InputGate {
            shared: GateShared::new(channels, config.capacity, signal),
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

    /// The next message; messages overtake whatever is in the channels.
    pub fn next_mail(&mut self) -> Option<TaskControl> {
        self.shared.lock().mail.pop_front()
    }

    /// The next message or, if there is none, the next element of a channel that isn't blocked, in turn.
    pub fn next_item(&mut self) -> Option<GateItem> {
        let mut queues = self.shared.lock();
        if let Some(mail) = queues.mail.pop_front() {
            return Some(GateItem::Mail(mail));
        }
        let capacity = self.shared.capacity;
        let (first, last) = (self.next..self.inputs.len(), 0..self.next);
        for index in first.chain(last) {
            if self.blocked.get(index).copied().unwrap_or(true) {
                continue;
            }
            let Some((element, waiting)) = queues.channels.get_mut(index).and_then(|c| c.pop(capacity))
            else {
                continue;
            };
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
            self.shared.signal.wake();
        }
    }
}

impl fmt::Debug for TaskMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskMailbox")
    }
}
