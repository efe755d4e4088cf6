//! What usage costs, reckoned independently of the gateway's code.

use tollgate_tests::simulator::Tokens;

/// Micro-units at the price of [`tollgate_tests::world::price`], rounded half up once.
pub(crate) fn cost(tokens: Tokens) -> u64 {
    cost_at(tokens, 1)
}

/// The same where every price is so many times as high.
pub(crate) fn cost_at(tokens: Tokens, times: u64) -> u64 {
    let exact = tokens.input * 3_000_000
        + tokens.cache_read * 300_000
        + tokens.cache_write_5m * 3_750_000
        + tokens.cache_write_1h * 6_000_000
        + tokens.output * 15_000_000;
    (exact * times + 500_000) / 1_000_000
}

/// What all of it is in tokens, as limits of tokens count.
pub(crate) fn tokens(tokens: Tokens) -> u64 {
    tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h + tokens.output
}

/// What the gateway takes the input of a body to be where the vendor does not tell: four bytes are a token.
pub(crate) fn input_estimate(body: &[u8]) -> u64 {
    (body.len() as u64).div_ceil(4)
}
