//! Operations between their beginning and the moment at which the store has them.

use super::*;

#[test]
fn what_an_operation_takes_is_set_aside_and_what_it_gives_is_not_there_before_the_store_has_it() {
    let mut ledger = funded();
    let begun = ledger.begin(operation(grant("a", account(1), account(2), 700)), NOW);
    let moving = pending(begun);
    assert_eq!((available(&ledger, 1), available(&ledger, 2)), (300, 0));
    assert_eq!((ledger.totals().moving, ledger.imbalance()), (700, 0));
    // Checked then taken: there was enough for one.
    for act in [
        grant("b", account(1), account(2), 301),
        hold(request(NOW, 1), account(1), 301),
        hold(request(NOW, 1), account(2), 1),
    ] {
        let error = refused(&mut ledger, act);
        assert!(matches!(error, LedgerError::Insufficient { .. }), "{error}");
    }
    let issued = pending(ledger.begin(operation(issue("c", account(2), 5, None)), NOW));
    assert_eq!(
        (available(&ledger, 2), ledger.totals().treasury),
        (0, -1_000)
    );
    assert_eq!(ledger.commit(issued).amount, 5);
    assert_eq!(
        (available(&ledger, 2), ledger.totals().treasury),
        (5, -1_005)
    );
    assert_eq!(ledger.commit(moving).amount, 700);
    assert_eq!((available(&ledger, 1), available(&ledger, 2)), (300, 705));
    ledger.verify().unwrap();
}

#[test]
fn an_operation_that_was_not_stored_leaves_no_trace_and_may_be_tried_again() {
    let mut ledger = funded();
    run(&mut ledger, issue("soon", account(1), 50, Some(NOW + 9)));
    let before = as_stored(&ledger);
    for act in [
        grant("a", account(1), account(2), 700),
        issue("a", account(2), 5, None),
        reclaim("a", account(1), None, 5),
        sweep(account(1), Some(account(2))),
        sweep(account(2), None),
    ] {
        let moving = pending(ledger.begin(operation(act.clone()), NOW));
        ledger.abort(moving);
        assert_eq!(as_stored(&ledger), before, "{act:?}");
        ledger.verify().unwrap();
    }
    let late = NOW + 9;
    let moving = pending(ledger.begin(operation(expire(account(1))), late));
    assert_eq!(ledger.due(late).count(), 0);
    ledger.abort(moving);
    assert_eq!(ledger.due(late).count(), 1);
    assert_eq!(
        run(&mut ledger, grant("a", account(1), account(2), 700)).amount,
        700
    );
}

#[test]
fn an_operation_repeated_while_it_is_stored_is_not_made_twice() {
    let mut ledger = funded();
    let act = grant("a", account(1), account(2), 100);
    let moving = pending(ledger.begin(operation(act.clone()), NOW));
    let error = refused(&mut ledger, act.clone());
    assert!(matches!(error, LedgerError::UnderWay(_)), "{error}");
    let receipt = ledger.commit(moving);
    assert_eq!(run(&mut ledger, act), receipt);
    assert_eq!(available(&ledger, 2), 100);
}

#[test]
fn where_the_store_cannot_tell_whether_it_has_an_operation_its_credit_stays_out_of_reach() {
    let mut ledger = funded();
    let act = grant("a", account(1), account(2), 100);
    drop(pending(ledger.begin(operation(act.clone()), NOW)));
    assert_eq!((available(&ledger, 1), available(&ledger, 2)), (900, 0));
    assert!(matches!(
        refused(&mut ledger, act),
        LedgerError::UnderWay(_)
    ));
    ledger.verify().unwrap();
}

#[test]
fn two_grants_that_are_stored_at_once_cannot_overflow_together() {
    let mut ledger = funded();
    let half = i64::MAX / 2;
    let first = pending(ledger.begin(operation(issue("a", account(2), half, None)), NOW));
    let error = refused(&mut ledger, issue("b", account(3), half, None));
    let (asked, left) = (half, i64::MAX - 1_000 - half);
    assert_eq!(error, LedgerError::TooMuch { asked, left });
    ledger.abort(first);
    run(&mut ledger, issue("b", account(3), half, None));
}

#[test]
fn a_wallet_is_not_swept_while_credit_is_on_its_way_into_it_or_out_of_it() {
    let mut ledger = funded();
    run(&mut ledger, grant("a", account(1), account(2), 100));
    for act in [
        issue("b", account(2), 5, None),
        grant("b", account(1), account(2), 5),
        reclaim("b", account(2), Some(account(1)), 5),
    ] {
        let moving = pending(ledger.begin(operation(act), NOW));
        let error = refused(&mut ledger, sweep(account(2), Some(account(1))));
        assert!(matches!(error, LedgerError::UnderWay(_)), "{error}");
        ledger.abort(moving);
    }
    let closing = pending(ledger.begin(operation(sweep(account(2), Some(account(1)))), NOW));
    for act in [
        issue("b", account(2), 5, None),
        grant("b", account(1), account(2), 5),
        hold(request(NOW, 1), account(2), 0),
    ] {
        assert_eq!(refused(&mut ledger, act), LedgerError::Closed(account(2)));
    }
    let error = refused(&mut ledger, sweep(account(2), Some(account(1))));
    assert!(matches!(error, LedgerError::UnderWay(_)), "{error}");
    ledger.abort(closing);
    run(&mut ledger, hold(request(NOW, 1), account(2), 100));
}
