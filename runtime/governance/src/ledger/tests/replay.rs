//! What is written down of a charge, and what becomes of it after a crash.

use super::*;

#[test]
fn an_entry_is_the_same_with_and_without_a_hold() {
    let (mut with, mut without) = (funded(), funded());
    for ledger in [&mut with, &mut without] {
        run(ledger, issue("soon", account(1), 50, Some(NOW + 9)));
    }
    let call = request(NOW, 1);
    run(&mut with, hold(call, account(1), 300));
    run(&mut with, Act::Extend(call, 700));
    let direct = execute(&mut without, post(call, account(1), 200), NOW).unwrap();
    let held = execute(&mut with, post(call, account(1), 200), NOW).unwrap();
    assert_eq!(held, direct);
    assert_eq!(as_stored(&with), as_stored(&without));
    let entry = held.entry.unwrap();
    let lots: Vec<_> = entry.postings.iter().map(|p| p.amount).collect();
    assert_eq!(lots, [-50, -150, 200]);
}

#[test]
fn a_charge_above_its_hold_names_a_lot_once_though_hold_and_wallet_both_pay_from_it() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    // Comes later, is spent sooner.
    run(&mut ledger, issue("soon", account(1), 30, Some(NOW + 9)));
    let outcome = execute(&mut ledger, post(call, account(1), 250), NOW).unwrap();
    let amounts: Vec<_> = outcome
        .entry
        .iter()
        .flat_map(|entry| &entry.postings)
        .collect();
    let amounts: Vec<_> = amounts.iter().map(|p| p.amount).collect();
    assert_eq!(amounts, [-30, -220, 250]);
}

#[test]
fn a_preview_is_what_a_post_would_give_and_changes_nothing() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 300));
    let before = ledger.clone();
    let preview = ledger
        .preview(bill(call, account(1), 280, 20), NOW)
        .unwrap();
    assert_eq!(ledger, before);
    let posted = ledger.post(bill(call, account(1), 280, 20), NOW).unwrap();
    assert_eq!(posted.1, Some(preview));
    for (request, wallet) in [(request(NOW, 2), 1), (call, 2)] {
        let error = before.preview(bill(request, account(wallet), 1, 0), NOW);
        assert!(error.is_err(), "{request} {wallet}");
    }
}

#[test]
fn a_preview_above_its_hold_promises_no_credit_that_others_may_spend() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 300));
    let preview = ledger.preview(bill(call, account(1), 900, 0), NOW).unwrap();
    let amounts: Vec<_> = preview.postings.iter().map(|p| p.amount).collect();
    assert_eq!(amounts, [-300, -600, 900]);
}

/// A ledger that only a store knows: what was funded, and these entries.
fn replayed(entries: &[Entry]) -> Ledger {
    let mut ledger = funded();
    for entry in entries {
        ledger.replay(entry).unwrap();
    }
    ledger
}

#[test]
fn after_a_crash_a_journaled_hold_is_charged_once_and_what_it_held_is_used() {
    let mut ledger = funded();
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(1), 100));
    let preview = ledger.preview(bill(call, account(1), 100, 0), NOW).unwrap();
    let mut again = replayed(&[]);
    assert_eq!(again.recover(&preview).unwrap(), Some(preview.clone()));
    // The crash came during recovery: it is done again.
    assert_eq!(again.recover(&preview).unwrap(), None);
    assert_eq!((again.totals().consumed, available(&again, 1)), (100, 900));
    again.verify().unwrap();
}

#[test]
fn a_hold_that_was_settled_in_memory_alone_is_charged_to_what_others_left_and_never_below_zero() {
    let mut ledger = funded();
    let (first, second) = (request(NOW, 1), request(NOW, 2));
    run(&mut ledger, hold(first, account(1), 1_000));
    let journaled = ledger
        .preview(bill(first, account(1), 1_000, 0), NOW)
        .unwrap();
    // Killed before this settlement was written, but after the other call's was, which spent what it gave back.
    run(&mut ledger, post(first, account(1), 100));
    run(&mut ledger, hold(second, account(1), 900));
    let written = execute(&mut ledger, post(second, account(1), 900), NOW).unwrap();
    let mut again = replayed(&[written.entry.unwrap()]);
    let stored = again.recover(&journaled).unwrap().unwrap();
    assert_eq!(stored.cause, journaled.cause, "no charge is lost");
    assert_eq!(again.totals().consumed, 1_900);
    assert_eq!(again.totals().uncovered, 900);
    assert_eq!(available(&again, 1), 0);
    again.verify().unwrap();
}

#[test]
fn a_stream_that_outlasted_the_memory_of_the_ledger_is_recovered_all_the_same() {
    let mut ledger = funded();
    let (stream, later) = (request(NOW - 3_600_000, 1), request(NOW, 2));
    run(&mut ledger, hold(stream, account(1), 100));
    let journaled = ledger
        .preview(bill(stream, account(1), 100, 0), NOW)
        .unwrap();
    let mut again = replayed(&[]);
    run(&mut again, post(later, account(1), 950));
    again.forget_settled();
    again.forget_settled();
    again.recover(&journaled).unwrap().unwrap();
    assert_eq!(
        (again.totals().consumed, again.totals().uncovered),
        (1_050, 50)
    );
}

#[test]
fn a_charge_stored_after_the_sweep_that_followed_it_is_replayed() {
    let mut ledger = funded();
    run(&mut ledger, grant("a", account(1), account(2), 500));
    let begun = grant("a", account(1), account(2), 500);
    let call = request(NOW, 1);
    run(&mut ledger, hold(call, account(2), 100));
    let posted = execute(&mut ledger, post(call, account(2), 100), NOW).unwrap();
    let swept = execute(&mut ledger, sweep(account(2), Some(account(1))), NOW).unwrap();
    let mut again = funded();
    run(&mut again, begun);
    for entry in [swept.entry.unwrap(), posted.entry.unwrap()] {
        again.replay(&entry).unwrap();
    }
    assert_eq!(as_stored(&again), as_stored(&ledger));
}

#[test]
fn a_replay_counts_more_credit_than_one_number_holds_where_the_charges_between_come_late() {
    let mut ledger = Ledger::default();
    let (mut grants, mut posts) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let key = format!("grant-{number}");
        let granted = execute(&mut ledger, issue(&key, account(1), i64::MAX, None), NOW);
        grants.extend(granted.unwrap().entry);
        let posted = post(request(NOW, number), account(1), i64::MAX);
        posts.extend(execute(&mut ledger, posted, NOW).unwrap().entry);
    }
    let mut again = Ledger::default();
    for entry in grants.iter().chain(&posts) {
        again.replay(entry).unwrap();
        again.verify().unwrap();
        assert!(again.balance(account(1), NOW).available >= 0);
    }
    assert_eq!(as_stored(&again), as_stored(&ledger));
}
