//! The rules of a composite key. Flink's `CompositeKeySerializationUtils`.

use millpond_core::{Error, Result};
use millpond_types::snapshot::class;
use millpond_types::{DataInput, DataOutput, SerializerSnapshot};

/// Whether values of the serializer take differently many bytes: Flink's `TypeSerializer#getLength` is negative. Where both
/// key and namespace do, each is followed by its length.
pub(crate) fn is_variable_sized(serializer: &SerializerSnapshot) -> bool {
    match serializer.class_name.as_str() {
        class::BOOLEAN
        | class::BYTE
        | class::SHORT
        | class::INT
        | class::LONG
        | class::FLOAT
        | class::DOUBLE => false,
        class::VOID | class::VOID_NAMESPACE | class::ENUM => false,
        class::TIME_WINDOW | class::GLOBAL_WINDOW => false,
        class::U16 | class::U32 | class::U64 => false,
        class::TUPLE => serializer.nested.iter().any(is_variable_sized),
        _ => true,
    }
}

/// Appends `length` as `writeVariableIntBytes` does: the lowest byte first, as many as needed, at least one.
pub(crate) fn write_length_mark(length: usize, out: &mut DataOutput) {
    let mut rest = length as u32;
    loop {
        out.write_u8(rest as u8);
        rest >>= 8;
        if rest == 0 {
            return;
        }
    }
}

/// Reads what [`write_length_mark`] wrote and checks it.
pub(crate) fn read_length_mark(length: usize, input: &mut DataInput<'_>) -> Result<()> {
    let mut rest = length as u32;
    loop {
        if input.read_u8()? != rest as u8 {
            return Err(
                Error::corrupt("read key", "a length in a key disagrees with its bytes")
                    .with("length", length),
            );
        }
        rest >>= 8;
        if rest == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_types::{GlobalWindow, StateType, TimeWindow, VoidNamespace};

    /// Goal: keys and namespaces are marked with their lengths where Flink marks them, or neither reads the other's windows. Method:
    /// for each serializer whether Flink's `getLength` gave a negative number.
    #[test]
    fn sizes_vary_where_flinks_do() {
        fn varies<T: StateType>() -> bool {
            is_variable_sized(&T::serializer().snapshot())
        }
        let fixed = [
            varies::<bool>(),
            varies::<i8>(),
            varies::<i16>(),
            varies::<i32>(),
            varies::<i64>(),
            varies::<()>(),
            varies::<VoidNamespace>(),
            varies::<TimeWindow>(),
            varies::<GlobalWindow>(),
            varies::<(i64, i32)>(),
            varies::<(i64, ())>(),
        ];
        assert_eq!(fixed, [false; 11]);
        let variable = [
            varies::<String>(),
            varies::<Option<i64>>(),
            varies::<Vec<i64>>(),
            varies::<(i64, String)>(),
            varies::<(i64, Option<i64>)>(),
        ];
        assert_eq!(variable, [true; 5]);
    }
}
