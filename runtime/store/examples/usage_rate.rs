//! Measures the writer: cost of a submission, processor time and disk bytes a row, at a given rate. `--release` only.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_governance::{AccountId, PolicyAct, UsageRow};
use tollgate_store::{DiskStore, Durability, UsageWriter, WriterOptions};

fn main() {
    let argument = |place: usize, default: u64| {
        std::env::args()
            .nth(place)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (rate, seconds, interval) = (argument(1, 20_000), argument(2, 5), argument(3, 5));
    for durability in [Durability::Process, Durability::PowerLoss] {
        let folder =
            std::env::temp_dir().join(format!("tollgate-usage-rate-{}", std::process::id()));
        let store = Arc::new(DiskStore::open(&folder, durability).unwrap());
        let options = WriterOptions {
            interval: Duration::from_millis(interval),
            ..WriterOptions::default()
        };
        let writer = UsageWriter::start(store, options).unwrap();
        let submitter = writer.submitter();
        let (start, before) = (Instant::now(), processor_time());
        let (mut spent, mut sent, mut slowest) = (Duration::ZERO, 0u64, Duration::ZERO);
        while start.elapsed() < Duration::from_secs(seconds) {
            let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
            let begun = Instant::now();
            let first = sent;
            while sent < due {
                submitter.submit(&row(sent)).unwrap();
                sent += 1;
            }
            let took = begun.elapsed();
            spent += took;
            slowest = slowest.max(took / ((sent - first).max(1) as u32));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(writer.sync(Duration::from_secs(60)));
        let mut threads = String::new();
        let mut processor = 0.0;
        for (name, time) in processor_time() {
            let time = time - before.get(&name).unwrap_or(&0.0);
            processor += time;
            threads += &format!(" {name} {:.2}", time * 1e6 / sent as f64);
        }
        let bytes: u64 = std::fs::metadata(folder.join("db")).unwrap().len();
        println!(
            "{durability:?}: {sent} rows, submit {:.0} ns (slowest batch average {slowest:?}), all processor time {:.2} µs a row ({}), {} bytes of file a row, {} blobs",
            spent.as_nanos() as f64 / sent as f64,
            processor * 1e6 / sent as f64,
            threads.trim(),
            bytes / sent,
            std::fs::read_dir(folder.join("blobs")).unwrap().count()
        );
        writer.shutdown().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Processor time of each thread of this process, seconds (Linux). Threads of one name are summed.
fn processor_time() -> BTreeMap<String, f64> {
    let mut times = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm"))
            .unwrap()
            .trim()
            .to_owned();
        let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
        let nanos: f64 = stat.split(' ').next().unwrap().parse().unwrap();
        *times.entry(name).or_insert(0.0) += nanos / 1e9;
    }
    times
}

fn row(number: u64) -> UsageRow<'static> {
    UsageRow {
        request: uuid::Uuid::from_u128(u128::from(number) << 64),
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
        policies: vec![PolicyAct {
            component: "redact".into(),
            digest: [1; 32],
        }],
        ..UsageRow::default()
    }
}
