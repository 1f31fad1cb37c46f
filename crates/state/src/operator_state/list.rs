//! List state of an operator: the handle that functions hold, and the list behind it.

use super::frozen::{ElementWriter, FrozenState};
use super::meta::{VALUE_SERIALIZER, list_meta};
use super::restored::RestoredState;
use crate::descriptor::StateData;
use crate::handle::OperatorStateMode;
use crate::snapshot::StateMetaInfoSnapshot;
use millpond_core::{Error, Result};
use millpond_types::SharedSerializer;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A list of elements that belongs to an operator instance, not to a key. Flink's `ListState`, as
/// `OperatorStateStore#getListState` and `#getUnionListState` hand it out (`PartitionableListState`).
///
/// Made by `Default` it is unopened, and every use of it is an error. When the job is restored, the elements of all instances
/// are split among the new ones, or each gets all of them: see [`super::OperatorStateBackend`].
pub struct OperatorListState<T>(Option<Rc<ListCell<T>>>);

/// The list. A snapshot shares it; the first write after a snapshot copies it.
pub(super) struct ListCell<T> {
    pub(super) name: String,
    pub(super) mode: OperatorStateMode,
    serializer: SharedSerializer<T>,
    elements: RefCell<Arc<Vec<T>>>,
}

impl<T: StateData> OperatorListState<T> {
    pub(super) fn opened(cell: Rc<ListCell<T>>) -> Self {
        OperatorListState(Some(cell))
    }

    /// The elements.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, as for every other method.
    pub fn get(&self) -> Result<Vec<T>> {
        self.with(<[T]>::to_vec)
    }

    /// Shows the elements without copying them. Changes that `f` makes to this state don't show in what it was given.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn with<R>(&self, f: impl FnOnce(&[T]) -> R) -> Result<R> {
        let elements = self.cell()?.elements.try_borrow().map(|e| Arc::clone(&e));
        let elements = elements.map_err(|e| {
            Error::illegal_state(
                "read operator state",
                "an element's clone reads the list that is being changed",
            )
            .source(e)
        })?;
        Ok(f(&elements))
    }

    /// Shows each element in its order.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn for_each(&self, f: impl FnMut(&T)) -> Result<()> {
        self.with(|elements| elements.iter().for_each(f))
    }

    /// Whether there is no element.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn is_empty(&self) -> Result<bool> {
        self.with(<[T]>::is_empty)
    }

    /// Appends `value`.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn add(&self, value: T) -> Result<()> {
        self.change(|elements| Arc::make_mut(elements).push(value))
    }

    /// Appends `values`.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn add_all(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        let mut values: Vec<T> = values.into_iter().collect();
        self.change(|elements| Arc::make_mut(elements).append(&mut values))
    }

    /// Puts `values` in place of what was there.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn update(&self, values: Vec<T>) -> Result<()> {
        self.change(|elements| *elements = Arc::new(values))
    }

    /// Forgets all elements.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn clear(&self) -> Result<()> {
        self.update(Vec::new())
    }

    fn cell(&self) -> Result<&ListCell<T>> {
        self.0.as_deref().ok_or_else(unopened)
    }

    fn change(&self, f: impl FnOnce(&mut Arc<Vec<T>>)) -> Result<()> {
        let mut elements = self.cell()?.elements.try_borrow_mut().map_err(|e| {
            Error::illegal_state(
                "change operator state",
                "an element's clone changes the list it is in",
            )
            .source(e)
        })?;
        f(&mut elements);
        Ok(())
    }
}

impl<T: StateData> ListCell<T> {
    /// An empty list, or what a snapshot holds for it.
    pub(super) fn open(
        name: &str,
        mode: OperatorStateMode,
        serializer: SharedSerializer<T>,
        restored: Option<&RestoredState>,
    ) -> Result<Self> {
        let meta = list_meta(name, mode, serializer.snapshot());
        let mut elements = Vec::new();
        if let Some(restored) = restored {
            restored.check(&meta)?;
            for part in restored.parts() {
                let reader = part.reader(VALUE_SERIALIZER, &serializer)?;
                for mut input in part.elements() {
                    elements.push(reader.read(&mut input)?);
                }
            }
        }
        Ok(ListCell {
            name: name.to_string(),
            mode,
            serializer,
            elements: RefCell::new(Arc::new(elements)),
        })
    }
}

impl<T: StateData> super::OpenState for ListCell<T> {
    fn mode(&self) -> OperatorStateMode {
        self.mode
    }
    fn freeze(&self) -> Box<dyn FrozenState> {
        Box::new(FrozenList {
            meta: list_meta(&self.name, self.mode, self.serializer.snapshot()),
            mode: self.mode,
            serializer: self.serializer.clone(),
            elements: Arc::clone(&*self.elements.borrow()),
        })
    }
    fn as_any(self: Rc<Self>) -> Rc<dyn std::any::Any> {
        self
    }
    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }
}

struct FrozenList<T> {
    meta: StateMetaInfoSnapshot,
    mode: OperatorStateMode,
    serializer: SharedSerializer<T>,
    elements: Arc<Vec<T>>,
}

impl<T: StateData> FrozenState for FrozenList<T> {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn mode(&self) -> OperatorStateMode {
        self.mode
    }
    fn write(&self, out: &mut ElementWriter) -> Result<Vec<u64>> {
        self.elements
            .iter()
            .map(|element| out.element(|buffer| self.serializer.serialize(element, buffer)))
            .collect()
    }
}

#[cold]
pub(super) fn unopened() -> Error {
    Error::illegal_state("use operator state", "the state was never opened")
        .hint("get the handle from the operator state backend before the first record")
}

impl<T> Default for OperatorListState<T> {
    /// An unopened handle.
    fn default() -> Self {
        OperatorListState(None)
    }
}

impl<T> Clone for OperatorListState<T> {
    /// Another handle onto the same list.
    fn clone(&self) -> Self {
        OperatorListState(self.0.clone())
    }
}

impl<T> fmt::Debug for OperatorListState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(cell) => write!(f, "OperatorListState({:?}, {:?})", cell.name, cell.mode),
            None => f.write_str("OperatorListState(unopened)"),
        }
    }
}
