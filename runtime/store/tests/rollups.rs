//! Roll-ups and ledger: in the same commit as the rows, whatever fails or is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tollgate_governance::UsageRow;
use tollgate_store::{
    Durability, Fold, MemoryStore, Order, SledStore, Store, StoreError, Table, UsageBatch, Visit,
    Write, ledger, usage,
};
use uuid::Uuid;

const HOUR_MS: u64 = 3_600_000;

/// Requests and money by hour and by day.
struct Sums {
    version: u64,
    fails: AtomicBool,
}

impl Sums {
    fn new(version: u64) -> Arc<Self> {
        let fails = AtomicBool::new(false);
        Arc::new(Self { version, fails })
    }
}

fn key(period: u8, number: u64) -> Vec<u8> {
    [&[period][..], &number.to_be_bytes()].concat()
}

impl Fold for Sums {
    fn version(&self) -> u64 {
        self.version
    }
    fn keys(&self, row: &UsageRow<'_>, add: &mut dyn FnMut(&[u8])) {
        add(&key(b'h', row.admitted_ms / HOUR_MS));
        add(&key(b'd', row.admitted_ms / HOUR_MS / 24));
    }
    fn merge(
        &self,
        _: &[u8],
        old: Option<&[u8]>,
        rows: &mut dyn Iterator<Item = &UsageRow<'_>>,
    ) -> Result<Vec<u8>, String> {
        if self.fails.load(Ordering::SeqCst) {
            return Err("told to".into());
        }
        let number = |at: usize| {
            old.map_or(0, |old| {
                u64::from_be_bytes(*old[at..].first_chunk().unwrap())
            })
        };
        let (mut requests, mut charged) = (number(0), number(8));
        for row in rows {
            requests += 1;
            charged += row.charged * self.version;
        }
        Ok([requests.to_be_bytes(), charged.to_be_bytes()].concat())
    }
}

/// What the rows of a store say the roll-ups must be.
fn from_rows(store: &dyn Store, version: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut sums: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        let hour = row.admitted_ms / HOUR_MS;
        for key in [key(b'h', hour), key(b'd', hour / 24)] {
            let sum = sums.entry(key).or_default();
            sum.0 += 1;
            sum.1 += row.charged * version;
        }
        Visit::Continue
    })
    .unwrap();
    let bytes = |(a, b): (u64, u64)| [a.to_be_bytes(), b.to_be_bytes()].concat();
    sums.into_iter()
        .map(|(key, sum)| (key, bytes(sum)))
        .collect()
}

fn rollups(store: &dyn Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    store
        .scan(Table::Rollups, &mut |key, value| {
            found.insert(key.to_vec(), value.to_vec());
            Visit::Continue
        })
        .unwrap();
    found
}

fn append(store: &dyn Store, round: u64) -> Result<(), StoreError> {
    let mut batch = UsageBatch::default();
    for number in 0..50 {
        let row = UsageRow {
            request: Uuid::from_u128((round * 50 + number).into()),
            // Late rows of earlier hours among them.
            admitted_ms: (round * 7 + number * number) * 600_000 % (50 * HOUR_MS),
            charged: number + round,
            ..UsageRow::default()
        };
        batch.push_with(&row, &round.to_be_bytes());
    }
    store.append_usage(&batch)
}

fn each_engine(test: impl Fn(&dyn Store, &Sums)) {
    let sums = Sums::new(1);
    test(&MemoryStore::with_fold(sums.clone()), &sums);
    let folder = tempfile::tempdir().unwrap();
    let sums = Sums::new(1);
    let store = SledStore::open(&folder.path().join("s"), Durability::Process).unwrap();
    test(&store.with_fold(sums.clone()).unwrap(), &sums);
}

#[test]
fn rollups_and_ledger_agree_with_the_rows_after_every_commit_and_every_failed_one() {
    each_engine(|store, sums| {
        for round in 0..40 {
            sums.fails.store(round % 5 == 4, Ordering::SeqCst);
            assert_eq!(append(store, round).is_err(), round % 5 == 4);
            sums.fails.store(false, Ordering::SeqCst);
            let expected = from_rows(store, 1);
            assert!(!expected.is_empty());
            assert_eq!(rollups(store), expected);
            let mut records = 0;
            ledger::scan(store, 0..u64::MAX, &mut |_, _| {
                records += 1;
                Visit::Continue
            })
            .unwrap();
            assert_eq!(records, (round + 1 - (round + 1) / 5) * 50);
        }
    });
}

#[test]
fn a_range_of_rollups_is_read_in_either_order() {
    each_engine(|store, _| {
        append(store, 1).unwrap();
        let hours = |order| {
            let mut found = Vec::new();
            store
                .scan_range(
                    Table::Rollups,
                    &key(b'h', 3),
                    &key(b'h', 9),
                    order,
                    &mut |key, _| {
                        found.push(key[8]);
                        Visit::Continue
                    },
                )
                .unwrap();
            found
        };
        let mut up = hours(Order::OldestFirst);
        assert!(
            up.len() > 2 && up.iter().all(|hour| (3..9).contains(hour)),
            "{up:?}"
        );
        up.reverse();
        assert_eq!(hours(Order::NewestFirst), up);
    });
}

#[test]
fn rollups_are_made_from_rows_of_before_and_anew_for_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SledStore::open(folder.path(), Durability::Process).unwrap();
    {
        let store = open();
        for round in 0..10 {
            append(&store, round).unwrap();
        }
        store.flush().unwrap();
        assert!(rollups(&store).is_empty());
    }
    for version in [1, 1, 3] {
        let store = open().with_fold(Sums::new(version)).unwrap();
        assert_eq!(
            rollups(&store),
            from_rows(&store, version),
            "version {version}"
        );
        append(&store, 20 + version).unwrap();
        store.flush().unwrap();
        assert_eq!(
            rollups(&store),
            from_rows(&store, version),
            "version {version}"
        );
    }
    // Rows that were added while there was no fold are not missed either.
    {
        let store = open();
        append(&store, 90).unwrap();
        store.flush().unwrap();
    }
    let store = open().with_fold(Sums::new(3)).unwrap();
    assert!(rollups(&store) == from_rows(&store, 3));
}

#[test]
fn the_ledger_only_grows_and_goes_with_records_all_or_nothing() {
    each_engine(|store, _| {
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
        let store = SledStore::open(folder.path(), Durability::Process).unwrap();
        let added = store.append_ledger(&[vec![1], vec![2]], &[]).unwrap();
        assert_eq!(added, round * 2 + 1..round * 2 + 3);
    }
}
