//! Tests of prices, charges and holds.

mod cost;
mod factor;
mod hold;
mod list;
mod oracle;
mod tiers;

use super::*;

/// A vendor's list price: 3 / 0.30 / 3.75 / 6 / 15 a million.
fn price() -> Price {
    Price {
        input: 3_000_000,
        cache_read: 300_000,
        cache_write_5m: 3_750_000,
        cache_write_1h: 6_000_000,
        output: 15_000_000,
        ..Price::default()
    }
}

/// The same, twice as dear (output half as dear again) above 272,000 tokens of input.
fn tiered() -> Price {
    Price {
        tiers: Arc::new([Tier {
            above: 272_000,
            input: 6_000_000,
            cache_read: 600_000,
            cache_write_5m: 7_500_000,
            cache_write_1h: 12_000_000,
            output: 22_500_000,
        }]),
        ..price()
    }
}
