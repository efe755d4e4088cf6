//! Measures what governance adds to a request: key check, admission with settlement, usage row. `--release` only.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::hint::black_box;
use std::sync::Arc;

use tollgate_governance::{
    AccountId, AccountPatch, Ask, Counters, Directory, KeyDraft, KeyHasher, Ledger, OsRandom,
    PolicyAct, RequestIds, TokenKind, UsageRow, Zone,
};

fn main() {
    let (mut directory, mut random) = (Directory::default(), OsRandom::new());
    let hasher = KeyHasher::new(&[7; 32]);
    let (_, changes) = directory.create_root(1, &mut random).unwrap();
    directory.apply(&changes);
    let mut parent = "root".to_owned();
    for name in ["research", "alice"] {
        let text = format!(
            r#"{{"name":"{name}","parent":"{parent}","models":["gpt-*"],"limits":{{"rpm":100000000,"daily_limit":1000000000000}}}}"#
        );
        let new: AccountPatch = serde_json::from_str(&text).unwrap();
        let (_, changes) = directory.create_account(&new, 1, &mut random).unwrap();
        directory.apply(&changes);
        parent = format!("{parent}/{name}");
    }
    let mut token = String::new();
    for _ in 0..1_000 {
        let draft = KeyDraft {
            account: parent.clone(),
            label: "laptop".to_owned(),
            ..KeyDraft::default()
        };
        let made = directory.create_key(draft, &hasher, 1, &mut random);
        let (new, changes) = made.unwrap();
        directory.apply(&changes);
        token = new.token.expose().to_owned();
    }
    let snapshot = directory.snapshot();
    let counters = Arc::new(Counters::new(Zone::utc(), Ledger::default()));
    let caller = snapshot.find(&hasher.mac(&token)).unwrap();
    let mut ids = RequestIds::new(&mut random);
    let now = 1_760_000_000_000u64;

    measure("key: checksum", |_| {
        TokenKind::Inference.check(black_box(&token)).is_ok()
    });
    measure("key: hash and look-up", |_| {
        snapshot.find(&hasher.mac(black_box(&token))).is_some()
    });
    measure("model resolved over the path", |_| {
        caller.resolve(black_box("gpt-5-mini")).is_some()
    });
    measure("admit and settle, depth 3", |turn| {
        let now = now + turn / 1_000;
        let ask = Ask {
            request: ids.next(now),
            model: "gpt-5-mini",
            input: 800,
            expected: 400,
            output: 4_096,
            least_output: 64,
            price: &|output| 500 + output,
        };
        let admission = counters.admit(&caller.path, &ask, now).unwrap();
        admission.settle(1_100, 400, now);
        true
    });
    let (path, names) = (caller.path.ids(), caller.path.names());
    let mut out = Vec::new();
    measure("path: ids and names for the row", |_| {
        !black_box((caller.path.ids(), caller.path.names()))
            .0
            .is_empty()
    });
    measure("usage row: build and encode", |turn| {
        out.clear();
        row(&path, &names, turn).encode(&mut out);
        !out.is_empty()
    });
    println!("a row takes {} bytes", out.len());
    let mut json = Vec::new();
    measure("usage row: the same as JSON", |turn| {
        json.clear();
        serde_json::to_writer(&mut json, &row(&path, &names, turn)).is_ok()
    });
    println!("a row as JSON takes {} bytes", json.len());
}

fn row<'a>(path: &'a [AccountId], names: &'a str, turn: u64) -> UsageRow<'a> {
    UsageRow {
        admitted_ms: 1_760_000_000_000 + turn,
        ended_ms: 1_760_000_000_912 + turn,
        path: path.into(),
        names: names.into(),
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
        charged: turn,
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
    const TURNS: u64 = 200_000;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = processor_nanos();
        for turn in 0..TURNS {
            assert!(work(turn));
        }
        best = best.min((processor_nanos() - start) / TURNS as f64);
    }
    println!("{what:32} {best:8.0} ns");
}

/// Processor time of this thread (Linux).
fn processor_nanos() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}
