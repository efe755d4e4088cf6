//! Prepaid credit: held with the limits or not at all, settled once, never negative.

use super::*;
use crate::ledger::Cause;

const PREPAID: &str = r#"{"billing":"prepaid"}"#;

#[test]
fn credit_is_held_with_the_request_and_what_it_did_not_cost_comes_back() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 100);
    let admission = desk.admit(&path, costs(60), T0).unwrap();
    assert_eq!(desk.wallet(&path, T0), (40, 60));
    let settled = admission.settle(0, 25, T0 + 9);
    assert_eq!(desk.wallet(&path, T0), (75, 0));
    let entry = settled.entry.unwrap();
    assert!(
        matches!(entry.cause, Cause::Post(post) if post.amount == 25 && post.wallet == path.account())
    );
    assert_eq!(
        entry
            .postings
            .iter()
            .map(|posting| posting.amount)
            .sum::<i64>(),
        0
    );
    desk.assert_balanced();
}

#[test]
fn what_is_lost_costs_nothing_and_leaves_no_hold() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 100);
    drop(desk.admit(&path, costs(60), T0).unwrap());
    assert_eq!(desk.wallet(&path, T0), (100, 0));
    desk.counters.ledger(|ledger| {
        assert_eq!(ledger.open_holds().count(), 0);
        assert_eq!(ledger.totals().consumed, 0);
    });
    desk.assert_balanced();
}

#[test]
fn an_empty_wallet_refuses_what_costs_and_admits_what_is_free() {
    let (mut desk, path) = Desk::with(PREPAID);
    for amount in [1, 100] {
        let refused = desk.admit(&path, costs(amount), T0).unwrap_err();
        assert_eq!(
            (refused.bound, refused.account),
            (Bound::Wallet, path.account())
        );
        assert_eq!((refused.retry_after_ms, refused.resets_at_ms), (None, None));
        assert!(!refused.is_larger_than_limit() && refused.own);
    }
    assert!(desk.admit(&path, costs(0), T0).is_ok());
    desk.grant(&path, 100);
    desk.done(&path, costs(100), T0);
    assert!(desk.admit(&path, costs(1), T0).is_err());
    assert!(desk.admit(&path, costs(0), T0).is_ok());
    desk.assert_balanced();
}

#[test]
fn an_empty_wallet_is_told_before_any_limit_because_somebody_must_act() {
    let (desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"rpm":0,"daily_limit":1}}"#);
    let refused = desk.admit(&path, costs(5), T0).unwrap_err();
    assert_eq!(refused.bound, Bound::Wallet);
    let free = desk.admit(&path, costs(0), T0).unwrap_err();
    assert_eq!(limit(&free).0, LimitKind::Rpm);
}

#[test]
fn limits_and_wallet_are_held_all_or_nothing() {
    let mut desk = Desk::new();
    desk.bench
        .patch("root", r#"{"limits":{"rpm":100,"daily_limit":1000}}"#)
        .unwrap();
    let rich = desk.account(
        "root",
        "rich",
        r#"{"billing":"prepaid","limits":{"rph":1}}"#,
    );
    let poor = desk.account("root", "poor", PREPAID);
    desk.grant(&rich, 500);
    desk.grant(&poor, 5);
    desk.done(&rich, costs(10), T0);
    for _ in 0..50 {
        // The limit refuses: no credit is held. The wallet refuses: nothing is counted.
        assert_eq!(
            limit(&desk.admit(&rich, costs(10), T0).unwrap_err()).0,
            LimitKind::Rph
        );
        assert_eq!(
            desk.admit(&poor, costs(6), T0).unwrap_err().bound,
            Bound::Wallet
        );
    }
    assert_eq!(
        (desk.wallet(&rich, T0), desk.wallet(&poor, T0)),
        ((490, 0), (5, 0))
    );
    let whole = desk.spent(&desk.bench.path("root"), T0);
    assert_eq!(
        (whole.requests, whole.settled, whole.held, whole.running),
        (1, 10, 0, 0)
    );
    desk.counters
        .ledger(|ledger| assert_eq!(ledger.open_holds().count(), 0));
    desk.assert_balanced();
}

#[test]
fn the_nearest_account_that_says_so_pays_for_its_whole_subtree() {
    let mut desk = Desk::new();
    desk.bench.patch("root", PREPAID).unwrap();
    let root = desk.bench.path("root");
    let dept = desk.account("root", "dept", PREPAID);
    let alice = desk.account("root/dept", "alice", "{}");
    let lab = desk.account("root/dept", "lab", r#"{"billing":"postpaid"}"#);
    let other = desk.account("root", "other", "{}");
    desk.grant(&root, 100);
    desk.grant(&dept, 100);
    desk.done(&alice, costs(10), T0);
    desk.done(&other, costs(20), T0);
    let admission = desk.admit(&lab, costs(100_000), T0).unwrap();
    assert_eq!(admission.settle(0, 50_000, T0).entry, None);
    assert_eq!(
        (desk.wallet(&root, T0), desk.wallet(&dept, T0)),
        ((80, 0), (90, 0))
    );
    assert_eq!(desk.wallet(&alice, T0), (0, 0));
    assert!(!desk.admit(&alice, costs(91), T0).unwrap_err().own);
}

#[test]
fn an_extension_needs_the_wallet_too_and_leaves_the_limits_if_it_refuses() {
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"daily_limit":1000}}"#);
    desk.grant(&path, 100);
    let mut admission = desk.admit(&path, costs(60), T0).unwrap();
    admission.extend(&path, "m", 2, 90, T0).unwrap();
    assert_eq!(
        (desk.wallet(&path, T0), desk.money(&path, T0)),
        ((10, 90), (0, 90))
    );
    let refused = admission.extend(&path, "m", 3, 101, T0).unwrap_err();
    assert_eq!(refused.bound, Bound::Wallet);
    assert_eq!(
        (desk.wallet(&path, T0), desk.money(&path, T0)),
        ((10, 90), (0, 90))
    );
    admission.settle(0, 95, T0);
    assert_eq!(
        (desk.wallet(&path, T0), desk.money(&path, T0)),
        ((5, 0), (95, 0))
    );
    desk.assert_balanced();
}

#[test]
fn a_limit_that_refuses_an_extension_takes_nothing_from_the_wallet() {
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"daily_limit":80}}"#);
    desk.grant(&path, 100);
    let mut admission = desk.admit(&path, costs(60), T0).unwrap();
    let refused = admission.extend(&path, "m", 2, 81, T0).unwrap_err();
    assert_eq!(limit(&refused).0, LimitKind::DailyLimit);
    assert_eq!((desk.wallet(&path, T0), admission.hold()), ((40, 60), 60));
}

#[test]
fn a_cost_beyond_hold_and_wallet_is_charged_whole_and_leaves_the_wallet_at_zero() {
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"daily_limit":1000}}"#);
    desk.grant(&path, 100);
    let admission = desk.admit(&path, costs(60), T0).unwrap();
    admission.settle(0, 250, T0);
    assert_eq!(
        (desk.wallet(&path, T0), desk.money(&path, T0)),
        ((0, 0), (250, 0))
    );
    desk.counters.ledger(|ledger| {
        assert_eq!(
            (ledger.totals().consumed, ledger.totals().uncovered),
            (250, 150)
        );
    });
    desk.assert_balanced();
}

#[test]
fn the_journal_is_told_what_the_settlement_would_be_and_nothing_changes() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 100);
    let admission = desk.admit(&path, costs(60), T0).unwrap();
    let before = desk.counters.ledger(|ledger| ledger.clone());
    let foreseen = admission.preview(25, T0 + 5);
    assert_eq!(desk.counters.ledger(|ledger| ledger.clone()), before);
    assert_eq!(admission.settle(0, 25, T0 + 5), foreseen);
    let (postpaid, path) = Desk::with("{}");
    let admission = postpaid.admit(&path, costs(60), T0).unwrap();
    assert_eq!(admission.preview(25, T0).entry, None);
}

#[test]
fn expired_credit_admits_nobody_and_a_hold_made_in_time_is_still_spent() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant_until(&path, 100, Some(T0 + HOUR));
    let admission = desk.admit(&path, costs(60), T0).unwrap();
    let refused = desk.admit(&path, costs(1), T0 + HOUR).unwrap_err();
    assert_eq!(refused.bound, Bound::Wallet);
    admission.settle(0, 60, T0 + 2 * HOUR);
    desk.counters
        .ledger(|ledger| assert_eq!(ledger.totals().uncovered, 0));
    desk.assert_balanced();
}

#[test]
fn an_account_whose_wallet_is_closed_is_refused_even_what_is_free() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 100);
    let sweep = Operation::Sweep {
        wallet: path.account(),
        to: None,
    };
    desk.counters.ledger(|ledger| {
        let Begun::Pending(pending) = ledger.begin(sweep, T0).unwrap() else {
            panic!("there is something to sweep");
        };
        ledger.commit(pending);
    });
    for amount in [0, 1] {
        let refused = desk.admit(&path, costs(amount), T0).unwrap_err();
        assert_eq!(
            (refused.bound, refused.retry_after_ms),
            (Bound::Wallet, None)
        );
    }
    assert_eq!(desk.spent(&path, T0), Spent::default());
    desk.assert_balanced();
}

#[test]
fn a_fee_is_a_share_of_the_charge_and_neither_more_is_held_nor_more_taken() {
    let (mut desk, path) = Desk::with(r#"{"billing":"prepaid","limits":{"daily_limit":1000}}"#);
    desk.grant(&path, 1_000);
    desk.counters.set_fee(50_000);
    let admission = desk.admit(&path, costs(60), T0).unwrap();
    assert_eq!(desk.wallet(&path, T0), (940, 60));
    let foreseen = admission.preview(59, T0 + 5);
    let settled = admission.settle(0, 59, T0 + 5);
    assert_eq!(settled, foreseen, "the journal is told the same fee");
    // A twentieth of 59, rounded down.
    assert_eq!(desk.wallet(&path, T0), (941, 0));
    assert_eq!(desk.money(&path, T0).0, 59);
    let totals = |desk: &Desk| {
        desk.counters
            .ledger(|ledger| (ledger.totals().consumed, ledger.totals().fees))
    };
    assert_eq!(totals(&desk), (57, 2));
    desk.assert_balanced();
    // Nothing, all, and more than all of it; a charge that no wallet covers.
    for (fee_ppm, charged, consumed, fees) in [
        (0, 100, 157, 2),
        (1_000_000, 100, 157, 102),
        (u32::MAX, 100, 157, 202),
        (1, 100, 257, 202),
        (500_000, 2_001, 1_258, 1_202),
    ] {
        desk.counters.set_fee(fee_ppm);
        let admission = desk.admit(&path, costs(100), T0).unwrap();
        admission.settle(0, charged, T0);
        assert_eq!(totals(&desk), (consumed, fees), "{fee_ppm}");
        desk.assert_balanced();
    }
}

#[test]
fn after_a_crash_a_charge_has_the_fee_that_the_journal_was_told() {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 1_000);
    // As of a start that has the grant alone.
    let mut restarted = desk.counters.ledger(|ledger| ledger.clone());
    desk.counters.set_fee(100_000);
    let admission = desk.admit(&path, costs(500), T0).unwrap();
    let journaled = admission.preview(300, T0 + 5).entry.unwrap();
    let stored = restarted.recover(&journaled).unwrap().unwrap();
    assert_eq!(stored, journaled);
    assert_eq!(
        (restarted.totals().consumed, restarted.totals().fees),
        (270, 30)
    );
    assert_eq!(restarted.imbalance(), 0);
    // Once, and the settlement of a process that went on would have said the same.
    assert_eq!(restarted.recover(&journaled).unwrap(), None);
    assert_eq!(admission.settle(0, 300, T0 + 5).entry, Some(journaled));
}

#[test]
fn a_request_that_waited_longer_than_the_ledger_remembers_is_told_so_and_not_that_its_credit_is_used_up()
 {
    let (mut desk, path) = Desk::with(PREPAID);
    desk.grant(&path, 100);
    let ask = |id, now_ms| {
        let ask = Ask {
            request: id,
            model: "m",
            input: 0,
            expected: 0,
            output: 1,
            least_output: 1,
            price: &|_| 10,
        };
        desk.counters.admit(&path, &ask, now_ms)
    };
    let slow = request(T0);
    // Others came and went, and are forgotten, while its body was still on the way.
    desk.done(&path, costs(1), T0 + 1);
    for _ in 0..2 {
        desk.counters.ledger(Ledger::forget_settled);
    }
    let now = T0 + HOUR;
    let refused = ask(slow, now).unwrap_err();
    assert_eq!(refused.bound, Bound::Age);
    assert!(refused.retry_after_ms.is_some() && !refused.is_larger_than_limit());
    assert!(!refused.to_string().contains("credit"));
    assert_eq!(desk.spent(&path, now).running, 0);
    assert_eq!(desk.wallet(&path, now), (99, 0));
    // Sent again it is served.
    ask(request(now), now).unwrap().settle(0, 10, now);
    assert_eq!(desk.wallet(&path, now), (89, 0));
    desk.assert_balanced();
}
