//! Writes laid over the database: reads while something is in flight see it as it was before, with what is in flight over it; whether
//! the database has got some of that by now makes no difference to them.

use super::{Change, InFlight, Writes};
use crate::rocksdb::database::{Column, RawIterator, db_error, prefix_options};
use crate::rocksdb::merge;
use millpond_core::Result;

/// What is shown of a scan: a key and its value; says whether to go on.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

impl InFlight {
    fn writes_to(&self, column: &Column) -> Option<&Writes> {
        let held = self.columns.iter().find(|held| held.id == column.id());
        held.map(|held| held.sorted())
    }

    /// What `key` has, if a write to it is in flight.
    fn get(&self, column: &Column, key: &[u8]) -> Result<Option<Option<Vec<u8>>>> {
        let Some((change, value)) = self.writes_to(column).and_then(|writes| writes.find(key)) else {
            return Ok(None);
        };
        let stored = match change {
            Change::Merge => self.before.get(column, key)?,
            Change::Put | Change::Delete => None,
        };
        Ok(Some(changed(change, value, stored.as_deref())))
    }

    /// Shows the entries whose keys start with `prefix`, from the key `from` on, until `f` says false.
    fn scan(&self, column: &Column, prefix: &[u8], from: &[u8], f: &mut Visit<'_>) -> Result<()> {
        let stored = self.before.iterator(column, prefix_options(prefix));
        scan_over(stored, self.writes_to(column), prefix, from, f)
    }
}

/// Shows what `stored`, which has the bounds of `prefix`, and sorted writes over it make of the entries from the key `from` on, until
/// `f` says false.
pub(in crate::rocksdb) fn scan_over(
    mut stored: RawIterator<'_>,
    writes: Option<&Writes>,
    prefix: &[u8],
    from: &[u8],
    f: &mut Visit<'_>,
) -> Result<()> {
    stored.seek(from);
    let mut writes = writes
        .into_iter()
        .flat_map(|writes| writes.range(from))
        .take_while(|(key, ..)| key.starts_with(prefix))
        .peekable();
    loop {
        let next = stored.item();
        // Whether a write comes next, and whether to something that is stored.
        let at_write = match (writes.peek(), next) {
            (None, None) => break,
            (None, Some(_)) => false,
            (Some(_), None) => true,
            (Some((written, ..)), Some((key, _))) => *written <= key,
        };
        let go_on = if at_write {
            let Some((key, change, value)) = writes.next() else {
                break;
            };
            let below = next.filter(|(stored, _)| *stored == key).map(|(_, value)| value);
            let is_stored = below.is_some();
            let go_on = match changed(change, value, below) {
                Some(value) => f(key, &value)?,
                None => true,
            };
            if is_stored {
                stored.next();
            }
            go_on
        } else {
            let go_on = next.map_or(Ok(true), |(key, value)| f(key, value))?;
            stored.next();
            go_on
        };
        if !go_on {
            return Ok(());
        }
    }
    stored.status().map_err(db_error("read state"))
}

/// What becomes of `stored`.
fn changed(change: Change, value: &[u8], stored: Option<&[u8]>) -> Option<Vec<u8>> {
    match change {
        Change::Put => Some(value.to_vec()),
        Change::Delete => None,
        Change::Merge => Some(merge::appended(stored, value)),
    }
}

impl Column {
    /// What `key` has, if a write to it is in flight.
    #[inline]
    pub(in crate::rocksdb) fn get_in_flight(&self, key: &[u8]) -> Result<Option<Option<Vec<u8>>>> {
        if !self.database().is_in_flight() {
            return Ok(None);
        }
        match self.database().gate().flight() {
            Some(flight) => flight.get(self, key),
            None => Ok(None),
        }
    }

    /// Scans what is in flight and what is stored, where something is in flight; says whether it did.
    pub(in crate::rocksdb) fn scan_in_flight(
        &self,
        prefix: &[u8],
        from: &[u8],
        f: &mut Visit<'_>,
    ) -> Result<bool> {
        if !self.database().is_in_flight() {
            return Ok(false);
        }
        let Some(flight) = self.database().gate().flight() else {
            return Ok(false);
        };
        flight.scan(self, prefix, from, f).map(|()| true)
    }
}
