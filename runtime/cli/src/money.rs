//! Money as people write it, to and from micro-units, without floating point.

pub(crate) use tollgate_governance::show_money as show;

/// Micro-units in one unit.
const MICRO: u64 = 1_000_000;
/// The gateway counts money in 63 bits.
const MOST: u64 = i64::MAX.cast_unsigned();

/// Reads `12`, `12.5` or `0.000001`; at most six decimals, and no more than `most`, which `bound` tells of.
fn at_most(text: &str, most: u64, bound: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not an amount such as 12.50");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(bad());
    }
    if fraction.len() > 6 {
        return Err(format!("{text:?} has more than six decimals"));
    }
    let large = || format!("{text:?} is too large: {bound} {}", show(most.into()));
    // Digits only, so that nothing but their number can be wrong.
    let whole: u64 = whole.parse().map_err(|_| large())?;
    let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| bad())?;
    whole
        .checked_mul(MICRO)
        .and_then(|w| w.checked_add(fraction))
        .filter(|micros| *micros <= most)
        .ok_or_else(large)
}

/// Reads credit.
pub(crate) fn parse_credit(text: &str) -> Result<u64, String> {
    at_most(text, MOST, "all credit together is at most")
}

/// Reads a limit of money.
pub(crate) fn parse_limit(text: &str) -> Result<u64, String> {
    at_most(text, MOST, "at most")
}

/// Reads what prices are multiplied by, in millionths.
pub(crate) fn parse_factor(text: &str) -> Result<u64, String> {
    at_most(text, 1_000 * MICRO, "at most")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_both_ways() {
        for (text, micros) in [
            ("0", 0_u64),
            ("12", 12_000_000),
            ("12.5", 12_500_000),
            ("0.000001", 1),
            ("9223372036854.775807", MOST),
        ] {
            assert_eq!(parse_limit(text), Ok(micros));
            assert_eq!(parse_credit(text), Ok(micros));
            assert_eq!(parse_limit(&show(micros.into())), Ok(micros));
        }
        assert_eq!(parse_factor("1000"), Ok(1_000_000_000));
    }

    #[test]
    fn what_is_too_large_is_refused_with_the_bound_that_the_gateway_has() {
        for text in [
            "9223372036854.775808",
            "18446744073709.551615",
            "18446744073709.551616",
            "99999999999999999999",
        ] {
            for parse in [parse_limit, parse_credit] {
                let error = parse(text).unwrap_err();
                assert!(error.contains(text), "{error}");
                assert!(error.ends_with("at most 9223372036854.775807"), "{error}");
            }
        }
        let error = parse_factor("1000.000001").unwrap_err();
        assert!(error.ends_with("at most 1000.00"), "{error}");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-1", "1.", ".5", "1,5", "1e3", "0.0000001"] {
            let error = parse_limit(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
