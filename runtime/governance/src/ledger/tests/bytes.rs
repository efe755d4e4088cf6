//! What is stored: entries and checkpoints as bytes, and what is noticed about altered ones.

use super::*;

/// One entry of each kind, in the order in which they were made.
fn entries() -> (Ledger, Vec<Entry>) {
    let (first, second) = (request(NOW, 1), request(NOW, 2));
    let mut ledger = Ledger::default();
    let mut entries = Vec::new();
    for act in [
        issue("jan", account(1), 1_000, Some(NOW + 2_592_000_000)),
        issue("gone", account(4), 9, Some(NOW + 1)),
        grant("jan/2", account(1), account(2), 400),
        hold(first, account(2), 100),
        Act::Extend(first, 150),
        Act::Post(bill(first, account(2), 120, 3)),
        post(second, account(3), 7),
        reclaim("back", account(2), Some(account(1)), 20),
        reclaim("less", account(1), None, 11),
        hold(request(NOW, 3), account(1), 5),
    ] {
        entries.extend(execute(&mut ledger, act, NOW).unwrap().entry);
    }
    ledger.release(request(NOW, 3)).unwrap();
    for act in [expire(account(4)), sweep(account(2), None)] {
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
        assert!(
            matches!(replayed, Err(LedgerError::Inconsistent(_))),
            "{what}"
        );
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
        cause: Cause::Post(bill(request(NOW, 1), account(1), 120, 0)),
        postings: vec![out, out, Posting::new(Book::Consumed, 120)],
    };
    assert!(ledger.replay(&entry).is_err());
    ledger.verify().unwrap();
}

/// The same entries, asked for by somebody who sees the tree from an account, where they have a key.
fn scoped(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        if let Cause::Operation(Operation::Grant { key, .. } | Operation::Reclaim { key, .. }) =
            &mut entry.cause
        {
            key.scope = Some(account(5));
        }
    }
    entries
}

#[test]
fn the_scope_of_a_key_is_stored_in_a_version_that_others_refuse_by_name() {
    let (_, plain) = entries();
    let scoped = scoped(plain.clone());
    for (entry, plain) in scoped.iter().zip(&plain) {
        assert_eq!(Entry::decode(&bytes(entry)).unwrap(), *entry);
        let keyed = entry != plain;
        assert_eq!(bytes(entry)[0], if keyed { 3 } else { 2 });
        assert_eq!(bytes(plain)[0], 2);
    }
    // The first of version 3. Never to be changed: every later version must read it.
    let first: String = bytes(&scoped[0])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(first, V3_ENTRY);
    assert_eq!(
        replay(&scoped).unwrap().totals(),
        replay(&plain).unwrap().totals()
    );
}

#[test]
fn an_entry_takes_few_bytes_and_every_cut_and_other_version_is_refused() {
    let (_, plain) = entries();
    for entry in plain.iter().cloned().chain(scoped(plain.clone())) {
        let good = bytes(&entry);
        let most = match entry.cause {
            Cause::Post(_) => 80,
            Cause::Operation(_) => 126,
        };
        assert!(good.len() <= most, "{entry:?}: {}", good.len());
        for length in 0..good.len() {
            assert_eq!(Entry::decode(&good[..length]), Err(LedgerError::Damaged));
        }
        let mut other = good.clone();
        other[0] = 4;
        assert_eq!(Entry::decode(&other), Err(LedgerError::Newer(4)));
        other[0] = 1;
        assert_eq!(Entry::decode(&other), Err(LedgerError::Damaged));
    }
}

/// What version 3 wrote for the first of the entries above, with a scope.
const V3_ENTRY: &str = "038080b3c19c33000000000000000000000000acc0000501036a616e008090ae95a633000000000000000000000000acc00001d00f0200cf0f0400000000000000000000\
     0000acc00001018090ae95a633d00f";

/// What version 2 wrote for the entries above. Never to be changed: every later version must read it.
const V2_ENTRIES: [&str; 9] = [
    "028080b3c19c3301036a616e008090ae95a633000000000000000000000000acc00001d00f0200cf0f040000000000000000\
     00000000acc00001018090ae95a633d00f",
    "028080b3c19c330104676f6e65008180b3c19c33000000000000000000000000acc000041202001104000000000000000000\
     000000acc00004028180b3c19c3312",
    "028080b3c19c3301056a616e2f3201000000000000000000000000acc00001000000000000000000000000acc00002a00602\
     04000000000000000000000000acc00001018090ae95a6339f0604000000000000000000000000acc00002018090ae95a633\
     a006",
    "028080b3c19c33030199c82cc00070008000000000000001000000000000000000000000acc00002f0010603040000000000\
     00000000000000acc00002018090ae95a633f50101f0010306",
    "028080b3c19c33030199c82cc00070008000000000000002000000000000000000000000acc000030e0002000d010e",
    "028080b3c19c3302046261636b000000000000000000000000acc0000201000000000000000000000000acc0000128020400\
     0000000000000000000000acc00002018090ae95a6332704000000000000000000000000acc00001018090ae95a63328",
    "028080b3c19c3302046c657373000000000000000000000000acc0000100160204000000000000000000000000acc0000101\
     8090ae95a633150016",
    "028180b3c19c3304000000000000000000000000acc000040204000000000000000000000000acc00004028180b3c19c3311\
     0212",
    "028180b3c19c3305000000000000000000000000acc00002000204000000000000000000000000acc00002018090ae95a633\
     8104008204",
];

/// The books after them, as version 2 wrote them.
const V2_CHECKPOINT: &str = "02090214fdffffffffffffffffffffffffffff610200000000000000000000000000007f0000000000000000000000000000\
    0009000000000000000000000000000000030000000000000000000000000000000700000000000000000000000000000003\
    000000000000000000000000acc000040000000000000000000000000000acc0000101018090ae95a633c209000000000000\
    00000000000000acc0000200010082040000020199c82cc00070008000000000000002000000000000000000000000acc000\
    030e000e0199c82cc00070008000000000000001000000000000000000000000acc00002f00106000005f9eedb1c486b96c1\
    89c289d6e47040867b0db145b038dbe79c5c60da4624708aa006006a0ac0fd972c325d6ca5512b67a5e0ad92e2539243ab9a\
    f099c8236e287d35e2d00f003c482346f375027677fa8a0d6830a327845a714ec323062d810760d60544abfe28004fdd3b62\
    01a22c7814d6e67dbb7a1779488ff60868c26b981b6f3a7d2e2d69311600283bb9deef02e6843abfb538efa1eca7a5c043f7\
    87f1feec974218788d8ec9e71200539311903e74884248cccbe43e5cd0546dedc55ec7bfd6e0cbb6fd5c9d97641b";

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
    let (mut books, last) = Ledger::from_checkpoint(&from_hex(V2_CHECKPOINT)).unwrap();
    let replayed = replay(&entries).unwrap();
    // Every key of it is known again, though its content had the wallet that stood for the account above.
    for entry in &entries {
        if let Cause::Operation(operation) = &entry.cause
            && matches!(
                operation,
                Operation::Grant { .. } | Operation::Reclaim { .. }
            )
        {
            let begun = books.begin(operation.clone(), NOW);
            assert!(matches!(begun, Ok(Begun::Done(_))), "{operation:?}");
        }
    }
    assert_eq!(books.keys.done.len(), replayed.keys.done.len());
    books.keys = replayed.keys.clone();
    assert_eq!((books, last), (replayed, 9));
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
