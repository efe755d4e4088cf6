//! How long a vendor wants to be left alone: from headers first, from its words otherwise.

use crate::FailedAnswer;

/// The longest wait believed: a day. Beyond that a header is more likely broken than meant.
const MAX_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds to wait, as far as the answer says: `retry-after-ms`, `retry-after` (seconds, or a date against the
/// answer's own `date`), the reset of an `x-ratelimit-*` window that is used up, or “try again in 1.5s” in the message.
///
/// ```
/// use tollgate_guest::{classify::retry_after_ms, testing};
/// let answer = testing::FailedAnswer::new(429).header("retry-after", "20");
/// assert_eq!(retry_after_ms(&answer.view(), ""), Some(20_000));
/// ```
pub fn retry_after_ms(answer: &FailedAnswer, message: &str) -> Option<u64> {
    exact(answer)
        .or_else(|| retry_after(answer))
        .or_else(|| used_up_window(answer))
        .or_else(|| spoken(message))
        .map(|wait| wait.min(MAX_WAIT_MS))
}

fn exact(answer: &FailedAnswer) -> Option<u64> {
    let value = answer.header("retry-after-ms")?;
    decimal_ms(value.trim(), 1)
}

fn retry_after(answer: &FailedAnswer) -> Option<u64> {
    let value = answer.header("retry-after")?;
    if let Some(wait) = decimal_ms(value.trim(), 1000) {
        return Some(wait);
    }
    // A guest has no clock; the vendor's own `date` is the right one to compare with anyway.
    let until = http_date_seconds(value.trim())?;
    let now = http_date_seconds(answer.header("date")?.trim())?;
    Some(until.saturating_sub(now).saturating_mul(1000))
}

/// The longest reset among the windows of which nothing remains.
fn used_up_window(answer: &FailedAnswer) -> Option<u64> {
    let resets = ["requests", "tokens"].into_iter().filter_map(|window| {
        let remaining = answer.header(&format!("x-ratelimit-remaining-{window}"))?;
        if remaining.trim() != "0" {
            return None;
        }
        duration_ms(
            answer
                .header(&format!("x-ratelimit-reset-{window}"))?
                .trim(),
        )
    });
    resets.max()
}

fn spoken(message: &str) -> Option<u64> {
    const PHRASE: &str = "try again in ";
    let lower = message.to_ascii_lowercase();
    let rest = &lower[lower.find(PHRASE)? + PHRASE.len()..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let word = &rest[..end.unwrap_or(rest.len())];
    duration_ms(word.trim_end_matches('.'))
}

/// A duration as Go writes it: `1h2m3.5s`, `120ms`, `6m0s`.
///
/// ```
/// use tollgate_guest::classify::duration_ms;
/// assert_eq!(duration_ms("1m2.5s"), Some(62_500));
/// assert_eq!(duration_ms("soon"), None);
/// ```
pub fn duration_ms(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let unit_ms = match &tail[..unit] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(decimal_ms(number, unit_ms)?)?;
        rest = &tail[unit..];
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number of units in milliseconds, fractions rounded up.
fn decimal_ms(number: &str, unit_ms: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut wait = whole.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    // Nine digits are more than any unit here can tell apart.
    let fraction = &fraction[..fraction.len().min(9)];
    if !fraction.is_empty() {
        let part = fraction.parse::<u64>().ok()? * unit_ms;
        wait = wait.checked_add(part.div_ceil(10u64.pow(fraction.len() as u32)))?;
    }
    Some(wait)
}

/// Seconds of a date such as `Sun, 22 Nov 2026 14:00:00 GMT`, counted from a fixed day.
fn http_date_seconds(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = text.split(' ').skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next().filter(|name| name.len() == 3)?;
    let month = MONTHS.find(name).filter(|place| place % 3 == 0)? as u64 / 3 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<u64>);
    let mut next = || clock.next()?.ok();
    let seconds = next()? * 3600 + next()? * 60 + next()?;
    if !(1970..=9999).contains(&year) || day == 0 || day > 31 || seconds >= 86_400 {
        return None;
    }
    // Years that begin in March put the leap day last.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some(days * 86_400 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn wait(headers: &[(&str, &str)], message: &str) -> Option<u64> {
        let mut answer = testing::FailedAnswer::new(429);
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        retry_after_ms(&answer.view(), message)
    }

    #[test]
    fn headers_are_believed_before_words_and_the_exact_one_first() {
        let both = [("retry-after-ms", "250"), ("retry-after", "9")];
        assert_eq!(wait(&both, "try again in 5s"), Some(250));
        assert_eq!(wait(&both[1..], "try again in 5s"), Some(9000));
        assert_eq!(wait(&[], "Please try again in 5s."), Some(5000));
        assert_eq!(
            wait(&[], "Please try again in 1m30s. Thank you."),
            Some(90_000)
        );
        assert_eq!(wait(&[], "Please try again in a minute."), None);
    }

    #[test]
    fn a_date_is_compared_with_the_answers_own_date() {
        let headers = [
            ("retry-after", "Mon, 01 Mar 2027 00:00:05 GMT"),
            ("date", "Sun, 28 Feb 2027 23:59:55 GMT"),
        ];
        assert_eq!(wait(&headers, ""), Some(10_000));
        assert_eq!(wait(&headers[..1], ""), None, "no date to compare with");
        let past = [("retry-after", headers[1].1), ("date", headers[0].1)];
        assert_eq!(wait(&past, ""), Some(0));
    }

    #[test]
    fn days_between_dates_are_counted_over_leap_years() {
        let day =
            |text: &str| http_date_seconds(&format!("Xxx, {text} 00:00:00 GMT")).unwrap() / 86_400;
        assert_eq!(day("01 Mar 2028") - day("28 Feb 2028"), 2);
        assert_eq!(day("01 Mar 2026") - day("28 Feb 2026"), 1);
        assert_eq!(day("01 Jan 2027") - day("01 Jan 2026"), 365);
        assert_eq!(day("01 Jan 2000") - day("01 Jan 1970"), 10_957);
    }

    #[test]
    fn only_a_window_of_which_nothing_remains_says_when() {
        let used_up = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-remaining-tokens", "17"),
            ("x-ratelimit-reset-tokens", "9h"),
        ];
        assert_eq!(wait(&used_up, ""), Some(360_000));
    }

    #[test]
    fn nonsense_is_no_wait_and_an_absurd_wait_is_capped() {
        for nonsense in ["", "-3", "1e9", "soon", "NaN", "1.2.3"] {
            assert_eq!(wait(&[("retry-after", nonsense)], ""), None, "{nonsense}");
        }
        assert_eq!(
            wait(&[("retry-after", "99999999999")], ""),
            Some(MAX_WAIT_MS)
        );
        assert_eq!(wait(&[("retry-after", "99999999999999999999")], ""), None);
    }
}
