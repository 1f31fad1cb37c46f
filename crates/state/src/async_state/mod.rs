//! Asynchronous access to keyed state: every access is a future, and reads that would wait for storage wait together.
//!
//! Flink's State V2 (`org.apache.flink.api.common.state.v2`, FLIP-424 and FLIP-425). The design is in
//! `docs/async-state.md`. This layer has the handles, the buffer of what is waiting, and the batch that loads and runs it; who
//! polls the futures, and which keys may run beside each other, is the engine's.
//!
//! | part | what it is |
//! |---|---|
//! | [`AsyncValueState`] and its kin | what a function holds |
//! | `StateFuture` | one access: runs at once, or waits in the buffer |
//! | [`StateRequestBuffer`] | what waits, in its order, and whose record it is |

mod future;
mod list;
mod map;
mod merging;
mod request;
mod value;

pub use list::AsyncListState;
pub use map::AsyncMapState;
pub use merging::{AsyncAggregatingState, AsyncReducingState};
pub use request::{Gather, RecordId, StateRequestBuffer};
pub use value::AsyncValueState;

use std::rc::Rc;

/// A state with the buffer that its accesses wait in.
struct Buffered<S> {
    state: S,
    buffer: Rc<StateRequestBuffer>,
}

impl<S: Clone> Clone for Buffered<S> {
    fn clone(&self) -> Self {
        Buffered {
            state: self.state.clone(),
            buffer: Rc::clone(&self.buffer),
        }
    }
}

/// What every asynchronous handle has beside its accesses. Each is `None` until it is opened.
macro_rules! async_handle {
    ($name:ident, $state:ty, [$($params:tt)*], [$($args:ident),*]) => {
        impl<$($params)*> $name<$($args),*> {
            /// For engines: `state`, whose accesses wait in `buffer`.
            pub fn new(state: $state, buffer: std::rc::Rc<$crate::async_state::StateRequestBuffer>) -> Self {
                $name(Some($crate::async_state::Buffered { state, buffer }))
            }
        }
        impl<$($params)*> Default for $name<$($args),*> {
            /// An unopened handle: every access is an error.
            fn default() -> Self {
                $name(None)
            }
        }
        impl<$($params)*> Clone for $name<$($args),*> {
            fn clone(&self) -> Self {
                $name(self.0.clone())
            }
        }
        impl<$($params)*> std::fmt::Debug for $name<$($args),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))?;
                f.write_str(if self.0.is_some() { "" } else { "(unopened)" })
            }
        }
    };
}
use async_handle;
