//! What the cache knows of a map.

use crate::descriptor::StateData;
use crate::hashmap::codec::MapCodec;
use crate::hashmap::small_map::SmallMap;
use crate::keyed::MapKey;
use crate::rocksdb::cache::{CachedEntry, Heat};
use crate::rocksdb::in_flight::Writes;
use crate::rocksdb::kinds::raw;
use crate::rocksdb::unwritten::{Division, Unwritten};
use crate::snapshot::key_layout::is_variable_sized;
use millpond_core::Result;
use millpond_types::DataOutput;

/// What the cache knows of a map.
#[derive(Clone)]
pub(in crate::rocksdb) struct CachedMap<UK, UV> {
    pub(super) entries: SmallMap<UK, UserValue<UV>>,
    /// Whether what is not in `entries` is not in the map.
    pub(super) complete: bool,
    dirty: usize,
    /// What keys and values take when serialized, where that varies.
    bytes: usize,
}

#[derive(Clone)]
pub(super) struct UserValue<UV> {
    /// `None`: the user key has no value.
    pub(super) value: Option<UV>,
    /// Whether the database has something else.
    dirty: bool,
    /// Whether the database may have a value.
    stored: bool,
    heat: Heat,
    /// What key and value take when serialized, where that varies.
    bytes: u32,
}

impl<UK: MapKey, UV: StateData> CachedEntry for CachedMap<UK, UV> {
    type Whole = SmallMap<UK, UV>;
    type Codec = MapCodec<UK, UV>;

    fn is_variable_sized(codec: &Self::Codec) -> bool {
        is_variable_sized(&codec.key.snapshot()) || is_variable_sized(&codec.value.snapshot())
    }
    fn unknown() -> Self {
        CachedMap {
            entries: SmallMap::default(),
            complete: false,
            dirty: 0,
            bytes: 0,
        }
    }
    #[inline]
    fn is_dirty(&self) -> bool {
        self.dirty > 0
    }
    #[inline]
    fn bytes(&self) -> usize {
        self.entries.heap_bytes() + self.bytes
    }
    fn write(&self, codec: &MapCodec<UK, UV>, key: &[u8], out: &mut Writes) -> Result<()> {
        for (user_key, slot) in self.entries.iter().filter(|(_, slot)| slot.dirty) {
            slot.write(codec, key, user_key, out)?;
        }
        Ok(())
    }
    fn written(&mut self) {
        self.dirty = 0;
        let complete = self.complete;
        let mut gone = 0;
        self.entries.retain(|_, slot| {
            let keep = slot.written(complete);
            gone += if keep { 0 } else { slot.bytes as usize };
            keep
        });
        self.bytes = self.bytes.saturating_sub(gone);
    }
    fn divide(&mut self, codec: &MapCodec<UK, UV>, key: &[u8], division: &mut Division<'_>) -> Result<()> {
        let complete = self.complete;
        let (mut divided, mut written, mut gone) = (Ok(()), 0, 0);
        self.entries.retain(|user_key, slot| {
            if divided.is_err() {
                return true;
            }
            let stays = division.stays(&mut slot.heat);
            if !slot.dirty {
                return true;
            }
            if stays {
                divided = slot.keep(codec, key, user_key, division.unwritten);
                return true;
            }
            divided = slot.write(codec, key, user_key, division.writes);
            if divided.is_err() {
                return true;
            }
            written += 1;
            let keep = slot.written(complete);
            gone += if keep { 0 } else { slot.bytes as usize };
            keep
        });
        self.dirty -= written;
        self.bytes = self.bytes.saturating_sub(gone);
        divided
    }
    fn pass(&mut self) {
        // Its entries are not looked at for nothing: they cool down with the next change of one of them.
    }
}

impl<UV: StateData> UserValue<UV> {
    /// Adds what the database is to get.
    fn write<UK: MapKey>(
        &self,
        codec: &MapCodec<UK, UV>,
        key: &[u8],
        user_key: &UK,
        out: &mut Writes,
    ) -> Result<()> {
        let write_key = |out: &mut DataOutput| {
            raw(key, out)?;
            codec.key.serialize(user_key, out)
        };
        match &self.value {
            None => out.delete(&write_key),
            Some(value) => out.put(&write_key, &|out| write_value(codec, value, out)),
        }
    }

    /// Adds what the database lacks, and goes on lacking.
    fn keep<UK: MapKey>(
        &self,
        codec: &MapCodec<UK, UV>,
        key: &[u8],
        user_key: &UK,
        out: &mut Unwritten,
    ) -> Result<()> {
        let write_key = |out: &mut DataOutput| {
            raw(key, out)?;
            codec.key.serialize(user_key, out)
        };
        match &self.value {
            None => out.delete(write_key),
            Some(value) => out.put(write_key, |out| write_value(codec, value, out)),
        }
    }

    /// Learns that the database has got it; says whether a map still needs it of which everything is known, or not.
    fn written(&mut self, complete: bool) -> bool {
        self.dirty = false;
        self.stored = self.value.is_some();
        // What a complete map doesn't hold is not there anyway.
        self.stored || !complete
    }
}

/// A value as it stands in the database.
fn write_value<UK: MapKey, UV: StateData>(
    codec: &MapCodec<UK, UV>,
    value: &UV,
    out: &mut DataOutput,
) -> Result<()> {
    out.write_bool(false);
    codec.value.serialize(value, out)
}

impl<UK: MapKey, UV: StateData> CachedMap<UK, UV> {
    /// What is known of a user key: `None` when nothing is.
    #[inline]
    pub(super) fn lookup(&self, key: &UK) -> Option<Option<&UV>> {
        match self.entries.get(key) {
            Some(slot) => Some(slot.value.as_ref()),
            None if self.complete => Some(None),
            None => None,
        }
    }

    /// Takes over what the database has of a user key.
    pub(super) fn learn(&mut self, key: UK, value: Option<UV>, bytes: u32) {
        self.bytes += bytes as usize;
        self.entries.insert(
            key,
            UserValue {
                stored: value.is_some(),
                value,
                dirty: false,
                heat: Heat::default(),
                bytes,
            },
        );
    }

    /// Sets or removes the value of a user key.
    #[inline]
    pub(super) fn set(&mut self, key: UK, value: Option<UV>, bytes: u32) {
        if let Some(slot) = self.entries.get_mut(&key) {
            self.bytes = self.bytes + bytes as usize - slot.bytes as usize;
            let forgotten = value.is_none() && self.complete && !slot.stored;
            self.dirty += usize::from(!slot.dirty);
            (slot.value, slot.dirty, slot.bytes) = (value, true, bytes);
            slot.heat.change();
            if forgotten {
                // The database has nothing of it either.
                self.dirty -= 1;
                self.bytes -= bytes as usize;
                self.entries.remove(&key);
            }
            return;
        }
        self.bytes += bytes as usize;
        self.dirty += 1;
        let mut heat = Heat::default();
        heat.change();
        let slot = UserValue {
            value,
            dirty: true,
            stored: !self.complete,
            heat,
            bytes,
        };
        self.entries.insert(key, slot);
    }

    /// Removes everything from a map of which everything is known.
    pub(super) fn remove_all(&mut self) {
        let (mut dirty, mut bytes) = (0, 0);
        self.entries.retain(|_, slot| {
            slot.value = None;
            slot.dirty = slot.stored;
            slot.heat.change();
            dirty += usize::from(slot.stored);
            bytes += if slot.stored { slot.bytes as usize } else { 0 };
            slot.stored
        });
        (self.dirty, self.bytes) = (dirty, bytes);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&UK, &UV)> {
        self.entries
            .iter()
            .filter_map(|(key, slot)| slot.value.as_ref().map(|value| (key, value)))
    }
}
