//! Random events in random disorder through a window operator that is snapshotted, fails, is restored and rescaled at random,
//! against a plain recomputation from the same events.
//!
//! `MILLPOND_TEST_SEED` repeats a run, `MILLPOND_TEST_CASES` sets how many cases each test runs.

use crate::{Event, keyed, late};
use millpond_api::Collector;
use millpond_api::window::{
    EventTimeSessionWindows, ProcessWindowContext, ProcessWindowFunction, SlidingEventTimeWindows,
    TimeWindow, TumblingEventTimeWindows, WindowAssigner,
};
use millpond_core::Result;
use millpond_core::host::{SeededRandom, entropy};
use millpond_runtime::testing::{HarnessBuilder, OneInputHarness, for_operator};
use millpond_state::descriptor::AggregateFunction;
use millpond_types::JavaHash;
use millpond_types::key_group::{key_group_for_hash, key_group_range_for_operator};
use std::marker::PhantomData;
use std::time::Duration;

const MAX_PARALLELISM: u32 = 16;
const STEPS: usize = 150;
const KEYS: u64 = 5;

/// Key, start, end, and the window's values in order of size, or what they were reduced to.
type Out = (i64, i64, i64, Vec<i64>);

/// What the operator does is fed to it in this order.
#[derive(Clone, Debug)]
enum Step {
    Element(Event, i64),
    Watermark(i64),
}

/// How elements are put into windows, told plainly.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Fixed { size: i64, slide: i64, offset: i64 },
    Session { gap: i64 },
}

/// What is kept of a window.
#[derive(Clone, Copy, Debug)]
enum Contents {
    List,
    Reduced,
    Aggregated,
}

#[derive(Debug)]
struct Plan {
    rule: Rule,
    contents: Contents,
    lateness: i64,
    steps: Vec<Step>,
}

/// The recomputation.
#[derive(Default)]
struct Model {
    watermark: Option<i64>,
    live: Vec<Out>,
    done: Vec<Out>,
    late: Vec<Event>,
}

impl Model {
    fn of(plan: &Plan) -> Self {
        let mut model = Model::default();
        for step in &plan.steps {
            match step {
                Step::Watermark(time) => model.watermark(plan, *time),
                Step::Element(event, time) => model.element(plan, *event, *time),
            }
        }
        model
    }
    fn passed(&self, time: i64) -> bool {
        self.watermark.is_some_and(|watermark| time <= watermark)
    }
    fn watermark(&mut self, plan: &Plan, time: i64) {
        self.watermark = Some(time);
        let over = |w: &mut Out| w.2 - 1 + plan.lateness <= time;
        self.done.extend(self.live.extract_if(.., over));
    }
    fn element(&mut self, plan: &Plan, event: Event, time: i64) {
        let windows: Vec<(i64, i64)> = match plan.rule {
            Rule::Fixed { size, slide, offset } => (time - size + 1..=time)
                .filter(|start| (start - offset).rem_euclid(slide) == 0)
                .map(|start| (start, start + size))
                .collect(),
            Rule::Session { gap } => vec![(time, time + gap)],
        };
        let mut taken = false;
        for (mut start, mut end) in windows {
            let merges = |w: &mut Out| match plan.rule {
                Rule::Fixed { .. } => (w.0, w.1, w.2) == (event.0, start, end),
                Rule::Session { .. } => w.0 == event.0 && w.1 <= end && w.2 >= start,
            };
            let parts: Vec<Out> = self.live.extract_if(.., merges).collect();
            for part in &parts {
                (start, end) = (start.min(part.1), end.max(part.2));
            }
            if self.passed(end - 1 + plan.lateness) {
                assert!(parts.is_empty());
                continue;
            }
            taken = true;
            let mut values: Vec<i64> = parts.into_iter().flat_map(|part| part.3).collect();
            values.push(event.1);
            self.live.push((event.0, start, end, values));
        }
        if !taken && self.passed(time + plan.lateness) {
            self.late.push(event);
        }
    }
}

/// What the operator should say of a window.
fn told(plan: &Plan, (key, start, end, mut values): Out) -> Out {
    match plan.contents {
        Contents::List => values.sort_unstable(),
        Contents::Reduced | Contents::Aggregated => values = vec![values.iter().sum()],
    }
    (key, start, end, values)
}

/// Tells what it is handed.
struct Tell<In, F>(F, PhantomData<fn(In)>);
impl<In: 'static, F: Fn(&In) -> i64 + 'static> ProcessWindowFunction for Tell<In, F> {
    type Key = i64;
    type In = In;
    type Out = Out;
    type Window = TimeWindow;
    fn process(
        &mut self,
        key: &i64,
        elements: &[In],
        ctx: &mut ProcessWindowContext<'_, TimeWindow>,
        out: &mut Collector<'_, Out>,
    ) -> Result<()> {
        let mut values: Vec<i64> = elements.iter().map(&self.0).collect();
        values.sort_unstable();
        out.collect((*key, ctx.window().start(), ctx.window().end(), values));
        Ok(())
    }
}
fn tell_event() -> Tell<Event, impl Fn(&Event) -> i64> {
    Tell(|event: &Event| event.1, PhantomData)
}
fn tell_sum() -> Tell<i64, impl Fn(&i64) -> i64> {
    Tell(|sum: &i64| *sum, PhantomData)
}

#[derive(Clone)]
struct Sum;
impl AggregateFunction for Sum {
    type In = Event;
    type Acc = i64;
    type Out = i64;
    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add(&self, event: Event, acc: &mut i64) {
        *acc += event.1;
    }
    fn get_result(&self, acc: &i64) -> i64 {
        *acc
    }
    fn merge(&self, acc: &mut i64, other: i64) {
        *acc += other;
    }
}

type Harness = OneInputHarness<Event, Out>;

fn builder_of<A: WindowAssigner<Event, Window = TimeWindow>>(
    plan: &Plan,
    assigner: A,
) -> HarnessBuilder<Harness> {
    let lateness = Duration::from_millis(plan.lateness.unsigned_abs());
    let windowed = keyed().window(assigner).allowed_lateness(lateness);
    let windowed = windowed.side_output_late_data(&late());
    let operator = match plan.contents {
        Contents::List => windowed.process(tell_event),
        Contents::Reduced => windowed.reduce_and_process(|sum, event| sum.1 += event.1, tell_event),
        Contents::Aggregated => windowed.aggregate_and_process(Sum, tell_sum),
    };
    for_operator(&operator)
        .max_parallelism(MAX_PARALLELISM)
        .side_output(&late())
}

fn builder(plan: &Plan) -> HarnessBuilder<Harness> {
    let ms = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    match plan.rule {
        Rule::Session { gap } => builder_of(plan, EventTimeSessionWindows::with_gap(ms(gap))),
        Rule::Fixed { size, slide, offset } if size == slide => {
            builder_of(plan, TumblingEventTimeWindows::of(ms(size)).offset_ms(offset))
        }
        Rule::Fixed { size, slide, offset } => {
            let sliding = SlidingEventTimeWindows::of(ms(size), ms(slide));
            builder_of(plan, sliding.offset_ms(offset))
        }
    }
}

/// The instances of the operator and what came out of them.
struct Run {
    builder: HarnessBuilder<Harness>,
    instances: Vec<Harness>,
    out: Vec<Out>,
    late: Vec<Event>,
    restores: usize,
}

impl Run {
    fn open(&mut self, parallelism: u32, watermark: i64) {
        let builder = &self.builder;
        let open = |index| builder.subtask(index, parallelism).open().unwrap();
        self.instances = (0..parallelism).map(open).collect();
        // As the sources would soon after a restore: nothing is due that was not due before.
        for instance in &mut self.instances {
            instance.process_watermark(watermark).unwrap();
            assert_eq!(instance.take_output(), []);
        }
    }
    fn feed(&mut self, step: &Step) {
        let parallelism = self.instances.len() as u32;
        for (index, instance) in self.instances.iter_mut().enumerate() {
            match step {
                Step::Watermark(time) => instance.process_watermark(*time).unwrap(),
                Step::Element(event, time) => {
                    let group = key_group_for_hash(event.0.java_hash(), MAX_PARALLELISM);
                    let range = key_group_range_for_operator(MAX_PARALLELISM, parallelism, index as u32);
                    if range.contains(group) {
                        instance.process_element(*event, *time).unwrap();
                    }
                }
            }
            self.out.extend(instance.take_output());
            self.late.extend(instance.take_side_output(&late()));
        }
    }
    fn snapshot(&mut self, id: u64, savepoint: bool) -> HarnessBuilder<Harness> {
        let take = |h: &mut Harness| {
            if savepoint {
                h.savepoint(id)
            } else {
                h.snapshot(id)
            }
        };
        let states: Vec<_> = self.instances.iter_mut().map(|h| take(h).unwrap()).collect();
        self.builder.restore(&states)
    }
}

/// Runs a plan with snapshots, failures and rescales. A failure goes back to the last snapshot, as do what came out and where
/// in the steps the sources stand.
fn run(plan: &Plan, random: &mut SeededRandom) -> Run {
    let incremental = random.below(2) == 0;
    let fresh = builder(plan).option("execution.checkpointing.incremental", incremental);
    let mut run = Run {
        builder: fresh.clone(),
        instances: Vec::new(),
        out: Vec::new(),
        late: Vec::new(),
        restores: 0,
    };
    run.open(1 + random.below(4) as u32, i64::MIN);
    let (mut at, mut saved) = (0, (fresh.clone(), 0, 0, 0));
    while let Some(step) = plan.steps.get(at) {
        match random.below(30) {
            0 => {
                let snapshot = run.snapshot(at as u64 + 1, random.below(2) == 0);
                saved = (snapshot, at, run.out.len(), run.late.len());
            }
            1 if at < saved.1 + 40 => {
                run.builder = saved.0.clone();
                at = saved.1;
                run.out.truncate(saved.2);
                run.late.truncate(saved.3);
                run.restores += 1;
                let passed = plan.steps[..at].iter().rev();
                let watermark = passed.into_iter().find_map(|step| match step {
                    Step::Watermark(time) => Some(*time),
                    Step::Element(..) => None,
                });
                run.open(1 + random.below(4) as u32, watermark.unwrap_or(i64::MIN));
                continue;
            }
            _ => {}
        }
        run.feed(step);
        at += 1;
    }
    let parallelism = run.instances.len() as u32;
    for (index, instance) in run.instances.iter_mut().enumerate() {
        let size = |h: &mut Harness| h.savepoint(1000).unwrap().state_size();
        let mut empty = fresh.subtask(index as u32, parallelism).open().unwrap();
        assert_eq!(size(instance), size(&mut empty), "windows left something behind");
    }
    run
}

/// A plan in which elements are at most `disorder` behind the highest before them, and watermarks trail by `trust`.
fn plan(random: &mut SeededRandom, rule: Rule, lateness: i64, disorder: u64, trust: i64) -> Plan {
    let contents = [Contents::List, Contents::Reduced, Contents::Aggregated][random.below(3) as usize];
    let (mut now, mut steps) = (-100, Vec::new());
    for n in 0..STEPS {
        now += if random.below(10) == 0 {
            60
        } else {
            random.below(5) as i64
        };
        let key = random.below(KEYS) as i64;
        let time = now - random.below(disorder + 1) as i64;
        steps.push(Step::Element((key, n as i64 + 1), time));
        if random.below(3) == 0 {
            steps.push(Step::Watermark(now - trust - 1));
        }
    }
    steps.push(Step::Watermark(1_000_000));
    Plan {
        rule,
        contents,
        lateness,
        steps,
    }
}

fn rule(random: &mut SeededRandom, which: u64) -> Rule {
    let slide = 1 + random.below(20) as i64;
    let offset = random.below(2 * slide as u64 - 1) as i64 - (slide - 1);
    match which {
        0 => Rule::Fixed {
            size: slide,
            slide,
            offset,
        },
        1 => {
            let size = 1 + random.below(60) as i64;
            Rule::Fixed { size, slide, offset }
        }
        _ => Rule::Session { gap: slide },
    }
}

/// Names the case when it fails.
struct Announce(u64, String);
impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\nMILLPOND_TEST_SEED={} MILLPOND_TEST_CASES=1", self.1, self.0);
        }
    }
}

fn each_case(mut case: impl FnMut(&mut SeededRandom, u64) -> usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("MILLPOND_TEST_SEED").unwrap_or_else(entropy);
    let cases = number("MILLPOND_TEST_CASES").unwrap_or(120);
    let mut restores = 0;
    for case_seed in (0..cases).map(|n| seed.wrapping_add(n)) {
        let announce = Announce(case_seed, String::new());
        restores += case(&mut SeededRandom::new(case_seed), case_seed % 3);
        drop(announce);
    }
    assert!(
        cases < 10 || restores > cases as usize,
        "restored too rarely to mean anything"
    );
}

/// Goal: with watermarks that hold what they promise, every window is computed exactly once and holds exactly its elements, whatever
/// the disorder, the snapshots, the failures and the parallelism. Method: as the module says; nothing is late.
#[test]
fn every_window_is_computed_once_with_all_its_elements() {
    each_case(|random, which| {
        let rule = rule(random, which);
        let plan = plan(random, rule, 0, 25, 25);
        let model = Model::of(&plan);
        let mut want: Vec<_> = model.done.into_iter().map(|w| told(&plan, w)).collect();
        let mut run = run(&plan, random);
        want.sort();
        run.out.sort();
        assert_eq!(run.out, want, "{plan:?}");
        assert_eq!((run.late, model.late), (vec![], vec![]));
        run.restores
    });
}

/// Goal: with elements that are later than the watermark allows, each that is too late for all of its windows is in the side output
/// exactly once and in no window, and the last result of each window holds all the others. Method: the same with disorder beyond
/// what the watermarks trust, and a random allowed lateness.
#[test]
fn late_elements_are_in_their_window_or_in_the_side_output_once() {
    let mut late_elements = 0;
    each_case(|random, which| {
        let (rule, lateness) = (rule(random, which), [0, 1, 7, 30][random.below(4) as usize]);
        let plan = plan(random, rule, lateness, 60, 3);
        let mut model = Model::of(&plan);
        let mut run = run(&plan, random);
        for window in model.done {
            let want = told(&plan, window);
            let results = run.out.iter().rev();
            let last = results
                .into_iter()
                .find(|w| (w.0, w.1, w.2) == (want.0, want.1, want.2));
            assert_eq!(last, Some(&want), "{plan:?}");
        }
        model.late.sort_unstable();
        run.late.sort_unstable();
        assert_eq!(run.late, model.late, "{plan:?}");
        late_elements += run.late.len();
        run.restores
    });
    assert!(late_elements > 0, "nothing was late");
}
