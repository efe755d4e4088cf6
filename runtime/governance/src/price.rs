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
        let rates = rates
            .into_iter()
            .map(|(code, rate)| (code.to_ascii_uppercase(), rate))
            .collect();
        Self {
            base: base.to_ascii_uppercase(),
            rates,
        }
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
        operator
            .or(provider)
            .or(default)
            .ok_or_else(|| PriceError::Unknown(model.to_owned()))
    }

    /// The dearest that input can become: a cache write is dearer than plain input, and the client decides on it.
    fn dearest_input(&self) -> u64 {
        self.input
            .max(self.cache_read)
            .max(self.cache_write_5m)
            .max(self.cache_write_1h)
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
    let dearest = Price {
        input: price.dearest_input(),
        ..*price
    };
    cost(
        &dearest,
        &Tokens {
            input: input_estimate,
            output: output_cap,
            ..Tokens::default()
        },
    )
}

/// Divides by a million, half up.
fn divide(amount: u128) -> u128 {
    let million = u128::from(MILLION);
    amount / million + u128::from(amount % million >= million / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A vendor's list price: 3 / 0.30 / 3.75 / 6 / 15 a million.
    const PRICE: Price = Price {
        input: 3_000_000,
        cache_read: 300_000,
        cache_write_5m: 3_750_000,
        cache_write_1h: 6_000_000,
        output: 15_000_000,
    };

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let tokens = Tokens {
            input: 1_000,
            cache_read: 10_000,
            cache_write_5m: 100,
            cache_write_1h: 200,
            output: 500,
            reasoning: 400,
        };
        // 3,000 + 3,000 + 375 + 1,200 + 7,500; reasoning is part of the output and not billed again.
        assert_eq!(cost(&PRICE, &tokens), 15_075);
    }

    #[test]
    fn an_hours_cache_write_is_billed_at_twice_the_input_and_five_minutes_at_a_quarter_more() {
        let of = |tokens: Tokens| cost(&PRICE, &tokens);
        let input = of(Tokens {
            input: 1_000_000,
            ..Tokens::default()
        });
        assert_eq!(
            of(Tokens {
                cache_write_1h: 1_000_000,
                ..Tokens::default()
            }),
            2 * input
        );
        assert_eq!(
            of(Tokens {
                cache_write_5m: 1_000_000,
                ..Tokens::default()
            }) * 4,
            5 * input
        );
    }

    #[test]
    fn the_sum_is_rounded_once_and_half_up() {
        let price = Price {
            input: 400_000,
            output: 400_000,
            ..Price::default()
        };
        // 0.4 + 0.4 = 0.8: rounding each part would give nothing.
        assert_eq!(
            cost(
                &price,
                &Tokens {
                    input: 1,
                    output: 1,
                    ..Tokens::default()
                }
            ),
            1
        );
        assert_eq!(
            cost(
                &price,
                &Tokens {
                    input: 1,
                    ..Tokens::default()
                }
            ),
            0
        );
        let half = Price {
            input: 500_000,
            ..Price::default()
        };
        assert_eq!(
            cost(
                &half,
                &Tokens {
                    input: 1,
                    ..Tokens::default()
                }
            ),
            1
        );
        assert_eq!(
            cost(
                &half,
                &Tokens {
                    input: 3,
                    ..Tokens::default()
                }
            ),
            2
        );
    }

    #[test]
    fn absurd_token_counts_cost_too_much_and_never_too_little() {
        let all = Tokens {
            input: u64::MAX,
            cache_read: u64::MAX,
            cache_write_5m: u64::MAX,
            cache_write_1h: u64::MAX,
            output: u64::MAX,
            reasoning: 0,
        };
        let dear = Price {
            input: u64::MAX,
            cache_read: u64::MAX,
            cache_write_5m: u64::MAX,
            cache_write_1h: u64::MAX,
            output: u64::MAX,
        };
        assert_eq!(cost(&dear, &all), u64::MAX);
        assert_eq!(hold(&PRICE, u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_free_model_costs_nothing() {
        assert_eq!(
            cost(
                &Price::default(),
                &Tokens {
                    input: 5,
                    output: 5,
                    ..Tokens::default()
                }
            ),
            0
        );
    }

    #[test]
    fn an_unknown_price_is_refused_unless_a_default_is_set() {
        let error = Price::first_known("m-9", None, None, None).unwrap_err();
        assert!(error.to_string().contains("m-9"));
        let free = Price::default();
        assert_eq!(Price::first_known("m", None, None, Some(PRICE)), Ok(PRICE));
        assert_eq!(
            Price::first_known("m", None, Some(free), Some(PRICE)),
            Ok(free)
        );
        assert_eq!(
            Price::first_known("m", Some(PRICE), Some(free), None),
            Ok(PRICE)
        );
    }

    #[test]
    fn other_currencies_are_converted_with_the_operators_rate() {
        let rates = Rates::new("usd", BTreeMap::from([("cny".to_owned(), 140_000)]));
        let list: ListPrice =
            serde_json::from_str(r#"{"currency":"CNY","input":4000000,"output":16000000}"#)
                .unwrap();
        let price = rates.to_base(&list).unwrap();
        assert_eq!(
            (
                price.input,
                price.cache_read,
                price.cache_write_1h,
                price.output
            ),
            (560_000, 560_000, 560_000, 2_240_000)
        );
        let euro = ListPrice {
            currency: "EUR".into(),
            ..list.clone()
        };
        assert_eq!(
            rates.to_base(&euro),
            Err(PriceError::Currency("EUR".into()))
        );
        let huge = ListPrice {
            output: u64::MAX,
            ..list
        };
        let rates = Rates::new("USD", BTreeMap::from([("CNY".to_owned(), 2_000_000)]));
        assert_eq!(rates.to_base(&huge), Err(PriceError::TooLarge));
    }

    proptest! {
        #[test]
        fn a_hold_covers_every_way_in_which_the_same_tokens_can_be_billed(
            input in 0..10_000_000u64, split in prop::array::uniform3(0..=1_000u64), output in 0..200_000u64, used in 0..=1_000u64,
        ) {
            let part = |share: u64, of: u64| of * share / 1_000;
            let cache_read = part(split[0], input);
            let cache_write_5m = part(split[1], input - cache_read);
            let cache_write_1h = part(split[2], input - cache_read - cache_write_5m);
            let tokens = Tokens {
                input: input - cache_read - cache_write_5m - cache_write_1h,
                cache_read, cache_write_5m, cache_write_1h, output: part(used, output), reasoning: 0,
            };
            prop_assert!(cost(&PRICE, &tokens) <= hold(&PRICE, input, output));
        }
    }
}
