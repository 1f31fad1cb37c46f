//! Options of checkpoints and savepoints, and of starting from one.

use super::parsers::{one_of, positive, text};
use crate::config::{Configuration, parse_bool, parse_duration, parse_memory_size, parse_number};
use crate::error::Result;
use std::time::Duration;

options! {
    CHECKPOINTING_INTERVAL: Duration = "execution.checkpointing.interval", None, parse_duration,
        "the time from one checkpoint to the next; unset or 0: no periodic checkpoints";
    CHECKPOINTING_INTERVAL_DURING_BACKLOG: Duration = "execution.checkpointing.interval-during-backlog", None, parse_duration,
        "the time from one checkpoint to the next while a source reports that it works off a backlog: 0 for no checkpoints then, else at least the interval; unset: the interval";
    CHECKPOINTING_MODE: CheckpointingMode = "execution.checkpointing.mode", Some("EXACTLY_ONCE"), mode,
        "EXACTLY_ONCE or AT_LEAST_ONCE";
    CHECKPOINTING_TIMEOUT: Duration = "execution.checkpointing.timeout", Some("10 min"), parse_duration,
        "a checkpoint that takes longer is aborted";
    CHECKPOINTING_MIN_PAUSE: Duration = "execution.checkpointing.min-pause", Some("0 ms"), parse_duration,
        "the least time from the end of one checkpoint to the start of the next";
    MAX_CONCURRENT_CHECKPOINTS: u32 = "execution.checkpointing.max-concurrent-checkpoints", Some("1"), positive,
        "how many checkpoints may be under way at once";
    TOLERABLE_FAILED_CHECKPOINTS: u32 = "execution.checkpointing.tolerable-failed-checkpoints", Some("0"), parse_number,
        "how many checkpoints in a row may fail before the job fails";
    CHECKPOINT_STORAGE: CheckpointStorageKind = "execution.checkpointing.storage" or "state.checkpoint-storage", None, checkpoint_storage,
        "where the state of checkpoints is kept: filesystem (files in execution.checkpointing.dir) or jobmanager (in memory, and in the metadata file if a folder is given: without one it is gone with the process); by default filesystem if a folder is given, else jobmanager";
    MEMORY_MAX_STATE_SIZE: u64 = "$internal.execution.checkpointing.storage.jobmanager.max-state-size" or "execution.checkpointing.storage.jobmanager.max-state-size", Some("5mb"), parse_memory_size,
        "the largest state, per operator instance, that checkpoints with the storage jobmanager take; in Flink an argument of JobManagerCheckpointStorage";
    CHECKPOINTS_AFTER_TASKS_FINISH: bool = "execution.checkpointing.checkpoints-after-tasks-finish" or "execution.checkpointing.checkpoints-after-tasks-finish.enabled", Some("true"), parse_bool,
        "whether checkpoints are still taken when some tasks have read all their input, the final one included that commits the last output; false: none is, and what sinks hold back for a commit is not committed";
    UNALIGNED_ENABLED: bool = "execution.checkpointing.unaligned.enabled" or "execution.checkpointing.unaligned", Some("false"), parse_bool,
        "whether barriers overtake records that wait in channels, which become part of the checkpoint: it then takes as long under backpressure as without, and is larger; for EXACTLY_ONCE and one checkpoint at a time";
    ALIGNED_CHECKPOINT_TIMEOUT: Duration = "execution.checkpointing.aligned-checkpoint-timeout" or "execution.checkpointing.alignment-timeout", Some("0 ms"), parse_duration,
        "with unaligned checkpoints, barriers overtake records only when their checkpoint is older than this; 0: at once";
    UNALIGNED_FORCED: bool = "execution.checkpointing.unaligned.forced", Some("false"), parse_bool,
        "taken and without effect: Flink allows unaligned checkpoints of iterative jobs by it, and there are none here";
    UNALIGNED_INTERRUPTIBLE_TIMERS: bool = "execution.checkpointing.unaligned.interruptible-timers.enabled", Some("false"), parse_bool,
        "with unaligned checkpoints, whether a barrier that overtakes may interrupt the firing of event-time timers: the checkpoint then need not wait until all that a watermark made due have fired";
    UNALIGNED_MAX_SUBTASKS_PER_FILE: u32 = "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file", Some("1"), one,
        "how many tasks share a file of records in flight: only 1, since each task writes its own (Flink's default is 5)";
    CHECKPOINTS_DIR: String = "execution.checkpointing.dir" or "state.checkpoints.dir", None, text,
        "the folder for checkpoints: a path, or a URI file://, s3:// or hdfs://; unset: checkpoints are kept in memory and the job can't come back after its process ends";
    SAVEPOINT_DIR: String = "execution.checkpointing.savepoint-dir" or "state.savepoints.dir", None, text,
        "the folder for savepoints whose request names none";
    NUM_RETAINED: u32 = "execution.checkpointing.num-retained" or "state.checkpoints.num-retained", Some("1"), positive,
        "how many completed checkpoints are kept; more cost space and are what a damaged one is replaced by";
    CHECKPOINT_RETENTION: CheckpointRetention = "execution.checkpointing.externalized-checkpoint-retention" or "execution.checkpointing.externalized-checkpoint-mode", Some("NO_EXTERNALIZED_CHECKPOINTS"), retention,
        "what becomes of checkpoints when the job is cancelled: RETAIN_ON_CANCELLATION, DELETE_ON_CANCELLATION or NO_EXTERNALIZED_CHECKPOINTS (deleted, too); a job that fails for good always keeps them, since they are what it goes on from when it is started again";
    INCREMENTAL: bool = "execution.checkpointing.incremental" or "state.backend.incremental", Some("false"), parse_bool,
        "whether a checkpoint stores only what changed since the one before";
    SNAPSHOT_COMPRESSION: bool = "execution.checkpointing.snapshot-compression", Some("false"), parse_bool,
        "whether state in checkpoints and savepoints is compressed with Snappy: smaller files for more work; files of RocksDB have their own compression and stay as they are";
    DATA_INLINE_THRESHOLD: u64 = "execution.checkpointing.data-inline-threshold" or "state.storage.fs.memory-threshold" or "state.backend.fs.memory-threshold", Some("20kb"), parse_memory_size,
        "state smaller than this stands in the metadata file instead of a file of its own, at most 1 mb";
    WRITE_BUFFER_SIZE: u64 = "execution.checkpointing.write-buffer-size" or "state.storage.fs.write-buffer-size" or "state.backend.fs.write-buffer-size", Some("8mb"), parse_memory_size,
        "how much of a checkpoint file is gathered before it goes out; from 5 mb (which less is raised to) to 64 mb: more uses more memory, less makes more requests";
    FILE_MERGING_ENABLED: bool = "execution.checkpointing.file-merging.enabled", Some("false"), parse_bool,
        "whether small states of a checkpoint are written together into few files: for many tasks, and for stores where a file costs more than its bytes";
    FILE_MERGING_MAX_FILE_SIZE: u64 = "execution.checkpointing.file-merging.max-file-size", Some("32mb"), parse_memory_size,
        "how large a file becomes that small states share; a state larger than this or than the write buffer has a file of its own";
    FILE_MERGING_ACROSS_CHECKPOINTS: bool = "execution.checkpointing.file-merging.across-checkpoint-boundary", Some("false"), within_checkpoint,
        "only false is possible: a merged file belongs to one checkpoint and goes with it";
    LOCAL_BACKUP_ENABLED: bool = "execution.checkpointing.local-backup.enabled" or "state.backend.local-recovery", Some("false"), parse_bool,
        "whether state files are also copied to a local disk, for checkpoints that lie far away";
    LOCAL_BACKUP_DIRS: String = "execution.checkpointing.local-backup.dirs" or "taskmanager.state.local.root-dirs", None, text,
        "folders for local copies of state files, separated by commas: one for each disk; unset: millpond-local-state in the folder for temporary files";
    RECOVER_FROM_LOCAL: bool = "execution.state-recovery.from-local" or "state.backend.local-recovery", Some("false"), parse_bool,
        "whether a restart reads local copies of state files where they are whole, instead of the checkpoint's files";
    CHECKPOINT_HISTORY: u32 = "web.checkpoints.history", Some("10"), positive,
        "how many checkpoints the statistics remember";
    RECOVERY_PATH: String = "execution.state-recovery.path" or "execution.savepoint.path", None, text,
        "the savepoint or checkpoint to start from";
    IGNORE_UNCLAIMED_STATE: bool = "execution.state-recovery.ignore-unclaimed-state" or "execution.savepoint.ignore-unclaimed-state", Some("false"), parse_bool,
        "whether state that belongs to no operator of the job may be left behind";
    CLAIM_MODE: ClaimMode = "execution.state-recovery.claim-mode" or "execution.savepoint-restore-mode", Some("NO_CLAIM"), claim_mode,
        "who owns the snapshot that the job starts from: NO_CLAIM (the user) or CLAIM (the job, which deletes it when it is no longer needed)";
}

/// `execution.checkpointing.storage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointStorageKind {
    /// In memory, and in the metadata file where there is a folder for it. Flink's `JobManagerCheckpointStorage`.
    JobManager,
    /// In files of a folder. Flink's `FileSystemCheckpointStorage`.
    FileSystem,
}

/// `execution.checkpointing.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointingMode {
    /// Each record counts once.
    ExactlyOnce,
    /// Each record counts at least once.
    AtLeastOnce,
}

/// `execution.checkpointing.externalized-checkpoint-retention`. Flink's `ExternalizedCheckpointRetention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointRetention {
    /// Kept when the job is cancelled or fails for good.
    RetainOnCancellation,
    /// Deleted when the job is cancelled, kept when it fails for good.
    DeleteOnCancellation,
    /// Deleted when the job reaches any end.
    NoExternalizedCheckpoints,
}

/// `execution.state-recovery.claim-mode`: whose a snapshot is after a job was started from it. Flink's `RecoveryClaimMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClaimMode {
    /// It is the job's now: deleted when newer checkpoints take its place.
    Claim,
    /// It stays its owner's: never changed or deleted, and no later checkpoint names its files. The default.
    #[default]
    NoClaim,
}

impl Configuration {
    /// The checkpoint interval, `None` when checkpoints are off.
    ///
    /// # Errors
    /// As [`Configuration::get`].
    pub fn checkpoint_interval(&self) -> Result<Option<Duration>> {
        Ok(self.get(&CHECKPOINTING_INTERVAL)?.filter(|d| !d.is_zero()))
    }
}

fn within_checkpoint(text: &str) -> std::result::Result<bool, String> {
    match parse_bool(text)? {
        false => Ok(false),
        true => Err("only false is possible: a merged file belongs to one checkpoint".to_string()),
    }
}

fn one(text: &str) -> std::result::Result<u32, String> {
    match positive(text)? {
        1 => Ok(1),
        _ => Err("only 1 is possible: each task writes a file of its own".to_string()),
    }
}

fn checkpoint_storage(text: &str) -> std::result::Result<CheckpointStorageKind, String> {
    let kinds = [
        ("jobmanager", CheckpointStorageKind::JobManager),
        ("filesystem", CheckpointStorageKind::FileSystem),
    ];
    // Flink also takes the class's name.
    one_of(
        text.rsplit('.')
            .next()
            .unwrap_or(text)
            .trim_end_matches("CheckpointStorage"),
        &kinds,
    )
}

fn mode(text: &str) -> std::result::Result<CheckpointingMode, String> {
    one_of(
        text,
        &[
            ("EXACTLY_ONCE", CheckpointingMode::ExactlyOnce),
            ("AT_LEAST_ONCE", CheckpointingMode::AtLeastOnce),
        ],
    )
}

fn retention(text: &str) -> std::result::Result<CheckpointRetention, String> {
    one_of(
        text,
        &[
            (
                "RETAIN_ON_CANCELLATION",
                CheckpointRetention::RetainOnCancellation,
            ),
            (
                "DELETE_ON_CANCELLATION",
                CheckpointRetention::DeleteOnCancellation,
            ),
            (
                "NO_EXTERNALIZED_CHECKPOINTS",
                CheckpointRetention::NoExternalizedCheckpoints,
            ),
        ],
    )
}

fn claim_mode(text: &str) -> std::result::Result<ClaimMode, String> {
    one_of(
        text,
        &[("NO_CLAIM", ClaimMode::NoClaim), ("CLAIM", ClaimMode::Claim)],
    )
}
