//! What a state with a time to live must answer: every stored element with its timestamp, in plain vectors.
//!
//! The rules are written down as Flink's classes have them, one element after the other, and share nothing with the code
//! under test. Where the background may have removed an expired element and reads may see it, either answer is right, and the
//! model goes by the one it got.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub user_key: i64,
    pub value: i64,
    pub timestamp: i64,
}

/// What the configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// None without a time to live.
    pub time_to_live: Option<i64>,
    pub on_read: bool,
    pub return_expired: bool,
    /// Whether expired elements may vanish at any time.
    pub background: bool,
}

impl Rules {
    pub fn over(&self, item: &Item, now: i64) -> bool {
        self.time_to_live.is_some_and(|ttl| item.timestamp + ttl <= now)
    }

    /// Whether what was seen of an element is right: present or not.
    fn allows(&self, item: &Item, now: i64, seen: bool) -> bool {
        if !self.over(item, now) {
            return seen;
        }
        match (self.return_expired, self.background) {
            (true, true) => true,
            (true, false) => seen,
            (false, _) => !seen,
        }
    }
}

/// The elements of each key, those of lists in their order; a kind with one value uses the user key 0.
#[derive(Clone, Debug, Default)]
pub struct Model {
    keys: BTreeMap<i64, Vec<Item>>,
}

impl Model {
    fn items(&mut self, key: i64) -> &mut Vec<Item> {
        self.keys.entry(key).or_default()
    }

    pub fn get(&self, key: i64, user_key: i64) -> Option<Item> {
        let items = self.keys.get(&key)?;
        items.iter().find(|i| i.user_key == user_key).copied()
    }

    /// Whether `seen` is right before a write.
    pub fn check(&self, rules: &Rules, now: i64, key: i64, user_key: i64, seen: Option<i64>) {
        let found = self.get(key, user_key);
        match (found, seen) {
            (None, seen) => assert_eq!(seen, None),
            (Some(item), None) => assert!(rules.allows(&item, now, false), "not seen: {item:?} at {now}"),
            (Some(item), Some(value)) => {
                assert_eq!(item.value, value);
                assert!(rules.allows(&item, now, true), "seen: {item:?} at {now}");
            }
        }
    }

    /// A read of one value saw `seen`.
    pub fn read(&mut self, rules: &Rules, now: i64, key: i64, user_key: i64, seen: Option<i64>) {
        self.check(rules, now, key, user_key, seen);
        self.after_read(rules, now, key, |item| item.user_key == user_key);
    }

    /// What a read does to each of the elements that it met.
    fn after_read(&mut self, rules: &Rules, now: i64, key: i64, met: impl Fn(&Item) -> bool) {
        let items = self.items(key);
        items.retain(|i| !met(i) || !rules.over(i, now));
        if rules.on_read {
            items
                .iter_mut()
                .filter(|i| met(i))
                .for_each(|i| i.timestamp = now);
        }
    }

    pub fn set(&mut self, now: i64, key: i64, user_key: i64, value: Option<i64>) {
        let items = self.items(key);
        let position = items.iter().position(|i| i.user_key == user_key);
        let item = value.map(|value| Item {
            user_key,
            value,
            timestamp: now,
        });
        match (position, item) {
            (Some(p), Some(item)) => items[p] = item,
            (Some(p), None) => drop(items.remove(p)),
            (None, Some(item)) => items.push(item),
            (None, None) => {}
        }
    }

    pub fn append(&mut self, now: i64, key: i64, values: &[i64]) {
        let item = |value: &i64| Item {
            user_key: 0,
            value: *value,
            timestamp: now,
        };
        self.items(key).extend(values.iter().map(item));
    }

    pub fn clear(&mut self, key: i64) {
        self.keys.remove(&key);
    }

    /// A read of a whole list saw `seen`; all values ever written differ.
    pub fn read_list(&mut self, rules: &Rules, now: i64, key: i64, seen: &[i64]) {
        let items = self.items(key);
        items.retain(|i| {
            let here = seen.contains(&i.value);
            assert!(rules.allows(i, now, here), "{here}: {i:?} at {now}");
            // What the read didn't see is gone, or hidden and of no more interest than its being removed.
            here || !rules.background
        });
        let order = |i: &Item| seen.contains(&i.value).then_some(i.value);
        assert_eq!(items.iter().filter_map(order).collect::<Vec<_>>(), seen);
        if items.iter().all(|i| rules.over(i, now)) {
            items.clear();
        } else if rules.on_read {
            self.after_read(rules, now, key, |_| true);
        }
    }

    /// A walk over a map saw `seen`.
    pub fn read_map(&mut self, rules: &Rules, now: i64, key: i64, seen: &BTreeMap<i64, i64>) {
        let items = self.items(key);
        for item in items.iter() {
            let here = seen.get(&item.user_key);
            assert!(here.is_none_or(|v| *v == item.value));
            assert!(
                rules.allows(item, now, here.is_some()),
                "{here:?}: {item:?} at {now}"
            );
        }
        assert!(seen.keys().all(|k| items.iter().any(|i| i.user_key == *k)));
        self.after_read(rules, now, key, |_| true);
    }

    /// A map says that it has `seen` entries.
    pub fn check_count(&mut self, rules: &Rules, now: i64, key: i64, seen: usize) {
        let items = self.items(key);
        let alive = items.iter().filter(|i| !rules.over(i, now)).count();
        match (rules.return_expired, rules.background) {
            (true, true) => assert!((alive..=items.len()).contains(&seen)),
            (true, false) => assert_eq!(seen, items.len()),
            (false, _) => assert_eq!(seen, alive),
        }
    }

    /// What a snapshot that leaves out the expired holds.
    pub fn without_expired(mut self, rules: &Rules, now: i64) -> Self {
        for items in self.keys.values_mut() {
            items.retain(|i| !rules.over(i, now));
        }
        self
    }

    /// Every life begins now.
    pub fn begin_anew(&mut self, now: i64) {
        for item in self.keys.values_mut().flatten() {
            item.timestamp = now;
        }
    }

    pub fn keys(&self) -> Vec<i64> {
        self.keys.keys().copied().collect()
    }
}
