//! One registered state: its table, the shared current key, the handle's namespace.

use super::codec::{EntryCodec, KeyCodec};
use super::expire::{Budget, Cursor, Expiring, FilteredSnapshots};
use super::frozen::FrozenTable;
use super::group::{Epoch, Held};
use super::table::{Place, StateTable, entry_hash, namespace_hash};
use crate::descriptor::StateData;
use crate::keyed::{KeyContext, Namespace, PreparedKey};
use crate::query::{PAIR_BYTES_MAX, Pairs, too_large};
use crate::snapshot::pairs::{PairBuffers, PairWriter, read_pair};
use crate::snapshot::{FrozenState, StateMetaInfoSnapshot};
use crate::ttl::Expiry;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange, StateKey};
use std::cell::{OnceCell, RefCell};
use std::io;
use std::rc::Rc;

/// A table with what an access to it needs. The kinds of state build on it.
pub(super) struct TableState<K, N, V, C> {
    context: Rc<KeyContext<K>>,
    current: RefCell<Current<K, N, V>>,
    key_codec: KeyCodec<K, N>,
    codec: C,
    /// Set when snapshots leave out what has expired.
    filtered: OnceCell<FilteredSnapshots<V>>,
}

/// The table with the namespace that accesses are about: one thing to borrow for each access.
struct Current<K, N, V> {
    table: StateTable<K, N, V>,
    namespace: N,
    namespace_hash: u64,
}

/// What the backend asks of every state, whatever its types are.
pub(super) trait RegisteredState<K> {
    /// How many entries it has.
    ///
    /// # Errors
    /// IllegalState while it lends a value.
    fn num_entries(&self) -> Result<usize>;
    /// Brings what `keys` have nearer to the processor. Only a hint: nothing changes, and nothing depends on it.
    fn prefetch(&self, keys: &[PreparedKey<K>]);
    /// Freezes it.
    ///
    /// # Errors
    /// IllegalState while it lends a value.
    fn freeze(&self, epoch: Epoch, meta: &StateMetaInfoSnapshot) -> Result<Box<dyn FrozenState>>;
    /// Adds what `key` has, under whichever namespaces, as pairs of a canonical snapshot.
    ///
    /// # Errors
    /// IllegalState while it lends a value; those of the serializers; Unsupported when it is too much.
    fn pairs_of(&self, key: &K, key_group: u32, pairs: &mut Pairs) -> Result<()>;
}

/// What the backend asks of a state whose namespace type it knows.
pub(super) trait KeysOf<K, N> {
    /// The keys with an entry under `namespace`.
    ///
    /// # Errors
    /// IllegalState while the state lends a value.
    fn keys(&self, namespace: &N) -> Result<Vec<K>>;
    /// The keys with their namespaces.
    ///
    /// # Errors
    /// As [`KeysOf::keys`].
    fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>>;
}

impl<K: StateKey, N: Namespace, V: StateData, C: EntryCodec<V>> TableState<K, N, V, C> {
    pub(super) fn new(
        context: Rc<KeyContext<K>>,
        range: KeyGroupRange,
        namespace: N,
        key_codec: KeyCodec<K, N>,
        codec: C,
    ) -> Self {
        TableState {
            context,
            current: RefCell::new(Current {
                table: StateTable::new(range, C::SHARD_TARGET),
                namespace_hash: namespace_hash(&namespace),
                namespace,
            }),
            key_codec,
            codec,
            filtered: OnceCell::new(),
        }
    }

    /// Makes snapshots leave out what has expired.
    pub(super) fn filter_snapshots(&self, filter: FilteredSnapshots<V>) {
        // Set once, when the state is opened.
        let _already = self.filtered.set(filter);
    }

    /// Removes expired values from `cursor` on, within `budget`. While the state lends a value it does nothing.
    pub(super) fn sweep(&self, cursor: &mut Cursor, budget: &mut Budget, moment: Expiry)
    where
        V: Expiring,
    {
        if let Ok(mut current) = self.current.try_borrow_mut() {
            current.table.sweep(cursor, budget, moment);
        }
    }

    pub(super) fn codec(&self) -> &C {
        &self.codec
    }

    pub(super) fn key_codec(&self) -> &KeyCodec<K, N> {
        &self.key_codec
    }

    pub(super) fn set_namespace(&self, namespace: N) -> Result<()> {
        let mut current = self.current.try_borrow_mut().map_err(|_| lending())?;
        current.namespace_hash = namespace_hash(&namespace);
        current.namespace = namespace;
        Ok(())
    }

    #[inline(always)]
    fn place(&self, namespace_hash: u64) -> Place {
        Place {
            key_group: self.context.current_key_group(),
            hash: entry_hash::<N>(self.context.current_hash(), namespace_hash),
            turn: self.context.turn(),
        }
    }

    /// Shows the current key's value.
    #[inline(always)]
    pub(super) fn read<R>(&self, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        let key = self.context.current_key()?;
        let Ok(current) = self.current.try_borrow() else {
            return Err(lending());
        };
        let place = self.place(current.namespace_hash);
        Ok(f(current.table.get(place, &key, &current.namespace)?))
    }

    /// Changes the current key's value or inserts one.
    #[inline(always)]
    pub(super) fn upsert<A>(
        &self,
        arg: A,
        change: impl FnOnce(&mut V, A),
        create: impl FnOnce(A) -> V,
    ) -> Result<()> {
        self.write(Held::Copied, |slot| match slot {
            Some(value) => {
                change(value, arg);
                None
            }
            None => Some(create(arg)),
        })
    }

    /// Sets the current key's value, whatever it was.
    #[inline(always)]
    pub(super) fn set(&self, value: V) -> Result<()> {
        self.write(Held::Replaced, |slot| match slot {
            Some(slot) => {
                *slot = value;
                None
            }
            None => Some(value),
        })
    }

    #[inline(always)]
    fn write(&self, held: Held, write: impl FnOnce(Option<&mut V>) -> Option<V>) -> Result<()> {
        let key = self.context.current_key()?;
        let Ok(mut current) = self.current.try_borrow_mut() else {
            return Err(lending());
        };
        let current = &mut *current;
        let place = self.place(current.namespace_hash);
        current.table.upsert(place, &key, &current.namespace, held, write)
    }

    /// Lends the current key's value to be changed, removed or set.
    #[inline]
    pub(super) fn modify(&self, f: impl FnOnce(&mut Option<V>)) -> Result<()> {
        let key = self.context.current_key()?;
        let Ok(mut current) = self.current.try_borrow_mut() else {
            return Err(lending());
        };
        let current = &mut *current;
        let place = self.place(current.namespace_hash);
        current.table.modify(place, &key, &current.namespace, f)
    }

    /// Changes the current key's value if it has one; `change` also says whether to remove it then.
    #[inline]
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut V) -> (R, bool)) -> Result<Option<R>> {
        let key = self.context.current_key()?;
        let Ok(mut current) = self.current.try_borrow_mut() else {
            return Err(lending());
        };
        let current = &mut *current;
        let place = self.place(current.namespace_hash);
        current.table.change(place, &key, &current.namespace, change)
    }

    /// Takes the current key's value out. An absent one costs no copy of a frozen shard.
    pub(super) fn take(&self) -> Result<Option<V>> {
        if self.read(|value| value.is_none())? {
            return Ok(None);
        }
        let mut taken = None;
        self.modify(|slot| taken = slot.take())?;
        Ok(taken)
    }

    /// Takes the current key's values out of `sources` and hands each to `merge` with `target` as the current namespace,
    /// which it is afterwards. The values are moved, not copied.
    pub(super) fn merge_namespaces(
        &self,
        target: &N,
        sources: &[N],
        merge: impl Fn(V) -> Result<()>,
    ) -> Result<()> {
        for source in sources.iter().filter(|source| *source != target) {
            self.set_namespace(source.clone())?;
            if let Some(value) = self.take()? {
                self.set_namespace(target.clone())?;
                merge(value)?;
            }
        }
        self.set_namespace(target.clone())
    }

    /// Forgets the current key's value.
    #[inline]
    pub(super) fn clear(&self) -> Result<()> {
        self.change(|_| ((), true)).map(|_| ())
    }

    /// Inserts or extends an entry that comes from a snapshot.
    pub(super) fn restore(
        &self,
        key_group: u32,
        key: K,
        namespace: N,
        f: impl FnOnce(&mut Option<V>) -> Result<()>,
    ) -> Result<()> {
        let computed = self.context.key_group_of(&key);
        if computed != key_group {
            return Err(
                Error::corrupt("restore state", "a stored key belongs to another key group")
                    .with("stored", key_group)
                    .with("computed", computed)
                    .hint("the type of the key or its `java_hash` must be what it was when the snapshot was taken, and so must the max parallelism"),
            );
        }
        let hash = entry_hash::<N>(millpond_core::hash::fixed_hash(&key), namespace_hash(&namespace));
        let mut current = self.current.try_borrow_mut().map_err(|_| lending())?;
        let mut out = Ok(());
        let place = Place {
            key_group,
            hash,
            turn: 0,
        };
        current.table.modify(place, &key, &namespace, |v| out = f(v))?;
        out
    }
}

impl<K: StateKey, N: Namespace, V: StateData, C: EntryCodec<V>> RegisteredState<K>
    for TableState<K, N, V, C>
{
    fn num_entries(&self) -> Result<usize> {
        Ok(self.current.try_borrow().map_err(|_| lending())?.table.len())
    }

    fn prefetch(&self, keys: &[PreparedKey<K>]) {
        // With a namespace, nobody knows yet which one the key will be used with.
        if size_of::<N>() != 0 {
            return;
        }
        if let Ok(current) = self.current.try_borrow() {
            let inner = C::HAS_HEAP.then_some(|value: &V| self.codec.prefetch(value));
            current.table.prefetch(keys, inner);
        }
    }

    fn freeze(&self, epoch: Epoch, meta: &StateMetaInfoSnapshot) -> Result<Box<dyn FrozenState>> {
        let mut current = self.current.try_borrow_mut().map_err(|_| lending())?;
        Ok(Box::new(FrozenTable {
            meta: meta.clone(),
            groups: current.table.freeze(epoch),
            key_codec: self.key_codec.clone(),
            codec: self.codec.clone(),
            filter: self.filtered.get().map(FilteredSnapshots::now),
        }))
    }

    fn pairs_of(&self, key: &K, key_group: u32, pairs: &mut Pairs) -> Result<()> {
        let current = self.current.try_borrow().map_err(|_| lending())?;
        let mut prefix = DataOutput::new();
        current.table.for_key(key, key_group, |namespace, value| {
            prefix.clear();
            self.key_codec.write(key, namespace, &mut prefix)?;
            let mut sink = Bounded::default();
            let mut buffers = PairBuffers::default();
            let mut writer = PairWriter::new(&mut sink, &mut buffers, key_group, 1);
            self.codec.write(prefix.as_slice(), value, &mut writer)?;
            writer.finish(false)?;
            let mut written = DataInput::new(&sink.0);
            while !written.is_empty() {
                let (key, value) = read_pair(&mut written)?;
                // Without the key group.
                pairs.add(key.get(1..).unwrap_or_default(), value)?;
            }
            Ok(())
        })
    }
}

/// Takes the pairs of one entry, unless they are too much to be shown.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PAIR_BYTES_MAX {
            return Err(io::Error::other(too_large()));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<K: StateKey, N: Namespace, V: StateData, C: EntryCodec<V>> KeysOf<K, N> for TableState<K, N, V, C> {
    fn keys(&self, namespace: &N) -> Result<Vec<K>> {
        let current = self.current.try_borrow().map_err(|_| lending())?;
        Ok(current.table.keys(namespace))
    }

    fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>> {
        let current = self.current.try_borrow().map_err(|_| lending())?;
        Ok(current.table.keys_and_namespaces())
    }
}

#[cold]
#[inline(never)]
pub(super) fn lending() -> Error {
    Error::illegal_state(
        "use state",
        "the state was used from inside a callback that it lends a value to",
    )
    .hint("return from the callback of `with`, `modify` or `for_each` first")
}
