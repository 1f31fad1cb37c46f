//! State of a running job, looked at by the text of a key.

use millpond_api::Collector;
use millpond_api::WatermarkStrategy;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_connectors::{DataGeneratorSource, DiscardingSink};
use millpond_core::host::sleep;
use millpond_core::{Configuration, ErrorKind, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus};
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::{ListState, MapState, ValueState};
use millpond_state::query::{QueryKey, StateView};
use std::time::Duration;

/// Remembers of each key its number as value, list and map.
#[derive(Default)]
struct Remember {
    value: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<String, i64>,
}

impl KeyedProcessFunction for Remember {
    type Key = i64;
    type In = i64;
    type Out = i64;
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.value = ctx.state(ValueStateDescriptor::new("value"))?;
        self.list = ctx.list_state(ListStateDescriptor::new("list"))?;
        self.map = ctx.map_state(MapStateDescriptor::new("map"))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _: &mut KeyedContext<'_, i64>,
        _: &mut Collector<'_, i64>,
    ) -> Result<()> {
        self.value.update(n * 10)?;
        self.list.update(vec![n, n + 1])?;
        self.map.put("n".to_owned(), n)
    }
}

fn ask(job: &JobHandle, uid: &str, state: &str, key: &str) -> Result<StateView> {
    job.query_state(uid, state, QueryKey::text(key))
        .wait_for(Duration::from_secs(20))
}

/// Goal: while the job runs, every key is found whichever task has it, and what isn't there is named. Method: an endless job
/// of three tasks over twenty keys; each key is asked for, then unknown uids, states and keys.
#[test]
fn a_running_job_says_what_a_key_has() {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(3);
    let source = DataGeneratorSource::new(|i| (i % 20) as i64, None).rate_per_second(2000);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .key_by(|n| *n)
        .process(Remember::default)
        .uid("remember")
        .sink_to(DiscardingSink::new())
        .uid("sink");
    let job = env.execute_async("queries").unwrap();
    for _ in 0..2000 {
        if job.status() == JobStatus::Running
            && (0..20)
                .all(|k| ask(&job, "remember", "value", &k.to_string()).is_ok_and(|v| !v.entries.is_empty()))
        {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    for key in 0..20 {
        let text = |state| {
            ask(&job, "remember", state, &key.to_string()).unwrap().entries[0]
                .1
                .to_string()
        };
        assert_eq!(text("value"), (key * 10).to_string());
        assert_eq!(text("list"), format!("[{key},{}]", key + 1));
        assert_eq!(text("map"), format!(r#"{{"n":{key}}}"#));
    }
    assert!(ask(&job, "remember", "value", "77").unwrap().entries.is_empty());
    for (uid, state, key, kind, said) in [
        ("forget", "value", "1", ErrorKind::NotFound, "remember"),
        (
            "remember",
            "valeu",
            "1",
            ErrorKind::NotFound,
            "it has value, list, map",
        ),
        ("remember", "value", "one", ErrorKind::Config, "LongSerializer"),
        ("sink", "value", "1", ErrorKind::NotFound, "no keyed state"),
    ] {
        let e = ask(&job, uid, state, key).unwrap_err();
        assert_eq!(e.kind(), kind, "{}", e.report());
        assert!(e.report().contains(said), "{}", e.report());
    }
    job.cancel();
    assert!(job.wait().is_err());
    let e = ask(&job, "remember", "value", "1").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
}
