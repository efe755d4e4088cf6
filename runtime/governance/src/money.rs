//! Money as people read it: in units of the currency, out of micro-units, without floating point.

/// Micro-units in one unit.
const MICRO: u128 = 1_000_000;

/// Micro-units as units, with at least two decimals and no needless zeros beyond: `12.50`, `0.000001`.
#[must_use]
pub fn show_money(micros: i128) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let mut decimals = format!("{:06}", micros % MICRO);
    while decimals.len() > 2 && decimals.ends_with('0') {
        decimals.pop();
    }
    format!("{sign}{}.{decimals}", micros / MICRO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_exactly() {
        for (micros, text) in [
            (0, "0.00"),
            (1, "0.000001"),
            (12_500_000, "12.50"),
            (-1_234_500, "-1.2345"),
            (i128::from(u64::MAX), "18446744073709.551615"),
        ] {
            assert_eq!(show_money(micros), text);
        }
    }
}
