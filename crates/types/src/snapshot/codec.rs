//! The bytes of a serializer snapshot, as Flink's `TypeSerializerSnapshot#writeVersionedSnapshot` lays them out.
//!
//! A snapshot says neither its length nor how it is laid out: both follow from its class's name. An unknown class can
//! therefore be neither read nor skipped, and is an error that names it.

use super::class::{Layout, Outer};
use super::{PojoBody, PojoField, SerializerSnapshot, SnapshotBody};
use crate::data::{DataInput, DataOutput};
use millpond_core::{Error, Result};

/// `CompositeTypeSerializerSnapshot.MAGIC_NUMBER`.
const MAGIC_COMPOSITE: i32 = 911_108;
/// `NestedSerializersSnapshotDelegate.MAGIC_NUMBER`.
const MAGIC_NESTED: i32 = 1_333_245;
/// `NestedSerializersSnapshotDelegate.VERSION`.
const VERSION_NESTED: i32 = 1;
/// `LinkedOptionalMapSerializer.HEADER`.
const HEADER_MAP: i64 = 0x4f2_c69a_3d70;
/// How deep snapshots may nest: more than any type that a person writes, and little enough for every stack.
const DEPTH_MAX: usize = 64;

fn count(len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|e| {
        Error::incompatible("write serializer snapshot", "too many parts")
            .with("count", len)
            .source(e)
    })
}

pub(super) fn write(snapshot: &SerializerSnapshot, out: &mut DataOutput) -> Result<()> {
    out.write_utf(&snapshot.class_name)?;
    out.write_i32(snapshot.version);
    match (&snapshot.body, Layout::of(&snapshot.class_name)) {
        (SnapshotBody::Empty, Some(Layout::Simple)) => Ok(()),
        (SnapshotBody::Composite { version, outer }, Some(Layout::Composite(_))) => {
            out.write_i32(MAGIC_COMPOSITE);
            out.write_i32(*version);
            out.write_bytes(outer);
            out.write_i32(MAGIC_NESTED);
            out.write_i32(VERSION_NESTED);
            write_list(&snapshot.nested, out)
        }
        (SnapshotBody::Enum { class, constants }, Some(Layout::Enum)) => {
            out.write_utf(class)?;
            out.write_i32(count(constants.len())?);
            constants.iter().try_for_each(|c| out.write_utf(c))
        }
        (SnapshotBody::Pojo(pojo), Some(Layout::Pojo)) => write_pojo(pojo, &snapshot.nested, out),
        (SnapshotBody::Own(_) | SnapshotBody::Empty, Some(Layout::Own)) => {
            let body = match &snapshot.body {
                SnapshotBody::Own(body) => body.as_slice(),
                _ => &[],
            };
            out.write_i32(count(body.len())?);
            out.write_bytes(body);
            write_list(&snapshot.nested, out)
        }
        (_, layout) => Err(Error::incompatible(
            "write serializer snapshot",
            "what the snapshot says is not what a class of this name says",
        )
        .with("class", &snapshot.class_name)
        .with("layout", format!("{layout:?}"))
        .hint("a serializer of one's own describes itself with SerializerSnapshot::own")),
    }
}

fn write_list(nested: &[SerializerSnapshot], out: &mut DataOutput) -> Result<()> {
    out.write_i32(count(nested.len())?);
    nested.iter().try_for_each(|n| write(n, out))
}

fn write_pojo(pojo: &PojoBody, nested: &[SerializerSnapshot], out: &mut DataOutput) -> Result<()> {
    out.write_utf(&pojo.class)?;
    out.write_i64(HEADER_MAP);
    out.write_i32(count(pojo.fields.len())?);
    for (field, snapshot) in pojo.fields.iter().zip(nested) {
        out.write_utf(&field.name)?;
        out.write_bool(field.declaring_class.is_some());
        if let Some(class) = &field.declaring_class {
            framed(out, |out| {
                out.write_utf(class)?;
                out.write_utf(&field.name)
            })?;
        }
        out.write_bool(true);
        framed(out, |out| write(snapshot, out))?;
    }
    for subclasses in [&pojo.registered_subclasses, &pojo.unregistered_subclasses] {
        out.write_i64(HEADER_MAP);
        out.write_i32(count(subclasses.len())?);
        for (name, snapshot) in subclasses {
            out.write_utf(name)?;
            // The key's frame is empty: its name says it all.
            out.write_bool(true);
            framed(out, |_| Ok(()))?;
            out.write_bool(snapshot.is_some());
            if let Some(snapshot) = snapshot {
                framed(out, |out| write(snapshot, out))?;
            }
        }
    }
    Ok(())
}

/// Writes what `write` writes, with its length before it.
fn framed(out: &mut DataOutput, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.write_i32(0);
    write(out)?;
    let len = count(out.len() - start - size_of::<i32>())?;
    if let Some(slot) = out
        .as_mut_slice()
        .get_mut(start..)
        .and_then(|s| s.first_chunk_mut())
    {
        *slot = len.to_be_bytes();
    }
    Ok(())
}

pub(super) fn read(input: &mut DataInput<'_>, depth: usize) -> Result<SerializerSnapshot> {
    if depth > DEPTH_MAX {
        return Err(corrupt(input, "snapshots nest deeper than any type").with("depth_max", DEPTH_MAX));
    }
    let offset = input.position();
    let class_name = input.read_utf()?;
    let version = input.read_i32()?;
    let Some(layout) = Layout::of(&class_name) else {
        return Err(
            Error::incompatible("read serializer snapshot", "no serializer here reads this class")
                .with("class", class_name)
                .with("version", version)
                .with("offset", offset)
                .hint("the state was written with a serializer that only the job that wrote it has"),
        );
    };
    let expect_version = |wanted: i32| {
        if version == wanted {
            return Ok(());
        }
        Err(Error::incompatible(
            "read serializer snapshot",
            "the version of this snapshot class is unknown",
        )
        .with("class", &class_name)
        .with("version", version)
        .with("known", wanted))
    };
    let (body, nested) = match layout {
        Layout::Simple => {
            expect_version(3)?;
            (SnapshotBody::Empty, Vec::new())
        }
        Layout::Composite(outer) => {
            expect_version(3)?;
            read_composite(outer, input, depth)?
        }
        Layout::Enum => {
            expect_version(3)?;
            (read_enum(input)?, Vec::new())
        }
        Layout::Pojo => {
            expect_version(2)?;
            read_pojo(input, depth)?
        }
        Layout::Own => {
            let len = input.read_count(1)?;
            let body = input.read_bytes(len)?.to_vec();
            (SnapshotBody::Own(body), read_list(input, depth)?)
        }
    };
    // What `simple` makes and what is read of it must be equal.
    let body = match body {
        SnapshotBody::Own(bytes) if bytes.is_empty() && nested.is_empty() => SnapshotBody::Empty,
        other => other,
    };
    Ok(SerializerSnapshot {
        class_name,
        version,
        body,
        nested,
    })
}

fn corrupt(input: &DataInput<'_>, message: &str) -> Error {
    Error::corrupt("read serializer snapshot", message).with("offset", input.position())
}

fn expect<T: PartialEq + std::fmt::Display>(
    found: T,
    wanted: T,
    what: &str,
    input: &DataInput<'_>,
) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(corrupt(input, &format!("the {what} is wrong"))
        .with("found", found)
        .with("wanted", wanted))
}

fn read_list(input: &mut DataInput<'_>, depth: usize) -> Result<Vec<SerializerSnapshot>> {
    // A class name's length, a version: no snapshot is shorter.
    let len = input.read_count(6)?;
    (0..len).map(|_| read(input, depth + 1)).collect()
}

fn read_composite(
    outer: Outer,
    input: &mut DataInput<'_>,
    depth: usize,
) -> Result<(SnapshotBody, Vec<SerializerSnapshot>)> {
    expect(
        input.read_i32()?,
        MAGIC_COMPOSITE,
        "magic number of a composite",
        input,
    )?;
    let version = input.read_i32()?;
    let start = *input;
    match outer {
        Outer::Nothing => {}
        Outer::Text => drop(input.read_utf()?),
        Outer::Int => drop(input.read_i32()?),
    }
    let outer = start
        .rest()
        .get(..start.remaining() - input.remaining())
        .unwrap_or_default()
        .to_vec();
    expect(
        input.read_i32()?,
        MAGIC_NESTED,
        "magic number of nested snapshots",
        input,
    )?;
    expect(
        input.read_i32()?,
        VERSION_NESTED,
        "version of nested snapshots",
        input,
    )?;
    Ok((
        SnapshotBody::Composite { version, outer },
        read_list(input, depth)?,
    ))
}

fn read_enum(input: &mut DataInput<'_>) -> Result<SnapshotBody> {
    let class = input.read_utf()?;
    let len = input.read_count(2)?;
    let constants = (0..len).map(|_| input.read_utf()).collect::<Result<_>>()?;
    Ok(SnapshotBody::Enum { class, constants })
}

fn read_frame<'a>(input: &mut DataInput<'a>) -> Result<Option<DataInput<'a>>> {
    if !input.read_bool()? {
        return Ok(None);
    }
    let len = input.read_count(1)?;
    Ok(Some(DataInput::new(input.read_bytes(len)?)))
}

fn read_pojo(input: &mut DataInput<'_>, depth: usize) -> Result<(SnapshotBody, Vec<SerializerSnapshot>)> {
    let class = input.read_utf()?;
    let mut pojo = PojoBody {
        class,
        ..PojoBody::default()
    };
    let mut nested = Vec::new();
    expect(input.read_i64()?, HEADER_MAP, "header of the fields", input)?;
    // A name's length and two flags: no entry is shorter.
    for _ in 0..input.read_count(4)? {
        let name = input.read_utf()?;
        let declaring_class = match read_frame(input)? {
            Some(mut key) => Some(key.read_utf()?),
            None => None,
        };
        let Some(mut value) = read_frame(input)? else {
            return Err(corrupt(input, "a field has no serializer snapshot").with("field", name));
        };
        nested.push(read(&mut value, depth + 1)?);
        pojo.fields.push(PojoField {
            name,
            declaring_class,
        });
    }
    for subclasses in [&mut pojo.registered_subclasses, &mut pojo.unregistered_subclasses] {
        expect(input.read_i64()?, HEADER_MAP, "header of the subclasses", input)?;
        for _ in 0..input.read_count(4)? {
            let name = input.read_utf()?;
            read_frame(input)?;
            let snapshot = match read_frame(input)? {
                Some(mut value) => Some(read(&mut value, depth + 1)?),
                None => None,
            };
            subclasses.push((name, snapshot));
        }
    }
    Ok((SnapshotBody::Pojo(pojo), nested))
}

#[cfg(test)]
mod tests {
    use super::super::class;
    use super::*;

    #[test]
    fn a_body_that_does_not_belong_to_its_class_is_refused() {
        // Goal: nobody writes bytes that no reader could follow. Method: a Java class's name over a body of our own.
        let mut wrong = SerializerSnapshot::own("x", 1, vec![1], Vec::new());
        wrong.class_name = class::LONG.to_owned();
        let e = wrong.write_versioned(&mut DataOutput::new()).unwrap_err();
        assert_eq!(e.context("class"), Some(class::LONG));
    }

    #[test]
    fn endless_nesting_is_refused() {
        // Goal: a crafted snapshot cannot exhaust the stack. Method: one more level than allowed.
        let mut s = SerializerSnapshot::simple(class::LONG);
        for _ in 0..=DEPTH_MAX {
            s = SerializerSnapshot::composite(class::LIST, 1, Vec::new(), vec![s]);
        }
        let mut out = DataOutput::new();
        s.write_versioned(&mut out).unwrap();
        assert!(SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice())).is_err());
    }
}
