//! The factor that an account's calls are charged at.

use serde::{Deserialize, Serialize};

use super::{MILLION, PriceError};

/// A thousandfold: more is a typing error.
pub(super) const MOST: u64 = 1_000 * MILLION;

/// A multiple of the price, in millionths: 1_000_000 charges the price itself, 1_200_000 a fifth more, 0 nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Factor(u64);

impl Factor {
    /// The price as it is.
    pub const ONE: Self = Self(MILLION);

    /// # Errors
    /// [`PriceError::Factor`] above a thousandfold.
    pub fn new(millionths: u64) -> Result<Self, PriceError> {
        if millionths > MOST {
            return Err(PriceError::Factor(millionths));
        }
        Ok(Self(millionths))
    }

    /// In millionths.
    #[must_use]
    pub fn millionths(self) -> u64 {
        self.0
    }
}

impl Default for Factor {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<u64> for Factor {
    type Error = PriceError;

    fn try_from(millionths: u64) -> Result<Self, PriceError> {
        Self::new(millionths)
    }
}

impl From<Factor> for u64 {
    fn from(factor: Factor) -> Self {
        factor.0
    }
}
