//! Types that only serde knows: stored by registration, never silently.

use super::{environment, numbers};
use millpond_api::Collector;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_connectors::CollectSink;
use millpond_core::Result;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_state::descriptor::{ListStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::ValueState;
use millpond_state::operator_state::OperatorListState;
use serde::{Deserialize, Serialize};

/// A type of somebody else's crate: no `StateType`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Foreign {
    seen: u64,
    label: Option<String>,
}

#[derive(Default)]
struct Remember {
    last: ValueState<Foreign>,
    log: OperatorListState<Foreign>,
}

impl KeyedProcessFunction for Remember {
    type Key = i64;
    type In = i64;
    type Out = u64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.last = ctx.state(ValueStateDescriptor::registered("last"))?;
        self.log = ctx
            .operator_state()
            .list_state(&ListStateDescriptor::registered("log"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        n: i64,
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<()> {
        let mut last = self.last.get()?.unwrap_or_default();
        last.seen += 1;
        last.label = Some(format!("after {n}"));
        out.collect(last.seen);
        if last.seen == 1 {
            self.log.add(last.clone())?;
        }
        self.last.update(last)
    }
}

fn job(env: &StreamExecutionEnvironment, sink: &CollectSink<u64>) {
    numbers(env, Some(100), 1_000_000)
        .key_by(|n| n % 10)
        .process(Remember::default)
        .uid("remember")
        .sink_to(sink.clone());
}

#[test]
fn a_type_with_only_serde_is_stored_once_it_is_registered() {
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    env.register_serializers(|r| {
        r.register_serde::<Foreign>();
    });
    job(&env, &sink);
    let result = env.execute("registered").unwrap();
    assert!(result.details.checkpoints.counts.completed >= 1);
    assert_eq!(
        sink.collected().into_iter().filter(|seen| *seen == 10).count(),
        10
    );
}

#[test]
fn without_registration_the_job_fails_and_tells_how_to_register() {
    let env = environment(1);
    env.set_option("restart-strategy.type", "none");
    job(&env, &CollectSink::new());
    let e = env.execute("not registered").unwrap_err();
    assert!(
        e.report().contains("Foreign") && e.report().contains("register"),
        "{}",
        e.report()
    );
}
