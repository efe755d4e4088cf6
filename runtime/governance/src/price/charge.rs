//! What used tokens cost: exact products, one division, rounded half up once.

use super::{Factor, MILLION, Price, Tier, Tokens};

/// What a call costs, micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// By the price alone.
    pub base: u64,
    /// With the account's factor. Computed from the exact cost and not from `base`, so it is rounded once.
    pub charged: u64,
}

/// What `tokens` cost, in micro-units. Saturates at `u64::MAX`, which no limit admits: never too little.
///
/// No tokens at all cost nothing, not even the price per request: that is an attempt that failed.
#[must_use]
pub fn cost(price: &Price, tokens: &Tokens) -> u64 {
    scaled(exact_cost(price, tokens), Factor::ONE)
}

/// What `tokens` cost, without and with the account's factor. Saturates as [`cost`] does.
#[must_use]
pub fn charge(price: &Price, tokens: &Tokens, factor: Factor) -> Charge {
    let exact = exact_cost(price, tokens);
    Charge {
        base: scaled(exact, Factor::ONE),
        charged: scaled(exact, factor),
    }
}

/// In millionths of a micro-unit.
fn exact_cost(price: &Price, tokens: &Tokens) -> u128 {
    if tokens.is_zero() {
        return 0;
    }
    exact(&price.tier(tokens.total_input()), price.request, tokens)
}

/// At one tier, in millionths of a micro-unit. Saturates.
pub(super) fn exact(tier: &Tier, request: u64, tokens: &Tokens) -> u128 {
    let parts = [
        (tokens.input, tier.input),
        (tokens.cache_read, tier.cache_read),
        (tokens.cache_write_5m, tier.cache_write_5m),
        (tokens.cache_write_1h, tier.cache_write_1h),
        (tokens.output, tier.output),
        (MILLION, request),
    ];
    // Each product is below 2^128; only a sum of several such extremes can leave the range.
    parts.iter().fold(0u128, |sum, (count, price)| {
        sum.saturating_add(u128::from(*count) * u128::from(*price))
    })
}

/// Times the factor, in whole micro-units, half up.
///
/// A product beyond 2^128 is beyond 2^64 after the division too, so saturating early changes no answer.
pub(super) fn scaled(exact: u128, factor: Factor) -> u64 {
    if factor == Factor::ONE {
        // Multiplying by a million and dividing by its square says the same, slower.
        return u64::try_from(divide(exact, u128::from(MILLION))).unwrap_or(u64::MAX);
    }
    exact
        .checked_mul(u128::from(factor.millionths()))
        .and_then(|product| {
            u64::try_from(divide(product, u128::from(MILLION) * u128::from(MILLION))).ok()
        })
        .unwrap_or(u64::MAX)
}

/// Half up. `divisor` is even.
pub(super) fn divide(amount: u128, divisor: u128) -> u128 {
    amount / divisor + u128::from(amount % divisor >= divisor / 2)
}
