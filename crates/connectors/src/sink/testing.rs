//! A job's life as a sink sees it: instances, checkpoints kept in memory, crashes, restores at any parallelism.

use bytes::Bytes;
use millpond_api::function::MetricGroup;
use millpond_api::sink::{CommittableCollector, CommittableOf, CommitterInitContext};
use millpond_api::{NO_TIMESTAMP, Sink, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::host::{Clock, ManualClock};
use millpond_core::{Error, JobId, Result};
use millpond_state::handle::{ByteStreamStateHandle, OperatorStateHandle, StreamStateHandle};
use millpond_state::operator_state::OperatorStateBackend;
use millpond_state::redistribute::redistribute_operator_state;
use millpond_state::stream::{
    CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope, StateHandleReader,
};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::ops::Range;

/// Keeps snapshot bytes in their handles.
struct Memory;

struct MemoryStream(Vec<u8>);

impl CheckpointStreamFactory for Memory {
    fn create(&self, _scope: CheckpointedStateScope) -> Result<Box<dyn CheckpointOutputStream>> {
        Ok(Box::new(MemoryStream(Vec::new())))
    }
}

impl Write for MemoryStream {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl CheckpointOutputStream for MemoryStream {
    fn position(&self) -> u64 {
        self.0.len() as u64
    }
    fn close_and_get_handle(self: Box<Self>) -> Result<StreamStateHandle> {
        Ok(StreamStateHandle::ByteStream(ByteStreamStateHandle {
            name: "memory".to_string(),
            data: self.0.into(),
        }))
    }
}

fn bytes_of(handle: &StreamStateHandle) -> Result<Bytes> {
    match handle {
        StreamStateHandle::ByteStream(b) => Ok(b.data.clone()),
        StreamStateHandle::File(_) | StreamStateHandle::Segment(_) => {
            Err(Error::illegal_state("read state", "not in memory"))
        }
    }
}

impl StateHandleReader for Memory {
    fn open(&self, handle: &StreamStateHandle) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(bytes_of(handle)?)))
    }
    fn read_range(&self, handle: &StreamStateHandle, range: Range<u64>) -> Result<Bytes> {
        Ok(bytes_of(handle)?.slice(range.start as usize..range.end as usize))
    }
}

/// How a job starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Without a snapshot.
    Fresh,
    /// By itself from its own checkpoint.
    Recover(u64),
    /// From a snapshot that a person named.
    Savepoint(u64),
}

/// A job that is nothing but a sink.
pub struct SinkJob<S: Sink> {
    pub sink: S,
    pub job_id: JobId,
    pub operator_name: &'static str,
    pub checkpointing: bool,
    pub next_checkpoint: u64,
    /// The operator state of each instance, by checkpoint.
    pub checkpoints: BTreeMap<u64, Vec<Vec<OperatorStateHandle>>>,
    pub instances: Vec<Instance<S>>,
}

/// One parallel instance.
pub struct Instance<S: Sink> {
    pub writer: S::Writer,
    committables: Option<CommittableCollector<CommittableOf<S>>>,
    state: OperatorStateBackend,
}

impl<S: Sink> Instance<S> {
    /// The first phase.
    pub fn prepare(&mut self, id: u64) -> Result<()> {
        self.writer.flush(false)?;
        let committables = self.writer.prepare_commit(id)?;
        match &mut self.committables {
            Some(collector) => collector.add(id, committables),
            None => Ok(()),
        }
    }

    /// The second phase.
    pub fn complete(&mut self, id: u64) -> Result<()> {
        match &mut self.committables {
            Some(collector) => collector.complete(id),
            None => Ok(()),
        }
    }
}

impl<S: Sink> SinkJob<S> {
    pub fn new(sink: S) -> Self {
        SinkJob {
            sink,
            job_id: JobId::from_name("job"),
            operator_name: "sink",
            checkpointing: true,
            next_checkpoint: 1,
            checkpoints: BTreeMap::new(),
            instances: Vec::new(),
        }
    }

    /// Drops all instances as a crash does, and starts others.
    pub fn start(&mut self, start: Start, parallelism: u32) -> Result<()> {
        self.instances.clear();
        let snapshot = match start {
            Start::Fresh => None,
            Start::Recover(id) | Start::Savepoint(id) => Some(self.checkpoints.get(&id).unwrap()),
        };
        let parts = match snapshot {
            Some(old) => redistribute_operator_state(old, parallelism as usize),
            None => vec![Vec::new(); parallelism as usize],
        };
        let clock: std::sync::Arc<dyn Clock> = ManualClock::new(0);
        for (subtask_index, handles) in (0..).zip(parts) {
            let mut state = OperatorStateBackend::restore(&handles, &Memory)?;
            let restored_checkpoint_id = match start {
                Start::Recover(id) => Some(id),
                _ => None,
            };
            let committer = self.sink.create_committer(&CommitterInitContext {
                job_id: self.job_id,
                operator_name: self.operator_name,
                subtask_index,
                parallelism,
                restored_checkpoint_id,
                clock: clock.clone(),
            })?;
            let place = (subtask_index, parallelism);
            let committables = committer
                .map(|c| CommittableCollector::open(c, &mut state, place, 3, &MetricGroup::default()))
                .transpose()?;
            let writer = self.sink.create_writer(&mut WriterInitContext {
                job_id: self.job_id,
                operator_name: self.operator_name,
                subtask_index,
                parallelism,
                restored_checkpoint_id,
                first_checkpoint_id: self.next_checkpoint,
                checkpointing_enabled: self.checkpointing,
                state: &mut state,
                clock: clock.clone(),
            })?;
            self.instances.push(Instance {
                writer,
                committables,
                state,
            });
        }
        Ok(())
    }

    pub fn write(&mut self, instance: usize, value: S::In) -> Result<()> {
        let ctx = SinkContext {
            timestamp: NO_TIMESTAMP,
            watermark: i64::MIN,
        };
        self.instances[instance].writer.write(value, &ctx)
    }

    /// The first phase on every instance, and the snapshot. Answers the checkpoint's id.
    pub fn prepare(&mut self) -> Result<u64> {
        let id = self.next_checkpoint;
        self.next_checkpoint += 1;
        let mut snapshot = Vec::new();
        for instance in &mut self.instances {
            instance.prepare(id)?;
            snapshot.push(instance.state.snapshot().write(&Memory)?.into_iter().collect());
        }
        self.checkpoints.insert(id, snapshot);
        Ok(id)
    }

    /// The second phase on every instance.
    pub fn complete(&mut self, id: u64) -> Result<()> {
        self.instances.iter_mut().try_for_each(|i| i.complete(id))
    }

    /// No record will come for this instance.
    pub fn end_input(&mut self, instance: usize) -> Result<()> {
        let instance = &mut self.instances[instance];
        instance.writer.flush(true)?;
        if self.checkpointing {
            return Ok(());
        }
        instance.prepare(0)?;
        instance.complete(0)
    }

    /// Both phases.
    pub fn checkpoint(&mut self) -> Result<u64> {
        let id = self.prepare()?;
        self.complete(id)?;
        Ok(id)
    }
}
