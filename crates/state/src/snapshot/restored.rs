//! What was restored and nobody has opened yet: bytes by state and key group.
//!
//! Types are known only when a function opens a state, so a restore keeps bytes and decodes them then. A state that is
//! never opened goes into the next snapshots as it came: nothing is lost when a job leaves a state out for a while.

use super::pairs::{PairWriter, key_group_prefix_bytes, read_pair, split_key};
use super::{FrozenState, StateMetaInfoSnapshot, full, header::Header, incremental};
use crate::handle::KeyedStateHandle;
use crate::stream::StateHandleReader;
use bytes::Bytes;
use millpond_core::{Error, Result};
use millpond_types::{Compatibility, DataInput, KeyGroupRange, TypeSerializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Restored states by name.
#[derive(Debug)]
pub(crate) struct RestoredStates {
    by_name: BTreeMap<String, RestoredState>,
    range: KeyGroupRange,
}

/// The bytes of one state.
#[derive(Clone, Debug)]
pub(crate) struct RestoredState {
    /// One for each description: those of different operator instances may differ when the state's type changed and not all of
    /// them had opened it.
    parts: Vec<Part>,
    prefix_bytes: usize,
}

/// What was stored under one description: runs of pairs by key group.
#[derive(Clone, Debug)]
struct Part {
    meta: Arc<StateMetaInfoSnapshot>,
    runs: Vec<(u32, Bytes)>,
}

impl RestoredStates {
    /// Reads what `handles` hold of `range`.
    pub(crate) fn read<K: 'static>(
        handles: &[KeyedStateHandle],
        reader: &dyn StateHandleReader,
        range: KeyGroupRange,
        max_parallelism: u32,
        key_serializer: &dyn TypeSerializer<K>,
    ) -> Result<Self> {
        let mut restored = RestoredStates {
            by_name: BTreeMap::new(),
            range,
        };
        let prefix_bytes = key_group_prefix_bytes(max_parallelism);
        for handle in handles {
            if handle.range().intersection(&range).is_none() {
                continue;
            }
            let mut runs = Vec::new();
            let header = match handle {
                KeyedStateHandle::KeyGroups(h) => full::read(h, reader, range, |state, group, bytes| {
                    runs.push((state, group, bytes))
                })?,
                KeyedStateHandle::Incremental(h) => {
                    incremental::read(h, reader, range, |state, group, bytes| {
                        runs.push((state, group, bytes));
                    })?
                }
            };
            check_key(&header, key_serializer)?;
            restored.add(&header, runs, prefix_bytes)?;
        }
        Ok(restored)
    }

    fn add(&mut self, header: &Header, runs: Vec<(usize, u32, Bytes)>, prefix_bytes: usize) -> Result<()> {
        for meta in &header.states {
            let state = self
                .by_name
                .entry(meta.name.clone())
                .or_insert_with(|| RestoredState {
                    parts: Vec::new(),
                    prefix_bytes,
                });
            if !state.parts.iter().any(|p| *p.meta == **meta) {
                state.parts.push(Part {
                    meta: Arc::clone(meta),
                    runs: Vec::new(),
                });
            }
        }
        for (state, key_group, bytes) in runs {
            let part = header.states.get(state).and_then(|meta| {
                let state = self.by_name.get_mut(&meta.name)?;
                state.parts.iter_mut().find(|p| *p.meta == **meta)
            });
            match part {
                Some(part) => part.runs.push((key_group, bytes)),
                None => return Err(Error::corrupt("restore state", "entries of an unknown state")),
            }
        }
        Ok(())
    }

    /// The state of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&RestoredState> {
        self.by_name.get(name)
    }

    /// Forgets the state of this name: it was opened.
    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }
}

pub(crate) fn check_key<K: 'static>(header: &Header, serializer: &dyn TypeSerializer<K>) -> Result<()> {
    let why = match serializer.resolve_compatibility(&header.key_serializer) {
        Compatibility::AsIs => return Ok(()),
        Compatibility::AfterMigration => "keys cannot be migrated".to_owned(),
        Compatibility::Incompatible(why) => why,
    };
    Err(
        Error::incompatible("restore keyed state", "the type of the key changed")
            .with("stored", &header.key_serializer)
            .with("key", serializer.snapshot())
            .with("why", why)
            .hint("key the stream as it was when the snapshot was taken"),
    )
}

impl RestoredState {
    /// The descriptions under which entries were stored.
    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &StateMetaInfoSnapshot> {
        self.parts.iter().map(|p| &*p.meta)
    }

    /// Hands out each entry: the number of its description, the description, key group, the key behind the key group,
    /// and the value.
    pub(crate) fn for_each_pair(
        &self,
        mut f: impl FnMut(usize, &StateMetaInfoSnapshot, u32, DataInput<'_>, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for (number, part) in self.parts.iter().enumerate() {
            for (key_group, bytes) in &part.runs {
                let mut input = DataInput::new(bytes);
                while !input.is_empty() {
                    let at = input.position();
                    let mut entry = || {
                        let (key, value) = read_pair(&mut input)?;
                        let (stored_group, key) = split_key(key, self.prefix_bytes)?;
                        if stored_group != *key_group {
                            return Err(Error::corrupt(
                                "restore state",
                                "an entry lies in another key group",
                            )
                            .with("stored", stored_group));
                        }
                        f(number, &part.meta, *key_group, key, value)
                    };
                    entry().map_err(|e| e.with("entry_at", at).with("key_group", key_group))?;
                }
            }
        }
        Ok(())
    }
}

/// A state that nobody opened, on its way into the next snapshot.
pub(crate) struct FrozenRestored {
    meta: Arc<StateMetaInfoSnapshot>,
    groups: Vec<Vec<Bytes>>,
}

impl FrozenRestored {
    /// Every state that nobody opened.
    pub(crate) fn of_all(restored: &RestoredStates) -> Vec<FrozenRestored> {
        let first = restored.range.first();
        let parts = restored.by_name.values().flat_map(|s| &s.parts);
        parts
            .map(|part| {
                let mut groups = vec![Vec::new(); restored.range.count()];
                for (key_group, bytes) in &part.runs {
                    if let Some(group) = groups.get_mut(key_group.wrapping_sub(first) as usize) {
                        group.push(bytes.clone());
                    }
                }
                FrozenRestored {
                    meta: Arc::clone(&part.meta),
                    groups,
                }
            })
            .collect()
    }
}

impl FrozenState for FrozenRestored {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn shard_count(&self, group: usize) -> usize {
        self.groups.get(group).map_or(0, Vec::len)
    }
    fn since(&self, group: usize, shard: usize) -> Option<u64> {
        // Never changed by this backend instance.
        self.groups.get(group)?.get(shard).map(|_| 0)
    }
    fn write_shard(&self, group: usize, shard: usize, out: &mut PairWriter<'_>) -> Result<()> {
        let Some(bytes) = self.groups.get(group).and_then(|g| g.get(shard)) else {
            return Ok(());
        };
        let mut input = DataInput::new(bytes);
        while !input.is_empty() {
            let (key, value) = read_pair(&mut input)?;
            out.raw_pair(key, value)?;
        }
        Ok(())
    }
}
