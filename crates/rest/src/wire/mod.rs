//! The JSON that server and client exchange: Flink's field names as plain structs.
