//! What keyed states show of themselves when they are asked to: how long accesses take, what keys and values take (Flink's
//! `org.apache.flink.runtime.state.metrics`), and how many keys they have.
//!
//! Off by default, and then not there at all: a state whose accesses are timed is wrapped when it is opened, as one with a time to live
//! is, and one whose aren't has nothing to ask itself. Keys are counted when a snapshot is taken.

mod histogram;
mod latency;
mod size;

pub use histogram::{Histogram, HistogramStatistics};

pub(crate) use size::SizeScope;

use latency::{Tracked, Tracker};
use millpond_core::Result;
use millpond_core::config::{Configuration, options};
use millpond_core::host::Clock;
use size::{Measured, Scale};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::descriptor::{AggregateFunction, StateData};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use millpond_types::SharedSerializer;
use std::rc::Rc;

/// What the keyed states of one operator instance show. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StateMetrics(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    histograms: Mutex<BTreeMap<String, Arc<Histogram>>>,
    key_counts: Mutex<BTreeMap<String, u64>>,
}

impl StateMetrics {
    /// What every histogram holds now, in the order of the names. A name is Flink's, as it stands in Flink's REST interface:
    /// `state_name.count.valueStateGetLatency`, in nanoseconds; `state_name.count.valueStateGetKeySize`, in bytes.
    pub fn statistics(&self) -> Vec<(String, HistogramStatistics)> {
        let histograms: Vec<_> = {
            let histograms = self.0.histograms.lock().unwrap_or_else(PoisonError::into_inner);
            histograms
                .iter()
                .map(|(name, h)| (name.clone(), Arc::clone(h)))
                .collect()
        };
        let read = |(name, histogram): (String, Arc<Histogram>)| Some((name, histogram.statistics()?));
        histograms.into_iter().filter_map(read).collect()
    }

    /// How many keys (with their namespaces) each state had at the last snapshot: `state_name.count.numKeys`. Empty unless
    /// `state.size-track.keyed-state-enabled` is on, and for a backend that would have to read everything to know.
    pub fn key_counts(&self) -> Vec<(String, u64)> {
        let counts = self.0.key_counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect()
    }

    /// Shows how many keys a state has.
    pub(crate) fn set_key_count(&self, state: &str, keys: usize) {
        let mut counts = self.0.key_counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.insert(format!("state_name.{state}.numKeys"), keys as u64);
    }

    fn histogram(&self, name: String, history_size: usize) -> Arc<Histogram> {
        let mut histograms = self.0.histograms.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = histograms
            .entry(name)
            .or_insert_with(|| Arc::new(Histogram::new(history_size)));
        Arc::clone(histogram)
    }
}

/// How accesses to keyed state are tracked. Flink's `LatencyTrackingStateConfig`.
#[derive(Clone)]
pub struct LatencyTracking {
    sample_interval: u32,
    history_size: usize,
    state_name_as_variable: bool,
    metrics: StateMetrics,
    clock: Arc<dyn Clock>,
}

impl LatencyTracking {
    /// What `config` asks for, shown in `metrics`; `None` when `state.latency-track.keyed-state-enabled` is off, as it is by default.
    ///
    /// # Errors
    /// Config for an option out of range.
    pub fn from_config(
        config: &Configuration,
        metrics: &StateMetrics,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>> {
        if config.get(&options::LATENCY_TRACK_ENABLED)? != Some(true) {
            return Ok(None);
        }
        let history_size = config.get(&options::LATENCY_TRACK_HISTORY_SIZE)?;
        Ok(Some(LatencyTracking {
            sample_interval: config.get(&options::LATENCY_TRACK_SAMPLE_INTERVAL)?.unwrap_or(1),
            history_size: history_size.map_or(1, |size| size as usize),
            state_name_as_variable: config
                .get(&options::LATENCY_TRACK_STATE_NAME_AS_VARIABLE)?
                .unwrap_or(true),
            metrics: metrics.clone(),
            clock: Arc::clone(clock),
        }))
    }

    fn tracker(&self, state: &str) -> Rc<Tracker> {
        let prefix = prefix(self.state_name_as_variable, state);
        Rc::new(Tracker::new(self.clone(), prefix))
    }

    pub(crate) fn value<V: StateData, N: Namespace>(
        &self,
        name: &str,
        state: ValueState<V, N>,
    ) -> ValueState<V, N> {
        ValueState::from_access(Rc::new(Tracked::new(state, self.tracker(name))))
    }
    pub(crate) fn list<T: StateData, N: Namespace>(
        &self,
        name: &str,
        state: ListState<T, N>,
    ) -> ListState<T, N> {
        ListState::from_access(Rc::new(Tracked::new(state, self.tracker(name))))
    }
    pub(crate) fn map<UK: MapKey, UV: StateData, N: Namespace>(
        &self,
        name: &str,
        state: MapState<UK, UV, N>,
    ) -> MapState<UK, UV, N> {
        MapState::from_access(Rc::new(Tracked::new(state, self.tracker(name))))
    }
    pub(crate) fn reducing<T: StateData, N: Namespace>(
        &self,
        name: &str,
        state: ReducingState<T, N>,
    ) -> ReducingState<T, N> {
        ReducingState::from_access(Rc::new(Tracked::new(state, self.tracker(name))))
    }
    pub(crate) fn aggregating<F: AggregateFunction, N: Namespace>(
        &self,
        name: &str,
        state: AggregatingState<F, N>,
    ) -> AggregatingState<F, N> {
        AggregatingState::from_access(Rc::new(Tracked::new(state, self.tracker(name))))
    }
}

/// How keys and values are measured. Flink's `SizeTrackingStateConfig`.
#[derive(Clone, Debug)]
pub struct SizeTracking {
    sample_interval: u32,
    history_size: usize,
    state_name_as_variable: bool,
    metrics: StateMetrics,
}

impl SizeTracking {
    /// What `config` asks for, shown in `metrics`; `None` when `state.size-track.keyed-state-enabled` is off, as it is by default.
    ///
    /// # Errors
    /// Config for an option out of range.
    pub fn from_config(config: &Configuration, metrics: &StateMetrics) -> Result<Option<Self>> {
        if !config.require(&options::SIZE_TRACK_ENABLED)? {
            return Ok(None);
        }
        Ok(Some(SizeTracking {
            sample_interval: config.require(&options::SIZE_TRACK_SAMPLE_INTERVAL)?,
            history_size: config.require(&options::SIZE_TRACK_HISTORY_SIZE)? as usize,
            state_name_as_variable: config.require(&options::SIZE_TRACK_STATE_NAME_AS_VARIABLE)?,
            metrics: metrics.clone(),
        }))
    }

    fn scale<N: Namespace>(&self, scope: SizeScope<N>) -> Scale<N> {
        let prefix = prefix(self.state_name_as_variable, &scope.state);
        Scale::new(self.clone(), prefix, scope)
    }

    pub(crate) fn value<V: StateData, N: Namespace>(
        &self,
        scope: SizeScope<N>,
        serializer: SharedSerializer<V>,
        state: ValueState<V, N>,
    ) -> ValueState<V, N> {
        ValueState::from_access(Rc::new(Measured::new(state, self.scale(scope), serializer)))
    }
    pub(crate) fn list<T: StateData, N: Namespace>(
        &self,
        scope: SizeScope<N>,
        serializer: SharedSerializer<T>,
        state: ListState<T, N>,
    ) -> ListState<T, N> {
        ListState::from_access(Rc::new(Measured::new(state, self.scale(scope), serializer)))
    }
    pub(crate) fn map<UK: MapKey, UV: StateData, N: Namespace>(
        &self,
        scope: SizeScope<N>,
        serializers: (SharedSerializer<UK>, SharedSerializer<UV>),
        state: MapState<UK, UV, N>,
    ) -> MapState<UK, UV, N> {
        MapState::from_access(Rc::new(Measured::new(state, self.scale(scope), serializers)))
    }
    pub(crate) fn reducing<T: StateData, N: Namespace>(
        &self,
        scope: SizeScope<N>,
        serializer: SharedSerializer<T>,
        state: ReducingState<T, N>,
    ) -> ReducingState<T, N> {
        ReducingState::from_access(Rc::new(Measured::new(state, self.scale(scope), serializer)))
    }
    pub(crate) fn aggregating<F: AggregateFunction, N: Namespace>(
        &self,
        scope: SizeScope<N>,
        state: AggregatingState<F, N>,
    ) -> AggregatingState<F, N> {
        AggregatingState::from_access(Rc::new(Measured::new(state, self.scale(scope), ())))
    }
}

/// What stands before a metric's name.
fn prefix(state_name_as_variable: bool, state: &str) -> String {
    if state_name_as_variable {
        format!("state_name.{state}")
    } else {
        state.to_string()
    }
}

impl fmt::Debug for LatencyTracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatencyTracking")
            .field("sample_interval", &self.sample_interval)
            .field("history_size", &self.history_size)
            .finish_non_exhaustive()
    }
}
