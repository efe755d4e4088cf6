//! A store of an older format is opened, migrated once, and complete.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

use std::fs;
use std::path::Path;

use tollgate_governance::UsageRow;
use tollgate_store::{
    DiskStore, Durability, Order, Store, StoreError, Table, UsageBatch, Visit, ledger, usage,
};

/// Writes what a Tollgate of format 1 wrote: mark and identity, a record, a block with one row.
fn format_1(path: &Path) {
    let identity = br#"{"format":1,"id":"18a0-0001"}"#;
    let tree = sled::open(path).unwrap();
    let mut row = Vec::new();
    let used = UsageRow {
        admitted_ms: 25_000,
        charged: 42,
        ..UsageRow::default()
    };
    used.encode(&mut row);
    let mut block = vec![1];
    block.extend_from_slice(&5_000u32.to_le_bytes());
    block.extend_from_slice(&(row.len() as u32).to_le_bytes());
    block.extend_from_slice(&row);
    let block_key = [&[0x80][..], &2u64.to_be_bytes(), &77u64.to_be_bytes()].concat();
    let mut batch = sled::Batch::default();
    batch.insert(b"\x01store/identity", identity);
    batch.insert(b"\x01store/commits", &3u64.to_be_bytes());
    batch.insert(b"\x02an account", b"its record");
    batch.insert(block_key, block);
    tree.apply_batch(batch).unwrap();
    tree.flush().unwrap();
    fs::write(path.join("tollgate-store.json"), identity).unwrap();
}

fn open(path: &Path) -> Result<DiskStore, StoreError> {
    DiskStore::open(path, Durability::Process)
}

fn format_of(path: &Path) -> String {
    fs::read_to_string(path.join("tollgate-store.json")).unwrap()
}

fn rows(store: &dyn Store) -> Vec<(u64, u64)> {
    let mut rows = Vec::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        rows.push((row.admitted_ms, row.charged));
        Visit::Continue
    })
    .unwrap();
    rows
}

#[test]
fn a_store_of_format_1_is_migrated_with_all_that_is_in_it_and_used_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    format_1(&path);
    for start in 0..3u64 {
        let store = open(&path).unwrap();
        assert!(format_of(&path).contains(r#""format":2,"id":"18a0-0001""#));
        assert_eq!(rows(&store)[0], (25_000, 42));
        assert_eq!(rows(&store).len() as u64, 1 + start);
        let record = store.get(Table::Accounts, b"an account").unwrap();
        assert_eq!(record.unwrap(), b"its record");
        let mut batch = UsageBatch::default();
        let row = UsageRow {
            admitted_ms: 26_000 + start,
            ..UsageRow::default()
        };
        batch.push_with(&row, b"posting");
        store.append_usage(&batch).unwrap();
        store.flush().unwrap();
        let mut records = 0;
        ledger::scan(&store, 1..u64::MAX, &mut |_, _| {
            records += 1;
            Visit::Continue
        })
        .unwrap();
        assert_eq!(records, start + 1);
    }
}

#[test]
fn killed_between_the_migration_and_the_mark_it_opens_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    format_1(&path);
    let old = format_of(&path);
    drop(open(&path).unwrap());
    fs::write(path.join("tollgate-store.json"), &old).unwrap();
    drop(open(&path).unwrap());
    assert!(format_of(&path).contains(r#""format":2"#));
    // But not with the mark of another store.
    fs::write(
        path.join("tollgate-store.json"),
        old.replace("18a0", "99ff"),
    )
    .unwrap();
    assert!(matches!(open(&path), Err(StoreError::Damaged { .. })));
}
