//! Reads the texts of options: durations, memory sizes, numbers, booleans, in Flink's spellings.

use std::str::FromStr;
use std::time::Duration;

/// Reads a duration in Flink's spelling: `500 ms`, `10s`, `1 min`, `2 h`, `1 d`; a bare number is milliseconds.
///
/// # Errors
/// A sentence for the person who wrote the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text)
        .ok_or_else(|| "expected a duration such as 500 ms, 10 s, 1 min or 2 h".to_string())?;
    let millis_per_unit = match unit.as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        other => return Err(format!("unknown unit {other:?}; known are ms, s, min, h, d")),
    };
    number
        .checked_mul(millis_per_unit)
        .filter(|ms| i64::try_from(*ms).is_ok())
        .map(Duration::from_millis)
        .ok_or_else(|| "the duration is too long".to_string())
}

/// Reads a size in bytes in Flink's spelling: `20kb`, `64 mb`, `1g`; units are powers of 1024, a bare number is bytes.
///
/// # Errors
/// A sentence for the person who wrote the text.
pub fn parse_memory_size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        number_and_unit(text).ok_or_else(|| "expected a size such as 20kb, 64 mb or 1g".to_string())?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        other => return Err(format!("unknown unit {other:?}; known are b, kb, mb, gb, tb")),
    };
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is too large".to_string())
}

/// Reads `true` or `false`.
///
/// # Errors
/// A sentence for the person who wrote the text.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_string()),
    }
}

/// Reads a number.
///
/// # Errors
/// A sentence for the person who wrote the text.
pub fn parse_number<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected a number in the option's range".to_string())
}

fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    Some((number.parse().ok()?, unit.trim().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_in_flinks_spellings() {
        for (text, ms) in [
            ("500 ms", 500),
            ("10s", 10_000),
            ("1 min", 60_000),
            ("2h", 7_200_000),
            ("7", 7),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, bytes) in [("20kb", 20 << 10), ("64 MB", 64 << 20), ("1g", 1 << 30), ("5", 5)] {
            assert_eq!(parse_memory_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "ms",
            "-1 s",
            "1 fortnight",
            "99999999999999999999 s",
            "18446744073709551615 d",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert!(parse_memory_size("99999999999 tb").is_err());
    }
}
