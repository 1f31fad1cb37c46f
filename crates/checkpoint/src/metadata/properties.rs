//! What kind of snapshot a checkpoint is and when it may be deleted: Flink's `CheckpointProperties`.
//!
//! In `_metadata` from version 4 on they stand at the end, as Java's `ObjectOutputStream` writes them.

use super::java::{self, Object, Value};
use crate::barrier::SavepointFormat;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput};

/// Flink's `CheckpointProperties`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointProperties {
    /// Checkpoint or savepoint.
    pub snapshot_type: SnapshotType,
    /// Whether it is taken although other checkpoints are under way.
    pub forced: bool,
    /// Whether it is deleted once newer checkpoints take its place.
    pub discard_subsumed: bool,
    /// Whether it is deleted when the job finishes.
    pub discard_finished: bool,
    /// Whether it is deleted when the job is cancelled.
    pub discard_cancelled: bool,
    /// Whether it is deleted when the job fails for good.
    pub discard_failed: bool,
    /// Whether it is deleted when the job is suspended.
    pub discard_suspended: bool,
    /// Whether it was restored from without being claimed: it belongs to somebody else.
    pub unclaimed: bool,
}

/// Flink's `SnapshotType`: `CheckpointType` or `SavepointType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotType {
    /// A checkpoint, full or incremental.
    Checkpoint,
    /// A checkpoint that shares no file with earlier ones.
    FullCheckpoint,
    /// A savepoint.
    Savepoint {
        /// What happens to the job after it.
        action: PostCheckpointAction,
        /// Which format keyed state has in it.
        format: SavepointFormat,
    },
}

/// Flink's `SavepointType.PostCheckpointAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostCheckpointAction {
    /// The job goes on.
    None,
    /// The job stops; sources may have more to say (`stop`).
    Suspend,
    /// The job stops after every source was told that its input ended (`stop --drain`).
    Terminate,
}

impl CheckpointProperties {
    /// The properties of a savepoint, which nobody but its owner deletes.
    pub fn savepoint(action: PostCheckpointAction, format: SavepointFormat) -> Self {
        CheckpointProperties {
            snapshot_type: SnapshotType::Savepoint { action, format },
            forced: false,
            discard_subsumed: false,
            discard_finished: false,
            discard_cancelled: false,
            discard_failed: false,
            discard_suspended: false,
            unclaimed: false,
        }
    }
    /// Whether it is a savepoint.
    pub fn is_savepoint(&self) -> bool {
        matches!(self.snapshot_type, SnapshotType::Savepoint { .. })
    }
}

const PROPERTIES_CLASS: &str = "org.apache.flink.runtime.checkpoint.CheckpointProperties";
const CHECKPOINT_CLASS: &str = "org.apache.flink.runtime.checkpoint.CheckpointType";
const SAVEPOINT_CLASS: &str = "org.apache.flink.runtime.checkpoint.SavepointType";
const SHARING_CLASS: &str = "org.apache.flink.runtime.checkpoint.SnapshotType$SharingFilesStrategy";
const FORMAT_CLASS: &str = "org.apache.flink.core.execution.SavepointFormatType";
const ACTION_CLASS: &str = "org.apache.flink.runtime.checkpoint.SavepointType$PostCheckpointAction";
/// Java computes these two from the classes; they are the same from Flink 1.20 to 2.3.
const CHECKPOINT_SERIAL: u64 = 0xd6de_4f03_05ae_1d3a;
const SAVEPOINT_SERIAL: u64 = 0xa087_d308_a458_14b8;
/// `java.lang.Enum`'s place among the stream's handles in a savepoint, where a second enum refers to it.
const ENUM_CLASS_HANDLE: u32 = 9;

impl CheckpointProperties {
    /// Appends them as Java's `ObjectOutputStream` would.
    pub(super) fn write_java(&self, out: &mut DataOutput) -> Result<()> {
        out.write_u32(java::STREAM_MAGIC);
        out.write_u8(java::TC_OBJECT);
        java::write_class(out, PROPERTIES_CLASS, 2, java::SC_SERIALIZABLE, 8)?;
        let flags = [
            ("discardCancelled", self.discard_cancelled),
            ("discardFailed", self.discard_failed),
            ("discardFinished", self.discard_finished),
            ("discardSubsumed", self.discard_subsumed),
            ("discardSuspended", self.discard_suspended),
            ("forced", self.forced),
            ("unclaimed", self.unclaimed),
        ];
        for (name, _) in flags {
            out.write_u8(b'Z');
            out.write_utf(name)?;
        }
        object_field(
            out,
            "checkpointType",
            "org.apache.flink.runtime.checkpoint.SnapshotType",
        )?;
        java::end_class(out);
        for (_, value) in flags {
            out.write_bool(value);
        }
        match self.snapshot_type {
            SnapshotType::Checkpoint => write_checkpoint(out, "Checkpoint", "FORWARD_BACKWARD"),
            SnapshotType::FullCheckpoint => write_checkpoint(out, "Full Checkpoint", "FORWARD"),
            SnapshotType::Savepoint { action, format } => write_savepoint(out, action, format),
        }
    }

    /// Reads what [`CheckpointProperties::write_java`] or Flink wrote.
    pub(super) fn read_java(input: &mut DataInput<'_>) -> Result<Self> {
        let object = java::read_object(input)?;
        if object.class != PROPERTIES_CLASS {
            return Err(bad("an object of another class").with("class", &object.class));
        }
        let flag = |name: &str| matches!(object.field(name), Some(Value::Bool(true)));
        let Some(Value::Object(kind)) = object.field("checkpointType") else {
            return Err(bad("no type of snapshot"));
        };
        Ok(CheckpointProperties {
            snapshot_type: read_type(kind)?,
            forced: flag("forced"),
            discard_subsumed: flag("discardSubsumed"),
            discard_finished: flag("discardFinished"),
            discard_cancelled: flag("discardCancelled"),
            discard_failed: flag("discardFailed"),
            discard_suspended: flag("discardSuspended"),
            unclaimed: flag("unclaimed"),
        })
    }
}

fn read_type(kind: &Object) -> Result<SnapshotType> {
    let text = |name: &str| match kind.field(name) {
        Some(Value::Text(t) | Value::Enum(t)) => t.as_str(),
        _ => "",
    };
    match kind.class.as_str() {
        CHECKPOINT_CLASS if text("name") == "Full Checkpoint" => Ok(SnapshotType::FullCheckpoint),
        CHECKPOINT_CLASS => Ok(SnapshotType::Checkpoint),
        SAVEPOINT_CLASS => Ok(SnapshotType::Savepoint {
            action: match text("postCheckpointAction") {
                "NONE" => PostCheckpointAction::None,
                "SUSPEND" => PostCheckpointAction::Suspend,
                "TERMINATE" => PostCheckpointAction::Terminate,
                other => return Err(bad("unknown action after a savepoint").with("action", other)),
            },
            format: match text("formatType") {
                "CANONICAL" => SavepointFormat::Canonical,
                "NATIVE" => SavepointFormat::Native,
                other => return Err(bad("unknown format of a savepoint").with("format", other)),
            },
        }),
        other => Err(bad("unknown type of snapshot").with("class", other)),
    }
}

fn write_checkpoint(out: &mut DataOutput, name: &str, sharing: &str) -> Result<()> {
    out.write_u8(java::TC_OBJECT);
    java::write_class(out, CHECKPOINT_CLASS, CHECKPOINT_SERIAL, java::SC_SERIALIZABLE, 2)?;
    object_field(out, "name", "java.lang.String")?;
    object_field(out, "sharingFilesStrategy", SHARING_CLASS)?;
    java::end_class(out);
    java::write_string(out, name)?;
    write_enum(out, SHARING_CLASS, sharing, None)
}

fn write_savepoint(
    out: &mut DataOutput,
    action: PostCheckpointAction,
    format: SavepointFormat,
) -> Result<()> {
    out.write_u8(java::TC_OBJECT);
    java::write_class(out, SAVEPOINT_CLASS, SAVEPOINT_SERIAL, java::SC_SERIALIZABLE, 3)?;
    object_field(out, "formatType", FORMAT_CLASS)?;
    object_field(out, "name", "java.lang.String")?;
    object_field(out, "postCheckpointAction", ACTION_CLASS)?;
    java::end_class(out);
    let format = match format {
        SavepointFormat::Canonical => "CANONICAL",
        SavepointFormat::Native => "NATIVE",
    };
    let (name, action) = match action {
        PostCheckpointAction::None => ("Savepoint", "NONE"),
        PostCheckpointAction::Suspend => ("Suspend Savepoint", "SUSPEND"),
        PostCheckpointAction::Terminate => ("Terminate Savepoint", "TERMINATE"),
    };
    write_enum(out, FORMAT_CLASS, format, None)?;
    java::write_string(out, name)?;
    write_enum(out, ACTION_CLASS, action, Some(ENUM_CLASS_HANDLE))
}

fn write_enum(out: &mut DataOutput, class: &str, constant: &str, enum_class: Option<u32>) -> Result<()> {
    out.write_u8(java::TC_ENUM);
    java::write_class(out, class, 0, java::SC_ENUM, 0)?;
    out.write_u8(java::TC_ENDBLOCKDATA);
    match enum_class {
        Some(handle) => {
            out.write_u8(java::TC_REFERENCE);
            out.write_u32(java::BASE_HANDLE + handle);
        }
        None => {
            java::write_class(out, "java.lang.Enum", 0, java::SC_ENUM, 0)?;
            java::end_class(out);
        }
    }
    java::write_string(out, constant)
}

fn object_field(out: &mut DataOutput, name: &str, class: &str) -> Result<()> {
    out.write_u8(b'L');
    out.write_utf(name)?;
    java::write_string(out, &format!("L{};", class.replace('.', "/")))
}

fn bad(why: &str) -> Error {
    Error::corrupt("read snapshot properties", why)
}
