//! The layouts of what source and sink keep in checkpoints, byte by byte (Flink's `PojoSerializer`: fields in the order of their
//! names, each behind a null flag): a change here breaks restores from older snapshots and needs a migration.

use crate::{KafkaCommittable, KafkaPartitionSplit};
use millpond_types::{DataInput, DataOutput, StateType};

fn bytes_of<T: StateType>(value: &T) -> Vec<u8> {
    let mut out = DataOutput::new();
    T::serializer().serialize(value, &mut out).unwrap();
    out.as_slice().to_vec()
}

#[test]
fn splits_and_committables_keep_their_layout() {
    let split = KafkaPartitionSplit {
        topic: "t".to_string(),
        partition: 1,
        starting_offset: 2,
        stopping_offset: 3,
    };
    let bytes = b"\x02\0\0\0\0\x01\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\x03\0\x02t";
    assert_eq!(bytes_of(&split), bytes);
    let read = KafkaPartitionSplit::serializer().deserialize(&mut DataInput::new(bytes));
    assert_eq!(read.unwrap(), split);

    let committable = KafkaCommittable {
        transactional_id: "t".to_string(),
        producer_id: 1,
        epoch: 2,
    };
    let bytes = b"\x02\0\0\0\0\x02\0\0\0\0\0\0\0\0\x01\0\x02t";
    assert_eq!(bytes_of(&committable), bytes);
    let read = KafkaCommittable::serializer().deserialize(&mut DataInput::new(bytes));
    assert_eq!(read.unwrap(), committable);
}
