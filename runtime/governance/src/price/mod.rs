//! Prices and what a call costs, in integers from end to end.
//!
//! Money is counted in micro-units of one base currency; a price is micro-units per million tokens, so "3 dollars per
//! million" is 3_000_000. A charge sums tokens × price exactly, multiplies by the account's factor, and is divided and
//! rounded half up once.

mod charge;
mod factor;
mod hold;
mod list;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use charge::{Charge, charge, cost};
pub use factor::Factor;
pub use hold::{hold, hold_dearest, output_to_hold};
pub use list::{ListPrice, ListTier, Rates};

pub(crate) const MILLION: u64 = 1_000_000;

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

impl Tokens {
    /// The whole prompt, cached or not: what long-context thresholds are compared with. Saturates.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
    }

    /// All tokens, as limits of tokens count them. Saturates.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total_input().saturating_add(self.output)
    }

    /// Whether nothing was used at all, as by an attempt that failed.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.total_input() == 0 && self.output == 0
    }
}

/// A price in the base currency: micro-units per million tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Micro-units for each call that used anything, whatever its size.
    pub request: u64,
    /// Prices of longer prompts, by ascending threshold; empty for most models.
    pub tiers: Arc<[Tier]>,
    /// Names these figures for good: the usage row carries it. See [`Rates::to_base`].
    pub version: Arc<str>,
}

/// The price of a prompt longer than `above` tokens: the *whole* call is billed at it, as vendors do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tier {
    /// Applies when [`Tokens::total_input`] is larger than this.
    pub above: u64,
    /// See [`Price::input`], like all that follow.
    pub input: u64,
    /// See [`Price::cache_read`].
    pub cache_read: u64,
    /// See [`Price::cache_write_5m`].
    pub cache_write_5m: u64,
    /// See [`Price::cache_write_1h`].
    pub cache_write_1h: u64,
    /// See [`Price::output`].
    pub output: u64,
}

/// Why a price cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Neither the operator nor the provider names a price and no default is set.
    #[error("no price is known for model `{0}` and no default price is set")]
    Unknown(String),
    /// The operator set no rate for the currency, or a rate of zero, which would give everything away.
    #[error("no exchange rate is set for currency `{0}`")]
    Currency(String),
    /// A stated or converted figure is absurd.
    #[error("the price is too large")]
    TooLarge,
    /// Thresholds must be positive, ascending and few.
    #[error("price tiers: at most {most} of them, each `above` larger than the one before", most = list::MOST_TIERS)]
    Tiers,
    /// The text is written on every usage row.
    #[error("a price version is at most {most} printable characters", most = list::LONGEST_VERSION)]
    Version,
    /// A factor outside what can be meant.
    #[error("a price factor of {0} millionths; the most is {most}", most = factor::MOST)]
    Factor(u64),
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

    /// The prices of the shortest prompts.
    fn base(&self) -> Tier {
        Tier {
            above: 0,
            input: self.input,
            cache_read: self.cache_read,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
        }
    }

    /// The prices that apply to a prompt of `total_input` tokens.
    fn tier(&self, total_input: u64) -> Tier {
        self.tiers
            .iter()
            .rev()
            .find(|tier| total_input > tier.above)
            .copied()
            .unwrap_or_else(|| self.base())
    }
}
