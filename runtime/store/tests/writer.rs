//! The writer loses nothing it took, refuses what it cannot take, and leaves workers alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tollgate_governance::{RollupFilter, Span, UsageRow};
use tollgate_store::usage::GroupBy;
use tollgate_store::{
    ExportVisit, Journal, JournalOptions, MemoryStore, Order, RollupVisit, Store, StoreError,
    Table, UsageBatch, UsageRollups, UsageWriter, Visit, Write, WriterFull, WriterOptions, usage,
};

use common::{PATIENCE, wait_until};

/// A store that fails when told, and counts its commits.
#[derive(Default)]
struct Moody {
    inner: MemoryStore,
    no_append: AtomicBool,
    no_flush: AtomicBool,
    flushes: AtomicUsize,
    no_fold: AtomicBool,
    /// Of folds, but for each one's last.
    steps: AtomicUsize,
}

fn refuse(refuses: &AtomicBool) -> Result<(), StoreError> {
    if refuses.load(Ordering::SeqCst) {
        Err(StoreError::Engine("disk full".into()))
    } else {
        Ok(())
    }
}

impl Store for Moody {
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
    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.inner.apply(writes)
    }
    fn scan_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.inner.scan_range(table, from, to, order, visit)
    }
    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError> {
        self.inner.append_ledger(records, writes)
    }
    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError> {
        self.inner.export(visit)
    }
    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        refuse(&self.no_append)?;
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
        refuse(&self.no_fold)?;
        let more = self.inner.fold_rollups(pending)?;
        self.steps.fetch_add(usize::from(more), Ordering::SeqCst);
        Ok(more)
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
        refuse(&self.no_flush)?;
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        admitted_ms: number,
        ..UsageRow::default()
    }
}

fn stored(store: &dyn Store) -> Vec<u64> {
    let mut found = Vec::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        found.push(row.admitted_ms);
        Visit::Continue
    })
    .unwrap();
    found
}

fn start(options: WriterOptions) -> (Arc<Moody>, UsageWriter) {
    let store = Arc::new(Moody::default());
    let writer = UsageWriter::start(store.clone(), options).unwrap();
    (store, writer)
}

#[test]
fn every_row_of_every_worker_is_stored_once_and_shutdown_waits_for_the_last() {
    let (store, writer) = start(WriterOptions::default());
    std::thread::scope(|scope| {
        for worker in 0..8u64 {
            let submitter = writer.submitter();
            scope.spawn(move || {
                for number in 0..5_000 {
                    assert_eq!(
                        submitter.submit(&row(worker * 5_000 + number)),
                        Ok(number + 1)
                    );
                }
            });
        }
    });
    writer.shutdown().unwrap();
    assert_eq!(stored(&*store), (0..40_000).collect::<Vec<_>>());
}

#[test]
fn rows_are_committed_in_groups_not_one_by_one() {
    let (store, writer) = start(WriterOptions {
        interval: Duration::from_millis(20),
        ..WriterOptions::default()
    });
    let submitter = writer.submitter();
    for number in 0..2_000 {
        submitter.submit(&row(number)).unwrap();
    }
    assert!(writer.sync(PATIENCE));
    assert_eq!(submitter.committed(), 2_000);
    assert!(
        store.flushes.load(Ordering::SeqCst) <= 100,
        "{:?}",
        store.flushes
    );
}

#[test]
fn a_row_after_a_long_idle_time_is_committed_promptly() {
    let (store, writer) = start(WriterOptions {
        interval: Duration::from_millis(1),
        ..WriterOptions::default()
    });
    let submitter = writer.submitter();
    for number in 0..5 {
        // Long enough for the thread to fall asleep: only a wake-up can bring it back.
        std::thread::sleep(Duration::from_millis(150));
        let number = submitter.submit(&row(number)).unwrap();
        wait_until("the writer is woken", || submitter.committed() >= number);
    }
    drop(writer);
    assert_eq!(stored(&*store).len(), 5);
}

#[test]
fn a_failing_store_loses_no_row_and_stores_none_twice_when_it_recovers() {
    let (store, writer) = start(WriterOptions::default());
    let submitter = writer.submitter();
    for (round, failing) in [&store.no_append, &store.no_flush].into_iter().enumerate() {
        failing.store(true, Ordering::SeqCst);
        let first = round as u64 * 100;
        for number in first..first + 50 {
            submitter.submit(&row(number)).unwrap();
        }
        wait_until("the writer fails", || writer.is_failing());
        assert_eq!(submitter.committed(), first);
        for number in first + 50..first + 100 {
            submitter.submit(&row(number)).unwrap();
        }
        failing.store(false, Ordering::SeqCst);
        wait_until("all is committed", || submitter.committed() >= first + 100);
        // The thread says so a moment later.
        wait_until("the writer has recovered", || !writer.is_failing());
    }
    assert_eq!(stored(&*store), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_rows_again_later() {
    let (store, writer) = start(WriterOptions {
        queue_bytes: 10_000,
        ..WriterOptions::default()
    });
    let submitter = writer.submitter();
    store.no_append.store(true, Ordering::SeqCst);
    let mut taken = 0;
    // The thread may swallow one queue's worth before it notices.
    while submitter.submit(&row(taken)).is_ok() {
        taken += 1;
        assert!(taken < 1_000);
        if taken == 20 {
            wait_until("the writer fails", || writer.is_failing());
        }
    }
    assert_eq!(submitter.submit(&row(taken)), Err(WriterFull));
    assert!(!submitter.has_room());
    assert!(
        !writer.sync(PATIENCE),
        "sync says that it failed instead of waiting"
    );
    store.no_append.store(false, Ordering::SeqCst);
    wait_until("rows are taken again", || {
        submitter.submit(&row(taken)).is_ok()
    });
    writer.shutdown().unwrap();
    assert_eq!(stored(&*store), (0..=taken).collect::<Vec<_>>());
}

#[test]
fn a_shutdown_that_loses_rows_says_so() {
    let (store, writer) = start(WriterOptions::default());
    store.no_append.store(true, Ordering::SeqCst);
    writer.submitter().submit(&row(1)).unwrap();
    assert!(writer.shutdown().is_err());
}

fn requests(store: &Moody) -> u64 {
    let (filter, by) = (RollupFilter::default(), GroupBy::default());
    let lines = usage::report(store, Span::Day, &filter, &by).unwrap();
    lines.first().map_or(0, |line| line.sums.requests)
}

/// Whether all is folded.
fn folded(store: &Moody) -> bool {
    let mut notes = 0;
    let count = &mut |key: &[u8], _: &[u8]| {
        notes += u64::from(key.first() == Some(&0));
        Visit::Continue
    };
    store.inner.scan(Table::Rollups, count).unwrap();
    notes == 0
}

fn start_with_rollups(fold_groups: usize) -> (Arc<Moody>, UsageWriter) {
    let kept = Arc::new(UsageRollups::new("UTC").unwrap());
    let store = Arc::new(Moody {
        inner: MemoryStore::with_fold(kept).with_fold_step(1),
        ..Moody::default()
    });
    let options = WriterOptions {
        interval: Duration::from_millis(1),
        fold_groups,
        ..WriterOptions::default()
    };
    let writer = UsageWriter::start(store.clone(), options).unwrap();
    (store, writer)
}

#[test]
fn the_thread_folds_while_rows_come_and_the_rest_at_the_end() {
    let (store, writer) = start_with_rollups(50);
    let submitter = writer.submitter();
    for number in 0..400u64 {
        let row = UsageRow {
            requested_model: format!("m{number}").into(),
            provider: "echo".into(),
            ..row(number)
        };
        submitter.submit(&row).unwrap();
    }
    wait_until("some is folded", || {
        store.steps.load(Ordering::SeqCst) >= 50
    });
    writer.shutdown().unwrap();
    assert!(folded(&store), "something was left at the end");
    assert_eq!(requests(&store), 400);
}

#[test]
fn folds_that_fail_keep_no_row_back() {
    let (store, writer) = start_with_rollups(1);
    store.no_fold.store(true, Ordering::SeqCst);
    let submitter = writer.submitter();
    for number in 0..100 {
        submitter.submit(&row(number)).unwrap();
        if number % 10 == 0 {
            assert!(writer.sync(PATIENCE));
        }
    }
    assert!(writer.sync(PATIENCE) && !writer.is_failing());
    writer.shutdown().unwrap();
    assert!(!folded(&store));
    assert_eq!(requests(&store), 100);
}

/// Else the rows of what is on its way are in memory alone when the last segment is full.
#[test]
fn a_journal_that_cannot_grow_is_known_before_its_last_segment_is_full_also_where_the_store_fails()
{
    let temp = tempfile::tempdir().unwrap();
    let store = Arc::<Moody>::default();
    let journal = JournalOptions {
        segment_bytes: 64 << 10,
        // One in use and two spare: that no further one can be made is found when one of them is taken, however slow the
        // thread, and so there is a full one to be removed when the store goes on.
        max_bytes: 3 * (64 << 10),
        reserve_bytes: 0,
        ..JournalOptions::default()
    };
    let (journal, _) = Journal::open(&temp.path().join("journal"), &*store, journal).unwrap();
    store.no_append.store(true, Ordering::SeqCst);
    let writer =
        UsageWriter::start_journaled(store.clone(), WriterOptions::default(), journal).unwrap();
    let mut journal = writer.journal_writer().unwrap();
    journal.append(&row(0), &[]).unwrap();
    let mut taken = 1;
    while journal.has_room() {
        journal.append(&row(taken), &[]).unwrap();
        taken += 1;
        assert!(taken < 10_000, "there is always room");
        // The thread looks every 200 ms while the store fails.
        std::thread::sleep(Duration::from_millis(1));
    }
    // What is on its way has its room.
    for _ in 0..50 {
        journal.append(&row(taken), &[]).unwrap();
        taken += 1;
    }
    store.no_append.store(false, Ordering::SeqCst);
    wait_until("there is room again", || journal.has_room());
    drop(journal);
    writer.shutdown().unwrap();
    let mut rows = 0;
    usage::scan(&*store, 0..u64::MAX, Order::OldestFirst, &mut |_| {
        rows += 1;
        Visit::Continue
    })
    .unwrap();
    assert_eq!(rows, taken);
}
