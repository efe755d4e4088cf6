//! Usage rows read back: ranges, reports of their roll-ups, what still counts for the counters.

use std::ops::Range;

use tollgate_governance::{Counters, Directory, UsageDecodeError, UsageRow};

use crate::engine::{Order, Store, Visit};
use crate::error::StoreError;

pub use crate::report::{GroupBy, Line, LineKey, report};
pub use crate::report_days::report_days;

/// Visits the rows admitted in `range` (Unix milliseconds). Returns how many of them are damaged: those are skipped, and
/// the log says so once with their number. One bad row must keep no other from a page or a start.
///
/// # Errors
/// When the store fails or a row is newer: there may be many of those, and limits seeded without them would be too lax.
pub fn scan(
    store: &dyn Store,
    range: Range<u64>,
    order: Order,
    visit: &mut dyn FnMut(UsageRow<'_>) -> Visit,
) -> Result<u64, StoreError> {
    let mut damaged = 0;
    let mut newer = None;
    store.scan_usage(
        range,
        order,
        &mut |_, bytes| match UsageRow::decode(bytes) {
            Ok(row) => visit(row),
            Err(UsageDecodeError::Damaged) => {
                damaged += 1;
                Visit::Continue
            }
            Err(error @ UsageDecodeError::Newer(_)) => {
                newer = Some(error);
                Visit::Stop
            }
        },
    )?;
    if damaged > 0 {
        tracing::error!(rows = damaged, "damaged usage rows are skipped");
    }
    newer.map_or(Ok(damaged), |error| Err(error.into()))
}

/// The longest month.
const MONTH_MS: u64 = 31 * 86_400_000;

/// Fills the counters from what the store knows of the last month: which rows still count, each counter decides.
/// Returns how many rows were read. About 1 µs a row.
///
/// # Errors
/// See [`scan`].
pub fn seed(
    store: &dyn Store,
    directory: &Directory,
    counters: &Counters,
    now_ms: u64,
) -> Result<u64, StoreError> {
    // The first of the month, in whatever zone, and the rate windows that reach back before it.
    let since = counters.day(now_ms).start_ms.saturating_sub(MONTH_MS);
    let mut rows = 0;
    let damaged = scan(store, since..u64::MAX, Order::OldestFirst, &mut |row| {
        directory.seed(counters, &row, now_ms);
        rows += 1;
        Visit::Continue
    })?;
    if damaged > 0 {
        tracing::warn!(
            rows = damaged,
            "limits of this month are laxer by what damaged rows would have counted"
        );
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tollgate_governance::{AccountId, Ledger, RollupFilter, Span, Zone};
    use tracing::field::{Field, Visit as Fields};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata};
    use uuid::Uuid;

    use super::*;
    use crate::batch::UsageBatch;
    use crate::engine::Durability;
    use crate::memory::MemoryStore;
    use crate::sled_store::DiskStore;
    use crate::usage_rollups::UsageRollups;

    /// Counts lines of the log about skipped rows, and the rows they name.
    #[derive(Clone, Default)]
    struct Log(Arc<[AtomicUsize; 2]>);

    impl Fields for Log {
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "rows" {
                self.0[0].fetch_add(1, Ordering::SeqCst);
                self.0[1].fetch_add(value as usize, Ordering::SeqCst);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }

    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    const NOW: u64 = 1_760_000_000_000;

    /// Rows of the last minutes; `harm` changes the bytes of every tenth.
    fn append(store: &dyn Store, rows: u64, harm: impl Fn(&mut Vec<u8>)) {
        let mut batch = UsageBatch::default();
        for number in 0..rows {
            let row = UsageRow {
                request: Uuid::from_u128(number.into()),
                admitted_ms: NOW - number * 1_000,
                path: vec![AccountId::default()].into(),
                counted: true,
                charged: 1,
                ..UsageRow::default()
            };
            let mut bytes = Vec::new();
            row.encode(&mut bytes);
            if number % 10 == 3 {
                harm(&mut bytes);
            }
            batch.push_bytes(row.admitted_ms, &bytes, &[]);
        }
        store.append_usage(&batch).unwrap();
    }

    fn each_engine(test: impl Fn(&dyn Store)) {
        let kept = || Arc::new(UsageRollups::new("UTC").unwrap());
        test(&MemoryStore::with_fold(kept()));
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
        test(&store.with_fold(kept()).unwrap());
    }

    #[test]
    fn damaged_rows_are_skipped_and_told_once_and_poison_neither_page_nor_start_nor_report() {
        type Harm<'a> = &'a dyn Fn(&mut Vec<u8>);
        let harms: [Harm<'_>; 4] = [
            &|row| row.truncate(40),
            &|row| row.clear(),
            &|row| row[0] = 0,
            &|row| row[2..].fill(0xff),
        ];
        for harm in harms {
            each_engine(|store| {
                append(store, 100, harm);
                for order in [Order::OldestFirst, Order::NewestFirst] {
                    let (log, mut seen) = (Log::default(), 0);
                    let damaged = tracing::subscriber::with_default(log.clone(), || {
                        scan(store, 0..u64::MAX, order, &mut |_| {
                            seen += 1;
                            Visit::Continue
                        })
                    });
                    assert_eq!((damaged.unwrap(), seen), (10, 90));
                    let [lines, rows] = &*log.0;
                    assert_eq!(lines.load(Ordering::SeqCst), 1, "one line for all");
                    assert_eq!(rows.load(Ordering::SeqCst), 10);
                }
                let counters = Counters::new(Zone::utc(), Ledger::default());
                let seeded = seed(store, &Directory::default(), &counters, NOW);
                assert_eq!(seeded.unwrap(), 90);
                let (filter, by) = (RollupFilter::default(), GroupBy::default());
                for _ in 0..2 {
                    let lines = report(store, Span::Day, &filter, &by).unwrap();
                    assert_eq!(lines[0].sums.charged, 90);
                    while store.fold_rollups(0).unwrap() {}
                }
            });
        }
    }

    #[test]
    fn a_row_of_a_newer_version_refuses_as_limits_seeded_without_it_would_be_too_lax() {
        let newer = |row: &mut Vec<u8>| row[0] = 200;
        each_engine(|store| {
            append(store, 100, newer);
            let counters = Counters::new(Zone::utc(), Ledger::default());
            let refused = |error: Option<StoreError>| {
                let told = error.unwrap().to_string();
                assert!(told.contains("version 200"), "{told}");
            };
            refused(seed(store, &Directory::default(), &counters, NOW).err());
            let mut all = |_: UsageRow<'_>| Visit::Continue;
            refused(scan(store, 0..u64::MAX, Order::NewestFirst, &mut all).err());
        });
        // Nor are roll-ups made that would lack it for good.
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
        append(&store, 100, newer);
        let kept = Arc::new(UsageRollups::new("UTC").unwrap());
        let told = store.with_fold(kept).unwrap_err().to_string();
        assert!(told.contains("version 200"), "{told}");
    }
}
