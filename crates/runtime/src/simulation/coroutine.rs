//! Code that can be interrupted in the middle: what a thread is in production is a coroutine here.
//!
//! Only one runs at a time, on one thread, until it calls [`pause`]; who goes on then is the scheduler's choice. So a run of many
//! "threads" is as deterministic as the choices.

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, Yielder};
use std::cell::{Cell, RefCell};
use std::ptr;

/// Enough for the deepest call chain of a task in an unoptimized build.
const STACK_BYTES: usize = 512 << 10;

/// What an interrupted coroutine waits for.
pub(super) type Body = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Where the running coroutine goes when it pauses; null while none runs.
    static CURRENT: Cell<*const ()> = const { Cell::new(ptr::null()) };
    /// Stacks of coroutines that are over. Mapping memory costs more than all that most of them do.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// Interruptible code, with what it waits for as `W`.
pub(super) struct Coroutine<W: 'static> {
    inner: corosensei::Coroutine<(), W, (), DefaultStack>,
}

impl<W: 'static> Coroutine<W> {
    /// Code that has not begun.
    pub(super) fn new(body: Body) -> Self {
        let stack = STACKS.with_borrow_mut(Vec::pop);
        let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a stack"));
        let inner = corosensei::Coroutine::with_stack(stack, move |yielder: &Yielder<(), W>, ()| {
            CURRENT.set(ptr::from_ref(yielder).cast());
            body();
        });
        Coroutine { inner }
    }

    /// Lets it go on to its next pause: what it waits for there, or `None` at its end.
    pub(super) fn resume(&mut self) -> Option<W> {
        let outer = CURRENT.get();
        let result = self.inner.resume(());
        CURRENT.set(outer);
        match result {
            CoroutineResult::Yield(wait) => Some(wait),
            CoroutineResult::Return(()) => None,
        }
    }

    /// Keeps the stack of a coroutine that is over for the next one.
    pub(super) fn recycle(self) {
        STACKS.with_borrow_mut(|stacks| stacks.push(self.inner.into_stack()));
    }
}

/// Interrupts the running coroutine. Outside of any, nothing happens: there is nobody to go on instead.
///
/// Every caller of one program has to use the same `W`.
#[expect(
    unsafe_code,
    reason = "the yielder lives on the coroutine's stack, which no safe reference from outside can express"
)]
pub(super) fn pause<W: 'static>(wait: W) {
    let current = CURRENT.get();
    if current.is_null() {
        return;
    }
    // SAFETY: `CURRENT` is set by the body of the coroutine that runs now, to its own yielder, which lives as long as the body;
    // `resume` puts the outer one back when it is left, and the line below puts this one back when it is entered again.
    let yielder = unsafe { &*current.cast::<Yielder<(), W>>() };
    yielder.suspend(wait);
    CURRENT.set(current);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn coroutines_take_turns_and_come_to_their_ends() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut both: Vec<_> = ["a", "b"]
            .map(|name| {
                let log = Arc::clone(&log);
                Coroutine::<u32>::new(Box::new(move || {
                    for i in 0..2 {
                        log.lock().unwrap().push(format!("{name}{i}"));
                        pause(i);
                    }
                }))
            })
            .into();
        for expected in [Some(0), Some(1), None] {
            for c in &mut both {
                assert_eq!(c.resume(), expected);
            }
        }
        both.into_iter().for_each(Coroutine::recycle);
        assert_eq!(*log.lock().unwrap(), ["a0", "b0", "a1", "b1"]);
        pause(0_u32);
    }
}
