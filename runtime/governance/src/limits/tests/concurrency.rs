//! Requests at a time: each until its last byte, whatever becomes of it.

use super::*;

#[test]
fn a_place_is_taken_until_the_settlement_however_long_that_takes() {
    let (desk, path) = Desk::with(r#"{"limits":{"concurrency":2}}"#);
    let first = desk.admit(&path, FREE, T0).unwrap();
    let _second = desk.admit(&path, FREE, T0).unwrap();
    for hours in [0, 1, 30, 24 * 40] {
        let now = T0 + hours * HOUR;
        let refused = desk.admit(&path, FREE, now).unwrap_err();
        assert_eq!(limit(&refused), (LimitKind::Concurrency, Some(1_000)));
        assert_eq!(desk.spent(&path, now).running, 2);
    }
    first.settle(1, 0, T0 + 5 * HOUR);
    let _third = desk.admit(&path, FREE, T0 + 5 * HOUR).unwrap();
    assert!(desk.admit(&path, FREE, T0 + 5 * HOUR).is_err());
}

#[test]
fn a_settled_request_keeps_its_place_until_its_last_byte_has_left_and_counts_as_settled_meanwhile()
{
    let mut desk = Desk::new();
    desk.account("root", "dept", r#"{"limits":{"concurrency":1}}"#);
    let path = desk.account("root/dept", "one", "{}");
    let first = desk.admit(&path, FREE, T0).unwrap();
    let (_, running) = first.settle_running(7, 40, T0);
    assert_eq!(desk.spent(&path, T0).settled, 40);
    assert_eq!(desk.spent(&path, T0).running, 1);
    assert!(desk.admit(&path, FREE, T0).is_err());
    drop(running);
    assert_eq!(desk.spent(&path, T0).running, 0);
    let _second = desk.admit(&path, FREE, T0).unwrap();
}

#[test]
fn where_nothing_limits_concurrency_a_settled_request_runs_no_more() {
    let (desk, path) = Desk::with("{}");
    let (_, running) = desk
        .admit(&path, FREE, T0)
        .unwrap()
        .settle_running(7, 40, T0);
    assert!(running.is_none());
    assert_eq!(desk.spent(&path, T0).running, 0);
}

#[test]
fn a_request_that_panics_or_is_lost_gives_its_place_back() {
    let (desk, path) = Desk::with(r#"{"limits":{"concurrency":1}}"#);
    let lost = desk.admit(&path, FREE, T0).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = lost;
        panic!("a task dies with its admission");
    }));
    assert!(panicked.is_err());
    drop(desk.admit(&path, FREE, T0).unwrap());
    assert_eq!(desk.spent(&path, T0).running, 0);
    assert!(desk.admit(&path, FREE, T0).is_ok());
}

#[test]
fn places_of_a_subtree_are_shared_and_a_refused_sibling_takes_none() {
    let mut desk = Desk::new();
    let two = r#"{"limits":{"concurrency":2}}"#;
    desk.account("root", "dept", two);
    let one = desk.account("root/dept", "one", r#"{"limits":{"concurrency":1}}"#);
    let other = desk.account("root/dept", "other", "{}");
    let _a = desk.admit(&one, FREE, T0).unwrap();
    for _ in 0..10 {
        let refused = desk.admit(&one, FREE, T0).unwrap_err();
        assert!(refused.own);
    }
    let _b = desk.admit(&other, FREE, T0).unwrap();
    assert!(!desk.admit(&other, FREE, T0).unwrap_err().own);
    assert_eq!(desk.spent(&desk.bench.path("root"), T0).running, 2);
}

#[test]
fn an_account_that_is_being_deleted_counts_what_still_runs_of_it() {
    let (mut desk, path) = Desk::with("{}");
    let below = desk.account("root/a", "b", "{}");
    let id = path.account();
    let _one = desk.admit(&path, FREE, T0).unwrap();
    let two = desk.admit(&below, FREE, T0).unwrap();
    let running = |desk: &Desk| desk.bench.directory.running(id, &desk.counters);
    assert_eq!(running(&desk), 2);
    let mode = crate::DeleteMode::Cascade;
    desk.bench.close("root/a", mode).unwrap();
    assert_eq!(running(&desk), 2);
    two.settle(0, 0, T0);
    assert_eq!(running(&desk), 1);
    assert_eq!(
        desk.bench
            .directory
            .running(AccountId::default(), &desk.counters),
        0
    );
}
