//! What `#[derive(StateType)]` and `#[derive(JavaHash)]` make of structs and enums, and how changed types read what the
//! former ones wrote.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use millpond_types::{
    Compatibility, DataInput, DataOutput, JavaHash, SerializerSnapshot, SharedSerializer, StateType,
};
use std::collections::BTreeMap;

fn bytes<T: StateType>(value: &T) -> Vec<u8> {
    let mut out = DataOutput::new();
    T::serializer().serialize(value, &mut out).unwrap();
    out.into_vec()
}

fn read<T: StateType>(bytes: &[u8]) -> T {
    let mut input = DataInput::new(bytes);
    let value = T::serializer().deserialize(&mut input).unwrap();
    assert!(input.is_empty(), "{} bytes were left", input.remaining());
    value
}

/// Writes with the old type's serializer and reads with the new one's, as a restore does.
fn migrate<Old: StateType, New: StateType>(value: &Old) -> (Compatibility, New) {
    let mut out = DataOutput::new();
    Old::serializer().snapshot().write_versioned(&mut out).unwrap();
    let old = SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice())).unwrap();
    let new = New::serializer();
    let answer = new.resolve_compatibility(&old);
    let stored = bytes(value);
    let mut input = DataInput::new(&stored);
    let value = match &answer {
        Compatibility::AsIs => new.deserialize(&mut input).unwrap(),
        Compatibility::AfterMigration => new.deserialize_migrating(&old, &mut input).unwrap(),
        Compatibility::Incompatible(reason) => panic!("{reason}"),
    };
    assert!(input.is_empty(), "{} bytes were left", input.remaining());
    (answer, value)
}

fn refusal<Old: StateType, New: StateType>() -> String {
    match New::serializer().resolve_compatibility(&Old::serializer().snapshot()) {
        Compatibility::Incompatible(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(java = "com.example.UserInfo", rename_all = "camelCase")]
struct UserInfo {
    user_name: String,
    age: i32,
    nick_name: Option<String>,
    score: f64,
    visits: Vec<i64>,
    limits: BTreeMap<String, i32>,
}

fn user() -> UserInfo {
    UserInfo {
        user_name: "Ana".to_owned(),
        age: 7,
        nick_name: None,
        score: 0.5,
        visits: vec![1, 2],
        limits: BTreeMap::from([("a".to_owned(), 1)]),
    }
}

#[test]
fn a_struct_is_written_as_a_pojo_with_its_fields_sorted() {
    // Goal: the POJO layout. Method: the bytes by hand, field by field in the order of their Java names.
    let mut want = vec![2u8];
    want.extend([0, 0, 0, 0, 7]); // age
    want.extend([0, 0, 0, 0, 1, 2, b'a', 0, 0, 0, 0, 1]); // limits
    want.extend([1]); // nickName
    want.extend([0, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]); // score
    want.extend([0, 4, b'A', b'n', b'a']); // userName
    want.extend([0, 0, 0, 0, 2]); // visits
    want.extend(1i64.to_be_bytes());
    want.extend(2i64.to_be_bytes());
    assert_eq!(bytes(&user()), want);
    assert_eq!(read::<UserInfo>(&want), user());
}

mod before {
    use super::*;
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "account")]
    pub struct Account {
        pub id: i32,
        pub gone: Vec<(i64, String)>,
        pub owner: String,
        pub inner: Inner,
        pub kind: Kind,
        pub plain: Plain,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "inner")]
    pub struct Inner {
        pub a: i16,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "kind")]
    pub enum Kind {
        Empty,
        Pair(i32, String),
        Named { old: bool, keep: Option<i64> },
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "plain")]
    pub enum Plain {
        Red,
        Green,
    }
}

fn seven() -> u32 {
    7
}

mod after {
    use super::*;
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "account-2", alias = "account")]
    pub struct Account {
        pub id: i64,
        pub added: Vec<i64>,
        #[state_type(default = "seven")]
        pub chosen: u32,
        pub owner: Option<String>,
        pub inner: Inner,
        pub kind: Kind,
        pub plain: Plain,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "inner")]
    pub struct Inner {
        pub a: i64,
        pub b: Option<i32>,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "kind")]
    pub enum Kind {
        New(i8),
        Named { keep: Option<i64>, fresh: String },
        Pair(i64, String),
        Empty,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "plain")]
    pub enum Plain {
        Blue,
        Green,
        Red,
    }
}

#[test]
fn a_changed_struct_reads_what_the_former_one_wrote() {
    // Goal: added, removed, widened, now optional fields, a renamed type, nested changes, reordered variants in one
    // migration. Method: one value for each variant, compared with what the new type must hold.
    for (kind, new_kind) in [
        (before::Kind::Empty, after::Kind::Empty),
        (
            before::Kind::Pair(5, "x".into()),
            after::Kind::Pair(5, "x".into()),
        ),
        (
            before::Kind::Named {
                old: true,
                keep: Some(9),
            },
            after::Kind::Named {
                keep: Some(9),
                fresh: String::new(),
            },
        ),
    ] {
        let old = before::Account {
            id: -3,
            gone: vec![(1, "é".into())],
            owner: "me".into(),
            inner: before::Inner { a: 4 },
            kind,
            plain: before::Plain::Green,
        };
        let (answer, new) = migrate::<_, after::Account>(&old);
        assert_eq!(answer, Compatibility::AfterMigration);
        let want = after::Account {
            id: -3,
            added: Vec::new(),
            chosen: 7,
            owner: Some("me".into()),
            inner: after::Inner { a: 4, b: None },
            kind: new_kind,
            plain: after::Plain::Green,
        };
        assert_eq!(new, want);
    }
}

#[test]
fn an_unchanged_type_is_read_as_it_is() {
    // Goal: no migration where nothing changed. Method: every kind of type against its own snapshot.
    assert_eq!(
        migrate::<UserInfo, UserInfo>(&user()),
        (Compatibility::AsIs, user())
    );
    let kind = before::Kind::Named {
        old: false,
        keep: None,
    };
    assert_eq!(
        migrate::<_, before::Kind>(&kind),
        (Compatibility::AsIs, kind.clone())
    );
    let red = before::Plain::Red;
    assert_eq!(
        migrate::<_, before::Plain>(&red),
        (Compatibility::AsIs, red.clone())
    );
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(name = "plain")]
enum PlainMore {
    Red,
    Green,
    Blue,
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(name = "plain")]
enum PlainWithData {
    Blue(i32),
    Red,
    Green,
}

#[test]
fn an_enum_may_grow_at_its_end_and_get_data() {
    // Goal: the two ways in which enums usually change. Method: the same old value under both.
    assert_eq!(
        migrate::<_, PlainMore>(&before::Plain::Green),
        (Compatibility::AsIs, PlainMore::Green)
    );
    let (answer, value) = migrate::<_, PlainWithData>(&before::Plain::Green);
    assert_eq!(
        (answer, value),
        (Compatibility::AfterMigration, PlainWithData::Green)
    );
    assert!(refusal::<PlainMore, before::Plain>().contains("variant `Blue` was removed"));
}

#[derive(Clone, Debug, PartialEq)]
struct NoDefault;
impl StateType for NoDefault {
    fn serializer() -> SharedSerializer<Self> {
        no_default()
    }
}

#[derive(Debug)]
struct NoDefaultSerializer;
impl millpond_types::TypeSerializer<NoDefault> for NoDefaultSerializer {
    fn serialize(&self, _: &NoDefault, out: &mut DataOutput) -> millpond_types::Result<()> {
        out.write_u8(1);
        Ok(())
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> millpond_types::Result<NoDefault> {
        input.read_u8().map(|_| NoDefault)
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::own("test/no-default", 1, Vec::new(), Vec::new())
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if *old == self.snapshot() {
            Compatibility::AsIs
        } else {
            Compatibility::Incompatible(old.to_string())
        }
    }
}
fn no_default() -> SharedSerializer<NoDefault> {
    std::sync::Arc::new(NoDefaultSerializer)
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(name = "inner")]
struct InnerText {
    a: String,
}
#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(name = "inner")]
struct InnerPlus {
    a: i16,
    z: NoDefault,
}

#[test]
fn a_refusal_names_the_field_and_both_types() {
    // Goal: the message tells a person what to mend. Method: a changed type, a new field without default, a removed
    // field that cannot be skipped, another struct.
    let changed = refusal::<before::Inner, InnerText>();
    for part in ["inner", "field `a`", "String", "ShortSerializer"] {
        assert!(changed.contains(part), "{changed}");
    }
    let new = refusal::<before::Inner, InnerPlus>();
    assert!(
        new.contains("field `z` is new") && new.contains("NoDefault"),
        "{new}"
    );
    let removed = refusal::<InnerPlus, before::Inner>();
    assert!(removed.contains("field `z` was removed"), "{removed}");
    let other = refusal::<before::Account, before::Inner>();
    assert!(other.contains("account") && other.contains("inner"), "{other}");
}

#[test]
fn null_in_a_field_that_is_no_option_is_an_error_that_names_it() {
    // Goal: a Java null is never read as some value. Method: the null flag of `userName` set by hand.
    let mut stored = bytes(&user());
    let at = stored.len() - 5 - 16 - 5;
    assert_eq!(stored.get(at..at + 2), Some(&[0u8, 4][..]));
    stored.splice(at..at + 5, [1]);
    let e = UserInfo::serializer()
        .deserialize(&mut DataInput::new(&stored))
        .unwrap_err();
    assert_eq!(e.context("field"), Some("userName"), "{e}");
    assert_eq!(e.context("type"), Some("com.example.UserInfo"), "{e}");
}

#[derive(Clone, Debug, PartialEq, StateType, JavaHash, Eq, Hash)]
struct Wrapper<T>(T, Option<T>);

#[derive(Clone, Debug, PartialEq, StateType, JavaHash, Eq, Hash)]
struct Nothing;

#[derive(Clone, Debug, PartialEq, StateType)]
struct WithSerde {
    #[state_type(serde)]
    address: std::net::IpAddr,
    #[state_type(serde)]
    maybe: Option<std::net::IpAddr>,
    #[state_type(with = "no_default")]
    custom: NoDefault,
}

#[test]
fn generic_tuple_and_unit_structs_and_foreign_fields_round_trip() {
    // Goal: the derive copes with every shape. Method: write and read each.
    let wrapper = Wrapper("a".to_owned(), Some("b".to_owned()));
    assert_eq!(bytes(&wrapper), [2, 0, 2, b'a', 0, 2, b'b']);
    assert_eq!(read::<Wrapper<String>>(&bytes(&wrapper)), wrapper);
    assert_eq!(bytes(&Nothing), [2]);
    assert_eq!(read::<Nothing>(&[2]), Nothing);
    let address = std::net::IpAddr::from([10, 0, 0, 1]);
    let with = WithSerde {
        address,
        maybe: Some(address),
        custom: NoDefault,
    };
    assert_eq!(read::<WithSerde>(&bytes(&with)), with);
    let snapshot = WithSerde::serializer().snapshot().nested;
    assert_eq!(
        snapshot.first().unwrap().class_name,
        "millpond:serde/core::net::ip_addr::IpAddr"
    );
}

#[test]
fn a_struct_without_a_java_name_is_stored_under_its_rust_path() {
    // Goal: Flink can refuse the type by a name that a person recognises. Method: the snapshot's text.
    assert_eq!(
        Nothing::serializer().snapshot().to_string(),
        "PojoSerializer derive::Nothing"
    );
    assert_eq!(
        before::Kind::serializer().snapshot().to_string(),
        "millpond:enum kind"
    );
}

#[derive(JavaHash)]
#[java_hash(record)]
struct Record {
    a: i32,
    b: String,
}

#[derive(JavaHash)]
enum Plain {
    A,
    B,
}

#[derive(JavaHash)]
enum Tagged {
    A,
    B(i32),
}

#[test]
fn derived_hashes_follow_java() {
    // Goal: the conventions that the derive documents. Method: values that Java's Objects.hash and a record gave.
    assert_eq!(Wrapper(7, None).java_hash(), (31 + 7) * 31);
    assert_eq!(Nothing.java_hash(), 1);
    assert_eq!(Record { a: 5, b: "x".into() }.java_hash(), 5 * 31 + 120);
    assert_eq!((Plain::A.java_hash(), Plain::B.java_hash()), (0, 1));
    assert_eq!(Tagged::A.java_hash(), 31);
    assert_eq!(Tagged::B(2).java_hash(), (31 + 1) * 31 + 2);
}
