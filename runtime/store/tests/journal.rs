//! The journal: what is replayed, what is refused, what happens when it cannot be written.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tollgate_governance::{AccountId, Begun, Entry, Ledger, Operation, Post, Source, UsageRow};
use tollgate_store::{
    Durability, Journal, JournalError, JournalOptions, JournalWriter, MemoryStore, Order, Recovery,
    Store, StoreError, UsageWriter, Visit, WriterOptions, ledger, usage,
};
use uuid::Uuid;

use common::wait_until;

fn options() -> JournalOptions {
    JournalOptions {
        segment_bytes: 64 << 10,
        reserve_bytes: 0,
        ..JournalOptions::default()
    }
}

/// A row of about 300 bytes.
fn row(number: u64, charged: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: 1_000 + number,
        charged,
        session: "s".repeat(200).into(),
        ..UsageRow::default()
    }
}

const WALLET: AccountId = AccountId(Uuid::from_u128(7));

fn post(number: u64, amount: i64) -> Post {
    Post {
        request: Uuid::from_u128(number.into()),
        wallet: WALLET,
        amount,
        fee: 0,
    }
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out);
    out
}

/// The ledger record of a charge to nobody's credit.
fn charge(number: u64, amount: i64) -> Vec<u8> {
    let posted = Ledger::default().post(post(number, amount), 1_000);
    bytes(&posted.unwrap().1.unwrap())
}

/// A store in which the wallet has so much credit, and its ledger.
fn funded(amount: i64) -> (Arc<MemoryStore>, Ledger) {
    let store = Arc::<MemoryStore>::default();
    let mut books = Ledger::default();
    let grant = Operation::Grant {
        key: "first".into(),
        from: Source::Treasury { expires_ms: None },
        to: WALLET,
        amount,
    };
    let Begun::Pending(pending) = books.begin(grant, 1_000).unwrap() else {
        unreachable!()
    };
    ledger::append(&*store, pending.entry()).unwrap();
    books.commit(pending);
    (store, books)
}

fn stored(store: &dyn Store) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        found.push((row.admitted_ms - 1_000, row.charged));
        Visit::Continue
    })
    .unwrap();
    found
}

fn start(
    folder: &Path,
    store: &Arc<MemoryStore>,
    options: JournalOptions,
) -> (UsageWriter, Recovery) {
    let (journal, recovery) = Journal::open(folder, &**store, options).unwrap();
    let writer = WriterOptions {
        interval: Duration::from_millis(1),
        ..WriterOptions::default()
    };
    let writer = UsageWriter::start_journaled(store.clone(), writer, journal).unwrap();
    (writer, recovery)
}

/// Writes a journal whose rows never reach a store, as a process that was killed leaves it.
fn killed(folder: &Path, write: impl FnOnce(&mut JournalWriter)) {
    let (writer, _) = start(folder, &Arc::default(), options());
    let mut journal = writer.journal_writer().unwrap();
    write(&mut journal);
    copy(folder, &folder.with_extension("copy"));
    drop((journal, writer));
    fs::remove_dir_all(folder).unwrap();
    fs::rename(folder.with_extension("copy"), folder).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // The writer thread may remove one meanwhile.
        match fs::copy(entry.path(), to.join(entry.file_name())) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
}

/// The segments; not those that the thread was making when the folder was copied, which may be empty.
fn segments(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none_or(|kind| kind != "new"))
}

/// The one in which something was written.
fn written(folder: &Path) -> PathBuf {
    let is_written = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes[4096..].iter().any(|byte| *byte != 0)
    };
    segments(folder).find(is_written).unwrap()
}

/// How many there are.
fn files(folder: &Path) -> usize {
    segments(folder).count()
}

#[test]
fn a_killed_process_leaves_finals_as_they_are_and_holds_as_they_stand() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    killed(&folder, |journal| {
        journal.append(&row(1, 10), &[]).unwrap();
        journal.buffer_hold(&row(2, 20), &[]);
        journal.buffer_hold(&row(3, 30), &[]);
        journal.flush().unwrap();
        journal.append(&row(3, 31), &[]).unwrap();
        journal.buffer_hold(&row(2, 21), &[]);
        journal.flush().unwrap();
        // Buffered only: the client has seen nothing of it yet.
        journal.buffer_hold(&row(4, 40), &[]);
    });
    let store = Arc::<MemoryStore>::default();
    let (writer, recovery) = start(&folder, &store, options());
    assert_eq!(stored(&*store), [(1, 10), (2, 21), (3, 31)]);
    assert_eq!(
        (
            recovery.records,
            recovery.rows_added,
            recovery.holds_resolved
        ),
        (5, 2, 1)
    );
    drop(writer);
    assert_eq!(files(&folder), 0, "a clean end leaves nothing behind");
    let (_, recovery) = start(&folder, &store, options());
    assert_eq!(recovery, Recovery::default());
    assert_eq!(stored(&*store).len(), 3);
}

#[test]
fn a_start_killed_before_the_segments_were_removed_adds_no_row_twice() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    killed(&folder, |journal| {
        for number in 1..=50 {
            journal.append(&row(number, 1), &charge(number, 1)).unwrap();
            journal.buffer_hold(&row(1_000 + number, 2), &[]);
        }
        journal.flush().unwrap();
    });
    let store = Arc::<MemoryStore>::default();
    for round in 0..3 {
        let again = temp.path().join(format!("again-{round}"));
        copy(&folder, &again);
        let (_, recovery) = Journal::open(&again, &*store, options()).unwrap();
        let (added, already) = if round == 0 { (100, 0) } else { (0, 100) };
        assert_eq!(recovery.rows_added + recovery.holds_resolved, added);
        assert_eq!(recovery.already_stored, already);
        assert_eq!(stored(&*store).len(), 100);
    }
}

#[test]
fn a_hold_whose_final_row_is_stored_and_gone_from_the_journal_is_not_charged_again() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    killed(&folder, |journal| {
        journal.buffer_hold(&row(7, 100), &[]);
        journal.flush().unwrap();
    });
    let store = Arc::<MemoryStore>::default();
    let mut batch = tollgate_store::UsageBatch::default();
    batch.push(&row(7, 3));
    store.append_usage(&batch).unwrap();
    let (_, recovery) = Journal::open(&folder, &*store, options()).unwrap();
    assert_eq!((recovery.holds_resolved, recovery.already_stored), (0, 1));
    assert_eq!(stored(&*store), [(7, 3)]);
}

#[test]
fn a_torn_last_record_is_passed_over_and_damage_before_others_is_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let good = temp.path().join("good");
    killed(&good, |journal| {
        for number in 0..20 {
            journal.append(&row(number, 1), &[]).unwrap();
        }
    });
    let file = written(&good);
    let bytes = fs::read(&file).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let name = file.file_name().unwrap();

    let torn = temp.path().join("torn");
    copy(&good, &torn);
    let target = fs::File::options()
        .write(true)
        .open(torn.join(name))
        .unwrap();
    // Half of the last record never arrived; the disk had been told of nothing yet.
    target.write_all_at(&[0; 100], end as u64 - 100).unwrap();
    target.write_all_at(&[0; 16], 512).unwrap();
    let store = MemoryStore::default();
    let (_, recovery) = Journal::open(&torn, &store, options()).unwrap();
    assert_eq!(
        (recovery.rows_added, recovery.lost_in_power_failure),
        (19, 0)
    );

    for place in [10, 30, 4096 + 5, 4096 + 2_000, end - 500] {
        let bad = temp.path().join(format!("bad-{place}"));
        copy(&good, &bad);
        let mut harmed = bytes.clone();
        harmed[place] ^= 0x10;
        fs::write(bad.join(name), harmed).unwrap();
        let store = MemoryStore::default();
        let error = Journal::open(&bad, &store, options()).unwrap_err();
        assert!(matches!(&error, StoreError::Journal { path, .. } if path.ends_with(name)));
        let text = error.to_string();
        assert!(
            text.contains("Restore a backup") && text.contains("move that file"),
            "{text}"
        );
        assert!(stored(&store).is_empty(), "nothing was changed");
        // As the message says.
        fs::rename(bad.join(name), temp.path().join("away")).unwrap();
        Journal::open(&bad, &store, options()).unwrap();
    }
}

/// Where the machine went down, later pages may be on the disk and earlier ones not; but none that was synced.
#[test]
fn a_power_failure_may_tear_what_was_not_synced_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let good = temp.path().join("good");
    let options = JournalOptions {
        // No sync, so that nothing counts as being on the disk.
        durability: Durability::Process,
        ..options()
    };
    {
        let (writer, _) = start(&good, &Arc::default(), options.clone());
        let mut journal = writer.journal_writer().unwrap();
        for number in 0..20 {
            journal.append(&row(number, 1), &[]).unwrap();
        }
        copy(&good, &temp.path().join("copy"));
    }
    let good = temp.path().join("copy");
    let file = written(&good);
    let harm = |boot: u8, synced: u64, upto: usize| {
        let mut bytes = fs::read(&file).unwrap();
        let upto = bytes.len().min(4096 + upto);
        bytes[4096 + 1_000..upto].fill(0);
        bytes[20..36].fill(boot);
        let sum = crc(&bytes[..36]);
        bytes[36..40].copy_from_slice(&sum.to_le_bytes());
        bytes[512..520].copy_from_slice(&synced.to_le_bytes());
        bytes[520..528].copy_from_slice(&(!synced).to_le_bytes());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00000001.journal"), bytes).unwrap();
        let store = MemoryStore::default();
        Journal::open(folder.path(), &store, options.clone()).map(|(_, recovery)| recovery)
    };
    let recovery = harm(9, 4096 + 900, 1_400).unwrap();
    assert!(
        recovery.rows_added >= 16 && recovery.lost_in_power_failure == 1,
        "{recovery}"
    );
    assert!(harm(9, 4096 + 5_000, 1_400).is_err(), "the disk had it");
    // And all of the last ones.
    let recovery = harm(9, 4096 + 900, 60_000).unwrap();
    assert!(
        (1..4).contains(&recovery.rows_added) && recovery.lost_in_power_failure == 0,
        "{recovery}"
    );
    assert!(
        harm(9, 4096 + 5_000, 60_000).is_err(),
        "the disk had one of them"
    );
}

/// CRC-32, bit by bit: another one than that which is tested.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn a_journal_that_is_gone_is_missed_unless_someone_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let store = MemoryStore::default();
    drop(Journal::open(&folder, &store, options()).unwrap());
    fs::remove_dir_all(&folder).unwrap();
    let error = Journal::open(&folder, &store, options()).unwrap_err();
    assert!(error.to_string().contains("files are gone"), "{error}");
    fs::write(folder.join("abandoned"), "").unwrap();
    drop(Journal::open(&folder, &store, options()).unwrap());
    assert!(!folder.join("abandoned").exists());
}

#[test]
fn segments_are_removed_though_requests_of_their_time_are_open() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let store = Arc::<MemoryStore>::default();
    let (writer, _) = start(&folder, &store, options());
    let mut journal = writer.journal_writer().unwrap();
    journal.buffer_hold(&row(0, 77), &[]);
    journal.flush().unwrap();
    // Forty segments' worth.
    for number in 1..9_000 {
        journal.append(&row(number, 1), &[]).unwrap();
        if number % 100 == 0 {
            // One more that stays open: at least one in each segment.
            journal.buffer_hold(&row(20_000 + number, 78), &[]);
            journal.flush().unwrap();
            wait_until("all is committed", || {
                journal.committed() == journal.submitted()
            });
            // Killed now, each of them would still be found.
            std::thread::sleep(Duration::from_millis(1));
            let copied = temp.path().join(format!("copy-{number}"));
            copy(&folder, &copied);
            let killed = MemoryStore::default();
            let (_, recovery) = Journal::open(&copied, &killed, options()).unwrap();
            assert_eq!(recovery.holds_resolved, 1 + number / 100, "at row {number}");
            fs::remove_dir_all(&copied).unwrap();
        }
    }
    assert!(files(&folder) <= 6, "{} files", files(&folder));
    assert_eq!(journal.open_holds(), 90);
    journal.append(&row(0, 5), &[]).unwrap();
    for number in (100..9_000).step_by(100) {
        journal.append(&row(20_000 + number, 5), &[]).unwrap();
    }
    drop((journal, writer));
    assert_eq!(files(&folder), 0);
    assert_eq!(stored(&*store).len(), 9_089);
}

#[test]
fn a_request_open_at_the_end_of_the_process_is_resolved_by_the_next() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let store = Arc::<MemoryStore>::default();
    let (writer, _) = start(&folder, &store, options());
    let mut journal = writer.journal_writer().unwrap();
    journal.buffer_hold(&row(1, 8), &[]);
    journal.append(&row(2, 1), &[]).unwrap();
    drop((journal, writer));
    assert_eq!(stored(&*store), [(2, 1)]);
    let (_, recovery) = start(&folder, &store, options());
    assert_eq!((recovery.holds_resolved, recovery.already_stored), (1, 1));
    assert_eq!(stored(&*store), [(1, 8), (2, 1)]);
}

#[test]
fn a_journal_at_its_limit_refuses_new_requests_keeps_every_row_and_recovers() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let store = Arc::<MemoryStore>::default();
    let limited = JournalOptions {
        max_bytes: 4 * (64 << 10),
        ..options()
    };
    let (writer, _) = start(&folder, &store, limited);
    let mut journal = writer.journal_writer().unwrap();
    assert!(journal.has_room() && writer.has_room());
    // Open requests, more than fit: their segments cannot be given back. It may be refused and then not: the last segment
    // is counted from the moment the writer thread begins to make it.
    let mut refused = 0;
    let mut number = 0;
    while refused < 50 {
        journal.buffer_hold(&row(number, 1), &[]);
        number += 1;
        match journal.flush() {
            Ok(()) => refused = 0,
            Err(JournalError::Limit { .. } | JournalError::NoSegment) => {
                refused += 1;
                assert!(!journal.has_room() && !writer.has_room());
            }
            Err(other) => panic!("{other}"),
        }
        assert!(number < 10_000);
    }
    // What was accepted ends all the same. Rows reach the store though the journal cannot take them.
    for number in 0..number {
        let _ = journal.append(&row(number, 2), &[]);
    }
    wait_until("every row is committed", || journal.committed() == number);
    // The gateway's tick tries again.
    wait_until("there is room again", || {
        let _ = journal.flush();
        journal.has_room()
    });
    journal.append(&row(number, 3), &[]).unwrap();
    assert!(writer.has_room());
    drop((journal, writer));
    let rows = stored(&*store);
    assert_eq!(rows.len() as u64, number + 1);
    assert!(
        rows[..number as usize]
            .iter()
            .all(|(_, charged)| *charged == 2)
    );
}

/// A row that no segment can take.
fn huge(number: u64, charged: u64) -> UsageRow<'static> {
    let tags = (0..200).map(|n| (format!("{n}").into(), "t".repeat(500).into()));
    UsageRow {
        tags: tags.collect(),
        ..row(number, charged)
    }
}

/// Each would admit what only one of them can write down.
#[test]
fn the_last_spare_segment_is_the_room_of_one_worker_and_of_no_other() {
    let temp = tempfile::tempdir().unwrap();
    let store = Arc::<MemoryStore>::default();
    let limited = JournalOptions {
        // One for each worker, and a spare one.
        max_bytes: 3 * (64 << 10),
        ..options()
    };
    let (writer, _) = start(&temp.path().join("journal"), &store, limited);
    let mut journals = [(); 2].map(|()| writer.journal_writer().unwrap());
    let mut number = 0;
    for journal in &mut journals {
        // Some 330 bytes each: the segment is in its last quarter and has room for a few more.
        for _ in 0..160 {
            journal.append(&row(number, 1), &[]).unwrap();
            number += 1;
        }
    }
    wait_until("one refuses", || {
        journals.iter_mut().any(|journal| !journal.has_room())
    });
    let roomy = |journals: &mut [JournalWriter]| -> Vec<bool> {
        journals.iter_mut().map(JournalWriter::has_room).collect()
    };
    let rooms = roomy(&mut journals);
    assert!(rooms[0] != rooms[1], "{rooms:?}");
    let place = usize::from(rooms[1]);
    for _ in 0..160 {
        journals[place].append(&row(number, 1), &[]).unwrap();
        number += 1;
    }
    // A full segment could go, and the other has its spare one, too.
    wait_until("there is room again", || {
        roomy(&mut journals) == [true, true]
    });
    drop((journals, writer));
    assert_eq!(stored(&*store).len() as u64, number);
}

#[test]
fn a_record_larger_than_a_segment_is_stored_and_said_to_be_unjournaled() {
    let temp = tempfile::tempdir().unwrap();
    let store = Arc::<MemoryStore>::default();
    let (writer, _) = start(&temp.path().join("journal"), &store, options());
    let mut journal = writer.journal_writer().unwrap();
    assert!(matches!(
        journal.append(&huge(1, 1), &[]),
        Err(JournalError::TooLarge { .. })
    ));
    // With nothing else under way nobody would write again.
    assert!(journal.is_written() && journal.has_room());
    // Told once.
    journal.flush().unwrap();
    assert!(journal.has_room());
    journal.append(&row(2, 2), &[]).unwrap();
    drop((journal, writer));
    assert_eq!(stored(&*store), [(1, 1), (2, 2)]);
}

#[test]
fn a_record_larger_than_a_segment_keeps_nothing_behind_it_from_the_journal() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    killed(&folder, |journal| {
        journal.buffer_final(&row(1, 1), &[]);
        journal.buffer_final(&huge(2, 2), &[]);
        journal.buffer_final(&row(3, 3), &[]);
        assert!(matches!(
            journal.flush(),
            Err(JournalError::TooLarge { .. })
        ));
        assert!(journal.is_written() && journal.has_room());
    });
    let store = Arc::<MemoryStore>::default();
    drop(start(&folder, &store, options()));
    assert_eq!(stored(&*store), [(1, 1), (3, 3)]);
}

#[test]
fn a_request_whose_last_record_is_larger_than_a_segment_leaves_no_hold() {
    let temp = tempfile::tempdir().unwrap();
    let store = Arc::<MemoryStore>::default();
    let (writer, _) = start(&temp.path().join("journal"), &store, options());
    let mut journal = writer.journal_writer().unwrap();
    journal.buffer_hold(&row(1, 9), &[]);
    journal.flush().unwrap();
    assert_eq!(journal.open_holds(), 1);
    assert!(journal.append(&huge(1, 1), &[]).is_err());
    assert_eq!(journal.open_holds(), 0);
    drop((journal, writer));
    assert_eq!(stored(&*store), [(1, 1)]);
}

#[test]
fn a_hold_that_a_killed_process_left_is_charged_once_together_with_its_row() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let (store, mut books) = funded(1_000);
    books.hold(post(1, 0).request, WALLET, 300, 1_000).unwrap();
    let preview = bytes(&books.preview(post(1, 300), 1_000).unwrap());
    killed(&folder, |journal| {
        journal.buffer_hold(&row(1, 300), &preview);
        journal.flush().unwrap();
    });
    for round in 0..2 {
        let again = temp.path().join(format!("again-{round}"));
        copy(&folder, &again);
        let (_, recovery) = Journal::open(&again, &*store, options()).unwrap();
        assert_eq!(recovery.holds_resolved, 1 - round);
        assert_eq!(recovery.charges_refitted, 0);
        let books = ledger::load(&*store).unwrap();
        assert_eq!(
            (books.totals().consumed, books.totals().wallets),
            (300, 700)
        );
        assert_eq!(stored(&*store), [(1, 300)]);
    }
}

/// The first call was settled in memory and what it gave back was spent, but the process was killed before that was
/// written: its hold and the other's charge together are more than there was.
#[test]
fn a_hold_whose_credit_others_have_spent_is_charged_without_a_negative_wallet_and_the_next_start_agrees()
 {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    let (store, mut books) = funded(1_000);
    books
        .hold(post(1, 0).request, WALLET, 1_000, 1_000)
        .unwrap();
    let held = bytes(&books.preview(post(1, 1_000), 1_000).unwrap());
    books.post(post(1, 100), 1_000).unwrap();
    books.hold(post(2, 0).request, WALLET, 900, 1_000).unwrap();
    let spent = books.post(post(2, 900), 1_000).unwrap().1.unwrap();
    killed(&folder, |journal| {
        journal.buffer_hold(&row(1, 1_000), &held);
        journal.flush().unwrap();
        journal.append(&row(2, 900), &bytes(&spent)).unwrap();
    });
    let (_, recovery) = Journal::open(&folder, &*store, options()).unwrap();
    assert_eq!((recovery.rows_added, recovery.holds_resolved), (1, 1));
    assert_eq!(recovery.charges_refitted, 1);
    let mut records = Vec::new();
    ledger::scan(&*store, 1..u64::MAX, &mut |_, record| {
        records.push(record.to_vec());
        Visit::Continue
    })
    .unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[1], bytes(&spent), "what ended is charged as it was");
    for _ in 0..2 {
        let books = ledger::load(&*store).unwrap();
        let totals = books.totals();
        assert_eq!((totals.consumed, totals.wallets), (1_900, 0));
        assert_eq!(totals.uncovered, 900);
        ledger::checkpoint(&*store).unwrap();
    }
}

#[test]
fn a_ledger_record_in_the_journal_that_cannot_be_read_refuses_the_start_and_nothing_is_changed() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    killed(&folder, |journal| {
        journal.append(&row(1, 10), &charge(1, 10)).unwrap();
        journal
            .append(&row(2, 10), b"\x09 of a later version")
            .unwrap();
    });
    let store = MemoryStore::default();
    let before = files(&folder);
    let error = Journal::open(&folder, &store, options()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::JournaledEntry { .. }), "{text}");
    assert!(
        text.contains("newer") && text.contains(&post(2, 0).request.to_string()),
        "{text}"
    );
    assert_eq!((stored(&store).len(), files(&folder)), (0, before));
}
