//! The books, rebuilt from the last checkpoint and the records after it.

use tollgate_governance::{Entry, Ledger, LedgerError};

use super::checkpoint::{self, Found};
use super::{last, missing, scan};
use crate::engine::{Store, Visit};
use crate::error::StoreError;

/// Requests settled longer ago than so many records are forgotten: a replay of years must not remember them all.
const REMEMBERED: u64 = 1_000_000;

/// The ledger as the store has it, with nothing held.
///
/// # Errors
/// [`StoreError::Ledger`] names the record that is missing or damaged, or that contradicts those before it. An empty
/// store gives an empty ledger.
pub fn load(store: &dyn Store) -> Result<Ledger, StoreError> {
    let (books, _) = replay(store, checkpoint::read(store)?)?;
    verified(books.ledger, books.last)
}

/// Books and the number of the last record in them.
pub(super) struct Books {
    pub(super) ledger: Ledger,
    pub(super) last: u64,
}

/// Adds the records after the checkpoint. Says how many there were.
pub(super) fn replay(store: &dyn Store, found: Found) -> Result<(Books, u64), StoreError> {
    let mut books = match found {
        Found::Books(books) => books,
        Found::None => Books {
            ledger: Ledger::default(),
            last: 0,
        },
        // It can be made anew: the records are all there.
        Found::Damaged(reason) => {
            tracing::warn!(%reason, "the ledger's checkpoint is damaged; all records are replayed");
            Books {
                ledger: Ledger::default(),
                last: 0,
            }
        }
    };
    let first = books.last + 1;
    let end = last(store)?;
    if end + 1 < first {
        return Err(missing(end + 1, first));
    }
    let mut failed = None;
    scan(store, first..end + 1, &mut |number, record| {
        if number != books.last + 1 {
            failed = Some(missing(books.last + 1, number));
            return Visit::Stop;
        }
        let entry = Entry::decode(record);
        let replayed = entry.and_then(|entry| books.ledger.replay(&entry));
        if let Err(error) = replayed {
            failed = Some(wrong(number, &error));
            return Visit::Stop;
        }
        books.last = number;
        if (number - first + 1).is_multiple_of(REMEMBERED) {
            books.ledger.forget_settled();
        }
        Visit::Continue
    })?;
    let count = books.last + 1 - first;
    failed.map_or(Ok((books, count)), Err)
}

pub(super) fn verified(ledger: Ledger, last: u64) -> Result<Ledger, StoreError> {
    match ledger.verify() {
        Ok(()) => Ok(ledger),
        Err(error) => Err(wrong(last, &error)),
    }
}

pub(super) fn wrong(record: u64, error: &LedgerError) -> StoreError {
    StoreError::Ledger {
        record,
        reason: error.to_string(),
    }
}
