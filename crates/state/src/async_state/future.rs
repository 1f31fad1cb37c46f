//! One access to state as a future. Flink's `StateFuture`; where Flink chains `thenApply` and `thenCombine`, Rust awaits.

use super::Buffered;
use super::request::{StateRequest, StateRequestBuffer};
use crate::keyed::Loading;
use millpond_core::{Error, Result};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What an access does with what is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads, and has to wait until that is loaded.
    Read,
    /// It reads and writes.
    Change,
    /// It only writes, and waits for nothing.
    Write,
}

/// An access to state. Nothing happens before it is polled for the first time; from then on it will run, also when the future
/// is dropped.
pub(super) struct StateFuture<S, F, T>(Stage<S, F, T>);

enum Stage<S, F, T> {
    New(Result<(Access<S, F>, Rc<StateRequestBuffer>)>),
    Waiting(Rc<Request<S, F, T>>),
    Over,
}

struct Access<S, F> {
    state: S,
    kind: Kind,
    run: F,
}

/// An access that waits, shared by its future and the buffer.
struct Request<S, F, T> {
    state: S,
    kind: Kind,
    /// Present until it runs.
    run: Cell<Option<F>>,
    answer: Cell<Option<Result<T>>>,
    waker: RefCell<Waker>,
}

impl<S: Loading + 'static, T: 'static, F: FnOnce(&S) -> Result<T> + 'static> StateFuture<S, F, T> {
    /// The access that `run` makes of an opened state.
    pub(super) fn new<H>(
        handle: Option<&Buffered<H>>,
        kind: Kind,
        state: impl FnOnce(&H) -> S,
        run: F,
    ) -> Self {
        let access = handle.ok_or_else(unopened).map(|handle| {
            let access = Access {
                state: state(&handle.state),
                kind,
                run,
            };
            (access, Rc::clone(&handle.buffer))
        });
        StateFuture(Stage::New(access))
    }
}

impl<S: Loading + 'static, T: 'static, F: FnOnce(&S) -> Result<T> + 'static> Future for StateFuture<S, F, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match mem::replace(&mut self.0, Stage::Over) {
            Stage::New(access) => {
                let (Access { state, kind, run }, buffer) = access?;
                let record = buffer.current()?;
                if buffer.may_run_now(record) && (kind == Kind::Write || state.is_at_hand()?) {
                    return Poll::Ready(run(&state));
                }
                let request = Rc::new(Request {
                    state,
                    kind,
                    run: Cell::new(Some(run)),
                    answer: Cell::new(None),
                    waker: RefCell::new(cx.waker().clone()),
                });
                buffer.push(record, Rc::clone(&request) as Rc<dyn StateRequest>);
                self.0 = Stage::Waiting(request);
                Poll::Pending
            }
            Stage::Waiting(request) => match request.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    request.waker.borrow_mut().clone_from(cx.waker());
                    self.0 = Stage::Waiting(request);
                    Poll::Pending
                }
            },
            Stage::Over => Poll::Ready(Err(over())),
        }
    }
}

// Nothing in it is pinned: `poll` moves its parts.
impl<S, F, T> Unpin for StateFuture<S, F, T> {}

impl<S: Loading, T, F: FnOnce(&S) -> Result<T>> StateRequest for Request<S, F, T> {
    fn want(&self) -> Result<()> {
        match self.kind {
            Kind::Read | Kind::Change => self.state.want(),
            Kind::Write => Ok(()),
        }
    }
    fn writes(&self) -> bool {
        self.kind != Kind::Read
    }
    fn load_wanted(&self) -> Result<()> {
        self.state.load_wanted()
    }
    fn forget_loaded(&self) {
        self.state.forget_loaded();
    }
    fn run(&self) {
        if let Some(run) = self.run.take() {
            self.answer.set(Some(run(&self.state)));
        }
        self.waker.borrow().wake_by_ref();
    }
}

#[cold]
fn unopened() -> Error {
    Error::illegal_state("use asynchronous state", "the state was never opened")
        .hint("get the handle from the runtime context in the function's `open`")
}

#[cold]
fn over() -> Error {
    Error::illegal_state(
        "use asynchronous state",
        "the future was polled after it had answered",
    )
}
