//! Timers as a snapshot holds them while the operator goes on.

use super::key_grouped::KeyGroupedTimers;
use crate::snapshot::{KeyGroupSnapshot, PairWriter};
use millpond_core::Result;
use millpond_types::{DataOutput, SerializerSnapshot};

/// The timers of one service and one time domain at the moment of [`super::InternalTimerService::freeze`]. It may go to
/// another thread; what is registered or fired later does not show in it.
#[derive(Clone, Debug)]
pub struct FrozenTimers {
    pub(super) state_name: String,
    pub(super) serializer: SerializerSnapshot,
    pub(super) timers: KeyGroupedTimers,
}

impl FrozenTimers {
    /// The name of the state in the snapshot: `_timer_state/event_<service>` or `_timer_state/processing_<service>`.
    pub fn state_name(&self) -> &str {
        &self.state_name
    }
    /// The snapshot of the timer serializer (`TimerSerializerSnapshot`).
    pub fn serializer_snapshot(&self) -> &SerializerSnapshot {
        &self.serializer
    }
    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.timers.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Hands each timer of a key group to `f`, serialized as Flink's `TimerSerializer` does, in ascending order of bytes.
    ///
    /// # Errors
    /// Only those of `f`; the first one ends it.
    pub fn for_each_element<E>(
        &self,
        key_group: u32,
        mut f: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut out = DataOutput::new();
        self.timers.group(key_group).try_for_each(|timer| {
            out.clear();
            timer.write(&mut out);
            f(out.as_slice())
        })
    }
}

impl KeyGroupSnapshot for FrozenTimers {
    /// An entry's key is the timer, its value empty.
    fn write_key_group(&self, key_group: u32, out: &mut PairWriter<'_>) -> Result<()> {
        self.timers.group(key_group).try_for_each(|timer| {
            out.pair(|key, _value| {
                timer.write(key);
                Ok(())
            })
        })
    }
}
