//! Wall clocks that are set while a job runs: pacing, timeouts and delays don't heed them.

use super::{eventually, numbers};
use millpond_connectors::CollectSink;
use millpond_core::host::{Clock, ManualClock};
use millpond_core::{Configuration, Error};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus, submit};
use millpond_state::query::QueryKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HOURS_MS: i64 = 5 * 3_600_000;

/// Waits until the master has dealt with everything so far: it answers in the order of the requests.
fn settle(job: &JobHandle) {
    let nobody = job.query_state("nobody", "nothing", QueryKey::text("0"));
    nobody.wait().unwrap_err();
}

/// Goal: checkpoints come after the interval and restarts after the delay, however far the wall clock is set meanwhile, forth and
/// back. Method: a driven clock; the master is known to have seen each change before its effect is looked at.
#[test]
fn checkpoints_and_restarts_keep_their_pace_when_the_wall_clock_is_set() {
    for jump_ms in [HOURS_MS, -HOURS_MS] {
        let clock = ManualClock::new(1_700_000_000_000);
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.enable_checkpointing(Duration::from_millis(1000));
        env.set_option("execution.checkpointing.timeout", "10 s");
        env.set_option("restart-strategy.type", "fixed-delay");
        env.set_option("restart-strategy.fixed-delay.attempts", 5);
        env.set_option("restart-strategy.fixed-delay.delay", "10 s");
        let fails = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&fails);
        numbers(&env, None, 1000)
            .try_map(move |n| match told.swap(false, Ordering::SeqCst) {
                true => Err(Error::user("told to fail")),
                false => Ok(n),
            })
            .sink_to(CollectSink::new());
        let job = submit(env.build_job_graph(Some("clocks")).unwrap(), clock.clone()).unwrap();
        let completed = || job.details().checkpoints.counts.completed;
        let pass = |ms: u64| {
            clock.advance(Duration::from_millis(ms));
            settle(&job);
        };
        let jump = |ms: i64| {
            clock.set(clock.now_ms() + ms);
            settle(&job);
        };
        eventually("all tasks", || job.status() == JobStatus::Running);
        settle(&job);

        pass(999);
        jump(jump_ms);
        assert_eq!(job.details().checkpoints.counts.total, 0, "jump of {jump_ms} ms");
        pass(1);
        eventually("the first checkpoint", || completed() == 1);
        jump(-2 * jump_ms);
        pass(1000);
        eventually("the second checkpoint", || completed() == 2);
        assert_eq!(job.details().checkpoints.counts.failed, 0, "none expired");

        fails.store(true, Ordering::SeqCst);
        clock.advance(Duration::from_millis(5));
        eventually("the failure", || job.status() == JobStatus::Restarting);
        jump(jump_ms);
        pass(9_999);
        assert_eq!(job.status(), JobStatus::Restarting);
        pass(1);
        eventually("the restart", || job.status() == JobStatus::Running);
        job.cancel();
        job.wait().unwrap_err();
    }
}
