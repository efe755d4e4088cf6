//! Each rule of the ledger, by its meaning.

use super::*;

/// A ledger in which account 1 has 1,000 for ever.
fn funded() -> Ledger {
    let mut ledger = Ledger::default();
    run(&mut ledger, issue("first", account(1), 1_000, None));
    ledger
}

/// Does it now, and checks that the books still add up.
fn run(ledger: &mut Ledger, operation: Operation) -> Receipt {
    let outcome = ledger.execute(operation, NOW).unwrap();
    ledger.verify().unwrap();
    outcome.receipt
}

fn refused(ledger: &mut Ledger, operation: Operation) -> LedgerError {
    let before = ledger.clone();
    let error = ledger.execute(operation, NOW).unwrap_err();
    assert_eq!(*ledger, before, "a refusal changes nothing");
    error
}

fn available(ledger: &Ledger, number: u64) -> i64 {
    ledger.balance(account(number), NOW).available
}

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
            ledger.execute(call, NOW).is_ok()
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
        run(&mut ledger, Operation::Release { request: call });
    }
    assert_eq!(available(&ledger, 1), 1_000);
    assert_eq!(ledger.open_holds().count(), 0);
}

#[test]
fn settling_a_usage_row_again_charges_nothing_and_answers_the_same() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    let held = run(&mut ledger, hold(call, account(1), 100));
    let receipt = run(&mut ledger, post(call, account(1), 70));
    for _ in 0..3 {
        let again = ledger.execute(post(call, account(1), 70), NOW + 9).unwrap();
        assert_eq!((again.receipt, again.entry), (receipt, None));
        assert_eq!(run(&mut ledger, hold(call, account(1), 100)), held);
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
    conflict(refused(&mut ledger, Operation::Release { request: call }));
    conflict(refused(&mut ledger, hold(call, account(1), 99)));
    let other = request(NOW, 2);
    run(&mut ledger, hold(other, account(1), 100));
    run(&mut ledger, Operation::Release { request: other });
    let error = refused(&mut ledger, post(other, account(1), 70));
    assert!(error.to_string().contains("a release"), "{error}");
    let extend = Operation::Extend {
        request: other,
        to_amount: 5,
    };
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
        let error = ledger.execute(operation, late).unwrap_err();
        assert_eq!(error, insufficient);
    }
    let balance = ledger.balance(account(1), late);
    assert_eq!((balance.available, balance.expired), (0, 100));
    assert_eq!(ledger.balance(account(1), late - 1).available, 100);
    assert!(ledger.due(late).eq([account(1)]));
    let expire = Operation::Expire { wallet: account(1) };
    let outcome = ledger.execute(expire.clone(), late).unwrap();
    assert_eq!(outcome.receipt.amount, 100);
    assert_eq!(ledger.execute(expire, late).unwrap().entry, None);
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
    let receipt = ledger
        .execute(post(call, account(1), 50), late)
        .unwrap()
        .receipt;
    assert_eq!((receipt.amount, receipt.uncovered), (50, 0));
    assert_eq!(ledger.balance(account(1), late).available, 0);
    let expire = Operation::Expire { wallet: account(1) };
    assert_eq!(ledger.execute(expire, late).unwrap().receipt.amount, 50);
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
fn an_absurd_charge_overflows_nothing_and_undercharges_nobody() {
    let mut ledger = funded();
    for number in 0..3 {
        let call = request(NOW, number);
        let room = available(&ledger, 1).min(10);
        run(&mut ledger, hold(call, account(1), room));
        run(&mut ledger, post(call, account(1), micro_units(u64::MAX)));
    }
    assert_eq!(ledger.totals().consumed, 3 * i128::from(i64::MAX));
    assert_eq!(ledger.imbalance(), 0);
    let fee = Operation::Post {
        request: request(NOW, 9),
        wallet: account(1),
        amount: i64::MAX,
        fee: 1,
    };
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
            Operation::Extend {
                request: call,
                to_amount: amount,
            },
            Operation::Post {
                request: call,
                wallet: account(1),
                amount: 0,
                fee: amount,
            },
        ] {
            assert_eq!(refused(&mut ledger, operation), LedgerError::Amount(amount));
        }
    }
    for operation in [issue("k", to, 0, None), reclaim("k", account(1), None, 0)] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::Amount(0));
    }
    let error = refused(&mut ledger, issue("k", to, i64::MAX, None));
    assert_eq!(error, LedgerError::Overflow);
    run(&mut ledger, issue("k", to, i64::MAX - 1_000, None));
    run(&mut ledger, grant("l", to, account(1), i64::MAX - 1_000));
    assert_eq!(available(&ledger, 1), i64::MAX);
}

#[test]
fn a_long_stream_extends_its_hold_and_a_repeated_extension_takes_nothing_more() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    let to = |to_amount| Operation::Extend {
        request: call,
        to_amount,
    };
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
    let with_fee = Operation::Post {
        request: call,
        wallet: account(1),
        amount: 90,
        fee: 20,
    };
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
    let sweep = Operation::Sweep {
        wallet: account(2),
        to: Some(account(1)),
    };
    assert_eq!(
        refused(&mut ledger, sweep.clone()),
        LedgerError::HoldsOpen(1)
    );
    run(&mut ledger, Operation::Release { request: call });
    // By then one lot has expired: it does not come alive by moving.
    let late = NOW + 100;
    let receipt = ledger.execute(sweep.clone(), late).unwrap().receipt;
    assert_eq!(ledger.totals().expired, 40);
    assert_eq!(ledger.balance(account(1), late).available, 1_060);
    assert!(
        ledger
            .lots(account(1))
            .any(|(lot, _)| lot.expires_ms == NOW + 900)
    );
    assert!(ledger.balance(account(2), late).closed);
    // Again: the same answer. Anything else finds it closed, and no money is stranded there.
    assert_eq!(run(&mut ledger, sweep), receipt);
    let closed = LedgerError::Closed(account(2));
    for operation in [
        grant("d", account(1), account(2), 1),
        issue("d", account(2), 1, None),
        hold(request(NOW, 2), account(2), 0),
        Operation::Sweep {
            wallet: account(2),
            to: None,
        },
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
        Operation::Sweep {
            wallet: account(1),
            to: Some(account(1)),
        },
    ] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::SameAccount);
    }
}

#[test]
fn of_two_operations_planned_on_one_state_the_second_must_be_planned_again() {
    let mut ledger = funded();
    let plan = |ledger: &Ledger, key| match ledger
        .plan(grant(key, account(1), account(2), 700), NOW)
        .unwrap()
    {
        Planned::Entry(entry) => entry,
        Planned::Done(_) => unreachable!(),
    };
    let (first, second) = (plan(&ledger, "a"), plan(&ledger, "b"));
    ledger.apply(&first).unwrap();
    let before = ledger.clone();
    assert_eq!(
        ledger.apply(&second),
        Err(LedgerError::Sequence { last: 2, found: 2 })
    );
    assert_eq!(ledger, before);
    // Checked then taken: there was enough for one.
    let error = refused(&mut ledger, grant("b", account(1), account(2), 700));
    assert!(matches!(error, LedgerError::Insufficient { .. }));
}

#[test]
fn a_forgotten_request_is_refused_and_not_charged_again() {
    let mut ledger = funded();
    let (old, open) = (request(NOW, 1), request(NOW, 2));
    run(&mut ledger, hold(open, account(1), 10));
    run(&mut ledger, post(old, account(1), 70));
    ledger.forget_settled();
    run(&mut ledger, post(old, account(1), 70));
    assert_eq!(ledger.totals().consumed, 70, "still remembered");
    ledger.forget_settled();
    for operation in [post(old, account(1), 70), hold(old, account(1), 70)] {
        assert_eq!(refused(&mut ledger, operation), LedgerError::TooOld(old));
    }
    // A stream that outlasted the memory is settled, and newer requests go on.
    run(&mut ledger, post(open, account(1), 10));
    run(&mut ledger, post(request(NOW + 1, 3), account(1), 1));
    assert_eq!(ledger.totals().consumed, 81);
    let restored = restored(&ledger);
    assert!(matches!(
        restored.plan(post(old, account(1), 70), NOW),
        Err(LedgerError::TooOld(_))
    ));
}

#[test]
fn after_a_crash_open_holds_are_found_and_settled_once() {
    let mut ledger = funded();
    let mut records = Vec::new();
    for number in 0..5 {
        let call = hold(request(NOW, number), account(1), 100);
        records.extend(ledger.execute(call, NOW).unwrap().entry);
    }
    let done = post(request(NOW, 0), account(1), 30);
    records.extend(ledger.execute(done, NOW).unwrap().entry);
    let mut again = funded();
    for entry in &records {
        again.apply(&Entry::decode(&bytes(entry)).unwrap()).unwrap();
    }
    let mut holds: Vec<_> = again.open_holds().collect();
    holds.sort_by_key(|hold| hold.request);
    assert_eq!(holds.len(), 4);
    assert_eq!(holds[0].request, request(NOW, 1));
    assert_eq!((holds[0].amount, holds[0].at_ms), (100, NOW));
    for _ in 0..2 {
        for hold in &holds {
            run(&mut again, post(hold.request, hold.wallet, hold.amount));
        }
    }
    assert_eq!(again.totals().consumed, 430);
    assert_eq!(again.open_holds().count(), 0);
}

#[test]
fn a_missing_a_repeated_and_an_altered_record_are_noticed() {
    let mut ledger = Ledger::default();
    let mut entries = Vec::new();
    for operation in [
        issue("a", account(1), 1_000, None),
        hold(request(NOW, 1), account(1), 100),
        post(request(NOW, 1), account(1), 60),
    ] {
        entries.extend(ledger.execute(operation, NOW).unwrap().entry);
    }
    let replay = |entries: &[Entry]| {
        let mut ledger = Ledger::default();
        entries
            .iter()
            .try_for_each(|entry| ledger.apply(entry).map(|_| ()))
    };
    assert_eq!(replay(&entries), Ok(()));
    let missing = [entries[0].clone(), entries[2].clone()];
    let repeated = [entries[0].clone(), entries[0].clone()];
    for wrong in [missing, repeated] {
        assert!(matches!(
            replay(&wrong),
            Err(LedgerError::Sequence { last: 1, .. })
        ));
    }
    // Any amount changed by one, in the operation or in a posting.
    for at in 0..entries.len() {
        for line in 0..entries[at].postings.len() {
            let mut altered = entries.clone();
            altered[at].postings[line].amount += 1;
            assert!(replay(&altered).is_err(), "entry {at} line {line}");
        }
        let mut altered = entries.clone();
        match &mut altered[at].operation {
            Operation::Grant { amount, .. }
            | Operation::Hold { amount, .. }
            | Operation::Post { amount, .. } => *amount += 1,
            _ => unreachable!(),
        }
        assert!(replay(&altered).is_err(), "entry {at}");
    }
}

#[test]
fn an_entry_takes_few_bytes_and_every_cut_and_newer_version_is_refused() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    for operation in [
        hold(call, account(1), 61_440),
        post(call, account(1), 9_871),
        issue("b", account(2), 5, Some(NOW + 5)),
        reclaim("c", account(2), Some(account(3)), 2),
        Operation::Sweep {
            wallet: account(2),
            to: None,
        },
    ] {
        let mut ledger_with_room = ledger.clone();
        if available(&ledger, 1) == 1_000 {
            run(&mut ledger, issue("room", account(1), 1_000_000, None));
            ledger_with_room = ledger.clone();
        }
        let entry = ledger_with_room
            .execute(operation, NOW)
            .unwrap()
            .entry
            .unwrap();
        ledger = ledger_with_room;
        let good = bytes(&entry);
        assert!(good.len() <= 100, "{entry:?}: {}", good.len());
        assert_eq!(Entry::decode(&good).unwrap(), entry);
        for length in 0..good.len() {
            assert_eq!(Entry::decode(&good[..length]), Err(LedgerError::Damaged));
        }
        let mut newer = good.clone();
        newer[0] = 2;
        assert_eq!(Entry::decode(&newer), Err(LedgerError::Newer(2)));
    }
}

/// What version 1 wrote for the operations below. Never to be changed: every later version must read it.
const V1_ENTRIES: [&str; 8] = [
    "01018080b3c19c3301036a616e008090ae95a633000000000000000000000000acc00001d00f0200cf0f0400000000000000\
     0000000000acc00001018090ae95a633d00f",
    "01028080b3c19c3301056a616e2f3201000000000000000000000000acc00001000000000000000000000000acc00002a006\
     0204000000000000000000000000acc00001018090ae95a6339f0604000000000000000000000000acc00002018090ae95a6\
     33a006",
    "01038080b3c19c33030199c82cc00070008000000000000001000000000000000000000000acc00002c80102040000000000\
     00000000000000acc00002018090ae95a633c70145018090ae95a633c801",
    "01048080b3c19c33040199c82cc00070008000000000000001ac020204000000000000000000000000acc00002018090ae95\
     a6336345018090ae95a63364",
    "01058080b3c19c33050199c82cc00070008000000000000001000000000000000000000000acc00002f00106040500000000\
     0000000000000000acc00002018090ae95a633ab0244018090ae95a6333601f0010306",
    "01068080b3c19c33050199c82cc00070008000000000000002000000000000000000000000acc000020e0002040000000000\
     00000000000000acc00002018090ae95a6330d010e",
    "01078080b3c19c3302046261636b000000000000000000000000acc0000201000000000000000000000000acc00001280204\
     000000000000000000000000acc00002018090ae95a6332704000000000000000000000000acc00001018090ae95a63328",
    "01088080b3c19c3308000000000000000000000000acc00002000204000000000000000000000000acc00002018090ae95a6\
     33f30300f403",
];

/// The state after them, as version 1 wrote it.
const V1_CHECKPOINT: &str = "010812fdffffffffffffffffffffffffffff6c02000000000000000000000000000000000000000000000000000000000000\
     7f00000000000000000000000000000000000000000000000000000000000000030000000000000000000000000000000000\
     000000000000000000000000000002000000000000000000000000acc0000101018090ae95a633d809000000000000000000\
     00000000acc0000200010008f403000000020199c82cc0007000800000000000000103000000000000000000000000acc000\
     0203c80100f0010605f601000199c82cc0007000800000000000000202000000000000000000000000acc000020e00060e00\
     0003f9eedb1c486b96c189c289d6e47040867b0db145b038dbe79c5c60da4624708a02a006003c482346f375027677fa8a0d\
     6830a327845a714ec323062d810760d60544abfe0728006a0ac0fd972c325d6ca5512b67a5e0ad92e2539243ab9af099c823\
     6e287d35e201d00f001249ed05fe77ac68ee101e229ffb7c2eaa1b42d30f4a8567ceae62d6412fc13e";

#[test]
fn what_version_1_wrote_is_read_for_good() {
    let from_hex = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let (mut fresh, mut replayed) = (Ledger::default(), Ledger::default());
    for (operation, stored) in v1_operations().into_iter().zip(V1_ENTRIES) {
        let entry = Entry::decode(&from_hex(stored)).unwrap();
        assert_eq!(entry.operation, operation);
        fresh.execute(operation, NOW).unwrap();
        replayed.apply(&entry).unwrap();
    }
    assert_eq!(replayed, fresh);
    let checkpoint = from_hex(V1_CHECKPOINT);
    assert_eq!(Ledger::from_checkpoint(&checkpoint).unwrap(), fresh);
}

/// One of each kind.
fn v1_operations() -> [Operation; 8] {
    let (first, second) = (request(NOW, 1), request(NOW, 2));
    [
        issue("jan", account(1), 1_000, Some(NOW + 2_592_000_000)),
        grant("jan/2", account(1), account(2), 400),
        hold(first, account(2), 100),
        Operation::Extend {
            request: first,
            to_amount: 150,
        },
        Operation::Post {
            request: first,
            wallet: account(2),
            amount: 120,
            fee: 3,
        },
        post(second, account(2), 7),
        reclaim("back", account(2), Some(account(1)), 20),
        Operation::Sweep {
            wallet: account(2),
            to: None,
        },
    ]
}

#[test]
fn a_checkpoint_with_a_flipped_bit_is_refused() {
    let mut ledger = funded();
    run(&mut ledger, hold(request(NOW, 1), account(1), 10));
    run(&mut ledger, post(request(NOW, 2), account(1), 10));
    let mut good = Vec::new();
    ledger.checkpoint(&mut good);
    assert_eq!(Ledger::from_checkpoint(&good).unwrap(), ledger);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Ledger::from_checkpoint(&bad).is_err(), "{at}");
        assert!(Ledger::from_checkpoint(&good[..at]).is_err(), "{at}");
    }
}
