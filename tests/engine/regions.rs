//! Region failover: what a failure touches restarts, the rest of the job runs on.

use super::{checkpoints, environment, eventually, numbers};
use millpond_api::Collector;
use millpond_api::function::{ProcessContext, ProcessFunction, RuntimeContext};
use millpond_connectors::CollectSink;
use millpond_core::{Error, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::JobHandle;
use std::sync::{Arc, Mutex};

/// Which subtasks were opened, in which attempts, and which of them is to fail at its next record.
#[derive(Default)]
struct Watch {
    opened: Mutex<Vec<(u32, u32)>>,
    to_fail: Mutex<Vec<u32>>,
}

impl Watch {
    fn attempts_of(&self, subtask: u32) -> Vec<u32> {
        let opened = self.opened.lock().unwrap();
        opened
            .iter()
            .filter(|(s, _)| *s == subtask)
            .map(|(_, a)| *a)
            .collect()
    }
    fn fail(&self, subtasks: &[u32]) {
        self.to_fail.lock().unwrap().extend(subtasks);
    }
}

/// Passes numbers on, unless it is told to fail.
struct Pass {
    watch: Arc<Watch>,
    subtask: u32,
}

impl ProcessFunction for Pass {
    type In = i64;
    type Out = i64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_>) -> Result<()> {
        self.subtask = ctx.info().subtask_index;
        self.watch
            .opened
            .lock()
            .unwrap()
            .push((self.subtask, ctx.info().attempt));
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        let mut to_fail = self.watch.to_fail.lock().unwrap();
        if let Some(at) = to_fail.iter().position(|s| *s == self.subtask) {
            to_fail.swap_remove(at);
            return Err(Error::user("told to fail"));
        }
        out.collect(n);
        Ok(())
    }
}

const COUNT: u64 = 12_000;

/// Numbers, a pass that fails when it is told, and a sink, each in tasks of their own: a region for each subtask.
fn pipelines(env: &StreamExecutionEnvironment, watch: &Arc<Watch>, sink: &CollectSink<i64>) {
    env.disable_operator_chaining();
    let watch = Arc::clone(watch);
    numbers(env, Some(COUNT), 6_000)
        .process(move || Pass {
            watch: Arc::clone(&watch),
            subtask: u32::MAX,
        })
        .uid("pass")
        .sink_to(sink.clone())
        .uid("sink");
}

fn all_once(sink: &CollectSink<i64>) {
    let mut seen = sink.collected();
    seen.sort_unstable();
    assert_eq!(seen, (0..COUNT as i64).collect::<Vec<_>>());
}

fn restarts(job: &JobHandle, n: u32) {
    eventually("a restart", || job.details().restarts >= n);
    eventually("all tasks", || {
        job.details().vertices.iter().all(|v| v.running == v.parallelism)
    });
}

/// Goal: only the failed pipeline restarts, from the newest checkpoint, and each record counts once. Method: every start of a
/// function is recorded with its attempt.
#[test]
fn a_failure_restarts_its_region_alone() {
    let (watch, sink) = (Arc::new(Watch::default()), CollectSink::exactly_once());
    let env = environment(3);
    pipelines(&env, &watch, &sink);
    let job = env.execute_async("three pipelines").unwrap();
    checkpoints(&job, 2);
    watch.fail(&[1]);
    restarts(&job, 1);
    let completed = job.details().checkpoints.counts.completed;
    checkpoints(&job, completed + 1);
    watch.fail(&[2]);
    restarts(&job, 2);
    let result = job.wait().unwrap();
    assert_eq!(
        [0, 1, 2].map(|subtask| watch.attempts_of(subtask)),
        [vec![0], vec![0, 1], vec![0, 2]]
    );
    assert_eq!((result.details.restarts, result.details.full_restarts), (2, 0));
    assert!(result.details.checkpoints.latest_restored.is_some());
    all_once(&sink);
}

/// Goal: failures of several regions at once, also before the first checkpoint, restart these and no others.
#[test]
fn regions_that_fail_together_restart_together_or_one_after_the_other() {
    let (watch, sink) = (Arc::new(Watch::default()), CollectSink::exactly_once());
    let env = environment(4);
    env.set_option("restart-strategy.fixed-delay.attempts", 10);
    env.set_option("restart-strategy.fixed-delay.delay", "30 ms");
    watch.fail(&[0, 3]);
    pipelines(&env, &watch, &sink);
    let job = env.execute_async("four pipelines").unwrap();
    restarts(&job, 1);
    checkpoints(&job, 2);
    watch.fail(&[3, 0]);
    let result = job.wait().unwrap();
    for subtask in [1, 2] {
        assert_eq!(watch.attempts_of(subtask), [0], "subtask {subtask}");
    }
    for subtask in [0, 3] {
        assert_eq!(watch.attempts_of(subtask).len(), 3, "subtask {subtask}");
    }
    assert_eq!(result.details.full_restarts, 0);
    all_once(&sink);
}

#[test]
fn the_strategy_full_restarts_every_task() {
    let (watch, sink) = (Arc::new(Watch::default()), CollectSink::exactly_once());
    let env = environment(2);
    env.set_option("jobmanager.execution.failover-strategy", "full");
    pipelines(&env, &watch, &sink);
    let job = env.execute_async("two pipelines").unwrap();
    checkpoints(&job, 1);
    watch.fail(&[0]);
    let result = job.wait().unwrap();
    assert_eq!([0, 1].map(|s| watch.attempts_of(s)), [[0, 1], [0, 1]]);
    assert_eq!((result.details.restarts, result.details.full_restarts), (1, 1));
    all_once(&sink);
}

/// Goal: with an exchange of all to all, everything is one region.
#[test]
fn an_exchange_connects_all_tasks() {
    let (watch, sink) = (Arc::new(Watch::default()), CollectSink::exactly_once());
    let env = environment(2);
    let of_function = Arc::clone(&watch);
    numbers(&env, Some(COUNT), 6_000)
        .rebalance()
        .process(move || Pass {
            watch: Arc::clone(&of_function),
            subtask: u32::MAX,
        })
        .uid("pass")
        .sink_to(sink.clone())
        .uid("sink");
    let job = env.execute_async("connected").unwrap();
    checkpoints(&job, 1);
    watch.fail(&[1]);
    let result = job.wait().unwrap();
    assert_eq!([0, 1].map(|s| watch.attempts_of(s)), [[0, 1], [0, 1]]);
    assert_eq!((result.details.restarts, result.details.full_restarts), (1, 1));
    all_once(&sink);
}
