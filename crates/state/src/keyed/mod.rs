//! The keyed states as user functions hold them: handles that know the type of their values and namespaces, and neither
//! the type of the key nor the backend.
//!
//! A handle is one `Rc` onto a trait object of its kind ([`access`]), so an access costs one virtual call and then runs
//! code that knows every type. A handle that was made by `Default` is unopened, and every use of it is an error. The
//! key that an access is about is the backend's current key ([`KeyContext`]); the namespace is the handle's.
//!
//! Functions live on one thread with their state, so `Rc` is right; nothing here is ever shared between threads.

pub mod access;
mod aggregating;
mod context;
mod list;
mod loading;
mod map;
mod reducing;
mod value;

pub use aggregating::AggregatingState;
pub use context::{KeyContext, PREFETCH_BATCH, PreparedKey};
pub use list::ListState;
pub(crate) use loading::{Entry, Loading};
pub use map::MapState;
pub use reducing::ReducingState;
pub use value::ValueState;

use crate::descriptor::StateData;
use millpond_core::{Error, Result};
use millpond_types::StateType;
use std::hash::Hash;
use std::rc::Rc;

/// A type that can be the namespace of a keyed state: a window, or [`millpond_types::serializer::void::VoidNamespace`].
pub trait Namespace: StateType + Hash + Eq {}

impl<T: StateType + Hash + Eq> Namespace for T {}

/// A type that can be the key inside a map state.
pub trait MapKey: StateData + Hash + Eq {}

impl<T: StateData + Hash + Eq> MapKey for T {}

/// The opened state behind a handle.
#[inline]
fn opened<A: ?Sized>(handle: &Option<Rc<A>>) -> Result<&A> {
    match handle {
        Some(access) => Ok(access),
        None => Err(unopened()),
    }
}

#[cold]
fn unopened() -> Error {
    Error::illegal_state("use state", "the state was never opened")
        .hint("get the handle from the runtime context in the function's `open`")
}

#[cold]
fn not_called() -> Error {
    Error::illegal_state("use state", "the backend did not call back")
}
