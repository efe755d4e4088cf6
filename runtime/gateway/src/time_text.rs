//! Moments and durations as rate-limit headers write them.

/// RFC 3339 in UTC, whole seconds rounded up: Anthropic's form.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms.div_ceil(1_000)).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| String::new(), |moment| moment.to_string())
}

/// `1h2m3s`, `6m0s`, `12s` or `250ms`: OpenAI's form.
pub(crate) fn go_duration(milliseconds: u64) -> String {
    if milliseconds < 1_000 {
        return format!("{milliseconds}ms");
    }
    let seconds = milliseconds.div_ceil(1_000);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_clients_parse_them() {
        assert_eq!(go_duration(0), "0ms");
        assert_eq!(go_duration(250), "250ms");
        assert_eq!(go_duration(6_500), "7s");
        assert_eq!(go_duration(360_000), "6m0s");
        assert_eq!(go_duration(3_723_000), "1h2m3s");
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(rfc3339(1_700_000_000_001), "2023-11-14T22:13:21Z");
    }
}
