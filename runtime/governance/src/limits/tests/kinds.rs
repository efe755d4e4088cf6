//! Every kind of limit, wherever it is set.

use super::*;

/// What the wait is at `T0 + 30 s` after three requests at 0, 10 and 20 s.
fn wait_after_three(desk: &Desk, kind: LimitKind) -> u64 {
    let now = T0 + 30_000;
    match kind {
        LimitKind::Rpm | LimitKind::Tpm => 30_000,
        LimitKind::Rph | LimitKind::Tph => HOUR - 30_000,
        LimitKind::Concurrency => 1_000,
        LimitKind::Rpd | LimitKind::Tpd | LimitKind::DailyLimit => {
            desk.counters.day(now).end_ms - now
        }
        LimitKind::MonthlyLimit => desk.counters.month(now).end_ms - now,
    }
}

/// Three fit, the fourth waits as long as it must and not a millisecond less. Returns how it was refused.
fn three_fit(desk: &Desk, path: &Path, kind: LimitKind, model: &'static str) -> Exceeded {
    let call = UNIT.of(model);
    let mut open: Vec<_> = [0, 10_000, 20_000]
        .map(|after| desk.admit(path, call, T0 + after).unwrap())
        .into();
    if kind.is_money() || kind == LimitKind::Tpd {
        // What is only held comes back at any moment: the wait of spent money is exact.
        open.drain(..)
            .for_each(|admission| _ = admission.settle(1, 1, T0 + 20_000));
    }
    let now = T0 + 30_000;
    let wait = wait_after_three(desk, kind);
    let refused = desk.admit(path, call, now).unwrap_err();
    for _ in 0..50 {
        // Asking again and again does not extend the wait.
        assert_eq!(desk.admit(path, call, now).unwrap_err(), refused);
        assert_eq!(limit(&refused), (kind, Some(wait)), "{kind:?}");
        assert_eq!(refused.resets_at_ms, Some(now + wait));
        assert!(!refused.is_larger_than_limit());
    }
    if kind == LimitKind::Concurrency {
        assert!(desk.admit(path, call, now + 10 * HOUR).is_err());
        let last = open.pop().unwrap();
        last.settle(1, 1, now);
    } else {
        let early = desk.admit(path, call, now + wait - 1).unwrap_err();
        assert_eq!(limit(&early), (kind, Some(1)), "{kind:?}");
    }
    open.push(desk.admit(path, call, now + wait).unwrap());
    refused
}

#[test]
fn each_kind_of_limit_admits_its_amount_and_waits_exactly_at_every_level_of_the_path() {
    for kind in LimitKind::ALL {
        for level in 0..3 {
            let mut desk = Desk::new();
            let text = |of: usize| match of == level {
                true => only(kind, 3),
                false => "{}".to_owned(),
            };
            desk.bench.patch("root", &text(0)).unwrap();
            desk.account("root", "a", &text(1));
            let path = desk.account("root/a", "b", &text(2));
            three_fit(&desk, &path, kind, "m");
            let used = desk.counters.uses(&path, T0 + 30_000);
            assert_eq!((used.len(), used[0].kind, used[0].limit), (1, kind, 3));
            assert_eq!(used[0].account, path.ids()[level]);
        }
    }
}

#[test]
fn each_kind_of_limit_counts_for_the_models_of_its_pattern_and_for_no_other() {
    for kind in LimitKind::ALL {
        let text = format!(
            r#"{{"model_limits":{{"gpt-*":{{"{}":3}}}}}}"#,
            kind.as_str()
        );
        let (desk, path) = Desk::with(&text);
        let others: Vec<_> = (0..20)
            .map(|_| desk.admit(&path, UNIT.of("o3"), T0).unwrap())
            .collect();
        let refused = three_fit(&desk, &path, kind, "gpt-5");
        assert_eq!(refused.pattern.as_deref(), Some("gpt-*"));
        drop(others);
    }
}

#[test]
fn a_limit_of_models_comes_on_top_of_the_accounts_own_and_replaces_nothing() {
    for kind in LimitKind::ALL {
        let name = kind.as_str();
        // The pattern leaves more room than the account has, and the other way round.
        for (own, of_models, pattern) in [(3, 100, None), (100, 3, Some("gpt-*"))] {
            let text = format!(
                r#"{{"limits":{{"{name}":{own}}},"model_limits":{{"gpt-*":{{"{name}":{of_models}}}}}}}"#
            );
            let (desk, path) = Desk::with(&text);
            let open: Vec<_> = (0..3)
                .map(|_| desk.admit(&path, UNIT.of("gpt-5"), T0).unwrap())
                .collect();
            let refused = desk.admit(&path, UNIT.of("gpt-5"), T0).unwrap_err();
            assert_eq!(limit(&refused).0, kind);
            assert_eq!(refused.pattern.as_deref(), pattern);
            // What other models may is the account's own limit, which these three count against.
            let other = desk.admit(&path, UNIT.of("o3"), T0);
            assert_eq!(other.is_ok(), pattern.is_some(), "{kind:?}");
            drop(open);
        }
    }
}

#[test]
fn a_request_counts_on_every_pattern_that_matches_its_model() {
    let (desk, path) = Desk::with(
        r#"{"model_limits":{"gpt-*":{"rpm":9},"*-mini":{"rpm":9},"gpt-5-mini":{"rpm":2},"o3":{"rpm":1}}}"#,
    );
    desk.done(&path, FREE.of("gpt-5-mini"), T0);
    desk.done(&path, FREE.of("gpt-5"), T0);
    let used: Vec<_> = desk
        .counters
        .uses(&path, T0)
        .into_iter()
        .map(|used| (used.pattern.unwrap(), used.used))
        .collect();
    let expected = [("*-mini", 1), ("gpt-*", 2), ("gpt-5-mini", 1), ("o3", 0)];
    assert_eq!(
        used,
        expected.map(|(pattern, used)| (pattern.to_owned(), used))
    );
    desk.done(&path, FREE.of("gpt-5-mini"), T0);
    assert!(desk.admit(&path, FREE.of("gpt-5-mini"), T0).is_err());
    assert!(desk.admit(&path, FREE.of("gpt-5"), T0).is_ok());
}

#[test]
fn a_limit_of_zero_admits_nothing_and_no_wait_helps() {
    for kind in LimitKind::ALL {
        let (desk, path) = Desk::with(&only(kind, 0));
        let refused = desk
            .admit(&path, Call { input: 1, ..UNIT }, T0)
            .unwrap_err();
        assert_eq!(limit(&refused), (kind, None), "{kind:?}");
        // No smaller one would get in either, so it is not the request's size.
        assert!(refused.is_zero && !refused.is_larger_than_limit());
        assert!(refused.to_string().ends_with("is zero and lets nothing in"));
        assert_eq!(refused.resets_at_ms, None);
    }
}

#[test]
fn a_limit_of_zero_is_told_before_one_that_a_smaller_request_would_fit() {
    for (limits, told) in [
        (r#""tpm":10,"daily_limit":0"#, LimitKind::DailyLimit),
        (r#""tpm":0,"daily_limit":10"#, LimitKind::Tpm),
        (r#""rpm":0,"tpm":10"#, LimitKind::Rpm),
    ] {
        let (desk, path) = Desk::with(&format!(r#"{{"limits":{{{limits}}}}}"#));
        let large = Call {
            input: 11,
            base: 11,
            ..FREE
        };
        let refused = desk.admit(&path, large, T0).unwrap_err();
        assert_eq!(limit(&refused), (told, None));
        assert!(refused.is_zero);
    }
}

#[test]
fn a_first_request_of_a_new_account_is_limited_like_every_other() {
    for kind in LimitKind::ALL {
        let mut desk = Desk::new();
        desk.bench.patch("root", &only(kind, 1)).unwrap();
        let first = desk.account("root", "first", "{}");
        let open = desk.admit(&first, UNIT, T0).unwrap();
        for name in 0..20 {
            let new = desk.account("root", &format!("new{name}"), "{}");
            assert!(desk.admit(&new, UNIT, T0).is_err(), "{kind:?}");
        }
        drop(open);
    }
}

#[test]
fn a_refused_request_counts_on_no_node_of_its_path_and_on_no_pattern() {
    for kind in LimitKind::ALL {
        let mut desk = Desk::new();
        let name = kind.as_str();
        let all = r#"{"limits":{"rpm":10,"rph":10,"rpd":10,"tpm":10,"tph":10,"tpd":10,"concurrency":10,"daily_limit":10,"monthly_limit":10},"model_limits":{"*":{"rpm":10}}}"#;
        desk.bench.patch("root", all).unwrap();
        let blocked = desk.account("root", "blocked", &only(kind, 0));
        let free = desk.account("root", "free", "{}");
        let before = desk.counters.uses(&free, T0);
        for _ in 0..100 {
            let refused = desk.admit(&blocked, Call { input: 1, ..UNIT }, T0);
            assert_eq!(limit(&refused.unwrap_err()).0.as_str(), name);
        }
        assert_eq!(desk.counters.uses(&free, T0), before);
        let kept: Vec<_> = (0..10)
            .map(|_| desk.admit(&free, UNIT, T0).unwrap())
            .collect();
        assert!(desk.admit(&free, UNIT, T0).is_err());
        drop(kept);
    }
}
