//! What is held for a call: never less than it may be billed.

use super::*;

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
