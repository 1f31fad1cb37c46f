//! Numbers that a backend shows: each has a name and is read when somebody asks. Flink's `Gauge`, unsigned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Read = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The gauges of one operator instance, by name. Clones are the same.
#[derive(Clone, Default)]
pub struct Gauges(Arc<Mutex<BTreeMap<String, Read>>>);

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(gauges.keys()).finish()
    }
}

impl Gauges {
    /// Adds a gauge, in place of one that has the name. `read` may be called from any thread at any time.
    pub fn register(&self, name: impl Into<String>, read: impl Fn() -> u64 + Send + Sync + 'static) {
        let mut gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.insert(name.into(), Arc::new(read));
    }

    /// What every gauge says now, in the order of the names.
    pub fn values(&self) -> Vec<(String, u64)> {
        let gauges: Vec<_> = {
            let gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            gauges
                .iter()
                .map(|(name, read)| (name.clone(), Arc::clone(read)))
                .collect()
        };
        gauges.into_iter().map(|(name, read)| (name, read())).collect()
    }
}
