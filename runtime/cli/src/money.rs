//! Money as people write it, to and from micro-units, without floating point.

pub(crate) use tollgate_governance::show_money as show;

/// Micro-units in one unit.
const MICRO: u64 = 1_000_000;

/// Reads `12`, `12.5` or `0.000001`; at most six decimals.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not an amount such as 12.50");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(bad());
    }
    if fraction.len() > 6 {
        return Err(format!("{text:?} has more than six decimals"));
    }
    let large = || format!("{text:?} is too large: at most {}", show(u64::MAX.into()));
    // Digits only, so that nothing but their number can be wrong.
    let whole: u64 = whole.parse().map_err(|_| large())?;
    let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| bad())?;
    whole
        .checked_mul(MICRO)
        .and_then(|w| w.checked_add(fraction))
        .ok_or_else(large)
}

/// The same of credit: the ledger counts in 63 bits.
pub(crate) fn parse_credit(text: &str) -> Result<u64, String> {
    let micros = parse(text)?;
    match i64::try_from(micros) {
        Ok(_) => Ok(micros),
        Err(_) => Err(format!(
            "{text:?} is too large: all credit together is at most {}",
            show(i64::MAX.into())
        )),
    }
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
        ] {
            assert_eq!(parse(text).unwrap(), micros);
            assert_eq!(parse(&show(micros.into())).unwrap(), micros);
        }
        assert_eq!(parse("18446744073709.551615").unwrap(), u64::MAX);
    }

    #[test]
    fn what_is_too_large_is_refused_with_the_bound() {
        for text in ["99999999999999999999", "18446744073709.551616"] {
            let error = parse(text).unwrap_err();
            assert!(
                error.contains(text) && error.contains("18446744073709.551615"),
                "{error}"
            );
        }
        assert_eq!(
            parse_credit("9223372036854.775807").unwrap(),
            i64::MAX as u64
        );
        let error = parse_credit("9223372036854.775808").unwrap_err();
        assert!(error.ends_with("at most 9223372036854.775807"), "{error}");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-1",
            "1.",
            ".5",
            "1,5",
            "1e3",
            "0.0000001",
            "99999999999999999999",
            "18446744073709.551616",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
