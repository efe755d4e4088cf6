//! Tests of prices, charges and holds, against a wide-integer oracle.

use std::collections::BTreeMap;

use proptest::prelude::*;

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
    assert_eq!(cost(&price(), &tokens), 15_075);
}

#[test]
fn an_hours_cache_write_is_billed_at_twice_the_input_and_five_minutes_at_a_quarter_more() {
    let of = |tokens: Tokens| cost(&price(), &tokens);
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
        ..Price::default()
    };
    assert_eq!(cost(&dear, &all), u64::MAX);
    assert_eq!(hold(&price(), u64::MAX, u64::MAX), u64::MAX);
}

#[test]
fn a_cost_beyond_128_bits_is_the_largest_and_never_wraps_to_nothing() {
    // Four parts of 2^126 are 2^128: nothing, if the sum wrapped.
    let half = 1 << 63;
    let tokens = Tokens {
        input: half,
        cache_read: half,
        cache_write_5m: half,
        cache_write_1h: half,
        ..Tokens::default()
    };
    let dear = Price {
        input: half,
        cache_read: half,
        cache_write_5m: half,
        cache_write_1h: half,
        ..Price::default()
    };
    assert_eq!(cost(&dear, &tokens), u64::MAX);
    // 2^108 times a factor of 2^20 millionths is 2^128, too.
    let tokens = Tokens {
        input: 1 << 54,
        ..Tokens::default()
    };
    let dear = Price {
        input: 1 << 54,
        ..Price::default()
    };
    let factor = Factor::new(1 << 20).unwrap();
    assert_eq!(charge(&dear, &tokens, factor).charged, u64::MAX);
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
    assert_eq!(
        Price::first_known("m", None, None, Some(price())),
        Ok(price())
    );
    assert_eq!(
        Price::first_known("m", None, Some(free.clone()), Some(price())),
        Ok(free.clone())
    );
    assert_eq!(
        Price::first_known("m", Some(price()), Some(free), None),
        Ok(price())
    );
}

#[test]
fn other_currencies_are_converted_with_the_operators_rate() {
    let rates = Rates::new("usd", BTreeMap::from([("cny".to_owned(), 140_000)]));
    let list: ListPrice =
        serde_json::from_str(r#"{"currency":"CNY","input":4000000,"output":16000000}"#).unwrap();
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

#[test]
fn a_long_prompt_is_billed_whole_at_its_tier_and_cached_tokens_count_towards_it() {
    let at = |input, cache_read| {
        cost(
            &tiered(),
            &Tokens {
                input,
                cache_read,
                output: 1_000,
                ..Tokens::default()
            },
        )
    };
    assert_eq!(at(272_000, 0), 816_000 + 15_000);
    // One token more: all of it at twice the price, not only the token above.
    assert_eq!(at(272_001, 0), 1_632_006 + 22_500);
    assert_eq!(at(72_000, 200_000), 216_000 + 60_000 + 15_000);
    assert_eq!(at(72_001, 200_000), 432_006 + 120_000 + 22_500);
    let written = Tokens {
        cache_write_5m: 136_000,
        cache_write_1h: 136_001,
        ..Tokens::default()
    };
    assert_eq!(cost(&tiered(), &written), 1_020_000 + 1_632_012);
}

#[test]
fn the_highest_of_several_tiers_applies() {
    let tier = |above, input| Tier {
        above,
        input,
        ..Tier::default()
    };
    let price = Price {
        input: 1_000_000,
        tiers: Arc::new([
            tier(32_000, 1_800_000),
            tier(128_000, 3_000_000),
            tier(256_000, 6_000_000),
        ]),
        ..Price::default()
    };
    for (tokens, charged) in [
        (32_000, 32_000),
        (32_001, 57_602),
        (128_000, 230_400),
        (200_000, 600_000),
        (1_000_000, 6_000_000),
    ] {
        let tokens = Tokens {
            input: tokens,
            ..Tokens::default()
        };
        assert_eq!(cost(&price, &tokens), charged);
    }
}

#[test]
fn a_price_per_request_is_billed_once_and_not_for_an_attempt_that_used_nothing() {
    let price = Price {
        request: 5_000,
        ..price()
    };
    let one = Tokens {
        output: 1_000,
        ..Tokens::default()
    };
    assert_eq!(cost(&price, &one), 5_000 + 15_000);
    assert_eq!(cost(&price, &Tokens::default()), 0);
    assert_eq!(hold(&price, 0, 0), 5_000);
}

#[test]
fn a_factor_is_applied_to_the_exact_cost_and_rounded_once() {
    let price = Price {
        input: 1_400_000,
        ..Price::default()
    };
    let one = Tokens {
        input: 1,
        ..Tokens::default()
    };
    // 1.4 × 3 = 4.2. Rounding the cost to 1 first would charge 3.
    let of = |millionths| charge(&price, &one, Factor::new(millionths).unwrap());
    assert_eq!(
        of(3_000_000),
        Charge {
            base: 1,
            charged: 4
        }
    );
    assert_eq!(of(1_500_000).charged, 2);
    assert_eq!(of(1_000_000).charged, 1);
    assert_eq!(of(0).charged, 0);
    // 1.4 × 0.357143 = 0.5000002: up. 1.4 × 0.357142 = 0.4999988: down.
    assert_eq!((of(357_143).charged, of(357_142).charged), (1, 0));
}

#[test]
fn a_factor_beyond_a_thousandfold_is_refused_wherever_it_comes_from() {
    assert_eq!(
        Factor::new(1_000_000_001),
        Err(PriceError::Factor(1_000_000_001))
    );
    assert!(serde_json::from_str::<Factor>("18446744073709551615").is_err());
    assert!(serde_json::from_str::<Factor>("-1").is_err());
    assert_eq!(
        serde_json::from_str::<Factor>("1200000")
            .unwrap()
            .millionths(),
        1_200_000
    );
    assert_eq!(Factor::default(), Factor::ONE);
}

#[test]
fn a_hold_is_taken_at_the_tier_that_the_estimate_reaches() {
    // Cache writes of an hour are the dearest input.
    assert_eq!(hold(&tiered(), 272_000, 1_000), 1_632_000 + 15_000);
    assert_eq!(hold(&tiered(), 272_001, 1_000), 3_264_012 + 22_500);
}

#[test]
fn a_tier_that_is_cheaper_than_the_one_below_does_not_shrink_the_hold() {
    let price = Price {
        input: 9_000_000,
        tiers: Arc::new([Tier {
            above: 1_000,
            input: 1_000_000,
            ..Tier::default()
        }]),
        ..Price::default()
    };
    // The real prompt may be 1,000 tokens, which cost 9,000.
    assert_eq!(hold(&price, 2_000, 0), 9_000);
}

#[test]
fn the_dearest_admissible_candidate_decides_the_hold() {
    let cheap = Price {
        input: 1_000_000,
        output: 99_000_000,
        ..Price::default()
    };
    let held =
        |input, output| hold_dearest([&cheap, &price()], input, output, Factor::ONE).unwrap();
    // Which one is the dearest depends on the call.
    assert_eq!(held(1_000_000, 0), hold(&price(), 1_000_000, 0));
    assert_eq!(held(0, 1_000), hold(&cheap, 0, 1_000));
    let half_more = Factor::new(1_500_000).unwrap();
    assert_eq!(
        hold_dearest([&price()], 1_000_000, 0, half_more),
        Some(9_000_000)
    );
    assert_eq!(hold_dearest([], 1, 1, Factor::ONE), None);
}

#[test]
fn an_absent_output_cap_holds_a_slice_and_never_all_that_is_left() {
    assert_eq!(output_to_hold(None, 4_096, Some(128_000)), 4_096);
    assert_eq!(output_to_hold(None, 4_096, Some(1_024)), 1_024);
    assert_eq!(output_to_hold(None, 4_096, None), 4_096);
}

#[test]
fn an_absurd_output_cap_holds_what_the_model_can_answer_so_that_agents_do_not_starve() {
    assert_eq!(
        output_to_hold(Some(u64::MAX), 4_096, Some(128_000)),
        128_000
    );
    assert_eq!(output_to_hold(Some(10), 4_096, Some(128_000)), 10);
    // Nobody knows the model's maximum: the hold is absurd, too, and no wallet admits it.
    let cap = output_to_hold(Some(u64::MAX), 4_096, None);
    assert_eq!(hold(&price(), 0, cap), u64::MAX);
}

#[test]
fn a_price_changed_without_a_new_name_still_has_a_new_version() {
    let rates = |cny| Rates::new("USD", BTreeMap::from([("CNY".to_owned(), cny)]));
    let version = |cny, list: &ListPrice| rates(cny).to_base(list).unwrap().version;
    let list = ListPrice {
        currency: "CNY".into(),
        input: 4_000_000,
        output: 16_000_000,
        version: Some("2026-11".into()),
        ..ListPrice::default()
    };
    let first = version(140_000, &list);
    assert!(first.starts_with("2026-11@"), "{first}");
    assert_eq!(first.len(), "2026-11@".len() + 12);
    assert_eq!(first, version(140_000, &list));
    let dearer = ListPrice {
        output: 16_000_001,
        ..list.clone()
    };
    assert_ne!(first, version(1_000_000, &dearer));
    assert_ne!(first, version(141_000, &list), "another rate");
    let unnamed = ListPrice {
        version: None,
        ..list.clone()
    };
    assert_eq!(
        &*version(140_000, &unnamed),
        first.split_once('@').unwrap().1
    );
    let tier = ListTier {
        above: 100_000,
        input: 4_000_000,
        output: 16_000_000,
        ..ListTier::default()
    };
    let tiered = ListPrice {
        tiers: vec![tier],
        ..list
    };
    assert_ne!(first, version(140_000, &tiered));
}

#[test]
fn a_hostile_price_is_refused() {
    let rates = Rates::new("USD", BTreeMap::from([("XXX".to_owned(), 0)]));
    let list = ListPrice {
        currency: "USD".into(),
        input: 1,
        output: 1,
        ..ListPrice::default()
    };
    let refused = |change: &dyn Fn(&mut ListPrice)| {
        let mut list = list.clone();
        change(&mut list);
        rates.to_base(&list).unwrap_err()
    };
    assert_eq!(
        refused(&|list| list.currency = "xxx".into()),
        PriceError::Currency("XXX".into()),
        "a rate of zero would give everything away"
    );
    assert_eq!(
        refused(&|list| list.output = 1_000_000_000_000_001),
        PriceError::TooLarge
    );
    assert_eq!(
        refused(&|list| list.request = Some(u64::MAX)),
        PriceError::TooLarge
    );
    let tier = |above| ListTier {
        above,
        input: 1,
        output: 1,
        ..ListTier::default()
    };
    for thresholds in [vec![0], vec![5, 5], vec![9, 5], (1..=17).collect()] {
        assert_eq!(
            refused(&|list| list.tiers = thresholds.iter().copied().map(tier).collect()),
            PriceError::Tiers
        );
    }
    for version in ["a\nb".to_owned(), "x".repeat(65)] {
        assert_eq!(
            refused(&|list| list.version = Some(version.clone())),
            PriceError::Version
        );
    }
    for text in [
        r#"{"currency":"USD","input":-1,"output":1}"#,
        r#"{"currency":"USD","input":1.5,"output":1}"#,
        r#"{"currency":"USD","input":1,"output":1,"tiers":[{"above":-1,"input":1,"output":1}]}"#,
        r#"{"currency":"USD","input":1,"output":1,"outptu":1}"#,
    ] {
        assert!(serde_json::from_str::<ListPrice>(text).is_err(), "{text}");
    }
}

#[test]
fn a_tier_that_states_no_cache_price_keeps_the_proportion_and_not_the_price_of_plain_input() {
    let list: ListPrice = serde_json::from_str(
        r#"{"currency":"USD","input":100000,"cache_read":10000,"cache_write_5m":125000,"cache_write_1h":200000,
            "output":500000,"tiers":[{"above":100000,"input":500000,"output":2500000}]}"#,
    )
    .unwrap();
    let rates = Rates::new("USD", BTreeMap::new());
    let tier = rates.to_base(&list).unwrap().tiers[0];
    assert_eq!(
        (tier.cache_read, tier.cache_write_5m, tier.cache_write_1h),
        (50_000, 625_000, 1_000_000)
    );
    let mut plain = list;
    plain.cache_read = None;
    assert_eq!(rates.to_base(&plain).unwrap().tiers[0].cache_read, 500_000);
    plain.input = 0;
    assert_eq!(rates.to_base(&plain).unwrap().tiers[0].cache_read, 500_000);
}

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
