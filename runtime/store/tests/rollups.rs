//! Roll-ups and ledger: what the rows say at every moment, whatever fails or is killed, folded or not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tollgate_governance::{AccountId, Rollup, RollupKey, Span, Sums, UsageRow, Zone};
use tollgate_store::{
    DiskStore, Durability, MemoryStore, Order, Store, StoreError, Table, UsageBatch, UsageRollups,
    Visit, Write, ledger, usage,
};
use uuid::Uuid;

use common::{Stop, fold_all};

const HOUR_MS: u64 = 3_600_000;
/// Hours and days do not begin together there.
const ZONE: &str = "Asia/Kathmandu";

fn kept(zone: &str) -> Arc<UsageRollups> {
    Arc::new(UsageRollups::new(zone).unwrap())
}

type Groups = BTreeMap<RollupKey, Sums>;

/// What the rows of a store say the roll-ups must be.
fn from_rows(store: &dyn Store, zone: &str) -> Groups {
    let mut rollup = Rollup::new(Zone::named(zone).unwrap());
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        rollup.add(&row);
        Visit::Continue
    })
    .unwrap();
    let groups = rollup.groups();
    groups
        .map(|(key, sums)| (key.clone(), sums.clone()))
        .collect()
}

fn rollups(store: &dyn Store) -> Groups {
    between(store, &[0], &[0xff])
}

fn between(store: &dyn Store, from: &[u8], to: &[u8]) -> Groups {
    let mut found = Groups::new();
    store
        .scan_rollups(from, to, &mut |key, value| {
            let key = RollupKey::decode(key).unwrap();
            let sums = Sums::decode(value).unwrap();
            found.entry(key).or_default().merge(&sums);
            Ok(Visit::Continue)
        })
        .unwrap();
    found
}

fn row(number: u64, at: u64, account: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: 1_760_000_000_000 + at,
        path: vec![AccountId(Uuid::from_u128(u128::from(account) << 40))].into(),
        names: format!("root/a{account}").into(),
        provider: "echo".into(),
        requested_model: "m".into(),
        charged: number,
        ..UsageRow::default()
    }
}

fn append(store: &dyn Store, round: u64) -> Result<(), StoreError> {
    let mut batch = UsageBatch::default();
    for number in 0..50 {
        // Late rows of earlier hours among them.
        let at = (round * 7 + number * number) * 600_000 % (50 * HOUR_MS);
        let row = row(round * 50 + number, at, number % 9);
        batch.push_with(&row, &round.to_be_bytes());
    }
    store.append_usage(&batch)
}

fn open(path: &Path) -> DiskStore {
    DiskStore::open(path, Durability::Process).unwrap()
}

fn each_engine(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::with_fold(kept(ZONE)).with_fold_step(1));
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).with_fold(kept(ZONE)).unwrap();
    test(&store.with_fold_step(1));
}

fn ledger_records(store: &dyn Store) -> u64 {
    let mut records = 0;
    ledger::scan(store, 0..u64::MAX, &mut |_, _| {
        records += 1;
        Visit::Continue
    })
    .unwrap();
    records
}

#[test]
fn what_is_committed_during_a_fold_is_more_to_do() {
    each_engine(|store| {
        append(store, 0).unwrap();
        assert!(store.fold_rollups(0).unwrap());
        append(store, 1).unwrap();
        fold_all(store);
        // Each commit leaves a note until it is folded.
        let mut notes = 0;
        let count = &mut |key: &[u8], _: &[u8]| {
            notes += usize::from(key.first() == Some(&0));
            Visit::Continue
        };
        store.scan(Table::Rollups, count).unwrap();
        assert_eq!(notes, 0, "the next start reads them again");
        assert_eq!(rollups(store), from_rows(store, ZONE));
    });
}

#[test]
fn rollups_and_ledger_agree_with_the_rows_after_every_commit_and_every_step_of_a_fold() {
    each_engine(|store| {
        for round in 0..40 {
            append(store, round).unwrap();
            let expected = from_rows(store, ZONE);
            assert!(!expected.is_empty());
            assert_eq!(rollups(store), expected, "round {round}");
            assert_eq!(ledger_records(store), (round + 1) * 50);
            // Some rounds fold a little, some all of it.
            let mut steps = 0;
            while steps < [0, 3, 1_000][round as usize % 3] && store.fold_rollups(0).unwrap() {
                steps += 1;
                assert_eq!(rollups(store), expected, "round {round}, step {steps}");
            }
        }
    });
}

#[test]
fn a_commit_that_is_refused_adds_neither_rows_nor_sums_nor_records_and_a_fold_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    append(&open(folder.path()).with_fold(kept(ZONE)).unwrap(), 1).unwrap();
    let full = open(folder.path()).with_fold(kept(ZONE)).unwrap();
    let full = full.with_reserve(u64::MAX);
    let expected = from_rows(&full, ZONE);
    for round in 2..5 {
        assert!(matches!(append(&full, round), Err(StoreError::Full { .. })));
        assert!(matches!(full.fold_rollups(0), Err(StoreError::Full { .. })));
        assert_eq!(rollups(&full), expected);
        assert_eq!(from_rows(&full, ZONE), expected);
        assert_eq!(ledger_records(&full), 50);
    }
    drop(full);
    let store = open(folder.path()).with_fold(kept(ZONE)).unwrap();
    append(&store, 2).unwrap();
    fold_all(&store);
    assert_eq!(rollups(&store), from_rows(&store, ZONE));
}

#[test]
fn a_range_of_rollups_has_all_of_it_and_nothing_else_wherever_it_lies() {
    each_engine(|store| {
        (0..4).for_each(|round| append(store, round).unwrap());
        let all = from_rows(store, ZONE);
        for steps in [0, 5, 1_000] {
            for _ in 0..steps {
                store.fold_rollups(0).unwrap();
            }
            let hour = |number| {
                let start = 1_760_000_000_000 / HOUR_MS * HOUR_MS + number * HOUR_MS;
                RollupKey::prefix(Span::Hour, start)
            };
            let found = between(store, &hour(3), &hour(9));
            let mut expected = all.clone();
            expected.retain(|key, _| {
                let start = RollupKey::prefix(key.span, key.start_ms);
                hour(3) <= start && start < hour(9)
            });
            assert!(!expected.is_empty() && expected.len() < all.len() / 3);
            assert_eq!(found, expected);
            assert!(between(store, &hour(9), &hour(3)).is_empty());
        }
        // Whoever has enough is shown no more.
        let mut shown = 0;
        let stop = &mut |_: &[u8], _: &[u8]| {
            shown += 1;
            Ok(Visit::Stop)
        };
        append(store, 5).unwrap();
        store.scan_rollups(&[0], &[0xff], stop).unwrap();
        assert_eq!(shown, 1);
    });
}

#[test]
fn a_range_of_records_is_read_in_either_order() {
    each_engine(|store| {
        for number in 0..20u8 {
            store.put(Table::Accounts, &[number], b"a").unwrap();
        }
        let keys = |order| {
            let mut found = Vec::new();
            let visit = &mut |key: &[u8], _: &[u8]| {
                found.push(key[0]);
                Visit::Continue
            };
            let table = Table::Accounts;
            store.scan_range(table, &[3], &[9], order, visit).unwrap();
            found
        };
        assert_eq!(keys(Order::OldestFirst), [3, 4, 5, 6, 7, 8]);
        assert_eq!(keys(Order::NewestFirst), [8, 7, 6, 5, 4, 3]);
    });
}

#[test]
fn rollups_are_made_from_rows_of_before_and_anew_for_another_zone() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = open(folder.path());
        for round in 0..10 {
            append(&store, round).unwrap();
        }
        let none = store.scan_rollups(&[0], &[0xff], &mut |_, _| Ok(Visit::Continue));
        assert!(
            matches!(none, Err(StoreError::NoRollups)),
            "no empty report"
        );
        assert!(!store.fold_rollups(0).unwrap());
    }
    for (round, zone) in ["UTC", "UTC", ZONE, "America/New_York"]
        .into_iter()
        .enumerate()
    {
        let store = open(folder.path()).with_fold(kept(zone)).unwrap();
        let store = store.with_fold_step(1);
        assert_eq!(rollups(&store), from_rows(&store, zone), "{zone}");
        append(&store, 20 + round as u64).unwrap();
        // The next start finds a fold under way.
        (0..7).for_each(|_| assert!(store.fold_rollups(0).unwrap()));
        assert_eq!(rollups(&store), from_rows(&store, zone), "{zone}");
    }
    // Rows that were added while there was no fold are not missed either.
    append(&open(folder.path()), 90).unwrap();
    let zone = "America/New_York";
    let store = open(folder.path()).with_fold(kept(zone)).unwrap();
    assert_eq!(rollups(&store), from_rows(&store, zone));
}

/// What can happen to a store.
#[derive(Clone, Debug)]
enum Act {
    /// Rows: hour, account.
    Commit(Vec<(u64, u64)>),
    /// So many steps of a fold.
    Fold(usize),
    /// The process ends between two commits and starts again.
    Restart,
    /// It ran for a commit without roll-ups.
    Without(Vec<(u64, u64)>),
}

fn any_act() -> impl Strategy<Value = Act> {
    let rows = || prop::collection::vec((0..200u64, 0..12u64), 0..30);
    prop_oneof![
        5 => rows().prop_map(Act::Commit),
        4 => (1..12usize).prop_map(Act::Fold),
        3 => Just(Act::Restart),
        1 => rows().prop_map(Act::Without),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_report_is_the_plain_sum_of_the_rows_whenever_it_is_asked_for(
        acts in prop::collection::vec(any_act(), 1..25), step in prop_oneof![Just(1usize), 500..5_000usize],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let start = || open(folder.path()).with_fold(kept(ZONE)).unwrap().with_fold_step(step);
        let mut plain = Rollup::new(Zone::named(ZONE).unwrap());
        let mut number = 0;
        let mut batch = |rows: Vec<(u64, u64)>| {
            let mut batch = UsageBatch::default();
            for (tenth, account) in rows {
                number += 1;
                let row = row(number, tenth * HOUR_MS / 10, account);
                plain.add(&row);
                batch.push(&row);
            }
            let groups = plain.groups().map(|(key, sums)| (key.clone(), sums.clone()));
            (batch, groups.collect::<Groups>())
        };
        let mut expected = Groups::new();
        let mut store = start();
        for act in acts {
            match act {
                Act::Commit(rows) => {
                    let (rows, groups) = batch(rows);
                    expected = groups;
                    store.append_usage(&rows).unwrap();
                }
                Act::Fold(steps) => for _ in 0..steps {
                    if !store.fold_rollups(0).unwrap() {
                        break;
                    }
                    prop_assert_eq!(&rollups(&store), &expected, "in a fold");
                },
                Act::Restart => {
                    drop(store);
                    store = start();
                }
                Act::Without(rows) => {
                    let (rows, groups) = batch(rows);
                    expected = groups;
                    drop(store);
                    open(folder.path()).append_usage(&rows).unwrap();
                    store = start();
                }
            }
            prop_assert_eq!(&rollups(&store), &expected);
        }
        fold_all(&store);
        prop_assert_eq!(&rollups(&store), &expected, "at the end");
        drop(store);
        prop_assert_eq!(&rollups(&start()), &expected, "and after a start");
    }
}

#[test]
fn many_accounts_in_many_pages_are_summed_right_through_folds_that_are_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut plain = Rollup::new(Zone::named(ZONE).unwrap());
    let mut interrupted = 0;
    for round in 0..6u64 {
        let store = open(folder.path()).with_fold(kept(ZONE)).unwrap();
        let store = store.with_fold_step(100_000);
        let mut batch = UsageBatch::default();
        for number in 0..6_000 {
            let account = (round * 6_000 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20_000;
            let row = row(number, round * HOUR_MS / 3, account);
            plain.add(&row);
            batch.push(&row);
        }
        store.append_usage(&batch).unwrap();
        for _ in 0..round * 5 {
            interrupted = interrupted.max(usize::from(store.fold_rollups(0).unwrap()));
        }
        let expected: Groups = plain
            .groups()
            .map(|(key, sums)| (key.clone(), sums.clone()))
            .collect();
        assert!(rollups(&store) == expected, "round {round}");
    }
    assert_eq!(interrupted, 1);
    let store = open(folder.path()).with_fold(kept(ZONE)).unwrap();
    fold_all(&store);
    let expected = plain.groups().count();
    assert!(expected > 20_000, "{expected}");
    assert_eq!(rollups(&store).len(), expected);
    let mut sizes = Vec::new();
    let visit = &mut |_: &[u8], value: &[u8]| {
        sizes.push(value.len());
        Visit::Continue
    };
    store.scan(Table::Rollups, visit).unwrap();
    // Neither a value for each group nor one that the engine would put into a file of its own.
    assert!(
        (100..expected / 10).contains(&sizes.len()),
        "{}",
        sizes.len()
    );
    assert!(sizes.iter().all(|size| *size <= 8 << 10), "{sizes:?}");
}

#[test]
fn a_report_while_rows_are_committed_and_folded_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).with_fold(kept(ZONE)).unwrap();
    let store = store.with_fold_step(1);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = Stop(&done);
            for round in 0..60 {
                append(&store, round).unwrap();
                for _ in 0..9 {
                    store.fold_rollups(0).unwrap();
                }
            }
        });
        let mut last = 0;
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            let mut requests = 0;
            for (key, sums) in rollups(&store) {
                requests += match key.span {
                    Span::Day => sums.requests,
                    Span::Hour => 0,
                };
            }
            // Whole commits, and never fewer than before.
            assert!(
                requests % 50 == 0 && requests >= last,
                "{requests} after {last}"
            );
            last = requests;
        }
    });
    assert_eq!(rollups(&store), from_rows(&store, ZONE));
}

#[test]
fn the_ledger_only_grows_and_goes_with_records_all_or_nothing() {
    each_engine(|store| {
        let write = |table, value: &[u8]| Write {
            table,
            key: b"k".to_vec(),
            value: Some(value.to_vec()),
        };
        let records = [b"a".to_vec(), b"b".to_vec()];
        let first = store.append_ledger(&records, &[write(Table::Accounts, b"1")]);
        assert_eq!(first.unwrap(), 1..3);
        for table in [Table::Ledger, Table::Rollups] {
            let writes = [write(Table::Accounts, b"2"), write(table, b"x")];
            assert!(matches!(
                store.append_ledger(&records, &writes),
                Err(StoreError::Protected(_))
            ));
        }
        assert_eq!(store.get(Table::Accounts, b"k").unwrap().unwrap(), b"1");
        append(store, 1).unwrap();
        assert_eq!(store.append_ledger(&records, &[]).unwrap(), 53..55);
        let mut seen = Vec::new();
        ledger::scan(store, 2..54, &mut |number, record| {
            seen.push((number, record.to_vec()));
            Visit::Continue
        })
        .unwrap();
        assert_eq!(seen.len(), 52);
        assert_eq!(seen[0], (2, b"b".to_vec()));
        assert_eq!(seen[51], (53, b"a".to_vec()));
    });
}

#[test]
fn numbers_of_the_ledger_go_on_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
        let added = store.append_ledger(&[vec![1], vec![2]], &[]).unwrap();
        assert_eq!(added, round * 2 + 1..round * 2 + 3);
    }
}
