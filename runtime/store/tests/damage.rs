//! A damaged store is refused with a word of what to do; it is never taken for an empty or a younger one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

/// Every file and what is in it.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.extend(contents(&entry.path()));
        } else {
            all.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    all
}

/// A store of several segments that was opened several times: some slots of its log are older than its last start, some
/// are younger. One value lies in a file of its own.
fn fill_well(path: &Path) {
    fill(path);
    for round in 0..3u32 {
        let store = DiskStore::open(path, Durability::Process).unwrap();
        for number in 0..600u32 {
            let noise: Vec<u8> = (0..2_000)
                .map(|at| (at * (number + 3) + round) as u8)
                .collect();
            let key = number.to_be_bytes();
            store.put(Table::Turns, &key, &noise).unwrap();
        }
        store
            .put(Table::Turns, b"large", &vec![round as u8 + 1; 300_000])
            .unwrap();
    }
}

/// Whether what [`fill_well`] wrote is there.
fn is_well(path: &Path) -> Result<bool, StoreError> {
    let all = intact(path)?;
    let store = DiskStore::open(path, Durability::Process)?;
    let mut turns = 0;
    store.scan(Table::Turns, &mut |key, value| {
        turns += usize::from(match key.first_chunk::<4>() {
            Some(number) if key.len() == 4 => {
                let number = u32::from_be_bytes(*number);
                (0..)
                    .zip(value)
                    .all(|(at, byte)| *byte == (at as u32 * (number + 3) + 2) as u8)
            }
            _ => value == vec![3; 300_000],
        });
        Visit::Continue
    })?;
    Ok(all && turns == 601)
}

#[test]
fn a_refused_start_changes_no_byte_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    fill_well(&good);
    let whole = contents(&good);
    assert!(whole[&good.join("db")].len() > 4 << 20);
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for (file, bytes) in &whole {
        let name = file.strip_prefix(&good).unwrap();
        let count = if bytes.len() > 1 << 20 { 80 } else { 12 };
        let places = (0..count).map(|turn| bytes.len() * turn / count + (turn * 37) % 2_000);
        let flips = places.filter(|place| *place < bytes.len()).map(|place| {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x5a;
            (format!("{name:?} flipped at {place}"), Some(bytes))
        });
        let cuts = [
            bytes.len() / 3,
            bytes.len() / 2,
            bytes.len().saturating_sub(9),
        ];
        let cuts = cuts.map(|length| {
            (
                format!("{name:?} cut to {length}"),
                Some(bytes[..length].to_vec()),
            )
        });
        let mut zeroed = bytes.clone();
        let middle = bytes.len() / 2;
        zeroed[middle..(middle + 4096).min(bytes.len())].fill(0);
        let others = [
            (format!("{name:?} missing"), None),
            (format!("{name:?} without a block"), Some(zeroed)),
        ];
        for (what, bytes) in flips.chain(cuts).chain(others) {
            copy(&good, &bad);
            match bytes {
                Some(bytes) => fs::write(bad.join(name), bytes).unwrap(),
                None => fs::remove_file(bad.join(name)).unwrap(),
            }
            let before = contents(&bad);
            match DiskStore::open(&bad, Durability::Process).map(drop) {
                Ok(()) => assert!(
                    is_well(&bad).unwrap(),
                    "{what}: it opened and lacks something"
                ),
                Err(error) => {
                    let said = error.to_string();
                    if name == Path::new("tollgate-store.json") && said.contains("different stores")
                    {
                        // Told by what the engine holds, which is whole: with the mark put back it opens.
                        fs::copy(good.join(name), bad.join(name)).unwrap();
                        assert!(is_well(&bad).unwrap(), "{what}");
                    } else {
                        assert!(before == contents(&bad), "{what}: {said}");
                    }
                    *refused
                        .entry(what.split(' ').next().unwrap().to_owned())
                        .or_default() += 1;
                }
            }
            fs::remove_dir_all(&bad).unwrap();
        }
    }
    // The engine's log and snapshot, a value in a file of its own, the mark and the note.
    let log = refused.remove("\"db\"").unwrap_or_default();
    assert!(log > 40, "{log} {refused:?}");
    assert!(refused.len() >= 4, "{refused:?}");
    assert!(
        refused.keys().any(|name| name.contains("blobs/")),
        "{refused:?}"
    );
}

#[test]
fn a_flipped_bit_of_how_the_engine_lays_out_its_files_is_refused_by_the_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let conf = folder.path().join("conf");
    let good = fs::read(&conf).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(&conf, &bad).unwrap();
        let refused = DiskStore::open(folder.path(), Durability::Process).map(drop);
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("`conf` cannot be read. Nothing was changed"),
            "{bit}: {said}"
        );
        assert!(said.contains("Restore a backup"), "{bit}: {said}");
        assert_eq!(fs::read(&conf).unwrap(), bad);
    }
    fs::write(&conf, good).unwrap();
    assert!(intact(folder.path()).unwrap());
}

#[test]
fn a_store_that_an_older_version_went_on_with_opens() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let note = folder.path().join("tollgate-progress");
    let newer = fs::read(&note).unwrap();
    let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
    store.put(Table::Accounts, &[0], &[0; 300]).unwrap();
    drop(store);
    // It wrote the first part of the note, as all versions do, and left the second.
    let mut bytes = fs::read(&note).unwrap();
    assert_ne!(bytes[32..], newer[32..]);
    bytes[32..].copy_from_slice(&newer[32..]);
    fs::write(&note, bytes).unwrap();
    assert!(intact(folder.path()).unwrap());
}

#[test]
fn a_start_that_was_killed_while_it_noted_the_pages_is_followed_by_one_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let draft = folder.path().join("snap.00000000FFFFFFFF.generating");
    fs::write(&draft, b"half of one, or less").unwrap();
    assert!(intact(folder.path()).unwrap());
    assert!(!draft.exists());
}

#[test]
fn a_store_whose_note_is_gone_is_refused_until_someone_says_that_it_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("tollgate-progress");
    for durability in [Durability::PowerLoss, Durability::Process] {
        fill(folder.path());
        fs::remove_file(&note).unwrap();
        let before = contents(folder.path());
        let refused = DiskStore::open(folder.path(), durability)
            .map(drop)
            .unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("`tollgate-progress` is missing"), "{said}");
        assert!(said.contains("make it an empty file"), "{said}");
        assert!(before == contents(folder.path()));
        fs::write(&note, b"").unwrap();
        DiskStore::open(folder.path(), durability)
            .map(drop)
            .unwrap();
        assert!(fs::metadata(&note).unwrap().len() > 0);
    }
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
            fs::write(path.join("tollgate-progress"), b"").unwrap();
            let files = fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            for file in files.filter(|file| file.to_string_lossy().contains("/snap.")) {
                fs::remove_file(file).unwrap();
            }
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
    for byte in &mut bytes[40..56] {
        *byte ^= 0xff;
    }
    let sum = crc32fast::hash(&bytes[32..80]);
    bytes[80..].copy_from_slice(&sum.to_le_bytes());
    fs::write(note, bytes).unwrap();
}

/// A store as it was before some commits of `durability`, with the note of after.
fn commits_gone(folder: &Path, durability: Durability) -> PathBuf {
    let (young, old) = (folder.join("young"), folder.join("old"));
    fill(&young);
    copy(&young, &old);
    let store = DiskStore::open(&young, durability).unwrap();
    for number in 0..30u8 {
        store
            .put(Table::Accounts, &[number], &[number; 300])
            .unwrap();
    }
    drop(store);
    let note = "tollgate-progress";
    fs::copy(young.join(note), old.join(note)).unwrap();
    old
}

#[test]
fn commits_that_a_power_failure_took_are_missed_where_they_were_to_be_safe_from_it() {
    let opened = |path: &Path| {
        let before = contents(path);
        let opened = DiskStore::open(path, Durability::Process).map(drop);
        assert!(opened.is_ok() || before == contents(path));
        opened
    };
    for (written, safe) in [(Durability::PowerLoss, true), (Durability::Process, false)] {
        let folder = tempfile::tempdir().unwrap();
        let old = commits_gone(folder.path(), written);
        // A killed process loses nothing.
        let said = opened(&old).unwrap_err().to_string();
        assert!(
            said.contains("cannot be read. Nothing was changed"),
            "{said}"
        );
        after_a_reboot(&old);
        match opened(&old) {
            // It says so in the log, and goes on as the operator chose.
            Ok(()) => assert!(!safe),
            Err(error) => assert!(safe, "{error}"),
        }
    }
}

#[test]
fn commits_that_are_gone_are_missed_by_their_number_where_an_older_version_noted_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let old = commits_gone(folder.path(), Durability::PowerLoss);
    let note = old.join("tollgate-progress");
    let bytes = fs::read(&note).unwrap();
    fs::write(&note, &bytes[..32]).unwrap();
    let said = DiskStore::open(&old, Durability::PowerLoss)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("the last 30 of 91 commits are missing"),
        "{said}"
    );
    // The engine was at the files by then.
    assert!(
        said.contains("copy the folder before the next start"),
        "{said}"
    );
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
