//! Measures what money adds to a request: price, hold, settlement, their records, the row. `--release` only.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::hint::black_box;

use tollgate_governance::{
    AccountId, Begun, Entry, Factor, Ledger, Operation, PolicyAct, Post, Price, Rollup, Source,
    Tier, Tokens, UsageRow, Zone, charge, hold_dearest,
};
use uuid::Uuid;

const NOW: u64 = 1_760_000_000_000;
const TURNS: u64 = 100_000;

fn main() {
    let price = Price {
        input: 2_500_000,
        cache_read: 250_000,
        cache_write_5m: 2_500_000,
        cache_write_1h: 2_500_000,
        output: 15_000_000,
        tiers: [Tier {
            above: 272_000,
            input: 5_000_000,
            output: 22_500_000,
            ..Tier::default()
        }]
        .into(),
        ..Price::default()
    };
    let factor = Factor::new(1_200_000).unwrap();
    measure("hold, three candidates", |turn| {
        let candidates = [&price, &price, &price];
        hold_dearest(candidates, black_box(turn), 4_096, factor).is_some()
    });
    measure("charge", |turn| {
        let tokens = Tokens {
            input: turn,
            cache_read: 4_096,
            output: 300,
            ..Tokens::default()
        };
        charge(&price, black_box(&tokens), factor).charged > 0
    });
    for (accounts, lots) in [(1_000, 1), (1_000, 12), (1_000_000, 1)] {
        ledger(accounts, lots);
    }
    rows();
}

fn ledger(accounts: u64, lots: u64) {
    let account = |n: u64| AccountId(Uuid::from_u128(u128::from(n) << 64 | 7));
    let (mut ledger, mut grants) = (Ledger::default(), Vec::new());
    for n in 0..accounts {
        for lot in 0..lots {
            let operation = Operation::Grant {
                key: format!("{n}/{lot}").into(),
                from: Source::Treasury {
                    expires_ms: (lot > 0).then_some(NOW + lot * 1_000_000_000),
                },
                to: account(n),
                amount: 1_000_000_000,
            };
            let Begun::Pending(pending) = ledger.begin(operation, NOW).unwrap() else {
                unreachable!()
            };
            grants.push(pending.entry().clone());
            ledger.commit(pending);
        }
    }
    let (mut out, mut round, mut bytes) = (Vec::new(), 0u128, 0);
    let name = format!("hold + post + record, {accounts} accounts, {lots} lots");
    measure(&name, |turn| {
        if turn == 0 {
            round += 1;
            // Once in a while, as a caller would.
            ledger.forget_settled();
        }
        out.clear();
        let wallet = account(turn.wrapping_mul(0x9e37_79b9) % accounts);
        let at = u128::from(NOW) + round;
        let request = Uuid::from_u128(at << 80 | 7 << 76 | u128::from(turn) | 1 << 63);
        ledger.hold(request, wallet, 61_440, NOW).unwrap();
        let post = Post {
            request,
            wallet,
            amount: 871,
            fee: 0,
        };
        let (_, entry) = ledger.post(post, NOW).unwrap();
        entry.unwrap().encode(&mut out);
        bytes = out.len();
        !out.is_empty()
    });
    println!("  the record takes {bytes} bytes");
    assert_eq!(ledger.imbalance(), 0);
    ledger.verify().unwrap();
    replay(&grants, &Entry::decode(&out).unwrap());
}

/// What a start does.
fn replay(grants: &[Entry], post: &Entry) {
    let start = processor_nanos();
    let mut stored = Ledger::default();
    for entry in grants {
        stored.replay(entry).unwrap();
    }
    stored.replay(post).unwrap();
    let replayed = processor_nanos();
    println!(
        "  replay: {:.0} ns a record",
        (replayed - start) / (grants.len() + 1) as f64
    );
    let mut checkpoint = Vec::new();
    let start = processor_nanos();
    stored.checkpoint(1, &mut checkpoint).unwrap();
    let written = processor_nanos();
    let (again, _) = Ledger::from_checkpoint(&checkpoint).unwrap();
    let read = processor_nanos();
    assert_eq!(again.totals(), stored.totals());
    println!(
        "  checkpoint: {:.1} MB, written in {:.0} ms, read in {:.0} ms",
        checkpoint.len() as f64 / 1e6,
        (written - start) / 1e6,
        (read - written) / 1e6
    );
}

fn rows() {
    let path: Vec<AccountId> = (1..4).map(|n| AccountId(Uuid::from_u128(n))).collect();
    let template = row(&path);
    let mut out = Vec::with_capacity(1 << 20);
    measure("usage row: encode", |turn| {
        if out.len() > 1_000_000 || turn == 0 {
            out.clear();
        }
        black_box(&template).encode(&mut out);
        true
    });
    out.clear();
    template.encode(&mut out);
    println!("  a row takes {} bytes", out.len());
    measure("usage row: decode", |_| {
        UsageRow::decode(black_box(&out)).is_ok()
    });
    let mut rollup = Rollup::new(Zone::named("Europe/Berlin").unwrap());
    measure("roll-up: add a row, hour and day", |_| {
        rollup.add(black_box(&template));
        true
    });
}

fn row(path: &[AccountId]) -> UsageRow<'_> {
    UsageRow {
        request: Uuid::from_u128(7),
        admitted_ms: NOW,
        ended_ms: NOW + 912,
        path: path.into(),
        names: "root/research/alice".into(),
        tags: vec![("cost-centre".into(), "4711".into())],
        key_label: "laptop".into(),
        operation: "chat-completions".into(),
        dialect: "openai-chat".into(),
        dialect_out: "anthropic-messages".into(),
        requested_model: "fast".into(),
        mapped_model: "some-model".into(),
        upstream_model: "some-model-2026-01-01".into(),
        provider: "echo".into(),
        upstream: "echo-eu".into(),
        credential: "work".into(),
        status: 200,
        counted: true,
        tokens: Tokens {
            input: 812,
            cache_read: 4_096,
            output: 331,
            ..Tokens::default()
        },
        base_cost: 8_226,
        price_version: "2026-11@5f1e0c9a27b4".into(),
        charged: 9_871,
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

/// Best of five, in processor time of this thread: other processes do not count.
fn measure(what: &str, mut work: impl FnMut(u64) -> bool) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = processor_nanos();
        for turn in 0..TURNS {
            assert!(work(turn));
        }
        best = best.min((processor_nanos() - start) / TURNS as f64);
    }
    println!("{what:56} {best:8.0} ns");
}

/// Processor time of this thread (Linux).
fn processor_nanos() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}
