//! Every option that Millpond knows, under Flink's keys, with Flink's defaults where it has one.

// Before the modules that use it.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $t:ty = $key:literal $(or $fallback:literal)*, $default:expr, $parse:expr, $text:literal;)*) => {
        $(
            #[doc = concat!("`", $key, "`: ", $text)]
            pub const $name: $crate::config::ConfigOption<$t> = $crate::config::ConfigOption {
                key: $key,
                fallback_keys: &[$($fallback),*],
                default: $default,
                doc: $text,
                parse: $parse,
            };
        )*
        /// The options of this area, in the order of the documentation.
        pub(super) const KNOWN: &[super::KnownOption] = &[$(super::KnownOption {
            key: $name.key,
            fallback_keys: $name.fallback_keys,
            default: $name.default,
            doc: $name.doc,
            check: |text| ($name.parse)(text).map(|_| ()),
        }),*];
    };
}

mod checkpointing;
mod failure;
mod parsers;
mod pipeline;
mod ports;
mod refused;
mod reporting;
mod rocksdb;
mod rocksdb_metrics;
mod state;
mod storage;

pub use checkpointing::*;
pub use failure::*;
pub use pipeline::*;
pub use ports::PortRange;
pub use refused::refusal;
pub use reporting::*;
pub use rocksdb::*;
pub use rocksdb_metrics::*;
pub use state::*;
pub use storage::*;

/// An option without its type: what `--help`, the docs and the check of given keys need.
pub struct KnownOption {
    /// See [`ConfigOption::key`](super::ConfigOption::key).
    pub key: &'static str,
    /// See [`ConfigOption::fallback_keys`](super::ConfigOption::fallback_keys).
    pub fallback_keys: &'static [&'static str],
    /// See [`ConfigOption::default`](super::ConfigOption::default).
    pub default: Option<&'static str>,
    /// See [`ConfigOption::doc`](super::ConfigOption::doc).
    pub doc: &'static str,
    /// Says what is wrong with a text.
    pub check: fn(&str) -> std::result::Result<(), String>,
}

impl KnownOption {
    /// Whether `key` is its key or an older spelling.
    pub fn answers_to(&self, key: &str) -> bool {
        self.key == key || self.fallback_keys.contains(&key)
    }
}

/// Every option, in the order of the documentation.
pub fn known() -> impl Iterator<Item = &'static KnownOption> {
    let areas = [
        pipeline::KNOWN,
        state::KNOWN,
        rocksdb::KNOWN,
        rocksdb_metrics::KNOWN,
        checkpointing::KNOWN,
        storage::KNOWN,
        failure::KNOWN,
        reporting::KNOWN,
    ];
    areas.into_iter().flatten()
}

/// The known key that is most like `key`, if one is like it at all.
pub fn nearest(key: &str) -> Option<&'static str> {
    known()
        .map(|o| (strsim::jaro_winkler(key, o.key), o.key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}
