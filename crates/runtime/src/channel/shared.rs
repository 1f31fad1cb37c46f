//! The queues of one task's input, shared by the task and everyone who writes to it.
//!
//! One lock guards all of them: it is taken once for each batch or event, never for each record.

use super::signal::TaskSignal;
use crate::element::StreamElement;
use crate::task::TaskControl;
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::CheckpointId;
use millpond_core::host::Wake;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a gate, its mailbox and the senders into it share.
pub(super) struct GateShared {
    queues: Mutex<Queues>,
    pub(super) signal: Arc<TaskSignal>,
    pub(super) capacity: usize,
    /// How far over `capacity` a channel may go before its sender waits in the midst of a step.
    pub(super) overdraft: usize,
    /// Whether barriers may overtake the records in the channels.
    pub(super) overtaking: bool,
}

pub(super) struct Queues {
    pub(super) channels: Vec<Channel>,
    pub(super) mail: VecDeque<TaskControl>,
    /// Barriers that entered a channel and may overtake what is before them.
    pub(super) announcements: VecDeque<(usize, CheckpointBarrier)>,
    /// The receiver is gone.
    pub(super) closed: bool,
}

/// One channel's elements on their way.
#[derive(Default)]
pub(super) struct Channel {
    queue: VecDeque<StreamElement>,
    /// Set with the sender.
    link: Option<(Arc<ChannelFlags>, Arc<TaskSignal>)>,
    /// How many elements at the front are channel state already.
    pub(super) persisted: usize,
    /// Whether what is read becomes channel state, once those are read.
    pub(super) persisting: bool,
}

/// What a sender looks at without the lock.
#[derive(Default)]
pub(super) struct ChannelFlags {
    /// Set when the queue reached its bound, cleared when the receiver has emptied half of it, so that both sides work
    /// in longer stretches instead of waking each other for every batch.
    full: AtomicBool,
    /// Set when the overdraft is used up as well, cleared as soon as it isn't.
    exhausted: AtomicBool,
}

impl ChannelFlags {
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Acquire)
    }
}

impl GateShared {
    pub(super) fn new(
        channels: usize,
        capacity: usize,
        overdraft: usize,
        overtaking: bool,
        signal: Arc<TaskSignal>,
    ) -> Arc<Self> {
        Arc::new(GateShared {
            queues: Mutex::new(Queues {
                channels: std::iter::repeat_with(Channel::default).take(channels).collect(),
                mail: VecDeque::new(),
                announcements: VecDeque::new(),
                closed: false,
            }),
            signal,
            capacity: capacity.max(1),
            overdraft,
            overtaking,
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
        queues.announcements.clear();
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

    /// Appends an element; a watermark takes the place of one that nobody has read or stored yet.
    pub(super) fn push(&mut self, element: StreamElement, capacity: usize, overdraft: usize) {
        if let StreamElement::Watermark(newer) = &element
            && self.queue.len() > self.persisted
            && let Some(StreamElement::Watermark(last)) = self.queue.back_mut()
        {
            *last = *newer;
            return;
        }
        self.queue.push_back(element);
        self.note_length(capacity, overdraft);
    }

    fn note_length(&self, capacity: usize, overdraft: usize) {
        if self.queue.len() >= capacity
            && let Some((flags, _)) = &self.link
        {
            flags.full.store(true, Ordering::Release);
            if self.queue.len() >= capacity + overdraft {
                flags.exhausted.store(true, Ordering::Release);
            }
        }
    }

    /// Puts elements before all others, in their order.
    pub(super) fn put_first(&mut self, elements: Vec<StreamElement>, capacity: usize, overdraft: usize) {
        for element in elements.into_iter().rev() {
            self.queue.push_front(element);
        }
        self.note_length(capacity, overdraft);
    }

    /// What is queued, in order.
    pub(super) fn queue(&self) -> impl Iterator<Item = &StreamElement> {
        self.queue.iter()
    }

    /// How many elements are before the barrier of `checkpoint`, if that is queued.
    pub(super) fn barrier_at(&self, checkpoint: CheckpointId) -> Option<usize> {
        let is_it = |e: &StreamElement| matches!(e, StreamElement::Barrier(b) if b.checkpoint == checkpoint);
        self.queue.iter().position(is_it)
    }

    /// Takes the barrier of `checkpoint` out, and says how many elements are before it.
    pub(super) fn take_barrier(&mut self, checkpoint: CheckpointId) -> Option<usize> {
        let at = self.barrier_at(checkpoint)?;
        self.queue.remove(at);
        Some(at)
    }

    /// Takes the next element, and says whether it has to become channel state.
    pub(super) fn pop(&mut self) -> Option<(StreamElement, bool)> {
        let element = self.queue.pop_front()?;
        let persist = self.persisted == 0 && self.persisting;
        self.persisted = self.persisted.saturating_sub(1);
        Some((element, persist))
    }

    /// Whom to wake because there is room again.
    pub(super) fn released(&self, capacity: usize, overdraft: usize) -> Option<Arc<TaskSignal>> {
        let (flags, producer) = self.link.as_ref()?;
        let len = self.queue.len();
        let has_room = len <= capacity / 2 && flags.full.swap(false, Ordering::AcqRel);
        let may_finish = len < capacity + overdraft && flags.exhausted.swap(false, Ordering::AcqRel);
        (has_room || may_finish).then(|| producer.clone())
    }

    pub(super) fn stop_persisting(&mut self) {
        self.persisting = false;
        self.persisted = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn clear(&mut self) -> (VecDeque<StreamElement>, Option<Arc<TaskSignal>>) {
        let elements = std::mem::take(&mut self.queue);
        let producer = self.link.as_ref().map(|(flags, producer)| {
            flags.full.store(false, Ordering::Release);
            flags.exhausted.store(false, Ordering::Release);
            producer.clone()
        });
        (elements, producer)
    }
}
