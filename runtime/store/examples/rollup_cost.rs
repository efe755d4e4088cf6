//! Measures what roll-ups add to a row on the writer thread, in the commit and in folds between commits, what making
//! them anew takes, and a report. `--release`.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_governance::{AccountId, RollupFilter, Span, Tokens, UsageRow};
use tollgate_store::usage::{self, GroupBy};
use tollgate_store::{DiskStore, Durability, Store, UsageBatch, UsageRollups};
use uuid::Uuid;

const COMMITS: u64 = 500;
const ROWS: u64 = 200;

/// Folds come after so many commits: at 65,536 groups with 100,000 accounts, as the writer does by default.
const ROUND: u64 = 250;

fn main() {
    // The first is slower, whichever it is.
    commits(1, false);
    for accounts in [1, 20, 1_000, 100_000] {
        let (plain, _) = commits(accounts, false);
        let (folded, folds) = commits(accounts, true);
        println!(
            "{accounts} accounts: {plain:.2} µs a row without roll-ups, {folded:.2} µs with: {:.2} µs more, and {folds:.2} µs in folds",
            folded - plain
        );
    }
}

/// Processor time of this process a row, in microseconds: commits and folds.
fn commits(accounts: u64, rollups: bool) -> (f64, f64) {
    let folder = std::env::temp_dir().join(format!("tollgate-rollups-{}", std::process::id()));
    let open = || DiskStore::open(&folder, Durability::Process).unwrap();
    let fold = || Arc::new(UsageRollups::new("Europe/Berlin").unwrap());
    let mut store = open();
    if rollups {
        store = store.with_fold(fold()).unwrap();
    }
    let (mut committing, mut folding) = (0.0, 0.0);
    let mut slowest = Duration::ZERO;
    let report = |when: &str| {
        let by = GroupBy {
            account: true,
            ..GroupBy::default()
        };
        let start = Instant::now();
        let lines = usage::report(&store, Span::Day, &RollupFilter::default(), &by).unwrap();
        let took = start.elapsed();
        println!(
            "  report by account, {when}: {} lines in {took:?}",
            lines.len()
        );
    };
    let mut batch = UsageBatch::default();
    for round in 0..COMMITS / ROUND {
        let before = processor_time();
        for commit in round * ROUND..(round + 1) * ROUND {
            batch.clear();
            (0..ROWS).for_each(|number| batch.push(&row(commit * ROWS + number, accounts)));
            store.append_usage(&batch).unwrap();
            store.flush().unwrap();
        }
        committing += processor_time() - before;
        if rollups {
            report("nothing of the round folded");
            let before = processor_time();
            let mut more = true;
            while more {
                let start = Instant::now();
                more = store.fold_rollups(0).unwrap();
                slowest = slowest.max(start.elapsed());
            }
            folding += processor_time() - before;
            report("all folded");
        }
    }
    if rollups {
        println!("  the slowest step of a fold: {slowest:?}");
    } else {
        let start = Instant::now();
        drop(store.with_fold(fold()).unwrap());
        println!(
            "  roll-ups made anew from {} rows in {:?}",
            COMMITS * ROWS,
            start.elapsed()
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
    let each = |seconds: f64| seconds * 1e6 / (COMMITS * ROWS) as f64;
    (each(committing), each(folding))
}

fn row(number: u64, accounts: u64) -> UsageRow<'static> {
    let account = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % accounts;
    let id = |n: u64| AccountId(Uuid::from_u128(u128::from(n) << 64 | 7));
    UsageRow {
        request: Uuid::from_u128(u128::from(number) << 64),
        admitted_ms: 1_760_000_000_000 + number / 20,
        ended_ms: 1_760_000_000_900 + number / 20,
        path: vec![id(1), id(2), id(10 + account)].into(),
        names: "root/research/alice".into(),
        tags: vec![("cost-centre".into(), "4711".into())],
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
        tokens: Tokens {
            input: 812,
            output: 331,
            ..Tokens::default()
        },
        hold: 61_440,
        ttfb_ms: Some(212),
        total_ms: 912,
        session: "0199c0de-0000-7000-8000-000000000000".into(),
        ..UsageRow::default()
    }
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
