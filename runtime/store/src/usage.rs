//! Usage rows read back: ranges, reports of their roll-ups, what still counts for the counters.

use std::ops::Range;

use tollgate_governance::{Counters, Directory, UsageRow};

use crate::engine::{Order, Store, Visit};
use crate::error::StoreError;

pub use crate::report::{GroupBy, Line, LineKey, report};

/// Visits the rows admitted in `range` (Unix milliseconds).
///
/// # Errors
/// When the store fails or a row is damaged or newer.
pub fn scan(
    store: &dyn Store,
    range: Range<u64>,
    order: Order,
    visit: &mut dyn FnMut(UsageRow<'_>) -> Visit,
) -> Result<(), StoreError> {
    let mut failed = None;
    store.scan_usage(
        range,
        order,
        &mut |_, bytes| match UsageRow::decode(bytes) {
            Ok(row) => visit(row),
            Err(error) => {
                failed = Some(error);
                Visit::Stop
            }
        },
    )?;
    failed.map_or(Ok(()), |error| Err(error.into()))
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
    scan(store, since..u64::MAX, Order::OldestFirst, &mut |row| {
        directory.seed(counters, &row, now_ms);
        rows += 1;
        Visit::Continue
    })?;
    Ok(rows)
}
