//! After a restart the rows of the day, the month and the last hour count again.

use super::*;
use crate::ids::KeyId;
use crate::price::Tokens;
use crate::usage::UsageRow;

fn row(path: &Path, admitted_ms: u64, charged: u64) -> UsageRow<'static> {
    UsageRow {
        path: path.ids().into(),
        admitted_ms,
        charged,
        counted: true,
        requested_model: "m".into(),
        ..UsageRow::default()
    }
}

#[test]
fn after_a_restart_the_rows_of_the_day_count_again_on_every_node() {
    let mut desk = Desk::new();
    let dept = desk.account("root", "dept", r#"{"limits":{"rpm":2,"daily_limit":100}}"#);
    let alice = desk.account("root/dept", "alice", "{}");
    let bob = desk.account("root/dept", "bob", "{}");
    // Bob is deleted; what he spent stays spent for the department.
    desk.bench
        .close("root/dept/bob", crate::DeleteMode::Refuse)
        .unwrap();
    desk.bench.archive(bob.account()).unwrap();

    let yesterday = desk.counters.day(T0).start_ms - 1;
    let refused = UsageRow {
        counted: false,
        ..row(&alice, T0 - 10_000, 7)
    };
    let counters = &desk.counters;
    desk.bench.directory.keep_windows(counters);
    for row in [
        row(&alice, yesterday, 1_000),
        row(&bob, T0 - 70_000, 60),
        row(&alice, T0 - 30_000, 30),
        refused,
        row(&alice, T0 - 5_000, 0),
    ] {
        desk.bench.directory.seed(counters, &row, T0);
    }
    assert_eq!(desk.money(&dept, T0), (90, 0));
    assert_eq!(desk.money(&alice, T0), (30, 0));
    assert_eq!(desk.spent(&dept, T0).settled_month, 1_090);
    // Two of the last minute count for the rate; the refused one does not.
    let refused = desk.admit(&alice, FREE, T0).unwrap_err();
    assert_eq!(limit(&refused), (LimitKind::Rpm, Some(30_000)));
    assert!(desk.admit(&alice, costs(11), T0 + 30_000).is_err());
    assert!(desk.admit(&alice, costs(10), T0 + 30_000).is_ok());
}

#[test]
fn a_row_counts_on_the_limits_of_the_model_that_was_served() {
    let (desk, path) = Desk::with(r#"{"model_limits":{"gpt-*":{"tpd":1000},"fast":{"tpd":1000}}}"#);
    let mapped = UsageRow {
        requested_model: "fast".into(),
        mapped_model: "gpt-5".into(),
        tokens: Tokens {
            input: 10,
            cache_read: 200,
            output: 3_000,
            ..Tokens::default()
        },
        ..row(&path, T0, 0)
    };
    desk.bench.directory.seed(&desk.counters, &mapped, T0);
    let used = desk.counters.uses(&path, T0);
    assert_eq!((used[0].used, used[1].used), (0, 3_210));
}

#[test]
fn a_key_was_last_used_when_its_latest_row_was_admitted() {
    let (mut desk, path) = Desk::with("{}");
    let (key, _) = desk.bench.key("root/a");
    let seed = |desk: &Desk, key: KeyId, at| {
        let row = UsageRow {
            key,
            ..row(&path, at, 0)
        };
        desk.bench.directory.seed(&desk.counters, &row, T0);
    };
    seed(&desk, key, T0 - 5);
    seed(&desk, key, T0 - 9);
    seed(&desk, KeyId::default(), T0);
    assert_eq!(desk.bench.directory.last_used(key), Some(T0 - 5));
}

#[test]
fn what_was_admitted_while_the_clock_was_behind_midnight_counts_for_its_day_after_a_restart_too() {
    let (mut desk, path) = Desk::with(r#"{"limits":{"daily_limit":100,"monthly_limit":1000}}"#);
    let midnight = desk.counters.day(T0).end_ms;
    desk.done(&path, costs(10), midnight);
    let back = desk.admit(&path, costs(20), midnight - HOUR).unwrap();
    let row = row(&path, back.admitted_ms(), 20);
    back.settle(0, 20, midnight - HOUR);
    assert_eq!(desk.money(&path, midnight + 1), (30, 0));
    desk.counters = Arc::new(Counters::new(Zone::utc(), Ledger::default()));
    desk.bench
        .directory
        .seed(&desk.counters, &row, midnight + 1);
    assert_eq!(desk.money(&path, midnight + 1), (20, 0));
}

#[test]
fn a_row_of_the_future_counts_now_and_leaves_the_window_in_time() {
    // The clock was set back before the restart.
    let (desk, path) = Desk::with(r#"{"limits":{"rpm":1}}"#);
    desk.bench.directory.keep_windows(&desk.counters);
    let row = row(&path, T0 + 10 * MINUTE, 5);
    desk.bench.directory.seed(&desk.counters, &row, T0);
    assert_eq!(desk.money(&path, T0), (5, 0));
    let refused = desk.admit(&path, FREE, T0).unwrap_err();
    assert_eq!(refused.retry_after_ms, Some(MINUTE));
    assert!(desk.admit(&path, FREE, T0 + MINUTE).is_ok());
}
