//! A partition with its offsets: what checkpoints hold of a source.

use millpond_api::SourceSplit;
use millpond_derive::StateType;
use millpond_types::JavaHash;

/// A partition to read. Flink's `KafkaPartitionSplit`.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.KafkaPartitionSplit")]
pub struct KafkaPartitionSplit {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the next record to read.
    pub starting_offset: i64,
    /// The offset of the first record not to read any more, or [`KafkaPartitionSplit::NO_STOPPING_OFFSET`].
    pub stopping_offset: i64,
}

impl KafkaPartitionSplit {
    /// It is read for as long as the job runs.
    pub const NO_STOPPING_OFFSET: i64 = i64::MIN;

    /// Which instance reads it. Flink's `KafkaSourceEnumerator#getSplitOwner`: the partitions of a topic go to instances one
    /// after the other, beginning at one that the topic's name decides.
    pub(super) fn owner(&self, parallelism: u32) -> u32 {
        owner(&self.topic, self.partition, parallelism)
    }
}

pub(super) fn owner(topic: &str, partition: i32, parallelism: u32) -> u32 {
    let first = topic.to_string().java_hash().wrapping_mul(31) & i32::MAX;
    let parallelism = u64::from(parallelism.max(1));
    let at =
        (u64::from(first.unsigned_abs()) % parallelism + u64::from(partition.unsigned_abs())) % parallelism;
    u32::try_from(at).unwrap_or(0)
}

impl SourceSplit for KafkaPartitionSplit {
    fn split_id(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each partition has one owner at any parallelism, and a topic's partitions spread as evenly as they can.
    #[test]
    fn partitions_spread_evenly() {
        for topic in ["", "orders", "a topic whose hash is negative: polygenelubricants"] {
            for parallelism in 1..=7 {
                let mut owned = vec![0; parallelism as usize];
                for partition in 0..24 {
                    owned[owner(topic, partition, parallelism) as usize] += 1;
                }
                let (least, most) = (owned.iter().min().unwrap(), owned.iter().max().unwrap());
                assert!(most - least <= 1, "{topic} {parallelism}: {owned:?}");
            }
        }
    }

    /// Goal: what Flink's formula gives, computed by hand: "orders".hashCode() is -1008770331, times 31 wraps to
    /// -1207109189, whose low 31 bits are 940374459, which leaves 3 when divided by 4.
    #[test]
    fn the_first_owner_is_flinks() {
        assert_eq!("orders".to_string().java_hash(), -1_008_770_331);
        assert_eq!(owner("orders", 0, 4), 3);
        assert_eq!(owner("orders", 1, 4), 0);
    }
}
