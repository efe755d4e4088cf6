//! Any charge and any hold against integers that are wide enough for all of them.

use proptest::prelude::*;

use super::*;

/// 256 bits, least significant word first: wide enough for any sum of products and a factor.
#[derive(Clone, Copy, Default)]
struct Wide([u64; 4]);

impl Wide {
    fn plus(self, other: Wide) -> Wide {
        let mut carry = 0;
        Wide(std::array::from_fn(|word| {
            let sum = u128::from(self.0[word]) + u128::from(other.0[word]) + carry;
            carry = sum >> 64;
            sum as u64
        }))
    }

    fn times(self, factor: u64) -> Wide {
        let mut carry = 0;
        Wide(std::array::from_fn(|word| {
            let product = u128::from(self.0[word]) * u128::from(factor) + carry;
            carry = product >> 64;
            product as u64
        }))
    }

    /// Half up, saturating at 64 bits.
    fn over(self, divisor: u64) -> u64 {
        let mut rest = 0u128;
        let mut words = [0u64; 4];
        for word in (0..4).rev() {
            let part = (rest << 64) | u128::from(self.0[word]);
            words[word] = (part / u128::from(divisor)) as u64;
            rest = part % u128::from(divisor);
        }
        let up = Wide([u64::from(rest * 2 >= u128::from(divisor)), 0, 0, 0]);
        match Wide(words).plus(up).0 {
            [low, 0, 0, 0] => low,
            _ => u64::MAX,
        }
    }
}

fn oracle(price: &Price, tokens: &Tokens, factor: u64, divisor: u64) -> u64 {
    let whole: u128 = [
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
    ]
    .map(u128::from)
    .iter()
    .sum();
    if whole == 0 && tokens.output == 0 {
        return 0;
    }
    let mut prices = [
        price.input,
        price.cache_read,
        price.cache_write_5m,
        price.cache_write_1h,
        price.output,
    ];
    for tier in price.tiers.iter() {
        if whole > u128::from(tier.above) {
            prices = [
                tier.input,
                tier.cache_read,
                tier.cache_write_5m,
                tier.cache_write_1h,
                tier.output,
            ];
        }
    }
    let counts = [
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output,
    ];
    let request = Wide([price.request, 0, 0, 0]).times(1_000_000);
    let sum = counts
        .iter()
        .zip(prices)
        .fold(request, |sum, (count, price)| {
            sum.plus(Wide([*count, 0, 0, 0]).times(price))
        });
    sum.times(factor).over(divisor)
}

/// Small, usual and hostile numbers alike.
fn figure() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..10u64,
        0..2_000_000u64,
        0..1_000_000_000_000_000u64,
        any::<u64>(),
        Just(u64::MAX)
    ]
}

fn any_tokens() -> impl Strategy<Value = Tokens> {
    prop::array::uniform5(figure()).prop_map(
        |[input, cache_read, cache_write_5m, cache_write_1h, output]| Tokens {
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning: 0,
        },
    )
}

fn any_price(figure: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Price> {
    let row = prop::array::uniform5(figure.clone());
    let tier = (1..1_000_000u64, row.clone());
    (row, figure, prop::collection::vec(tier, 0..4)).prop_map(|(row, request, mut tiers)| {
        tiers.sort();
        tiers.dedup_by_key(|tier| tier.0);
        Price {
            input: row[0],
            cache_read: row[1],
            cache_write_5m: row[2],
            cache_write_1h: row[3],
            output: row[4],
            request,
            tiers: tiers
                .iter()
                .map(|(above, row)| Tier {
                    above: *above,
                    input: row[0],
                    cache_read: row[1],
                    cache_write_5m: row[2],
                    cache_write_1h: row[3],
                    output: row[4],
                })
                .collect(),
            version: Arc::default(),
        }
    })
}

proptest! {
    #[test]
    fn a_charge_is_what_wide_integers_say(
        price in any_price(figure().boxed()), tokens in any_tokens(),
        factor in prop_oneof![Just(1_000_000u64), 0..=2_000_000u64, 0..=1_000_000_000u64],
    ) {
        let charge = charge(&price, &tokens, Factor::new(factor).unwrap());
        prop_assert_eq!(charge.base, oracle(&price, &tokens, 1, 1_000_000));
        prop_assert_eq!(charge.base, cost(&price, &tokens));
        prop_assert_eq!(charge.charged, oracle(&price, &tokens, factor, 1_000_000_000_000));
    }

    #[test]
    fn a_hold_covers_every_bill_of_a_call_within_its_estimate_whatever_the_tiers_and_the_candidate(
        prices in prop::collection::vec(any_price((0..100_000_000u64).boxed()), 1..4),
        estimate in 0..1_200_000u64, cap in 0..200_000u64, factor in 0..3_000_000u64,
        used in prop::array::uniform5(0..=1_000u64), which: prop::sample::Index,
    ) {
        let part = |share: u64, of: u64| of * share / 1_000;
        let input = part(used[0], estimate);
        let cache_read = part(used[1], input);
        let cache_write_5m = part(used[2], input - cache_read);
        let cache_write_1h = part(used[3], input - cache_read - cache_write_5m);
        let tokens = Tokens {
            input: input - cache_read - cache_write_5m - cache_write_1h,
            cache_read, cache_write_5m, cache_write_1h, output: part(used[4], cap), reasoning: 0,
        };
        let factor = Factor::new(factor).unwrap();
        let held = hold_dearest(&prices, estimate, cap, factor).unwrap();
        prop_assert!(charge(which.get(&prices), &tokens, factor).charged <= held);
    }

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
        prop_assert!(cost(&price(), &tokens) <= hold(&price(), input, output));
    }
}
