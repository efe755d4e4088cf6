//! Measures how a store grows and how long a start takes: accounts, keys and usage rows, by size. `--release` only;
//! `--json` for scripts.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tollgate_governance::{
    AccountId, AccountPatch, Change, Counters, Directory, KeyDraft, KeyHasher, OsRandom, Random,
    RequestIds, UsageRow, Zone,
};
use tollgate_store::{
    DiskStore, Durability, Store, UsageBatch, UsageRollups, ledger, records, usage,
};

/// The gateway's own: with the C library's a start of 200,000 accounts took 12 s and 1,600 MiB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: u64 = 1_795_800_000_000;
/// Accounts and keys, usage rows.
const SIZES: [(usize, usize); 3] = [(1_000, 100_000), (1_000, 1_000_000), (1_000_000, 1_000_000)];
/// Changes and rows a commit: no more than a gateway's, for the engine keeps what a large one touches in memory (10,000
/// changes a commit: 9 KiB an account, where it is 2.6 KiB with these).
const CHUNK: usize = 200;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let rows: Vec<Value> = SIZES
        .iter()
        .map(|(accounts, rows)| measure(*accounts, *rows))
        .collect();
    if json {
        println!("{}", json!({ "start_up": rows }));
        return;
    }
    for row in rows {
        println!("{row:#}");
    }
}

fn measure(accounts: usize, rows: usize) -> Value {
    let folder = std::env::temp_dir().join(format!("tollgate-start-up-{}", std::process::id()));
    let store = open(&folder);
    let (directory, leaves) = populate(&store, accounts);
    let records_bytes = size(&folder);
    let mut ids = RequestIds::new(&mut OsRandom::new());
    let mut batch = UsageBatch::default();
    for number in 0..rows {
        let at = NOW - 3_600_000 * 24 + (number as u64) * 86_400_000 / rows as u64;
        let leaf = leaves[number % leaves.len().min(1_000)];
        batch.push(&row(&directory, leaf, ids.next(at), at));
        if batch.len() == CHUNK {
            store.append_usage(&batch).unwrap();
            batch.clear();
        }
    }
    store.append_usage(&batch).unwrap();
    store.flush().unwrap();
    let all_bytes = size(&folder);
    drop((store, directory));

    let start = Instant::now();
    let store = open(&folder);
    let opened = start.elapsed();
    let directory = records::load(&store).unwrap();
    let loaded = start.elapsed();
    let counters = Arc::new(Counters::new(Zone::utc(), ledger::load(&store).unwrap()));
    directory.keep_windows(&counters);
    let seeded = usage::seed(&store, &directory, &counters, NOW).unwrap();
    let ready = start.elapsed();
    drop(store);
    std::fs::remove_dir_all(&folder).unwrap();
    json!({
        "accounts_and_keys": accounts,
        "rows": rows,
        "rows_counted_again": seeded,
        "bytes_an_account_with_key": records_bytes / accounts as u64,
        "bytes_a_row": (all_bytes - records_bytes) / rows as u64,
        "open_s": opened.as_secs_f64(),
        "load_s": (loaded - opened).as_secs_f64(),
        "count_s": (ready - loaded).as_secs_f64(),
        "start_s": ready.as_secs_f64(),
    })
}

fn open(folder: &Path) -> DiskStore {
    let rollups = UsageRollups::new("UTC").unwrap();
    let store = DiskStore::open(folder, Durability::Process).unwrap();
    store.with_fold(Arc::new(rollups)).unwrap()
}

/// A root, departments of a thousand, people with a key each.
fn populate(store: &DiskStore, accounts: usize) -> (Directory, Vec<AccountId>) {
    let (mut directory, mut random) = (Directory::default(), OsRandom::new());
    let hasher = KeyHasher::new(&[7; 32]);
    let (root, changes) = directory.create_root(NOW, &mut random).unwrap();
    records::commit(store, &mut directory, &changes, None).unwrap();
    let mut waiting: Vec<Change> = Vec::new();
    let (mut department, mut leaves) = (root.id, Vec::with_capacity(accounts));
    for number in 0..accounts {
        let parent = if number % 1_000 == 0 {
            root.id
        } else {
            department
        };
        let id = account(&mut directory, &mut waiting, parent, number, &mut random);
        if number % 1_000 == 0 {
            department = id;
        }
        let draft = KeyDraft {
            account: id.to_string(),
            label: "laptop".to_owned(),
            ..KeyDraft::default()
        };
        let (_, changes) = directory
            .create_key(draft, &hasher, NOW, &mut random)
            .unwrap();
        directory.apply(&changes);
        waiting.extend(changes);
        leaves.push(id);
        if waiting.len() >= CHUNK {
            records::commit(store, &mut directory, &std::mem::take(&mut waiting), None).unwrap();
        }
    }
    records::commit(store, &mut directory, &waiting, None).unwrap();
    (directory, leaves)
}

fn account(
    directory: &mut Directory,
    waiting: &mut Vec<Change>,
    parent: AccountId,
    number: usize,
    random: &mut dyn Random,
) -> AccountId {
    let new = AccountPatch {
        name: Some(format!("person-{number}")),
        parent: Some(parent.to_string()),
        ..AccountPatch::default()
    };
    let (account, changes) = directory.create_account(&new, NOW, random).unwrap();
    directory.apply(&changes);
    waiting.extend(changes);
    account.id
}

fn row(directory: &Directory, leaf: AccountId, request: uuid::Uuid, at: u64) -> UsageRow<'static> {
    let path = directory.path(leaf).unwrap();
    UsageRow {
        request,
        admitted_ms: at,
        ended_ms: at + 800,
        path: path.ids().into(),
        names: path.names().into(),
        key_label: "laptop".into(),
        operation: "chat-completions".into(),
        dialect: "openai-chat".into(),
        requested_model: "a-model-of-some-vendor".into(),
        upstream_model: "a-model-of-some-vendor".into(),
        provider: "vendor".into(),
        upstream: "main".into(),
        credential: "main".into(),
        status: 200,
        counted: true,
        charged: 1_234,
        hold: 5_000,
        ..UsageRow::default()
    }
}

fn size(folder: &Path) -> u64 {
    let mut total = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        total += match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => size(&entry.path()),
            metadata => metadata.len(),
        };
    }
    total
}
