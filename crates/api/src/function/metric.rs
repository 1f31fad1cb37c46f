//! Counters that a function keeps and the engine shows.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts something. Flink's `Counter`.
///
/// It stays on the thread of its function, which alone writes it, so that counting is a plain addition; others only
/// read it. A default one counts for nobody.
///
/// ```
/// use millpond_api::function::MetricGroup;
/// let group = MetricGroup::default();
/// let counter = group.counter("badLines");
/// counter.inc_by(2);
/// assert_eq!(group.values(), [("badLines".to_string(), 2)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Counter {
    value: Arc<AtomicU64>,
    one_thread: PhantomData<Rc<()>>,
}

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }
    /// Adds `n`.
    #[inline]
    pub fn inc_by(&self, n: u64) {
        // One writer, so no read-modify-write is needed.
        self.value.store(
            self.value.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }
    /// What was counted so far.
    pub fn count(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// The counters of one operator instance, by name. Flink's `MetricGroup`.
#[derive(Clone, Debug, Default)]
pub struct MetricGroup {
    counters: Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>,
}

impl MetricGroup {
    /// The counter of this name, new or the one that is there already.
    pub fn counter(&self, name: impl Into<String>) -> Counter {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        Counter {
            value: Arc::clone(counters.entry(name.into()).or_default()),
            one_thread: PhantomData,
        }
    }
    /// Every counter with what it counted, in the order of the names.
    pub fn values(&self) -> Vec<(String, u64)> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters
            .iter()
            .map(|(name, value)| (name.clone(), value.load(Ordering::Relaxed)))
            .collect()
    }
}
