//! Numbers as people read them: durations, sizes, times of day.

use chrono::{DateTime, Local};

/// `950 ms`, `12.3 s`, `5 min 3 s`, `7 h 12 min`, `3 d 4 h`.
pub(crate) fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    match ms {
        ..1_000 => format!("{} ms", ms.max(0)),
        1_000..60_000 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `512 B`, `1.5 KiB`, `20.0 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut unit = "KiB";
    for next in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Local time, to the second; `-` for a time that isn't set.
pub(crate) fn time(ms: i64) -> String {
    match DateTime::from_timestamp_millis(ms) {
        Some(utc) if ms >= 0 => utc.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        _ => "-".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_a_unit_that_fits() {
        for (ms, text) in [
            (-1, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (61_000, "1 min 1 s"),
            (26_000_000, "7 h 13 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(time(-1), "-");
        assert_eq!(time(i64::MAX), "-");
        assert!(time(1_700_000_000_000).starts_with("2023-11-1"));
    }
}
