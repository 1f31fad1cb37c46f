//! A query of a running job's state, on its way to the task that has the key. Flink's queryable state, answered on the task's
//! own thread between two batches: so no lock stands between state and whoever looks at it.

use millpond_core::{Error, ErrorKind, OperatorId, Result};
use millpond_state::query::{QueryKey, StateView};
use std::fmt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

/// A question about the state of one key, with the way back for the answer. When the last clone is dropped unanswered (the task
/// ended), whoever waits learns of it.
#[derive(Clone)]
pub struct StateQuery(Arc<Inner>);

struct Inner {
    operator: OperatorId,
    state: String,
    key: QueryKey,
    answer: Mutex<Sender<Result<StateView>>>,
}

impl StateQuery {
    /// Asks what `key` has in `state` of `operator`.
    pub fn new(
        operator: OperatorId,
        state: String,
        key: QueryKey,
        answer: Sender<Result<StateView>>,
    ) -> Self {
        StateQuery(Arc::new(Inner {
            operator,
            state,
            key,
            answer: Mutex::new(answer),
        }))
    }
    /// Whose state.
    pub fn operator(&self) -> OperatorId {
        self.0.operator
    }
    /// Which state.
    pub fn state(&self) -> &str {
        &self.0.state
    }
    /// Which key.
    pub fn key(&self) -> &QueryKey {
        &self.0.key
    }
    /// Hands the answer to whoever asked, if they still wait.
    pub fn answer(&self, answer: Result<StateView>) {
        let sender = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sender.send(answer);
    }
}

impl PartialEq for StateQuery {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StateQuery {}

impl fmt::Debug for StateQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateQuery")
            .field("operator", &self.0.operator)
            .field("state", &self.0.state)
            .finish_non_exhaustive()
    }
}

/// The answer of an operator whose state belongs to no key.
#[cold]
pub(crate) fn not_keyed() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "query state",
        "the operator has no keyed state",
    )
    .hint("only operators behind key_by have")
}
