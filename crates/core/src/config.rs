//! Configuration: Flink's option keys, read from a `config.yaml`, from `-D key=value`, and from code.
//!
//! A [`ConfigOption`] is a constant that names the key, its type, its default and what it does; a
//! [`Configuration`] holds the text that was given and is read only through such constants, so that each key is
//! spelled once. Keys that no option declares are refused with the nearest known one ([`Configuration::check_known`]).

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A typed option: its key as Flink spells it, its default, and a sentence for `--help` and the docs.
pub struct ConfigOption<T: 'static> {
    /// The key, such as `execution.checkpointing.interval`.
    pub key: &'static str,
    /// Older spellings that Flink still accepts.
    pub fallback_keys: &'static [&'static str],
    /// What holds when nobody gives the option, as text. `None`: the option is unset.
    pub default: Option<&'static str>,
    /// What the option does: effect, unit, bounds.
    pub doc: &'static str,
    /// Reads the text.
    pub parse: fn(&str) -> std::result::Result<T, String>,
}

/// A set of options as they were given: keys and their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    values: BTreeMap<String, String>,
}

impl Configuration {
    /// No option given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`, in place of what it had.
    pub fn set(&mut self, key: impl Into<String>, value: impl fmt::Display) -> &mut Self {
        self.values.insert(key.into(), value.to_string());
        self
    }

    /// The text given for `key`, if any.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value of `option`: what was given under its key or a fallback key, else its default.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] naming key and text when the text is not of the option's type.
    pub fn get<T>(&self, option: &ConfigOption<T>) -> Result<Option<T>> {
        let given = std::iter::once(&option.key)
            .chain(option.fallback_keys)
            .find_map(|k| self.values.get(*k).map(|v| (*k, v.as_str())));
        let Some((key, text)) = given.or(option.default.map(|d| (option.key, d))) else {
            return Ok(None);
        };
        (option.parse)(text).map(Some).map_err(|why| {
            Error::config("read option", why)
                .with("key", key)
                .with("value", text)
                .hint(option.doc)
        })
    }

    /// Every key and text, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Takes over every entry of `other`, which wins.
    pub fn extend(&mut self, other: Configuration) {
        self.values.extend(other.values);
    }
}

/// Reads a duration in Flink's spelling: `500 ms`, `10s`, `1 min`, `2 h`, `1 d`, a bare number as milliseconds.
///
/// # Errors
/// A sentence for the person who wrote the text.
pub fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a duration such as 500 ms, 10 s, 1 min or 2 h".to_string())?;
    let millis_per_unit = match unit.trim() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        other => return Err(format!("unknown unit {other:?}; known are ms, s, min, h, d")),
    };
    number
        .checked_mul(millis_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(|| "the duration is too long".to_string())
}
