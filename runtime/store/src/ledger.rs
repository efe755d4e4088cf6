//! The ledger's records: appended, never changed, numbered without gaps from 1.

use std::ops::Range;

use crate::engine::{Order, Store, Table, Visit};
use crate::error::StoreError;

/// A record's key.
pub(crate) fn key(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// The number in a key.
pub(crate) fn sequence(key: &[u8]) -> Result<u64, StoreError> {
    let key = key
        .try_into()
        .map_err(|_| StoreError::Engine("a damaged key in the ledger".to_owned()))?;
    Ok(u64::from_be_bytes(key))
}

/// Visits the records of `range` with their numbers, in order. A gap is damage.
///
/// # Errors
/// When the store fails or a record is missing between two others.
pub fn scan(
    store: &dyn Store,
    range: Range<u64>,
    visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
) -> Result<(), StoreError> {
    let mut failed = None;
    let mut expected = None;
    let (from, to) = (key(range.start), key(range.end));
    let table = Table::Ledger;
    store.scan_range(
        table,
        &from,
        &to,
        Order::OldestFirst,
        &mut |key, value| match sequence(key) {
            Ok(number) if expected.is_none_or(|expected| expected == number) => {
                expected = Some(number + 1);
                visit(number, value)
            }
            Ok(number) => {
                let gap = format!("the ledger has a gap before record {number}");
                failed = Some(StoreError::Engine(gap));
                Visit::Stop
            }
            Err(error) => {
                failed = Some(error);
                Visit::Stop
            }
        },
    )?;
    failed.map_or(Ok(()), Err)
}
