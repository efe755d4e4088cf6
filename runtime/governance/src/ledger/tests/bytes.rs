//! What is stored: entries and checkpoints as bytes, and what is noticed about altered ones.

use super::*;

/// One entry of each kind, in the order in which they were made.
fn entries() -> (Ledger, Vec<Entry>) {
    let (first, second) = (request(NOW, 1), request(NOW, 2));
    let mut ledger = Ledger::default();
    let mut entries = Vec::new();
    for act in [
        issue("jan", account(1), 1_000, Some(NOW + 2_592_000_000)),
        issue("gone", account(2), 9, Some(NOW + 1)),
        grant("jan/2", account(1), account(2), 400),
        hold(first, account(2), 100),
        Act::Extend(first, 150),
        Act::Post(charge(first, account(2), 120, 3)),
        post(second, account(3), 7),
        reclaim("back", account(2), Some(account(1)), 20),
        reclaim("less", account(1), None, 11),
        hold(request(NOW, 3), account(1), 5),
    ] {
        entries.extend(execute(&mut ledger, act, NOW).unwrap().entry);
    }
    ledger.release(request(NOW, 3)).unwrap();
    for act in [expire(account(2)), sweep(account(2), None)] {
        entries.extend(execute(&mut ledger, act, NOW + 1).unwrap().entry);
    }
    assert_eq!(entries.len(), 9);
    (ledger, entries)
}

fn replay(entries: &[Entry]) -> Result<Ledger, LedgerError> {
    let mut ledger = Ledger::default();
    for entry in entries {
        ledger.replay(entry)?;
    }
    Ok(ledger)
}

#[test]
fn a_replay_of_the_stored_bytes_gives_the_same_books() {
    let (ledger, entries) = entries();
    let stored: Vec<_> = entries
        .iter()
        .map(|entry| Entry::decode(&bytes(entry)).unwrap())
        .collect();
    assert_eq!(stored, entries);
    let replayed = replay(&stored).unwrap();
    assert_eq!(as_stored(&replayed), as_stored(&ledger));
    assert_eq!(restored(&replayed), replayed);
    replayed.verify().unwrap();
}

#[test]
fn a_missing_grant_a_repeated_and_an_altered_record_are_noticed_and_change_nothing() {
    let (_, entries) = entries();
    let refused = |entries: &[Entry], at: usize, what: &str| {
        let mut ledger = replay(&entries[..at]).unwrap();
        let before = ledger.clone();
        let replayed = ledger.replay(&entries[at]);
        assert!(matches!(replayed, Err(LedgerError::Inconsistent(_))), "{what}");
        assert_eq!(ledger, before, "{what}");
    };
    assert!(replay(&entries[1..]).is_err(), "the first grant is missing");
    for at in 0..entries.len() {
        let mut repeated = entries[..=at].to_vec();
        repeated.push(entries[at].clone());
        match &entries[at].cause {
            Cause::Operation(Operation::Sweep { .. }) => {}
            _ => refused(&repeated, at + 1, "repeated"),
        }
        // Any amount changed by one, in the cause or in a posting, or a posting that is gone.
        for line in 0..entries[at].postings.len() {
            let mut altered = entries.clone();
            altered[at].postings[line].amount += 1;
            refused(&altered, at, "posting");
            let mut altered = entries.clone();
            altered[at].postings.remove(line);
            refused(&altered, at, "a posting less");
            let mut altered = entries.clone();
            if let Some(lot) = &mut altered[at].postings[line].lot {
                lot.expires_ms -= 1;
                refused(&altered, at, "lot");
            }
            let mut altered = entries.clone();
            if let Book::Wallet(account) = &mut altered[at].postings[line].book {
                *account = super::account(9);
                refused(&altered, at, "wallet");
            }
        }
        let mut altered = entries.clone();
        match &mut altered[at].cause {
            Cause::Post(Post { amount, .. })
            | Cause::Operation(
                Operation::Grant { amount, .. } | Operation::Reclaim { amount, .. },
            ) => *amount += 1,
            Cause::Operation(Operation::Expire { wallet } | Operation::Sweep { wallet, .. }) => {
                *wallet = account(9);
            }
        }
        refused(&altered, at, "cause");
    }
}

#[test]
fn two_postings_out_of_one_lot_are_not_taken_for_one_that_fits() {
    let mut ledger = Ledger::default();
    execute(&mut ledger, issue("a", account(1), 100, None), NOW).unwrap();
    let lot = Lot {
        expires_ms: u64::MAX,
        id: 1,
    };
    let out = Posting::wallet(account(1), lot, -60);
    let entry = Entry {
        at_ms: NOW,
        cause: Cause::Post(charge(request(NOW, 1), account(1), 120, 0)),
        postings: vec![out, out, Posting::new(Book::Consumed, 120)],
    };
    assert!(ledger.replay(&entry).is_err());
    ledger.verify().unwrap();
}

#[test]
fn an_entry_takes_few_bytes_and_every_cut_and_other_version_is_refused() {
    for entry in entries().1 {
        let good = bytes(&entry);
        assert!(good.len() <= 100, "{entry:?}: {}", good.len());
        for length in 0..good.len() {
            assert_eq!(Entry::decode(&good[..length]), Err(LedgerError::Damaged));
        }
        let mut other = good.clone();
        other[0] = 3;
        assert_eq!(Entry::decode(&other), Err(LedgerError::Newer(3)));
        other[0] = 1;
        assert_eq!(Entry::decode(&other), Err(LedgerError::Damaged));
    }
}

/// What version 2 wrote for the entries above. Never to be changed: every later version must read it.
const V2_ENTRIES: [&str; 9] = [""; 9];

/// The books after them, as version 2 wrote them.
const V2_CHECKPOINT: &str = "";

#[test]
fn what_version_2_wrote_is_read_for_good() {
    let from_hex = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let (_, entries) = entries();
    for (entry, stored) in entries.iter().zip(V2_ENTRIES) {
        assert_eq!(Entry::decode(&from_hex(stored)).unwrap(), *entry);
    }
    let (books, last) = Ledger::from_checkpoint(&from_hex(V2_CHECKPOINT)).unwrap();
    assert_eq!((books, last), (replay(&entries).unwrap(), 9));
}

#[test]
fn a_checkpoint_with_a_flipped_bit_is_refused() {
    let (_, entries) = entries();
    let ledger = replay(&entries).unwrap();
    let mut good = Vec::new();
    ledger.checkpoint(9, &mut good).unwrap();
    assert_eq!(Ledger::from_checkpoint(&good).unwrap(), (ledger, 9));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Ledger::from_checkpoint(&bad).is_err(), "{at}");
        assert!(Ledger::from_checkpoint(&good[..at]).is_err(), "{at}");
    }
}

#[test]
fn a_ledger_that_serves_requests_is_no_checkpoint() {
    let mut ledger = replay(&entries().1).unwrap();
    let begun = ledger.begin(operation(issue("k", account(1), 5, None)), NOW);
    let moving = pending(begun);
    let refused = ledger.checkpoint(1, &mut Vec::new());
    assert!(matches!(refused, Err(LedgerError::UnderWay(_))));
    ledger.abort(moving);
    ledger.hold(request(NOW, 9), account(1), 0, NOW).unwrap();
    let refused = ledger.checkpoint(1, &mut Vec::new());
    assert_eq!(refused, Err(LedgerError::HoldsOpen(1)));
}
