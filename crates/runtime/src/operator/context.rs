//! What an operator gets when it is initialized.

use super::WatermarkGauge;
use millpond_api::function::MetricGroup;
use millpond_core::config::options;
use millpond_core::host::Clock;
use millpond_core::{Configuration, JobId, OperatorId, Result};
use millpond_state::gauge::Gauges;
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::metrics::StateMetrics;
use millpond_state::operator_state::OperatorStateBackend;
use millpond_state::stream::StateHandleReader;
use millpond_types::SerializerRegistry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Where a task stands in its job.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// The job.
    pub job_id: JobId,
    /// The vertex's name: the names of its operators joined by ` -> `.
    pub task_name: String,
    /// Which parallel instance this is, from 0.
    pub subtask_index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// How many key groups the vertex's keyed state has.
    pub max_parallelism: u32,
    /// Which start of tasks this is: rises with each restart, of all tasks or some.
    pub attempt: u32,
    /// The attempt in which all tasks of the job were last started together: the same in each of them.
    pub started_with: u32,
}

/// What one operator instance was restored with.
#[derive(Clone, Debug, Default)]
pub struct RestoredState {
    /// The operator's state from the snapshot, already redistributed: keyed handles may hold more key groups than this
    /// instance owns.
    pub state: OperatorSubtaskState,
}

/// Counters of one operator instance, read by whoever shows the job.
#[derive(Debug, Default)]
pub struct OperatorMetrics {
    /// Records that came in.
    pub records_in: AtomicU64,
    /// Records that went out.
    pub records_out: AtomicU64,
    /// Bytes of its state in the last snapshot. Flink's `currentStateSize`.
    pub state_size_bytes: AtomicU64,
    /// What its user function counts.
    pub user: MetricGroup,
    /// What its keyed states show, where they are asked to.
    pub keyed_state: StateMetrics,
    /// What its state backend shows.
    pub gauges: Gauges,
    /// The watermarks before and behind it, once it is open.
    watermarks: OnceLock<(Option<WatermarkGauge>, WatermarkGauge)>,
}

impl OperatorMetrics {
    /// Shows the watermarks that come in (a source has none) and go out.
    pub fn show_watermarks(&self, input: Option<WatermarkGauge>, output: WatermarkGauge) {
        // An instance is opened once.
        let _ = self.watermarks.set((input, output));
    }
    /// The last watermark that came in; [`i64::MIN`] before the first. `None` for a source, and before it is open.
    pub fn input_watermark(&self) -> Option<i64> {
        self.watermarks.get()?.0.as_ref().map(WatermarkGauge::get)
    }
    /// The last watermark that went out; [`i64::MIN`] before the first.
    pub fn output_watermark(&self) -> i64 {
        self.watermarks.get().map_or(i64::MIN, |(_, output)| output.get())
    }
    /// Notes how many bytes the last snapshot took.
    pub fn set_state_size(&self, bytes: u64) {
        self.state_size_bytes.store(bytes, Ordering::Relaxed);
    }
}

/// What an operator gets when it is initialized.
#[derive(Clone)]
pub struct OperatorContext {
    /// Where its task stands.
    pub task: TaskInfo,
    /// Its identity.
    pub operator_id: OperatorId,
    /// Its uid, or its name where it has none.
    pub operator_name: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The job's options.
    pub config: Arc<Configuration>,
    /// The serializers that the job registered.
    pub serializers: Arc<SerializerRegistry>,
    /// The state it is restored with. `None`: the job starts afresh. An operator that the snapshot doesn't know gets
    /// `Some` with nothing in it.
    pub restored: Option<RestoredState>,
    /// Reads what the restored handles name.
    pub state_reader: Arc<dyn StateHandleReader>,
    /// The checkpoint that this very job recovered from by itself; `None` for a fresh start and for a start from a savepoint.
    pub recovered_checkpoint_id: Option<u64>,
    /// The id of the first checkpoint that this attempt can take.
    pub first_checkpoint_id: u64,
    /// Whether checkpoints will come.
    pub checkpointing_enabled: bool,
    /// Its counters.
    pub metrics: Arc<OperatorMetrics>,
}

impl OperatorContext {
    /// The instance's operator state, with what was restored of it.
    ///
    /// # Errors
    /// As [`OperatorStateBackend::restore`]; Config when an option is wrong.
    pub fn operator_state(&self) -> Result<OperatorStateBackend> {
        let restored = self
            .restored
            .as_ref()
            .map(|r| r.state.managed_operator.as_slice());
        let backend = OperatorStateBackend::restore(restored.unwrap_or_default(), &*self.state_reader)?;
        Ok(backend
            .with_serializers(Arc::clone(&self.serializers))
            .compressed(self.compresses_snapshots()?))
    }

    /// Whether snapshots are compressed: `execution.checkpointing.snapshot-compression`.
    ///
    /// # Errors
    /// Config when the option is wrong.
    pub fn compresses_snapshots(&self) -> Result<bool> {
        Ok(self.config.get(&options::SNAPSHOT_COMPRESSION)?.unwrap_or(false))
    }
}
