//! Requests and tokens in sliding windows.

use super::*;

#[test]
fn the_wait_is_that_of_the_limit_that_refuses_longest() {
    let mut desk = Desk::new();
    desk.bench.patch("root", r#"{"limits":{"rpm":2}}"#).unwrap();
    let path = desk.account("root", "a", r#"{"limits":{"rpm":1}}"#);
    desk.done(&path, FREE, T0);
    let refused = desk.admit(&path, FREE, T0 + 500).unwrap_err();
    assert_eq!(limit(&refused), (LimitKind::Rpm, Some(59_500)));
    assert!(refused.own);
    assert_eq!(refused.resets_at_ms, Some(T0 + MINUTE));
    // Exactly then, and not a millisecond earlier.
    assert!(desk.admit(&path, FREE, T0 + MINUTE - 1).is_err());
    assert!(desk.admit(&path, FREE, T0 + MINUTE).is_ok());
}

#[test]
fn of_several_limits_that_refuse_the_longest_wait_is_told_and_for_ever_is_longer_than_any() {
    let mut desk = Desk::new();
    let day = r#"{"limits":{"rpm":1,"rpd":1}}"#;
    desk.bench.patch("root", day).unwrap();
    let path = desk.account("root", "a", r#"{"limits":{"rph":1,"tpm":10}}"#);
    desk.done(&path, FREE, T0);
    let refused = desk.admit(&path, FREE, T0).unwrap_err();
    let until_midnight = desk.counters.day(T0).end_ms - T0;
    assert_eq!(limit(&refused), (LimitKind::Rpd, Some(until_midnight)));
    assert!(!refused.own);
    let larger = desk.admit(&path, tokens(11, 0), T0).unwrap_err();
    assert_eq!(limit(&larger), (LimitKind::Tpm, None));
}

#[test]
fn tokens_count_as_estimated_until_the_settlement_says_what_they_were() {
    for kind in [LimitKind::Tpm, LimitKind::Tph, LimitKind::Tpd] {
        let (desk, path) = Desk::with(&only(kind, 1_000));
        let used = |now| desk.counters.uses(&path, now)[0].used;
        let first = desk.admit(&path, tokens(300, 500), T0).unwrap();
        assert_eq!(used(T0), 800);
        assert!(desk.admit(&path, tokens(201, 0), T0 + 1_000).is_err());
        first.settle(310, 0, T0 + 2_000);
        assert_eq!(used(T0 + 2_000), 310);
        let second = desk.admit(&path, tokens(100, 500), T0 + 3_000).unwrap();
        // More than estimated: it is counted, and those who come after wait.
        second.settle(2_000, 0, T0 + 4_000);
        assert_eq!(used(T0 + 4_000), 2_310, "{kind:?}");
        assert!(desk.admit(&path, tokens(1, 0), T0 + 5_000).is_err());
    }
}

#[test]
fn tokens_read_from_and_written_to_a_cache_count_and_reasoning_counts_once() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpm":1000}}"#);
    let used = crate::price::Tokens {
        input: 1,
        cache_read: 20,
        cache_write_5m: 300,
        cache_write_1h: 4_000,
        output: 50_000,
        reasoning: 40_000,
    };
    let admission = desk.admit(&path, tokens(10, 10), T0).unwrap();
    admission.settle(used.total(), 0, T0);
    assert_eq!(desk.counters.uses(&path, T0)[0].used, 54_321);
}

#[test]
fn only_input_larger_than_the_whole_limit_is_refused_for_ever() {
    for kind in [LimitKind::Tpm, LimitKind::Tph, LimitKind::Tpd] {
        let (desk, path) = Desk::with(&only(kind, 100));
        let larger = desk.admit(&path, tokens(101, 0), T0).unwrap_err();
        assert!(larger.is_larger_than_limit(), "{kind:?}");
        assert_eq!(limit(&larger), (kind, None));
        // What it may answer is an estimate: an empty window is room enough, a used one not.
        let one = desk.admit(&path, tokens(60, 500), T0).unwrap();
        let waits = desk.admit(&path, tokens(60, 500), T0).unwrap_err();
        assert!(waits.retry_after_ms.is_some());
        drop(one);
        // Dropped: no tokens, but the request still counts.
        assert_eq!(desk.counters.uses(&path, T0)[0].used, 0);
        assert!(desk.admit(&path, tokens(60, 500), T0).is_ok());
        assert_eq!(desk.spent(&path, T0).requests, 2);
    }
}

#[test]
fn a_settlement_after_the_window_has_gone_counts_what_is_new_now_and_takes_nothing_of_the_next() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpm":1000}}"#);
    let long = desk.admit(&path, tokens(900, 0), T0).unwrap();
    let next = desk.admit(&path, tokens(500, 0), T0 + MINUTE).unwrap();
    let used = |now| desk.counters.uses(&path, now)[0].used;
    long.settle(3_000, 0, T0 + MINUTE + 1);
    assert_eq!(used(T0 + MINUTE + 1), 500 + 2_100);
    next.settle(400, 0, T0 + MINUTE + 2);
    assert_eq!(used(T0 + MINUTE + 2), 400 + 2_100);
    // Less than was counted, when that has left.
    let now = T0 + 5 * MINUTE;
    let long = desk.admit(&path, tokens(900, 0), now).unwrap();
    let next = desk.admit(&path, tokens(500, 0), now + MINUTE).unwrap();
    long.settle(10, 0, now + MINUTE + 1);
    assert_eq!(used(now + MINUTE + 1), 500);
    drop(next);
}

#[test]
fn a_lost_request_frees_no_place_in_the_window_for_others() {
    // It was admitted long ago and panics: what came after it must not leave the window with it.
    for limits in [
        r#"{"limits":{"rpm":2}}"#,
        r#"{"limits":{"tpm":100}}"#,
        r#"{"limits":{"rpm":2,"tpm":100}}"#,
    ] {
        let (desk, path) = Desk::with(limits);
        let lost = desk.admit(&path, tokens(10, 0), T0).unwrap();
        let now = T0 + 5 * MINUTE;
        desk.done(&path, tokens(50, 0), now);
        desk.done(&path, tokens(50, 0), now);
        drop(lost);
        for after in [0, 1, MINUTE - 1] {
            let refused = desk.admit(&path, tokens(50, 0), now + after).unwrap_err();
            assert_eq!(refused.retry_after_ms, Some(MINUTE - after), "{limits}");
        }
        desk.done(&path, tokens(50, 0), now + MINUTE);
    }
}

#[test]
fn an_extension_counts_the_tokens_that_the_answer_has_grown_by() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpm":100000}}"#);
    let used = || desk.counters.uses(&path, T0)[0].used;
    let call = Call {
        input: 1_000,
        expected: 300,
        output: 4_096,
        ..FREE
    };
    let mut admission = desk.admit(&path, call, T0).unwrap();
    assert_eq!(used(), 1_300);
    // Its input does not make the extension smaller.
    admission.extend(&path, "m", 8_192, 0, T0).unwrap();
    assert_eq!(used(), 1_000 + 8_192);
    admission.extend(&path, "m", 8_000, 0, T0).unwrap();
    assert_eq!(used(), 1_000 + 8_192);
    assert_eq!(admission.output(), 8_192);
    admission.settle(1_000 + 5_000, 0, T0);
    assert_eq!(used(), 6_000);
}

#[test]
fn the_clock_set_back_blocks_a_rate_for_its_window_at_most_and_gives_nothing_twice() {
    let (desk, path) = Desk::with(r#"{"limits":{"rpm":2,"tpm":100}}"#);
    let call = tokens(50, 0);
    desk.done(&path, call, T0);
    desk.done(&path, call, T0);
    let earlier = T0 - 10 * MINUTE;
    let refused = desk.admit(&path, call, earlier).unwrap_err();
    assert_eq!(refused.retry_after_ms, Some(MINUTE));
    assert!(desk.admit(&path, call, earlier + MINUTE - 1).is_err());
    desk.done(&path, call, earlier + MINUTE);
}

#[test]
fn the_text_of_a_refusal_shows_no_figure_of_an_account() {
    let mut desk = Desk::new();
    let limits = r#"{"limits":{"rpm":4321,"daily_limit":9876},"billing":"prepaid"}"#;
    desk.bench.patch("root", limits).unwrap();
    let path = desk.account("root", "a", "{}");
    let root = desk.bench.path("root");
    desk.grant(&root, 50_000);
    for _ in 0..4_321 {
        desk.done(&path, FREE, T0);
    }
    let rate = desk.admit(&path, FREE, T0).unwrap_err();
    let text = "the limit of requests per minute is reached; try again in 60 s";
    assert_eq!(rate.to_string(), text);
    let later = T0 + 2 * MINUTE;
    let money = desk.admit(&path, costs(9_877), later).unwrap_err();
    let text = "the request is larger than the whole daily budget";
    assert_eq!(money.to_string(), text);
    let credit = desk.admit(&path, costs(50_001), later).unwrap_err();
    assert_eq!(credit.to_string(), "the prepaid credit is used up");
    assert!(!rate.own && !money.own && !credit.own);
    let none = r#"{"limits":{"rpm":0}}"#;
    let mut desk = Desk::new();
    desk.bench.patch("root", none).unwrap();
    let path = desk.account("root", "a", "{}");
    let above = desk.admit(&path, FREE, T0).unwrap_err();
    let text = "the limit of requests per minute lets nothing in";
    assert_eq!(above.to_string(), text);
    // That one's own is zero is no secret.
    let (desk, path) = Desk::with(none);
    let own = desk.admit(&path, FREE, T0).unwrap_err();
    let text = "the limit of requests per minute is zero and lets nothing in";
    assert_eq!(own.to_string(), text);
    assert!(!above.own && own.own);
}
