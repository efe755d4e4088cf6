//! What every engine promises, asked of each of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

use std::ops::Range;

use tollgate_governance::{
    AccountPatch, Ask, Counters, Directory, KeyDraft, KeyHasher, OsRandom, UsageRow, Zone,
};
use tollgate_store::{
    DiskStore, Durability, MemoryStore, Order, Store, StoreError, Table, UsageBatch, Visit, Write,
    ledger, records, usage,
};

fn each_engine(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::default());
    let folder = tempfile::tempdir().unwrap();
    test(&DiskStore::open(&folder.path().join("s"), Durability::PowerLoss).unwrap());
}

fn append(store: &dyn Store, admitted: &[u64]) {
    let mut batch = UsageBatch::default();
    for at in admitted {
        batch.push(&UsageRow {
            request: uuid::Uuid::from_u128((*at).into()),
            admitted_ms: *at,
            ..UsageRow::default()
        });
    }
    store.append_usage(&batch).unwrap();
}

fn found(store: &dyn Store, range: Range<u64>, order: Order) -> Vec<u64> {
    let mut found = Vec::new();
    usage::scan(store, range, order, &mut |row| {
        found.push(row.admitted_ms);
        Visit::Continue
    })
    .unwrap();
    found
}

#[test]
fn records_are_put_found_scanned_in_order_and_deleted() {
    each_engine(|store| {
        store.put(Table::Keys, b"b", b"2").unwrap();
        store.put(Table::Keys, b"a", b"1").unwrap();
        store.put(Table::Accounts, b"a", b"other table").unwrap();
        assert_eq!(store.get(Table::Keys, b"a").unwrap().unwrap(), b"1");
        assert_eq!(store.get(Table::Keys, b"c").unwrap(), None);
        let mut seen = Vec::new();
        store
            .scan(Table::Keys, &mut |key, value| {
                seen.push((key.to_vec(), value.to_vec()));
                Visit::Continue
            })
            .unwrap();
        assert_eq!(
            seen,
            [
                (b"a".to_vec(), b"1".to_vec()),
                (b"b".to_vec(), b"2".to_vec())
            ]
        );
        store.delete(Table::Keys, b"a").unwrap();
        store.delete(Table::Keys, b"a").unwrap();
        assert_eq!(store.get(Table::Keys, b"a").unwrap(), None);
        assert_eq!(
            store.get(Table::Accounts, b"a").unwrap().unwrap(),
            b"other table"
        );
        let write = |key: &[u8], value: Option<&[u8]>| Write {
            table: Table::Keys,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        store
            .apply(&[write(b"b", None), write(b"c", Some(b"3"))])
            .unwrap();
        assert_eq!(
            (
                store.get(Table::Keys, b"b").unwrap(),
                store.get(Table::Keys, b"c").unwrap().unwrap()
            ),
            (None, b"3".to_vec())
        );
    });
}

#[test]
fn usage_is_found_by_time_of_admission_however_late_it_was_written() {
    each_engine(|store| {
        append(store, &[25_000, 25_001, 9_999]);
        append(store, &[10_000, 61_000]);
        // A long-running request of the beginning ends last.
        append(store, &[5]);
        assert_eq!(
            found(store, 0..u64::MAX, Order::OldestFirst),
            [5, 9_999, 10_000, 25_000, 25_001, 61_000]
        );
        assert_eq!(
            found(store, 0..u64::MAX, Order::NewestFirst),
            [61_000, 25_001, 25_000, 10_000, 9_999, 5]
        );
        assert_eq!(
            found(store, 9_999..25_001, Order::OldestFirst),
            [9_999, 10_000, 25_000]
        );
        assert_eq!(
            found(store, 9_999..25_001, Order::NewestFirst),
            [25_000, 10_000, 9_999]
        );
        assert_eq!(found(store, 6..9_999, Order::OldestFirst), [] as [u64; 0]);
        assert_eq!(found(store, 7..7, Order::OldestFirst), [] as [u64; 0]);
    });
}

#[test]
fn a_scan_stops_when_told() {
    each_engine(|store| {
        append(store, &(0..1_000).map(|n| n * 100).collect::<Vec<_>>());
        let mut seen = Vec::new();
        store
            .scan_usage(0..u64::MAX, Order::NewestFirst, &mut |at, _| {
                seen.push(at);
                if seen.len() == 3 {
                    Visit::Stop
                } else {
                    Visit::Continue
                }
            })
            .unwrap();
        assert_eq!(seen, [99_900, 99_800, 99_700]);
    });
}

#[test]
fn a_flood_of_rows_in_one_batch_is_kept_whole() {
    each_engine(|store| {
        let all: Vec<u64> = (0..20_000).collect();
        append(store, &all);
        assert_eq!(found(store, 0..u64::MAX, Order::OldestFirst), all);
    });
}

#[test]
fn an_upstream_that_repeats_its_ids_loses_no_row() {
    // Rows of the same millisecond, alike to the last bit, are still two rows.
    each_engine(|store| {
        append(store, &[1, 1]);
        append(store, &[1]);
        assert_eq!(found(store, 0..10, Order::OldestFirst), [1, 1, 1]);
    });
}

#[test]
fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    for round in 0..5u64 {
        let store = DiskStore::open(&path, Durability::Process).unwrap();
        assert_eq!(
            found(&store, 0..u64::MAX, Order::OldestFirst),
            (0..round).collect::<Vec<_>>()
        );
        append(&store, &[round]);
        store.flush().unwrap();
    }
}

#[test]
fn a_directory_is_committed_and_loaded_again() {
    each_engine(|store| {
        let mut random = OsRandom::new();
        let mut directory = records::load(store).unwrap();
        assert!(directory.root().is_none());
        let (_, changes) = directory.create_root(1, &mut random).unwrap();
        records::commit(store, &mut directory, &changes, None).unwrap();
        let new = AccountPatch {
            name: Some("dept".into()),
            ..AccountPatch::default()
        };
        let (_, changes) = directory.create_account(&new, 2, &mut random).unwrap();
        records::commit(store, &mut directory, &changes, None).unwrap();
        let patch: AccountPatch =
            serde_json::from_str(r#"{"limits":{"daily_limit":100}}"#).unwrap();
        let (_, changes) = directory.update_account("root/dept", &patch, 3).unwrap();
        records::commit(store, &mut directory, &changes, None).unwrap();
        let hasher = KeyHasher::new(&[1; 32]);
        let draft = KeyDraft {
            account: "root/dept".into(),
            ..KeyDraft::default()
        };
        let (new, changes) = directory
            .create_key(draft, &hasher, 4, &mut random)
            .unwrap();
        records::commit(store, &mut directory, &changes, None).unwrap();

        let again = records::load(store).unwrap();
        assert!(again.accounts().eq(directory.accounts()));
        let caller = again.snapshot();
        let caller = caller.find(&hasher.mac(new.token.expose())).unwrap();
        assert_eq!(caller.path.names(), "root/dept");

        // And its counters, from the rows of the day.
        let now = 1_760_000_000_000;
        let mut batch = UsageBatch::default();
        let row = UsageRow {
            admitted_ms: now - 5,
            path: caller.path.ids().into(),
            counted: true,
            charged: 60,
            ..UsageRow::default()
        };
        batch.push(&row);
        batch.push(&UsageRow {
            admitted_ms: now - 100 * 86_400_000,
            ..row.clone()
        });
        store.append_usage(&batch).unwrap();
        let counters =
            std::sync::Arc::new(Counters::new(Zone::utc(), ledger::load(store).unwrap()));
        assert_eq!(usage::seed(store, &again, &counters, now).unwrap(), 1);
        assert_eq!(counters.spent(&caller.path, now).settled, 60);
        let admit = |money: u64| {
            let ask = Ask {
                request: uuid::Uuid::from_u128(u128::from(money)),
                model: "m",
                input: 1,
                expected: 1,
                output: 1,
                least_output: 1,
                price: &|_| money,
            };
            counters.admit(&caller.path, &ask, now).is_ok()
        };
        assert!(!admit(41));
        assert!(admit(40));
    });
}

#[test]
fn a_start_counts_what_the_month_has_spent_and_not_what_was_before() {
    each_engine(|store| {
        let (mut directory, mut random) = (Directory::default(), OsRandom::new());
        let (_, changes) = directory.create_root(1, &mut random).unwrap();
        directory.apply(&changes);
        let hasher = KeyHasher::new(&[1; 32]);
        let draft = KeyDraft {
            account: "root".into(),
            ..KeyDraft::default()
        };
        let (new, changes) = directory
            .create_key(draft, &hasher, 2, &mut random)
            .unwrap();
        directory.apply(&changes);
        let caller = directory.snapshot();
        let caller = caller.find(&hasher.mac(new.token.expose())).unwrap();

        // 9 October 2025, the first of that month, and the day before.
        let now = 1_760_000_000_000;
        let first = 1_759_276_800_000;
        let mut batch = UsageBatch::default();
        for (admitted_ms, charged) in [(now - 5, 1), (first, 20), (first - 1, 300)] {
            batch.push(&UsageRow {
                admitted_ms,
                path: caller.path.ids().into(),
                counted: true,
                charged,
                ..UsageRow::default()
            });
        }
        store.append_usage(&batch).unwrap();
        let books = ledger::load(store).unwrap();
        let counters = std::sync::Arc::new(Counters::new(Zone::utc(), books));
        usage::seed(store, &directory, &counters, now).unwrap();
        let spent = counters.spent(&caller.path, now);
        assert_eq!((spent.settled, spent.settled_month), (1, 21));
    });
}

#[test]
fn one_record_that_cannot_be_read_stops_the_start() {
    each_engine(|store| {
        let directory = Directory::default();
        let (_, changes) = directory.create_root(1, &mut OsRandom::new()).unwrap();
        records::commit(store, &mut Directory::default(), &changes, None).unwrap();
        store
            .put(Table::Keys, b"0123456789abcdef", b"{\"v\":1}")
            .unwrap();
        assert!(matches!(records::load(store), Err(StoreError::Record(_))));
    });
}
