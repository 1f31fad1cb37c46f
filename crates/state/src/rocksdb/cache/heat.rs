//! Which changed entries a checkpoint leaves in the cache: those that change from checkpoint to checkpoint. To write them to the
//! database each time would cost far more than to store them beside its files; to store what no longer changes again and again would
//! cost more than to write it once.

/// How lately an entry was changed, counted in checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rocksdb) struct Heat(u8);

/// The entry was changed since the last checkpoint.
const CHANGED: u8 = 0x80;
/// As many checkpoints without a change make an entry cold.
const CHECKPOINTS: u8 = 3;

impl Heat {
    /// The entry is being changed.
    #[inline]
    pub(in crate::rocksdb) fn change(&mut self) {
        self.0 |= CHANGED;
    }

    /// A checkpoint begins: says whether the entry may stay unwritten. What is changed for the first time in a while may not.
    #[inline]
    pub(in crate::rocksdb) fn pass(&mut self) -> bool {
        let left = self.0 & !CHANGED;
        if self.0 & CHANGED != 0 {
            self.0 = CHECKPOINTS;
            left > 0
        } else {
            self.0 = left.saturating_sub(1);
            self.0 > 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: only what changes again within a few checkpoints stays, and not for longer than that.
    #[test]
    fn what_changes_often_stays() {
        let mut heat = Heat::default();
        assert!(!heat.pass(), "never changed");
        heat.change();
        assert!(!heat.pass(), "changed for the first time");
        heat.change();
        let passes: Vec<bool> = (0..5).map(|_| heat.pass()).collect();
        assert_eq!(passes, [true, true, true, false, false]);
        heat.change();
        assert!(!heat.pass(), "cold before");
        assert!(heat.pass());
        assert!(heat.pass());
        heat.change();
        assert!(heat.pass(), "changed again in time");
    }
}
