//! Records into memory that a test looks at.

use millpond_api::sink::{CommitRequest, Committer, CommitterInitContext};
use millpond_api::{Data, Sink, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Collects records in memory: for tests, within one process. Clones share what was collected.
///
/// [`CollectSink::new`] shows a record at once, so that one that comes again after a recovery is there twice.
/// [`CollectSink::exactly_once`] shows records when their checkpoint is complete, as a transactional sink does: it keeps
/// what waits in the shared memory, finishes or drops it when the job recovers from a checkpoint by itself, and takes back what
/// belongs to checkpoints that were given up. A job that starts afresh or from a savepoint drops what waits; what was
/// committed stays. Without checkpoints records show when the input ends.
///
/// ```
/// use millpond_connectors::CollectSink;
/// let sink = CollectSink::<i64>::new();
/// // env.from_source(..).sink_to(sink.clone()); env.execute(..)
/// assert!(sink.collected().is_empty());
/// ```
pub struct CollectSink<T> {
    shared: Arc<Mutex<Shared<T>>>,
    exactly_once: bool,
}

struct Shared<T> {
    visible: Vec<(Tag, T)>,
    waiting: Vec<(Tag, Vec<T>)>,
}

/// Where a record comes from.
#[derive(Clone, Copy)]
struct Tag {
    checkpoint_id: u64,
    subtask: u32,
}

impl<T> CollectSink<T> {
    /// Shows records at once.
    pub fn new() -> Self {
        Self::with_mode(false)
    }

    /// Shows records when their checkpoint is complete.
    pub fn exactly_once() -> Self {
        Self::with_mode(true)
    }

    fn with_mode(exactly_once: bool) -> Self {
        CollectSink {
            shared: Arc::new(Mutex::new(Shared {
                visible: Vec::new(),
                waiting: Vec::new(),
            })),
            exactly_once,
        }
    }

    /// What shows now, in the order in which it was collected.
    pub fn collected(&self) -> Vec<T>
    where
        T: Clone,
    {
        lock(&self.shared)
            .visible
            .iter()
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// How many records show now.
    pub fn len(&self) -> usize {
        lock(&self.shared).visible.len()
    }

    /// Whether no record shows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what shows now.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut lock(&self.shared).visible)
            .into_iter()
            .map(|(_, v)| v)
            .collect()
    }
}

impl<T> Default for CollectSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for CollectSink<T> {
    fn clone(&self) -> Self {
        CollectSink {
            shared: self.shared.clone(),
            exactly_once: self.exactly_once,
        }
    }
}

impl<T: Data> Sink for CollectSink<T> {
    type In = T;
    type Writer = CollectWriter<T>;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<CollectWriter<T>> {
        if self.exactly_once {
            let mine = |tag: &Tag| tag.subtask % ctx.parallelism.max(1) == ctx.subtask_index;
            let mut shared = lock(&self.shared);
            if let Some(restored) = ctx.restored_checkpoint_id {
                shared
                    .visible
                    .retain(|(tag, _)| !(mine(tag) && tag.checkpoint_id > restored));
            }
            shared.waiting.retain(|(tag, _)| !mine(tag));
        }
        Ok(CollectWriter {
            shared: self.shared.clone(),
            exactly_once: self.exactly_once,
            subtask: ctx.subtask_index,
            buffer: Vec::new(),
        })
    }

    fn create_committer(
        &self,
        _ctx: &CommitterInitContext<'_>,
    ) -> Result<Option<Box<dyn Committer<CollectCommittable>>>> {
        Ok(Some(Box::new(CollectCommitter {
            shared: self.shared.clone(),
        })))
    }
}

impl<T> Shared<T> {
    /// Moves what waits under such tags to what shows. Answers whether anything did.
    fn show(&mut self, which: impl Fn(&Tag) -> bool) -> bool {
        let mut found = false;
        for (tag, records) in std::mem::take(&mut self.waiting) {
            if which(&tag) {
                found = true;
                self.visible.extend(records.into_iter().map(|r| (tag, r)));
            } else {
                self.waiting.push((tag, records));
            }
        }
        found
    }
}

/// What names the records that wait: the checkpoint, and the instance that took them.
pub type CollectCommittable = (i64, i64);

/// The writer of [`CollectSink`].
pub struct CollectWriter<T> {
    shared: Arc<Mutex<Shared<T>>>,
    exactly_once: bool,
    subtask: u32,
    buffer: Vec<T>,
}

impl<T: 'static> SinkWriter for CollectWriter<T> {
    type In = T;
    type Committable = CollectCommittable;

    fn write(&mut self, value: T, _ctx: &SinkContext) -> Result<()> {
        if self.exactly_once {
            self.buffer.push(value);
        } else {
            let tag = Tag {
                checkpoint_id: 0,
                subtask: self.subtask,
            };
            lock(&self.shared).visible.push((tag, value));
        }
        Ok(())
    }

    fn prepare_commit(&mut self, checkpoint_id: u64) -> Result<Vec<CollectCommittable>> {
        if self.buffer.is_empty() {
            return Ok(Vec::new());
        }
        let records = std::mem::take(&mut self.buffer);
        let tag = Tag {
            checkpoint_id,
            subtask: self.subtask,
        };
        lock(&self.shared).waiting.push((tag, records));
        let id = i64::try_from(checkpoint_id).unwrap_or(i64::MAX);
        Ok(vec![(id, i64::from(self.subtask))])
    }
}

/// Shows what waits.
struct CollectCommitter<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

impl<T: 'static> Committer<CollectCommittable> for CollectCommitter<T> {
    fn commit(&mut self, requests: &mut [CommitRequest<CollectCommittable>]) -> Result<()> {
        for request in requests {
            let (checkpoint, subtask) = *request.committable();
            let found = lock(&self.shared).show(|tag| {
                i64::try_from(tag.checkpoint_id) == Ok(checkpoint) && i64::from(tag.subtask) == subtask
            });
            if !found {
                request.signal_already_committed();
            }
        }
        Ok(())
    }
}

fn lock<T>(shared: &Mutex<Shared<T>>) -> MutexGuard<'_, Shared<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{SinkJob, Start};

    #[test]
    fn records_show_at_once_unless_exactly_once_was_asked_for() {
        let sink = CollectSink::new();
        let mut job = SinkJob::new(sink.clone());
        job.start(Start::Fresh, 2).unwrap();
        job.write(0, 1).unwrap();
        job.write(1, 2).unwrap();
        assert_eq!(sink.collected(), [1, 2]);
        assert_eq!(sink.take(), [1, 2]);
        assert!(sink.is_empty());
    }

    /// Goal: exactly once means what it means for files. Method: a lost record, a late notice, and going back behind
    /// a complete checkpoint, at other parallelisms.
    #[test]
    fn exactly_once_records_survive_crashes_once() {
        let sink = CollectSink::exactly_once();
        let mut job = SinkJob::new(sink.clone());
        job.start(Start::Fresh, 2).unwrap();
        job.write(0, 1).unwrap();
        let first = job.checkpoint().unwrap();
        assert_eq!(sink.collected(), [1]);
        job.write(1, 2).unwrap();
        let second = job.prepare().unwrap();
        job.write(1, 3).unwrap();
        assert_eq!(sink.len(), 1);
        job.start(Start::Recover(second), 3).unwrap();
        assert_eq!(sink.collected(), [1, 2]);
        job.start(Start::Recover(first), 1).unwrap();
        assert_eq!(sink.collected(), [1]);
        job.write(0, 2).unwrap();
        job.checkpoint().unwrap();
        assert_eq!(sink.collected(), [1, 2]);
    }

    #[test]
    fn without_checkpoints_records_show_when_the_input_ends() {
        let sink = CollectSink::exactly_once();
        let mut job = SinkJob::new(sink.clone());
        job.checkpointing = false;
        job.start(Start::Fresh, 1).unwrap();
        job.write(0, 1).unwrap();
        assert!(sink.is_empty());
        job.end_input(0).unwrap();
        assert_eq!(sink.collected(), [1]);
    }
}
