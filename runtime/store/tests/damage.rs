//! A damaged store is refused with a word of what to do; it is never taken for an empty or a younger one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::fs;
use std::path::Path;

use tollgate_governance::UsageRow;
use tollgate_store::{
    DiskStore, Durability, Order, Store, StoreError, Table, UsageBatch, Visit, usage,
};

use common::open_engine;

const ROWS: u64 = 400;

fn fill(path: &Path) {
    let store = DiskStore::open(path, Durability::Process).unwrap();
    for number in 0..40u8 {
        store
            .put(Table::Accounts, &[number], &[number; 300])
            .unwrap();
    }
    for commit in 0..20 {
        let mut batch = UsageBatch::default();
        for number in 0..ROWS / 20 {
            let id = commit * (ROWS / 20) + number;
            batch.push(&UsageRow {
                request: uuid::Uuid::from_u128(id.into()),
                admitted_ms: id * 1_000,
                ..UsageRow::default()
            });
        }
        store.append_usage(&batch).unwrap();
        store.flush().unwrap();
    }
}

/// Everything that was written is there, or the store says that it is not.
fn intact(path: &Path) -> Result<bool, StoreError> {
    let store = DiskStore::open(path, Durability::Process)?;
    let mut accounts = 0;
    store.scan(Table::Accounts, &mut |key, value| {
        accounts += usize::from(value == vec![key[0]; 300]);
        Visit::Continue
    })?;
    let mut rows = 0;
    usage::scan(&store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        rows += u64::from(row.admitted_ms == rows * 1_000);
        Visit::Continue
    })?;
    Ok(accounts == 40 && rows == ROWS)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_is_harmless_or_refused_but_never_loses_a_row_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    fill(&good);
    assert!(intact(&good).unwrap());
    let size = fs::metadata(good.join("db")).unwrap().len();
    let (mut refused, mut harmless) = (0, 0);
    for turn in 0..60 {
        let bad = folder.path().join(format!("bad-{turn}"));
        copy(&good, &bad);
        let mut bytes = fs::read(bad.join("db")).unwrap();
        let place = (size * turn / 60 + turn * 37) % size;
        bytes[place as usize] ^= 0x5a;
        fs::write(bad.join("db"), bytes).unwrap();
        let outcome = std::panic::catch_unwind(|| intact(&bad));
        match outcome {
            Ok(Ok(all)) => {
                assert!(all, "byte {place}: rows are gone and nobody said so");
                harmless += 1;
            }
            // A panic is told as damage by who opens a gateway's store.
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 0 && harmless > 0,
        "refused {refused}, harmless {harmless}"
    );
}

#[test]
fn a_flipped_byte_of_a_file_beside_the_log_is_harmless_or_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    fill(&good);
    let (mut refused, mut harmless) = (0, 0);
    for entry in fs::read_dir(&good).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() || name == "db" {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let turns = bytes.len().min(24);
        for turn in 0..turns {
            let place = bytes.len() * turn / turns;
            copy(&good, &bad);
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x5a;
            fs::write(bad.join(&name), flipped).unwrap();
            match intact(&bad) {
                Ok(all) => {
                    assert!(
                        all,
                        "{name:?}, byte {place}: rows are gone and nobody said so"
                    );
                    harmless += 1;
                }
                Err(error) => {
                    let told = error.to_string();
                    assert!(
                        told.contains("estore a backup"),
                        "{name:?}, byte {place}: {told}"
                    );
                    refused += 1;
                }
            }
            fs::remove_dir_all(&bad).unwrap();
        }
    }
    assert!(
        refused > 0 && harmless > 0,
        "refused {refused}, harmless {harmless}"
    );
}

type Harm<'a> = &'a dyn Fn(&Path);

#[test]
fn a_cut_emptied_or_missing_data_file_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    fill(&good);
    let db = |path: &Path| path.join("db");
    let harms: [(&str, Harm<'_>); 6] = [
        ("missing", &|path| fs::remove_file(db(path)).unwrap()),
        ("empty", &|path| fs::write(db(path), b"").unwrap()),
        ("empty and nothing noted", &|path| {
            fs::write(db(path), b"").unwrap();
            fs::remove_file(path.join("tollgate-progress")).unwrap();
        }),
        ("cut", &|path| {
            let bytes = fs::read(db(path)).unwrap();
            fs::write(db(path), &bytes[..bytes.len() / 3]).unwrap();
        }),
        ("zeroed", &|path| {
            fs::write(
                db(path),
                vec![0; fs::metadata(db(path)).unwrap().len() as usize],
            )
            .unwrap()
        }),
        ("everything but the mark", &|path| {
            for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
                if entry.file_name() != "tollgate-store.json" {
                    let _ = fs::remove_file(entry.path());
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }),
    ];
    for (name, harm) in harms {
        let bad = folder.path().join(name.replace(' ', "-"));
        copy(&good, &bad);
        harm(&bad);
        let error = DiskStore::open(&bad, Durability::Process).unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{name}: {error}"
        );
        assert!(
            error.to_string().contains("Restore a backup"),
            "{name}: {error}"
        );
    }
    assert!(intact(&good).unwrap());
}

/// The machine was started anew since the last commit was noted.
fn after_a_reboot(path: &Path) {
    let note = path.join("tollgate-progress");
    let mut bytes = fs::read(&note).unwrap();
    for byte in &mut bytes[16..] {
        *byte ^= 0xff;
    }
    fs::write(note, bytes).unwrap();
}

#[test]
fn commits_that_a_power_failure_took_are_missed_where_they_were_to_be_safe_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let (young, old) = (folder.path().join("young"), folder.path().join("old"));
    fill(&young);
    copy(&young, &old);
    fill(&young);
    // The files of before with the note of after.
    let note = "tollgate-progress";
    fs::copy(young.join(note), old.join(note)).unwrap();
    let opened = |durability| DiskStore::open(&old, durability).map(drop);
    let missing = |opened: Result<(), StoreError>| {
        let said = opened.unwrap_err().to_string();
        assert!(said.contains("60 of 121 commits are missing"), "{said}");
    };
    missing(opened(Durability::Process));
    missing(opened(Durability::PowerLoss));
    after_a_reboot(&old);
    missing(opened(Durability::PowerLoss));
    // It says so in the log, and goes on as the operator chose.
    opened(Durability::Process).unwrap();
}

#[test]
fn files_of_two_stores_mixed_up_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fill(&one);
    fill(&two);
    fs::copy(
        one.join("tollgate-store.json"),
        two.join("tollgate-store.json"),
    )
    .unwrap();
    let error = DiskStore::open(&two, Durability::Process).unwrap_err();
    assert!(error.to_string().contains("different stores"), "{error}");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    fill(&path);
    let mark = fs::read_to_string(path.join("tollgate-store.json")).unwrap();
    fs::write(
        path.join("tollgate-store.json"),
        mark.replace("\"format\":2", "\"format\":9"),
    )
    .unwrap();
    assert!(matches!(
        DiskStore::open(&path, Durability::Process),
        Err(StoreError::Newer { found: 9, .. })
    ));
    // The newer version was killed between its migration and the mark.
    fs::write(path.join("tollgate-store.json"), &mark).unwrap();
    let tree = open_engine(&path);
    let identity = mark.replace("\"format\":2", "\"format\":8");
    tree.insert(b"\x01store/identity", identity.as_bytes())
        .unwrap();
    drop(tree);
    assert!(matches!(
        DiskStore::open(&path, Durability::Process),
        Err(StoreError::Newer { found: 8, .. })
    ));
}

#[test]
fn a_store_in_use_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let _held = DiskStore::open(&path, Durability::Process).unwrap();
    let error = DiskStore::open(&path, Durability::Process).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
}

#[test]
fn killed_before_the_mark_was_written_the_store_opens_and_marks_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    fill(&path);
    fs::remove_file(path.join("tollgate-store.json")).unwrap();
    assert!(intact(&path).unwrap());
    assert!(path.join("tollgate-store.json").exists());
}
