//! Reads Flink's `config.yaml`: nested keys are joined by dots, so `execution: {checkpointing: {interval: 1 s}}` and
//! `execution.checkpointing.interval: 1 s` are the same.

use super::Configuration;
use crate::error::{Error, Result};
use serde_yaml_ng::Value;
use std::path::Path;

impl Configuration {
    /// Reads a `config.yaml`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] when the file can't be read; [`crate::ErrorKind::Config`] when it is not YAML of keys and
    /// values, or has an option that doesn't exist or whose text is wrong: the file, the key and the nearest known key are named.
    pub fn from_yaml_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::io("read configuration", e).with("path", path.display()))?;
        Self::from_yaml(&text).map_err(|e| e.with("path", path.display()))
    }

    /// Reads the text of a `config.yaml`.
    ///
    /// # Errors
    /// As [`Configuration::from_yaml_file`].
    pub fn from_yaml(text: &str) -> Result<Self> {
        let mut configuration = Configuration::new();
        if text.trim().is_empty() {
            return Ok(configuration);
        }
        let root: Value = serde_yaml_ng::from_str(text)
            .map_err(|e| Error::config("read configuration", "not valid YAML").source(e))?;
        flatten("", &root, &mut configuration)?;
        Ok(configuration)
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut Configuration) -> Result<()> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Mapping(map) => {
            for (key, value) in map {
                let Value::String(key) = key else {
                    return Err(
                        Error::config("read configuration", "a key is not text").with("under", prefix)
                    );
                };
                let full = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&full, value, into)?;
            }
            return Ok(());
        }
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        Value::Sequence(_) | Value::Tagged(_) => {
            return Err(Error::config("read configuration", "expected one value").with("key", prefix));
        }
    };
    if prefix.is_empty() {
        return Err(Error::config("read configuration", "expected keys and values"));
    }
    into.set_known(prefix, &text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options;

    #[test]
    fn nested_and_dotted_keys_are_the_same() {
        let nested =
            Configuration::from_yaml("parallelism:\n  default: 4\nstate:\n  backend.type: hashmap\n")
                .unwrap();
        let dotted =
            Configuration::from_yaml("parallelism.default: 4\nstate.backend.type: hashmap\n").unwrap();
        assert_eq!(nested, dotted);
        assert_eq!(nested.require(&options::PARALLELISM_DEFAULT).unwrap(), 4);
        assert_eq!(Configuration::from_yaml(" \n").unwrap(), Configuration::new());
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let e = Configuration::from_yaml("parallelism:\n  defualt: 4\n").unwrap_err();
        assert!(e.to_string().contains("did you mean parallelism.default?"), "{e}");
        for bad in ["- a\n", "just text", "a: [1, 2]", ": :\n:", "1: 2"] {
            assert!(Configuration::from_yaml(bad).is_err(), "{bad}");
        }
    }
}
