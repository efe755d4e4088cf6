//! What a caller is told of its own limits.

use super::*;

#[test]
fn headers_show_the_callers_own_limit_and_never_an_ancestors() {
    let mut desk = Desk::new();
    let rpm = |limit: u64| format!(r#"{{"limits":{{"rpm":{limit}}}}}"#);
    desk.bench.patch("root", &rpm(3)).unwrap();
    let own = desk.account("root", "own", &rpm(10));
    let admission = desk.admit(&own, FREE, T0).unwrap();
    let rate = |remaining, reset_ms| {
        Some(Rate {
            limit: 10,
            remaining,
            reset_ms,
        })
    };
    assert_eq!(admission.headroom().requests, rate(9, MINUTE));
    assert_eq!(admission.headroom().tokens, None);
    let later = desk.counters.headroom(&own, T0 + 10_000);
    assert_eq!(later.requests, rate(9, MINUTE - 10_000));
    let inherited = desk.account("root", "inherited", "{}");
    let admission = desk.admit(&inherited, FREE, T0).unwrap();
    assert_eq!(admission.headroom(), Headroom::default());
    assert_eq!(desk.counters.headroom(&inherited, T0), Headroom::default());
}

#[test]
fn of_several_windows_the_shortest_is_shown() {
    let limits = r#"{"limits":{"rph":50,"rpd":90,"tpm":1000,"tpd":5000,"daily_limit":7}}"#;
    let (desk, path) = Desk::with(limits);
    let admission = desk.admit(&path, tokens(100, 200), T0).unwrap();
    let headroom = admission.headroom();
    let requests = headroom.requests.unwrap();
    assert_eq!(
        (requests.limit, requests.remaining, requests.reset_ms),
        (50, 49, HOUR)
    );
    let tokens = headroom.tokens.unwrap();
    assert_eq!(
        (tokens.limit, tokens.remaining, tokens.reset_ms),
        (1_000, 700, MINUTE)
    );
    let (daily, path) = Desk::with(r#"{"limits":{"rpd":2}}"#);
    daily.done(&path, FREE, T0);
    let rate = daily.counters.headroom(&path, T0).requests.unwrap();
    let midnight = daily.counters.day(T0).end_ms;
    assert_eq!((rate.remaining, rate.reset_ms), (1, midnight - T0));
}

#[test]
fn an_account_sees_its_own_spending_and_not_its_parents() {
    let mut desk = Desk::new();
    let one = desk.account("root", "one", "{}");
    let two = desk.account("root", "two", "{}");
    desk.done(
        &one,
        Call {
            input: 7,
            ..costs(30)
        },
        T0,
    );
    let open = desk.admit(&two, costs(20), T0).unwrap();
    let spent = desk.spent(&one, T0);
    let expected = Spent {
        settled: 30,
        held: 0,
        settled_month: 30,
        requests: 1,
        tokens: 7,
        running: 0,
    };
    assert_eq!(spent, expected);
    let whole = desk.spent(&desk.bench.path("root"), T0);
    assert_eq!((whole.settled, whole.held, whole.running), (30, 20, 1));
    drop(open);
}
