//! Prices and what a call costs, in integers from end to end.
//!
//! Money is counted in micro-units of one base currency; a price is micro-units per million tokens, so "3 dollars per
//! million" is 3_000_000. A cost sums tokens × price exactly and divides by a million once, rounding half up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Tokens of one call as they are billed. No token is counted in two members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Input neither read from nor written to a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache that lives 5 minutes (or for a time the vendor does not tell).
    pub cache_write_5m: u64,
    /// Input written to a cache that lives an hour.
    pub cache_write_1h: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
}

/// A price in the base currency: micro-units per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of [`Tokens::input`].
    pub input: u64,
    /// Of [`Tokens::cache_read`].
    pub cache_read: u64,
    /// Of [`Tokens::cache_write_5m`].
    pub cache_write_5m: u64,
    /// Of [`Tokens::cache_write_1h`].
    pub cache_write_1h: u64,
    /// Of [`Tokens::output`].
    pub output: u64,
}

/// A price as a vendor or an operator states it: in its own currency, cache prices optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPrice {
    /// ISO 4217 code, e.g. `USD`.
    pub currency: String,
    /// Micro-units of that currency per million tokens, like all that follow.
    pub input: u64,
    /// As `input` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// As `input` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<u64>,
    /// As `cache_write_5m` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Output tokens.
    pub output: u64,
}

/// Why a price cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Neither the operator nor the provider names a price and no default is set.
    #[error("no price is known for model `{0}` and no default price is set")]
    Unknown(String),
    /// The operator set no rate for the currency.
    #[error("no exchange rate is set for currency `{0}`")]
    Currency(String),
    /// The converted price does not fit.
    #[error("the price is too large")]
    TooLarge,
}

/// The base currency and what one unit of each other currency is worth in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    base: String,
    /// Micro base units per unit.
    rates: BTreeMap<String, u64>,
}

impl Rates {
    /// `rates`: micro base units per unit of the currency, e.g. CNY = 140_000 when a yuan is worth 0.14.
    #[must_use]
    pub fn new(base: &str, rates: BTreeMap<String, u64>) -> Self {
        let rates = rates.into_iter().map(|(code, rate)| (code.to_ascii_uppercase(), rate)).collect();
        Self { base: base.to_ascii_uppercase(), rates }
    }

    /// The base currency's code.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Converts a stated price to the base currency; each member rounds half up on its own.
    ///
    /// # Errors
    /// [`PriceError::Currency`] without a rate, [`PriceError::TooLarge`] when a member does not fit 64 bits.
    pub fn to_base(&self, price: &ListPrice) -> Result<Price, PriceError> {
        let code = price.currency.to_ascii_uppercase();
        let rate = if code == self.base {
            MILLION
        } else {
            *self.rates.get(&code).ok_or(PriceError::Currency(code))?
        };
        let convert = |amount: u64| {
            u64::try_from(divide(u128::from(amount) * u128::from(rate)))
                .map_err(|_| PriceError::TooLarge)
        };
        let cache_write_5m = price.cache_write_5m.unwrap_or(price.input);
        Ok(Price {
            input: convert(price.input)?,
            cache_read: convert(price.cache_read.unwrap_or(price.input))?,
            cache_write_5m: convert(cache_write_5m)?,
            cache_write_1h: convert(price.cache_write_1h.unwrap_or(cache_write_5m))?,
            output: convert(price.output)?,
        })
    }
}

impl Price {
    /// The first price known: the operator's, the provider's, the default.
    ///
    /// # Errors
    /// [`PriceError::Unknown`] when there is none: a call that nobody can price is refused, not given away.
    pub fn first_known(
        model: &str,
        operator: Option<Price>,
        provider: Option<Price>,
        default: Option<Price>,
    ) -> Result<Price, PriceError> {
        operator.or(provider).or(default).ok_or_else(|| PriceError::Unknown(model.to_owned()))
    }

    /// The dearest that input can become: a cache write is dearer than plain input, and the client decides on it.
    fn dearest_input(&self) -> u64 {
        self.input.max(self.cache_read).max(self.cache_write_5m).max(self.cache_write_1h)
    }
}

const MILLION: u64 = 1_000_000;

/// What `tokens` cost, in micro-units. Saturates at `u64::MAX`, which no limit admits: never too little.
#[must_use]
pub fn cost(price: &Price, tokens: &Tokens) -> u64 {
    let parts = [
        (tokens.input, price.input),
        (tokens.cache_read, price.cache_read),
        (tokens.cache_write_5m, price.cache_write_5m),
        (tokens.cache_write_1h, price.cache_write_1h),
        (tokens.output, price.output),
    ];
    // Each product is below 2^128; only a sum of several such extremes can leave the range.
    let sum = parts.iter().fold(0u128, |sum, (tokens, price)| {
        sum.saturating_add(u128::from(*tokens) * u128::from(*price))
    });
    u64::try_from(divide(sum)).unwrap_or(u64::MAX)
}

/// What to hold before a call: all input at the dearest input price, and the whole output cap. Micro-units.
#[must_use]
pub fn hold(price: &Price, input_estimate: u64, output_cap: u64) -> u64 {
    let dearest = Price { input: price.dearest_input(), ..*price };
    cost(&dearest, &Tokens { input: input_estimate, output: output_cap, ..Tokens::default() })
}

/// Divides by a million, half up.
fn divide(amount: u128) -> u128 {
    let million = u128::from(MILLION);
    amount / million + u128::from(amount % million >= million / 2)
}
