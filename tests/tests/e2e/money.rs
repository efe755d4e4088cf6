//! What usage costs, reckoned independently of the gateway's code.

use tollgate_tests::simulator::Tokens;

/// Micro-units at the price of [`tollgate_tests::world::price`], rounded half up once.
pub(crate) fn cost(tokens: Tokens) -> u64 {
    let exact = tokens.input * 3_000_000
        + tokens.cache_read * 300_000
        + tokens.cache_write_5m * 3_750_000
        + tokens.cache_write_1h * 6_000_000
        + tokens.output * 15_000_000;
    (exact + 500_000) / 1_000_000
}
