//! A keyed stream in windows.

use super::keyed::KeyedStream;
use super::operator::SingleOutputStreamOperator;
use crate::graph::node::{NodeFactory, OneInputNode};
use crate::operators::{
    AggregatedContents, ListedContents, PassThrough, ReducedContents, WindowOperator, WindowSpec,
};
use millpond_api::window::{
    CountTrigger, GlobalWindows, ProcessWindowFunction, PurgingTrigger, Trigger, WindowAssigner,
};
use millpond_api::{Data, OutputTag};
use millpond_core::Error;
use millpond_state::descriptor::AggregateFunction;
use millpond_types::{StateKey, StateType};
use std::sync::Arc;
use std::time::Duration;

/// A keyed stream whose elements are in windows: to be tuned, then computed. Flink's `WindowedStream`.
///
/// ```
/// use millpond_api::{OutputTag, WatermarkStrategy};
/// use millpond_api::window::TumblingEventTimeWindows;
/// use millpond_connectors::{CollectionSource, PrintSink};
/// use millpond_core::Configuration;
/// use millpond_runtime::datastream::StreamExecutionEnvironment;
/// use std::time::Duration;
///
/// let env = StreamExecutionEnvironment::new(Configuration::new());
/// // Sensor, reading, time.
/// let readings = env.from_source(
///     CollectionSource::from_elements([(7i64, 20i64, 1_000i64), (7, 22, 61_000), (7, 21, 2_000)]),
///     WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(5))
///         .with_timestamp_assigner(|reading: &(i64, i64, i64), _| reading.2),
///     "readings",
/// );
/// let late = OutputTag::new("late");
/// let highest = readings
///     .key_by(|reading| reading.0)
///     .window(TumblingEventTimeWindows::of(Duration::from_secs(60)))
///     .allowed_lateness(Duration::from_secs(10))
///     .side_output_late_data(&late)
///     .reduce(|highest, reading| {
///         if reading.1 > highest.1 {
///             *highest = reading;
///         }
///     })
///     .uid("highest reading by the minute");
/// highest.get_side_output(&late).map(|reading| reading.0).sink_to(PrintSink::new());
/// highest.map(|reading| reading.1).sink_to(PrintSink::new());
/// # env.build_job_graph(None)?;
/// # Ok::<(), millpond_core::Error>(())
/// ```
///
/// What a window keeps is keyed state called `window-contents` under the window as its namespace: the elements for
/// [`WindowedStream::process`], one value for [`WindowedStream::reduce`], an accumulator for [`WindowedStream::aggregate`].
/// It is cleared when the watermark (or the clock) passes the window's end plus the allowed lateness. Prefer to reduce or
/// aggregate: a window then takes the same space however many elements it gets.
pub struct WindowedStream<K, T, A, Tr> {
    stream: KeyedStream<K, T>,
    spec: WindowSpec<T, A, Tr>,
}

impl<K, T, A: Clone, Tr: Clone> Clone for WindowedStream<K, T, A, Tr> {
    fn clone(&self) -> Self {
        WindowedStream {
            stream: self.stream.clone(),
            spec: self.spec.clone(),
        }
    }
}

impl<K: StateKey, T: Data> KeyedStream<K, T> {
    /// Puts the elements into windows: see [`WindowedStream`].
    ///
    /// An assigner whose values make no sense (a size of 0) is a Config error when the job is built.
    pub fn window<A: WindowAssigner<T>>(&self, assigner: A) -> WindowedStream<K, T, A, A::DefaultTrigger> {
        if let Err(problem) = assigner.validate() {
            self.stream.env.refuse(problem);
        }
        let trigger = assigner.default_trigger();
        WindowedStream {
            stream: self.clone(),
            spec: WindowSpec {
                assigner,
                trigger,
                allowed_lateness_ms: 0,
                late_data: None,
            },
        }
    }

    /// Puts each `size` elements of a key into one window, whenever they come. Flink's `countWindow`.
    ///
    /// ```
    /// use millpond_api::WatermarkStrategy;
    /// use millpond_connectors::{CollectionSource, PrintSink};
    /// use millpond_core::Configuration;
    /// use millpond_runtime::datastream::StreamExecutionEnvironment;
    ///
    /// let env = StreamExecutionEnvironment::new(Configuration::new());
    /// env.from_source(CollectionSource::from_elements(0i64..100), WatermarkStrategy::no_watermarks(), "numbers")
    ///     .key_by(|n| n % 3)
    ///     .count_window(10)
    ///     .reduce(|sum, n| *sum += n)
    ///     .sink_to(PrintSink::new());
    /// # env.build_job_graph(None)?;
    /// # Ok::<(), millpond_core::Error>(())
    /// ```
    pub fn count_window(
        &self,
        size: i64,
    ) -> WindowedStream<K, T, GlobalWindows, PurgingTrigger<CountTrigger>> {
        self.window(GlobalWindows::create())
            .trigger(PurgingTrigger::of(CountTrigger::of(size)))
    }
}

impl<K: StateKey, T: Data, A: WindowAssigner<T>, Tr: Trigger<T, A::Window>> WindowedStream<K, T, A, Tr> {
    /// Computes the windows when `trigger` says so, instead of the assigner's own trigger.
    ///
    /// One that can't merge with an assigner whose windows merge is a Config error when the job is built.
    pub fn trigger<Tr2: Trigger<T, A::Window>>(self, trigger: Tr2) -> WindowedStream<K, T, A, Tr2> {
        if self.spec.assigner.is_merging() && !trigger.can_merge() {
            self.stream.stream.env.refuse(
                Error::config("build windows", "the trigger does not support windows that merge")
                    .with("assigner", self.spec.assigner.name())
                    .with("trigger", std::any::type_name::<Tr2>())
                    .hint("use another trigger, or implement `can_merge` and `on_merge`"),
            );
        }
        WindowedStream {
            stream: self.stream,
            spec: WindowSpec {
                assigner: self.spec.assigner,
                trigger,
                allowed_lateness_ms: self.spec.allowed_lateness_ms,
                late_data: self.spec.late_data,
            },
        }
    }

    /// How long after the watermark has passed a window's end elements are still put into it; each then computes it anew with the
    /// default trigger. None by default. It keeps the windows' state for so much longer. Without meaning in processing time.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.spec.allowed_lateness_ms = i64::try_from(lateness.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Sends elements that are too late for each of their windows to the side output `tag`, to be read by
    /// [`SingleOutputStreamOperator::get_side_output`]. Without, they are dropped and counted as `numLateRecordsDropped`.
    pub fn side_output_late_data(mut self, tag: &OutputTag<T>) -> Self {
        self.spec.late_data = Some(tag.clone());
        self
    }

    /// Reduces the elements of each window to one as they come: `reduce(|sum, n| *sum += n)`.
    pub fn reduce(&self, reduce: impl Fn(&mut T, T) + Send + Sync + 'static) -> SingleOutputStreamOperator<T>
    where
        T: StateType,
    {
        self.reduce_and_process(reduce, PassThrough::<K, T, A::Window>::new)
    }

    /// Reduces the elements of each window to one as they come, and computes the window from that by a function that
    /// `factory` makes for each parallel instance. Flink's `reduce` with a `ProcessWindowFunction`.
    pub fn reduce_and_process<F>(
        &self,
        reduce: impl Fn(&mut T, T) + Send + Sync + 'static,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        T: StateType,
        F: ProcessWindowFunction<Key = K, In = T, Window = A::Window>,
    {
        let (reduce, spec) = (Arc::new(reduce), self.spec.clone());
        let selector = Arc::clone(&self.stream.selector);
        self.add(OneInputNode::shared(move || {
            let contents = ReducedContents::new(Arc::clone(&reduce), factory());
            WindowOperator::new(spec.clone(), contents, Arc::clone(&selector))
        }))
    }

    /// Aggregates the elements of each window as they come, and emits the result.
    pub fn aggregate<G>(&self, aggregate: G) -> SingleOutputStreamOperator<G::Out>
    where
        G: AggregateFunction<In = T> + Clone + Send + Sync,
        G::Acc: StateType,
        G::Out: Data,
    {
        self.aggregate_and_process(aggregate, PassThrough::<K, G::Out, A::Window>::new)
    }

    /// Aggregates the elements of each window as they come, and computes the window from the result by a function that
    /// `factory` makes for each parallel instance. Flink's `aggregate` with a `ProcessWindowFunction`.
    pub fn aggregate_and_process<G, F>(
        &self,
        aggregate: G,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        G: AggregateFunction<In = T> + Clone + Send + Sync,
        G::Acc: StateType,
        F: ProcessWindowFunction<Key = K, In = G::Out, Window = A::Window>,
    {
        let (spec, selector) = (self.spec.clone(), Arc::clone(&self.stream.selector));
        self.add(OneInputNode::shared(move || {
            let contents = AggregatedContents::new(aggregate.clone(), factory());
            WindowOperator::new(spec.clone(), contents, Arc::clone(&selector))
        }))
    }

    /// Keeps the elements of each window, and computes it from all of them by a function that `factory` makes for each parallel
    /// instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        T: StateType,
        F: ProcessWindowFunction<Key = K, In = T, Window = A::Window>,
    {
        let (spec, selector) = (self.spec.clone(), Arc::clone(&self.stream.selector));
        self.add(OneInputNode::shared(move || {
            WindowOperator::new(
                spec.clone(),
                ListedContents::new(factory()),
                Arc::clone(&selector),
            )
        }))
    }

    fn add<Out>(&self, factory: Arc<dyn NodeFactory>) -> SingleOutputStreamOperator<Out> {
        let name = self.spec.assigner.name();
        self.stream.stream.env.add(name, self.stream.edges(0), factory)
    }
}
