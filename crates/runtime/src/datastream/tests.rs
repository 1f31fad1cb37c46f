//! What becomes of a job as it was written: vertices, edges, identities, and refusals.

use super::*;
use crate::graph::{Exchange, JobGraph};
use millpond_api::function::*;
use millpond_api::{
    Boundedness, Collector, InputStatus, Sink, SinkContext, SinkWriter, Source, SourceOutput, SourceReader,
    SourceReaderContext, SourceSplit, WatermarkStrategy, WriterInitContext,
};
use millpond_core::{ErrorKind, OperatorId, Result};
use millpond_types::StateType;

#[derive(Clone, StateType)]
pub(crate) struct Nothing {
    id: i64,
}
impl SourceSplit for Nothing {
    fn split_id(&self) -> String {
        self.id.to_string()
    }
}
/// A source of no numbers.
pub(crate) struct Empty;
impl Source for Empty {
    type Out = i64;
    type Split = Nothing;
    type Reader = Empty;
    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
    fn create_splits(&self, _: u32) -> Result<Vec<Nothing>> {
        Ok(Vec::new())
    }
    fn create_reader(&self, _: &SourceReaderContext) -> Result<Empty> {
        Ok(Empty)
    }
}
impl SourceReader for Empty {
    type Out = i64;
    type Split = Nothing;
    fn add_splits(&mut self, _: Vec<Nothing>) -> Result<()> {
        Ok(())
    }
    fn poll_next(&mut self, _: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
        Ok(InputStatus::EndOfInput)
    }
    fn snapshot_state(&mut self, _: u64) -> Result<Vec<Nothing>> {
        Ok(Vec::new())
    }
}
/// A sink that forgets.
struct Forget;
impl Sink for Forget {
    type In = i64;
    type Writer = Forget;
    fn create_writer(&self, _: &mut WriterInitContext<'_>) -> Result<Forget> {
        Ok(Forget)
    }
}
impl SinkWriter for Forget {
    type In = i64;
    type Committable = ();
    fn write(&mut self, _: i64, _: &SinkContext) -> Result<()> {
        Ok(())
    }
}
#[derive(Default)]
struct Join;
impl KeyedBroadcastProcessFunction for Join {
    type Key = i64;
    type In = i64;
    type Broadcast = i64;
    type Out = i64;
    fn process_element(
        &mut self,
        n: i64,
        _: &mut ReadOnlyContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        out.collect(n);
        Ok(())
    }
    fn process_broadcast_element(
        &mut self,
        _: i64,
        _: &mut BroadcastContext<'_, i64>,
        _: &mut Collector<'_, i64>,
    ) -> Result<()> {
        Ok(())
    }
}

fn env(parallelism: u32) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::get_execution_environment();
    env.set_parallelism(parallelism);
    env
}
fn numbers(env: &StreamExecutionEnvironment) -> SingleOutputStreamOperator<i64> {
    env.from_source(Empty, WatermarkStrategy::no_watermarks(), "numbers")
}
fn names(job: &JobGraph) -> Vec<&str> {
    job.vertices.iter().map(|v| v.name.as_str()).collect()
}
fn edges(job: &JobGraph) -> Vec<(usize, usize, usize, Exchange)> {
    job.edges
        .iter()
        .map(|e| (e.source, e.target, e.target_input, e.exchange))
        .collect()
}
fn ids(job: &JobGraph) -> Vec<OperatorId> {
    job.vertices
        .iter()
        .flat_map(|v| v.operators.iter().map(|o| o.id))
        .collect()
}
fn refusal(env: &StreamExecutionEnvironment) -> String {
    match env.build_job_graph(Some("job")) {
        Ok(job) => panic!("it was built: {:?}", names(&job)),
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::Config);
            e.to_string()
        }
    }
}

#[test]
fn operators_chain_until_an_exchange() -> Result<()> {
    let env = env(2);
    numbers(&env)
        .map(|n| n + 1)
        .filter(|n| *n > 0)
        .key_by(|n| *n)
        .reduce(|a, b| *a += b)
        .flat_map(|n, out| {
            out.collect(n);
            Ok(())
        })
        .sink_to(Forget)
        .name("forget");
    let job = env.build_job_graph(Some("job"))?;
    assert_eq!(
        names(&job),
        [
            "Source: numbers -> Map -> Filter",
            "Keyed Reduce -> Flat Map -> forget"
        ]
    );
    assert_eq!(edges(&job), [(0, 1, 0, Exchange::Hash)]);
    assert_eq!(job.vertices[0].parallelism, 2);
    assert_eq!(job.vertices[1].max_parallelism, 128);
    assert!(job.vertices[0].is_source && !job.vertices[1].is_source);
    Ok(())
}

#[test]
fn chains_break_where_they_are_told_to_and_where_parallelism_changes() -> Result<()> {
    let env = env(2);
    numbers(&env)
        .map(|n| n)
        .name("a")
        .map(|n| n)
        .name("b")
        .start_new_chain()
        .map(|n| n)
        .name("c")
        .map(|n| n)
        .name("d")
        .disable_chaining()
        .map(|n| n)
        .name("e")
        .map(|n| n)
        .name("f")
        .set_parallelism(1)
        .rebalance()
        .map(|n| n)
        .name("g")
        .set_parallelism(1);
    let job = env.build_job_graph(Some("job"))?;
    assert_eq!(
        names(&job),
        ["Source: numbers -> a", "b -> c", "d", "e", "f", "g"]
    );
    let kinds: Vec<_> = job.edges.iter().map(|e| e.exchange).collect();
    use Exchange::{Forward, Rebalance};
    assert_eq!(kinds, [Forward, Forward, Forward, Rebalance, Rebalance]);

    env.disable_operator_chaining();
    assert_eq!(env.build_job_graph(None)?.vertices.len(), 8);
    Ok(())
}

/// Goal: one stream feeds several consumers, chained and not; the order of a vertex's edges is that of its writers.
#[test]
fn a_stream_may_have_several_consumers() -> Result<()> {
    let env = env(1);
    let source = numbers(&env);
    let mapped = source.map(|n| n).name("mapped");
    source.key_by(|n| *n).reduce(|a, b| *a += b).name("first");
    mapped.filter(|_| true).name("filtered");
    mapped.key_by(|n| *n).reduce(|a, b| *a += b).name("second");
    let job = env.build_job_graph(Some("job"))?;
    assert_eq!(
        names(&job),
        ["Source: numbers -> mapped -> filtered", "first", "second"]
    );
    // Depth first: what stands behind `mapped` comes before the source's second consumer.
    assert_eq!(
        edges(&job),
        [(0, 2, 0, Exchange::Hash), (0, 1, 0, Exchange::Hash)]
    );
    Ok(())
}

#[test]
fn union_and_broadcast_are_edges_not_operators() -> Result<()> {
    let env = env(2);
    let (a, b) = (numbers(&env), numbers(&env));
    let both = a.union(&[&b]);
    let rules = numbers(&env).name("rules").set_parallelism(1);
    both.key_by(|n| *n)
        .connect(&rules.broadcast())
        .process(Join::default)
        .union(&[&rules])
        .sink_to(Forget);
    let job = env.build_job_graph(Some("job"))?;
    assert_eq!(
        names(&job),
        [
            "Source: numbers",
            "Source: numbers",
            "rules",
            "Co-Process-Broadcast-Keyed",
            "Sink"
        ]
    );
    let mut found = edges(&job);
    found.sort_by_key(|e| (e.0, e.1));
    assert_eq!(
        found,
        [
            (0, 3, 0, Exchange::Hash),
            (1, 3, 0, Exchange::Hash),
            (2, 3, 1, Exchange::Broadcast),
            (2, 4, 0, Exchange::Rebalance),
            (3, 4, 0, Exchange::Forward),
        ]
    );
    Ok(())
}

/// Goal: ids come from uids where there are any; elsewhere they stay the same for the same job and differ between operators.
#[test]
fn operator_ids_follow_uids_or_places() -> Result<()> {
    let build = |name: &str, extra: bool| {
        let env = env(1);
        let source = numbers(&env);
        let source = if extra { source.map(|n| n) } else { source };
        source
            .key_by(|n| *n)
            .reduce(|a, b| *a += b)
            .uid("sums")
            .name(name)
            .sink_to(Forget);
        env.build_job_graph(Some("job")).map(|job| ids(&job))
    };
    let (one, renamed, longer) = (build("a", false)?, build("b", false)?, build("a", true)?);
    assert_eq!(one, renamed, "a name is no identity");
    assert_eq!(one[1], OperatorId::from_uid("sums"));
    assert!(longer.contains(&one[1]), "a uid outlives changes of the job");
    assert!(!longer.contains(&one[2]), "a place does not");
    let distinct: std::collections::BTreeSet<_> = one.iter().collect();
    assert_eq!(distinct.len(), one.len());
    Ok(())
}

/// Goal: ids by place are those that Flink gives. Method: vertex ids that Flink's web interface shows for the source of
/// a job without uids, alone and with one operator chained behind it; and the rule for an operator with an input.
#[test]
fn ids_by_place_are_flink_s() -> Result<()> {
    let alone = env(1);
    numbers(&alone).disable_chaining().map(|n| n);
    let alone = ids(&alone.build_job_graph(Some("job"))?);
    assert_eq!(alone[0].to_string(), "bc764cd8ddf7a0cff126f51c16239658");

    let chained = env(1);
    numbers(&chained).map(|n| n);
    let chained = ids(&chained.build_job_graph(Some("job"))?);
    assert_eq!(chained[0].to_string(), "cbc357ccb763df2852fee8c4fc7d55f2");

    let (h1, h2) = millpond_core::hash::murmur3_x64_128(&1u32.to_le_bytes());
    let own = [h1.to_le_bytes(), h2.to_le_bytes()].concat();
    let combined: Vec<u8> = own
        .iter()
        .zip(alone[0].as_bytes())
        .map(|(own, input)| own.wrapping_mul(37) ^ input)
        .collect();
    assert_eq!(alone[1].as_bytes().as_slice(), combined);
    Ok(())
}

#[test]
fn a_job_that_makes_no_sense_is_refused_with_the_way_out() {
    assert!(refusal(&env(1)).contains("no operators"));

    let above = env(4);
    above.set_max_parallelism(2);
    let _ = numbers(&above).uid("u");
    let text = refusal(&above);
    for part in [
        "operator=u",
        "parallelism=4",
        "max_parallelism=2",
        "lower the parallelism to 2",
        "at least 4",
    ] {
        assert!(text.contains(part), "{text}");
    }

    let zero = env(1);
    let _ = numbers(&zero).set_parallelism(0);
    assert!(refusal(&zero).contains("set it to 1 or more"));

    let huge = env(1);
    huge.set_max_parallelism(40_000);
    let _ = numbers(&huge);
    assert!(refusal(&huge).contains("1 to 32768"));

    let twice = env(1);
    let _ = numbers(&twice).uid("same").map(|n| n).uid("same");
    assert!(refusal(&twice).contains("uid=same"));

    let mixed = env(1);
    let other = env(1);
    let _ = numbers(&mixed).union(&[&numbers(&other)]).map(|n| n);
    assert!(refusal(&mixed).contains("another environment"));
}

#[test]
fn options_set_in_code_win_and_name_and_id_belong_together() -> Result<()> {
    let mut config = millpond_core::Configuration::new();
    config.set("parallelism.default", 3).set("pipeline.name", "named");
    let env = StreamExecutionEnvironment::new(config);
    let _ = numbers(&env);
    let job = env.build_job_graph(None)?;
    assert_eq!((job.name.as_str(), job.vertices[0].parallelism), ("named", 3));
    assert_eq!(job.job_id, millpond_core::JobId::from_name("named"));
    env.set_parallelism(2)
        .enable_checkpointing(std::time::Duration::from_millis(500));
    let job = env.build_job_graph(Some("other"))?;
    assert_eq!((job.name.as_str(), job.vertices[0].parallelism), ("other", 2));
    assert_eq!(
        job.config.checkpoint_interval()?,
        Some(std::time::Duration::from_millis(500))
    );
    Ok(())
}
