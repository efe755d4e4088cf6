//! A process killed at any moment loses no usage row that it was told is durable, no store is damaged by it, and reports
//! say what the rows say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tollgate_governance::{RollupFilter, Span, UsageRow};
use tollgate_store::usage::GroupBy;
use tollgate_store::{
    DiskStore, Durability, Order, Store, Table, UsageRollups, UsageWriter, Visit, WriterOptions,
    usage,
};

const FOLDER: &str = "TOLLGATE_TEST_KILL_FOLDER";

fn options() -> WriterOptions {
    WriterOptions {
        interval: Duration::from_millis(2),
        // A fold is under way nearly always.
        fold_groups: 1,
        ..WriterOptions::default()
    }
}

fn request(number: u64) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(number))
}

fn open(path: &Path) -> DiskStore {
    let kept = Arc::new(UsageRollups::new("UTC").unwrap());
    let store = DiskStore::open(path, Durability::Process).unwrap();
    store.with_fold(kept).unwrap().with_fold_step(1)
}

/// Not a test of its own: the process that the test below starts and kills.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    common::live_two_minutes();
    let store = Arc::new(open(Path::new(&folder)));
    let mut next = count(&*store);
    let writer = UsageWriter::start(store.clone(), options()).unwrap();
    let submitter = writer.submitter();
    let first = next;
    let mut told = 0;
    let mut out = std::io::stdout();
    loop {
        for _ in 0..20 {
            let row = UsageRow {
                request: request(next),
                admitted_ms: 1_760_000_000_000 + next * 7,
                provider: "echo".into(),
                requested_model: format!("m{}", next % 40).into(),
                charged: next,
                session: "a session of some length, to give the row a body".into(),
                ..UsageRow::default()
            };
            while submitter.submit(&row).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
            next += 1;
        }
        if next.is_multiple_of(500) {
            store
                .put(Table::Meta, b"last", &next.to_be_bytes())
                .unwrap();
        }
        let durable = submitter.committed();
        if durable > told {
            told = durable;
            writeln!(out, "durable {}", first + durable).unwrap();
            out.flush().unwrap();
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

fn count(store: &dyn Store) -> u64 {
    let mut seen = HashSet::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        assert!(seen.insert(row.request), "a row is there twice");
        Visit::Continue
    })
    .unwrap();
    for number in 0..seen.len() as u64 {
        assert!(
            seen.contains(&request(number)),
            "row {number} is missing among {}",
            seen.len()
        );
    }
    let by = GroupBy {
        model: true,
        ..GroupBy::default()
    };
    for span in [Span::Hour, Span::Day] {
        let lines = usage::report(store, span, &RollupFilter::default(), &by).unwrap();
        for line in lines {
            let model = line.key.model.unwrap()[1..].parse().unwrap();
            let mine = (model..seen.len() as u64).step_by(40);
            assert_eq!(line.sums.requests, mine.clone().count() as u64);
            assert_eq!(line.sums.charged, mine.sum::<u64>());
        }
    }
    seen.len() as u64
}

#[test]
fn rows_that_were_durable_survive_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut before = 0;
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child_that_writes_until_it_is_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(FOLDER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = before;
        let mut heard = 0;
        for line in lines {
            let line = line.unwrap();
            if let Some(number) = line.strip_prefix("durable ") {
                durable = number.parse().unwrap();
                heard += 1;
            }
            if heard > round * 3 {
                // SIGKILL, then whatever it still managed to say counts as said.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(durable > before, "the child made progress");
        let store = open(&path);
        let found = count(&store);
        assert!(
            found >= durable,
            "round {round}: {durable} were durable, {found} are there"
        );
        before = found;
    }
}
