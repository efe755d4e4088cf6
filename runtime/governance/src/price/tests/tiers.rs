//! Long prompts: the whole call is billed at the tier that it reaches.

use std::collections::BTreeMap;

use super::*;

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
