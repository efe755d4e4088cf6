//! What a call costs: each kind of token at its own price, summed exactly and rounded once.

use super::*;

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
