//! What a descriptor says about the life of its state. Flink's `StateTtlConfig`, with its names and defaults.

use millpond_core::{Error, Result};
use std::time::Duration;

/// When a value's life begins anew. Flink's `StateTtlConfig.UpdateType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpdateType {
    /// Never: the state has no time to live at all, and is stored without timestamps.
    Disabled,
    /// When it is written.
    #[default]
    OnCreateAndWrite,
    /// When it is written or read. A read then costs a write.
    OnReadAndWrite,
}

/// Whether a read can see a value whose life is over. Flink's `StateTtlConfig.StateVisibility`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StateVisibility {
    /// Never.
    #[default]
    NeverReturnExpired,
    /// As long as it has not been removed yet. The read that finds a value expired removes it, so of a value, a reduced
    /// value, an accumulator or a map's entry it is the last one that sees it.
    ReturnExpiredIfNotCleanedUp,
}

/// The time that lives are measured in. Flink's `StateTtlConfig.TtlTimeCharacteristic`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TtlTimeCharacteristic {
    /// Processing time: the clock of the backend.
    #[default]
    ProcessingTime,
}

/// Cleanup a little with every access. Flink's `StateTtlConfig.IncrementalCleanupStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IncrementalCleanupStrategy {
    /// How many stored values an access looks at; list elements and map entries count one each. An access that writes
    /// several elements looks at so many for each of them. Default 5. From 3 on, state under constant load stays
    /// within twice the size of what is alive. On RocksDB only writes look, and at fewer while they find little
    /// (`docs/state-ttl.md`).
    pub cleanup_size: usize,
    /// Whether each record does so too, even one that doesn't touch the state. Default false.
    pub run_cleanup_for_every_record: bool,
}

/// Cleanup while RocksDB compacts, beside that with every access. Flink's `StateTtlConfig.RocksdbCompactFilterCleanupStrategy`; the HashMap backend
/// ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RocksdbCompactFilterCleanupStrategy {
    /// After how many entries the filter looks at the clock again. Default 1000.
    pub query_time_after_num_entries: u64,
    /// Files older than this are compacted even if nothing else asks for it; zero turns that off. Default 30 days.
    pub periodic_compaction_time: Duration,
}

/// How expired state is removed that nobody reads. Flink's `StateTtlConfig.CleanupStrategies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CleanupStrategies {
    full_snapshot: bool,
    incremental: Option<IncrementalCleanupStrategy>,
    rocksdb_compact_filter: Option<RocksdbCompactFilterCleanupStrategy>,
    in_background: bool,
}

impl CleanupStrategies {
    /// What is cleaned up in the background when nothing particular was asked for.
    const DEFAULT_INCREMENTAL: IncrementalCleanupStrategy = IncrementalCleanupStrategy {
        cleanup_size: 5,
        run_cleanup_for_every_record: false,
    };
    const DEFAULT_ROCKSDB: RocksdbCompactFilterCleanupStrategy = RocksdbCompactFilterCleanupStrategy {
        query_time_after_num_entries: 1000,
        periodic_compaction_time: Duration::from_secs(30 * 24 * 60 * 60),
    };

    /// Whether snapshots leave expired values out.
    pub fn in_full_snapshot(&self) -> bool {
        self.full_snapshot
    }

    /// Whether expired state is removed in the background by what suits the backend.
    pub fn is_cleanup_in_background(&self) -> bool {
        self.in_background
    }

    /// How accesses clean up: as asked for, else by the default unless the background is off. In Flink the HashMap
    /// backend alone does so.
    pub fn incremental_cleanup_strategy(&self) -> Option<IncrementalCleanupStrategy> {
        self.incremental
            .or(self.in_background.then_some(Self::DEFAULT_INCREMENTAL))
    }

    /// Whether RocksDB removes expired values while it compacts.
    pub fn in_rocksdb_compact_filter(&self) -> bool {
        self.rocksdb_compact_filter_cleanup_strategy().is_some()
    }

    /// How RocksDB cleans up: as asked for, else by the default unless the background is off.
    pub fn rocksdb_compact_filter_cleanup_strategy(&self) -> Option<RocksdbCompactFilterCleanupStrategy> {
        self.rocksdb_compact_filter
            .or(self.in_background.then_some(Self::DEFAULT_ROCKSDB))
    }
}

/// How long the values of a state live, what prolongs their life, and how they are removed. Flink's `StateTtlConfig`.
///
/// A value lives for the configured time after its last write (or also read), in a list each element for itself, in a map
/// each entry. Give it to a descriptor; it may be given, taken away or changed from one start of a job to the next:
/// values that were stored without it start a life at the restore.
///
/// ```
/// use millpond_state::descriptor::ValueStateDescriptor;
/// use millpond_state::ttl::StateTtlConfig;
/// use std::time::Duration;
///
/// let ttl = StateTtlConfig::new_builder(Duration::from_secs(24 * 60 * 60))
///     .update_ttl_on_read_and_write()
///     .cleanup_full_snapshot()
///     .build()?;
/// let last_seen = ValueStateDescriptor::<i64>::new("last-seen").enable_time_to_live(ttl);
/// # assert_eq!(last_seen.name(), "last-seen");
/// # Ok::<(), millpond_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateTtlConfig {
    update_type: UpdateType,
    state_visibility: StateVisibility,
    ttl_time_characteristic: TtlTimeCharacteristic,
    time_to_live_ms: i64,
    cleanup_strategies: CleanupStrategies,
}

impl StateTtlConfig {
    /// No time to live.
    pub const DISABLED: StateTtlConfig = StateTtlConfig {
        update_type: UpdateType::Disabled,
        state_visibility: StateVisibility::NeverReturnExpired,
        ttl_time_characteristic: TtlTimeCharacteristic::ProcessingTime,
        time_to_live_ms: i64::MAX,
        cleanup_strategies: StateTtlConfigBuilder::CLEANUP,
    };

    /// Begins a configuration: `time_to_live` after the last write, in whole milliseconds; expired values never seen;
    /// cleanup in the background.
    pub fn new_builder(time_to_live: Duration) -> StateTtlConfigBuilder {
        StateTtlConfigBuilder {
            time_to_live,
            update_type: UpdateType::default(),
            state_visibility: StateVisibility::default(),
            ttl_time_characteristic: TtlTimeCharacteristic::default(),
            cleanup: StateTtlConfigBuilder::CLEANUP,
        }
    }

    /// When a life begins anew.
    pub fn update_type(&self) -> UpdateType {
        self.update_type
    }
    /// Whether reads can see expired values.
    pub fn state_visibility(&self) -> StateVisibility {
        self.state_visibility
    }
    /// The time that lives are measured in.
    pub fn ttl_time_characteristic(&self) -> TtlTimeCharacteristic {
        self.ttl_time_characteristic
    }
    /// How long a value lives.
    pub fn time_to_live(&self) -> Duration {
        Duration::from_millis(self.time_to_live_ms.unsigned_abs())
    }
    pub(crate) fn time_to_live_ms(&self) -> i64 {
        self.time_to_live_ms
    }
    /// Whether there is a time to live at all.
    pub fn is_enabled(&self) -> bool {
        self.update_type != UpdateType::Disabled
    }
    /// How expired values are removed.
    pub fn cleanup_strategies(&self) -> &CleanupStrategies {
        &self.cleanup_strategies
    }
}

/// Builds a [`StateTtlConfig`]. Flink's `StateTtlConfig.Builder`.
#[derive(Clone, Copy, Debug)]
#[must_use = "`build` makes the configuration"]
pub struct StateTtlConfigBuilder {
    time_to_live: Duration,
    update_type: UpdateType,
    state_visibility: StateVisibility,
    ttl_time_characteristic: TtlTimeCharacteristic,
    cleanup: CleanupStrategies,
}

impl StateTtlConfigBuilder {
    const CLEANUP: CleanupStrategies = CleanupStrategies {
        full_snapshot: false,
        incremental: None,
        rocksdb_compact_filter: None,
        in_background: true,
    };

    /// Sets how long a value lives, in whole milliseconds.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }
    /// Sets when a life begins anew. Default [`UpdateType::OnCreateAndWrite`].
    pub fn update_type(mut self, update_type: UpdateType) -> Self {
        self.update_type = update_type;
        self
    }
    /// Only a write begins a life anew.
    pub fn update_ttl_on_create_and_write(self) -> Self {
        self.update_type(UpdateType::OnCreateAndWrite)
    }
    /// A read begins a life anew, too.
    pub fn update_ttl_on_read_and_write(self) -> Self {
        self.update_type(UpdateType::OnReadAndWrite)
    }
    /// Sets whether reads can see expired values. Default [`StateVisibility::NeverReturnExpired`].
    pub fn state_visibility(mut self, state_visibility: StateVisibility) -> Self {
        self.state_visibility = state_visibility;
        self
    }
    /// Reads see expired values that are still there.
    pub fn return_expired_if_not_cleaned_up(self) -> Self {
        self.state_visibility(StateVisibility::ReturnExpiredIfNotCleanedUp)
    }
    /// Reads never see expired values.
    pub fn never_return_expired(self) -> Self {
        self.state_visibility(StateVisibility::NeverReturnExpired)
    }
    /// Sets the time that lives are measured in. Default, and the only one: processing time.
    pub fn ttl_time_characteristic(mut self, characteristic: TtlTimeCharacteristic) -> Self {
        self.ttl_time_characteristic = characteristic;
        self
    }
    /// Lives are measured in processing time.
    pub fn use_processing_time(self) -> Self {
        self.ttl_time_characteristic(TtlTimeCharacteristic::ProcessingTime)
    }
    /// Snapshots leave out what has expired when they are taken. The running state keeps it; what is saved is that a
    /// restore doesn't bring it back. Costs a look at each value's timestamp. Default off.
    pub fn cleanup_full_snapshot(mut self) -> Self {
        self.cleanup.full_snapshot = true;
        self
    }
    /// Each access (with `run_cleanup_for_every_record`, also each record) looks at
    /// `cleanup_size` stored values and removes the expired ones. More of it makes each access slower and the garbage
    /// less. Default 5 an access, unless the background is off. On RocksDB, too, which Flink leaves to compactions alone:
    /// [`Self::disable_cleanup_in_background`] with [`Self::cleanup_in_rocksdb_compact_filter`] does that here.
    pub fn cleanup_incrementally(mut self, cleanup_size: usize, run_cleanup_for_every_record: bool) -> Self {
        self.cleanup.incremental = Some(IncrementalCleanupStrategy {
            cleanup_size,
            run_cleanup_for_every_record,
        });
        self
    }
    /// On RocksDB, compaction removes expired values, and looks at the clock again after so many entries: more often finds
    /// more of them, and is slower. The periodic compaction stays at its default of 30 days.
    pub fn cleanup_in_rocksdb_compact_filter(self, query_time_after_num_entries: u64) -> Self {
        let periodic = CleanupStrategies::DEFAULT_ROCKSDB.periodic_compaction_time;
        self.cleanup_in_rocksdb_compact_filter_periodically(query_time_after_num_entries, periodic)
    }
    /// The same, with files compacted at the latest at the age of `periodic_compaction_time`; zero turns that off.
    pub fn cleanup_in_rocksdb_compact_filter_periodically(
        mut self,
        query_time_after_num_entries: u64,
        periodic_compaction_time: Duration,
    ) -> Self {
        self.cleanup.rocksdb_compact_filter = Some(RocksdbCompactFilterCleanupStrategy {
            query_time_after_num_entries,
            periodic_compaction_time,
        });
        self
    }
    /// Nothing is removed in the background but by what was asked for by name. A value that is never read again then
    /// stays for good.
    pub fn disable_cleanup_in_background(mut self) -> Self {
        self.cleanup.in_background = false;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// Config when the time to live is less than a millisecond or more than Java's `long` holds of them, or when the
    /// incremental cleanup looks at no value.
    pub fn build(self) -> Result<StateTtlConfig> {
        let refuse = |message: &'static str| Error::config("configure time to live", message);
        let time_to_live_ms = i64::try_from(self.time_to_live.as_millis()).map_err(|e| {
            refuse("the time to live is longer than can be counted in milliseconds")
                .with("time_to_live", format!("{:?}", self.time_to_live))
                .hint("use StateTtlConfig::DISABLED for state that lives for ever")
                .source(e)
        })?;
        if time_to_live_ms == 0 {
            return Err(refuse("the time to live is less than a millisecond")
                .with("time_to_live", format!("{:?}", self.time_to_live))
                .hint("a time to live is one millisecond at least"));
        }
        if self.cleanup.incremental.is_some_and(|c| c.cleanup_size == 0) {
            return Err(refuse("incremental cleanup would look at no value")
                .with("cleanup_size", 0)
                .hint("give cleanup_incrementally one value at least, better 5, or leave it out"));
        }
        Ok(StateTtlConfig {
            update_type: self.update_type,
            state_visibility: self.state_visibility,
            ttl_time_characteristic: self.ttl_time_characteristic,
            time_to_live_ms,
            cleanup_strategies: self.cleanup,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_flinks() {
        // Goal: a configuration that says nothing means what it means in Flink. Method: the values of Flink's builder.
        let config = StateTtlConfig::new_builder(Duration::from_secs(1))
            .build()
            .unwrap();
        assert!(config.is_enabled());
        assert_eq!(config.update_type(), UpdateType::OnCreateAndWrite);
        assert_eq!(config.state_visibility(), StateVisibility::NeverReturnExpired);
        assert_eq!(config.time_to_live(), Duration::from_secs(1));
        let cleanup = config.cleanup_strategies();
        assert!(!cleanup.in_full_snapshot());
        let incremental = cleanup.incremental_cleanup_strategy().unwrap();
        assert_eq!(
            (incremental.cleanup_size, incremental.run_cleanup_for_every_record),
            (5, false)
        );
        let rocksdb = cleanup.rocksdb_compact_filter_cleanup_strategy().unwrap();
        assert_eq!(rocksdb.query_time_after_num_entries, 1000);
        assert_eq!(rocksdb.periodic_compaction_time, Duration::from_secs(30 * 86_400));
        assert!(!StateTtlConfig::DISABLED.is_enabled());
    }

    #[test]
    fn turning_the_background_off_keeps_what_was_asked_for_by_name() {
        // Goal: Flink's rule. Method: the background off, with and without a strategy of one's own.
        let builder = StateTtlConfig::new_builder(Duration::from_secs(1)).disable_cleanup_in_background();
        let off = builder.build().unwrap();
        assert_eq!(off.cleanup_strategies().incremental_cleanup_strategy(), None);
        assert!(!off.cleanup_strategies().in_rocksdb_compact_filter());
        let own = builder
            .cleanup_incrementally(7, true)
            .cleanup_in_rocksdb_compact_filter(9)
            .build()
            .unwrap();
        let incremental = own.cleanup_strategies().incremental_cleanup_strategy().unwrap();
        assert_eq!(
            (incremental.cleanup_size, incremental.run_cleanup_for_every_record),
            (7, true)
        );
        assert!(own.cleanup_strategies().in_rocksdb_compact_filter());
    }

    #[test]
    fn a_configuration_out_of_range_is_refused() {
        // Goal: no life of no length or of one that cannot be counted. Method: each bound, one step past it.
        for ttl in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
            let e = StateTtlConfig::new_builder(ttl).build().unwrap_err();
            assert!(e.context("time_to_live").is_some(), "{e}");
        }
        let nothing = StateTtlConfig::new_builder(Duration::from_secs(1)).cleanup_incrementally(0, false);
        assert_eq!(nothing.build().unwrap_err().context("cleanup_size"), Some("0"));
    }
}
