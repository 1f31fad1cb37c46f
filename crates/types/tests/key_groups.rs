//! Java hash codes and key-group assignment against what the JVM and Flink's `KeyGroupRangeAssignment` gave.

use millpond_core::host::SeededRandom;
use millpond_types::key_group::{
    MAX_PARALLELISM_LIMIT, default_max_parallelism, key_group_for_hash, key_group_range_for_operator,
    murmur_hash, operator_index_for_key_group,
};
use millpond_types::{JavaHash, KeyGroupRange, VoidNamespace};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(JavaHash)]
struct Person {
    _name: String,
    _age: i32,
    _nick_name: Option<String>,
}

#[derive(JavaHash)]
#[java_hash(record)]
struct Record {
    _a: i32,
    _b: String,
}

/// The value's `hashCode`, and its key group of 128 (`KeyGroupRangeAssignment#assignToKeyGroup`), both from Java 17.
#[track_caller]
fn check(value: &(impl JavaHash + ?Sized), hash: i32, key_group: u32) {
    assert_eq!(value.java_hash(), hash);
    assert_eq!(key_group_for_hash(value.java_hash(), 128), key_group);
}

#[test]
fn hash_codes_of_numbers_and_text_are_javas() {
    // Goal: a key goes to the same key group in Flink and here. Method: constants that the JVM printed.
    check(&true, 1231, 77);
    check(&false, 1237, 3);
    check(&-5i8, -5, 80);
    check(&-300i16, -300, 93);
    check(&-7i32, -7, 33);
    check(&-7i64, 6, 18);
    check(&(1i64 << 40), 256, 54);
    check(&i64::MIN, i32::MIN, 108);
    check("", 0, 94);
    check("flink", 97_520_992, 98);
    check(&"N14228".to_owned(), -2_015_042_201, 38);
    check("h\u{e9}llo \u{4e16}\u{754c} \u{1f600}", -606_475_525, 66);
    check(&VoidNamespace, 99, 62);
}

#[test]
fn hash_codes_of_composite_keys_are_javas() {
    // Goal: as above, for Flink's tuples, lists, maps, Objects.hash and records.
    check(&(7i32,), 7, 113);
    check(&("k".to_owned(), 9i64), 3326, 21);
    check(&("k".to_owned(), None::<i64>, true), 104_058, 24);
    check(&(1i32, 2i32, 3i32, 4i32), 31_810, 84);
    check(
        &(1i32, 2i32, 3i32, 4i32, 5i32, 6i32, 7i32, 8i32),
        -687_413_116,
        75,
    );
    check(&Vec::<i32>::new(), 1, 86);
    check(&vec!["a".to_owned(), "bc".to_owned()], 7105, 99);
    check(
        &BTreeMap::from([("a".to_owned(), 1i32), ("b".to_owned(), -2)]),
        -4,
        31,
    );
    check(&BTreeSet::from([1i32, 2, -9]), -6, 70);
    check(
        &Person {
            _name: "Ana".into(),
            _age: 7,
            _nick_name: None,
        },
        63_429_100,
        50,
    );
    check(
        &Record {
            _a: 5,
            _b: "x".into(),
        },
        275,
        30,
    );
    check(
        &Record {
            _a: 0,
            _b: String::new(),
        },
        0,
        94,
    );
}

#[test]
fn murmur_and_key_groups_match_flink() {
    // Goal: MathUtils.murmurHash and the two usual max parallelisms. Method: single values, then a running digest over
    // 100,000 hash codes, computed alike in Java.
    for (code, hash, of_128, of_32768) in [
        (0, 593_689_054, 94, 31_198),
        (1, 68_075_478, 86, 16_342),
        (-1, 1_982_413_648, 80, 15_184),
        (42, 1_134_849_565, 29, 28_189),
        (i32::MAX, 1_653_689_534, 62, 19_646),
        (i32::MIN, 1_718_298_732, 108, 10_348),
        (97_513_456, 158_643_751, 39, 13_863),
        (123_456_789, 1_088_346_449, 81, 22_865),
    ] {
        assert_eq!(murmur_hash(code), hash);
        assert_eq!(key_group_for_hash(code, 128), of_128);
        assert_eq!(key_group_for_hash(code, 32_768), of_32768);
    }
    let digest = (0..100_000i32).fold(17i64, |sum, i| {
        let code = i.wrapping_mul(48_271).wrapping_sub(1_000_000_007);
        sum.wrapping_mul(31).wrapping_add(i64::from(murmur_hash(code)))
    });
    assert_eq!(digest, 3_570_772_198_559_037_831);
}

#[test]
fn ranges_and_owners_match_flink_for_every_small_parallelism() {
    // Goal: who owns what, exactly as Flink decides. Method: single ranges, then a digest over all ranges and owners for
    // every max parallelism up to 200 and every parallelism, computed alike in Java.
    for (max, parallelism, index, first, last) in [
        (128, 1, 0, 0, 127),
        (128, 3, 0, 0, 42),
        (128, 3, 1, 43, 85),
        (128, 3, 2, 86, 127),
        (10, 4, 1, 3, 4),
        (10, 4, 2, 5, 7),
        (32_768, 7, 6, 28_087, 32_767),
        (32_768, 32_768, 32_767, 32_767, 32_767),
        (4096, 1000, 999, 4092, 4095),
        (4096, 1000, 1, 5, 8),
    ] {
        let range = key_group_range_for_operator(max, parallelism, index);
        assert_eq!(range, KeyGroupRange::new(first, last).unwrap());
    }
    let mut digest = 17i64;
    let mut add = |n: u32| digest = digest.wrapping_mul(31).wrapping_add(i64::from(n));
    for max in 1..=200 {
        for parallelism in 1..=max {
            for index in 0..parallelism {
                let range = key_group_range_for_operator(max, parallelism, index);
                add(range.first());
                add(range.last());
            }
            (0..max).for_each(|group| add(operator_index_for_key_group(group, max, parallelism)));
        }
    }
    assert_eq!(digest, -4_622_587_565_136_838_023);
}

#[test]
fn the_default_max_parallelism_is_flinks() {
    // Goal: a job without a max parallelism gets Flink's. Method: values around each border, from Flink.
    for (parallelism, max) in [
        (1, 128),
        (2, 128),
        (85, 128),
        (86, 256),
        (128, 256),
        (170, 256),
        (171, 256),
        (1000, 2048),
        (21_845, 32_768),
        (21_846, 32_768),
        (32_768, 32_768),
    ] {
        assert_eq!(default_max_parallelism(parallelism), max, "{parallelism}");
    }
}

/// As the Java record of the same fields, whose `hashCode` is `Objects.hash` of them.
#[derive(JavaHash)]
struct Mixed {
    _flag: bool,
    _small: i8,
    _medium: Option<i16>,
    _count: Option<i32>,
    _total: Option<i64>,
    _text: Option<String>,
}

/// Hashed as Java hashes a record.
#[derive(JavaHash)]
#[java_hash(record)]
struct Route {
    _flight: i32,
    _from: String,
    _at: i64,
    _late: bool,
}

/// As Java's `UserKey` in `flink-it/`.
#[derive(JavaHash)]
struct UserKey {
    _name: String,
    _region: i32,
}

/// The keys that `KeyGroups.java` in `flink-it/` makes, from the same numbers.
struct Keys(SeededRandom);

impl Keys {
    fn of(name: &str) -> Self {
        let step = |seed: u64, unit: u16| seed.wrapping_mul(31).wrapping_add(u64::from(unit));
        Keys(SeededRandom::new(name.encode_utf16().fold(0, step)))
    }
    fn long(&mut self) -> i64 {
        self.0.next_u64() as i64
    }
    fn int(&mut self) -> i32 {
        self.long() as i32
    }
    fn short(&mut self) -> i16 {
        self.long() as i16
    }
    fn byte(&mut self) -> i8 {
        self.long() as i8
    }
    fn below(&mut self, bound: u32) -> u32 {
        (((self.0.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }
    fn bool(&mut self) -> bool {
        self.below(2) == 1
    }
    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(4) != 0).then(|| value(self))
    }
    fn text(&mut self) -> String {
        let length = self.below(16);
        let character = |keys: &mut Self| match keys.below(8) {
            0 => 0x4e00 + keys.below(0x5000),
            1 => 0x1f600 + keys.below(64),
            _ => u32::from(b'a') + keys.below(26),
        };
        (0..length)
            .filter_map(|_| char::from_u32(character(self)))
            .collect()
    }
    fn some<T, C: FromIterator<T>>(&mut self, element: impl Fn(&mut Self) -> T) -> C {
        let length = self.below(5);
        (0..length).map(|_| element(self)).collect()
    }
}

/// The lines of `golden/key_groups.txt` for the keys of one type.
fn digests<K: JavaHash>(name: &str, key: impl Fn(&mut Keys) -> K) -> Vec<String> {
    let mut lines = Vec::new();
    for max in [128, 1000, 32_768] {
        let mut keys = Keys::of(name);
        let groups: Vec<u32> = (0..100_000)
            .map(|_| key_group_for_hash(key(&mut keys).java_hash(), max))
            .collect();
        let digest = groups
            .iter()
            .fold(17i64, |sum, g| sum.wrapping_mul(31).wrapping_add(i64::from(*g)));
        let first: Vec<String> = groups.iter().take(5).map(ToString::to_string).collect();
        lines.push(format!("{name} {max} {digest} {}", first.join(" ")));
    }
    lines
}

/// Goal: keys of every type go to the key groups that Flink assigns them. Method: 100,000 keys of each type, at three max
/// parallelisms; Flink's `KeyGroupRangeAssignment` was asked for the same keys (`KeyGroups.java` in `flink-it/`, which `make flink-it`
/// runs again), and its answers are summed up in `golden/key_groups.txt`.
#[test]
fn a_hundred_thousand_keys_of_each_type_are_in_flinks_key_groups() {
    let lines = [
        digests("boolean", Keys::bool),
        digests("byte", Keys::byte),
        digests("short", Keys::short),
        digests("int", Keys::int),
        digests("long", Keys::long),
        digests("string", Keys::text),
        digests("tuple1", |k| (k.text(),)),
        digests("tuple2", |k| (k.text(), k.int())),
        digests("tuple2-null", |k| (k.long(), k.maybe(Keys::text))),
        digests("tuple3", |k| (k.long(), k.bool(), k.text())),
        digests("tuple4", |k| (k.byte(), k.short(), k.int(), k.long())),
        digests("tuple5", |k| (k.text(), k.text(), k.long(), k.int(), k.bool())),
        digests("tuple6", |k| {
            (k.long(), k.long(), k.long(), k.text(), k.int(), k.bool())
        }),
        digests("tuple7", |k| {
            (
                k.long(),
                k.text(),
                k.long(),
                k.text(),
                k.long(),
                k.text(),
                k.long(),
            )
        }),
        digests("tuple8", |k| {
            (
                k.text(),
                k.long(),
                k.int(),
                k.short(),
                k.byte(),
                k.bool(),
                k.text(),
                k.long(),
            )
        }),
        digests("nested", |k| {
            ((k.text(), k.long()), k.some::<_, Vec<_>>(Keys::text))
        }),
        digests("list", |k| k.some::<_, Vec<_>>(Keys::text)),
        digests("map", |k| k.some::<_, BTreeMap<_, _>>(|k| (k.text(), k.long()))),
        digests("set", |k| k.some::<_, BTreeSet<_>>(Keys::int)),
        digests("pojo", |k| UserKey {
            _name: k.text(),
            _region: k.int(),
        }),
        digests("pojo-null", |k| Mixed {
            _flag: k.bool(),
            _small: k.byte(),
            _medium: k.maybe(Keys::short),
            _count: k.maybe(Keys::int),
            _total: k.maybe(Keys::long),
            _text: k.maybe(Keys::text),
        }),
        digests("record", |k| Route {
            _flight: k.int(),
            _from: k.text(),
            _at: k.long(),
            _late: k.bool(),
        }),
    ]
    .concat();
    let golden: Vec<&str> = include_str!("golden/key_groups.txt").lines().collect();
    assert_eq!(lines, golden);
}

proptest! {
    /// Goal: no key group is lost or owned twice, at any scale. Method: random scales; the ranges must follow on each
    /// other without gap, and agree with the owner that is computed for single groups.
    #[test]
    fn ranges_partition_the_key_groups_and_agree_with_the_owners(
        max in 1..=MAX_PARALLELISM_LIMIT, share in 0.0..=1.0f64, probes in prop::collection::vec(any::<u32>(), 8)
    ) {
        let parallelism = ((f64::from(max) * share) as u32).clamp(1, max);
        let mut next = 0;
        for index in 0..parallelism {
            let range = key_group_range_for_operator(max, parallelism, index);
            prop_assert_eq!(range.first(), next);
            prop_assert!(range.first() <= range.last());
            prop_assert_eq!(operator_index_for_key_group(range.first(), max, parallelism), index);
            prop_assert_eq!(operator_index_for_key_group(range.last(), max, parallelism), index);
            next = range.last() + 1;
        }
        prop_assert_eq!(next, max);
        for probe in probes {
            let group = probe % max;
            let owner = operator_index_for_key_group(group, max, parallelism);
            prop_assert!(key_group_range_for_operator(max, parallelism, owner).contains(group));
        }
    }

    /// Goal: intersections, which decide what an instance reads at restore, are those of the sets. Method: by counting.
    #[test]
    fn an_intersection_holds_what_both_ranges_hold(a in 0..200u32, b in 0..200u32, c in 0..200u32, d in 0..200u32) {
        let x = KeyGroupRange::new(a.min(b), a.max(b)).unwrap();
        let y = KeyGroupRange::new(c.min(d), c.max(d)).unwrap();
        let both: Vec<u32> = x.iter().filter(|g| y.contains(*g)).collect();
        let found: Vec<u32> = x.intersection(&y).map(|r| r.iter().collect()).unwrap_or_default();
        prop_assert_eq!(found, both);
    }
}
