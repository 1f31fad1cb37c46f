//! `env.execute(...)`: from a stream graph to a running job.

use super::{JobExecutionResult, JobHandle, submit};
use crate::datastream::StreamExecutionEnvironment;
use millpond_core::config::options;
use millpond_core::host::SystemClock;
use millpond_core::{JobId, Result};

impl StreamExecutionEnvironment {
    /// Starts the job and returns at once. `name` is the job's name where `pipeline.name` gives none.
    ///
    /// The job's id follows from its name and, when it starts from a snapshot, from that: so the same command finds the job's own
    /// checkpoints again after a crash, while another savepoint starts a job of its own. `pipeline.job-id` overrides it.
    ///
    /// # Errors
    /// As [`StreamExecutionEnvironment::build_job_graph`] and [`submit`].
    pub fn execute_async(&self, name: &str) -> Result<JobHandle> {
        let config = self.configuration();
        let mut graph = self.build_job_graph((!config.contains(&options::PIPELINE_NAME)).then_some(name))?;
        if let (Some(path), None) = (
            config.get(&options::RECOVERY_PATH)?,
            config.get(&options::JOB_ID)?,
        ) {
            graph.job_id = JobId::from_savepoint(&graph.name, &resolved(&path));
        }
        submit(graph, SystemClock::shared())
    }

    /// Runs the job to its end.
    ///
    /// # Errors
    /// As [`StreamExecutionEnvironment::execute_async`], and what the job fails with.
    pub fn execute(&self, name: &str) -> Result<JobExecutionResult> {
        self.execute_async(name)?.wait()
    }
}

/// The snapshot's path, however it was spelled. One that can't be resolved is refused in a moment, with a better text.
fn resolved(path: &str) -> String {
    let plain = path.strip_prefix("file:").unwrap_or(path);
    let plain = plain.strip_prefix("//").unwrap_or(plain);
    std::fs::canonicalize(plain).map_or_else(|_| path.to_string(), |p| p.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn a_snapshot_is_the_same_however_its_path_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().display().to_string();
        for spelling in [
            plain.clone(),
            format!("{plain}/."),
            format!("file:{plain}"),
            format!("file://{plain}"),
        ] {
            assert_eq!(resolved(&spelling), resolved(&plain), "{spelling}");
        }
        assert_eq!(resolved("s3://bucket/x"), "s3://bucket/x");
    }
}
