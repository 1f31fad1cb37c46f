//! Removal with the accesses to a state: what Flink's `TtlIncrementalCleanup` does for its heap, over a column family.
//!
//! Compactions come when RocksDB likes, so they bound nothing that a user could count on. The sweep does: each write earns it
//! a look at some entries. It takes them together, once there are enough to be worth a seek, goes on where it stood, and begins
//! anew when it has come to the end. While it finds hardly anything it is paid less, for on a database looking costs about as much
//! as the access itself.

use super::{ColumnExpiry, Left};
use crate::rocksdb::database::{Column, db_error};
use crate::ttl::{Expiry, TtlCleanup};
use millpond_core::Result;
use rust_rocksdb::{ReadOptions, WriteBatch};
use std::cell::RefCell;
use std::sync::Arc;

/// How many elements a walk looks at. More makes an access that walks slower, fewer make all of them seek more often.
const WALK_ELEMENTS: i64 = 128;
/// What one look costs. Accesses pay in parts of it.
const LOOK: i64 = 4;
/// The most that a write pays while little is found: two looks and a half. Where entries are added in front of the sweep, it
/// gains one and a half a write, so that a round over what is alive takes two thirds as many writes: so much can have been over
/// and unseen by then.
const IDLE_PAY: i64 = LOOK * 5 / 2;
/// Less than one in so many elements that is over is little.
const LITTLE: i64 = 16;
/// How much is gathered before it is written.
const BATCH_BYTES: usize = 256 * 1024;

/// The sweep over one column family.
pub(in crate::rocksdb) struct ColumnSweep {
    column: Column,
    expiry: Arc<ColumnExpiry>,
    cleanup_size: usize,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    /// What the accesses up to now have paid for looks that nobody has taken yet. Negative after a long list, which is looked
    /// at as a whole.
    paid: i64,
    /// Whether the last walk found little.
    idle: bool,
    /// The key to go on at; empty: from the beginning.
    next: Vec<u8>,
    rest: Vec<u8>,
    batch: WriteBatch,
}

impl ColumnSweep {
    /// Looks at `cleanup_size` elements for each that is written, or fewer while that finds little.
    pub(in crate::rocksdb) fn new(column: Column, expiry: Arc<ColumnExpiry>, cleanup_size: usize) -> Self {
        ColumnSweep {
            column,
            expiry,
            cleanup_size,
            progress: RefCell::default(),
        }
    }

    /// Looks at what is paid for.
    fn walk(&self, progress: &mut Progress, moment: Expiry) -> Result<()> {
        let mut options = ReadOptions::default();
        // What the sweep sees once in a round would push out what the job reads often.
        options.fill_cache(false);
        let database = self.column.database();
        let mut iterator = database.db().raw_iterator_cf_opt(&self.column, options);
        if progress.next.is_empty() {
            iterator.seek_to_first();
        } else {
            iterator.seek(&progress.next);
        }
        progress.batch.clear();
        let budget = progress.paid / LOOK;
        let (mut looked_at, mut over) = (0i64, 0i64);
        while let Some((key, value)) = iterator.item() {
            if looked_at >= budget {
                break;
            }
            let judged = self.expiry.judge(moment, value, &mut progress.rest)?;
            let elements = judged.elements as i64;
            looked_at = looked_at.saturating_add(elements);
            if judged.left != Left::All {
                over = over.saturating_add(elements);
            }
            match judged.left {
                Left::All => {}
                Left::Nothing => progress.batch.delete_cf(&self.column, key),
                Left::Some => progress.batch.put_cf(&self.column, key, &progress.rest),
            }
            if progress.batch.size_in_bytes() >= BATCH_BYTES {
                database.write(&mut progress.batch)?;
            }
            iterator.next();
        }
        iterator.status().map_err(db_error("look for expired state"))?;
        if !progress.batch.is_empty() {
            database.write(&mut progress.batch)?;
        }
        progress.idle = over.saturating_mul(LITTLE) < looked_at;
        progress.paid = progress.paid.saturating_sub(looked_at.saturating_mul(LOOK));
        progress.next.clear();
        match iterator.key() {
            Some(key) => progress.next.extend_from_slice(key),
            // Everything was seen: what is paid beyond that is no reason to begin again at once.
            None => progress.paid = progress.paid.min(0),
        }
        Ok(())
    }
}

impl TtlCleanup for ColumnSweep {
    fn step(&self, moment: Expiry, written: usize) -> Result<()> {
        let Ok(mut progress) = self.progress.try_borrow_mut() else {
            // From inside its own walk there is nothing to do.
            return Ok(());
        };
        let busy_pay = LOOK.saturating_mul(i64::try_from(self.cleanup_size).unwrap_or(i64::MAX));
        let pay = if progress.idle {
            IDLE_PAY.min(busy_pay)
        } else {
            busy_pay
        };
        progress.paid = progress.paid.saturating_add(pay.saturating_mul(written as i64));
        // What is in flight it would not see, and what it removes would wait for that.
        if progress.paid < WALK_ELEMENTS * LOOK || self.column.database().is_in_flight() {
            return Ok(());
        }
        self.walk(&mut progress, moment)
    }
}
