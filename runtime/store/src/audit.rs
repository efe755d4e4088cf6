//! The audit log in the store: entries under their numbers, added with the change they tell of, never changed.

use tollgate_governance::{AuditChain, AuditDecodeError, AuditEntry};

use crate::engine::{Order, Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::ledger::{key, sequence};

/// What adds an entry: to be made in one commit with the change that it tells of. A store takes it only as the next one.
#[must_use]
pub fn write(entry: &AuditEntry) -> Write {
    Write {
        table: Table::Audit,
        key: key(entry.sequence).to_vec(),
        value: Some(entry.encode()),
    }
}

/// The end of the log. One whose last entry cannot be read goes on behind it, and the log of the process says so.
///
/// # Errors
/// When the store fails.
pub fn head(store: &dyn Store) -> Result<AuditChain, StoreError> {
    let mut last = None;
    let (from, to) = (key(0), key(u64::MAX));
    store.scan_range(
        Table::Audit,
        &from,
        &to,
        Order::NewestFirst,
        &mut |key, bytes| {
            last = Some((sequence(key), bytes.to_vec()));
            Visit::Stop
        },
    )?;
    let Some((number, bytes)) = last else {
        return Ok(AuditChain::default());
    };
    let number = number?;
    Ok(match AuditEntry::decode(&bytes) {
        Ok(entry) => AuditChain {
            sequence: number,
            hash: entry.hash,
        },
        Err(error) => {
            tracing::error!(entry = number, %error, "the last entry of the audit log is damaged");
            AuditChain::after_damage(number, &bytes)
        }
    })
}

/// Visits the entries after the number `after`, in order, with the numbers under which they are stored. Whether they are
/// the right ones an [`AuditVerifier`](tollgate_governance::AuditVerifier) tells.
///
/// # Errors
/// When the store fails.
pub fn scan(
    store: &dyn Store,
    after: u64,
    visit: &mut dyn FnMut(u64, Result<AuditEntry, AuditDecodeError>) -> Visit,
) -> Result<(), StoreError> {
    let mut failed = None;
    let (from, to) = (key(after.saturating_add(1)), key(u64::MAX));
    store.scan_range(
        Table::Audit,
        &from,
        &to,
        Order::OldestFirst,
        &mut |key, bytes| match sequence(key) {
            Ok(number) => visit(number, AuditEntry::decode(bytes)),
            Err(error) => {
                failed = Some(error);
                Visit::Stop
            }
        },
    )?;
    failed.map_or(Ok(()), Err)
}

/// Number of the last entry once `writes` are made, if they may be: each adds the next one.
pub(crate) fn last_after(last: u64, writes: &[Write]) -> Result<u64, StoreError> {
    let mut last = last;
    for write in writes.iter().filter(|write| write.table == Table::Audit) {
        let next = last.saturating_add(1);
        if write.key != key(next) || write.value.is_none() {
            return Err(StoreError::NotNext { next });
        }
        last = next;
    }
    Ok(last)
}
