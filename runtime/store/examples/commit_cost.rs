//! Measures what the disk takes for an `fdatasync`, one group commit of 100 rows in both durabilities, and a start that
//! replays a journal. `--release` only; `--json` for scripts. Times are microseconds. The disk is that of `TMPDIR`.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_governance::UsageRow;
use tollgate_store::{
    DiskStore, Durability, Journal, JournalOptions, MemoryStore, Store, UsageBatch, UsageWriter,
    WriterOptions,
};
use uuid::Uuid;

fn main() {
    let mut rows = Vec::new();
    let folder = std::env::temp_dir().join(format!("tollgate-commit-{}", std::process::id()));
    rows.push(disk(&folder));
    for durability in [Durability::Process, Durability::PowerLoss] {
        let store = DiskStore::open(&folder, durability).unwrap();
        let mut took = Vec::new();
        for turn in 0..500 {
            let mut batch = UsageBatch::default();
            (0..100).for_each(|number| batch.push(&row(turn * 100 + number)));
            let start = Instant::now();
            store.append_usage(&batch).unwrap();
            store.flush().unwrap();
            took.push(start.elapsed());
        }
        took.sort_unstable();
        let mean = took.iter().sum::<Duration>() / took.len() as u32;
        rows.push(json!({
            "commit_of_rows": 100,
            "survives": match durability {
                Durability::Process => "a killed process",
                Durability::PowerLoss => "a power failure, too (fdatasync)",
            },
            "mean_us": mean.as_micros() as u64,
            "p50_us": took[250].as_micros() as u64,
            "p99_us": took[495].as_micros() as u64,
        }));
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }
    // A journal whose rows reached no store that was kept.
    let options = JournalOptions {
        durability: Durability::Process,
        ..JournalOptions::default()
    };
    let forgets = Arc::new(MemoryStore::default());
    let (journal, _) = Journal::open(&folder.join("journal"), &*forgets, options.clone()).unwrap();
    let never = WriterOptions {
        interval: Duration::from_secs(3_600),
        ..WriterOptions::default()
    };
    let writer = UsageWriter::start_journaled(forgets, never, journal).unwrap();
    let mut worker = writer.journal_writer().unwrap();
    (0..100_000).for_each(|number| worker.append(&row(number), &[]).unwrap());
    let kept = folder.join("kept");
    std::fs::create_dir_all(&kept).unwrap();
    for entry in std::fs::read_dir(folder.join("journal")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, kept.join(path.file_name().unwrap())).unwrap();
    }
    let store = DiskStore::open(&folder.join("store"), Durability::PowerLoss).unwrap();
    let start = Instant::now();
    let (_, recovery) = Journal::open(&kept, &store, options).unwrap();
    rows.push(json!({
        "journal_replayed_us": start.elapsed().as_micros() as u64,
        "what": recovery.to_string(),
    }));
    if std::env::args().any(|arg| arg == "--json") {
        println!("{}", json!({ "commit_cost": rows }));
    } else {
        rows.iter().for_each(|row| println!("{row:#}"));
    }
    drop((worker, writer, store));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What there is to pay for `PowerLoss`: nothing where the disk of a virtual machine answers without having written.
fn disk(folder: &Path) -> serde_json::Value {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join("disk");
    let mut file = File::create(&path).unwrap();
    let mut took = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        took.push(start.elapsed());
    }
    took.sort_unstable();
    std::fs::remove_file(path).unwrap();
    json!({
        "write_and_fdatasync_of_bytes": 4096,
        "p50_us": took[250].as_micros() as u64,
        "p99_us": took[495].as_micros() as u64,
    })
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(number.into()),
        admitted_ms: 1_760_000_000_000 + number / 20,
        session: "s".repeat(200).into(),
        ..UsageRow::default()
    }
}
