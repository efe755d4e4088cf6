//! A full disk: new requests are refused, nothing accepted is lost, and it goes on by itself when there is room.
//!
//! On a real file system of 120 MiB where one can be mounted (a user namespace of one's own or root); else where all but
//! 256 MiB of what is free is to be left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tollgate_governance::{AccountId, Begun, Operation, RollupFilter, Source, Span, UsageRow};
use tollgate_store::usage::GroupBy;
use tollgate_store::{
    DiskStore, Durability, Journal, JournalOptions, Order, Store, StoreError, Table, UsageRollups,
    UsageWriter, Visit, WriterOptions, ledger, usage,
};
use uuid::Uuid;

use common::{live_two_minutes, wait_until};

const FOLDER: &str = "TOLLGATE_TEST_FULL_FOLDER";
const RESERVE: u64 = 32 << 20;
/// What may be used where none can be mounted: others write there, too.
const SIZE: u64 = 256 << 20;

#[test]
fn a_full_disk_refuses_new_requests_loses_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=120m tmpfs \"$0\" && exec \"$@\"";
    let mounted = Command::new("unshare")
        .args(["--mount", "--user", "--map-root-user", "sh", "-c", script])
        .arg(folder.path())
        .arg("true")
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        let free = free(folder.path());
        assert!(
            free > SIZE,
            "too little is free for this test: {free} bytes"
        );
        println!(
            "`unshare` cannot mount a file system here: a reserve is kept instead, and the disk is never quite full"
        );
        return refuses_loses_nothing_and_recovers(folder.path(), free - SIZE);
    }
    let output = Command::new("unshare")
        .args(["--mount", "--user", "--map-root-user", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_on_a_small_disk", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("all rows are there"), "{said}");
    println!(
        "{}",
        said.lines().find(|line| line.contains("all rows")).unwrap()
    );
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: number,
        session: "s".repeat(300).into(),
        ..UsageRow::default()
    }
}

/// Not a test of its own: runs on the small disk.
#[test]
fn child_on_a_small_disk() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    live_two_minutes();
    refuses_loses_nothing_and_recovers(Path::new(&folder), 0);
}

/// Bytes that are free on the disk.
fn free(folder: &Path) -> u64 {
    let found = rustix::fs::statvfs(folder).unwrap();
    found.f_bavail * found.f_frsize
}

/// All but `others` of what is free may be used.
fn refuses_loses_nothing_and_recovers(folder: &Path, others: u64) {
    let reserve = others + RESERVE;
    let path = folder.join("store");
    let open = || {
        let store = DiskStore::open(&path, Durability::PowerLoss).unwrap();
        let kept = Arc::new(UsageRollups::new("UTC").unwrap());
        Arc::new(store.with_reserve(reserve).with_fold(kept).unwrap())
    };
    let store = open();
    let options = JournalOptions {
        segment_bytes: 256 << 10,
        reserve_bytes: reserve,
        ..JournalOptions::default()
    };
    let (journal, _) = Journal::open(&path.join("journal"), &*store, options.clone()).unwrap();
    let writer = WriterOptions {
        interval: Duration::from_millis(2),
        queue_bytes: 1 << 20,
        ..WriterOptions::default()
    };
    let writer = UsageWriter::start_journaled(store.clone(), writer, journal).unwrap();
    let mut journal = writer.journal_writer().unwrap();
    let mut next = 0;
    while next < 500 {
        journal.append(&row(next), &[]).unwrap();
        next += 1;
    }
    assert!(journal.has_room() && writer.has_room());
    // Somebody else fills the disk.
    let filler = folder.join("filler");
    let mut file = File::create(&filler).unwrap();
    while free(folder) > others && file.write_all(&[7; 64 << 10]).is_ok() {}
    // Requests that are in flight go on to end while new ones are refused.
    let mut unjournaled = 0u64;
    let mut refused_at = None;
    for _ in 0..6_000 {
        unjournaled += u64::from(journal.append(&row(next), &[]).is_err());
        next += 1;
        if refused_at.is_none() && !journal.has_room() {
            refused_at = Some(next);
        }
    }
    assert!(refused_at.is_some() && !journal.has_room());
    wait_until("the store must say that it is full", || writer.is_failing());
    assert!(!writer.has_room());
    let refused = store.put(Table::Accounts, b"k", b"v").unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    // A grant is given up without a trace, and may be tried again.
    let grant = Operation::Grant {
        key: "g".into(),
        from: Source::Treasury { expires_ms: None },
        to: AccountId::default(),
        amount: 5,
    };
    let mut books = ledger::load(&*store).unwrap();
    let Ok(Begun::Pending(pending)) = books.begin(grant.clone(), 1) else {
        unreachable!()
    };
    let refused = ledger::append(&*store, pending.entry()).unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(refused.is_refusal());
    books.abort(pending);
    // There is room again.
    drop(file);
    fs::remove_file(&filler).unwrap();
    wait_until("it must recover", || {
        let _ = journal.flush();
        journal.has_room() && writer.has_room() && !writer.is_failing()
    });
    journal.append(&row(next), &[]).unwrap();
    next += 1;
    store.put(Table::Accounts, b"k", b"v").unwrap();
    let Ok(Begun::Pending(pending)) = books.begin(grant, 1) else {
        unreachable!()
    };
    assert_eq!(ledger::append(&*store, pending.entry()).unwrap(), 1);
    drop(journal);
    writer.shutdown().unwrap();
    drop(store);
    let store = open();
    let (_, recovery) = Journal::open(&path.join("journal"), &*store, options).unwrap();
    assert_eq!(recovery.rows_added, 0);
    let mut rows = 0;
    usage::scan(&*store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        assert_eq!(row.admitted_ms, rows);
        rows += 1;
        Visit::Continue
    })
    .unwrap();
    assert_eq!(rows, next);
    let (filter, by) = (RollupFilter::default(), GroupBy::default());
    let lines = usage::report(&*store, Span::Hour, &filter, &by).unwrap();
    assert_eq!(lines[0].sums.requests, rows, "roll-ups agree with the rows");
    println!(
        "all rows are there: {rows}; refused from row {} on, {unjournaled} only in memory meanwhile",
        refused_at.unwrap()
    );
}
