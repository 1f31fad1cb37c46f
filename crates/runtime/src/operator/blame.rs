//! Which operator of a chain panicked, found out at no cost as long as none does.
//!
//! Every call into an operator holds a guard that is forgotten when the call returns; only unwinding drops it. The innermost
//! operator's guard is dropped first, and its word counts.

use millpond_core::OperatorId;
use std::cell::Cell;

thread_local! {
    static BLAMED: Cell<Option<OperatorId>> = const { Cell::new(None) };
}

struct Guard<'a>(&'a OperatorId);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        BLAMED.set(BLAMED.get().or(Some(*self.0)));
    }
}

/// Does `work`, a call into operator `id`.
#[inline]
pub(crate) fn blame<T>(id: &OperatorId, work: impl FnOnce() -> T) -> T {
    let guard = Guard(id);
    let result = work();
    std::mem::forget(guard);
    result
}

/// The operator that the panic just caught on this thread came from, if it came from one.
pub(crate) fn take_blamed() -> Option<OperatorId> {
    BLAMED.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn the_innermost_call_that_panics_is_blamed_once() {
        let (outer, inner) = (OperatorId::from_uid("outer"), OperatorId::from_uid("inner"));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            blame(&outer, || {
                blame(&inner, || ());
                blame(&inner, || panic!("here"));
            });
        }));
        assert!(caught.is_err());
        assert_eq!(take_blamed(), Some(inner));
        assert_eq!(take_blamed(), None);
        let caught = catch_unwind(AssertUnwindSafe(|| blame(&outer, || panic!("there"))));
        assert!(caught.is_err());
        assert_eq!(take_blamed(), Some(outer));
        blame(&outer, || ());
        assert_eq!(take_blamed(), None);
    }
}
