//! Reports by the days of a zone that is not the one whose days the store keeps: it was changed since the start.

use std::collections::BTreeSet;

use tollgate_governance::{Day, Rollup, RollupFilter, Span, Zone};

use crate::engine::{Order, Store, Visit};
use crate::error::StoreError;
use crate::report::{GroupBy, Line, add_up, in_order};
use crate::usage::scan;

const HOUR_MS: u64 = 3_600_000;

/// As [`report`](crate::usage::report) by day, but by the days of any zone. They are made of hours, which are the same
/// everywhere, and of the rows of an hour that two days share, as there is one a day where midnight is at half past an
/// hour of UTC: all rows of it, as they lie by time, but only where something in that hour passes. About 1 µs a group of
/// hours, of which there are up to 24 to one of days.
///
/// # Errors
/// When the store fails, keeps no roll-ups, a group is damaged or a row is newer.
pub fn report_days(
    store: &dyn Store,
    zone: &Zone,
    filter: &RollupFilter,
    by: &GroupBy,
) -> Result<Vec<Line>, StoreError> {
    let from = filter.from_ms.unwrap_or(0);
    let until = match filter.until_ms {
        // The last day that passes may end behind it.
        Some(until) => zone.day_of(until.saturating_sub(1)).end_ms,
        None => u64::MAX,
    };
    let hours = from - from % HOUR_MS..until;
    let mut last: Option<Day> = None;
    let mut shared = BTreeSet::new();
    let mut lines = add_up(store, Span::Hour, hours, filter, by, &mut |hour| {
        // On which day it is shows later: an hour in which nothing can pass is not worth its rows.
        if !filter.admits_at_any_time(hour) {
            return false;
        }
        let day = match last {
            Some(day) if (day.start_ms..day.end_ms).contains(&hour.start_ms) => day,
            _ => *last.insert(zone.day_of(hour.start_ms)),
        };
        if hour.start_ms.saturating_add(HOUR_MS) > day.end_ms {
            shared.insert(hour.start_ms);
            return false;
        }
        hour.start_ms = day.start_ms;
        true
    })?;
    let mut rest = Rollup::new(zone.clone());
    for hour in shared {
        let rows = hour..hour.saturating_add(HOUR_MS);
        scan(store, rows, Order::OldestFirst, &mut |row| {
            if filter.admits_row_at_any_time(&row) {
                rest.add(&row);
            }
            Visit::Continue
        })?;
    }
    for (key, sums) in rest.select(Span::Day, filter) {
        lines.entry(by.line(key.clone())).or_default().merge(sums);
    }
    Ok(in_order(lines))
}
