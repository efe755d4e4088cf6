//! What to hold before a call, so that its charge is covered however the vendor bills it.

use super::charge::{exact, scaled};
use super::{Factor, Price, Tier, Tokens};

/// What to hold before a call: all input at the dearest input price, and the whole output cap. Micro-units.
///
/// With tiers, the dearest of those that a prompt of up to `input_estimate` tokens can reach.
#[must_use]
pub fn hold(price: &Price, input_estimate: u64, output_cap: u64) -> u64 {
    scaled(exact_hold(price, input_estimate, output_cap), Factor::ONE)
}

/// The same for a call that may go to any of `candidates`: the dearest decides, with the account's factor.
///
/// None without a candidate: there is nothing to call, and so nothing to hold for.
#[must_use]
pub fn hold_dearest<'a>(
    candidates: impl IntoIterator<Item = &'a Price>,
    input_estimate: u64,
    output_cap: u64,
    factor: Factor,
) -> Option<u64> {
    candidates
        .into_iter()
        .map(|price| exact_hold(price, input_estimate, output_cap))
        .max()
        .map(|exact| scaled(exact, factor))
}

/// How much output to hold for: what the client asked for, else the account's `slice` and not all that is left of its
/// budget; never more than the model can answer.
///
/// - `asked`: the client's output cap, tokens; none if it set none.
/// - `slice`: the account's default for that case, tokens.
/// - `model_most`: the model's largest answer, tokens; none if nobody knows.
#[must_use]
pub fn output_to_hold(asked: Option<u64>, slice: u64, model_most: Option<u64>) -> u64 {
    asked.unwrap_or(slice).min(model_most.unwrap_or(u64::MAX))
}

fn exact_hold(price: &Price, input_estimate: u64, output_cap: u64) -> u128 {
    let base = price.base();
    let mut tiers = std::iter::once(&base)
        .chain(price.tiers.iter())
        .take_while(|tier| tier.above < input_estimate || tier.above == 0)
        .peekable();
    let mut dearest = 0;
    while let Some(tier) = tiers.next() {
        // A prompt that is billed at this tier ends where the next one begins.
        let input = tiers
            .peek()
            .map_or(input_estimate, |next| next.above.min(input_estimate));
        let tokens = Tokens {
            input,
            output: output_cap,
            ..Tokens::default()
        };
        let tier = Tier {
            input: dearest_input(tier),
            ..*tier
        };
        dearest = dearest.max(exact(&tier, price.request, &tokens));
    }
    dearest
}

/// The dearest that input can become: a cache write is dearer than plain input, and the client decides on it.
fn dearest_input(tier: &Tier) -> u64 {
    tier.input
        .max(tier.cache_read)
        .max(tier.cache_write_5m)
        .max(tier.cache_write_1h)
}
