//! In which order the disk is made to have what, and files go: on it hangs what a power failure leaves.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_governance::UsageRow;
use uuid::Uuid;

use super::pool::Pool;
use super::segment::FIRST;
use super::{Journal, JournalOptions};
use crate::calls::{Call, seen};
use crate::engine::Durability;
use crate::memory::MemoryStore;
use crate::sled_store::DiskStore;
use crate::writer::{UsageWriter, WriterOptions};

type Calls = Vec<(Call, String)>;

const DURABILITIES: [Durability; 2] = [Durability::PowerLoss, Durability::Process];
const PATIENCE: Duration = Duration::from_secs(30);
const ENGINE: &str = "store/db";

/// Segments of some forty rows.
fn options(durability: Durability) -> JournalOptions {
    JournalOptions {
        durability,
        segment_bytes: 16 << 10,
        reserve_bytes: 0,
        ..JournalOptions::default()
    }
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: 1_000 + number,
        session: "s".repeat(200).into(),
        ..UsageRow::default()
    }
}

/// A store and a journal whose thread does something when it is asked to, and else nothing.
fn start(folder: &Path, durability: Durability) -> UsageWriter {
    let store = Arc::new(DiskStore::open(&folder.join("store"), durability).unwrap());
    let (journal, _) =
        Journal::open(&folder.join("journal"), &*store, options(durability)).unwrap();
    let asked = WriterOptions {
        interval: Duration::from_secs(3_600),
        ..WriterOptions::default()
    };
    let writer = UsageWriter::start_journaled(store, asked, journal).unwrap();
    // Its first look, which ends with another spare segment.
    wait_for(folder, "a second segment", |calls| {
        calls.iter().filter(|call| is_begun(call)).count() > 1
    });
    writer
}

fn is_begun(call: &(Call, String)) -> bool {
    call.0 == Call::Renamed && call.1.ends_with(".journal")
}

fn wait_for(folder: &Path, what: &str, happened: impl Fn(&Calls) -> bool) -> Calls {
    let end = Instant::now() + PATIENCE;
    loop {
        let calls = seen(folder);
        if happened(&calls) {
            return calls;
        }
        assert!(Instant::now() < end, "{what}: {calls:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn place(calls: &[(Call, String)], call: Call, path: &str) -> Option<usize> {
    calls
        .iter()
        .position(|(other, there)| (*other, there.as_str()) == (call, path))
}

/// Segments with records, by their paths in the calls.
fn written(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("journal")).unwrap();
    let files = files.map(|file| file.unwrap());
    let used = files.filter(|file| {
        let bytes = fs::read(file.path()).unwrap();
        let name = file.file_name();
        name.to_str().unwrap().ends_with(".journal") && bytes.len() as u64 > FIRST
    });
    used.map(|file| format!("journal/{}", file.file_name().to_str().unwrap()))
        .collect()
}

#[test]
fn a_segment_is_on_the_disk_under_its_name_before_anything_is_written_in_it() {
    for durability in DURABILITIES {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::new(folder.path().to_owned(), options(durability), [0; 16], 1, 1);
        pool.take().unwrap();
        let name = |call, name: &str| (call, name.to_owned());
        let renamed = name(Call::Renamed, "00000001.journal");
        let expected = match durability {
            Durability::PowerLoss => vec![
                name(Call::Synced, "00000001.new"),
                renamed,
                name(Call::Synced, ""),
            ],
            Durability::Process => vec![renamed],
        };
        assert_eq!(seen(folder.path()), expected, "{durability:?}");
    }
}

/// The hold of a long request is written again in a later segment, so that the first may go; a row goes into the store.
/// Neither is worth anything while only the kernel has it.
#[test]
fn a_segment_goes_when_the_disk_has_what_replaced_its_holds_and_the_store_its_rows() {
    for durability in DURABILITIES {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path(), durability);
        let mut worker = writer.journal_writer().unwrap();
        worker.buffer_hold(&row(1_000), &[]);
        for number in 0..100 {
            if number == 50 {
                // Stays in the second segment, which is full, too.
                worker.buffer_hold(&row(2_000), &[]);
            }
            worker.append(&row(number), &[]).unwrap();
        }
        let before = seen(folder.path()).len();
        assert!(writer.sync(PATIENCE));
        let first = "journal/00000001.journal";
        let calls = wait_for(folder.path(), "the first segment goes", |calls| {
            place(calls, Call::Removed, first).is_some()
        });
        let calls = &calls[before..];
        let removed = place(calls, Call::Removed, first);
        assert!(removed.is_some(), "in this look of the thread: {calls:?}");
        let left = written(folder.path());
        assert!(left.len() >= 2, "one is kept for its hold: {left:?}");
        for path in left.iter().map(String::as_str).chain([ENGINE]) {
            let synced = place(calls, Call::Synced, path);
            match durability {
                Durability::PowerLoss => assert!(synced.is_some() && synced < removed, "{path}"),
                Durability::Process => assert_eq!(synced, None, "{path}"),
            }
        }
    }
}

#[test]
fn the_last_segments_go_when_the_store_misses_them_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let writer = start(folder.path(), Durability::PowerLoss);
    let mut worker = writer.journal_writer().unwrap();
    worker.append(&row(1), &[]).unwrap();
    drop(worker);
    writer.shutdown().unwrap();
    let calls = seen(folder.path());
    assert_eq!(
        fs::read_dir(folder.path().join("journal")).unwrap().count(),
        0
    );
    let removals = calls.iter().filter(|(call, _)| *call == Call::Removed);
    let removed: Vec<&str> = removals.map(|(_, path)| path.as_str()).collect();
    // That of the worker, when its row is stored; then the spare ones.
    assert!(removed.len() >= 2, "{calls:?}");
    let spare = place(&calls, Call::Removed, removed[1]).unwrap();
    let noted = (Call::Synced, ENGINE.to_owned());
    assert_eq!(calls[spare - 1], noted, "{calls:?}");
}

#[test]
fn a_start_removes_what_it_read_when_the_disk_has_its_rows_and_the_segment_that_follows() {
    let folder = tempfile::tempdir().unwrap();
    let durable = Durability::PowerLoss;
    // In use before, so that the store misses its journal, and needs no word of that again.
    let there = folder.path().join("journal");
    let store = DiskStore::open(&folder.path().join("store"), durable).unwrap();
    Journal::open(&there, &store, options(durable)).unwrap();
    // As a killed process leaves it, whose store did not get the row.
    let elsewhere = tempfile::tempdir().unwrap();
    let forgets = Arc::<MemoryStore>::default();
    let (journal, _) = Journal::open(elsewhere.path(), &*forgets, options(durable)).unwrap();
    let writer = UsageWriter::start_journaled(forgets, WriterOptions::default(), journal).unwrap();
    let mut worker = writer.journal_writer().unwrap();
    worker.append(&row(1), &[]).unwrap();
    let name = "00000001.journal";
    fs::copy(elsewhere.path().join(name), there.join(name)).unwrap();

    let before = seen(folder.path()).len();
    let (_, recovery) = Journal::open(&there, &store, options(durable)).unwrap();
    assert_eq!(recovery.rows_added, 1);
    let calls = &seen(folder.path())[before..];
    let old = format!("journal/{name}");
    let removed = place(calls, Call::Removed, &old);
    let rows = place(calls, Call::Synced, ENGINE);
    let next = place(calls, Call::Synced, "journal");
    assert!(removed.is_some());
    assert!(rows.is_some() && rows < removed, "{calls:?}");
    assert!(next.is_some() && next < removed, "{calls:?}");
    let last = (Call::Synced, "journal".to_owned());
    assert_eq!(calls.last(), Some(&last), "the removal is on the disk, too");
}
