//! Values that options of several areas have.

use crate::config::parse_number;

pub(super) fn text(text: &str) -> std::result::Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("expected some text".to_string())
    } else {
        Ok(text.to_string())
    }
}

pub(super) fn positive(text: &str) -> std::result::Result<u32, String> {
    let number: u32 = parse_number(text)?;
    if number == 0 {
        Err("expected a number above 0".to_string())
    } else {
        Ok(number)
    }
}

pub(super) fn one_of<T: Copy>(given: &str, names: &[(&str, T)]) -> std::result::Result<T, String> {
    let plain = given.trim().replace('_', "-");
    names
        .iter()
        .find(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case(&plain))
        .map(|(_, v)| *v)
        .ok_or_else(|| {
            format!(
                "expected one of {}",
                names.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ")
            )
        })
}
