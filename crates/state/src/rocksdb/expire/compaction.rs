//! Removal by compaction: Flink's `FlinkCompactionFilter`.
//!
//! A column family gets its filter when it is made or opened, which for a restored one is before anybody has said how long its
//! values live; until then, everything is kept. Other than Flink's own build of RocksDB, the C interface shows a filter whole
//! values only, no operands of merges that are still apart: what was appended to a list is looked at once it has been merged.

use super::{ColumnExpiry, Left};
use crate::ttl::Expiry;
use millpond_core::Result;
use rust_rocksdb::CompactionDecision;
use rust_rocksdb::compaction_filter::CompactionFilter;
use rust_rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

const NAME: &CStr = c"MillpondTtlCompactionFilter";

/// What the filter of a column family goes by, once it is known.
#[derive(Clone, Debug, Default)]
pub(in crate::rocksdb) struct CompactionFilterSlot(Arc<OnceLock<Rules>>);

#[derive(Clone, Debug)]
struct Rules {
    expiry: Arc<ColumnExpiry>,
    /// After so many entries the clock is asked again.
    query_time_after: u64,
}

impl CompactionFilterSlot {
    /// Lets compactions that begin from now on remove what is over; false when they do so already. A state has one
    /// configuration within a run: a second call could only say the same.
    pub(in crate::rocksdb) fn set(&self, expiry: Arc<ColumnExpiry>, query_time_after: u64) -> bool {
        let rules = Rules {
            expiry,
            query_time_after: query_time_after.max(1),
        };
        self.0.set(rules).is_ok()
    }
}

impl CompactionFilterFactory for CompactionFilterSlot {
    type Filter = TtlCompactionFilter;

    fn create(&mut self, _context: CompactionFilterContext) -> TtlCompactionFilter {
        TtlCompactionFilter {
            rules: self.0.get().cloned(),
            moment: None,
            entries_left: 0,
            rest: Vec::new(),
        }
    }
    fn name(&self) -> &CStr {
        NAME
    }
}

/// The filter of one compaction, on one of RocksDB's threads.
pub(in crate::rocksdb) struct TtlCompactionFilter {
    rules: Option<Rules>,
    moment: Option<Expiry>,
    /// How many entries are judged by `moment` yet.
    entries_left: u64,
    /// What is left of the last list.
    rest: Vec<u8>,
}

impl TtlCompactionFilter {
    fn judge(&mut self, value: &[u8]) -> Result<Left> {
        let Some(rules) = &self.rules else {
            return Ok(Left::All);
        };
        let moment = match self.moment {
            Some(moment) if self.entries_left > 0 => moment,
            _ => {
                self.entries_left = rules.query_time_after;
                *self.moment.insert(rules.expiry.now())
            }
        };
        self.entries_left -= 1;
        Ok(rules.expiry.judge(moment, value, &mut self.rest)?.left)
    }
}

impl CompactionFilter for TtlCompactionFilter {
    fn filter(&mut self, _level: u32, _key: &[u8], value: &[u8]) -> CompactionDecision {
        // Nothing may unwind into RocksDB, and the elements of a list may be read by a serializer of the user's.
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge(value)));
        match judged {
            Ok(Ok(Left::Nothing)) => CompactionDecision::Remove,
            Ok(Ok(Left::Some)) => CompactionDecision::Change(self.rest_for_rocksdb()),
            // What can't be read is not ours to remove. Whoever reads the state is told of it.
            Ok(Ok(Left::All) | Err(_)) | Err(_) => CompactionDecision::Keep,
        }
    }
    fn name(&self) -> &CStr {
        NAME
    }
}

impl TtlCompactionFilter {
    #[expect(
        unsafe_code,
        reason = "the binding asks for bytes that live for ever; RocksDB copies them at once"
    )]
    fn rest_for_rocksdb(&self) -> &'static [u8] {
        // SAFETY: the callback that this is handed to (`Filter` of `rocksdb_compactionfilter_t`) copies the bytes before it
        // returns, and until then nothing else touches the filter: `rest` is changed only by the next call of `filter`, which
        // RocksDB makes from the same thread afterwards.
        unsafe { std::slice::from_raw_parts(self.rest.as_ptr(), self.rest.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rocksdb::expire::Layout;
    use crate::rocksdb::expire::layout::Elements;
    use millpond_core::host::Clock;
    use millpond_types::DataInput;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    /// Shows a millisecond more each time it is asked.
    #[derive(Debug, Default)]
    struct Counting(AtomicI64);

    impl Clock for Counting {
        fn now_ms(&self) -> i64 {
            self.0.fetch_add(1, Ordering::SeqCst)
        }
        fn monotonic_nanos(&self) -> u64 {
            0
        }
        fn block_for(&self, _deadline_ms: i64) -> Option<Duration> {
            None
        }
        fn block_until(&self, _monotonic_nanos: u64) -> Option<Duration> {
            None
        }
    }

    fn filter(layout: Layout, clock: &Arc<Counting>, query_time_after: u64) -> TtlCompactionFilter {
        let mut slot = CompactionFilterSlot::default();
        let expiry = ColumnExpiry::new(layout, clock.clone(), 1);
        assert!(slot.set(Arc::clone(&expiry), query_time_after));
        assert!(!slot.set(expiry, query_time_after));
        slot.create(CompactionFilterContext {
            is_full_compaction: true,
            is_manual_compaction: false,
        })
    }

    /// Goal: the clock is asked as often as configured. Method: count over 2500 entries.
    #[test]
    fn the_clock_is_asked_after_so_many_entries() {
        for (query_time_after, asked) in [(1000, 3), (1, 2500), (0, 2500), (u64::MAX, 1)] {
            let clock = Arc::default();
            let mut filter = filter(Layout::Value, &clock, query_time_after);
            for _ in 0..2500 {
                let decision = filter.filter(0, b"key", &i64::MAX.to_be_bytes());
                assert!(matches!(decision, CompactionDecision::Keep));
            }
            assert_eq!(clock.0.load(Ordering::SeqCst), asked);
        }
    }

    struct Panics;
    impl Elements for Panics {
        fn skip(&self, _input: &mut DataInput<'_>) -> Result<()> {
            panic!("a serializer with a bug")
        }
    }

    /// Goal: what can't be read stays, and nothing unwinds into RocksDB. Method: a value that is too short, and a serializer
    /// that panics.
    #[test]
    fn what_cannot_be_judged_is_kept() {
        let clock = Arc::default();
        let mut values = filter(Layout::Value, &clock, 1);
        assert!(matches!(
            values.filter(0, b"key", &[0; 7]),
            CompactionDecision::Keep
        ));
        assert!(matches!(
            values.filter(0, b"key", &[0; 8]),
            CompactionDecision::Remove
        ));
        let mut lists = filter(Layout::List(Box::new(Panics)), &clock, 1);
        assert!(matches!(
            lists.filter(0, b"key", &[0; 9]),
            CompactionDecision::Keep
        ));
    }
}
