//! Between the directory of governance and the tables of the store.

use tollgate_governance::{AuditEntry, Change, Directory, Record, RecordKind};

use crate::audit;
use crate::engine::{Store, Table, Visit, Write};
use crate::error::StoreError;

const TABLES: [(RecordKind, Table); 6] = [
    (RecordKind::Account, Table::Accounts),
    (RecordKind::Key, Table::Keys),
    (RecordKind::Upstream, Table::Upstreams),
    (RecordKind::Attachment, Table::Attachments),
    (RecordKind::Credential, Table::Credentials),
    (RecordKind::Token, Table::Tokens),
];

fn table(kind: RecordKind) -> Table {
    match kind {
        RecordKind::Account => Table::Accounts,
        RecordKind::Key => Table::Keys,
        RecordKind::Upstream => Table::Upstreams,
        RecordKind::Attachment => Table::Attachments,
        RecordKind::Credential => Table::Credentials,
        RecordKind::Token => Table::Tokens,
    }
}

/// Reads the directory. An empty store gives an empty directory, without a root.
///
/// # Errors
/// When the store fails, a record is damaged or newer, or the records do not fit together.
pub fn load(store: &dyn Store) -> Result<Directory, StoreError> {
    let mut records = Vec::new();
    for (kind, table) in TABLES {
        let mut failed = None;
        store.scan(table, &mut |_, bytes| match Record::decode(kind, bytes) {
            Ok(record) => {
                records.push(record);
                Visit::Continue
            }
            Err(error) => {
                failed = Some(error);
                Visit::Stop
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    Ok(Directory::load(records)?)
}

/// Makes changes durable together with the entry of the audit log that tells of them, all or none, and then effective in
/// the directory.
///
/// # Errors
/// When the store fails; the directory is then unchanged.
pub fn commit(
    store: &dyn Store,
    directory: &mut Directory,
    changes: &[Change],
    entry: Option<&AuditEntry>,
) -> Result<(), StoreError> {
    let writes = changes
        .iter()
        .map(|change| Write {
            table: table(change.kind()),
            key: change.id(),
            value: change.bytes(),
        })
        .chain(entry.map(audit::write));
    store.apply(&writes.collect::<Vec<_>>())?;
    directory.apply(changes);
    Ok(())
}
