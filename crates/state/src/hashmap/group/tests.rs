//! Shards against a plain map, with snapshots held and dropped in between.
