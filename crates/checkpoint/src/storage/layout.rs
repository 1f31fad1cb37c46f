//! Names in the checkpoint folder, as Flink's `AbstractFsCheckpointStorageAccess` lays them out.
//!
//! `<dir>/<job id>/chk-<n>/` with `_metadata`, `_checksums` and the checkpoint's own files, `<dir>/<job id>/shared/` and
//! `<dir>/<job id>/taskowned/`; ours `<dir>/<job id>/epochs/` (see [`crate::storage::fence`]); savepoints in `<target>/savepoint-<6 of the job id>-<12 random>/`.

use millpond_core::{CheckpointId, JobId, host};

/// The file that makes a checkpoint exist.
pub const METADATA_FILE: &str = "_metadata";
/// Our sidecar: length and CRC32C of every file that the checkpoint names.
pub const CHECKSUMS_FILE: &str = "_checksums";
/// Files that several checkpoints may name.
pub const SHARED_FOLDER: &str = "shared";
/// Who owned the job when, and what each found.
pub const EPOCHS_FOLDER: &str = "epochs";
/// In the folder of a checkpoint: the epoch of the process that began it.
pub const CLAIM_FILE: &str = "_epoch";
/// Files that tasks own by themselves.
pub const TASK_OWNED_FOLDER: &str = "taskowned";

const CHECKPOINT_PREFIX: &str = "chk-";

/// The folder of a checkpoint inside the job's folder.
pub fn checkpoint_folder(id: CheckpointId) -> String {
    format!("{CHECKPOINT_PREFIX}{id}")
}

/// The number of a checkpoint's folder, if `name` is one.
pub fn checkpoint_id(name: &str) -> Option<CheckpointId> {
    let digits = name.strip_prefix(CHECKPOINT_PREFIX)?;
    // `parse` alone would take "+7" and "007", and two folders would then claim one number.
    digits
        .parse()
        .ok()
        .filter(|id: &CheckpointId| id.to_string() == digits)
}

/// A fresh folder name for a savepoint.
pub(crate) fn savepoint_folder(job: JobId) -> String {
    let job: String = job.to_string().chars().take(6).collect();
    format!("savepoint-{job}-{:012x}", host::entropy() >> 16)
}

/// A fresh file name in the form of a random UUID, as Flink's file names are.
pub(crate) fn file_name() -> String {
    let (hi, lo) = (host::entropy(), host::entropy());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        hi >> 32,
        (hi >> 16) & 0xffff,
        hi & 0xfff,
        0x8000 | (lo >> 50),
        lo & 0xffff_ffff_ffff
    )
}

/// Whether `name` has the form of [`file_name`].
pub(crate) fn is_file_name(name: &str) -> bool {
    let groups = name.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && name.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_folders_are_numbered_in_one_spelling_only() {
        assert_eq!(checkpoint_id(&checkpoint_folder(17)), Some(17));
        for name in [
            "chk-",
            "chk-x",
            "chk-+7",
            "chk-007",
            "chk--1",
            "shared",
            "chk-99999999999999999999",
        ] {
            assert_eq!(checkpoint_id(name), None, "{name}");
        }
    }

    #[test]
    fn fresh_names_have_flinks_shape_and_differ() {
        let job: JobId = "00112233445566778899aabbccddeeff".parse().unwrap();
        let (a, b) = (savepoint_folder(job), savepoint_folder(job));
        assert!(
            a.starts_with("savepoint-001122-") && a.len() == "savepoint-001122-".len() + 12,
            "{a}"
        );
        assert_ne!(a, b);
        let name = file_name();
        assert_eq!(
            name.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12],
            "{name}"
        );
        assert_ne!(name, file_name());
        assert!(is_file_name(&name));
        for other in [
            "_metadata",
            "../../../etc/passwd",
            "0000000g-0000-0000-0000-000000000000",
        ] {
            assert!(!is_file_name(other), "{other}");
        }
    }
}
