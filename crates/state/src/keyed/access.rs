//! What a backend implements for each kind of state; the handles call nothing else.
//!
//! Callbacks are `&mut dyn FnMut` and are called exactly once by `with` and `modify` (trusted), so that a handle can hand
//! out the callback's result.

use crate::descriptor::{AggregateFunction, StateData};
use millpond_core::Result;

/// What all kinds have. Flink's `InternalKvState`.
pub trait KeyedAccess<N> {
    /// Makes `namespace` the one that every later access is about.
    ///
    /// # Errors
    /// IllegalState while the state lends a value.
    fn set_current_namespace(&self, namespace: N) -> Result<()>;
    /// Forgets what the current key and namespace have.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn clear(&self) -> Result<()>;
    /// Whether what the current key and namespace have can be read without waiting for storage. Asynchronous access runs
    /// at once then, and else gathers reads to load them together. States in memory never wait, which is the default here;
    /// one that says false says by [`KeyedAccess::want`] what to load.
    ///
    /// # Errors
    /// As [`KeyedAccess::clear`]. So for the following.
    fn is_at_hand(&self) -> Result<bool> {
        Ok(true)
    }
    /// Notes that what the current key and namespace have will be read soon.
    ///
    /// # Errors
    /// As [`KeyedAccess::is_at_hand`].
    fn want(&self) -> Result<()> {
        Ok(())
    }
    /// Loads at once all that was noted since the last call; reads find it until [`KeyedAccess::forget_loaded`].
    ///
    /// # Errors
    /// Those of the storage.
    fn load_wanted(&self) -> Result<()> {
        Ok(())
    }
    /// Lets go of what was loaded and not read.
    fn forget_loaded(&self) {}
}

/// A value state.
pub trait ValueAccess<V, N>: KeyedAccess<N> {
    /// The stored value, else the default.
    ///
    /// # Errors
    /// IllegalState when there is neither, or no current key.
    fn value(&self) -> Result<V>;
    /// The stored value.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn get(&self) -> Result<Option<V>>;
    /// Stores a value.
    ///
    /// # Errors
    /// As [`ValueAccess::get`].
    fn update(&self, value: V) -> Result<()>;
    /// Shows the stored value.
    ///
    /// # Errors
    /// As [`ValueAccess::get`].
    fn with(&self, f: &mut dyn FnMut(Option<&V>)) -> Result<()>;
    /// Lends the stored value to be changed, removed or set.
    ///
    /// # Errors
    /// As [`ValueAccess::get`].
    fn modify(&self, f: &mut dyn FnMut(&mut Option<V>)) -> Result<()>;
}

/// A list state.
pub trait ListAccess<T, N>: KeyedAccess<N> {
    /// Appends an element.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn add(&self, value: T) -> Result<()>;
    /// Appends elements.
    ///
    /// # Errors
    /// As [`ListAccess::add`].
    fn add_all(&self, values: Vec<T>) -> Result<()>;
    /// Puts `values` in place of what was there; an empty list clears.
    ///
    /// # Errors
    /// As [`ListAccess::add`].
    fn update(&self, values: Vec<T>) -> Result<()>;
    /// Shows the elements; none for a key that has no list.
    ///
    /// # Errors
    /// As [`ListAccess::add`].
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()>;
    /// Moves what the current key has in `sources` into `target`, behind what is there: source by source, in their order.
    /// Afterwards `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`. A target among the
    /// sources is left out of them.
    ///
    /// # Errors
    /// As [`ListAccess::add`].
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()>
    where
        T: StateData,
        N: Clone + PartialEq,
    {
        let mut moved = Vec::new();
        for source in sources.iter().filter(|source| *source != target) {
            self.set_current_namespace(source.clone())?;
            self.with(&mut |list| moved.extend_from_slice(list))?;
            self.clear()?;
        }
        self.set_current_namespace(target.clone())?;
        self.add_all(moved)
    }
}

/// Who is shown the entries of a map state. Every closure that takes a key and a value is one.
pub trait EntryVisitor<UK, UV> {
    /// Shows one.
    fn entry(&mut self, key: &UK, value: &UV);
    /// Shows some that lie side by side: one call for all of them, behind which the compiler sees the closure.
    fn entries(&mut self, entries: &[(UK, UV)]);
}

impl<UK, UV, F: FnMut(&UK, &UV)> EntryVisitor<UK, UV> for F {
    #[inline]
    fn entry(&mut self, key: &UK, value: &UV) {
        self(key, value);
    }
    #[inline]
    fn entries(&mut self, entries: &[(UK, UV)]) {
        entries.iter().for_each(|(key, value)| self(key, value));
    }
}

/// A map state.
pub trait MapAccess<UK, UV, N>: KeyedAccess<N> {
    /// The value of a user key.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn get(&self, key: &UK) -> Result<Option<UV>>;
    /// Shows the value of a user key.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()>;
    /// Sets the value of a user key.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn put(&self, key: UK, value: UV) -> Result<()>;
    /// Lends the value of a user key to be changed, removed or set.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()>;
    /// Forgets a user key and returns its value.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn remove(&self, key: &UK) -> Result<Option<UV>>;
    /// Whether the user key has a value.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn contains(&self, key: &UK) -> Result<bool>;
    /// How many user keys there are.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn entry_count(&self) -> Result<usize>;
    /// Shows every entry to `visitor`, in no particular but a repeatable order.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()>;
    /// [`KeyedAccess::is_at_hand`] of one entry.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn is_entry_at_hand(&self, _key: &UK) -> Result<bool> {
        Ok(true)
    }
    /// [`KeyedAccess::want`] of one entry.
    ///
    /// # Errors
    /// As [`MapAccess::get`].
    fn want_entry(&self, _key: &UK) -> Result<()> {
        Ok(())
    }
}

/// A reducing state.
pub trait ReducingAccess<T, N>: KeyedAccess<N> {
    /// Reduces a value into what is stored.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn add(&self, value: T) -> Result<()>;
    /// What was reduced so far.
    ///
    /// # Errors
    /// As [`ReducingAccess::add`].
    fn get(&self) -> Result<Option<T>>;
    /// Reduces what the current key has in `sources` into what it has in `target`, and forgets it in the sources. Afterwards
    /// `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`. A target among the sources is
    /// left out of them.
    ///
    /// # Errors
    /// As [`ReducingAccess::add`].
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()>
    where
        N: Clone + PartialEq,
    {
        for source in sources.iter().filter(|source| *source != target) {
            self.set_current_namespace(source.clone())?;
            if let Some(value) = self.get()? {
                self.clear()?;
                self.set_current_namespace(target.clone())?;
                self.add(value)?;
            }
        }
        self.set_current_namespace(target.clone())
    }
}

/// An aggregating state.
pub trait AggregatingAccess<F: AggregateFunction, N>: KeyedAccess<N> {
    /// Adds a value to the accumulator.
    ///
    /// # Errors
    /// IllegalState when there is no current key.
    fn add(&self, value: F::In) -> Result<()>;
    /// The result of the accumulator.
    ///
    /// # Errors
    /// As [`AggregatingAccess::add`].
    fn get(&self) -> Result<Option<F::Out>>;
    /// The accumulator itself.
    ///
    /// # Errors
    /// As [`AggregatingAccess::add`].
    fn accumulator(&self) -> Result<Option<F::Acc>>;
    /// Merges an accumulator into the stored one.
    ///
    /// # Errors
    /// As [`AggregatingAccess::add`].
    fn merge(&self, accumulator: F::Acc) -> Result<()>;
    /// Merges the accumulators that the current key has in `sources` into the one it has in `target`, and forgets them in the
    /// sources. Afterwards `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`. A target among
    /// the sources is left out of them.
    ///
    /// # Errors
    /// As [`AggregatingAccess::add`].
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()>
    where
        N: Clone + PartialEq,
    {
        for source in sources.iter().filter(|source| *source != target) {
            self.set_current_namespace(source.clone())?;
            if let Some(accumulator) = self.accumulator()? {
                self.clear()?;
                self.set_current_namespace(target.clone())?;
                self.merge(accumulator)?;
            }
        }
        self.set_current_namespace(target.clone())
    }
}
