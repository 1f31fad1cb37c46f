//! One registered state: its column family, the shared current key, the handle's namespace. The kinds of state build on it.

use super::database::Column;
use super::key::{group_prefix, write_group};
use super::unwritten::TakenOut;
use crate::hashmap::codec::{EntryCodec, KeyCodec};
use crate::keyed::{KeyContext, Namespace};
use crate::query::Pairs;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange, StateKey};
use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};
use std::marker::PhantomData;
use std::rc::Rc;

/// What every state of a backend is made with.
pub(super) struct StateParts<K> {
    pub(super) context: Rc<KeyContext<K>>,
    pub(super) range: KeyGroupRange,
    pub(super) prefix_bytes: usize,
    pub(super) column: Column,
}

/// A column family with what an access to it needs.
pub(super) struct ColumnState<K, N, V, C> {
    context: Rc<KeyContext<K>>,
    range: KeyGroupRange,
    prefix_bytes: usize,
    namespace: RefCell<N>,
    /// Borrowed while a value is lent: shared to look at, mutably to change.
    gate: RefCell<()>,
    buffers: RefCell<Buffers>,
    key_codec: KeyCodec<K, N>,
    codec: C,
    column: Column,
    value: PhantomData<fn(V)>,
}

/// Memory that all accesses share.
#[derive(Default)]
pub(super) struct Buffers {
    /// The key in the database.
    pub(super) key: DataOutput,
    pub(super) value: DataOutput,
}

impl<K: StateKey, N: Namespace, V, C: EntryCodec<V>> ColumnState<K, N, V, C> {
    pub(super) fn new(parts: StateParts<K>, namespace: N, key_codec: KeyCodec<K, N>, codec: C) -> Self {
        ColumnState {
            context: parts.context,
            range: parts.range,
            prefix_bytes: parts.prefix_bytes,
            column: parts.column,
            namespace: RefCell::new(namespace),
            gate: RefCell::new(()),
            buffers: RefCell::default(),
            key_codec,
            codec,
            value: PhantomData,
        }
    }

    pub(super) fn codec(&self) -> &C {
        &self.codec
    }

    pub(super) fn column(&self) -> &Column {
        &self.column
    }

    pub(super) fn key_codec(&self) -> &KeyCodec<K, N> {
        &self.key_codec
    }

    pub(super) fn context(&self) -> &KeyContext<K> {
        &self.context
    }

    pub(super) fn namespace(&self) -> Result<Ref<'_, N>> {
        self.namespace.try_borrow().map_err(|_| lending())
    }

    pub(super) fn set_namespace(&self, namespace: N) -> Result<()> {
        let _gate = self.changing()?;
        let mut slot = self.namespace.try_borrow_mut().map_err(|_| lending())?;
        *slot = namespace;
        Ok(())
    }

    /// Held while a value is being looked at.
    #[inline]
    pub(super) fn looking(&self) -> Result<Ref<'_, ()>> {
        self.gate.try_borrow().map_err(|_| lending())
    }

    /// Held while a value is being changed.
    #[inline]
    pub(super) fn changing(&self) -> Result<RefMut<'_, ()>> {
        self.gate.try_borrow_mut().map_err(|_| lending())
    }

    /// The key group of the current key.
    ///
    /// # Errors
    /// IllegalState when there is no current key or it is another instance's.
    #[inline]
    pub(super) fn current_group(&self) -> Result<(Ref<'_, K>, u32)> {
        let key = self.context.current_key()?;
        let group = self.context.current_key_group();
        if self.range.contains(group) {
            return Ok((key, group));
        }
        Err(foreign(group, self.range))
    }

    /// The key group of `key`.
    ///
    /// # Errors
    /// IllegalState when it is another instance's.
    pub(super) fn group_of(&self, key: &K) -> Result<u32> {
        let group = self.context.key_group_of(key);
        if self.range.contains(group) {
            return Ok(group);
        }
        Err(foreign(group, self.range))
    }

    /// Hands out the buffers with the current key and namespace in the database's layout.
    #[inline]
    pub(super) fn with_key<R>(&self, f: impl FnOnce(&mut Buffers) -> Result<R>) -> Result<R> {
        let (key, group) = self.current_group()?;
        let namespace = self.namespace()?;
        let mut buffers = self.buffers()?;
        self.write_key(group, &key, &namespace, &mut buffers.key)?;
        f(&mut buffers)
    }

    /// How many bytes `write` writes.
    #[inline]
    pub(super) fn measure(&self, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<u32> {
        let mut buffers = self.buffers()?;
        buffers.value.clear();
        write(&mut buffers.value)?;
        Ok(u32::try_from(buffers.value.len()).unwrap_or(u32::MAX))
    }

    #[inline]
    fn buffers(&self) -> Result<RefMut<'_, Buffers>> {
        self.buffers.try_borrow_mut().map_err(|_| lending())
    }

    #[inline]
    pub(super) fn write_key(&self, group: u32, key: &K, namespace: &N, out: &mut DataOutput) -> Result<()> {
        out.clear();
        self.append_key(group, key, namespace, out)
    }

    #[inline]
    pub(super) fn append_key(&self, group: u32, key: &K, namespace: &N, out: &mut DataOutput) -> Result<()> {
        write_group(group, self.prefix_bytes, out);
        self.key_codec.write(key, namespace, out)
    }

    /// Takes a stored key apart: key and namespace; what is left of it is the user key.
    pub(super) fn read_key(&self, input: &mut DataInput<'_>) -> Result<(K, N)> {
        input.read_bytes(self.prefix_bytes)?;
        self.key_codec.read(input)
    }

    /// Shows every entry of the column family, key group by key group.
    pub(super) fn scan_all(&self, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        for group in self.range.iter() {
            let (prefix, length) = group_prefix(group, self.prefix_bytes);
            self.column
                .scan(prefix.get(..length).unwrap_or_default(), |key, value| {
                    f(key, value).map(|()| true)
                })?;
        }
        Ok(())
    }
}

/// What the backend asks of every state, whatever its types are.
pub(super) trait RegisteredState {
    /// How many keys, with their namespaces, have something.
    ///
    /// # Errors
    /// Those of the database; IllegalState while the state lends a value.
    fn num_entries(&self) -> Result<usize>;
    /// Asks the memory for what is held of the keys of these hashes, under the current namespace. A hint.
    fn prefetch(&self, key_hashes: &mut dyn Iterator<Item = u64>);
    /// Takes out what is held back from the database.
    ///
    /// # Errors
    /// IllegalState while the state lends a value; those of the serializers. What was taken out before is in `out.held` then.
    fn freeze(&self, out: &mut TakenOut) -> Result<()>;
    /// Adds the entries of the key whose bytes, with its key group, are `prefix`, each without the key group.
    ///
    /// # Errors
    /// As for `num_entries`; Unsupported when it is too much.
    fn pairs_of(&self, prefix: &[u8], pairs: &mut Pairs) -> Result<()>;
    /// The state as what it is, for those who know its types.
    fn as_any(&self) -> &dyn Any;
}

/// What the backend asks of a state whose namespace type it knows.
pub(super) trait KeysOf<K, N> {
    /// The keys with an entry under `namespace`.
    ///
    /// # Errors
    /// Those of the database; IllegalState while the state lends a value.
    fn keys(&self, namespace: &N) -> Result<Vec<K>>;
    /// The keys with their namespaces.
    ///
    /// # Errors
    /// As [`KeysOf::keys`].
    fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>>;
}

impl<K: StateKey, N: Namespace, V, C: EntryCodec<V>> ColumnState<K, N, V, C> {
    pub(super) fn num_entries(&self) -> Result<usize> {
        let mut count = 0;
        let mut last = Vec::new();
        self.scan_all(|key, _| {
            let mut input = DataInput::new(key);
            self.read_key(&mut input)?;
            // The entries of one map stand together.
            let prefix = key.get(..input.position()).unwrap_or(key);
            if last != prefix {
                count += 1;
                last.clear();
                last.extend_from_slice(prefix);
            }
            Ok(())
        })?;
        Ok(count)
    }

    pub(super) fn pairs_of(&self, prefix: &[u8], pairs: &mut Pairs) -> Result<()> {
        // No key's bytes are the beginning of another's: serializers know where a value ends.
        self.column.scan(prefix, |key, value| {
            pairs.add(key.get(self.prefix_bytes..).unwrap_or_default(), value)?;
            Ok(true)
        })
    }

    pub(super) fn keys(&self, namespace: &N) -> Result<Vec<K>> {
        let mut keys: Vec<K> = Vec::new();
        self.scan_all(|key, _| {
            let (key, found) = self.read_key(&mut DataInput::new(key))?;
            if found == *namespace && keys.last() != Some(&key) {
                keys.push(key);
            }
            Ok(())
        })?;
        Ok(keys)
    }

    pub(super) fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>> {
        let mut found: Vec<(K, N)> = Vec::new();
        self.scan_all(|key, _| {
            let entry = self.read_key(&mut DataInput::new(key))?;
            if found.last() != Some(&entry) {
                found.push(entry);
            }
            Ok(())
        })?;
        Ok(found)
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

#[cold]
fn foreign(key_group: u32, range: KeyGroupRange) -> Error {
    Error::illegal_state(
        "use keyed state",
        "the current key belongs to another operator instance",
    )
    .with("key_group", key_group)
    .with("owned", range)
    .hint("partition the stream by the same key that the state is keyed by, and keep `java_hash` stable")
}
