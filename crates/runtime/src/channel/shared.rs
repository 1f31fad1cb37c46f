//! The queues of one task's input, shared by the task and everyone who writes to it.
//!
//! One lock guards all of them: it is taken once for each batch or event, never for each record.

use super::signal::TaskSignal;
use crate::element::StreamElement;
use crate::task::TaskControl;
use millpond_core::host::Wake;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a gate, its mailbox and the senders into it share.
pub(super) struct GateShared {
    queues: Mutex<Queues>,
    pub(super) signal: Arc<TaskSignal>,
    pub(super) capacity: usize,
}

pub(super) struct Queues {
    pub(super) channels: Vec<Channel>,
    pub(super) mail: VecDeque<TaskControl>,
    /// The receiver is gone.
    pub(super) closed: bool,
}

/// One channel's elements on their way.
#[derive(Default)]
pub(super) struct Channel {
    queue: VecDeque<StreamElement>,
    /// Set with the sender.
    link: Option<(Arc<ChannelFlags>, Arc<TaskSignal>)>,
}

/// What a sender looks at without the lock.
#[derive(Default)]
pub(super) struct ChannelFlags {
    /// Set when the queue reached its bound, cleared when the receiver has emptied half of it, so that both sides work
    /// in longer stretches instead of waking each other for every batch.
    full: AtomicBool,
}

impl ChannelFlags {
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }
}

impl GateShared {
    pub(super) fn new(channels: usize, capacity: usize, signal: Arc<TaskSignal>) -> Arc<Self> {
        Arc::new(GateShared {
            queues: Mutex::new(Queues {
                channels: std::iter::repeat_with(Channel::default).take(channels).collect(),
                mail: VecDeque::new(),
                closed: false,
            }),
            signal,
            capacity: capacity.max(1),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the gate: what is queued is dropped, whoever waits for room is let go.
    pub(super) fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        queues.mail.clear();
        let released: Vec<_> = queues.channels.iter_mut().map(Channel::clear).collect();
        drop(queues);
        for (elements, producer) in released {
            // Records may run user code when they are dropped: never under the lock.
            drop(elements);
            if let Some(producer) = producer {
                producer.wake();
            }
        }
    }
}

impl Channel {
    pub(super) fn connect(&mut self, producer: Arc<TaskSignal>) -> Option<Arc<ChannelFlags>> {
        if self.link.is_some() {
            return None;
        }
        let flags = Arc::<ChannelFlags>::default();
        self.link = Some((flags.clone(), producer));
        Some(flags)
    }

    /// Appends an element; a watermark takes the place of one that nobody has read yet.
    pub(super) fn push(&mut self, element: StreamElement, capacity: usize) {
        if let StreamElement::Watermark(newer) = &element
            && let Some(StreamElement::Watermark(last)) = self.queue.back_mut()
        {
            *last = *newer;
            return;
        }
        self.queue.push_back(element);
        if self.queue.len() >= capacity
            && let Some((flags, _)) = &self.link
        {
            flags.full.store(true, Ordering::Release);
        }
    }

    /// Takes the next element, and says whom to wake because there is room again.
    pub(super) fn pop(&mut self, capacity: usize) -> Option<(StreamElement, Option<Arc<TaskSignal>>)> {
        let element = self.queue.pop_front()?;
        let waiting = (self.queue.len() <= capacity / 2)
            .then(|| {
                self.link
                    .as_ref()
                    .filter(|(flags, _)| flags.full.swap(false, Ordering::AcqRel))
            })
            .flatten()
            .map(|(_, producer)| producer.clone());
        Some((element, waiting))
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn clear(&mut self) -> (VecDeque<StreamElement>, Option<Arc<TaskSignal>>) {
        let elements = std::mem::take(&mut self.queue);
        let producer = self.link.as_ref().map(|(flags, producer)| {
            flags.full.store(false, Ordering::Release);
            producer.clone()
        });
        (elements, producer)
    }
}
