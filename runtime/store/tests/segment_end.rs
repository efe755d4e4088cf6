//! A store whose log ends with a segment opens as any other: the engine has nothing of the next segment then.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tollgate_store::{DiskStore, Durability, Store, Table};

/// Size of a segment.
const SEGMENT: usize = 512 << 10;
const CANCELED: u8 = 1;
const CAP: u8 = 2;

/// Makes a store of one segment. Returns where its log ends, in the file as well as in the log.
fn fill(path: &Path) -> usize {
    let store = DiskStore::open(path, Durability::Process).unwrap();
    for number in 0..40u8 {
        store
            .put(Table::Accounts, &[number], &[number; 300])
            .unwrap();
    }
    store.flush().unwrap();
    drop(store);
    let end = usize::try_from(noted_end(path)).unwrap();
    assert!((12_000..400_000).contains(&end), "{end}");
    end
}

fn noted_end(path: &Path) -> u64 {
    let note = fs::read(path.join("tollgate-progress")).unwrap();
    u64::from_le_bytes(*note[56..].first_chunk().unwrap())
}

/// Opens it, and sees that all is there: of what was written later `more`.
fn open(path: &Path, more: u8) -> DiskStore {
    let store = DiskStore::open(path, Durability::Process).unwrap();
    for number in 0..40 + more {
        let value = store.get(Table::Accounts, &[number]).unwrap();
        assert_eq!(value, Some(vec![number; 300]));
    }
    store
}

/// Opens it again and again, without a write first, then with a commit between.
fn goes_on(path: &Path) {
    for _ in 0..3 {
        drop(open(path, 0));
    }
    let store = open(path, 0);
    store.put(Table::Accounts, &[40], &[40; 300]).unwrap();
    store.flush().unwrap();
    drop(store);
    for _ in 0..2 {
        drop(open(path, 1));
    }
}

/// Appends a message to the log of one segment that concerns no page, `length` bytes long with its head.
fn append(path: &Path, end: usize, kind: u8, length: usize) {
    // Numbers of this size are three bytes behind one that says so. Segment 0, page 0.
    let body = u32::try_from(length - 11).unwrap().to_le_bytes();
    assert!(body[2] > 1 && body[3] == 0);
    let head = [kind, 250, body[0], body[1], body[2], 0, 0];
    let mut sum = crc32fast::Hasher::new();
    sum.update(&vec![0; length - 11]);
    sum.update(&head);
    let mut message = (!sum.finalize()).to_le_bytes().to_vec();
    message.extend(head);
    message.resize(length, 0);
    let db = OpenOptions::new()
        .write(true)
        .open(path.join("db"))
        .unwrap();
    db.write_all_at(&message, end as u64).unwrap();
    db.set_len(db.metadata().unwrap().len().max(SEGMENT as u64))
        .unwrap();
}

#[test]
fn a_log_that_ends_with_its_segment_or_a_few_bytes_before_opens_whether_or_not_something_is_written()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut bumped = 0;
    for left in 0..=40 {
        let path = folder.path().join(left.to_string());
        let end = fill(&path);
        append(&path, end, CANCELED, SEGMENT - left - end);
        drop(open(&path, 0));
        bumped += u32::from(noted_end(&path) == SEGMENT as u64);
        goes_on(&path);
        fs::remove_dir_all(&path).unwrap();
    }
    assert_eq!(bumped, 33, "the engine begins a segment in other cases");
}

#[test]
fn a_closed_segment_that_a_killed_start_took_back_is_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let end = fill(path);
    append(path, end, CAP, SEGMENT - end - 20);
    // The last process noted it as the end of what it had written.
    let note = path.join("tollgate-progress");
    let mut bytes = fs::read(&note).unwrap();
    bytes[56..64].copy_from_slice(&(SEGMENT as u64).to_le_bytes());
    let sum = crc32fast::hash(&bytes[32..80]);
    bytes[80..].copy_from_slice(&sum.to_le_bytes());
    fs::write(&note, &bytes).unwrap();
    drop(open(path, 0));
    assert_eq!(noted_end(path), end as u64, "the engine takes it back");
    // Killed before it noted that.
    fs::write(&note, &bytes).unwrap();
    drop(open(path, 0));
    fs::write(&note, &bytes).unwrap();
    goes_on(path);
}
