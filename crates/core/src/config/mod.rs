//! Configuration: Flink's option keys, read from a `config.yaml`, from `-D key=value`, and from code.
//!
//! A [`ConfigOption`] is a constant that names the key, its type, its default and what it does (all of them stand in
//! [`options`]); a [`Configuration`] holds the text that was given and is read only through such constants, so that
//! each key is spelled once. Keys that no option declares are refused with the nearest known one.

pub mod options;
mod parse;
mod yaml;

pub use parse::{parse_bool, parse_duration, parse_memory_size, parse_number};

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

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
///
/// ```
/// use millpond_core::config::{Configuration, options};
/// let mut c = Configuration::new();
/// c.set("execution.checkpointing.interval", "500 ms");
/// assert_eq!(c.get(&options::CHECKPOINTING_INTERVAL)?.unwrap().as_millis(), 500);
/// assert_eq!(c.require(&options::PARALLELISM_DEFAULT)?, 1);
/// let e = c.set_known("execution.checkpointing.intervall", "1 s").unwrap_err();
/// assert!(e.to_string().contains("did you mean execution.checkpointing.interval?"), "{e}");
/// # Ok::<(), millpond_core::Error>(())
/// ```
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

    /// Sets an option that a person gave (`-D key=value`, a line of `config.yaml`).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] when no option has this key, naming the nearest that does, or when the text is not of the
    /// option's type.
    pub fn set_known(&mut self, key: &str, value: &str) -> Result<&mut Self> {
        let Some(known) = options::known().find(|o| o.answers_to(key)) else {
            if let Some(why) = options::refusal(key) {
                return Err(
                    Error::config("read option", "an option of Flink's that Millpond doesn't take")
                        .with("key", key)
                        .hint(why),
                );
            }
            let error = Error::config("read option", "no such option").with("key", key);
            return Err(match options::nearest(key) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint("`--help` lists the options"),
            });
        };
        if let Err(why) = (known.check)(value) {
            return Err(Error::config("read option", why)
                .with("key", key)
                .with("value", value)
                .hint(known.doc));
        }
        Ok(self.set(key, value))
    }

    /// The text given for `key`, if any.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value of `option`: what was given under its key or a fallback key, else its default; `None` for an option
    /// without a default that nobody gave.
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

    /// The value of an option that the job cannot do without.
    ///
    /// # Errors
    /// As [`Configuration::get`], and when the option has no default and nobody gave it.
    pub fn require<T>(&self, option: &ConfigOption<T>) -> Result<T> {
        self.get(option)?.ok_or_else(|| {
            Error::config("read option", "the option is needed and not set")
                .with("key", option.key)
                .hint(option.doc)
        })
    }

    /// Whether somebody gave `option`, under whichever of its keys.
    pub fn contains<T>(&self, option: &ConfigOption<T>) -> bool {
        std::iter::once(&option.key)
            .chain(option.fallback_keys)
            .any(|k| self.values.contains_key(*k))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_key_is_read_and_the_real_key_wins() {
        let mut c = Configuration::new();
        c.set_known("state.checkpoints.dir", "/a").unwrap();
        assert_eq!(c.get(&options::CHECKPOINTS_DIR).unwrap().as_deref(), Some("/a"));
        c.set_known("execution.checkpointing.dir", "/b").unwrap();
        assert_eq!(c.get(&options::CHECKPOINTS_DIR).unwrap().as_deref(), Some("/b"));
    }

    /// Goal: an option of Flink's that can't be taken over says why, instead of being called unknown.
    #[test]
    fn options_of_flinks_without_a_meaning_here_say_why() {
        let key = "state.backend.rocksdb.options-factory";
        let e = Configuration::new()
            .set_known(key, "com.example.Factory")
            .unwrap_err();
        assert!(e.report().contains("RocksDBOptionsFactory"), "{}", e.report());
    }

    #[test]
    fn wrong_text_is_refused_when_it_is_given_not_when_it_is_read() {
        let e = Configuration::new()
            .set_known("parallelism.default", "many")
            .unwrap_err();
        assert_eq!(e.context("key"), Some("parallelism.default"));
        assert_eq!(e.context("value"), Some("many"));
    }

    #[test]
    fn every_default_is_of_its_options_type() {
        for o in options::known() {
            if let Some(d) = o.default {
                assert!((o.check)(d).is_ok(), "{} = {d}", o.key);
            }
        }
    }
}
