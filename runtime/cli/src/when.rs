//! Moments and spans as people write them on the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;

/// Reads `2027-01-31` (midnight, universal time), RFC 3339, or milliseconds since 1970. Gives milliseconds.
fn moment(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not a moment such as 2027-01-31 or 2027-01-31T12:00:00Z");
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| bad());
    }
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let stamp = match day {
        Some(day) => day.in_tz("UTC").map(|zoned| zoned.timestamp()),
        None => text.parse::<Timestamp>(),
    };
    let stamp = stamp.map_err(|_| bad())?;
    u64::try_from(stamp.as_millisecond()).map_err(|_| bad())
}

/// The same, or a span from now.
pub(crate) fn moment_or_span(text: &str) -> Result<u64, String> {
    if text.ends_with(['s', 'm', 'h', 'd']) {
        return Ok(now_ms().saturating_add(span(text)?));
    }
    moment(text)
}

/// The same, or a span before now.
pub(crate) fn moment_or_ago(text: &str) -> Result<u64, String> {
    if text.ends_with(['s', 'm', 'h', 'd']) {
        return Ok(now_ms().saturating_sub(span(text)?));
    }
    moment(text)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as u64)
}

/// Reads `0`, `30s`, `30m`, `24h` or `7d`. Gives milliseconds.
pub(crate) fn span(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not a span such as 30m, 24h or 7d, or 0");
    if text == "0" {
        return Ok(0);
    }
    let unit = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(bad()),
    };
    let count = &text[..text.len() - 1];
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let count: u64 = count.parse().map_err(|_| bad())?;
    count.checked_mul(unit).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_universal_time() {
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "1767225600000",
        ] {
            assert_eq!(moment(text), Ok(1_767_225_600_000), "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01", "1960-01-01", "90d"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_have_a_unit_but_for_zero() {
        assert_eq!(span("0"), Ok(0));
        assert_eq!(span("90s"), Ok(90_000));
        assert_eq!(span("30m"), Ok(1_800_000));
        assert_eq!(span("24h"), Ok(86_400_000));
        assert_eq!(span("7d"), Ok(604_800_000));
        for text in [
            "",
            "5",
            "h",
            "-1h",
            "1.5h",
            "1w",
            "99999999999999999999d",
            "+1h",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_counts_from_now() {
        let in_a_day = moment_or_span("1d").unwrap();
        let now = moment_or_span("0s").unwrap();
        assert!((86_300_000..=86_400_000).contains(&(in_a_day - now)));
    }
}
