//! Moments as callers write them: RFC 3339, or milliseconds since 1970.

use crate::answer::Refusal;

/// Milliseconds since 1970 of the moment in a query's field.
pub(crate) fn moment(field: &str, text: &str) -> Result<u64, Refusal> {
    let bad = || {
        Refusal::field(
            field,
            "must be RFC 3339 (2026-01-31T12:00:00Z) or milliseconds since 1970",
        )
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| bad());
    }
    // A `+` that was not escaped arrives as a blank.
    let text = text.replace(' ', "+");
    let stamp: jiff::Timestamp = text.parse().map_err(|_| bad())?;
    u64::try_from(stamp.as_millisecond()).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_mean_the_same() {
        for text in [
            "1767225600000",
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T01:00:00 01:00",
        ] {
            assert_eq!(moment("since", text).unwrap(), 1_767_225_600_000, "{text}");
        }
    }

    #[test]
    fn anything_else_is_blamed_on_its_field() {
        for text in [
            "",
            "yesterday",
            "2026-01-01",
            "-5",
            "1960-01-01T00:00:00Z",
            "99999999999999999999999",
        ] {
            assert_eq!(
                moment("until", text).unwrap_err().field.as_deref(),
                Some("until"),
                "{text}"
            );
        }
    }
}
