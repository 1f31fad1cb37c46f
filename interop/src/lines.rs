//! What a restored job found, told from its tasks' threads to the program around it: one object a line.

use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The other end of a job's telling; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    printed: bool,
    lines: Arc<Mutex<Vec<Value>>>,
    processed: Arc<AtomicU64>,
}

impl Lines {
    /// Lines that go to standard output as they are told.
    pub fn printed() -> Self {
        Lines {
            printed: true,
            ..Lines::default()
        }
    }

    /// Adds a line.
    pub fn tell(&self, line: Value) {
        if self.printed {
            println!("{line}");
            return;
        }
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }

    /// Counts an element that the driver of the job waits for: what it does to state is done.
    pub fn processed(&self) {
        self.processed.fetch_add(1, Ordering::SeqCst);
    }

    /// How many elements were counted.
    pub fn processed_count(&self) -> u64 {
        self.processed.load(Ordering::SeqCst)
    }

    /// All that was told, in no particular order.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
