//! Looking makes nothing: counters are there for those who count.

use super::*;

const EVERYTHING: &str = r#"{"limits":{"rpd":9,"tpd":9,"concurrency":9,"daily_limit":9,"monthly_limit":9},"model_limits":{"m*":{"rpd":9}}}"#;

fn pieces(desk: &Desk) -> usize {
    desk.counters.state.lock().tallies.pieces()
}

#[test]
fn a_listing_of_all_accounts_makes_no_counters_for_those_that_never_asked() {
    let mut desk = Desk::new();
    let paths: Vec<_> = (0..600)
        .map(|n| desk.account("root", &format!("n{n}"), EVERYTHING))
        .collect();
    desk.bench.directory.keep_windows(&desk.counters);
    for path in &paths {
        assert_eq!(desk.spent(path, T0), Spent::default());
        assert!(
            desk.counters
                .uses(path, T0)
                .iter()
                .all(|used| used.used == 0)
        );
        let headroom = desk.counters.headroom(path, T0);
        assert_eq!(headroom.requests.unwrap().remaining, 9);
        let slot = path.nodes().last().unwrap().base.slot;
        assert_eq!(desk.counters.running(slot), 0);
    }
    assert_eq!(pieces(&desk), 0);
    // Who asks has them, with those beside it and above it.
    desk.done(&paths[599], UNIT, T0);
    assert_eq!(desk.spent(&paths[599], T0).requests, 1);
    assert_eq!(pieces(&desk), 2);
}

#[test]
fn what_was_counted_yesterday_is_not_read_as_todays() {
    let (desk, path) = Desk::with(EVERYTHING);
    desk.done(&path, UNIT, T0);
    let midnight = desk.counters.day(T0).end_ms;
    assert_eq!(desk.spent(&path, midnight).requests, 0);
    assert_eq!(desk.spent(&path, midnight).settled_month, 1);
    let used = desk.counters.uses(&path, midnight);
    let of = |kind| used.iter().find(|used| used.kind == kind).unwrap().used;
    assert_eq!((of(LimitKind::Rpd), of(LimitKind::MonthlyLimit)), (0, 1));
}
