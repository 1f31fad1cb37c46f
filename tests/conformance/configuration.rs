//! The ways in which a backend can be set up. A value of [`Configuration`] is one of them.

use millpond_core::Result;
#[cfg(feature = "rocksdb")]
use millpond_core::config::options::{LeaveUnwritten, PriorityQueueStateType};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::StateKey;
use std::fmt;

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    HashMap,
    #[cfg(feature = "rocksdb")]
    RocksDB {
        /// What is told of it in a name.
        name: &'static str,
        /// Bytes of typed values in front of the database.
        cache_bytes: usize,
        /// Whether timers are in memory, and not in the database.
        heap_timers: bool,
        /// What incremental checkpoints leave out of the database.
        leave: LeaveUnwritten,
    },
}

impl Backend {
    /// Every backend of this build. The tiny cache holds a few values, so that most accesses push one out.
    pub const ALL: &[Backend] = &[
        Backend::HashMap,
        #[cfg(feature = "rocksdb")]
        Backend::rocksdb("rocksdb", 64 << 20, false),
        #[cfg(feature = "rocksdb")]
        Backend::rocksdb("rocksdb-tiny-cache", 512, false),
        #[cfg(feature = "rocksdb")]
        Backend::rocksdb("rocksdb-no-cache", 0, false),
        #[cfg(feature = "rocksdb")]
        Backend::rocksdb("rocksdb-heap-timers", 64 << 20, true),
        #[cfg(feature = "rocksdb")]
        Backend::rocksdb("rocksdb-no-cache-heap-timers", 0, true),
        #[cfg(feature = "rocksdb")]
        Backend::RocksDB {
            name: "rocksdb-unwritten",
            cache_bytes: 64 << 20,
            heap_timers: false,
            leave: LeaveUnwritten::Everything,
        },
    ];

    #[cfg(feature = "rocksdb")]
    const fn rocksdb(name: &'static str, cache_bytes: usize, heap_timers: bool) -> Self {
        Backend::RocksDB {
            name,
            cache_bytes,
            heap_timers,
            leave: LeaveUnwritten::Hot,
        }
    }

    /// Whether nothing but the place of its timers tells it from another backend of [`Backend::ALL`].
    pub fn is_for_timers(self) -> bool {
        match self {
            Backend::HashMap => false,
            #[cfg(feature = "rocksdb")]
            Backend::RocksDB { heap_timers, .. } => heap_timers,
        }
    }

    /// Whether incremental checkpoints leave out of the database all that they may.
    fn leaves_everything_unwritten(self) -> bool {
        match self {
            Backend::HashMap => false,
            #[cfg(feature = "rocksdb")]
            Backend::RocksDB { leave, .. } => leave == LeaveUnwritten::Everything,
        }
    }

    /// A backend with what `handles` hold.
    pub fn create<K: StateKey>(
        self,
        parameters: KeyedStateBackendParameters<K>,
        handles: &[KeyedStateHandle],
        streams: &MemoryStreams,
    ) -> Result<KeyedStateBackend<K>> {
        match self {
            Backend::HashMap => KeyedStateBackend::hashmap(parameters, handles, streams),
            #[cfg(feature = "rocksdb")]
            Backend::RocksDB {
                cache_bytes,
                heap_timers,
                leave,
                ..
            } => {
                let mut backend = millpond_state::rocksdb::EmbeddedRocksDBStateBackend::default();
                backend.options.cache_bytes = cache_bytes;
                backend.options.leave_unwritten = leave;
                if heap_timers {
                    backend.options.timers = PriorityQueueStateType::Heap;
                }
                // So few that timers go to the database and come back.
                backend.options.timer_cache_size = 2;
                backend.options.given.write_buffer_size = Some(1 << 20);
                backend.create_keyed_backend(parameters, handles, streams)
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Backend::HashMap => "hashmap",
            #[cfg(feature = "rocksdb")]
            Backend::RocksDB { name, .. } => name,
        }
    }
}

/// What the snapshots of a test are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Checkpoints that stand alone, in one stream.
    Full,
    /// Checkpoints that name files of older ones.
    Incremental,
    /// Snapshots in the backend's own files that name none of older ones: what a native savepoint is.
    Native,
    /// Savepoints in the format that every backend reads.
    Canonical,
}

impl Format {
    const ALL: [Format; 4] = [
        Format::Full,
        Format::Incremental,
        Format::Native,
        Format::Canonical,
    ];

    /// What the backend is asked for.
    pub fn kind(self) -> SnapshotKind {
        match self {
            Format::Full | Format::Incremental => SnapshotKind::Checkpoint,
            Format::Native => SnapshotKind::FullCheckpoint,
            Format::Canonical => SnapshotKind::Savepoint,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Full => "full",
            Format::Incremental => "incremental",
            Format::Native => "native",
            Format::Canonical => "canonical",
        }
    }
}

/// One way to set up a backend.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub backend: Backend,
    /// Whether states have a time to live, which the tests' clock never reaches by itself.
    pub ttl: bool,
    pub format: Format,
    /// Whether snapshots are compressed.
    pub compressed: bool,
}

impl Configuration {
    /// Every way, for the backends of this build.
    pub fn all() -> Vec<Configuration> {
        let mut all = Vec::new();
        for &backend in Backend::ALL {
            for (ttl, compressed) in [(false, false), (true, false), (false, true)] {
                let each = Format::ALL.map(|format| Configuration {
                    backend,
                    ttl,
                    format,
                    compressed,
                });
                // What no incremental checkpoint is leaves nothing unwritten, whatever it is told.
                all.extend(
                    each.into_iter()
                        .filter(|c| c.incremental() || !backend.leaves_everything_unwritten()),
                );
            }
        }
        all
    }

    /// Whether the backend is told to take incremental checkpoints.
    pub fn incremental(&self) -> bool {
        matches!(self.format, Format::Incremental | Format::Native)
    }

    /// Whether snapshots are the files of a database as they are.
    pub fn stores_database_files(&self) -> bool {
        self.backend != Backend::HashMap && self.incremental()
    }

    /// The one to run what depends on nothing in here.
    pub fn is_plain_hashmap(&self) -> bool {
        self.backend == Backend::HashMap && !self.ttl && !self.compressed && self.format == Format::Full
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ttl = if self.ttl { "-ttl" } else { "" };
        let compressed = if self.compressed { "-compressed" } else { "" };
        write!(
            f,
            "{}{ttl}-{}{compressed}",
            self.backend.name(),
            self.format.name()
        )
    }
}
