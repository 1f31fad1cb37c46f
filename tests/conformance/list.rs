//! List state.

use crate::configuration::Configuration;
use crate::world::start;

fn a_key_without_elements_has_an_empty_list(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), []);
    assert!(l.is_empty().unwrap());
    assert_eq!(l.with(<[i64]>::len).unwrap(), 0);
}

fn added_elements_come_in_their_order(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    [3, 1, 2].into_iter().for_each(|n| l.add(n).unwrap());
    assert_eq!(l.get().unwrap(), [3, 1, 2]);
    let mut b = world.reopen(b);
    let l = b.list::<i64>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), [3, 1, 2]);
}

fn add_all_appends(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add_all([1, 2]).unwrap();
    l.add_all(vec![3]).unwrap();
    assert_eq!(l.get().unwrap(), [1, 2, 3]);
}

fn adding_nothing_creates_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add_all([]).unwrap();
    assert!(l.is_empty().unwrap());
    assert_eq!(b.num_entries(), 0);
    assert!(b.sorted_keys("l").is_empty());
}

fn an_update_replaces_everything(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add_all([1, 2, 3]).unwrap();
    l.update(vec![9, 8]).unwrap();
    assert_eq!(l.get().unwrap(), [9, 8]);
    l.add(7).unwrap();
    assert_eq!(l.get().unwrap(), [9, 8, 7]);
}

fn an_update_with_nothing_is_a_clear(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.update(vec![1]).unwrap();
    l.update(Vec::new()).unwrap();
    assert!(l.is_empty().unwrap());
    assert_eq!(b.num_entries(), 0);
}

fn a_cleared_list_is_empty(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add_all([1, 2]).unwrap();
    l.clear().unwrap();
    assert!(l.is_empty().unwrap());
    assert_eq!(b.num_entries(), 0);
    let mut b = world.reopen(b);
    let l = b.list::<i64>("l");
    b.key(1);
    assert!(l.is_empty().unwrap());
}

fn a_list_grows_again_after_a_clear(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add(1).unwrap();
    l.clear().unwrap();
    l.add(2).unwrap();
    assert_eq!(l.get().unwrap(), [2]);
}

fn each_key_has_its_own_list(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    for round in 0..3 {
        for key in 0..40 {
            b.key(key);
            l.add(key * 10 + round).unwrap();
        }
    }
    b.key(7);
    l.clear().unwrap();
    for key in 0..40 {
        b.key(key);
        let expected: Vec<_> = (0..3).map(|r| key * 10 + r).filter(|_| key != 7).collect();
        assert_eq!(l.get().unwrap(), expected, "key {key}");
    }
}

fn equal_elements_are_all_kept(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add_all([5, 5, 5]).unwrap();
    l.add(5).unwrap();
    assert_eq!(l.get().unwrap(), [5; 4]);
}

fn nulls_and_empty_texts_are_elements(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<Option<String>>("l");
    let elements = vec![None, Some(String::new()), Some("x".into()), None];
    b.key(1);
    for element in elements.clone() {
        l.add(element).unwrap();
    }
    assert_eq!(l.get().unwrap(), elements);
    let mut b = world.reopen(b);
    let l = b.list::<Option<String>>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), elements);
}

/// Between stored elements stands a comma.
fn elements_may_hold_any_byte(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<Vec<u8>>("l");
    let elements: Vec<Vec<u8>> = (0..=255).map(|n| vec![n, b',', n]).collect();
    b.key(1);
    for element in elements.clone() {
        l.add(element).unwrap();
    }
    let mut b = world.reopen(b);
    let l = b.list::<Vec<u8>>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), elements);
}

fn a_long_list_is_kept(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    (0..3_000).for_each(|n| l.add(n).unwrap());
    assert!(l.get().unwrap().into_iter().eq(0..3_000));
    let mut b = world.reopen(b);
    let l = b.list::<i64>("l");
    b.key(1);
    assert!(l.get().unwrap().into_iter().eq(0..3_000));
}

fn for_each_shows_the_elements_in_order(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.for_each(|_| panic!("there is none")).unwrap();
    l.add_all([4, 2, 9]).unwrap();
    let mut shown = Vec::new();
    l.for_each(|n| shown.push(*n)).unwrap();
    assert_eq!(shown, [4, 2, 9]);
}

fn a_list_that_was_read_can_be_added_to(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    for n in 0..20 {
        l.add(n).unwrap();
        assert_eq!(l.get().unwrap().len() as i64, n + 1);
    }
}

fn a_copy_of_a_list_does_not_change_with_it(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add(1).unwrap();
    let mut copy = l.get().unwrap();
    copy.push(2);
    l.add(3).unwrap();
    assert_eq!((copy, l.get().unwrap()), (vec![1, 2], vec![1, 3]));
}

fn a_callback_that_changes_its_own_list_gets_an_error(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list::<i64>("l");
    b.key(1);
    l.add(1).unwrap();
    assert!(l.with(|_| l.add(2).is_err()).unwrap());
    assert_eq!(l.get().unwrap(), [1]);
    l.add(2).unwrap();
    assert_eq!(l.get().unwrap(), [1, 2]);
}

fn lists_can_hold_lists(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<Vec<String>>("l");
    let elements = vec![vec![], vec!["a".to_owned(), "b".to_owned()]];
    b.key(1);
    l.update(elements.clone()).unwrap();
    let mut b = world.reopen(b);
    let l = b.list::<Vec<String>>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), elements);
}

crate::behaviours![
    a_key_without_elements_has_an_empty_list,
    added_elements_come_in_their_order,
    add_all_appends,
    adding_nothing_creates_nothing,
    an_update_replaces_everything,
    an_update_with_nothing_is_a_clear,
    a_cleared_list_is_empty,
    a_list_grows_again_after_a_clear,
    each_key_has_its_own_list,
    equal_elements_are_all_kept,
    nulls_and_empty_texts_are_elements,
    elements_may_hold_any_byte,
    a_long_list_is_kept,
    for_each_shows_the_elements_in_order,
    a_list_that_was_read_can_be_added_to,
    a_copy_of_a_list_does_not_change_with_it,
    a_callback_that_changes_its_own_list_gets_an_error,
    lists_can_hold_lists,
];
