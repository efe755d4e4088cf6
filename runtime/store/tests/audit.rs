//! The audit log in a store: it grows by its next entry or not at all, with the change it tells of, and is in a backup.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::path::Path;

use tollgate_governance::{
    AuditChain, AuditDraft, AuditEntry, AuditFinding, AuditVerifier, Directory, OsRandom,
};
use tollgate_store::{
    DiskStore, Durability, MemoryStore, Store, StoreError, Table, Visit, Write, audit, backup,
    ledger, records,
};

use common::open_engine;

fn open(path: &Path) -> DiskStore {
    DiskStore::open(path, Durability::Process).unwrap()
}

fn each_engine(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::default());
    let folder = tempfile::tempdir().unwrap();
    test(&open(folder.path()));
}

fn next(store: &dyn Store) -> AuditEntry {
    let draft = AuditDraft {
        act: "account.change".into(),
        ..AuditDraft::default()
    };
    audit::head(store).unwrap().link(draft)
}

fn append(store: &dyn Store, entries: u64) {
    for _ in 0..entries {
        store.apply(&[audit::write(&next(store))]).unwrap();
    }
}

fn findings(store: &dyn Store) -> (u64, Vec<AuditFinding>) {
    let mut verifier = AuditVerifier::new();
    audit::scan(store, 0, &mut |number, entry| {
        match entry {
            Ok(entry) => verifier.see(&entry),
            Err(error) => verifier.see_damaged(number, &error.to_string()),
        }
        Visit::Continue
    })
    .unwrap();
    (verifier.seen(), verifier.finish(None))
}

#[test]
fn a_store_without_entries_has_an_empty_log() {
    each_engine(|store| {
        assert_eq!(audit::head(store).unwrap(), AuditChain::default());
        assert_eq!(findings(store), (0, vec![]));
    });
}

#[test]
fn an_entry_is_stored_with_the_change_it_tells_of_or_neither_is() {
    each_engine(|store| {
        let mut directory = Directory::default();
        let (_, changes) = directory.create_root(1, &mut OsRandom::new()).unwrap();
        // The wrong number: nothing happens.
        let mut wrong = next(store);
        wrong.sequence = 2;
        let error = records::commit(store, &mut directory, &changes, Some(&wrong)).unwrap_err();
        assert!(matches!(error, StoreError::NotNext { next: 1 }) && error.is_refusal());
        assert!(directory.root().is_none() && records::load(store).unwrap().root().is_none());
        assert_eq!(findings(store).0, 0);
        let entry = next(store);
        records::commit(store, &mut directory, &changes, Some(&entry)).unwrap();
        assert!(records::load(store).unwrap().root().is_some());
        assert_eq!(audit::head(store).unwrap(), AuditChain::after(&entry));
        assert_eq!(findings(store), (1, vec![]));
    });
}

#[test]
fn entries_cannot_be_changed_removed_left_out_or_doubled_through_the_store() {
    each_engine(|store| {
        append(store, 3);
        let before = audit::head(store).unwrap();
        let write = |number: u64, value: Option<Vec<u8>>| Write {
            table: Table::Audit,
            key: number.to_be_bytes().to_vec(),
            value,
        };
        let entry = || Some(next(store).encode());
        for writes in [
            vec![write(3, entry())],
            vec![write(3, None)],
            vec![write(4, None)],
            vec![write(5, entry())],
            vec![write(4, entry()), write(4, entry())],
            vec![write(u64::MAX, entry())],
        ] {
            let refused = store.apply(&writes).unwrap_err();
            assert!(
                matches!(refused, StoreError::NotNext { next: 4 | 5 }),
                "{refused}"
            );
            assert!(store.append_ledger(&[vec![1]], &writes).is_err());
        }
        assert_eq!(audit::head(store).unwrap(), before);
        // Nor did the ledger get what came with it.
        assert_eq!(ledger::since_checkpoint(store).unwrap(), 0);
        assert_eq!(findings(store), (3, vec![]));
    });
}

#[test]
fn the_log_goes_on_after_a_restart_and_is_read_from_any_entry_on() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let store = open(folder.path());
        assert_eq!(audit::head(&store).unwrap().sequence, start * 5);
        append(&store, 5);
    }
    let store = open(folder.path());
    assert_eq!(findings(&store), (15, vec![]));
    let mut numbers = Vec::new();
    audit::scan(&store, 11, &mut |number, entry| {
        assert_eq!(entry.unwrap().sequence, number);
        numbers.push(number);
        if numbers.len() < 3 {
            Visit::Continue
        } else {
            Visit::Stop
        }
    })
    .unwrap();
    assert_eq!(numbers, [12, 13, 14]);
}

#[test]
fn what_is_done_to_the_files_behind_its_back_is_found_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    append(&open(folder.path()), 6);
    let key = |number: u64| [&[Table::Audit as u8][..], &number.to_be_bytes()].concat();
    {
        let tree = open_engine(folder.path());
        let mut last = tree.get(key(6)).unwrap().unwrap().to_vec();
        last[20] ^= 1;
        tree.insert(key(6), last).unwrap();
        tree.remove(key(2)).unwrap();
        // And two change places.
        let (three, four) = (tree.get(key(3)).unwrap(), tree.get(key(4)).unwrap());
        tree.insert(key(3), four.unwrap()).unwrap();
        tree.insert(key(4), three.unwrap()).unwrap();
        tree.flush().unwrap();
    }
    let store = open(folder.path());
    append(&store, 2);
    let (seen, findings) = findings(&store);
    assert_eq!(seen, 7);
    let has = |wanted: &dyn Fn(&AuditFinding) -> bool| findings.iter().any(wanted);
    assert!(
        has(&|finding| matches!(finding, AuditFinding::Missing { first: 2, .. })),
        "{findings:?}"
    );
    assert!(
        has(&|finding| matches!(finding, AuditFinding::Misplaced { sequence: 3, .. })),
        "{findings:?}"
    );
    assert!(
        has(&|finding| matches!(
            finding,
            AuditFinding::Damaged { sequence: 6, .. } | AuditFinding::Altered { sequence: 6 }
        )),
        "{findings:?}"
    );
}

#[test]
fn a_backup_has_the_log_and_a_restored_store_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("live"));
    append(&store, 12);
    let (copy, restored) = (folder.path().join("copy"), folder.path().join("restored"));
    let manifest = backup::create(&store, &copy).unwrap();
    assert_eq!((manifest.audit_entries, manifest.records), (12, 0));
    backup::restore(&copy, &restored).unwrap();
    let again = open(&restored);
    assert_eq!(audit::head(&again).unwrap(), audit::head(&store).unwrap());
    append(&again, 1);
    assert_eq!(findings(&again), (13, vec![]));
}

#[test]
fn a_backup_from_before_there_was_a_log_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("live"));
    let copy = folder.path().join("copy");
    backup::create(&store, &copy).unwrap();
    let note = copy.join("tollgate-backup.json");
    let text = std::fs::read_to_string(&note).unwrap();
    let old: String = text
        .lines()
        .filter(|line| !line.contains("audit_entries"))
        .collect();
    assert_ne!(old.len(), text.len());
    std::fs::write(&note, old).unwrap();
    assert_eq!(backup::verify(&copy).unwrap().audit_entries, 0);
}
