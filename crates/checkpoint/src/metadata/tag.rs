//! The bytes that tell kinds of handles apart, as Flink's `MetadataV2V3SerializerBase` numbers them.

pub(super) const NULL: u8 = 0;
pub(super) const BYTE_STREAM: u8 = 1;
pub(super) const FILE_STREAM: u8 = 2;
pub(super) const KEY_GROUPS: u8 = 3;
pub(super) const PARTITIONABLE_OPERATOR_STATE: u8 = 4;
pub(super) const INCREMENTAL_KEY_GROUPS: u8 = 5;
pub(super) const RELATIVE_STREAM: u8 = 6;
pub(super) const SAVEPOINT_KEY_GROUPS: u8 = 7;
pub(super) const INCREMENTAL_KEY_GROUPS_V2: u8 = 11;
pub(super) const KEY_GROUPS_V2: u8 = 12;
pub(super) const SEGMENT_FILE: u8 = 15;
pub(super) const SEGMENT_PARTITIONABLE_OPERATOR_STATE: u8 = 17;
