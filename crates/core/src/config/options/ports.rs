//! A port, or several to choose from.

use std::fmt;

/// Ports of which the first free one is taken. Flink's `NetUtils.getPortRangeFromString`, for one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first one; 0: any free port.
    pub first: u16,
    /// The last one, included.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

pub(super) fn port_range(text: &str) -> std::result::Result<PortRange, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(PortRange { first, last }),
        _ => Err("expected a port from 0 to 65535, or a range such as 9250-9260".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_are_read_and_told() {
        for (given, first, last) in [("9249", 9249, 9249), ("9250-9260", 9250, 9260), (" 0 ", 0, 0)] {
            let range = port_range(given).unwrap();
            assert_eq!(range, PortRange { first, last });
            assert_eq!(range.to_string(), given.trim());
        }
        for given in ["", "-", "9-8", "1-2-3", "70000", "http"] {
            assert!(port_range(given).is_err(), "{given}");
        }
    }
}
