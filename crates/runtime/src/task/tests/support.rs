//! Small jobs for the tests of tasks: a source of numbers, a sink that keeps what it gets, and their wiring.

use crate::channel::{GateConfig, InputGate, Partitioner, RecordWriter, SendMode};
use crate::element::{RecordBatch, WatermarkStatus};
use crate::graph::{ChainFactory, Exchange, OperatorDescription, TaskOutput};
use crate::in_flight::{ChannelPart, InputChannel, RestoredChannel, StreamElementCodec};
use crate::operator::{
    ChainLink, ChainOutput, ChainVisitor, ChainedOperator, OneInputHead, OneInputOperator, OperatorContext,
    RestoredState, SnapshotFuture, StreamOperator, TaskInfo, VisitOrder, WatermarkGauge,
};
use crate::task::*;
use millpond_api::{InputStatus, NO_TIMESTAMP, Output, Watermark};
use millpond_checkpoint::barrier::{AlignmentType, CheckpointBarrier, CheckpointKind, CheckpointingMode};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::host::Clock;
use millpond_core::{Configuration, Error, JobId, OperatorId, Result};
use millpond_state::handle::{
    ByteStreamStateHandle, InputChannelInfo, OperatorStateHandle, OperatorSubtaskState, StreamStateHandle,
};
use millpond_state::stream::CheckpointStreamFactory;
use millpond_state::stream::memory::MemoryStreams;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(super) const MAX_PARALLELISM: u32 = 128;

/// A log that several tasks write to.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Storage in memory that may refuse.
pub(super) struct Storage {
    pub(super) streams: MemoryStreams,
    pub(super) refuses: bool,
}

impl CheckpointStorageAccess for Storage {
    fn stream_factory(&self, _barrier: &CheckpointBarrier) -> Result<Arc<dyn CheckpointStreamFactory>> {
        if self.refuses {
            return Err(Error::new(
                millpond_core::ErrorKind::Io,
                "create checkpoint folder",
                "the disk is full",
            ));
        }
        Ok(Arc::new(self.streams.clone()))
    }
}

/// Runs a snapshot at once, on the task's own thread.
pub(super) struct AtOnce;

impl SnapshotExecutor for AtOnce {
    fn execute(&self, job: SnapshotJob) {
        job();
    }
}

/// Numbers as operator state.
pub(super) fn state_of(numbers: &[i64]) -> OperatorSubtaskState {
    let data: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let stream = StreamStateHandle::ByteStream(ByteStreamStateHandle {
        name: "numbers".into(),
        data: data.into(),
    });
    OperatorSubtaskState {
        managed_operator: vec![OperatorStateHandle {
            states: BTreeMap::new(),
            stream,
        }],
        ..Default::default()
    }
}

/// The numbers of [`state_of`].
pub(super) fn numbers_in(state: &OperatorSubtaskState) -> Vec<i64> {
    let Some(StreamStateHandle::ByteStream(b)) = state.managed_operator.first().map(|h| &h.stream) else {
        return Vec::new();
    };
    b.data
        .as_chunks::<8>()
        .0
        .iter()
        .map(|c| i64::from_le_bytes(*c))
        .collect()
}

pub(super) fn barrier(checkpoint: u64, kind: CheckpointKind) -> CheckpointBarrier {
    CheckpointBarrier::new(checkpoint, 0, kind)
}

pub(super) fn checkpoint(id: u64) -> TaskControl {
    TaskControl::TriggerCheckpoint(barrier(id, CheckpointKind::Checkpoint))
}

/// The trigger of a checkpoint whose barriers may overtake.
pub(super) fn checkpoint_as(id: u64, timestamp_ms: i64, alignment: AlignmentType) -> TaskControl {
    TaskControl::TriggerCheckpoint(CheckpointBarrier {
        timestamp_ms,
        alignment,
        ..barrier(id, CheckpointKind::Checkpoint)
    })
}

/// What a [`Numbers`] source does.
#[derive(Clone, Copy)]
pub(super) struct NumbersConfig {
    /// It emits its subtask number, then every `parallelism`-th number below this.
    pub(super) end: i64,
    /// So many a poll.
    pub(super) per_poll: usize,
    /// Waits so long between polls.
    pub(super) pause_ms: Option<i64>,
    /// Whether a watermark follows each poll.
    pub(super) watermarks: bool,
}

/// Emits numbers with themselves as timestamps and perhaps a watermark after each poll; its state is the next number.
pub(super) struct Numbers {
    pub(super) config: NumbersConfig,
    operator: NumbersOperator,
    out: Box<dyn ChainOutput<i64>>,
}

struct NumbersOperator {
    id: OperatorId,
    next: i64,
    step: i64,
    clock: Option<Arc<dyn Clock>>,
    resume_ms: i64,
    log: Log,
}

impl Numbers {
    pub(super) fn chain(
        task: &TaskInfo,
        config: NumbersConfig,
        id: OperatorId,
        log: Log,
        out: Box<dyn ChainOutput<i64>>,
    ) -> Box<dyn TaskChain> {
        let operator = NumbersOperator {
            id,
            next: i64::from(task.subtask_index),
            step: i64::from(task.parallelism),
            clock: None,
            resume_ms: i64::MIN,
            log,
        };
        Box::new(Numbers {
            config,
            operator,
            out,
        })
    }
}

impl TaskChain for Numbers {
    fn process_records(
        &mut self,
        _input: usize,
        _records: RecordBatch,
        _interrupt: Interrupt<'_>,
    ) -> Result<Option<RecordBatch>> {
        Err(Error::illegal_state("take records", "a source has no input"))
    }
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.out.emit_watermark(watermark)
    }
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.out.emit_watermark_status(status)
    }
    fn poll_source(&mut self) -> Result<InputStatus> {
        let operator = &mut self.operator;
        let now_ms = operator.clock.as_ref().unwrap().now_ms();
        if now_ms < operator.resume_ms {
            return Ok(InputStatus::NothingAvailableUntil(operator.resume_ms));
        }
        for _ in 0..self.config.per_poll {
            if operator.next >= self.config.end {
                return Ok(InputStatus::EndOfInput);
            }
            self.out.collect(operator.next, operator.next)?;
            operator.next += operator.step;
        }
        if self.config.watermarks {
            self.out
                .emit_watermark(Watermark::new(operator.next - operator.step))?;
        }
        match self.config.pause_ms {
            None => Ok(InputStatus::MoreAvailable),
            Some(pause_ms) => {
                operator.resume_ms = now_ms + pause_ms;
                Ok(InputStatus::NothingAvailableUntil(operator.resume_ms))
            }
        }
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        if visitor.order() == VisitOrder::UpstreamFirst {
            visitor.operator(&mut self.operator)?;
            return self.out.visit(visitor);
        }
        self.out.visit(visitor)?;
        visitor.operator(&mut self.operator)
    }
}

impl StreamOperator for NumbersOperator {
    fn operator_id(&self) -> OperatorId {
        self.id
    }
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()> {
        self.clock = Some(ctx.clock);
        if let Some(next) = ctx.restored.and_then(|r| numbers_in(&r.state).first().copied()) {
            self.next = next;
        }
        Ok(())
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<SnapshotFuture> {
        self.log.add(format!("source snapshot {}", barrier.checkpoint));
        let next = self.next;
        Ok(Box::new(move |_| Ok(state_of(&[next]))))
    }
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    fn end_input(&mut self) -> Result<()> {
        self.log.add("source end");
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        None
    }
    fn advance_processing_time(&mut self, _now_ms: i64) -> Result<()> {
        Ok(())
    }
    fn close(&mut self) -> Result<()> {
        self.log.add("source close");
        Ok(())
    }
}

/// How a [`Keep`] sink misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    PanicAt(i64),
    ErrorAt(i64),
    PanicInOpen,
    SyncSnapshot,
    AsyncSnapshot,
    PanicInAsyncSnapshot,
}

/// Keeps what it gets and logs what happens to it; its state is all numbers so far.
pub(super) struct Keep {
    pub(super) fault: Fault,
    pub(super) log: Log,
    pub(super) subtask: u32,
    pub(super) numbers: Vec<i64>,
    /// Its one processing-time timer.
    pub(super) timer_ms: Option<i64>,
}

impl ChainedOperator for Keep {
    type Out = i64;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<i64>) -> Result<()> {
        assert!(self.fault != Fault::PanicInOpen, "cannot open");
        if let Some(restored) = ctx.restored {
            self.numbers = numbers_in(&restored.state);
        }
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark, _out: &mut dyn ChainOutput<i64>) -> Result<()> {
        if watermark == Watermark::MAX {
            self.log.add("max watermark");
        }
        Ok(())
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        if self.fault == Fault::SyncSnapshot {
            return Err(Error::user("no snapshot today"));
        }
        self.log.add(format!("snapshot {}", barrier.checkpoint));
        let (numbers, fault) = (self.numbers.clone(), self.fault);
        Ok(Some(Box::new(move |_| {
            assert!(fault != Fault::PanicInAsyncSnapshot, "cannot serialize");
            if fault == Fault::AsyncSnapshot {
                return Err(Error::user("upload failed"));
            }
            Ok(state_of(&numbers))
        })))
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        self.log.add(format!("complete {checkpoint_id}"));
        Ok(())
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        self.log.add(format!("aborted {checkpoint_id}"));
        Ok(())
    }
    fn end_input(&mut self, _out: &mut dyn ChainOutput<i64>) -> Result<()> {
        self.log.add("end");
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.timer_ms
    }
    fn advance_processing_time(&mut self, now_ms: i64, _out: &mut dyn ChainOutput<i64>) -> Result<()> {
        self.log.add(format!("timer at {now_ms}"));
        self.timer_ms = None;
        Ok(())
    }
    fn close(&mut self) -> Result<()> {
        self.log.add("close");
        Ok(())
    }
}

impl OneInputOperator for Keep {
    type In = i64;

    fn process_element(
        &mut self,
        value: i64,
        _timestamp: i64,
        _out: &mut dyn ChainOutput<i64>,
    ) -> Result<()> {
        assert!(
            self.fault != Fault::PanicAt(value),
            "number {value} is not welcome"
        );
        if self.fault == Fault::ErrorAt(value) {
            return Err(Error::user("cannot keep").with("number", value));
        }
        self.numbers.push(value);
        self.log.add(format!("{}:{value}", self.subtask));
        Ok(())
    }
}

/// Nothing stands behind it.
pub(super) struct Nowhere;

impl<T> Output<T> for Nowhere {
    fn collect(&mut self, _value: T, _timestamp: i64) -> Result<()> {
        Ok(())
    }
}

impl<T> ChainOutput<T> for Nowhere {
    fn emit_watermark(&mut self, _watermark: Watermark) -> Result<()> {
        Ok(())
    }
    fn emit_watermark_status(&mut self, _status: WatermarkStatus) -> Result<()> {
        Ok(())
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        WatermarkGauge::default()
    }
    fn visit(&mut self, _visitor: &mut dyn ChainVisitor) -> Result<()> {
        Ok(())
    }
}

/// The chain whose one operator is `operator`, with nothing behind it.
pub(super) fn head(operator: impl OneInputOperator, id: OperatorId) -> Box<dyn TaskChain> {
    Box::new(OneInputHead::new(ChainLink::new(operator, id, Box::new(Nowhere))))
}

/// A factory from a closure.
pub(super) struct Factory<F>(pub(super) F);

impl<F> ChainFactory for Factory<F>
where
    F: Fn(&TaskInfo, Vec<TaskOutput>) -> Result<Box<dyn TaskChain>> + Send + Sync,
{
    fn create(&self, task: &TaskInfo, outputs: Vec<TaskOutput>) -> Result<Box<dyn TaskChain>> {
        (self.0)(task, outputs)
    }
}

/// The number's key group, for hash edges.
pub(super) fn key_group(value: &i64) -> u32 {
    millpond_types::key_group::key_group_for_hash(*value as i32, MAX_PARALLELISM)
}

/// What checkpoints know of the channel from source `channel`.
pub(super) fn channel_from(channel: u32) -> InputChannel {
    InputChannel {
        info: InputChannelInfo { gate: 0, channel },
        codec: Some(Arc::new(codec())),
    }
}

/// Writes numbers in flight.
pub(super) fn codec() -> StreamElementCodec<i64> {
    StreamElementCodec::new(
        <i64 as millpond_types::StateType>::serializer(),
        Some(Arc::new(key_group)),
    )
}

/// Sources of numbers, an edge, sinks that keep them.
pub(super) struct Job {
    pub(super) sources: u32,
    pub(super) sinks: u32,
    pub(super) exchange: Exchange,
    pub(super) numbers: NumbersConfig,
    pub(super) fault: Fault,
    pub(super) timer_ms: Option<i64>,
    pub(super) mode: SendMode,
    pub(super) checkpointing: CheckpointingMode,
    /// Whether barriers may overtake records.
    pub(super) overtaking: bool,
    pub(super) streams: MemoryStreams,
    pub(super) storage_refuses: bool,
    pub(super) restored: BTreeMap<TaskId, OperatorSubtaskState>,
    pub(super) config: Configuration,
    pub(super) log: Log,
}

impl Job {
    /// Two sources, two sinks, a hash edge, 200 numbers.
    pub(super) fn new(mode: SendMode) -> Self {
        Job {
            sources: 2,
            sinks: 2,
            exchange: Exchange::Hash,
            numbers: NumbersConfig {
                end: 200,
                per_poll: 7,
                pause_ms: None,
                watermarks: true,
            },
            fault: Fault::None,
            timer_ms: None,
            mode,
            checkpointing: CheckpointingMode::ExactlyOnce,
            overtaking: false,
            streams: MemoryStreams::default(),
            storage_refuses: false,
            restored: BTreeMap::new(),
            config: Configuration::new(),
            log: Log::default(),
        }
    }

    pub(super) fn source_ids(&self) -> Vec<TaskId> {
        (0..self.sources)
            .map(|subtask| TaskId { vertex: 0, subtask })
            .collect()
    }

    pub(super) fn deploy(&self, clock: &Arc<dyn Clock>, executor: &Arc<dyn SnapshotExecutor>) -> Deployed {
        let gate = |channels: u32| {
            let config = GateConfig {
                capacity: 4,
                overdraft: 0,
                overtaking: self.overtaking,
                mode: self.mode,
                ..GateConfig::new(vec![0; channels as usize])
            };
            InputGate::new(config, clock.clone())
        };
        let sources: Vec<_> = (0..self.sources).map(|_| gate(0)).collect();
        let forward = self.exchange == Exchange::Forward;
        let fan_in = if forward { 1 } else { self.sources };
        let sinks: Vec<_> = (0..self.sinks).map(|_| gate(fan_in)).collect();
        let outputs: Vec<Vec<_>> = (0..)
            .zip(&sources)
            .map(|(s, source)| match forward {
                true => vec![sinks[s].connect(0, source).unwrap()],
                false => sinks
                    .iter()
                    .map(|sink| sink.connect(s, source).unwrap())
                    .collect(),
            })
            .collect();
        let events = Arc::<Mutex<Vec<TaskEvent>>>::default();
        let mut deployed = Deployed {
            tasks: Vec::new(),
            mailboxes: BTreeMap::new(),
            events: events.clone(),
        };
        let all = sources.into_iter().zip(outputs).map(|(gate, channels)| {
            let max_parallelism = MAX_PARALLELISM;
            (
                0,
                gate,
                vec![TaskOutput {
                    channels,
                    max_parallelism,
                }],
            )
        });
        let all = all.chain(sinks.into_iter().map(|gate| (1, gate, Vec::new())));
        let mut subtasks = [0, 0];
        for (vertex, gate, outputs) in all {
            let subtask = subtasks[vertex];
            subtasks[vertex] += 1;
            let id = TaskId {
                vertex: vertex as u32,
                subtask,
            };
            deployed.mailboxes.insert(id, gate.mailbox());
            let task = self.deployment(id, gate, outputs, clock.clone(), executor.clone(), events.clone());
            deployed.tasks.push(task);
        }
        deployed
    }

    fn deployment(
        &self,
        id: TaskId,
        gate: InputGate,
        outputs: Vec<TaskOutput>,
        clock: Arc<dyn Clock>,
        executor: Arc<dyn SnapshotExecutor>,
        events: Arc<Mutex<Vec<TaskEvent>>>,
    ) -> TaskDeployment {
        let is_source = id.vertex == 0;
        let (name, parallelism) = if is_source {
            ("numbers", self.sources)
        } else {
            ("keep", self.sinks)
        };
        let operator = OperatorId::from_uid(name);
        let restored = (!self.restored.is_empty()).then(|| RestoredState {
            state: self.restored.get(&id).cloned().unwrap_or_default(),
        });
        TaskDeployment {
            info: TaskInfo {
                job_id: JobId::from_name("test"),
                task_name: name.into(),
                subtask_index: id.subtask,
                parallelism,
                max_parallelism: MAX_PARALLELISM,
                attempt: 3,
                started_with: 0,
            },
            id,
            is_source,
            factory: if is_source {
                self.source_factory(operator)
            } else {
                self.sink_factory(operator)
            },
            operators: vec![OperatorDeployment {
                description: OperatorDescription {
                    id: operator,
                    uid: Some(name.into()),
                    name: name.into(),
                },
                restored,
                metrics: Arc::default(),
            }],
            channels: (0..gate.channels() as u32).map(channel_from).collect(),
            in_flight: self.in_flight_of(id),
            gate,
            outputs,
            checkpointing: TaskCheckpointing {
                enabled: true,
                mode: self.checkpointing,
                overtaking: self.overtaking,
                storage: Arc::new(Storage {
                    streams: self.streams.clone(),
                    refuses: self.storage_refuses,
                }),
                executor,
                recovered_checkpoint_id: None,
                first_checkpoint_id: 1,
            },
            clock,
            config: Arc::new(self.config.clone()),
            serializers: Arc::default(),
            state_reader: Arc::new(self.streams.clone()),
            events: Arc::new(move |event| events.lock().unwrap().push(event)),
        }
    }

    /// The records in flight of the restored state, back into the channels that they were in.
    fn in_flight_of(&self, id: TaskId) -> Vec<RestoredChannel> {
        let state = self.restored.get(&id).cloned().unwrap_or_default();
        let restored = state.input_channel.into_iter().map(|handle| RestoredChannel {
            channel: handle.info.channel as usize,
            parts: vec![ChannelPart {
                stream: handle.stream,
                offset: handle.offsets[0],
            }],
            key_groups: None,
            watermarks: true,
        });
        restored.collect()
    }

    fn source_factory(&self, operator: OperatorId) -> Arc<dyn ChainFactory> {
        let (log, exchange, numbers) = (self.log.clone(), self.exchange, self.numbers);
        Arc::new(Factory(move |task: &TaskInfo, mut outputs: Vec<TaskOutput>| {
            let partitioner = match exchange {
                Exchange::Forward => Partitioner::Forward,
                Exchange::Rebalance => Partitioner::Rebalance,
                Exchange::Broadcast => Partitioner::broadcast(),
                Exchange::Hash => Partitioner::hash(MAX_PARALLELISM, key_group),
            };
            let writer = RecordWriter::new(outputs.remove(0).channels, partitioner)?.with_batch_size(5);
            Ok(Numbers::chain(
                task,
                numbers,
                operator,
                log.clone(),
                Box::new(writer),
            ))
        }))
    }

    fn sink_factory(&self, operator: OperatorId) -> Arc<dyn ChainFactory> {
        let (log, fault, timer_ms) = (self.log.clone(), self.fault, self.timer_ms);
        Arc::new(Factory(move |task: &TaskInfo, _outputs| {
            let subtask = task.subtask_index;
            let keep = Keep {
                fault,
                log: log.clone(),
                subtask,
                numbers: Vec::new(),
                timer_ms,
            };
            Ok(head(keep, operator))
        }))
    }
}

/// A job's tasks before they run, and how to talk with them.
pub(super) struct Deployed {
    pub(super) tasks: Vec<TaskDeployment>,
    pub(super) mailboxes: BTreeMap<TaskId, TaskMailbox>,
    pub(super) events: Arc<Mutex<Vec<TaskEvent>>>,
}

impl Deployed {
    pub(super) fn send_all(&self, control: TaskControl) {
        self.mailboxes.values().for_each(|m| m.send(control.clone()));
    }
    pub(super) fn send(&self, tasks: &[TaskId], control: TaskControl) {
        tasks.iter().for_each(|t| self.mailboxes[t].send(control.clone()));
    }
    pub(super) fn take_events(&self) -> Vec<TaskEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
    /// How many events so far are of a kind.
    pub(super) fn count(&self, is: fn(&TaskEventKind) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| is(&e.kind)).count()
    }
}

/// The timestamp of records that have none, for tests that don't care.
pub(super) const NONE: i64 = NO_TIMESTAMP;
