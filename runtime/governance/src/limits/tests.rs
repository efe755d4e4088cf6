//! Limits are never overshot, holds are released exactly once, and errors tell nothing they should not.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::account::{Account, Limits};
use crate::random::Seeded;

const T0: u64 = 1_760_000_000_000;

/// A path whose nodes have these limits, root first. Equal slots are the same account.
fn path(nodes: &[(u32, Option<u64>, Option<u64>)]) -> Arc<Path> {
    let accounts: Vec<Account> = nodes
        .iter()
        .map(|(slot, rpm, daily_limit)| {
            let id = AccountId::new(1, &mut Seeded::new(u64::from(*slot)));
            let limits = Limits { rpm: *rpm, daily_limit: *daily_limit };
            let text = serde_json::json!({"id": id, "name": format!("n{slot}"), "limits": limits, "created_ms": 1, "updated_ms": 1});
            serde_json::from_value(text).unwrap()
        })
        .collect();
    let parts: Vec<_> = accounts
        .iter()
        .zip(nodes)
        .map(|(account, (slot, ..))| (account, *slot, &[][..]))
        .collect();
    Arc::new(Path::new(&parts).unwrap())
}

fn counters() -> Arc<Counters> {
    Arc::new(Counters::new(Zone::utc()))
}

#[test]
fn a_thousand_threads_at_a_limit_admit_exactly_the_limit_on_every_node() {
    for tightest in 0..3 {
        let limit = 100;
        let nodes: Vec<_> = (0..3u32)
            .map(|slot| (slot, Some(if slot == tightest { limit } else { 500 }), None))
            .collect();
        let (counters, path) = (counters(), path(&nodes));
        let (admitted, barrier) = (AtomicU64::new(0), Barrier::new(1_000));
        std::thread::scope(|scope| {
            for _ in 0..1_000 {
                scope.spawn(|| {
                    barrier.wait();
                    if let Ok(admission) = counters.admit(&path, T0, 1) {
                        admitted.fetch_add(1, Ordering::Relaxed);
                        admission.settle(1);
                    }
                });
            }
        });
        assert_eq!(admitted.load(Ordering::Relaxed), limit, "node {tightest}");
    }
}

#[test]
fn parallel_requests_never_overshoot_a_budget_while_they_run() {
    // Budget for exactly 25 holds of 40; nothing settles before all have asked.
    let (counters, path) = (counters(), path(&[(0, None, Some(1_019)), (1, None, None)]));
    let (admitted, barrier) = (AtomicU64::new(0), Barrier::new(200));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                barrier.wait();
                let admission = counters.admit(&path, T0, 40);
                admitted.fetch_add(u64::from(admission.is_ok()), Ordering::Relaxed);
                barrier.wait();
                if let Ok(admission) = admission {
                    admission.settle(40);
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 25);
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: 1_000,
            held: 0
        }
    );
}

#[test]
fn siblings_share_the_budget_of_their_parent_but_not_each_others() {
    let counters = counters();
    let one = path(&[(0, None, Some(100)), (1, None, Some(80))]);
    let two = path(&[(0, None, Some(100)), (2, None, Some(80))]);
    counters.admit(&one, T0, 80).unwrap().settle(80);
    assert!(counters.admit(&one, T0, 1).is_err());
    let refused = counters.admit(&two, T0, 21).unwrap_err();
    assert!(!refused.own);
    counters.admit(&two, T0, 20).unwrap().settle(20);
    assert_eq!(counters.spent(&two, T0).settled, 20);
}

#[test]
fn a_refused_request_counts_on_no_node_of_its_path() {
    let counters = counters();
    let blocked = path(&[(0, Some(10), Some(1_000)), (1, Some(0), None)]);
    let free = path(&[(0, Some(10), Some(1_000)), (2, None, None)]);
    for _ in 0..100 {
        assert!(counters.admit(&blocked, T0, 500).is_err());
    }
    let kept: Vec<_> = (0..10)
        .map(|_| counters.admit(&free, T0, 100).unwrap())
        .collect();
    assert!(counters.admit(&free, T0, 0).is_err());
    drop(kept);
    assert_eq!(counters.spent(&free, T0), Spent::default());
}

#[test]
fn a_settlement_replaces_the_hold_and_a_drop_releases_it() {
    let (counters, path) = (counters(), path(&[(0, None, Some(100))]));
    let admission = counters.admit(&path, T0, 90).unwrap();
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: 0,
            held: 90
        }
    );
    assert!(counters.admit(&path, T0, 20).is_err());
    admission.settle(30);
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: 30,
            held: 0
        }
    );
    let lost = counters.admit(&path, T0, 70).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = lost;
        panic!("a task dies with its admission");
    }));
    assert!(panicked.is_err());
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: 30,
            held: 0
        }
    );
}

#[test]
fn a_real_cost_above_the_hold_is_charged_whole() {
    let (counters, path) = (counters(), path(&[(0, None, Some(100))]));
    counters.admit(&path, T0, 10).unwrap().settle(500);
    assert_eq!(counters.spent(&path, T0).settled, 500);
    assert!(counters.admit(&path, T0, 1).is_err());
}

#[test]
fn extreme_amounts_saturate_and_never_wrap() {
    let (counters, path) = (counters(), path(&[(0, None, None)]));
    let three: Vec<_> = (0..3)
        .map(|_| counters.admit(&path, T0, u64::MAX).unwrap())
        .collect();
    let small = counters.admit(&path, T0, 7).unwrap();
    for admission in three {
        admission.settle(u64::MAX);
    }
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: u64::MAX,
            held: 7
        }
    );
    small.settle(1);
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: u64::MAX,
            held: 0
        }
    );
}

#[test]
fn the_wait_is_that_of_the_limit_that_refuses_longest() {
    let counters = counters();
    let path = path(&[(0, Some(2), None), (1, Some(1), None)]);
    counters.admit(&path, T0, 0).unwrap().settle(0);
    let refused = counters.admit(&path, T0 + 500, 0).unwrap_err();
    assert_eq!(refused.limit, LimitKind::Rpm);
    assert!(refused.own);
    assert_eq!(refused.retry_after_ms, Some(59_500));
    assert_eq!(refused.resets_at_ms, Some(T0 + 60_000));
    // Exactly then, and not a millisecond earlier.
    assert!(counters.admit(&path, T0 + 59_999, 0).is_err());
    assert!(counters.admit(&path, T0 + 60_000, 0).is_ok());
}

#[test]
fn a_spent_day_waits_for_midnight_and_a_request_beyond_the_whole_limit_waits_in_vain() {
    let counters = counters();
    let path = path(&[(0, None, Some(100))]);
    let day = counters.day(T0);
    counters.admit(&path, T0, 100).unwrap().settle(100);
    let refused = counters.admit(&path, T0, 1).unwrap_err();
    assert_eq!(
        (refused.limit, refused.resets_at_ms),
        (LimitKind::DailyLimit, Some(day.end_ms))
    );
    let absurd = counters.admit(&path, T0, 101).unwrap_err();
    assert_eq!((absurd.retry_after_ms, absurd.resets_at_ms), (None, None));
    assert!(counters.admit(&path, day.end_ms - 1, 1).is_err());
    counters.admit(&path, day.end_ms, 100).unwrap().settle(100);
}

#[test]
fn a_request_belongs_to_the_day_of_its_admission_even_when_it_settles_after_midnight() {
    let counters = counters();
    let path = path(&[(0, None, Some(100))]);
    let midnight = counters.day(T0).end_ms;
    let late = counters.admit(&path, midnight - 1, 60).unwrap();
    // The new day has its whole budget although the hold is still open.
    let next = counters.admit(&path, midnight, 100).unwrap();
    late.settle(60);
    assert_eq!(
        counters.spent(&path, midnight),
        Spent {
            settled: 0,
            held: 100
        }
    );
    next.settle(100);
    assert_eq!(
        counters.spent(&path, midnight),
        Spent {
            settled: 100,
            held: 0
        }
    );
}

#[test]
fn a_day_of_daylight_saving_ends_when_it_ends() {
    // 2026-10-25 in Berlin has 25 hours: 22:00 UTC the day before to 23:00 UTC.
    let start = "2026-10-24T22:00:00Z"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_millisecond() as u64;
    let counters = Arc::new(Counters::new(Zone::named("Europe/Berlin").unwrap()));
    let path = path(&[(0, None, Some(10))]);
    counters.admit(&path, start, 10).unwrap().settle(10);
    assert!(counters.admit(&path, start + 24 * 3_600_000, 1).is_err());
    assert!(
        counters
            .admit(&path, start + 25 * 3_600_000 - 1, 1)
            .is_err()
    );
    assert!(counters.admit(&path, start + 25 * 3_600_000, 1).is_ok());
}

#[test]
fn a_clock_going_back_over_midnight_gives_no_second_budget() {
    let counters = counters();
    let path = path(&[(0, None, Some(10))]);
    let midnight = counters.day(T0).end_ms;
    counters.admit(&path, midnight + 10, 10).unwrap().settle(10);
    assert!(counters.admit(&path, midnight - 10, 1).is_err());
    assert!(counters.admit(&path, midnight + 20, 1).is_err());
}

#[test]
fn a_limit_set_at_noon_knows_what_the_morning_spent() {
    let counters = counters();
    let before = path(&[(0, None, None), (1, None, None)]);
    counters.admit(&before, T0, 50).unwrap().settle(70);
    let after = path(&[(0, None, None), (1, None, Some(100))]);
    assert!(counters.admit(&after, T0, 31).is_err());
    counters.admit(&after, T0, 30).unwrap().settle(30);
}

#[test]
fn an_extension_needs_room_on_every_node_and_leaves_the_hold_if_refused() {
    let counters = counters();
    let path = path(&[(0, None, Some(100)), (1, None, Some(50))]);
    let mut admission = counters.admit(&path, T0, 40).unwrap();
    admission.extend(10, T0).unwrap();
    assert_eq!(admission.hold(), 50);
    let refused = admission.extend(1, T0).unwrap_err();
    assert_eq!((refused.limit, refused.own), (LimitKind::DailyLimit, true));
    assert!(admission.extend(u64::MAX, T0).is_err());
    assert_eq!((admission.hold(), counters.spent(&path, T0).held), (50, 50));
    admission.settle(50);
    assert_eq!(
        counters.spent(&path, T0),
        Spent {
            settled: 50,
            held: 0
        }
    );
}

#[test]
fn headers_show_the_callers_own_limit_and_never_an_ancestors() {
    let counters = counters();
    let own = path(&[(0, Some(3), None), (1, Some(10), None)]);
    let admission = counters.admit(&own, T0, 0).unwrap();
    let headroom = admission.headroom().unwrap();
    assert_eq!(
        headroom,
        Headroom {
            limit_requests: 10,
            remaining_requests: 9,
            reset_requests_ms: 60_000
        }
    );
    assert_eq!(
        counters
            .headroom(&own, T0 + 10_000)
            .unwrap()
            .reset_requests_ms,
        50_000
    );
    let inherited = path(&[(0, Some(3), None), (2, None, None)]);
    assert_eq!(counters.admit(&inherited, T0, 0).unwrap().headroom(), None);
    assert_eq!(counters.headroom(&inherited, T0), None);
}

#[test]
fn the_text_of_a_refusal_shows_no_figure_of_an_account() {
    let counters = counters();
    let path = path(&[(0, Some(4_321), Some(9_876)), (1, None, None)]);
    for _ in 0..4_321 {
        drop(counters.admit(&path, T0, 0).unwrap());
    }
    let rate = counters.admit(&path, T0, 0).unwrap_err();
    assert_eq!(
        rate.to_string(),
        "the request rate limit is reached; try again in 60 s"
    );
    let money = counters.admit(&path, T0 + 120_000, 9_877).unwrap_err();
    assert_eq!(
        money.to_string(),
        "the request is larger than the whole daily budget"
    );
    assert!(!rate.own && !money.own);
}

#[test]
fn after_a_restart_the_rows_of_the_day_count_again_on_every_node() {
    use crate::directory::tests::Bench;
    use crate::usage::UsageRow;
    let mut bench = Bench::new();
    let limits = |rpm, daily_limit| Limits { rpm, daily_limit };
    bench
        .account_with("root", "dept", None, limits(Some(2), Some(100)))
        .unwrap();
    let alice = bench.account("root/dept", "alice").unwrap();
    let bob = bench.account("root/dept", "bob").unwrap();
    let path_of = |bench: &Bench, id| bench.directory.path(id).unwrap();
    let (alice_path, bob_path) = (path_of(&bench, alice), path_of(&bench, bob));
    // Bob is deleted; what he spent stays spent for the department.
    let changes = bench.directory.delete_account("root/dept/bob").unwrap();
    bench.directory.apply(&changes);

    let counters = counters();
    let yesterday = counters.day(T0).start_ms - 1;
    let row = |path: &Path, admitted_ms, charged, counted| UsageRow {
        path: path.ids.to_vec().into(),
        admitted_ms,
        charged,
        counted,
        ..UsageRow::default()
    };
    for row in [
        row(&alice_path, yesterday, 1_000, true),
        row(&bob_path, T0 - 70_000, 60, true),
        row(&alice_path, T0 - 30_000, 30, true),
        row(&alice_path, T0 - 10_000, 0, false),
        row(&alice_path, T0 - 5_000, 0, true),
    ] {
        bench.directory.seed(&counters, &row, T0);
    }
    let dept = path_of(&bench, bench.directory.account("root/dept").unwrap().id);
    assert_eq!(counters.spent(&dept, T0).settled, 90);
    assert_eq!(counters.spent(&alice_path, T0).settled, 30);
    // Two of the last minute count for the rate; the refused one does not.
    assert_eq!(
        counters
            .admit(&alice_path, T0, 0)
            .unwrap_err()
            .retry_after_ms,
        Some(30_000)
    );
    assert!(counters.admit(&alice_path, T0 + 30_000, 11).is_err());
    assert!(counters.admit(&alice_path, T0 + 30_000, 10).is_ok());
}

#[test]
fn a_free_request_passes_a_spent_budget() {
    let (counters, path) = (counters(), path(&[(0, None, Some(10))]));
    counters.admit(&path, T0, 10).unwrap().settle(10);
    assert!(counters.admit(&path, T0, 0).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Admit { leaf: usize, hold: u64 },
    Settle { which: usize, charged: u64 },
    Drop { which: usize },
    Extend { which: usize, more: u64 },
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4usize, 0..60u64).prop_map(|(leaf, hold)| Step::Admit { leaf, hold }),
        3 => (0..50usize, 0..60u64).prop_map(|(which, charged)| Step::Settle { which, charged }),
        1 => (0..50usize).prop_map(|which| Step::Drop { which }),
        1 => (0..50usize, 0..30u64).prop_map(|(which, more)| Step::Extend { which, more }),
        1 => prop_oneof![0..2_000u64, 0..70_000u64, 0..50_000_000u64].prop_map(|ms| Step::Wait { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn under_any_interleaving_counters_equal_the_model_and_no_limit_is_overshot(
        limits in prop::collection::vec((prop::option::of(1..8u64), prop::option::of(0..300u64)), 7),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        // root - (a, b) - (a1, a2, b1, b2)
        let node = |slot: u32| (slot, limits[slot as usize].0, limits[slot as usize].1);
        let slots = [[0, 1, 3], [0, 1, 4], [0, 2, 5], [0, 2, 6]];
        let paths = slots.map(|slots| path(&slots.map(node)));
        let counters = counters();
        let mut now = T0;
        // The model: per node the times of admission, per open admission its leaf, day and hold.
        let mut times: Vec<Vec<u64>> = vec![Vec::new(); 7];
        let mut settled = [0u64; 7];
        let mut day = counters.day(now);
        let mut open: Vec<(usize, u64, Admission)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait { ms } => {
                    now += ms;
                    if now >= day.end_ms {
                        day = counters.day(now);
                        settled = [0; 7];
                    }
                }
                Step::Admit { leaf, hold } => {
                    let held = |slot: u32| -> u64 {
                        open.iter().filter(|(of, began, _)| slots[*of].contains(&slot) && *began == day.start_ms).map(|(.., a)| a.hold()).sum()
                    };
                    let expected = slots[leaf].iter().all(|slot| {
                        let (rpm, daily) = limits[*slot as usize];
                        let recent = times[*slot as usize].iter().filter(|at| **at + 60_000 > now).count() as u64;
                        let rate = rpm.is_none_or(|rpm| recent < rpm);
                        rate && daily.is_none_or(|daily| settled[*slot as usize] + held(*slot) + hold <= daily)
                    });
                    match counters.admit(&paths[leaf], now, hold) {
                        Ok(admission) => {
                            prop_assert!(expected);
                            for slot in slots[leaf] { times[slot as usize].push(now); }
                            open.push((leaf, day.start_ms, admission));
                        }
                        // A merged log entry may leave up to 50 ms late: only then may it refuse what the model admits.
                        Err(refused) => prop_assert!(!expected || refused.retry_after_ms.is_some_and(|wait| wait < 50)),
                    }
                }
                Step::Settle { which, charged } if !open.is_empty() => {
                    let (leaf, began, admission) = open.swap_remove(which % open.len());
                    if began == day.start_ms {
                        for slot in slots[leaf] { settled[slot as usize] += charged; }
                    }
                    admission.settle(charged);
                }
                Step::Drop { which } if !open.is_empty() => { let _ = open.swap_remove(which % open.len()); }
                Step::Extend { which, more } if !open.is_empty() => {
                    let index = which % open.len();
                    let _ = open[index].2.extend(more, now);
                }
                _ => {}
            }
            for (leaf, path) in paths.iter().enumerate() {
                let held: u64 = open.iter().filter(|(of, began, _)| *of == leaf && *began == day.start_ms).map(|(.., a)| a.hold()).sum();
                prop_assert_eq!(counters.spent(path, now), Spent { settled: settled[slots[leaf][2] as usize], held });
            }
            for (slot, times) in times.iter().enumerate() {
                if let Some(rpm) = limits[slot].0 {
                    prop_assert!(times.iter().filter(|at| **at + 60_000 > now).count() as u64 <= rpm);
                }
            }
        }
    }
}
