//! The small record that a finished job leaves behind. Flink's `JobResultStore`.
//!
//! Without it, a bounded job that was killed between its last commit and the end of its process would run again when it is
//! started again. The record is written before the job's checkpoints are deleted, so at every moment either a checkpoint or
//! the record is there.

use crate::storage::FileSystemCheckpointStorage;
use crate::storage::fence::{Epochs, rules::Epoch};
use bytes::Bytes;
use millpond_core::{Error, ErrorKind, JobId, Result};
use serde::{Deserialize, Serialize};

/// The record's file in the job's folder.
pub const JOB_RESULT_FILE: &str = "job-result.json";
/// A record is short; more is not one.
const RESULT_BYTES_MAX: u64 = 1 << 20;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// All input was read and all output committed.
    Finished,
    /// A person stopped it.
    Canceled,
    /// It failed and may not be restarted again.
    Failed,
    /// Its process stops and the job goes on when it is started again.
    Suspended,
}

/// What became of a job. Flink's `JobResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobResult {
    /// The job, in hexadecimal digits.
    #[serde(with = "job_id")]
    pub job_id: JobId,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: JobStatus,
    /// When, in milliseconds since the epoch.
    pub end_time_ms: i64,
    /// Why, if there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The record with the epoch of the process that wrote it, if it had taken one.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    result: JobResult,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
}

mod job_id {
    //! A job id as text.
    use millpond_core::JobId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &JobId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JobId, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl FileSystemCheckpointStorage {
    /// The job's record, if an earlier run has finished.
    ///
    /// # Errors
    /// Corrupt when the record can't be understood, Io when it can't be read now.
    pub fn read_job_result(&self) -> Result<Option<JobResult>> {
        Ok(self.read_stored()?.map(|(stored, _)| stored.result))
    }

    /// The job's record, and nobody makes it void any more: to be asked for before anything is deleted because of it. Takes the job
    /// over if somebody else has since the record was written.
    ///
    /// # Errors
    /// As [`FileSystemCheckpointStorage::read_job_result`] and [`FileSystemCheckpointStorage::acquire`].
    pub fn uphold_job_result(&self) -> Result<Option<JobResult>> {
        let Some((stored, epochs)) = self.read_stored()? else {
            return Ok(None);
        };
        if !stored.epoch.is_some_and(|written| epochs.is_taken_after(written)) {
            return Ok(Some(stored.result));
        }
        self.acquire()?;
        // Whoever had taken over may have begun until then.
        let Some((stored, _)) = self.read_stored()? else {
            return Ok(None);
        };
        if let (Some(fence), Some(written)) = (self.fence(), stored.epoch) {
            fence.uphold(written)?;
        }
        Ok(Some(stored.result))
    }

    fn read_stored(&self) -> Result<Option<(Stored, Epochs)>> {
        let folder = self.job_folder();
        let named = |e: Error| e.with("path", folder.file_display(JOB_RESULT_FILE));
        match folder.size(JOB_RESULT_FILE)? {
            None => return Ok(None),
            Some(size) if size > RESULT_BYTES_MAX => {
                return Err(named(Error::corrupt(
                    "read job result",
                    "the file is too long to be one",
                )));
            }
            Some(_) => {}
        }
        let bytes = match folder.get(JOB_RESULT_FILE) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| {
            named(Error::corrupt("read job result", "not a job's result").source(e))
                .hint("look at the job's output; delete the file to let the job run again")
        })?;
        if stored.result.job_id != self.job() {
            let error = Error::corrupt("read job result", "the result of another job");
            return Err(named(error.with("job", stored.result.job_id)));
        }
        let epochs = Epochs::read(folder)?;
        let older = |written: &Epoch| epochs.last_start().is_some_and(|later| *written < later);
        if let Some(written) = stored.epoch.filter(older)
            && epochs.takeovers()?.result != Some(written)
        {
            tracing::warn!(job = %self.job(), "the job's result is of a process that was not its owner any more: it doesn't count");
            return Ok(None);
        }
        Ok(Some((stored, epochs)))
    }

    /// Stores the job's record, durably. [`crate::completed::CompletedCheckpointStore::shutdown`] does so for a job that
    /// finished.
    ///
    /// # Errors
    /// Io when it can't be stored; Fenced when another process has taken over the job.
    pub fn write_job_result(&self, result: &JobResult) -> Result<()> {
        match self.fence() {
            Some(fence) => fence.conclude(|epoch| self.put_job_result(result, Some(epoch))),
            None => self.put_job_result(result, None),
        }
    }

    /// Never overwrites: what an earlier owner's process has sent may be carried out late, and must not take the place of a result
    /// that counts.
    fn put_job_result(&self, result: &JobResult, epoch: Option<Epoch>) -> Result<()> {
        let stored = Stored {
            result: result.clone(),
            epoch,
        };
        let mut text = serde_json::to_vec_pretty(&stored).map_err(|e| {
            Error::new(ErrorKind::IllegalState, "write job result", "not expressible").source(e)
        })?;
        text.push(b'\n');
        let text = Bytes::from(text);
        loop {
            match self.job_folder().put(JOB_RESULT_FILE, text.clone(), true) {
                Err(e) if e.kind() == ErrorKind::IllegalState => {}
                written => return written,
            }
            if self.read_job_result()?.is_some() {
                return Ok(());
            }
            self.job_folder().delete_file(JOB_RESULT_FILE)?;
        }
    }

    /// Deletes the job's record: it may run again.
    ///
    /// # Errors
    /// Io when it can't be deleted.
    pub fn clear_job_result(&self) -> Result<()> {
        self.job_folder().delete_file(JOB_RESULT_FILE)
    }
}
