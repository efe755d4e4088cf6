//! Budgets: held before, settled once after, never given away.

use super::*;

#[test]
fn a_settlement_replaces_the_hold_and_a_drop_releases_it() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100,"monthly_limit":100}}"#);
    let admission = desk.admit(&path, costs(90), T0).unwrap();
    assert_eq!(desk.money(&path, T0), (0, 90));
    assert!(desk.admit(&path, costs(20), T0).is_err());
    admission.settle(0, 30, T0);
    assert_eq!(desk.money(&path, T0), (30, 0));
    let lost = desk.admit(&path, costs(70), T0).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = lost;
        panic!("a task dies with its admission");
    }));
    assert!(panicked.is_err());
    assert_eq!(desk.money(&path, T0), (30, 0));
}

#[test]
fn a_real_cost_above_the_hold_is_charged_whole() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let admission = desk.admit(&path, costs(10), T0).unwrap();
    admission.settle(0, 500, T0);
    assert_eq!(desk.money(&path, T0), (500, 0));
    assert!(desk.admit(&path, costs(1), T0).is_err());
}

#[test]
fn extreme_amounts_saturate_and_never_wrap() {
    let (desk, path) = Desk::with("{}");
    let three: Vec<_> = (0..3)
        .map(|_| desk.admit(&path, costs(u64::MAX), T0).unwrap())
        .collect();
    let small = desk.admit(&path, costs(7), T0).unwrap();
    for admission in three {
        admission.settle(u64::MAX, u64::MAX, T0);
    }
    assert_eq!(desk.money(&path, T0), (u64::MAX, 7));
    small.settle(u64::MAX, 1, T0);
    assert_eq!(desk.money(&path, T0), (u64::MAX, 0));
    let huge = Call {
        input: u64::MAX,
        expected: u64::MAX,
        ..costs(u64::MAX)
    };
    let limits = r#"{"limits":{"daily_limit":9223372036854775807,"tpm":18446744073709551615,"tpd":18446744073709551615}}"#;
    let (desk, path) = Desk::with(limits);
    let refused = desk.admit(&path, huge, T0).unwrap_err();
    assert_eq!(limit(&refused), (LimitKind::DailyLimit, None));
    desk.done(&path, Call { base: 1, ..huge }, T0);
    assert!(desk.admit(&path, tokens(1, 0), T0).is_err());
}

#[test]
fn siblings_share_the_budget_of_their_parent_but_not_each_others() {
    let mut desk = Desk::new();
    desk.bench
        .patch("root", r#"{"limits":{"daily_limit":100}}"#)
        .unwrap();
    let eighty = r#"{"limits":{"daily_limit":80}}"#;
    let one = desk.account("root", "one", eighty);
    let two = desk.account("root", "two", eighty);
    desk.done(&one, costs(80), T0);
    assert!(desk.admit(&one, costs(1), T0).unwrap_err().own);
    assert!(!desk.admit(&two, costs(21), T0).unwrap_err().own);
    desk.done(&two, costs(20), T0);
    assert_eq!(desk.money(&two, T0), (20, 0));
}

#[test]
fn a_free_request_passes_a_spent_budget() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":10,"monthly_limit":10}}"#);
    desk.done(&path, costs(10), T0);
    assert!(desk.admit(&path, costs(0), T0).is_ok());
    let admission = desk.admit(&path, costs(0), T0).unwrap();
    admission.settle(0, 5, T0);
    assert!(
        desk.admit(&path, costs(0), T0).is_ok(),
        "even an overspent one"
    );
}

#[test]
fn an_extension_needs_room_on_every_node_and_leaves_the_hold_if_refused() {
    let mut desk = Desk::new();
    desk.bench
        .patch("root", r#"{"limits":{"daily_limit":100}}"#)
        .unwrap();
    let path = desk.account("root", "a", r#"{"limits":{"monthly_limit":50}}"#);
    let mut admission = desk.admit(&path, costs(40), T0).unwrap();
    admission.extend(&path, "m", 2, 50, T0).unwrap();
    assert_eq!((admission.hold(), admission.output()), (50, 2));
    let refused = admission.extend(&path, "m", 3, 51, T0).unwrap_err();
    assert_eq!(limit(&refused).0, LimitKind::MonthlyLimit);
    assert!(refused.own && refused.is_larger_than_limit());
    assert!(admission.extend(&path, "m", 3, u64::MAX, T0).is_err());
    assert_eq!((admission.hold(), admission.output()), (50, 2));
    assert_eq!(desk.money(&path, T0), (0, 50));
    // Where as much is held already nothing happens.
    admission.extend(&path, "m", 1, 10, T0).unwrap();
    assert_eq!((admission.hold(), desk.money(&path, T0)), (50, (0, 50)));
    admission.settle(0, 50, T0);
    assert_eq!(desk.money(&path, T0), (50, 0));
    assert_eq!(desk.money(&desk.bench.path("root"), T0), (50, 0));
}

#[test]
fn an_extension_asks_the_limits_of_its_model_and_not_of_others() {
    let text = r#"{"model_limits":{"gpt-*":{"daily_limit":50},"o3":{"daily_limit":1}}}"#;
    let (desk, path) = Desk::with(text);
    let mut admission = desk.admit(&path, costs(40).of("gpt-5"), T0).unwrap();
    admission.extend(&path, "gpt-5", 2, 50, T0).unwrap();
    let refused = admission.extend(&path, "gpt-5", 3, 51, T0).unwrap_err();
    assert_eq!(refused.pattern.as_deref(), Some("gpt-*"));
    let used: Vec<_> = desk
        .counters
        .uses(&path, T0)
        .iter()
        .map(|used| used.used)
        .collect();
    assert_eq!(used, [50, 0]);
}

#[test]
fn an_extension_after_midnight_holds_for_the_day_of_its_admission_and_asks_no_other() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":150,"monthly_limit":240}}"#);
    let midnight = desk.counters.day(T0).end_ms;
    let mut late = desk.admit(&path, costs(60), midnight - 1).unwrap();
    let next = desk.admit(&path, costs(150), midnight).unwrap();
    // The new day is full, and yet this is none of its business; of the month's it is.
    late.extend(&path, "m", 2, 90, midnight).unwrap();
    assert_eq!(desk.money(&path, midnight), (0, 150));
    let refused = late.extend(&path, "m", 3, 91, midnight).unwrap_err();
    assert_eq!(limit(&refused).0, LimitKind::MonthlyLimit);
    next.settle(0, 0, midnight);
    late.settle(0, 90, midnight);
    let spent = desk.spent(&path, midnight);
    assert_eq!((spent.settled, spent.held, spent.settled_month), (0, 0, 90));
}

#[test]
fn a_stream_that_crosses_midnight_or_the_end_of_a_month_stays_under_the_limit_that_it_began_under()
{
    for kind in [LimitKind::DailyLimit, LimitKind::MonthlyLimit] {
        let (desk, path) = Desk::with(&only(kind, 100));
        let end = match kind {
            LimitKind::MonthlyLimit => desk.counters.month(T0).end_ms,
            _ => desk.counters.day(T0).end_ms,
        };
        desk.done(&path, costs(30), end - 2);
        let mut late = desk.admit(&path, costs(50), end - 1).unwrap();
        // Others have what is left of the new window, whether it is much or nothing.
        for (at, others) in [(end, 0), (end + 1, 100)] {
            desk.done(&path, costs(others), at);
            let refused = late.extend(&path, "m", 2, 71, at).unwrap_err();
            assert_eq!(limit(&refused), (kind, Some(0)), "{at}");
            assert!(late.extend(&path, "m", 2, u64::MAX, at).is_err());
            assert_eq!(late.hold(), 50);
        }
        // A slice at a time, as a stream asks, gets it to the limit and no further.
        let mut slices = 0;
        while late.extend(&path, "m", 3, late.hold() + 5, end + 2).is_ok() {
            slices += 1;
            assert!(slices <= 4, "{kind:?} is passed");
        }
        assert_eq!((late.hold(), slices), (70, 4));
        assert_eq!(desk.money(&path, end + 2), (100, 0));
        late.settle(0, 70, end + 3);
    }
}

#[test]
fn a_stream_of_a_day_that_nobody_counts_any_more_costs_no_more_than_the_whole_limit() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let day = 24 * HOUR;
    let mut late = desk.admit(&path, costs(50), T0).unwrap();
    desk.done(&path, costs(100), T0 + day);
    desk.done(&path, costs(100), T0 + 2 * day);
    late.extend(&path, "m", 2, 100, T0 + 2 * day).unwrap();
    let refused = late.extend(&path, "m", 3, 101, T0 + 2 * day).unwrap_err();
    assert_eq!(limit(&refused).0, LimitKind::DailyLimit);
    assert_eq!(late.hold(), 100);
    late.settle(0, 100, T0 + 2 * day);
    assert_eq!(desk.money(&path, T0 + 2 * day), (100, 0));
}

#[test]
fn the_hold_is_what_is_asked_for_and_not_all_that_is_left() {
    // A team of ten with a budget for a hundred answers: one that sets no cap must not block the others.
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":1000}}"#);
    let no_cap = Call {
        output: path.default_output(),
        least: 1,
        base: 10,
        ..FREE
    };
    let open: Vec<_> = (0..10)
        .map(|_| desk.admit(&path, no_cap, T0).unwrap())
        .collect();
    assert_eq!(desk.money(&path, T0), (0, 100));
    drop(open);
}

#[test]
fn money_that_is_only_held_is_worth_a_second_of_waiting_and_spent_money_the_rest_of_the_day() {
    for kind in [LimitKind::DailyLimit, LimitKind::MonthlyLimit] {
        let (desk, path) = Desk::with(&only(kind, 100));
        desk.done(&path, costs(30), T0);
        let under_way = desk.admit(&path, costs(60), T0).unwrap();
        let refused = desk.admit(&path, costs(50), T0).unwrap_err();
        assert_eq!(limit(&refused), (kind, Some(1_000)));
        assert!(refused.is_held && !refused.is_larger_than_limit());
        assert!(refused.to_string().contains("held by requests under way"));
        // Not if all of it came back.
        let refused = desk.admit(&path, costs(71), T0).unwrap_err();
        assert!(!refused.is_held && refused.retry_after_ms > Some(HOUR));
        let refused = desk.admit(&path, costs(101), T0).unwrap_err();
        assert!(!refused.is_held && refused.is_larger_than_limit());
        drop(under_way);
        desk.done(&path, costs(50), T0);
    }
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid"}"#);
    desk.grant(&path, 100);
    let under_way = desk.admit(&path, costs(60), T0).unwrap();
    let refused = desk.admit(&path, costs(50), T0).unwrap_err();
    assert_eq!(refused.bound, Bound::Wallet);
    assert!(refused.is_held && refused.retry_after_ms == Some(1_000));
    let refused = desk.admit(&path, costs(101), T0).unwrap_err();
    assert!(!refused.is_held && refused.retry_after_ms.is_none());
    drop(under_way);
    desk.done(&path, costs(100), T0);
}
