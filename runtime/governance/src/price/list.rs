//! Prices as vendors and operators state them, and their conversion to the base currency.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::charge::divide;
use super::{MILLION, Price, PriceError, Tier};

/// No vendor is known to have more than four.
pub(super) const MOST_TIERS: usize = 16;
/// Of the stated part of a version, characters.
pub(super) const LONGEST_VERSION: usize = 64;
/// A billion units of the base currency for a million tokens is a typing error; 2^63 would be one that overflows.
const DEAREST: u128 = 1_000_000_000 * MILLION as u128;

/// A price as a vendor or an operator states it: in its own currency, cache prices optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Micro-units for each call, whatever its size; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Prices of longer prompts, by ascending threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<ListTier>,
    /// A name for this state of the price, e.g. `2026-11`; see [`Rates::to_base`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a prompt of more than `above` tokens costs, all of it.
///
/// A cache price that is absent keeps the proportion to `input` that it has in the shortest tier, as vendors' do: taking
/// it for plain input would bill a cached conversation tenfold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTier {
    /// Tokens of input, cached ones included.
    pub above: u64,
    /// Micro-units per million tokens, like all that follow.
    pub input: u64,
    /// See [`ListTier`] for absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// See [`ListTier`] for absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<u64>,
    /// See [`ListTier`] for absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Output tokens.
    pub output: u64,
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
    /// [`Price::version`] becomes the stated version and a fingerprint of the converted figures, e.g.
    /// `2026-11@5f1e0c9a27b4`: whoever changes a figure or a rate and forgets the name still gets another version.
    ///
    /// # Errors
    /// [`PriceError::Currency`] without a rate, [`PriceError::TooLarge`] when a member is absurd,
    /// [`PriceError::Tiers`] and [`PriceError::Version`] when they are malformed.
    pub fn to_base(&self, price: &ListPrice) -> Result<Price, PriceError> {
        let rate = self.rate(&price.currency)?;
        let convert = |amount: u64| {
            let amount = divide(u128::from(amount) * u128::from(rate), u128::from(MILLION));
            if amount > DEAREST {
                return Err(PriceError::TooLarge);
            }
            u64::try_from(amount).map_err(|_| PriceError::TooLarge)
        };
        let base = stated(price);
        let mut tiers = Vec::with_capacity(price.tiers.len());
        let mut last = 0;
        for tier in &price.tiers {
            if tier.above <= last || tiers.len() == MOST_TIERS {
                return Err(PriceError::Tiers);
            }
            last = tier.above;
            tiers.push(converted(&stated_tier(&base, tier)?, &convert)?);
        }
        let base = converted(&base, &convert)?;
        let request = convert(price.request.unwrap_or(0))?;
        let version = self.version(price.version.as_deref(), &base, request, &tiers)?;
        Ok(Price {
            input: base.input,
            cache_read: base.cache_read,
            cache_write_5m: base.cache_write_5m,
            cache_write_1h: base.cache_write_1h,
            output: base.output,
            request,
            tiers: tiers.into(),
            version,
        })
    }

    fn rate(&self, currency: &str) -> Result<u64, PriceError> {
        let code = currency.to_ascii_uppercase();
        if code == self.base {
            return Ok(MILLION);
        }
        match self.rates.get(&code) {
            Some(rate) if *rate > 0 => Ok(*rate),
            _ => Err(PriceError::Currency(code)),
        }
    }

    fn version(
        &self,
        stated: Option<&str>,
        base: &Tier,
        request: u64,
        tiers: &[Tier],
    ) -> Result<Arc<str>, PriceError> {
        let stated = stated.unwrap_or_default();
        // It is shown in tables and exports: no line breaks, no control characters.
        if stated.chars().count() > LONGEST_VERSION || stated.chars().any(char::is_control) {
            return Err(PriceError::Version);
        }
        let mut figures = self.base.as_bytes().to_vec();
        figures.extend_from_slice(&request.to_le_bytes());
        for tier in std::iter::once(base).chain(tiers) {
            for figure in [
                tier.above,
                tier.input,
                tier.cache_read,
                tier.cache_write_5m,
                tier.cache_write_1h,
                tier.output,
            ] {
                figures.extend_from_slice(&figure.to_le_bytes());
            }
        }
        let fingerprint = digest::digest(&digest::SHA256, &figures);
        let mut version = stated.to_owned();
        if !version.is_empty() {
            version.push('@');
        }
        for byte in fingerprint.as_ref().iter().take(6) {
            // Writing to a string cannot fail.
            let _ = write!(version, "{byte:02x}");
        }
        Ok(version.into())
    }
}

/// The shortest tier with nothing left out, in the stated currency.
fn stated(price: &ListPrice) -> Tier {
    let cache_write_5m = price.cache_write_5m.unwrap_or(price.input);
    Tier {
        above: 0,
        input: price.input,
        cache_read: price.cache_read.unwrap_or(price.input),
        cache_write_5m,
        cache_write_1h: price.cache_write_1h.unwrap_or(cache_write_5m),
        output: price.output,
    }
}

/// A longer tier with nothing left out, in the stated currency.
fn stated_tier(base: &Tier, tier: &ListTier) -> Result<Tier, PriceError> {
    let in_proportion = |stated: Option<u64>, of_base: u64| match stated {
        Some(stated) => Ok(stated),
        // Nothing to be in proportion to.
        None if base.input == 0 => Ok(tier.input),
        None => {
            let product = u128::from(of_base) * u128::from(tier.input);
            let (whole, rest) = (
                product / u128::from(base.input),
                product % u128::from(base.input),
            );
            u64::try_from(whole + u128::from(rest * 2 >= u128::from(base.input)))
                .map_err(|_| PriceError::TooLarge)
        }
    };
    Ok(Tier {
        above: tier.above,
        input: tier.input,
        cache_read: in_proportion(tier.cache_read, base.cache_read)?,
        cache_write_5m: in_proportion(tier.cache_write_5m, base.cache_write_5m)?,
        cache_write_1h: in_proportion(tier.cache_write_1h, base.cache_write_1h)?,
        output: tier.output,
    })
}

fn converted(
    tier: &Tier,
    convert: &impl Fn(u64) -> Result<u64, PriceError>,
) -> Result<Tier, PriceError> {
    Ok(Tier {
        above: tier.above,
        input: convert(tier.input)?,
        cache_read: convert(tier.cache_read)?,
        cache_write_5m: convert(tier.cache_write_5m)?,
        cache_write_1h: convert(tier.cache_write_1h)?,
        output: convert(tier.output)?,
    })
}
