//! Measures the journal: cost of a record to a worker, and of all of it to the machine, in both durabilities. `--release`.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_governance::{AccountId, UsageRow};
use tollgate_store::{
    DiskStore, Durability, Journal, JournalOptions, JournalWriter, UsageWriter, WriterOptions,
};
use uuid::Uuid;

fn main() {
    let argument = |place: usize, default: u64| {
        let text = std::env::args().nth(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (rate, seconds, interval) = (argument(1, 10_000), argument(2, 5), argument(3, 20));
    for durability in [Durability::Process, Durability::PowerLoss] {
        let folder =
            std::env::temp_dir().join(format!("tollgate-journal-rate-{}", std::process::id()));
        let store = Arc::new(DiskStore::open(&folder, durability).unwrap());
        let options = JournalOptions {
            durability,
            ..JournalOptions::default()
        };
        let (journal, _) = Journal::open(&folder.join("journal"), &*store, options).unwrap();
        let options = WriterOptions {
            interval: Duration::from_millis(interval),
            ..WriterOptions::default()
        };
        let writer = UsageWriter::start_journaled(store, options, journal).unwrap();
        let mut journal = writer.journal_writer().unwrap();
        let before = processor_time();
        let mut sent = 0;
        println!("{durability:?}, {rate} rows a second, committed every {interval} ms");
        let single = paced(rate, seconds, &mut sent, &mut journal, |journal, number| {
            journal.append(&row(number), &[]).unwrap();
        });
        report("append", &single);
        let holds = paced(rate, seconds, &mut sent, &mut journal, |journal, number| {
            journal.buffer_hold(&row(number), &[]);
            if number.is_multiple_of(20) {
                journal.flush().unwrap();
            }
        });
        report("hold in batches of 20", &holds);
        for number in sent - holds.len() as u64..sent {
            journal.append(&row(number), &[]).unwrap();
        }
        assert!(writer.sync(Duration::from_secs(60)));
        let processor = processor_time() - before;
        println!(
            "  all threads {:.2} µs a row or hold; {} rows in the store, {} sent",
            processor * 1e6 / (sent + holds.len() as u64) as f64,
            journal.committed(),
            single.len() + holds.len()
        );
        drop(journal);
        writer.shutdown().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Calls `work` at the given rate; returns what each call took, sorted.
fn paced(
    rate: u64,
    seconds: u64,
    number: &mut u64,
    journal: &mut JournalWriter,
    mut work: impl FnMut(&mut JournalWriter, u64),
) -> Vec<Duration> {
    let mut took = Vec::with_capacity((rate * seconds * 2) as usize);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let begun = Instant::now();
            work(journal, *number);
            took.push(begun.elapsed());
            sent += 1;
            *number += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    took.sort_unstable();
    took
}

fn report(what: &str, took: &[Duration]) {
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let mean = took.iter().sum::<Duration>() / took.len() as u32;
    println!(
        "  {what}: mean {mean:?}, p50 {:?}, p99 {:?}, p99.9 {:?}, worst {:?}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// Processor time of this process, seconds (Linux).
fn processor_time() -> f64 {
    let mut nanos = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        nanos += stat.split(' ').next().unwrap().parse::<f64>().unwrap();
    }
    nanos / 1e9
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(u128::from(number) << 64),
        admitted_ms: 1_760_000_000_000 + number / 20,
        ended_ms: 1_760_000_000_900 + number / 20,
        path: vec![AccountId::default(); 3].into(),
        names: "root/research/alice".into(),
        key_label: "laptop".into(),
        operation: "chat-completions".into(),
        dialect: "openai-chat".into(),
        requested_model: "fast".into(),
        upstream_model: "some-model-2026-01-01".into(),
        provider: "echo".into(),
        upstream: "echo-eu".into(),
        credential: "work".into(),
        status: 200,
        counted: true,
        charged: number,
        hold: 61_440,
        ttfb_ms: Some(212),
        total_ms: 912,
        session: "0199c0de-0000-7000-8000-000000000000".into(),
        ..UsageRow::default()
    }
}
