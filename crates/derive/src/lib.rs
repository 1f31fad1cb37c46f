//! `#[derive(StateType)]`: serializers for structs (Flink's POJO layout) and enums.
