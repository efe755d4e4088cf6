//! Each rule of the ledger, by its meaning.

use super::*;

#[test]
fn a_call_is_held_charged_and_what_it_did_not_need_is_free_again() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 600));
    let balance = ledger.balance(account(1), NOW);
    assert_eq!((balance.available, balance.held), (400, 600));
    let receipt = run(&mut ledger, post(call, account(1), 150));
    assert_eq!((receipt.amount, receipt.uncovered), (150, 0));
    let balance = ledger.balance(account(1), NOW);
    assert_eq!((balance.available, balance.held), (850, 0));
    let totals = *ledger.totals();
    assert_eq!((totals.treasury, totals.consumed), (-1_000, 150));
    assert_eq!(ledger.imbalance(), 0);
}

#[test]
fn holds_together_never_exceed_the_wallet() {
    let mut ledger = funded();
    let admitted = (0..100)
        .filter(|n| {
            let call = hold(request(NOW, *n), account(1), 30);
            execute(&mut ledger, call, NOW).is_ok()
        })
        .count();
    assert_eq!(admitted, 33);
    assert_eq!(available(&ledger, 1), 10);
    assert_eq!(
        refused(&mut ledger, hold(request(NOW, 200), account(1), 11)),
        LedgerError::Insufficient {
            available: 10,
            asked: 11
        }
    );
}

#[test]
fn an_account_seen_for_the_first_time_has_no_credit() {
    let mut ledger = Ledger::default();
    assert_eq!(
        refused(&mut ledger, hold(request(NOW, 1), account(7), 1)),
        LedgerError::Insufficient {
            available: 0,
            asked: 1
        }
    );
}

#[test]
fn a_cancelled_call_leaks_no_hold() {
    let mut ledger = funded();
    for number in 0..50 {
        let call = request(NOW, number);
        run(&mut ledger, hold(call, account(1), 1_000));
        run(&mut ledger, Act::Release(call));
    }
    assert_eq!(available(&ledger, 1), 1_000);
    assert_eq!(ledger.open_holds().count(), 0);
}

#[test]
fn settling_a_usage_row_again_charges_nothing_and_answers_the_same() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    for _ in 0..3 {
        run(&mut ledger, hold(call, account(1), 100));
        assert_eq!(ledger.totals().held, 100);
    }
    let receipt = run(&mut ledger, post(call, account(1), 70));
    for _ in 0..3 {
        let again = execute(&mut ledger, post(call, account(1), 70), NOW + 9).unwrap();
        assert_eq!((again.receipt, again.entry), (receipt, None));
    }
    assert_eq!(ledger.totals().consumed, 70);
    // Without a hold, too: a row that recovery finds.
    let direct = post(request(NOW, 2), account(1), 5);
    let receipt = run(&mut ledger, direct.clone());
    assert_eq!(run(&mut ledger, direct), receipt);
    assert_eq!(ledger.totals().consumed, 75);
}

#[test]
fn a_call_is_settled_once_and_with_other_content_refused() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    let conflict = |error: LedgerError| {
        assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
        assert!(error.to_string().contains(&call.to_string()), "{error}");
    };
    conflict(refused(&mut ledger, hold(call, account(1), 101)));
    conflict(refused(&mut ledger, hold(call, account(2), 100)));
    conflict(refused(&mut ledger, post(call, account(2), 100)));
    run(&mut ledger, post(call, account(1), 70));
    conflict(refused(&mut ledger, post(call, account(1), 71)));
    conflict(refused(&mut ledger, post(call, account(2), 70)));
    conflict(refused(&mut ledger, Act::Release(call)));
    conflict(refused(&mut ledger, hold(call, account(1), 99)));
    let other = request(NOW, 2);
    run(&mut ledger, hold(other, account(1), 100));
    run(&mut ledger, Act::Release(other));
    let error = refused(&mut ledger, post(other, account(1), 70));
    assert!(error.to_string().contains("a release"), "{error}");
    let extend = Act::Extend(other, 5);
    assert_eq!(refused(&mut ledger, extend), LedgerError::NoHold(other));
}

#[test]
fn a_grant_repeated_under_its_key_is_made_once_and_another_under_it_is_refused() {
    let mut ledger = funded();
    let operation = grant("march", account(1), account(2), 100);
    let receipt = run(&mut ledger, operation.clone());
    assert_eq!(run(&mut ledger, operation), receipt);
    assert_eq!(available(&ledger, 2), 100);
    for other in [
        grant("march", account(1), account(2), 101),
        grant("march", account(1), account(3), 100),
        grant("march", account(2), account(3), 100),
        issue("march", account(2), 100, None),
        issue("first", account(1), 1_000, Some(NOW + 1)),
        reclaim("march", account(2), None, 100),
    ] {
        let error = refused(&mut ledger, other);
        assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    }
    for key in ["", &"x".repeat(201)] {
        let error = refused(&mut ledger, issue(key, account(1), 1, None));
        assert_eq!(error, LedgerError::Key);
    }
}

/// The same act, asked for by somebody who sees the tree from this account.
fn of(scope: u64, act: Act) -> Act {
    let Act::Manage(mut operation) = act else {
        panic!("no operation");
    };
    if let Operation::Grant { key, .. } | Operation::Reclaim { key, .. } = &mut operation {
        key.scope = Some(account(scope));
    }
    Act::Manage(operation)
}

#[test]
fn two_who_manage_apart_may_choose_the_same_key_and_neither_learns_of_the_other() {
    let mut ledger = funded();
    let first = of(5, grant("march", account(1), account(2), 100));
    let receipt = run(&mut ledger, first.clone());
    // Other content, and the same: both are made, as nobody of this scope has used the key.
    run(
        &mut ledger,
        of(6, grant("march", account(1), account(3), 50)),
    );
    run(
        &mut ledger,
        of(7, grant("march", account(1), account(2), 100)),
    );
    assert_eq!((available(&ledger, 2), available(&ledger, 3)), (200, 50));
    // Within a scope a key is what it always was.
    assert_eq!(run(&mut ledger, first.clone()), receipt);
    let error = refused(&mut ledger, of(6, reclaim("march", account(3), None, 50)));
    assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    let restored = restored(&as_stored(&ledger));
    let again = execute(&mut restored.clone(), first, NOW).unwrap();
    assert_eq!(again.entry, None);
}

#[test]
fn a_key_of_before_scopes_is_known_to_whoever_repeats_its_grant_and_keeps_nobody_from_another() {
    let mut ledger = funded();
    let receipt = run(&mut ledger, grant("march", account(1), account(2), 100));
    // Sent again after the update: whoever it was, it is made once.
    let again = of(5, grant("march", account(1), account(2), 100));
    assert_eq!(run(&mut ledger, again), receipt);
    assert_eq!(available(&ledger, 2), 100);
    // The key may have been somebody else's: of that nothing is told.
    run(
        &mut ledger,
        of(5, grant("march", account(1), account(2), 7)),
    );
    assert_eq!(available(&ledger, 2), 107);
}

#[test]
fn a_grant_repeated_after_its_account_has_moved_is_the_same_grant() {
    let mut ledger = funded();
    run(&mut ledger, issue("other", account(3), 500, None));
    let granted = run(&mut ledger, grant("march", account(1), account(2), 100));
    let reclaimed = run(
        &mut ledger,
        reclaim("april", account(2), Some(account(1)), 30),
    );
    let before = ledger.clone();
    // What was asked is the same: between the account and the one above it, whichever that is by now.
    let again = grant("march", account(3), account(2), 100);
    assert_eq!(run(&mut ledger, again), granted);
    let again = reclaim("april", account(2), Some(account(3)), 30);
    assert_eq!(run(&mut ledger, again), reclaimed);
    assert_eq!(ledger, before);
    for other in [
        grant("march", account(3), account(2), 101),
        grant("march", account(1), account(3), 100),
        issue("march", account(2), 100, None),
        reclaim("april", account(2), None, 30),
        reclaim("april", account(3), Some(account(1)), 30),
    ] {
        let error = refused(&mut ledger, other);
        assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    }
}

#[test]
fn a_call_without_an_id_is_refused_because_all_such_would_look_like_one() {
    let mut ledger = funded();
    for operation in [
        hold(Uuid::nil(), account(1), 1),
        post(Uuid::nil(), account(1), 1),
    ] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::NoId);
    }
}

#[test]
fn credit_is_spent_earliest_expiring_first_and_of_one_expiry_the_older_first() {
    let mut ledger = Ledger::default();
    for (key, amount, expires) in [
        ("never", 10, None),
        ("late", 20, Some(NOW + 900)),
        ("soon", 30, Some(NOW + 100)),
        ("soon too", 40, Some(NOW + 100)),
    ] {
        run(&mut ledger, issue(key, account(1), amount, expires));
    }
    let left = |ledger: &Ledger| -> Vec<_> {
        ledger
            .lots(account(1))
            .map(|(lot, amount)| (lot.id, amount))
            .collect()
    };
    assert_eq!(left(&ledger), [(3, 30), (4, 40), (2, 20), (1, 10)]);
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 75));
    assert_eq!(left(&ledger), [(2, 15), (1, 10)]);
    run(&mut ledger, post(call, account(1), 31));
    assert_eq!(left(&ledger), [(4, 39), (2, 20), (1, 10)]);
}

#[test]
fn a_transfer_carries_its_lots_so_that_expiry_survives_every_hop() {
    let mut ledger = Ledger::default();
    run(&mut ledger, issue("a", account(1), 50, Some(NOW + 100)));
    run(&mut ledger, issue("b", account(1), 50, None));
    run(&mut ledger, grant("c", account(1), account(2), 60));
    run(&mut ledger, grant("d", account(2), account(3), 55));
    let lots: Vec<_> = ledger.lots(account(3)).collect();
    let (soon, never) = (NOW + 100, u64::MAX);
    let lot = |id, expires_ms| Lot { expires_ms, id };
    assert_eq!(lots, [(lot(1, soon), 50), (lot(2, never), 5)]);
    // Back to the parent it is the same lot again.
    run(&mut ledger, reclaim("e", account(3), Some(account(1)), 50));
    assert!(
        ledger
            .lots(account(1))
            .eq([(lot(1, soon), 50), (lot(2, never), 40)])
    );
}

#[test]
fn an_expired_lot_can_be_neither_held_nor_granted_nor_reclaimed_and_is_moved_away_once() {
    let mut ledger = Ledger::default();
    run(&mut ledger, issue("a", account(1), 100, Some(NOW + 100)));
    let late = NOW + 100;
    let insufficient = LedgerError::Insufficient {
        available: 0,
        asked: 1,
    };
    for operation in [
        hold(request(NOW, 1), account(1), 1),
        grant("b", account(1), account(2), 1),
        reclaim("c", account(1), None, 1),
    ] {
        let error = execute(&mut ledger, operation, late).unwrap_err();
        assert_eq!(error, insufficient);
    }
    let balance = ledger.balance(account(1), late);
    assert_eq!((balance.available, balance.expired), (0, 100));
    assert_eq!(ledger.balance(account(1), late - 1).available, 100);
    assert!(ledger.due(late).eq([account(1)]));
    let expire = expire(account(1));
    let outcome = execute(&mut ledger, expire.clone(), late).unwrap();
    assert_eq!(outcome.receipt.amount, 100);
    assert_eq!(execute(&mut ledger, expire, late).unwrap().entry, None);
    assert_eq!(ledger.due(late).count(), 0);
    assert_eq!(ledger.totals().expired, 100);
    // A clock that is set back revives nothing.
    assert_eq!(ledger.balance(account(1), NOW).available, 0);
    ledger.verify().unwrap();
}

#[test]
fn a_grant_that_has_expired_already_is_refused() {
    let mut ledger = Ledger::default();
    let error = refused(&mut ledger, issue("a", account(1), 100, Some(NOW)));
    assert_eq!(error, LedgerError::Expired { expires_ms: NOW });
}

#[test]
fn a_hold_made_in_time_pays_though_its_lot_expires_meanwhile_and_only_the_rest_expires() {
    let mut ledger = Ledger::default();
    run(&mut ledger, issue("a", account(1), 100, Some(NOW + 100)));
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 80));
    let late = NOW + 500;
    let receipt = execute(&mut ledger, post(call, account(1), 50), late)
        .unwrap()
        .receipt;
    assert_eq!((receipt.amount, receipt.uncovered), (50, 0));
    assert_eq!(ledger.balance(account(1), late).available, 0);
    let expire = expire(account(1));
    assert_eq!(
        execute(&mut ledger, expire, late).unwrap().receipt.amount,
        50
    );
    ledger.verify().unwrap();
}

#[test]
fn a_charge_above_its_hold_takes_from_the_wallet_then_from_the_treasury_and_is_never_lost() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    let receipt = run(&mut ledger, post(call, account(1), 1_300));
    assert_eq!((receipt.amount, receipt.uncovered), (1_300, 300));
    assert_eq!(available(&ledger, 1), 0);
    assert_eq!(ledger.totals().consumed, 1_300);
    assert_eq!(ledger.totals().uncovered, 300);
}

#[test]
fn a_settlement_that_overflows_never_undercharges() {
    let mut ledger = funded();
    for number in 0..3 {
        let call = request(NOW, number);
        let room = available(&ledger, 1).min(10);
        run(&mut ledger, hold(call, account(1), room));
        run(&mut ledger, post(call, account(1), micro_units(u64::MAX)));
    }
    assert_eq!(ledger.totals().consumed, 3 * i128::from(i64::MAX));
    assert_eq!(ledger.imbalance(), 0);
    let fee = Act::Post(bill(request(NOW, 9), account(1), i64::MAX, 1));
    assert_eq!(refused(&mut ledger, fee), LedgerError::Overflow);
}

#[test]
fn negative_and_overflowing_amounts_are_refused() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    let to = account(2);
    for amount in [-1, i64::MIN] {
        for operation in [
            issue("k", to, amount, None),
            grant("k", account(1), to, amount),
            reclaim("k", account(1), None, amount),
            hold(call, account(1), amount),
            post(call, account(1), amount),
            Act::Extend(call, amount),
            Act::Post(bill(call, account(1), 0, amount)),
        ] {
            assert_eq!(refused(&mut ledger, operation), LedgerError::Amount(amount));
        }
    }
    for operation in [issue("k", to, 0, None), reclaim("k", account(1), None, 0)] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::Amount(0));
    }
    let error = refused(&mut ledger, issue("k", to, i64::MAX, None));
    let (asked, left) = (i64::MAX, i64::MAX - 1_000);
    assert_eq!(error, LedgerError::TooMuch { asked, left });
    run(&mut ledger, issue("k", to, i64::MAX - 1_000, None));
    run(&mut ledger, grant("l", to, account(1), i64::MAX - 1_000));
    assert_eq!(available(&ledger, 1), i64::MAX);
}

#[test]
fn a_long_stream_extends_its_hold_and_a_repeated_extension_takes_nothing_more() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    let to = |to_amount| Act::Extend(call, to_amount);
    assert_eq!(run(&mut ledger, to(300)).amount, 200);
    assert_eq!(run(&mut ledger, to(300)).amount, 0);
    assert_eq!(run(&mut ledger, to(200)).amount, 0);
    assert_eq!(ledger.balance(account(1), NOW).held, 300);
    let error = refused(&mut ledger, to(1_001));
    assert_eq!(
        error,
        LedgerError::Insufficient {
            available: 700,
            asked: 701
        }
    );
    // The first hold, asked for again, is still the first hold.
    assert_eq!(run(&mut ledger, hold(call, account(1), 100)).amount, 100);
    run(&mut ledger, post(call, account(1), 250));
    assert_eq!(available(&ledger, 1), 750);
}

#[test]
fn reclaiming_takes_no_credit_that_calls_under_way_hold() {
    let mut ledger = funded();
    run(&mut ledger, hold(request(NOW, 1), account(1), 600));
    assert_eq!(
        refused(&mut ledger, reclaim("a", account(1), None, 401)),
        LedgerError::Insufficient {
            available: 400,
            asked: 401
        }
    );
    run(&mut ledger, reclaim("a", account(1), None, 400));
    assert_eq!(ledger.totals().treasury, -600);
}

#[test]
fn fees_are_off_unless_asked_for_and_then_a_book_of_their_own() {
    let mut ledger = funded();
    run(&mut ledger, post(request(NOW, 1), account(1), 100));
    assert_eq!(ledger.totals().fees, 0);
    let call = request(NOW, 2);
    run(&mut ledger, hold(call, account(1), 100));
    let with_fee = Act::Post(bill(call, account(1), 90, 20));
    assert_eq!(run(&mut ledger, with_fee).amount, 110);
    assert_eq!((ledger.totals().consumed, ledger.totals().fees), (190, 20));
    assert_eq!(available(&ledger, 1), 790);
}

#[test]
fn an_archived_wallet_is_swept_up_with_its_lots_once_its_holds_have_drained() {
    let mut ledger = funded();
    run(&mut ledger, grant("a", account(1), account(2), 500));
    run(&mut ledger, issue("b", account(2), 40, Some(NOW + 100)));
    run(&mut ledger, issue("c", account(2), 60, Some(NOW + 900)));
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(2), 10));
    let swept = sweep(account(2), Some(account(1)));
    assert_eq!(
        refused(&mut ledger, swept.clone()),
        LedgerError::HoldsOpen(1)
    );
    run(&mut ledger, Act::Release(call));
    // By then one lot has expired: it does not come alive by moving.
    let late = NOW + 100;
    let receipt = execute(&mut ledger, swept.clone(), late).unwrap().receipt;
    assert_eq!(ledger.totals().expired, 40);
    assert_eq!(ledger.balance(account(1), late).available, 1_060);
    assert!(
        ledger
            .lots(account(1))
            .any(|(lot, _)| lot.expires_ms == NOW + 900)
    );
    assert!(ledger.balance(account(2), late).closed);
    // Again: the same answer. Anything else finds it closed, and no money is stranded there.
    assert_eq!(run(&mut ledger, swept), receipt);
    let closed = LedgerError::Closed(account(2));
    for operation in [
        grant("d", account(1), account(2), 1),
        issue("d", account(2), 1, None),
        hold(request(NOW, 2), account(2), 0),
        sweep(account(2), None),
    ] {
        assert_eq!(refused(&mut ledger, operation), closed);
    }
    // A late row is still charged: the operator pays.
    let late_row = run(&mut ledger, post(request(NOW, 3), account(2), 5));
    assert_eq!(late_row.uncovered, 5);
}

#[test]
fn a_transfer_to_oneself_is_refused() {
    let mut ledger = funded();
    for operation in [
        grant("a", account(1), account(1), 1),
        sweep(account(1), Some(account(1))),
    ] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::SameAccount);
    }
}

#[test]
fn a_forgotten_request_is_refused_and_not_charged_again() {
    let mut ledger = funded();
    let (old, open) = (request(NOW - 9, 1), request(NOW - 9, 2));
    run(&mut ledger, hold(open, account(1), 10));
    run(&mut ledger, post(old, account(1), 70));
    ledger.forget_settled();
    run(&mut ledger, post(old, account(1), 70));
    assert_eq!(ledger.totals().consumed, 70, "still remembered");
    ledger.forget_settled();
    for act in [
        post(old, account(1), 70),
        hold(old, account(1), 70),
        Act::Release(old),
    ] {
        assert_eq!(refused(&mut ledger, act), LedgerError::TooOld(old));
    }
    // A stream that outlasted the memory is settled, and newer requests go on.
    run(&mut ledger, post(open, account(1), 10));
    run(&mut ledger, post(request(NOW + 1, 3), account(1), 1));
    assert_eq!(ledger.totals().consumed, 81);
    let mut restored = restored(&ledger);
    let error = refused(&mut restored, post(old, account(1), 70));
    assert_eq!(error, LedgerError::TooOld(old));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_every_new_request_too_old() {
    let mut ledger = funded();
    run(&mut ledger, post(request(NOW, 1), account(1), 1));
    ledger.forget_settled();
    ledger.forget_settled();
    let earlier = NOW - 60_000;
    let call = request(earlier, 2);
    ledger.hold(call, account(1), 10, earlier).unwrap();
    ledger.post(bill(call, account(1), 10, 0), earlier).unwrap();
    assert_eq!(ledger.totals().consumed, 11);
}

#[test]
fn a_settled_request_cannot_be_held_again_because_its_second_charge_would_be_taken_for_the_first() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    for end in [post(call, account(1), 70), Act::Release(call)] {
        let mut ledger = ledger.clone();
        run(&mut ledger, hold(call, account(1), 100));
        run(&mut ledger, end);
        let error = refused(&mut ledger, hold(call, account(1), 100));
        assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    }
    run(&mut ledger, hold(call, account(1), 100));
}

#[test]
fn parallel_requests_at_the_limit_never_overshoot_it_and_reach_it() {
    let ledger = std::sync::Mutex::new(funded());
    let admitted = std::sync::atomic::AtomicI64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (ledger, admitted) = (&ledger, &admitted);
            scope.spawn(move || {
                for number in 0..100 {
                    let call = request(NOW, worker * 1_000 + number);
                    let held = ledger.lock().unwrap().hold(call, account(1), 3, NOW);
                    admitted.fetch_add(
                        i64::from(held.is_ok()),
                        std::sync::atomic::Ordering::Relaxed,
                    );
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 333);
    let ledger = ledger.into_inner().unwrap();
    assert_eq!((available(&ledger, 1), ledger.totals().held), (1, 999));
    ledger.verify().unwrap();
}
