//! Between the directory of governance and the tables of the store.

use tollgate_governance::{AuditEntry, Change, Directory, Entry, Record, RecordKind};

use crate::engine::{Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::{audit, ledger};

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
/// When the store fails; the directory is then unchanged. But where [`StoreError::is_made`] it has the changes, as the
/// next start will read them: without them it would take a second account of one name, which no start does.
pub fn commit(
    store: &dyn Store,
    directory: &mut Directory,
    changes: &[Change],
    entry: Option<&AuditEntry>,
) -> Result<(), StoreError> {
    let stored = store.apply(&writes(changes, entry));
    follow(directory, changes, stored)
}

/// The same, with what an operation of the ledger posts in the same commit.
///
/// # Errors
/// See [`commit`] and [`ledger::append`].
pub fn commit_posted(
    store: &dyn Store,
    directory: &mut Directory,
    posted: &Entry,
    changes: &[Change],
    entry: Option<&AuditEntry>,
) -> Result<(), StoreError> {
    let stored = ledger::append_with(store, posted, &writes(changes, entry));
    follow(directory, changes, stored.map(drop))
}

fn writes(changes: &[Change], entry: Option<&AuditEntry>) -> Vec<Write> {
    let changed = changes.iter().map(|change| Write {
        table: table(change.kind()),
        key: change.id(),
        value: change.bytes(),
    });
    changed.chain(entry.map(audit::write)).collect()
}

/// The directory has what the store has.
fn follow(
    directory: &mut Directory,
    changes: &[Change],
    stored: Result<(), StoreError>,
) -> Result<(), StoreError> {
    if stored.as_ref().err().is_none_or(StoreError::is_made) {
        directory.apply(changes);
    }
    stored
}

#[cfg(test)]
mod tests {
    use tollgate_governance::{AccountPatch, OsRandom};

    use super::*;
    use crate::calls::fail;
    use crate::engine::Durability;
    use crate::sled_store::DiskStore;

    #[test]
    fn a_change_that_the_disk_has_not_confirmed_is_in_the_directory_and_its_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), Durability::PowerLoss).unwrap();
        let mut directory = Directory::default();
        let random = &mut OsRandom::new();
        let (_, changes) = directory.create_root(1, random).unwrap();
        commit(&store, &mut directory, &changes, None).unwrap();
        let new = AccountPatch {
            name: Some("a".to_owned()),
            ..AccountPatch::default()
        };
        let (_, changes) = directory.create_account(&new, 2, random).unwrap();
        fail(folder.path(), 2);
        let error = commit(&store, &mut directory, &changes, None).unwrap_err();
        assert!(error.is_made(), "{error}");
        assert!(directory.account("root/a").is_ok());
        // Asked for again it made a second account of that name, and no start read the two.
        assert!(directory.create_account(&new, 3, random).is_err());
        assert_eq!(load(&store).unwrap().accounts().count(), 2);
    }
}
