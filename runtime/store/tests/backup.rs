//! A backup of a live store is whole and of one moment, and is restored whole or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tollgate_governance::{
    AccountId, Begun, Ledger, Operation, Post, RollupFilter, Source, Span, UsageRow,
};
use tollgate_store::usage::GroupBy;
use tollgate_store::{
    DiskStore, Durability, Order, Store, StoreError, Table, UsageBatch, UsageRollups, Visit, Write,
    backup, ledger, usage,
};
use uuid::Uuid;

use common::{Stop, fold_all, wait_until};

fn open(path: &Path) -> DiskStore {
    DiskStore::open(path, Durability::Process).unwrap()
}

/// One commit: a row and its ledger record; every tenth time an account with its ledger record.
fn append(store: &dyn Store, number: u64) {
    let mut batch = UsageBatch::default();
    let row = UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: number * 37 % 5_000_000,
        charged: number,
        ..UsageRow::default()
    };
    batch.push_with(&row, b"row");
    store.append_usage(&batch).unwrap();
    if number.is_multiple_of(10) {
        let write = Write {
            table: Table::Accounts,
            key: number.to_be_bytes().to_vec(),
            value: Some(vec![7; 100]),
        };
        store
            .append_ledger(&[b"account".to_vec()], &[write])
            .unwrap();
    }
}

/// Rows, ledger records of rows, accounts, ledger records of accounts.
fn counts(store: &dyn Store) -> [u64; 4] {
    let mut counts = [0; 4];
    let mut numbers = HashSet::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        assert!(numbers.insert(row.charged));
        counts[0] += 1;
        Visit::Continue
    })
    .unwrap();
    // The rows up to some moment, without a gap.
    assert!((0..counts[0]).all(|number| numbers.contains(&number)));
    ledger::scan(store, 1..u64::MAX, &mut |_, record| {
        counts[if record == b"row" { 1 } else { 3 }] += 1;
        Visit::Continue
    })
    .unwrap();
    store
        .scan(Table::Accounts, &mut |_, _| {
            counts[2] += 1;
            Visit::Continue
        })
        .unwrap();
    counts
}

#[test]
fn a_backup_while_writes_go_on_is_of_one_moment_and_is_restored_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("live"));
    let (written, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                append(&store, number);
                written.store(number + 1, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let _stop = Stop(&stop);
        for turn in 0..5 {
            let wanted = written.load(Ordering::SeqCst) + 200;
            wait_until("writes go on", || written.load(Ordering::SeqCst) >= wanted);
            let path = folder.path().join(format!("backup-{turn}"));
            let before = written.load(Ordering::SeqCst);
            let made = backup::create(&store, &path).unwrap();
            assert_eq!(backup::verify(&path).unwrap(), made);
            let restored = folder.path().join(format!("restored-{turn}"));
            assert_eq!(backup::restore(&path, &restored).unwrap(), made);
            let again = open(&restored);
            let [rows, of_rows, accounts, of_accounts] = counts(&again);
            assert!(rows >= before, "{rows} of {before}");
            assert_eq!((rows, accounts), (of_rows, of_accounts), "one moment");
            // And it goes on: numbers of blocks and records are not given twice.
            for number in rows..rows + 300 {
                append(&again, number);
            }
            assert_eq!(counts(&again)[0], rows + 300);
        }
    });
    assert_eq!(counts(&store)[0], written.load(Ordering::SeqCst));
}

#[test]
fn what_is_committed_while_a_backup_is_read_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    (0..50).for_each(|number| append(&store, number));
    let (mut next, mut records, mut blocks) = (50, 0, 0);
    store
        .export(&mut |key, _| {
            match key.first() {
                Some(0x80) => blocks += 1,
                Some(table) if *table == Table::Ledger as u8 => records += 1,
                // Commits wait while these are read.
                _ => return Ok(()),
            }
            if next < 80 {
                append(&store, next);
                next += 1;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((records, blocks), (55, 50));
    assert_eq!(counts(&store), [80, 80, 8, 8]);
}

/// Kept answers may be gigabytes. Whoever commits while they are read waited for as long; this test would for ever.
#[test]
fn commits_go_on_while_kept_answers_are_read_and_each_that_was_there_is_in_the_backup() {
    const TURNS: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("live"));
    let turn = |number: u64| Write {
        table: Table::Turns,
        key: format!("resp_{number:04}").into_bytes(),
        value: Some(vec![number as u8; 2 << 20]),
    };
    (0..TURNS).for_each(|number| store.apply(&[turn(number)]).unwrap());
    (0..20).for_each(|number| append(&store, number));
    let (mut next, mut turns, mut blocks) = (20, 0, 0);
    store
        .export(&mut |key, value| {
            match key.first() {
                Some(0x80) => blocks += 1,
                Some(table) if *table == Table::Turns as u8 => {
                    turns += u64::from(value.len() == 2 << 20);
                    append(&store, next);
                    // One that is added, one that is written anew, one that is deleted.
                    let deleted = Write {
                        value: None,
                        ..turn(900 + next)
                    };
                    store.apply(&[turn(900 + next), turn(0)]).unwrap();
                    store.apply(&[deleted]).unwrap();
                    next += 1;
                }
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(
        (turns, blocks),
        (TURNS, 20),
        "rows are of the moment before"
    );
    let path = folder.path().join("backup");
    backup::create(&store, &path).unwrap();
    let again = folder.path().join("again");
    backup::restore(&path, &again).unwrap();
    let again = open(&again);
    for number in 0..TURNS {
        let Write { key, value, .. } = turn(number);
        assert_eq!(again.get(Table::Turns, &key).unwrap(), value);
    }
}

fn made(folder: &Path) -> std::path::PathBuf {
    let store = open(&folder.join("live"));
    (0..100).for_each(|number| append(&store, number));
    store.put(Table::Meta, b"pepper", b"sealed").unwrap();
    let path = folder.join("backup");
    backup::create(&store, &path).unwrap();
    path
}

#[test]
fn a_folder_with_something_in_it_is_neither_backed_up_into_nor_restored_onto() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path());
    let store = open(&folder.path().join("other"));
    assert!(matches!(
        backup::create(&store, &path),
        Err(StoreError::Backup { .. })
    ));
    append(&store, 5);
    drop(store);
    let error = backup::restore(&path, &folder.path().join("other")).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(
        open(&folder.path().join("other"))
            .get(Table::Meta, b"pepper")
            .unwrap(),
        None
    );
    // An empty folder is fine.
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    backup::restore(&path, &empty).unwrap();
    let store = open(&empty);
    assert_eq!(counts(&store), [100, 100, 10, 10]);
    assert_eq!(
        store.get(Table::Meta, b"pepper").unwrap().unwrap(),
        b"sealed"
    );
}

#[test]
fn a_changed_cut_interrupted_or_newer_backup_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path());
    let pairs = fs::read(path.join("store.pairs")).unwrap();
    let manifest = fs::read_to_string(path.join("tollgate-backup.json")).unwrap();
    let refused = |why: &str| {
        let into = folder.path().join("into");
        let error = backup::restore(&path, &into).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!into.exists());
    };
    let mut bad = pairs.clone();
    bad[pairs.len() / 2] ^= 1;
    fs::write(path.join("store.pairs"), &bad).unwrap();
    refused("checksum");
    fs::write(path.join("store.pairs"), &pairs[..pairs.len() - 9]).unwrap();
    refused("bytes instead of");
    fs::write(path.join("store.pairs"), &pairs).unwrap();
    let newer = manifest.replace("\"store_format\": 2", "\"store_format\": 9");
    fs::write(path.join("tollgate-backup.json"), newer).unwrap();
    refused("format 9");
    fs::remove_file(path.join("tollgate-backup.json")).unwrap();
    refused("interrupted");
    fs::write(path.join("tollgate-backup.json"), &manifest).unwrap();
    backup::restore(&path, &folder.path().join("into")).unwrap();
}

#[test]
fn rows_that_a_restored_store_adds_take_the_place_of_none_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("into");
    // The engine's numbers leap with each start: now both stores are at their second.
    drop(open(&folder.path().join("live")));
    backup::restore(&made(folder.path()), &into).unwrap();
    // Of the same ten seconds: only numbers tell their blocks apart.
    let store = open(&into);
    (100..200).for_each(|number| append(&store, number));
    assert_eq!(counts(&store), [200, 200, 20, 20]);
}

/// A backup that an older Tollgate made is migrated when the store is opened.
#[test]
fn a_backup_of_an_older_format_is_restored_and_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path());
    let manifest = fs::read_to_string(path.join("tollgate-backup.json")).unwrap();
    let older = manifest.replace("\"store_format\": 2", "\"store_format\": 1");
    fs::write(path.join("tollgate-backup.json"), older).unwrap();
    let into = folder.path().join("into");
    backup::restore(&path, &into).unwrap();
    let mark = || fs::read_to_string(into.join("tollgate-store.json")).unwrap();
    assert!(mark().contains("\"format\":1"));
    assert_eq!(counts(&open(&into)), [100, 100, 10, 10]);
    assert!(mark().contains("\"format\":2"));
}

#[test]
fn a_backup_carries_the_ledgers_books_from_checkpoint_and_records_and_they_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("live"));
    let wallet = AccountId(Uuid::from_u128(7));
    let mut books = ledger::load(&store).unwrap();
    let grant = |store: &DiskStore, books: &mut Ledger, key: &str| {
        let grant = Operation::Grant {
            key: key.into(),
            from: Source::Treasury { expires_ms: None },
            to: wallet,
            amount: 1_000,
        };
        match books.begin(grant, 5).unwrap() {
            Begun::Pending(pending) => {
                ledger::append(store, pending.entry()).unwrap();
                books.commit(pending);
                true
            }
            Begun::Done(_) => false,
        }
    };
    let call = |store: &DiskStore, books: &mut Ledger, number: u64| {
        let post = Post {
            request: Uuid::from_u128(u128::from(number) << 80),
            wallet,
            amount: 30,
            fee: 0,
        };
        let (_, entry) = books.post(post, 5).unwrap();
        let mut record = Vec::new();
        entry.unwrap().encode(&mut record);
        let mut batch = UsageBatch::default();
        batch.push_with(&UsageRow::default(), &record);
        store.append_usage(&batch).unwrap();
    };
    for number in 1..=10 {
        assert!(grant(&store, &mut books, &format!("before {number}")));
        call(&store, &mut books, number);
    }
    ledger::checkpoint(&store).unwrap();
    for number in 11..=15 {
        call(&store, &mut books, number);
    }
    let made = backup::create(&store, &folder.path().join("backup")).unwrap();
    assert_eq!(made.ledger_records, 25);
    // Not in it.
    call(&store, &mut books.clone(), 16);
    backup::restore(&folder.path().join("backup"), &folder.path().join("again")).unwrap();
    let again = open(&folder.path().join("again"));
    assert_eq!(
        ledger::since_checkpoint(&again).unwrap(),
        5,
        "the checkpoint is there"
    );
    let mut restored = ledger::load(&again).unwrap();
    assert_eq!(restored.totals(), books.totals());
    assert!(restored.lots(wallet).eq(books.lots(wallet)));
    assert!(
        !grant(&again, &mut restored, "before 3"),
        "keys are known for good"
    );
    assert!(grant(&again, &mut restored, "after"));
    call(&again, &mut restored, 16);
    assert_eq!(ledger::checkpoint(&again).unwrap(), 7);
    assert_eq!(ledger::load(&again).unwrap().totals(), restored.totals());
}

#[test]
fn rollups_are_in_no_backup_and_a_restored_store_makes_them_from_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let kept = || Arc::new(UsageRollups::new("Europe/Berlin").unwrap());
    let live = open(&folder.path().join("live")).with_fold(kept()).unwrap();
    let live = live.with_fold_step(1);
    (0..200).for_each(|number| append(&live, number));
    // In the middle of a fold, with some rows folded, some not.
    (0..2).for_each(|_| assert!(live.fold_rollups(0).unwrap()));
    append(&live, 200);
    let mut found = 0;
    live.export(&mut |key, _| {
        found += u32::from(key.first() == Some(&(Table::Rollups as u8)));
        Ok(())
    })
    .unwrap();
    assert_eq!(found, 0);
    backup::create(&live, &folder.path().join("backup")).unwrap();
    let into = folder.path().join("again");
    backup::restore(&folder.path().join("backup"), &into).unwrap();
    let again = open(&into).with_fold(kept()).unwrap();
    let report = |store: &dyn Store| {
        let by = GroupBy {
            time: true,
            ..GroupBy::default()
        };
        usage::report(store, Span::Hour, &RollupFilter::default(), &by).unwrap()
    };
    assert_eq!(report(&again), report(&live));
    append(&again, 201);
    fold_all(&again);
    let requests: u64 = report(&again).iter().map(|line| line.sums.requests).sum();
    assert_eq!(requests, 202);
}
