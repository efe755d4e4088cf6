//! The ledger in the store: its books come back, whatever was folded, interrupted or killed; damage is refused by name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tollgate_governance::{
    AccountId, Begun, Entry, Ledger, Operation, Post, Source, Totals, UsageRow,
};
use tollgate_store::{
    DiskStore, Durability, ExportVisit, MemoryStore, Order, RollupVisit, Store, StoreError, Table,
    UsageBatch, Visit, Write, ledger,
};
use uuid::Uuid;

use common::Stop;

const NOW: u64 = 1_760_000_000_000;

fn account(number: u64) -> AccountId {
    AccountId(Uuid::from_u128(u128::from(number)))
}

/// A gateway in small: a ledger in memory, and the store behind it.
struct World<'a> {
    store: &'a dyn Store,
    ledger: Ledger,
    number: u64,
}

impl<'a> World<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            ledger: ledger::load(store).unwrap(),
            number: ledger_records(store),
        }
    }

    fn grant(&mut self, to: u64, amount: i64) {
        self.number += 1;
        let grant = Operation::Grant {
            key: format!("grant {}", self.number).into(),
            from: Source::Treasury { expires_ms: None },
            to: account(to),
            amount,
        };
        let Begun::Pending(pending) = self.ledger.begin(grant, NOW).unwrap() else {
            unreachable!()
        };
        ledger::append(self.store, pending.entry()).unwrap();
        self.ledger.commit(pending);
    }

    /// So many calls, one commit.
    fn calls(&mut self, count: u64) {
        let mut batch = UsageBatch::default();
        for _ in 0..count {
            self.number += 1;
            let (wallet, request) = (account(1 + self.number % 3), request(self.number));
            let _ = self.ledger.hold(request, wallet, 50, NOW);
            let post = Post {
                request,
                wallet,
                amount: (self.number % 40) as i64,
                fee: 1,
            };
            let (_, entry) = self.ledger.post(post, NOW).unwrap();
            batch.push_with(&row(self.number), &bytes(&entry.unwrap()));
        }
        self.store.append_usage(&batch).unwrap();
        self.store.flush().unwrap();
    }

    fn check(&self) {
        let stored = ledger::load(self.store).unwrap();
        assert_eq!(stored.totals(), self.ledger.totals());
        for wallet in (1..5).map(account) {
            assert!(stored.lots(wallet).eq(self.ledger.lots(wallet)));
        }
        assert_eq!(stored.imbalance(), 0);
        stored.verify().unwrap();
    }
}

fn request(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(NOW + number) << 80 | 7 << 76 | u128::from(number) | 1 << 63)
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: request(number),
        admitted_ms: NOW,
        charged: number,
        ..UsageRow::default()
    }
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out);
    out
}

fn ledger_records(store: &dyn Store) -> u64 {
    let mut records = 0;
    ledger::scan(store, 1..u64::MAX, &mut |_, _| {
        records += 1;
        Visit::Continue
    })
    .unwrap();
    records
}

fn filled(store: &dyn Store) {
    let mut world = World::new(store);
    for _ in 0..3 {
        world.grant(1, 10_000);
        world.grant(2, 500);
        world.calls(40);
    }
    world.check();
}

#[test]
fn the_books_come_back_from_records_from_a_checkpoint_and_from_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    for round in 0..6 {
        let store = DiskStore::open(&path, Durability::Process).unwrap();
        let mut world = World::new(&store);
        world.check();
        world.grant(1 + round % 3, 1_000);
        world.calls(30);
        if round % 2 == 1 {
            // Those of this round, and those of the last one after its checkpoint.
            let records = if round == 1 { 31 + 36 } else { 31 + 5 + 36 };
            assert_eq!(ledger::since_checkpoint(&store).unwrap(), records);
            assert_eq!(ledger::checkpoint(&store).unwrap(), records);
            assert_eq!(ledger::checkpoint(&store).unwrap(), 0, "nothing to fold");
            world.check();
        }
        world.calls(5);
        world.check();
    }
}

#[test]
fn a_checkpoint_larger_than_many_pieces_comes_back_and_leaves_no_old_pieces_behind() {
    let store = MemoryStore::default();
    let mut world = World::new(&store);
    for number in 0..30_000 {
        world.number += 1;
        let grant = Operation::Grant {
            key: format!("grant {number}").into(),
            from: Source::Treasury { expires_ms: None },
            to: account(10 + number),
            amount: 5,
        };
        let Begun::Pending(pending) = world.ledger.begin(grant, NOW).unwrap() else {
            unreachable!()
        };
        ledger::append(&store, pending.entry()).unwrap();
        world.ledger.commit(pending);
    }
    let pieces = || {
        let mut sizes = Vec::new();
        store
            .scan(Table::Meta, &mut |_, value| {
                sizes.push(value.len());
                Visit::Continue
            })
            .unwrap();
        sizes
    };
    ledger::checkpoint(&store).unwrap();
    let first = pieces().len();
    assert!(first > 20, "{first}");
    assert!(pieces().iter().all(|size| *size <= 64 << 10));
    for _ in 0..3 {
        world.calls(1);
        ledger::checkpoint(&store).unwrap();
        world.check();
        assert!(pieces().len() <= first + 1, "old ones are gone");
    }
}

/// Another store, but it fails and hides as it is told.
struct Bad<'a> {
    inner: &'a dyn Store,
    /// How many changes it still makes.
    changes: AtomicUsize,
    /// A record that is not there.
    hidden: Option<Vec<u8>>,
}

impl<'a> Bad<'a> {
    fn new(inner: &'a dyn Store) -> Self {
        Self {
            inner,
            changes: AtomicUsize::new(usize::MAX),
            hidden: None,
        }
    }
}

impl Store for Bad<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(table, key)
    }
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.inner.scan(table, visit)
    }
    fn scan_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.inner.scan_range(
            table,
            from,
            to,
            order,
            &mut |key, value| match self.hidden.as_deref() == Some(key) && table == Table::Ledger {
                true => Visit::Continue,
                false => visit(key, value),
            },
        )
    }
    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        let left = self.changes.load(Ordering::SeqCst);
        if left == 0 {
            return Err(StoreError::Engine("killed".to_owned()));
        }
        self.changes.store(left - 1, Ordering::SeqCst);
        self.inner.apply(writes)
    }
    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError> {
        self.inner.append_ledger(records, writes)
    }
    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        self.inner.append_usage(rows)
    }
    fn scan_rollups(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut RollupVisit<'_>,
    ) -> Result<(), StoreError> {
        self.inner.scan_rollups(from, to, visit)
    }
    fn fold_rollups(&self, pending: usize) -> Result<bool, StoreError> {
        self.inner.fold_rollups(pending)
    }
    fn scan_usage(
        &self,
        range: Range<u64>,
        order: Order,
        visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.inner.scan_usage(range, order, visit)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }
    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError> {
        self.inner.export(visit)
    }
}

#[test]
fn a_checkpoint_interrupted_at_any_moment_leaves_the_old_one_and_the_next_one_is_whole() {
    let store = MemoryStore::default();
    let mut world = World::new(&store);
    world.grant(1, 1_000_000);
    // Many accounts, so that a checkpoint is several commits.
    for number in 0..15_000 {
        world.number += 1;
        let post = Post {
            request: request(1_000_000 + number),
            wallet: account(10 + number),
            amount: 1,
            fee: 0,
        };
        let entry = world.ledger.post(post, NOW).unwrap().1.unwrap();
        ledger::append(&store, &entry).unwrap();
    }
    ledger::checkpoint(&store).unwrap();
    let mut interrupted = 0;
    for changes in 0.. {
        world.calls(3);
        let mut bad = Bad::new(&store);
        bad.changes.store(changes, Ordering::SeqCst);
        let done = ledger::checkpoint(&bad);
        world.check();
        // Without the first record there are no books but from a checkpoint that is whole.
        bad.hidden = Some(1u64.to_be_bytes().to_vec());
        assert_eq!(
            ledger::load(&bad).unwrap().totals(),
            world.ledger.totals(),
            "the old one is gone after {changes} changes"
        );
        if done.is_ok() {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted >= 3, "{interrupted}");
    ledger::checkpoint(&store).unwrap();
    assert_eq!(ledger::since_checkpoint(&store).unwrap(), 0);
    world.check();
}

fn refused(store: &dyn Store, record: u64, why: &str) {
    for (what, error) in [
        ("load", ledger::load(store).unwrap_err()),
        ("checkpoint", ledger::checkpoint(store).unwrap_err()),
    ] {
        let text = error.to_string();
        let StoreError::Ledger { record: named, .. } = error else {
            panic!("{what}: {text}")
        };
        assert_eq!(named, record, "{what}: {text}");
        assert!(text.contains(why), "{what}: {text}");
        assert!(text.contains("Restore a backup"), "{what}: {text}");
    }
}

#[test]
fn a_record_that_is_missing_at_the_beginning_in_the_middle_or_at_the_end_is_named() {
    let store = MemoryStore::default();
    filled(&store);
    let last = ledger_records(&store);
    for missing in [1, 60u64] {
        let mut bad = Bad::new(&store);
        bad.hidden = Some(missing.to_be_bytes().to_vec());
        refused(&bad, missing, "missing");
    }
    // That the last one is gone only a checkpoint can know; else the mark beside the engine does.
    ledger::checkpoint(&store).unwrap();
    let mut bad = Bad::new(&store);
    bad.hidden = Some(last.to_be_bytes().to_vec());
    refused(&bad, last, "missing");
}

#[test]
fn a_record_that_is_damaged_newer_repeated_or_overdrawn_refuses_the_start_and_is_named() {
    let good = {
        let store = MemoryStore::default();
        let mut world = World::new(&store);
        world.grant(1, 10);
        let post = Post {
            request: request(1),
            wallet: account(1),
            amount: 10,
            fee: 0,
        };
        bytes(&world.ledger.post(post, NOW).unwrap().1.unwrap())
    };
    let mut cut = good.clone();
    cut.truncate(20);
    let mut newer = good.clone();
    newer[0] = 9;
    let cases = [
        (vec![cut], 2, "damaged"),
        (vec![newer], 2, "newer"),
        (vec![good.clone(), good.clone()], 3, "second settlement"),
        (vec![good.clone(), overdrawn()], 3, "negative"),
    ];
    for (records, record, why) in cases {
        let store = MemoryStore::default();
        let mut world = World::new(&store);
        world.grant(1, 10);
        store.append_ledger(&records, &[]).unwrap();
        refused(&store, record, why);
    }
}

/// A second charge of the same ten.
fn overdrawn() -> Vec<u8> {
    let store = MemoryStore::default();
    let mut world = World::new(&store);
    world.grant(1, 10);
    let post = Post {
        request: request(2),
        wallet: account(1),
        amount: 10,
        fee: 0,
    };
    bytes(&world.ledger.post(post, NOW).unwrap().1.unwrap())
}

#[test]
fn a_damaged_checkpoint_is_made_anew_from_the_records() {
    let store = MemoryStore::default();
    filled(&store);
    let totals: Totals = *ledger::load(&store).unwrap().totals();
    let mut keys = Vec::new();
    ledger::checkpoint(&store).unwrap();
    store
        .scan(Table::Meta, &mut |key, value| {
            keys.push((key.to_vec(), value.to_vec()));
            Visit::Continue
        })
        .unwrap();
    assert_eq!(keys.len(), 2, "head and piece");
    for (key, value) in keys {
        let mut bad = value.clone();
        bad[value.len() / 2] ^= 1;
        store.put(Table::Meta, &key, &bad).unwrap();
        assert_eq!(*ledger::load(&store).unwrap().totals(), totals);
        store.delete(Table::Meta, &key).unwrap();
        assert_eq!(*ledger::load(&store).unwrap().totals(), totals);
        store.put(Table::Meta, &key, &value).unwrap();
    }
    store.put(Table::Meta, b"ledger/checkpoint", b"{").unwrap();
    let mut world = World::new(&store);
    world.calls(1);
    assert!(ledger::checkpoint(&store).unwrap() > 1);
    world.check();
}

#[test]
fn checkpoints_in_the_background_agree_with_what_is_committed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
    let ended = AtomicBool::new(false);
    let folded = std::thread::scope(|scope| {
        let folding = scope.spawn(|| {
            let mut folded = 0;
            while !ended.load(Ordering::SeqCst) {
                folded += ledger::checkpoint(&store).unwrap();
            }
            folded + ledger::checkpoint(&store).unwrap()
        });
        let stop = Stop(&ended);
        let mut world = World::new(&store);
        for _ in 0..60 {
            world.grant(1, 300);
            world.calls(20);
        }
        drop(stop);
        let folded = folding.join().unwrap();
        world.check();
        folded
    });
    assert_eq!(folded, 60 * 21);
    assert_eq!(ledger::since_checkpoint(&store).unwrap(), 0);
}
