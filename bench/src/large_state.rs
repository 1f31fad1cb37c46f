//! A gigabyte of keyed state, for jobs that checkpoint it and come back from it.

use millpond::prelude::*;
use millpond_core::hash::fmix64;

/// A million keys with a kilobyte each.
pub(crate) const KEYS: u64 = 1_000_000;
const VALUE_WORDS: u64 = 125;

/// Replaces the value of a key, and passes on what came with it.
#[derive(Default)]
pub(crate) struct Replace {
    value: ValueState<Vec<u8>>,
}

impl KeyedProcessFunction for Replace {
    type Key = i64;
    type In = (i64, u64);
    type Out = u64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.value = ctx.state(ValueStateDescriptor::new("value"))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        (_key, stamp): (i64, u64),
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<()> {
        // Nothing that compresses, or RocksDB's files would be a tenth of it.
        let words = (0..VALUE_WORDS).map(|word| fmix64(stamp.wrapping_mul(VALUE_WORDS).wrapping_add(word)));
        self.value.update(words.flat_map(u64::to_le_bytes).collect())?;
        out.collect(stamp);
        Ok(())
    }
}
