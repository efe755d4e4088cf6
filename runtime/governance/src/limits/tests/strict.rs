//! Where money is short the output is lowered to what is affordable, and no further than is of use.

use super::*;

/// 10 for the input, 2 for each token of output; 50 tokens wanted, 5 the least.
const CALL: Call = Call {
    model: "m",
    input: 10,
    expected: 5,
    output: 50,
    least: 5,
    base: 10,
    each: 2,
};

#[test]
fn the_output_is_lowered_to_exactly_what_half_of_the_tightest_budget_affords() {
    for (budget, output) in [(110, 50), (109, 22), (60, 10), (63, 10), (41, 5), (20, 5)] {
        let mut desk = Desk::new();
        let limits = format!(r#"{{"limits":{{"monthly_limit":{budget}}}}}"#);
        desk.bench.patch("root", &limits).unwrap();
        let path = desk.account("root", "a", r#"{"limits":{"daily_limit":10000}}"#);
        let admission = desk.admit(&path, CALL, T0).unwrap();
        assert_eq!(admission.output(), output, "{budget}");
        assert_eq!(admission.hold(), 10 + 2 * output);
        assert_eq!(desk.money(&path, T0), (0, 10 + 2 * output));
    }
}

#[test]
fn below_the_least_output_it_is_refused_and_waits_for_the_budget_to_come_back() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    desk.done(&path, costs(81), T0);
    let refused = desk.admit(&path, CALL, T0).unwrap_err();
    let midnight = desk.counters.day(T0).end_ms;
    assert_eq!(
        limit(&refused),
        (LimitKind::DailyLimit, Some(midnight - T0))
    );
    assert_eq!(desk.money(&path, T0), (81, 0));
    // Larger than the whole budget even with the least output: no wait helps.
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":19}}"#);
    assert!(
        desk.admit(&path, CALL, T0)
            .unwrap_err()
            .is_larger_than_limit()
    );
}

#[test]
fn what_cannot_be_lowered_is_not() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let fixed = Call { least: 50, ..CALL };
    assert!(desk.admit(&path, fixed, T0).is_err());
    let most = Call {
        least: u64::MAX,
        ..CALL
    };
    assert!(desk.admit(&path, most, T0).is_err());
    let enough = Call {
        output: 45,
        ..fixed
    };
    let admission = desk.admit(&path, enough, T0).unwrap();
    assert_eq!((admission.output(), admission.hold()), (45, 100));
}

#[test]
fn who_is_lowered_leaves_room_for_the_others_of_the_team() {
    // What is left is less than the slice of a request without a cap: it must not hold all of it while it runs.
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let without_cap = desk.admit(&path, CALL, T0).unwrap();
    assert_eq!((without_cap.output(), without_cap.hold()), (20, 50));
    let small = Call { output: 10, ..CALL };
    let beside = desk.admit(&path, small, T0).unwrap();
    assert_eq!((beside.output(), beside.hold()), (10, 30));
    drop((without_cap, beside));
}

#[test]
fn a_wallet_lowers_the_output_as_a_budget_does() {
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"daily_limit":1000}}"#);
    desk.grant(&path, 60);
    let admission = desk.admit(&path, CALL, T0).unwrap();
    assert_eq!((admission.output(), admission.hold()), (10, 30));
    let second = desk.admit(&path, CALL, T0).unwrap();
    assert_eq!((second.output(), second.hold()), (5, 20));
    assert_eq!(desk.wallet(&path, T0), (10, 50));
    let refused = desk.admit(&path, CALL, T0).unwrap_err();
    assert_eq!(refused.bound, Bound::Wallet);
    admission.settle(0, 30, T0);
    second.settle(0, 10, T0);
    assert_eq!(desk.wallet(&path, T0), (20, 0));
    desk.assert_balanced();
}

#[test]
fn prices_without_a_slope_or_beyond_any_budget_end_the_search() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let flat = Call {
        output: u64::MAX,
        least: 0,
        base: 100,
        each: 0,
        ..CALL
    };
    assert_eq!(desk.admit(&path, flat, T0).unwrap().output(), u64::MAX);
    let steep = Call {
        base: 0,
        each: u64::MAX,
        ..flat
    };
    let admission = desk.admit(&path, steep, T0).unwrap();
    assert_eq!((admission.output(), admission.hold()), (0, 0));
    let dear = Call {
        base: u64::MAX,
        ..flat
    };
    assert!(desk.admit(&path, dear, T0).is_err());
}

#[test]
fn a_budget_hardly_used_never_starves_an_agent_that_asks_for_much() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":1000}}"#);
    let agent = Call {
        output: 64_000,
        least: 100,
        base: 0,
        each: 1,
        ..CALL
    };
    // Each really needs some 50: with worst-case holds that cannot be lowered none would be admitted.
    let mut served = 0;
    while let Ok(admission) = desk.admit(&path, agent, T0) {
        served += 1;
        admission.settle(60, 50, T0);
    }
    assert_eq!(served, 19);
    assert_eq!(desk.money(&path, T0), (950, 0));
}
