//! A thousand threads at once: exactly what fits is admitted, on every node, for every kind of limit.

use std::sync::Barrier;

use super::*;

const THREADS: usize = 1_000;

/// Lets a thousand threads ask at once for one request each, on paths taken in turn. All stay open until all have asked.
fn admitted(desk: &Desk, paths: &[Arc<Path>], call: Call) -> u64 {
    let (admitted, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (admitted, barrier, path) = (&admitted, &barrier, &paths[thread % paths.len()]);
            let work = move || {
                barrier.wait();
                let admission = desk.admit(path, call, T0);
                admitted.fetch_add(u64::from(admission.is_ok()), Ordering::Relaxed);
                barrier.wait();
                if let Ok(admission) = admission {
                    admission.settle(call.input + call.expected, call.base, T0);
                }
            };
            let small = std::thread::Builder::new().stack_size(128 * 1024);
            small.spawn_scoped(scope, work).unwrap();
        }
    });
    admitted.into_inner()
}

#[test]
fn a_thousand_threads_at_a_limit_admit_exactly_the_limit_on_every_node_for_every_kind() {
    for kind in LimitKind::ALL {
        for tightest in 0..3 {
            let mut desk = Desk::new();
            let text = |level| only(kind, if level == tightest { 100 } else { 500 });
            desk.bench.patch("root", &text(0)).unwrap();
            desk.account("root", "a", &text(1));
            let path = desk.account("root/a", "b", &text(2));
            let count = admitted(&desk, &[path], UNIT);
            assert_eq!(count, 100, "{kind:?} on node {tightest}");
        }
    }
}

#[test]
fn a_thousand_threads_on_many_paths_fill_the_limit_that_they_share() {
    for kind in LimitKind::ALL {
        let mut desk = Desk::new();
        desk.bench.patch("root", &only(kind, 300)).unwrap();
        let paths: Vec<_> = (0..10)
            .map(|n| desk.account("root", &format!("n{n}"), &only(kind, 40)))
            .collect();
        let count = admitted(&desk, &paths, UNIT);
        assert_eq!(count, 300, "{kind:?}");
        for path in &paths {
            assert!(desk.spent(path, T0).requests <= 40, "{kind:?}");
        }
    }
}

#[test]
fn a_thousand_threads_at_a_limit_of_models_admit_exactly_the_limit() {
    for kind in LimitKind::ALL {
        let text = format!(r#"{{"model_limits":{{"m*":{{"{}":100}}}}}}"#, kind.as_str());
        let (desk, path) = Desk::with(&text);
        assert_eq!(admitted(&desk, &[path], UNIT), 100, "{kind:?}");
    }
}

#[test]
fn amounts_that_do_not_divide_the_limit_reach_it_to_within_one_request() {
    let call = Call {
        input: 7,
        ..costs(7)
    };
    for kind in LimitKind::ALL {
        let counts_requests = matches!(
            kind,
            LimitKind::Rpm | LimitKind::Rph | LimitKind::Rpd | LimitKind::Concurrency
        );
        let (desk, path) = Desk::with(&only(kind, 1_000));
        let count = admitted(&desk, &[path], call);
        let expected = if counts_requests { 1_000 } else { 142 };
        assert_eq!(count, expected, "{kind:?}");
    }
}

#[test]
fn a_thousand_threads_empty_a_wallet_to_the_last_request_and_never_below_zero() {
    let mut desk = Desk::new();
    let dept = desk.account("root", "dept", r#"{"billing":"prepaid"}"#);
    let paths: Vec<_> = (0..5)
        .map(|n| desk.account("root/dept", &format!("n{n}"), "{}"))
        .collect();
    desk.grant(&dept, 700);
    desk.grant_until(&dept, 319, Some(T0 + HOUR));
    assert_eq!(admitted(&desk, &paths, costs(40)), 25);
    assert_eq!(desk.wallet(&dept, T0), (19, 0));
    assert_eq!(desk.money(&dept, T0), (1_000, 0));
    desk.assert_balanced();
}

#[test]
fn a_sibling_that_is_always_refused_never_makes_another_wait() {
    for kind in LimitKind::ALL {
        let mut desk = Desk::new();
        desk.bench.patch("root", &only(kind, 500)).unwrap();
        // Refused further down the path, after the root had room for it: by a limit, and by an empty wallet.
        let by_limit = desk.account("root", "by-limit", &only(LimitKind::Rph, 0));
        let by_wallet = desk.account("root", "by-wallet", r#"{"billing":"prepaid"}"#);
        let free = desk.account("root", "free", "{}");
        // Half of the threads ask for what has exactly enough room.
        let count = admitted(
            &desk,
            &[by_limit, free.clone(), by_wallet, free.clone()],
            UNIT,
        );
        assert_eq!(count, 500, "{kind:?}");
        assert_eq!(desk.spent(&free, T0).requests, 500);
    }
}

#[test]
fn threads_that_settle_and_ask_again_leave_counters_that_equal_the_sum_of_what_they_did() {
    let text =
        r#"{"billing":"prepaid","limits":{"daily_limit":100000,"tpd":100000,"concurrency":7}}"#;
    let (mut desk, path) = Desk::with(text);
    desk.grant(&path, 60_000);
    let sums: [AtomicU64; 4] = Default::default();
    std::thread::scope(|scope| {
        for thread in 0..16u64 {
            let (desk, path, sums) = (&desk, &path, &sums);
            scope.spawn(move || {
                for turn in 0..500 {
                    let Ok(mut admission) = desk.admit(
                        path,
                        Call {
                            input: 3,
                            ..costs(5)
                        },
                        T0,
                    ) else {
                        continue;
                    };
                    sums[0].fetch_add(1, Ordering::Relaxed);
                    match (thread + turn) % 4 {
                        0 => drop(admission),
                        1 => {
                            let _ = admission.extend(path, "m", 2, 9, T0);
                            admission.settle(4, 9, T0);
                            sums[1].fetch_add(9, Ordering::Relaxed);
                            sums[2].fetch_add(4, Ordering::Relaxed);
                        }
                        _ => {
                            admission.settle(2, 3, T0);
                            sums[1].fetch_add(3, Ordering::Relaxed);
                            sums[2].fetch_add(2, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let [requests, charged, tokens, _] = sums.map(AtomicU64::into_inner);
    let expected = Spent {
        settled: charged,
        held: 0,
        settled_month: charged,
        requests,
        tokens,
        running: 0,
    };
    assert_eq!(desk.spent(&path, T0), expected);
    let left = 60_000 - i64::try_from(charged).unwrap();
    assert_eq!(desk.wallet(&path, T0), (left, 0));
    desk.assert_balanced();
}
