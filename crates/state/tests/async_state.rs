//! Asynchronous access without an engine: what runs at once, what waits, and how a batch is loaded and run.

use millpond_core::Result;
use millpond_state::async_state::{AsyncValueState, Gather, StateRequestBuffer};
use millpond_state::keyed::ValueState;
use millpond_state::keyed::access::{KeyedAccess, ValueAccess};
use millpond_types::VoidNamespace;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A state on slow storage. It writes down what is read without having been loaded before.
#[derive(Default)]
struct Slow {
    key: Cell<u32>,
    stored: RefCell<BTreeMap<u32, i64>>,
    wanted: RefCell<Vec<u32>>,
    loaded: RefCell<Vec<u32>>,
    log: RefCell<Vec<String>>,
}

impl Slow {
    fn say(&self, what: String) {
        self.log.borrow_mut().push(what);
    }
}

struct Handle(Rc<Slow>);

impl KeyedAccess<VoidNamespace> for Handle {
    fn set_current_namespace(&self, _: VoidNamespace) -> Result<()> {
        Ok(())
    }
    fn clear(&self) -> Result<()> {
        self.0.say(format!("clear {}", self.0.key.get()));
        self.0.stored.borrow_mut().remove(&self.0.key.get());
        Ok(())
    }
    fn is_at_hand(&self) -> Result<bool> {
        Ok(false)
    }
    fn want(&self) -> Result<()> {
        self.0.wanted.borrow_mut().push(self.0.key.get());
        Ok(())
    }
    fn load_wanted(&self) -> Result<()> {
        let wanted = self.0.wanted.take();
        if !wanted.is_empty() {
            self.0.say(format!("load {wanted:?}"));
            self.0.loaded.borrow_mut().extend(wanted);
        }
        Ok(())
    }
    fn forget_loaded(&self) {
        self.0.loaded.borrow_mut().clear();
    }
}

impl ValueAccess<i64, VoidNamespace> for Handle {
    fn value(&self) -> Result<i64> {
        Ok(self.get()?.unwrap_or(0))
    }
    fn get(&self) -> Result<Option<i64>> {
        let key = self.0.key.get();
        let loaded = self.0.loaded.borrow().contains(&key);
        self.0
            .say(format!("read {key}{}", if loaded { "" } else { " alone" }));
        Ok(self.0.stored.borrow().get(&key).copied())
    }
    fn update(&self, value: i64) -> Result<()> {
        self.0.say(format!("write {}", self.0.key.get()));
        self.0.stored.borrow_mut().insert(self.0.key.get(), value);
        Ok(())
    }
    fn with(&self, f: &mut dyn FnMut(Option<&i64>)) -> Result<()> {
        f(self.get()?.as_ref());
        Ok(())
    }
    fn modify(&self, f: &mut dyn FnMut(&mut Option<i64>)) -> Result<()> {
        let mut value = self.get()?;
        f(&mut value);
        value.map_or_else(|| self.clear(), |value| self.update(value))
    }
}

fn slow() -> (Rc<Slow>, Rc<StateRequestBuffer>, AsyncValueState<i64>) {
    let slow = Rc::new(Slow::default());
    let buffer = StateRequestBuffer::new(Gather::Far);
    let handle = ValueState::from_access(Rc::new(Handle(Rc::clone(&slow))));
    let state = AsyncValueState::new(handle, Rc::clone(&buffer));
    (slow, buffer, state)
}

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn reads_that_wait_are_loaded_together_and_run_under_their_keys() -> Result<()> {
    let (slow, buffer, state) = slow();
    slow.stored.borrow_mut().extend([(1, 10), (2, 20)]);
    let mut reads: Vec<_> = (0..3).map(|_| Box::pin(state.async_get())).collect();
    for (record, read) in reads.iter_mut().enumerate() {
        buffer.enter(record);
        assert!(poll(read).is_pending());
    }
    buffer.leave();
    assert_eq!((buffer.len(), buffer.outstanding(1)), (3, 1));
    // The records are of the keys 1, 2 and 3.
    let enter = |record: usize| {
        slow.key.set(record as u32 + 1);
        Ok(())
    };
    assert_eq!(buffer.execute_batch(2, enter)?, 2);
    assert_eq!(slow.log.take(), ["load [1, 2]", "read 1", "read 2"]);
    assert_eq!(
        (buffer.len(), buffer.outstanding(1), buffer.outstanding(2)),
        (1, 0, 1)
    );
    assert!(slow.loaded.borrow().is_empty(), "what was loaded is let go");
    assert_eq!(buffer.execute_batch(2, enter)?, 1);
    assert_eq!(buffer.execute_batch(2, enter)?, 0);
    for (read, expected) in reads.iter_mut().zip([Some(10), Some(20), None]) {
        let Poll::Ready(got) = poll(read) else {
            unreachable!("it was run")
        };
        assert_eq!(got?, expected);
    }
    Ok(())
}

/// Goal: a write needs nothing of the storage and runs at once, unless its record waits for an access that came before.
#[test]
fn a_write_waits_only_behind_what_its_record_waits_for() -> Result<()> {
    let (slow, buffer, state) = slow();
    slow.key.set(7);
    buffer.enter(0);
    assert!(poll(&mut Box::pin(state.async_update(1))).is_ready());
    let mut read = Box::pin(state.async_get());
    let mut write = Box::pin(state.async_update(2));
    assert!(poll(&mut read).is_pending());
    assert!(poll(&mut write).is_pending());
    buffer.enter(1);
    slow.key.set(8);
    assert!(poll(&mut Box::pin(state.async_update(3))).is_ready());
    buffer.execute_batch(10, |_| {
        slow.key.set(7);
        Ok(())
    })?;
    assert_eq!(
        slow.log.take(),
        ["write 7", "write 8", "load [7]", "read 7", "write 7"]
    );
    assert!(matches!(poll(&mut read), Poll::Ready(Ok(Some(1)))));
    assert!(matches!(poll(&mut write), Poll::Ready(Ok(()))));
    assert!(matches!(poll(&mut write), Poll::Ready(Err(e)) if e.report().contains("answered")));
    Ok(())
}

/// Goal: what a state loads early never hides a later write. Method: a record reads, writes and reads; only what it reads before
/// the write is loaded with the rest of the batch.
#[test]
fn what_a_record_reads_after_a_write_is_not_loaded_before_the_write() -> Result<()> {
    let (slow, buffer, state) = slow();
    let (mut first, mut write, mut second) = (
        Box::pin(state.async_get()),
        Box::pin(state.async_update(4)),
        Box::pin(state.async_modify(|v| *v)),
    );
    buffer.enter(0);
    assert!(poll(&mut first).is_pending() && poll(&mut write).is_pending() && poll(&mut second).is_pending());
    let mut other = Box::pin(state.async_get());
    buffer.enter(1);
    assert!(poll(&mut other).is_pending());
    buffer.execute_batch(10, |record| {
        slow.key.set(record as u32 + 30);
        Ok(())
    })?;
    let log = slow.log.take();
    assert_eq!(log.first().map(String::as_str), Some("load [30, 31]"));
    assert!(matches!(poll(&mut first), Poll::Ready(Ok(None))));
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(Some(4)))));
    Ok(())
}

#[test]
fn a_dropped_access_runs_if_it_was_polled_and_else_never_does() -> Result<()> {
    let (slow, buffer, state) = slow();
    buffer.enter(0);
    drop(state.async_update(1));
    let mut polled = Box::pin(state.async_modify(|v| *v = Some(5)));
    assert!(poll(&mut polled).is_pending());
    drop(polled);
    buffer.execute_batch(10, |_| Ok(()))?;
    assert_eq!(slow.log.take(), ["load [0]", "read 0", "write 0"]);
    assert_eq!(slow.stored.borrow().get(&0), Some(&5));
    Ok(())
}

#[test]
fn nothing_is_accessed_outside_of_a_record() {
    let (_, buffer, state) = slow();
    let Poll::Ready(Err(e)) = poll(&mut Box::pin(state.async_update(1))) else {
        unreachable!("there is no record to wait for")
    };
    assert!(e.report().contains("no record or timer"), "{}", e.report());
    buffer.enter(0);
    buffer.leave();
    assert!(matches!(
        poll(&mut Box::pin(state.async_get())),
        Poll::Ready(Err(_))
    ));
    let unopened = AsyncValueState::<i64>::default();
    let Poll::Ready(Err(e)) = poll(&mut Box::pin(unopened.async_get())) else {
        unreachable!("it is not open")
    };
    assert!(e.report().contains("never opened"), "{}", e.report());
}
